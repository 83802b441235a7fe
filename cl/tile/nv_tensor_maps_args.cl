/* What tensor_maps gets; see src/plan/arguments.h and cl/tile/tile.cl. */
#define TENSOR_MAPS(T, B, S)                                                                                           \
    B(const elem, x0)                                                                                                  \
    B(const elem, x1) B(const elem, x2) B(const elem, x3) B(ulong16, maps) B(const int, cu_q) B(const int, cu_k)
typedef struct map_of {
    strides s;
    i32 width, rows, heads, batches, box, pack, lengths, spare; /* lengths: 1 cu_q, 2 cu_k, 0 none */
} map_of;
typedef struct map_args {
    map_of t[4];
    i32 sequences, spare; /* sequences = 0: every group returns at once */
} map_args;

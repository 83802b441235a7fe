/* What the attend kernels get: their buffers in order, and a record by value. One text for the host and for kernels;
 * see src/plan/arguments.h and cl/tile/tile.cl. */
#define ATTEND_SCORES(T, B, S)                                                                                         \
    B(const float, bias)                                                                                               \
    B(const uchar, padding)                                                                                            \
    B(const float, slopes)                                                                                             \
    B(const int, positions)                                                                                            \
    B(const pattern_rule, rules)                                                                                       \
    B(const uchar, flags)                                                                                              \
    B(const float, text_buffer)
#define ATTEND_LISTS(T, B, S) B(const int, lines) B(const int, list) B(const int, cu_q) B(const int, cu_k)
#define ATTEND_FORWARD(T, B, S)                                                                                        \
    T(q)                                                                                                               \
    T(k)                                                                                                               \
    T(v)                                                                                                               \
    B(out_elem, o)                                                                                                     \
    B(float, lse)                                                                                                      \
    ATTEND_LISTS(T, B, S)                                                                                              \
    ATTEND_SCORES(T, B, S)                                                                                             \
    B(const float, sinks)                                                                                              \
    B(const out_elem, before)                                                                                          \
    B(const float, before_lse)                                                                                         \
    B(const float, gate)

/* All that a problem is; longs first, so no holes. */
typedef struct attend_args {
    strides q, k, v, o;   /* in elements */
    i64 o_part, lse_part; /* between the partial results of two parts */
    i64 lse_batch, lse_head;
    i64 bias_batch, bias_head, bias_row, padding_batch;
    i64 list_batch, list_head; /* in lines */
    i32 nq, nk;                /* nq = 0: every group returns at once */
    i32 group;                 /* query heads that share a KV head */
    i32 step, parts;           /* tokens of a block of rows */
    i32 left, right;
    i32 places;         /* KEYED: keys before the choice */
    i32 rows, items;    /* block rows of a head, items of a row */
    i32 inner, abreast; /* so many lie beside each other: heads of a batch; abreast: batches of a head */
    i32 crowd, spare;   /* HEAVY_LAST: heads that take turns; spare: so no hole at the end */
    f32 scale, cap, p[8];
} attend_args;
/* Of each query row, for the pass backwards: attend_terms.cl, attend_statistics.cl. far: 1 if some row is. */
/* In base 2: up to here LSE's last bit errs less than the tolerance of float leaves, and than halves are rounded. */
#define FAR_LSE (STORE_q == 0 ? 128.0f : 1024.0f)
#define IS_FAR(lse) (fabs(lse) * LOG2E > FAR_LSE && fabs(lse) < INFINITY)
#define ATTEND_ROWS(T, B, S) B(const float, from) B(const float, minus) B(const float, delta) B(const int, far)
#define ATTEND_STATISTICS(T, B, S)                                                                                     \
    T(q)                                                                                                               \
    T(k)                                                                                                               \
    B(const float, lse)                                                                                                \
    B(float, from)                                                                                                     \
    B(float, minus)                                                                                                    \
    B(const int, far)                                                                                                  \
    B(float, sunk)                                                                                                     \
    ATTEND_LISTS(T, B, S)                                                                                              \
    ATTEND_SCORES(T, B, S)                                                                                             \
    B(const float, sinks)
/* The pass backwards: what each of its kernels over tiles of pairs reads. g: the gradient of o, as that lies. */
#define ATTEND_BACKWARD(T, B, S) T(q) T(k) T(v) T(g) ATTEND_ROWS(T, B, S) ATTEND_LISTS(T, B, S) ATTEND_SCORES(T, B, S)
#define ATTEND_BACKWARD_Q(T, B, S) ATTEND_BACKWARD(T, B, S) B(out_elem, dq) B(float, row_slopes)
#define ATTEND_BACKWARD_KV(T, B, S)                                                                                    \
    ATTEND_BACKWARD(T, B, S) B(out_elem, dk) B(out_elem, dv) B(float, sums) B(int, counts) B(const int, ranks)
typedef struct attend_backward_args {
    attend_args a; /* step, rows: of queries in the pass for dq, of keys in that for dk and dv */
    strides dq, dk, dv;
    i64 sums_row, sums_head, sums_part; /* sums: [part][b][hq][sums_head][sums_row] floats; a part: so many */
} attend_backward_args;

/* ints of a query row that count who has added to a tile's sums: one for each worker of a group at most */
#define COUNTS 4
#define ATTEND_TERMS(T, B, S)                                                                                          \
    B(const o_elem, o)                                                                                                 \
    B(const elem, g)                                                                                                   \
    B(const float, lse)                                                                                                \
    B(const float, dlse)                                                                                               \
    B(const float, sinks)                                                                                              \
    B(float, from)                                                                                                     \
    B(float, minus)                                                                                                    \
    B(float, delta)                                                                                                    \
    B(int, far)                                                                                                        \
    B(float, sunk)                                                                                                     \
    B(float, sums)                                                                                                     \
    B(int, counts)
typedef struct terms_args {
    strides o;
    i64 rows, sums_head, sums_part; /* of a head: all, and of sums; as in attend_backward_args */
    i32 heads, width;               /* width = 0: every group returns at once */
    i32 sums_row, parts;
} terms_args;

#define ATTEND_WEIGH(T, B, S) B(const float, weight) B(float, minus) B(float, sunk)
typedef struct weigh_args {
    i64 count;        /* 0: every group returns at once */
    i32 width, spare; /* of a line */
} weigh_args;

#define HEAD_SUMS(T, B, S) B(const float, x) B(const float, y) B(float, sums)
typedef struct head_sums_args {
    i64 rows; /* of a head; 0: every group returns at once */
    i32 batches, heads;
    f32 factor, spare;
} head_sums_args;

#define ATTEND_COLLECT(T, B, S) B(const float, sums) B(const int, counts) B(const int, cu_q) B(out_elem, dq)
typedef struct collect_args {
    strides dq;
    i64 rows, sums_head, sums_part; /* of a head: all, and of sums; as in attend_backward_args */
    i32 heads, width;               /* width = 0: every group returns at once */
    i32 sums_row, of_tile;          /* floats of a row of sums, rows of a tile of them */
    f32 scale;
    i32 sequences; /* 0: not packed */
    i32 parts, spare;
} collect_args;

/* dbias: in planes of one head of one batch, or of all that share it. */
#define ATTEND_BACKWARD_BIAS(T, B, S) ATTEND_BACKWARD(T, B, S) B(float, dbias)
typedef struct backward_bias_args {
    attend_args a;
    i32 batches, heads; /* that share a plane */
    i32 planes, parts;  /* planes of a batch; parts of a line */
} backward_bias_args;

#define FILL_ZEROS(T, B, S) B(float, to)
typedef struct fill_args {
    i64 count;        /* 0: every group returns at once */
    i32 width, spare; /* of a line */
} fill_args;

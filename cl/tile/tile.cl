/* The vocabulary: what a tile file gives to stages and schedules, and what is the same on every machine.
 * A program is  tile.cl, tile_<machine>.cl (or line_<machine>.cl), variant texts, a stage, a schedule  joined in that
 * order, specialised by integer -D only. Stages say what happens, schedules in which order, tiles on what. A stage
 * holds no word of a machine.
 *
 * Parameters every tile understands (-D):
 *   BM, BN     rows (queries) and columns (keys) of a pair tile           DK, DV   head widths of q, k and of v, o
 *   STORE      element type of tensors read: 0 float, 1 half, 2 bfloat16  OUT      the same of tensors written
 *   PACK       heads of a GQA group that are rows of one tile: row r is (token r / PACK, head r % PACK); 1: none
 *
 * 1. Types a tile defines
 *   VF, VI            one visit's floats and ints: as many rows or columns as the machine handles at once
 *   row               a value for each row this worker holds: .x[ROW_LEN], elements VF
 *   parts             the same before parts are joined
 *   acc_pair          BM x BN accumulator, .x[] visited by EACH_PAIR       op_pair   the same as an operand
 *   acc_head          BM x DV accumulator                                  held      BM x DK rows that stay
 *   tensor            one head of one batch, ending at `rows`
 *   tile              the worker: who am I, where are my slots
 * 2. Kernel frame
 *   TILE_KERNEL       attributes of a kernel                      TILE_BEGIN(tp)     local memory, barriers, who am I
 *   ARGUMENTS(list), ARGUMENTS_IN(list), PASSED(list)   the buffers of a list of cl/<stage>/args.cl, as parameters of a
 *                     kernel, of a function, and as what is handed on; the record follows
 *   GROUP(d), GROUPS(d)   a group's place in dimension d, and how many there are. FOLD: all are launched in the first
 *                     dimension, and stand for FOLD_X x FOLD_Y x the rest: some devices take few in the others. The
 *                     launch says how many: the offsets of dimensions that have one item each
 *   EACH_ITEM(t, at, tensor, rows, heads, parts, crowd, call)   call for every item of this group, with item_place at:
 *                     which block row, head, and part of the keys, see item_of (crowd: its `across`); `tensor`: the
 *                     first one
 *   line_at(lines, i) the list_line of a block row: where its list starts, entries, how many are masked, sequence
 * 3. Tensors in
 *   TENSOR(name)      a tensor as kernel arguments;  TENSOR_AT(name) the pointer;  TENSOR_OF(name, s) for packed
 *                     sequence s (0: not packed)
 *   tensor_view(storage, ptr, &strides, batch, head, first, rows)   first: where the sequence begins (its row 0); rows:
 *                     tokens that exist, times PACK for a packed one; storage: see tile/storage.cl
 *   tensor_ahead(&tensor, heads)              the same of the head so many behind it
 *   tensor_begin(t, &tensor)                  makes it usable by whoever loads
 *   held_at(tp, &held, index), held_load(t, &held, &tensor, row0, width), held_wait(t)
 *                                             width: columns that exist, DK or fewer; the others are zeros
 *   stream_load(t, s, j, &tensor, row0)       tile j of stream s = BN rows at row0; rows past the end deliver finite
 *                                             numbers
 *   stream_wait(t, s, j), stream_release(t, s, j)            the stage's macro WIDTH(s) is a stream's width;
 *                                             COLUMNS(s): those of its columns that exist (WIDTH(s) unless the stage
 *                                             says otherwise), the others count as zeros
 *   stream_first(t, s, j, given)              between these two: row0 of tile j. `given` is the same; a machine on
 *                                             which whoever loads leaves it nearer does not evaluate it
 * 4. Products; results are complete at mma_wait
 *   mma_abt(t, &acc_pair, &held, s, j)        = held . tile^T
 *   mma_ab(t, &acc_head, &op_pair, s, j)      += op . tile
 *   mma_ab_seen(t, &acc_head, &op_pair, s, j, bytes, n)   the same, where rows whose byte is 0 (n of them, those behind
 *                                             are as the last) count as zeros, whatever they hold: 0 times NaN is NaN.
 *                                             A null pointer: all count. The tile defines this one
 *   stream_turn(t, s, j)                      tile j of s, which stream_load has named, is one that mma_ab will read: a
 *                                             machine that wants it turned does so beside the products until then
 *   mma_commit(), mma_wait(t, n)              schedules only: close a group; all but n groups are done
 * 5. Elements: `for` headers, no callbacks
 *   EACH_PAIR(i)  ROW_OF(i)  PART_OF(i)  ROW_AT(t, i) COL_AT(t, i) (VI: row, column within the tile)
 *   COL_BASE(t) + COL_STEP(i) = COL_AT: what depends on the worker, what on i alone: a bound less the first is compared
 *                                             with constants
 *   EACH_ROW(r)   ROW_NUMBER(t, r) (VI: row within the tile)   EACH_PART(k)
 *   EACH_PAIR_BESIDE(t, i)                    EACH_PAIR for long work: products in flight may go on between its visits
 *   fold_max(t, &row, &parts), fold_sum(&row, &parts), row_join_sum(t, &row); between two joins lies a product
 *   row_once(t, x)                            x where a value counts once in a row's joined sum, else 0
 *   row_keep(&best, &m, slack)                maxima: best where it is above m by more than slack, either
 *                                             of them else: with m nothing need be scaled
 *   row_scale(&acc_head, &row)                by the next product or store
 *   convert(&op_pair, &acc_pair)              the source is free afterwards
 *   pair_put(t, &op_pair, &acc_pair, i, x), convert_put(t, &op_pair, &acc_pair)   the same in two: in visits of every
 *                                             pair x becomes pair i, also while a product reads op_pair (null: none
 *                                             will); then all of them are the operand
 *   pair_again(t, &acc_pair)                  behind the mma_ab of what convert made of it: as before, where a machine
 *                                             has let it go since
 *   acc_zero(&acc_head)
 *   pair_scale_add(t, &acc_pair, scale, ptr, pitch, rows, cols)   x = x * scale + ptr[row * pitch + col], float, rows
 *                                             and cols that exist
 *   pair_fetch(t, ptr, pitch, rows, cols)     by whoever computes: begins to read what the next pair_scale_add, of the
 *                                             same arguments, adds
 *   pair_leave(t, &acc_pair, ptr, pitch, rows, cols)   backwards: ptr[row * pitch + col] += x, float, rows and cols
 *                                             that exist; the same lane writes a place every time
 *   Backwards, with -D GATHER, of shapes whose groups may do several blocks of a head (ct_shape.gathers) or share
 *   them (ct_shape.shares):
 *   mma_gather(t, &acc_share, &op_pair, &held, rows)   share = pair^T . held, over the held rows that exist. Behind the
 *                                             mma_ab of those pairs; acc_leave comes next
 *   acc_leave(t, &acc_share, ptr, pitch, n)   ptr's rows of floats += share's first n rows; pitch: DK rounded up to 16.
 *                                             Where groups share, it is left for who takes it (leave_take)
 *   held_hide(t, &held, bytes, n)             rows whose byte is 0 count as zeros in mma_gather; their pairs mean
 *                                             nothing. Behind held_wait
 *   Where groups share, under schedule/chains.cl; convert leaves its source as it was:
 *   publish(t, &op_pair, j), meet(t, j)       by each worker: its rows of step j's pairs for all to read; all are
 *                                             there. mma_gather is of the pairs met last
 *   publish_none(t)                           before the first step: then whoever meets step -1 has met nothing
 *   same_for_warp(x)                          x, known to be the same for those who go together: addresses made of it
 *                                             need no lane's registers
 *   leave_place(t, row, sum, rank), leave_where(t) -> share_place   by role_columns, once a step: where the step's
 *                                             share goes, its rows among counts and sums, and how many add before; by
 *                                             role_take, what was said of the share that leaves next
 *   leave_take(t, ptr, begins)                by role_take: adds what a worker left to the tile of sums at ptr, which
 *                                             has an order of its own (ct_tile.share); begins: it is the first to add,
 *                                             whatever lies there
 *   order_is(t, counts, rank) -> is, order_wait(t, counts, rank, is)   before it: have `rank` others been counted who
 *                                             add to that tile? Waits until they have. EACH_ITEM then takes items in
 *                                             the order in which groups begin
 *   leave_taken(t)                            behind it: the worker may leave the next one
 *   leave_flush(t), order_close(t), order_pass(t, counts)   all additions are done; whoever sees what is counted next,
 *                                             sees them; counts one. TELLS: additions that are best counted together
 *   columns_load(t, j, k, ptr, n), columns_send(t, j)   by role_columns: number k, k = 0 first, of TERMS_OF_COLUMN for
 *                                             each column of tile j, n of which exist; then, they are complete
 *   columns_wait(t, j) -> columns_in, column_of(t, columns, k, i)   the same of visit i, until the tile is released
 * 6. Results
 *   out_view(ptr, &strides, batch, head, first, rows)  -> tensor_out
 *   acc_store(t, &tensor_out, row0, &acc_head, width)               its first `width` columns
 *   row_store(t, ptr, row_stride, pack_stride, rows, &row)           only rows that exist
 *   row_load(t, &row, ptr, row_stride, pack_stride, rows)            the reverse; rows that do not exist get the last
 *                                             one's
 *   acc_add(t, &acc_head, &row, ptr, row_stride, pack_stride, rows)  row r += row.x[r] * DV elements (OUT) of ptr's row
 *                                             r; what is stored next. Where a tile has ALIGNED and DV is a multiple of
 *                                             8, so are ptr and the strides
 * 7. Words for score texts
 *   vmax vlog vexp2 vtanh vabs   TO_VF(vi)    vexp2 of 128 and more is infinity, of -infinity 0, of NaN NaN
 *   vweight(t)                                2^t as exact as op_pair keeps it, of t up to 16; else as vexp2
 *   pick(choose, yes, no)                     select by truth, from comparisons or any integer
 *   any_lane(choose)                          a comparison is true in one of the worker's lanes
 *   gather(ptr, row, pitch, col)              ptr[row * pitch + col] for each lane, float
 *   gather_byte, gather_int                   of uchar, of int: as VI
 *   at_column(t, ptr, i, n)                   ptr[c] for the column c of visit i, float; columns from n on are as the
 *                                             last one
 * 8. State words (accumulate): see tile/state.cl.     9. Line words (element kernels): see tile/line.cl.
 */
#define OP static inline __attribute__((always_inline))
#include "tile/storage.cl"
#define FRONT 0
#define BACK 1
#define LOG2E 1.44269504f
#define LN2 0.69314718f
#ifndef OUT
#define OUT 0
#endif
#ifndef PACK
#define PACK 1
#endif
#ifndef BM
#define BM 16
#endif
#ifndef BN
#define BN 16
#endif
#ifndef DK
#define DK 16
#endif
#ifndef DV
#define DV DK
#endif
/* 1: a stage's tiles run from the last to the first: rows of pairs see the columns that are theirs and those behind */
#ifndef REVERSED
#define REVERSED 0
#endif
/* backwards DK = DV, the wider of both: what exists of them */
#ifndef WIDTH_K
#define WIDTH_K DK
#endif
#ifndef WIDTH_V
#define WIDTH_V DV
#endif

#ifndef HEAVY_LAST
#define HEAVY_LAST 0
#endif

#ifndef FOLD
#define FOLD 0
#endif
#if FOLD
#define FOLD_X ((uint)get_global_offset(1))
#define FOLD_Y ((uint)get_global_offset(2))
#define FOLDED ((uint)get_group_id(0))
#define GROUP(d) ((d) == 0 ? FOLDED % FOLD_X : (d) == 1 ? FOLDED / FOLD_X % FOLD_Y : FOLDED / FOLD_X / FOLD_Y)
#define GROUPS(d) ((d) == 0 ? FOLD_X : (d) == 1 ? FOLD_Y : (uint)get_num_groups(0) / FOLD_X / FOLD_Y)
#else
#define GROUP(d) get_group_id(d)
#define GROUPS(d) get_num_groups(d)
#endif

/* A global pointer argument is a base and an offset in elements: one text for buffers with offsets, sub-buffers, SVM.
 */
#define BUFFER(type, name) __global type *restrict name##_base, const long name##_from
/* The same handed to a function: not restrict, whose traces in inlined code Oclgrind does not know. */
#define BUFFER_IN(type, name) __global type *name##_base, const long name##_from
#define TENSOR_IN(name) BUFFER_IN(const elem, name)
/* A kernel's argument that may be where another one is: a state that comes in and goes out. Not restrict: what a worker
 * reads of it, it reads before it writes there, and no other worker does either. */
#define BUFFER_SHARED(type, name) BUFFER_IN(type, name)
#define AT(name) (name##_base + name##_from)
#define PASS(name) name##_base, name##_from
/* The groups of dimension 0 share out the block rows of the head that is their place in dimension 1: a row each, to and
 * fro, so that rows of rising work come to as much for each. */
#define EACH_ROW_OF_ITEM(at, rows)                                                                                     \
    for (item_place at = {(int)GROUP(0), (int)GROUP(1), (int)GROUP(0)}; at.row < (rows);                               \
         at.row += turn_of(at.row, (int)GROUPS(0)))
#define TENSOR_OF(name, sequence) TENSOR_AT(name)
/* Packed sequences: the first line of one that begins at token `first`, where a line has `step` tokens. Every sequence
 * has room for its lines. */
#define SEQUENCE_LINE(first, step, sequence) ((first) / (step) + (sequence))
#define COLUMNS(s) WIDTH(s)
#define ROW_AT(t, i) ROW_NUMBER(t, ROW_OF(i))
#define COL_AT(t, i) (COL_BASE(t) + COL_STEP(i))
#define stream_first(t, s, j, given) (given)
#define stream_turn(t, s, j)
#define row_keep(best, m, slack)
#define vweight(t) vexp2(t)
#define pair_again(t, s)
#define pair_put(t, p, s, i, value) (s)->x[i] = value
#define convert_put(t, p, s) convert(p, s)
#define EACH_PAIR_BESIDE(t, i) EACH_PAIR(i)
#define mma_ab(t, out, p, s, j) mma_ab_seen(t, out, p, s, j, 0, 0)

/* Rows from n on are what tiles repeat the last one for. */
OP int is_hidden(const __global uchar *bytes, int n, int r) { return bytes && bytes[min(r, n - 1)] == 0; }

typedef struct {
    long batch, head, row;
} strides;
typedef long i64; /* as the records of cl/<stage>/args.cl have them */
typedef int i32;
typedef float f32;
/* Of a list of buffers in cl/<stage>/args.cl: a kernel's parameters, a function's, and what is handed on. */
#define ARGUMENTS(list) list(ARGUMENT_T, ARGUMENT_B, ARGUMENT_S)
#define ARGUMENT_T(name) TENSOR(name),
#define ARGUMENT_B(type, name) BUFFER(type, name),
#define ARGUMENT_S(type, name) BUFFER_SHARED(type, name),
#define ARGUMENTS_IN(list) list(ARGUMENT_IN_T, ARGUMENT_IN_B, ARGUMENT_IN_B)
#define ARGUMENT_IN_T(name) TENSOR_IN(name),
#define ARGUMENT_IN_B(type, name) BUFFER_IN(type, name),
#define PASSED(list) list(PASSED_T, PASSED_B, PASSED_B)
#define PASSED_T(name) PASS(name),
#define PASSED_B(type, name) PASS(name),
typedef struct {
    int row, head, part;
} item_place;
/* From a part's row to its next one: 0 1 2 | 5 4 3 | 6 7 8. */
OP int turn_of(int row, int parts) { return 2 * parts - 1 - 2 * (row % parts); }
typedef struct {
    int start, entries, masked, sequence;
} list_line;
/* Line i of those that cl/layout/lists.cl and src/layout/lists.c make. One access: pocl 3.1 wrote out of bounds where
 * its ints were read one by one. */
OP list_line line_at(const __global int *lines, long i) {
    const int4 x = vload4(i, lines);
    return (list_line){x.x, x.y, x.z, x.w};
}
/* The item of group (x, y, z). Groups are taken up in the order of their numbers, x first: the rows of a head, then the
 * next head's, then the next part's. HEAVY_LAST: later rows have more work, and come first; `across` heads take turns
 * with theirs, so that the queue ends with light items, while their keys and values share a cache: the grid is (across,
 * rows, heads / across), and there is one part. */
OP item_place item_of(int x, int y, int z, int across, int rows) {
#if HEAVY_LAST
    return (item_place){rows - 1 - y, z * across + x, 0};
#else
    return (item_place){x, y, z};
#endif
}
#define EACH_ITEM(t, at, tensor, rows, heads, parts, crowd, call)                                                      \
    {                                                                                                                  \
        const item_place at = item_of((int)GROUP(0), (int)GROUP(1), (int)GROUP(2), (int)GROUPS(0), rows);              \
        call;                                                                                                          \
    }

#if STORE == 0
typedef float elem;
#elif STORE == 1
typedef half elem; /* vload_half needs no cl_khr_fp16 */
#else
typedef ushort elem;
#endif
#if OUT == 0
typedef float out_elem;
#elif OUT == 1
typedef half out_elem;
#else
typedef ushort out_elem;
#endif

/* One element of storage STORE. */
OP float elem_at(const __global elem *p, long i) { return stored_at(STORE, (stored)p, i); }
/* pair_scale_add for tiles whose visits are single elements, without a hint; what does not exist gets its last
 * neighbour's. */
#define PAIR_SCALE_ADD_BY_GATHER                                                                                       \
    OP void pair_fetch(tile *t, const __global float *p, long pitch, int rows, int cols) {}                            \
    OP void pair_scale_add(                                                                                            \
        tile *t, acc_pair *s, float scale, const __global float *p, long pitch, int rows, int cols) {                  \
        EACH_PAIR(i)                                                                                                   \
            s->x[i] = fma(s->x[i], scale, gather(p, min(ROW_AT(t, i), rows - 1), pitch, min(COL_AT(t, i), cols - 1))); \
    }
/* pair_leave for those tiles. */
#define PAIR_LEAVE_BY_ELEMENT                                                                                          \
    OP void pair_leave(tile *t, acc_pair *s, __global float *p, long pitch, int rows, int cols) {                      \
        EACH_PAIR(i)                                                                                                   \
            if (ROW_AT(t, i) < rows && COL_AT(t, i) < cols) p[ROW_AT(t, i) * pitch + COL_AT(t, i)] += s->x[i];         \
    }
OP ushort bf16_of(float x) { /* to nearest, ties to even; NaN stays NaN */
    const uint u = as_uint(x);
    return (u & 0x7fffffffu) > 0x7f800000u ? (ushort)((u >> 16) | 64u)
                                           : (ushort)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
OP float out_at(const __global out_elem *p, long i) {
#if OUT == 0
    return p[i];
#elif OUT == 1
    return vload_half(i, p);
#else
    return as_float((uint)p[i] << 16);
#endif
}
OP void out_put(__global out_elem *p, long i, float x) {
#if OUT == 0
    p[i] = x;
#elif OUT == 1
    vstore_half(x, i, p);
#else
    p[i] = bf16_of(x);
#endif
}

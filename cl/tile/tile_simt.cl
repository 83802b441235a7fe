/* tile_simt: any GPU, plain OpenCL C 1.2.
 *   S[BM][BN] = held[BM][DK] . tile[BN][DK]^T        O[BM][DV] += P[BM][BN] . tile[BN][DV]
 * A group is RY x CX items; each owns MR x NC of S and MR x OC of O in registers. An item's rows come in fours, 4 * RY
 * apart; so do its columns of S (keys) and of O, 4 * CX apart. Operands pass through local memory in thin float slices:
 * fetched into registers while the slice before is multiplied, two buffers, one barrier a slice. A slice of held .
 * tile^T is KS head columns, stored turned (lines of rows, lines of keys); one of P . tile is PS keys: the tile's rows
 * as stored, P as lines of rows. So every product reads MR / 4 + n / 4 vectors for MR x n fused multiply-adds. P leaves
 * in slices of every item's next keys (a sum over keys has no order), and the rows of the tile it meets are fetched in
 * that order. Rows past an end repeat the last one (finite, and masked or never stored); widths are padded, DK to KS
 * with zeros, DV to 4 * CX with columns that are not stored.
 *
 * Parameters (src/tile/shape_simt.c chooses them), beside those of tile.cl:
 *   MR    rows an item: a multiple of 4; BM is a multiple of 2 * MR
 *   CX    items beside each other in a row: 4, 8, 16 or 32; BN is a multiple of 4 * CX; a group has BM / MR * CX items
 *   KS    4, 8 or 16
 *   PS    a multiple of CX that divides BN. No line of a slice is wider than a group fetches at once: KS / 4 <= items,
 *         and
 *         columns of V rounded up to 4 * CX, / 4 <= items
 *   DEEP  the products are unrolled by so many lines (H200 8; RDNA3, CDNA3 and Intel 2: more outgrows their registers)
 *   COLS  rows of a stream's tile that count (default BN): for block lists whose columns are narrower than the tile
 *   ALIGNED   1: every row and head stride, every offset and both widths are multiples of 4 elements, and tensors begin
 *             at
 *         multiples of 4 elements: loads and stores of four. 0: elements.
 *   WHOLE   1: pairs leave whole, to local memory of their own (PAIRS_LEN floats), where their items may have them
 *         again: they take no registers beside the products that use them, whose loops are not unrolled, so that two
 *         results and a tile of pairs fit an item (and a GPU's instruction cache). PS need only divide BN. 0: in slices
 *   GATHER  1, with WHOLE: pairs may meet the held rows as well (mma_gather). BN is a multiple of 4 * RY, PS divides BM
 *   SV    columns of V and O that a group does (default DV): fewer are a multiple of 4 * CX, and group dimension 2
 *         counts the parts
 *   SUBGROUP, SHUFFLE_XOR   least size of a sub-group, and the name of its exchange: row joins without local memory
 *                           where a row fits
 * BM or BN rows span less than 2^31 bytes (src/tile/tiles.c declines the others); batch and head strides have 64
 * bits. A tensor has at least one row.
 * Local floats: 2 * BUF + FOLD_LEN below, or with WHOLE 2 * BUF + PAIRS_LEN. */
#define UNROLL _Pragma("unroll")
#define PRAGMA(x) _Pragma(#x)
#define UNROLL_BY(n) PRAGMA(unroll n)
#ifndef MR
#define MR 8
#endif
#ifndef CX
#define CX 8
#endif
#ifndef KS
#define KS 8
#endif
#ifndef PS
#define PS 16
#endif
#ifndef DEEP
#define DEEP 2
#endif
#ifndef WHOLE
#define WHOLE 0
#endif
#ifndef GATHER
#define GATHER 0
#endif
#ifndef COLS
#define COLS BN
#endif
#ifndef ALIGNED
#define ALIGNED 0
#endif
#ifndef VEXP2
/* a state: decays multiply over many tokens, and no device's short cut will do; a CPU's may err by 1e-5 (Intel's
 * runtime on Zen) */
#if defined(SV) || defined(WHOLE_EXP2)
#define VEXP2 exp2
#else
#define VEXP2 native_exp2 /* exp2 costs RDNA3 registers (57 spilled at DK 128); GPUs are within some 3 ulp */
#endif
#endif
#ifndef SV
#define SV DV
#endif
#ifndef PAIRED
#define PAIRED 1 /* neighbouring items: 1 alternate between two rows, 0 stay in one */
#endif
#ifndef SUBGROUP
#define SUBGROUP 0
#endif
#define ROUND_UP(x, n) (((x) + (n)-1) / (n) * (n))
#define RY (BM / MR)
#define NC (BN / CX)                       /* keys an item */
#define OC ROUND_UP((SV + CX - 1) / CX, 4) /* columns of O an item */
#define DKP ROUND_UP(DK, KS)
#define DVP (OC * CX)
#define FIRST_COLUMN (SV < DV ? (int)GROUP(2) * SV : 0)
#define DV_FETCHED (DV % DVP ? -1 : DV) /* DV: no group's columns reach past the end */
#define ITEMS (RY * CX)
#define ROW_LEN MR
#define RPITCH (BM + 4) /* four floats on: turned stores of two vectors a row then meet no bank conflict */
#define CPITCH (BN + 4)
#define ABT_BUF (KS * (RPITCH + CPITCH))
#define PAIRS_LEN (BM * BN + 4 * (BM > BN ? BM : BN)) /* columns that are lines of rows, or the reverse */
#define AB_BUF (PS * ((WHOLE ? 0 : RPITCH) + DVP))
#define BUF (ABT_BUF > AB_BUF ? ABT_BUF : AB_BUF)
#define ACROSS (KS / 4)       /* vectors across a slice of columns */
#define DOWN (ITEMS / ACROSS) /* its rows fetched at once */
#define HELD_F ((BM + DOWN - 1) / DOWN)
#define TILE_F ((BN + DOWN - 1) / DOWN)
/* Slices of 16: rows eight apart change places in the last eight lines, whose turned stores would meet the first ones'
 * banks. */
#define SWAPPED (KS == 16 && DOWN % 16 == 0 && BM % 16 == 0 && BN % 16 == 0)
#define WIDE (DVP / 4)       /* vectors across a slice of rows */
#define LINES (ITEMS / WIDE) /* its rows fetched at once */
#define ROWS_F ((PS + LINES - 1) / LINES)
#if BM % (2 * MR) || MR % 4 || CX % 4 || CX & (CX - 1) || BN % (4 * CX) || KS % 4 || ITEMS % ACROSS ||                 \
    (PS % CX && !WHOLE) || BN % PS || WIDE > ITEMS || (SV < DV && SV != DVP)
#error this tile shape does not divide evenly
#endif
#if GATHER
#define GR (BN / RY) /* rows of a share that an item holds */
#if !WHOLE || BN % (4 * RY) || BM % PS
#error pairs of this tile shape do not meet the held rows
#endif
#endif

typedef float VF;
typedef int VI;
typedef stored gptr;
typedef __local float *lptr;
#define AT4(p) (*(__local float4 *)(p)) /* vload4 would promise 4-byte alignment only */
typedef struct {
    float x[MR];
} row, parts;
typedef struct {
    float x[MR * NC];
} acc_pair, op_pair;
typedef struct {
    float x[MR * OC];
} acc_head;
typedef struct {
    gptr x;
    long pack, ahead; /* bytes, as row; ahead: from x to the head that is meant */
    int row, rows;
} tensor;
typedef struct {
    __global out_elem *x;
    long row, pack;
    int rows;
} tensor_out;
/* stays in global memory: its slices come every step, from a cache */
typedef struct {
    gptr x;
    long pack;
    int row, last;
#if GATHER
    const __global uchar *bytes; /* of rows that mma_gather passes over; NULL: none */
    int n;
#endif
} held;
#if GATHER
typedef struct {
    held q; /* acc_leave multiplies */
    int rows;
} acc_share;
#endif
typedef struct {
    gptr base[4];
    long even_head[4], odd_head[4];
    int even[4], odd[4], row[4], rows[4];
    lptr mem, fold; /* fold: with WHOLE, pairs lie there too */
    uint item, ry, cx;
} tile;

#define TENSOR(name) BUFFER(const uchar, name)
#undef TENSOR_IN
#define TENSOR_IN(name) BUFFER_IN(const uchar, name)
#define TENSOR_AT(name) STORED_AT(name)
#define TILE_KERNEL __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1)))
/* joins use the memory of pairs where there is one: no stage joins between a product and pair_again */
#if WHOLE
#define JOINED_LEN PAIRS_LEN
#else
#define JOINED_LEN FOLD_LEN
#endif
#define TILE_BEGIN(tp)                                                                                                 \
    __local float mem_[2 * BUF] __attribute__((aligned(16)));                                                          \
    __local float fold_[JOINED_LEN] __attribute__((aligned(16)));                                                      \
    tile_begin(tp, mem_, fold_)
OP void tile_begin(tile *t, lptr mem, lptr fold) {
    const uint i = (uint)get_local_id(0); /* unsigned: signed division costs address arithmetic */
    t->mem = mem;
    t->fold = fold;
    t->item = i;
    UNROLL
    for (int s = 0; s < 4; s++) {
        t->base[s] = 0;
        t->even_head[s] = t->odd_head[s] = 0;
        t->even[s] = t->odd[s] = t->row[s] = t->rows[s] = 0;
    }
#if PAIRED
    t->ry = i / (2 * CX) * 2 + (i & 1);
    t->cx = i / 2 % CX;
#else
    t->ry = i / CX;
    t->cx = i % CX;
#endif
}
#define EACH_ROW(r)                                                                                                    \
    UNROLL                                                                                                             \
    for (int r = 0; r < MR; r++)
#define EACH_PART(k) EACH_ROW(k)
#define EACH_PAIR(i)                                                                                                   \
    UNROLL                                                                                                             \
    for (int i = 0; i < MR * NC; i++)
#define ROW_OF(i) ((i) / NC)
#define PART_OF(i) ROW_OF(i)
/* an item's i-th index of those that come in fours */
#define FOURS(at, step, i) ((i) / 4 * 4 * (step) + (int)(at)*4 + (i) % 4)
#define ROW_NUMBER(t, r) FOURS((t)->ry, RY, r)
#define COL_BASE(t) FOURS((t)->cx, CX, 0)
#define COL_STEP(i) FOURS(0, CX, (i) % NC)
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define mma_commit()
#define mma_wait(t, n)

OP float vmax(float a, float b) { return fmax(a, b); }
OP float vlog(float a) { return log(a); }
OP float vexp2(float a) { return VEXP2(a); }
OP float vabs(float a) { return fabs(a); }
/* By the exponential, and below 0.625, where that cancels, by an odd polynomial (relative error 1e-7). */
OP float vtanh(float a) {
    const float z = a * a, e = vexp2(fmin(a, 20.0f) * (2.0f * LOG2E)), large = 1.0f - 2.0f / (e + 1.0f);
    const float p =
        fma(fma(fma(fma(-5.70498872745e-3f, z, 2.06390887954e-2f), z, -5.37397155531e-2f), z, 1.33314422036e-1f), z,
            -3.33332819422e-1f);
    return z < 0.390625f ? fma(p * z, a, a) : large;
}
#define TO_VF(x) ((float)(x))
OP float pick(int choose, float yes, float no) { return choose ? yes : no; }
OP int any_lane(int choose) { return choose; }
OP float gather(const __global float *p, int r, long pitch, int c) { return p[r * pitch + c]; }
OP int gather_byte(const __global uchar *p, int r, long pitch, int c) { return p[r * pitch + c]; }
#define at_column(t, p, i, n) ((p)[min(COL_AT(t, i), (n)-1)])
OP int gather_int(const __global int *p, int r, long pitch, int c) { return p[r * pitch + c]; }
PAIR_SCALE_ADD_BY_GATHER
PAIR_LEAVE_BY_ELEMENT

/* A row's values over its CX items: by shuffles, else through local memory. Between two joins lies a product: its
 * barriers guard the buffer. */
#if SUBGROUP >= CX << PAIRED
#define FOLD_LEN 4
#define JOIN(t, r, F)                                                                                                  \
    EACH_ROW(i_) UNROLL                                                                                                \
    for (int m_ = 1; m_ < CX; m_ *= 2) (r)->x[i_] = F((r)->x[i_], SHUFFLE_XOR((r)->x[i_], m_ << PAIRED));
#else
#define FOLD_LEN (MR * ITEMS)
#define JOIN(t, r, F)                                                                                                  \
    EACH_ROW(i_) (t)->fold[i_ * ITEMS + (t)->ry * CX + (t)->cx] = (r)->x[i_];                                          \
    BARRIER();                                                                                                         \
    EACH_ROW(i_) {                                                                                                     \
        const lptr p_ = (t)->fold + i_ * ITEMS + (t)->ry * CX;                                                         \
        float4 v_ = AT4(p_);                                                                                           \
        UNROLL                                                                                                         \
        for (int k_ = 4; k_ < CX; k_ += 4) {                                                                           \
            const float4 w_ = AT4(p_ + k_);                                                                            \
            v_ = F(v_, w_);                                                                                            \
        }                                                                                                              \
        (r)->x[i_] = F(F(v_.x, v_.y), F(v_.z, v_.w));                                                                  \
    }                                                                                                                  \
    if (WHOLE) BARRIER(); /* pairs will leave to where others still read */
#endif
#define ADD(a, b) ((a) + (b))
OP void fold_max(tile *t, row *r, parts *p) {
    EACH_ROW(i) r->x[i] = fmax(r->x[i], p->x[i]);
    JOIN(t, r, fmax)
}
OP void fold_sum(row *r, parts *p) {
    EACH_ROW(i) r->x[i] += p->x[i];
}
OP void row_join_sum(tile *t, row *r){JOIN(t, r, ADD)} OP float row_once(tile *t, float x) {
    return t->cx == 0 ? x : 0.0f;
}

OP tensor tensor_view(const int storage, gptr x, const strides *s, int batch, int head, long first, int rows) {
    const int size = STORED_SIZE(storage);
    const tensor y = {
        x + (batch * s->batch + head * s->head + first * s->row) * size, s->head * size, 0, (int)s->row * size, rows};
    return y;
}
OP tensor_out out_view(__global out_elem *x, const strides *s, int batch, int head, long first, int rows) {
    const tensor_out y = {x + batch * s->batch + head * s->head + first * s->row, s->row, s->head, rows};
    return y;
}
OP void tensor_ahead(tensor *x, int heads) { x->ahead = heads * x->pack; }
OP void tensor_begin(tile *t, tensor *x) {}
#define held_at(tp, q, index)
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    const held y = {.x = x->x + (long)(r0 / PACK) * x->row, .pack = x->pack, .row = x->row, .last = x->rows - 1 - r0};
    *q = y;
}
OP void held_wait(tile *t) {}
/* Masks, no index: one index that is not constant would keep the whole stage in memory, and compilers turn a choice of
 * two members into one. */
#define EITHER(j, odd, even) ((-((j)&1) & (odd)) | (~-((j)&1) & (even)))
OP void stream_load(tile *t, int s, int j, tensor *x, int r0) {
    t->base[s] = x->x;
    t->row[s] = x->row;
    t->rows[s] = x->rows;
    t->odd_head[s] = EITHER((long)j, x->ahead, t->odd_head[s]);
    t->even_head[s] = EITHER((long)j, t->even_head[s], x->ahead);
    t->odd[s] = EITHER(j, r0, t->odd[s]);
    t->even[s] = EITHER(j, t->even[s], r0);
}
#define stream_wait(tp, s, j)
OP void stream_release(tile *t, int s, int j) {}
typedef struct {
    gptr x;
    int row, last;
} rows_in; /* rows of a tile: the first, their stride, the last that counts */
OP rows_in stream_at(tile *t, int s, int j) {
    const int end = t->rows[s] - 1, r0 = min(EITHER(j, t->odd[s], t->even[s]), end);
    const rows_in y = {t->base[s] + EITHER((long)j, t->odd_head[s], t->even_head[s]) + (long)r0 * t->row[s], t->row[s],
        min(end - r0, COLS - 1)};
    return y;
}

#include "tile/simt_products.cl"
OP void convert(op_pair *p, acc_pair *s) {
    EACH_PAIR(i) p->x[i] = s->x[i];
} /* registers; mma_ab publishes them */
OP void row_scale(acc_head *o, row *f) {
    UNROLL
    for (int i = 0; i < MR * OC; i++) o->x[i] *= f->x[i / OC];
}
OP void acc_zero(acc_head *o) {
    UNROLL
    for (int i = 0; i < MR * OC; i++) o->x[i] = 0.0f;
}
OP void put4(__global out_elem *p, int d, float4 v, const int width) {
#if !ALIGNED
    if (d < width) out_put(p, d, v.x);
    if (d + 1 < width) out_put(p, d + 1, v.y);
    if (d + 2 < width) out_put(p, d + 2, v.z);
    if (d + 3 < width) out_put(p, d + 3, v.w);
#elif OUT == 0
    if (d < width) *(__global float4 *)(p + d) = v;
#elif OUT == 1
    if (d < width) vstore_half4(v, 0, p + d);
#else
    if (d < width) *(__global ushort4 *)(p + d) = (ushort4)(bf16_of(v.x), bf16_of(v.y), bf16_of(v.z), bf16_of(v.w));
#endif
}
OP void acc_store(tile *t, tensor_out *y, int row0, acc_head *o, const int width) {
    EACH_ROW(i) {
        const int r = row0 + FOURS(t->ry, RY, i);
        if (r < y->rows) {
            __global out_elem *p = y->x + r / PACK * y->row + (PACK > 1 ? r % PACK * y->pack : 0);
            UNROLL
            for (int c = 0; c < OC; c += 4) {
                const float *x = o->x + i * OC + c;
                put4(p, FIRST_COLUMN + FOURS(t->cx, CX, c), (float4)(x[0], x[1], x[2], x[3]), width);
            }
        }
    }
}
OP void acc_add(tile *t, acc_head *o, row *f, const __global out_elem *y, long row_stride, long pack_stride, int rows) {
    EACH_ROW(i) {
        const int r = min(FOURS(t->ry, RY, i), rows - 1);
        const __global out_elem *p = y + r / PACK * row_stride + (PACK > 1 ? r % PACK * pack_stride : 0);
        UNROLL
        for (int c = 0; c < OC; c++)
            o->x[i * OC + c] =
                fma(f->x[i], out_at(p, min(FIRST_COLUMN + FOURS(t->cx, CX, c), DV - 1)), o->x[i * OC + c]);
    }
}
OP void row_load(tile *t, row *r, const __global float *y, long row_stride, long pack_stride, int rows) {
    EACH_ROW(i) {
        const int at = min(FOURS(t->ry, RY, i), rows - 1);
        r->x[i] = y[at / PACK * row_stride + at % PACK * pack_stride];
    }
}
OP void row_store(tile *t, __global float *y, long row_stride, long pack_stride, int rows, row *r) {
    if (t->cx == 0)
        EACH_ROW(i) {
            const int at = FOURS(t->ry, RY, i);
            if (at < rows) y[at / PACK * row_stride + at % PACK * pack_stride] = r->x[i];
        }
}

/* tile_nv_mma: NVIDIA, sm_80 and later: cp.async, ldmatrix and mma.sync, in programs that the driver builds as they
 * are.
 *   S[BM][BN] = held[BM][DK] . tile[BN][DK]^T        O[BM][DV] += P[BM][BN] . tile[BN][DV]
 * A group is BM / (16 BLOCKS) warps; each owns 16 BLOCKS rows of S, P and O, and of the held ones: all of them in
 * registers (fragments: nv_warp.cl, nv_fragments.cl), but for held rows where HELD_LOCAL says that they lie in local
 * memory. That holds one tile of each stream, rows as stored, PITCH
 * bytes apart: an odd number of 16-byte chunks, so that the eight rows of a matrix that ldmatrix reads lie in different
 * banks. Its four matrices, of chunk c on, for
 *   S: TERMS head columns of keys n to n + 15:    (n, c) (n, c + 1) (n + 8, c) (n + 8, c + 1) as stored: two right
 *                                                 operands
 *   O: TERMS keys from k on of columns n to n + 15:    (k, c) (k + 8, c) (k, c + 1) (k + 8, c + 1) turned: two right
 *                                                      operands
 * Floats (STORE 0) are for those who ask for tf32: they are stored and loaded as they are and rounded when they become
 * operands; for O word by word, rows 2t of columns g: PITCH is an odd multiple of four words, so t moves by eight
 * banks, g by one, and no two lanes meet. A load is a wish. Products fulfil it: each waits for its own tile, a barrier
 * says that all have come that far and so have read every tile before, and then the copies of the other streams' next
 * tiles start where nobody will read the one before again, behind this product and all that follows it up to theirs. A
 * stream is read by one product a step, or by two, at FIRST_READ and at LAST_READ of the stage. Rows past an end repeat
 * the last one (finite, and masked or never stored); columns past DK or DV are zeros.
 *
 * Parameters (src/tile/shape_mma.c chooses them), beside those of tile.cl: BN is a multiple of 16, BM of 16 BLOCKS
 *   BLOCKS  blocks of 16 rows a warp: 1 or 2 (two read every right operand for twice the products)
 *   PARTS   chains of a row's maximum and sum
 *   HELD_LOCAL   1: held rows lie in local memory: two tensors of them, beside two results, are too much for registers
 *   ALIGNED   1: every row and head stride, every offset and both widths are multiples of 8 elements, and tensors begin
 *             at multiples of 8 elements: copies of 16 bytes. 0: elements, through registers. */
#ifndef BLOCKS
#define BLOCKS 1
#endif
#ifndef PARTS
#define PARTS 1
#endif
#ifndef ALIGNED
#define ALIGNED 0
#endif
#ifndef HELD_LOCAL
#define HELD_LOCAL 0
#endif
#define ROUND(x, n) (((x) + (n)-1) / (n) * (n))
#define DK16 ROUND(DK, 16)
#define DV16 ROUND(DV, 16)
#define ITEMS (BM / (16 * BLOCKS) * 32)
#define PITCH ((DK16 > DV16 ? DK16 : DV16) * (int)sizeof(elem) + 16)
#define CHUNK (16 / (int)sizeof(elem)) /* elements of a chunk */
#define STREAMS_MOST 4
#define UNROLL _Pragma("unroll")
#if BM % (16 * BLOCKS) || BN % 16
#error this tile shape does not divide evenly
#endif
#include "tile/nv_warp.cl"
typedef const __global elem *gptr;
typedef struct {
    gptr x;
    long pack;
    int row, rows, ahead;
} tensor;
#if HELD_LOCAL
#define HELD_ROOM (HELDS * BM) /* rows of local memory */
typedef struct {
    local_at at;
} held;
#else
#define HELD_ROOM 0
#define HELD_BLOCK (DK16 / TERMS * 4)
/* left operands: four registers for TERMS columns of a block */
typedef struct {
    uint x[BLOCKS * HELD_BLOCK];
} held;
#endif
/* A stream: rows of its tensor; where the tiles of even and odd number begin, and how many heads ahead; of its tiles
 * the last one wished for, the one that is in the slot or on its way there, and how many products of a step read a
 * tile, of which so many are left. */
typedef struct {
    gptr x;
    long pack;
    int row, last, even, odd, even_head, odd_head, wished, here, reads, left, width, columns;
} stream;
typedef struct {
    warp w;
    stream s[STREAMS_MOST];
    local_at mem;
    uint item;
    int row;
} tile;
#define HEAD16 DV16
#define OWN_COLUMN(t) 0
#define RAGGED(width) ((width) % 8 != 0)
#include "tile/nv_fragments.cl"
OP void pair_fetch(tile *t, const __global float *p, long pitch, int rows, int cols) {}
#define pair_scale_add pair_scale_add_direct

#define TENSOR(name) BUFFER(const elem, name)
#define TENSOR_AT(name) AT(name)
#define TILE_KERNEL __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1)))
#define TILE_BEGIN(tp)                                                                                                 \
    __local uint4 mem_[(STREAMS * BN + HELD_ROOM) * PITCH / 16];                                                       \
    WARP_BEGIN(&(tp)->w);                                                                                              \
    tile_begin(tp, LOCAL_AT(mem_));                                                                                    \
    UNROLL                                                                                                             \
    for (int s_ = 0; s_ < STREAMS; s_++) {                                                                             \
        (tp)->s[s_].width = WIDTH(s_);                                                                                 \
        (tp)->s[s_].columns = COLUMNS(s_);                                                                             \
        (tp)->s[s_].reads = 1 + (FIRST_READ(s_) != LAST_READ(s_));                                                     \
    }
OP void tile_begin(tile *t, local_at mem) {
    const stream none = {0, 0, 0, 0, 0, 0, 0, 0, -1, -1, 1, 0, 0, 0};
    t->mem = mem;
    t->item = (uint)get_local_id(0); /* unsigned: signed division costs address arithmetic */
    t->row = (int)(t->item / 32 * 16 * BLOCKS) + t->w.lane / 4;
    UNROLL
    for (int s = 0; s < STREAMS_MOST; s++) t->s[s] = none;
}
#define mma_commit() /* the hardware waits where a result is used */
#define mma_wait(t, n)

OP tensor tensor_view(const int storage, gptr x, const strides *s, int batch, int head, long first, int rows) {
    const tensor y = {x + batch * s->batch + head * s->head + first * s->row, s->head, (int)s->row, rows, 0};
    return y;
}
OP void tensor_begin(tile *t, tensor *x) {}
OP void tensor_ahead(tensor *x, int heads) { x->ahead += heads; }
/* Four bytes of a row from column d on, zeros from `width` on. */
OP uint word_at(gptr p, int d, const int width) {
#if STORE == 0
    return d < width ? as_uint(p[d]) : 0;
#else
    const __global ushort *u = (const __global ushort *)p;
    return (d < width ? (uint)u[d] : 0) | (d + 1 < width ? (uint)u[d + 1] << 16 : 0);
#endif
}
OP void put_elements(warp *w, local_at to, gptr p, int d, const int width) {
    uint x[4];
    UNROLL
    for (int i = 0; i < 4; i++) x[i] = word_at(p, d + i * (CHUNK / 4), width);
    put16(w, to, (uint4)(x[0], x[1], x[2], x[3]));
}
/* The group's items bring rows from r0 on, of so many columns that exist. */
OP void rows_fill(
    tile *t, local_at to, gptr x, int row, int r0, int last, const uint rows, const int width, const int columns) {
    const uint chunks = ROUND(width, 16) / CHUNK, all = rows * chunks;
    _Pragma("unroll 8") for (uint i = 0; i < all; i += ITEMS) {
        const uint at = i + t->item, r = at / chunks, c = at % chunks;
        if (all % ITEMS == 0 || at < all) {
            const gptr p = x + (long)min(r0 + (int)r, last) * row;
            const local_at place = to + r * PITCH + c * 16;
#if ALIGNED
            if (columns == ROUND(width, 16) || (int)c * CHUNK < columns) copy16(&t->w, place, p + c * CHUNK);
            else put16(&t->w, place, (uint4)(0));
#else
            put_elements(&t->w, place, p, (int)c * CHUNK, columns);
#endif
        }
    }
}
#if HELD_LOCAL
#define held_at(tp, q, index) ((q)->at = (tp)->mem + (STREAMS * BN + (index)*BM) * PITCH)
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    rows_fill(t, q->at, x->x, x->row, r0, x->rows - 1, BM, DK, width);
}
OP void held_wait(tile *t) {
    copies_wait(&t->w);
    GROUP_BARRIER(&t->w);
}
/* Of a block of this warp's rows, the left operand of TERMS columns. */
OP void held_operand(tile *t, uint *a, held *q, int block, int k) {
    const int l = t->w.lane;
    matrices(&t->w, a, q->at + ((int)(t->item / 32 * BLOCKS + block) * 16 + l % 16) * PITCH + l / 16 * 16 + k * 32);
}
#else
/* Word `lane % 4` of a chunk as a left operand. */
OP uint operand_at(tile *t, gptr p, const int chunk) {
    const int d = chunk * CHUNK + (t->w.lane & 3) * (CHUNK / 4);
#if ALIGNED
    const uint x = chunk * CHUNK < DK ? *(const __global uint *)(p + d) : 0;
#else
    const uint x = word_at(p, d, DK);
#endif
#if STORE == 0
    return operand(as_float(x));
#else
    return x;
#endif
}
#define held_at(tp, q, index)
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    EACH_ROW(h) {
        const int r = min(r0 + t->row + h * 8, x->rows - 1);
        const gptr p = x->x + (long)(r / PACK) * x->row + (PACK > 1 ? r % PACK * x->pack : 0);
        uint *y = q->x + h / 2 * HELD_BLOCK + h % 2;
        UNROLL
        for (int c = 0; c < DK16 / CHUNK; c++) y[c * 2] = operand_at(t, p, c);
    }
}
OP void held_wait(tile *t) {}
OP void held_operand(tile *t, uint *a, held *q, int block, int k) {
    UNROLL
    for (int i = 0; i < 4; i++) a[i] = q->x[block * HELD_BLOCK + k * 4 + i];
}
#endif
/* Masks, no index: one index that is not constant would keep the whole stage in memory, and compilers turn a choice of
 * two members into one. */
#define EITHER(j, odd, even) ((-((j)&1) & (odd)) | (~-((j)&1) & (even)))
OP void stream_load(tile *t, int s, int j, tensor *x, int r0) {
    stream *y = &t->s[s];
    y->x = x->x;
    y->pack = x->pack;
    y->row = x->row;
    y->last = x->rows - 1;
    y->odd = EITHER(j, r0, y->odd);
    y->even = EITHER(j, y->even, r0);
    y->odd_head = EITHER(j, x->ahead, y->odd_head);
    y->even_head = EITHER(j, y->even_head, x->ahead);
    y->wished = j;
}
#define stream_wait(tp, s, j)
#define stream_release(tp, s, j)

#define SLOT(t, s) ((t)->mem + (s) * (BN * PITCH))
OP void slot_fill(tile *t, int s, int j) {
    stream *y = &t->s[s];
    rows_fill(t, SLOT(t, s), y->x + EITHER(j, y->odd_head, y->even_head) * y->pack, y->row, EITHER(j, y->odd, y->even),
        y->last, BN, y->width, y->columns);
    y->here = j;
    y->left = y->reads;
}
/* Before a product reads tile j of stream s; again: as another one of this step has. */
OP void slot_ready(tile *t, int s, int j, const int again) {
    if (!again) {
        if (t->s[s].here < j) {
            GROUP_BARRIER(&t->w);
            slot_fill(t, s, j);
        }
        copies_wait(&t->w);
    }
    GROUP_BARRIER(&t->w);
    UNROLL
    for (int o = 0; o < STREAMS_MOST; o++)
        if (o != s && t->s[o].left == 0 && t->s[o].here < t->s[o].wished) slot_fill(t, o, t->s[o].here + 1);
    t->s[s].left--;
}
OP void mma_abt(tile *t, acc_pair *out, held *q, int s, int j) {
    const int l = t->w.lane;
    const local_at b = SLOT(t, s) + (l / 16 * 8 + l % 8) * PITCH + l / 8 % 2 * 16;
    slot_ready(t, s, j, 0);
    EACH_PAIR(i) out->x[i] = 0.0f;
    UNROLL
    for (int k = 0; k < DK16 / TERMS; k++) {
        uint a[BLOCKS * 4];
        UNROLL
        for (int m = 0; m < BLOCKS; m++) held_operand(t, a + m * 4, q, m, k);
        UNROLL
        for (int n = 0; n < BN / 16; n++) {
            uint f[4];
            matrices(&t->w, f, b + n * 16 * PITCH + k * 32);
            UNROLL
            for (int m = 0; m < BLOCKS; m++) {
                mma(&t->w, out->x + m * PAIR_BLOCK + n * 8, a + m * 4, f);
                mma(&t->w, out->x + m * PAIR_BLOCK + n * 8 + 4, a + m * 4, f + 2);
            }
        }
    }
}
/* Rows of the slot whose byte is 0 become zeros; all warps have waited for the slot. */
OP void slot_hide(tile *t, int s, const __global uchar *bytes, int n) {
    for (int r = (int)t->item; r < BN; r += ITEMS)
        if (is_hidden(bytes, n, r))
            for (int c = 0; c < PITCH; c += 16) put16(&t->w, SLOT(t, s) + r * PITCH + c, (uint4)(0));
    GROUP_BARRIER(&t->w);
}
#define mma_ab_seen(t, out, p, s, j, bytes, n) ab_seen(t, out, p, s, j, bytes, n, FIRST_READ(s) == FRONT)
OP void ab_seen(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n, const int again) {
    slot_ready(t, s, j, again);
    if (bytes) slot_hide(t, s, bytes, n);
    UNROLL
    for (int k = 0; k < BN / TERMS; k++) UNROLL
    for (int n = 0; n < DV16 / 16; n++) {
        uint f[4];
        matrices_turned(&t->w, f, SLOT(t, s) + k * TERMS * PITCH + n * 16 * (int)sizeof(elem), PITCH);
        UNROLL
        for (int m = 0; m < BLOCKS; m++) {
            mma(&t->w, out->x + m * HEAD_BLOCK + n * 8, p->x + (m * (BN / TERMS) + k) * 4, f);
            mma(&t->w, out->x + m * HEAD_BLOCK + n * 8 + 4, p->x + (m * (BN / TERMS) + k) * 4, f + 2);
        }
    }
}

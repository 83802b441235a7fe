/* tile_ref: any device. Plain loops, one work-item a group, any BM, BN, DK, DV; the oracle of the other tiles. It
 * copies what they alias, so every schedule without roles is legal on it. Nothing past an end is read: such rows and
 * columns count as zeros. */
#define UNROLL
typedef float VF;
typedef int VI;
typedef stored gptr;
typedef struct {
    gptr x;
    long row, pack; /* bytes */
    int rows;
} tensor;
typedef struct {
    __global out_elem *x;
    long row, pack;
    int rows;
} tensor_out;
typedef struct {
    float x[BM];
} row, parts;
typedef struct {
    float x[BM * BN];
} acc_pair, op_pair;
typedef struct {
    float x[BM * DV];
} acc_head;
typedef struct {
    float x[BM * DK];
} held;
typedef struct {
    tensor tile[4][2];
} tile; /* a tile: its first row, how many rows are left */
#define TILE_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define TILE_BEGIN(tp)
#define TENSOR(name) BUFFER(const uchar, name)
#undef TENSOR_IN
#define TENSOR_IN(name) BUFFER_IN(const uchar, name)
#define TENSOR_AT(name) STORED_AT(name)
#define ROW_LEN BM
#define EACH_ROW(r) for (int r = 0; r < BM; r++)
#define EACH_PART(k) EACH_ROW(k)
#define EACH_PAIR(i) for (int i = 0; i < BM * BN; i++)
#define ROW_OF(i) ((i) / BN)
#define PART_OF(i) ROW_OF(i)
#define ROW_NUMBER(t, r) (r)
#define COL_BASE(t) 0
#define COL_STEP(i) ((i) % BN)
#define held_at(tp, q, index)
#define mma_commit()
#define mma_wait(t, n)
OP float vmax(float a, float b) { return fmax(a, b); }
OP float vabs(float a) { return fabs(a); }
OP float vlog(float a) { return log(a); }
OP float vexp2(float a) { return exp2(a); }
OP float vtanh(float x) { return tanh(x); }
#define TO_VF(x) ((float)(x))
OP float pick(int choose, float yes, float no) { return choose ? yes : no; }
OP int any_lane(int choose) { return choose; }
OP float gather(const __global float *p, int r, long pitch, int c) { return p[r * pitch + c]; }
OP int gather_byte(const __global uchar *p, int r, long pitch, int c) { return p[r * pitch + c]; }
#define at_column(t, p, i, n) ((p)[min(COL_AT(t, i), (n)-1)])
OP int gather_int(const __global int *p, int r, long pitch, int c) { return p[r * pitch + c]; }
PAIR_SCALE_ADD_BY_GATHER
PAIR_LEAVE_BY_ELEMENT
OP float row_once(tile *t, float x) { return x; }
OP void fold_max(tile *t, row *r, parts *p) {
    EACH_ROW(i) r->x[i] = fmax(r->x[i], p->x[i]);
}
OP void fold_sum(row *r, parts *p) {
    EACH_ROW(i) r->x[i] += p->x[i];
}
OP void row_join_sum(tile *t, row *r) {}

#define PACKED_AT(view, r) ((r) / PACK * (view)->row + (r) % PACK * (view)->pack)
OP tensor tensor_view(const int storage, gptr x, const strides *s, int batch, int head, int first, int rows) {
    const long size = STORED_SIZE(storage);
    const tensor y = {
        x + (batch * s->batch + head * s->head + first * s->row) * size, s->row * size, s->head * size, rows};
    return y;
}
OP tensor_out out_view(__global out_elem *x, const strides *s, int batch, int head, int first, int rows) {
    const tensor_out y = {x + batch * s->batch + head * s->head + first * s->row, s->row, s->head, rows};
    return y;
}
OP float tensor_at(const int storage, const tensor *x, int r, int d, const int width) {
    return r < x->rows && d < width ? stored_at(storage, x->x + r * x->row, d) : 0.0f;
}
OP void tensor_ahead(tensor *x, int heads) { x->x += heads * x->pack; }
OP void tensor_begin(tile *t, tensor *x) {}
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    for (int i = 0; i < BM * DK; i++) {
        const int r = r0 + i / DK;
        q->x[i] = r < x->rows && i % DK < width ? stored_at(HELD_STORED, x->x + PACKED_AT(x, r), i % DK) : 0.0f;
    }
}
OP void held_wait(tile *t) {}
OP void stream_load(tile *t, int s, int j, tensor *x, int r0) {
    const tensor y = {x->x + r0 * x->row, x->row, 0, x->rows - r0};
    t->tile[s][j & 1] = y;
}
OP void stream_wait(tile *t, int s, int j) {}
OP void stream_release(tile *t, int s, int j) {}
#define mma_abt(t, out, q, s, j) abt_of(t, out, q, s, j, COLUMNS(s))
OP void abt_of(tile *t, acc_pair *out, held *q, int s, int j, const int width) {
    const tensor *b = &t->tile[s][j & 1];
    EACH_PAIR(i) {
        float a = 0.0f;
        for (int d = 0; d < DK; d++) a = fma(q->x[i / BN * DK + d], tensor_at(STORED(s), b, i % BN, d, width), a);
        out->x[i] = a;
    }
}
#define mma_ab_seen(t, out, p, s, j, bytes, n) ab_of(t, out, p, s, j, bytes, n, COLUMNS(s))
OP void ab_of(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n, const int width) {
    const tensor *b = &t->tile[s][j & 1];
    for (int i = 0; i < BM * DV; i++) {
        float a = out->x[i];
        for (int k = 0; k < BN; k++)
            a = fma(
                p->x[i / DV * BN + k], is_hidden(bytes, n, k) ? 0.0f : tensor_at(STORED(s), b, k, i % DV, width), a);
        out->x[i] = a;
    }
}
OP void convert(op_pair *p, acc_pair *s) {
    EACH_PAIR(i) p->x[i] = s->x[i];
}
OP void row_scale(acc_head *o, row *f) {
    for (int i = 0; i < BM * DV; i++) o->x[i] *= f->x[i / DV];
}
OP void acc_zero(acc_head *o) {
    for (int i = 0; i < BM * DV; i++) o->x[i] = 0.0f;
}
OP void acc_store(tile *t, tensor_out *y, int r0, acc_head *o, const int width) {
    for (int i = 0; i < BM * DV; i++) {
        const int r = r0 + i / DV;
        if (r < y->rows && i % DV < width) out_put(y->x + PACKED_AT(y, r), i % DV, o->x[i]);
    }
}
OP void acc_add(tile *t, acc_head *o, row *f, const __global out_elem *y, long step, long pack, int rows) {
    for (int i = 0; i < BM * DV; i++) {
        const int r = i / DV;
        if (r < rows) o->x[i] = fma(f->x[r], out_at(y, r / PACK * step + r % PACK * pack + i % DV), o->x[i]);
    }
}
OP void row_load(tile *t, row *r, const __global float *y, long step, long pack, int rows) {
    EACH_ROW(i) {
        const int at = min(i, rows - 1);
        r->x[i] = y[at / PACK * step + at % PACK * pack];
    }
}
OP void row_store(tile *t, __global float *y, long step, long pack, int rows, row *r) {
    EACH_ROW(i)
        if (i < rows) y[i / PACK * step + i % PACK * pack] = r->x[i];
}
/* A group that does all blocks of a head. */
typedef struct {
    op_pair *pair;
    held *rows;
    int n;
} acc_share;
OP void mma_gather(tile *t, acc_share *out, op_pair *p, held *q, int rows) {
    out->pair = p;
    out->rows = q;
    out->n = rows;
}
OP void acc_leave(tile *t, acc_share *x, __global float *y, long pitch, int n) {
    for (int i = 0; i < n * DK; i++) {
        float a = y[i / DK * pitch + i % DK];
        for (int k = 0; k < x->n; k++) a = fma(x->pair->x[k * BN + i / DK], x->rows->x[k * DK + i % DK], a);
        y[i / DK * pitch + i % DK] = a;
    }
}
OP void held_hide(tile *t, held *q, const __global uchar *bytes, int n) {
    for (int i = 0; i < BM * DK; i++)
        if (is_hidden(bytes, n, i / DK)) q->x[i] = 0.0f;
}

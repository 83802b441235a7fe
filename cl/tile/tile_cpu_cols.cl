/* tile_cpu_cols: CPUs, for stages whose rows stream past a state. One work-item a group; lanes are columns: keys of a
 * pair, value columns of a head or state; rows are scalar broadcasts. Only K is transposed, 16 x 16 in registers.
 * A tile of rows is read in place at its tensor's row stride; where it runs past the end, or storage is narrow, or the
 * width is no multiple of 16, a copy with zeroed rows and columns is read instead. BM = BN, 16 or a multiple of 32. DK
 * is only a loop length; DV is rounded up to 16. */
#define SLOTS 3 /* streams a stage may have */
#define UNIT 16 /* widths are rounded up to it */
#include "tile/cpu_words.cl"
#define PV (BN / 16) /* vectors in a row of a pair, of a head */
#define HV ((DV + 15) / 16)
#define DK16 ROUND(DK, 16)
#ifndef DEEP
#define DEEP _Pragma("unroll 4")
#endif
#if BM != BN || (BN != 16 && BN % 32)
#error tile_cpu_cols wants BM = BN, 16 or a multiple of 32
#endif
typedef struct {
    float x[BM];
} row;
typedef struct {
    VF x[PV];
} col;
typedef struct {
    VF x[BM * PV];
} acc_pair;
typedef struct {
    const float *x;
} op_pair;
/* lives in registers, and then where it is stored */
typedef struct {
    __global out_elem *x;
    long row;
    int rows;
} acc_head;
typedef struct {
    VF x[DK16 * HV];
    float keep;
} acc_state;
typedef struct {
    rows_in x;
    long step;
} held;
typedef struct {
    float x[BN * DK16] __attribute__((aligned(64)));
} op_keys;
#define EACH_ROW(r) ROLLED for (int r = 0; r < BM; r++)
#define EACH_PAIR(i)                                                                                                   \
    for (int i##_r = 0; i##_r < BM; i##_r++) UNROLL                                                                    \
    for (int i = i##_r * PV; i < i##_r * PV + PV; i++)
/* of the columns that row i needs */
#define FIRST_SEEN(i) (REVERSED ? (i) : 0)
#define LAST_SEEN(i) (REVERSED ? BN - 1 : (i))
#define EACH_LOWER(i)                                                                                                  \
    ROLLED for (int i##_r = 0; i##_r < BM; i##_r++)                                                                    \
        ROLLED for (int i = i##_r * PV + FIRST_SEEN(i##_r) / 16; i <= i##_r * PV + LAST_SEEN(i##_r) / 16; i++)
#define ROW_OF(i) i##_r
#define KEY_OF(i) (i - i##_r * PV)
#define ROW_NUMBER(t, r) ((VI)(r))
#define COL_BASE(t) LANES
#define COL_STEP(i) ((VI)((i - i##_r * PV) * 16))
#define EACH_KEY(i) for (int i = 0; i < PV; i++)
#define KEY_AT(t, i) (LANES + i * 16)
#define PAIRS_STAY 1

/* The one micro-kernel, R rows x C vectors in registers: a[r][v] += A(row r, k) * B(k, vector v). */
#define REGISTERS(R, C)                                                                                                \
    VF a[R][C];                                                                                                        \
    UNROLL                                                                                                             \
    for (int r = 0; r < R; r++) UNROLL                                                                                 \
    for (int v = 0; v < C; v++) a[r][v] = 0.0f;
#define PRODUCT(R, C, len_, A, B)                                                                                      \
    DEEP for (int k = 0; k < (len_); k++) {                                                                            \
        VF b[C];                                                                                                       \
        UNROLL                                                                                                         \
        for (int v = 0; v < C; v++) b[v] = B;                                                                          \
        UNROLL                                                                                                         \
        for (int r = 0; r < R; r++) {                                                                                  \
            const VF s_ = (VF)(A);                                                                                     \
            UNROLL                                                                                                     \
            for (int v = 0; v < C; v++) a[r][v] = fma(s_, b[v], a[r][v]);                                              \
        }                                                                                                              \
    }
#define RESULTS(R, C, STATEMENT)                                                                                       \
    UNROLL                                                                                                             \
    for (int r = 0; r < R; r++) UNROLL                                                                                 \
    for (int v = 0; v < C; v++) { STATEMENT; }
/* All vectors of a head, in blocks of registers: fewer vectors take more rows. */
#if NATIVE < 16
#define EACH_HEAD_BLOCK(BLOCK)                                                                                         \
    ROLLED for (int c0 = 0; c0 < HV; c0++) { BLOCK(4, 1) }
#elif HV % 4 == 1
#define HEAD_REST(BLOCK)                                                                                               \
    {                                                                                                                  \
        const int c0 = HV - 1;                                                                                         \
        BLOCK(16, 1)                                                                                                   \
    }
#elif HV % 4 == 2
#define HEAD_REST(BLOCK)                                                                                               \
    {                                                                                                                  \
        const int c0 = HV - 2;                                                                                         \
        BLOCK(8, 2)                                                                                                    \
    }
#elif HV % 4 == 3
#define HEAD_REST(BLOCK)                                                                                               \
    {                                                                                                                  \
        const int c0 = HV - 3;                                                                                         \
        BLOCK(4, 3)                                                                                                    \
    }
#else
#define HEAD_REST(BLOCK)
#endif
#if NATIVE >= 16
#define EACH_HEAD_BLOCK(BLOCK) ROLLED for (int c0 = 0; c0 + 4 <= HV; c0 += 4){BLOCK(4, 4)} HEAD_REST(BLOCK)
#endif

OP void rows_load(tile *t, held *q, int s, int j) {
    q->x = t->ready[s];
    q->step = t->step[s];
}
OP void mma_abt_lower(tile *t, acc_pair *out, held *q, int s, int j) {
    const rows_in y = t->ready[s], x = q->x;
    const long y_step = t->step[s], x_step = q->step;
    VF m[DK16 * PV]; /* the tile, transposed */
    VF *z = out->x;
    ROLLED for (int d = 0; d < DK; d += 16) ROLLED for (int c = 0; c < PV; c++) {
        VF r[16];
        UNROLL
        for (int i = 0; i < 16; i++) r[i] = vload16(0, y + (c * 16 + i) * y_step + d);
        transpose16(r);
        UNROLL
        for (int i = 0; i < 16; i++) m[(d + i) * PV + c] = r[i];
    }
#define SCORES_OF(R, C)                                                                                                \
    ROLLED for (int i = i0; i < i0 + 16; i += R){REGISTERS(R, C) PRODUCT(                                              \
        R, C, DK, x[(i + r) * x_step + k], m[k * PV + c0 + v]) RESULTS(R, C, z[(i + r) * PV + c0 + v] = a[r][v])}
    ROLLED for (int i0 = 0; i0 < BM; i0 += 16) { /* 16 rows see the vectors up to their own, or from it on */
#if NATIVE < 16
        ROLLED for (int c0 = FIRST_SEEN(i0) / 16; c0 <= LAST_SEEN(i0) / 16; c0++) { SCORES_OF(4, 1) }
#elif PV == 1
        const int c0 = 0;
        SCORES_OF(16, 1)
#else
        ROLLED for (int c0 = FIRST_SEEN(i0) / 32 * 2; c0 <= LAST_SEEN(i0) / 16; c0 += 2) { SCORES_OF(8, 2) }
#endif
    }
}
OP void acc_bind(acc_head *o, tensor_out *y, int r0) {
    o->x = y->x + r0 * y->row;
    o->row = y->row;
    o->rows = y->rows - r0;
}
/* A block of registers leaves: at once where all of it exists, else row by row. */
OP void block_put(acc_head *o, int r0, int c0, const VF *x, const int rows, const int vectors) {
    const int left = min(rows, o->rows - r0);
    ROLLED for (int r = 0; r < left; r++) ROLLED for (int v = 0; v < vectors; v++) {
        __global out_elem *p = o->x + (r0 + r) * o->row + (c0 + v) * 16;
        if (DV % 16 == 0 || c0 + v < HV - 1) {
            put16(p, x[r * vectors + v]);
        } else {
            const float *y = (const float *)(x + r * vectors + v);
            ROLLED for (int i = 0; i < DV % 16; i++) out_put(p, i, y[i]);
        }
    }
}
#define LEAVES(R, C, VALUE)                                                                                            \
    if (DV % 16 == 0 && OUT == 0 && i + R <= out->rows) {                                                              \
        RESULTS(R, C, put16(out->x + (i + r) * out->row + (c0 + v) * 16, VALUE))                                       \
    } else {                                                                                                           \
        VF kept[R * C];                                                                                                \
        RESULTS(R, C, kept[r * C + v] = VALUE)                                                                         \
        block_put(out, i, c0, kept, R, C);                                                                             \
    }
OP void mma_state_ab_lower(tile *t, acc_head *out, held *q, acc_state *st, row *f, op_pair *p, int s, int j) {
    const rows_in w = t->ready[s], x = q->x;
    const long w_step = t->step[s], x_step = q->step;
    const float *z = p->x;
    const VF *m = st->x;
#define OUTPUT_OF(R, C)                                                                                                \
    ROLLED for (int i = 0; i < BM; i += R){REGISTERS(R, C) PRODUCT(R, C, DK, x[(i + r) * x_step + k],                  \
        m[k * HV + c0 + v]) RESULTS(R, C, a[r][v] *= f->x[i + r]) PRODUCT(R, C, REVERSED ? BN - i : i + R,             \
        z[(i + r) * BN + FIRST_SEEN(i) + k], vload16(c0 + v, w + (FIRST_SEEN(i) + k) * w_step)) LEAVES(R, C, a[r][v])}
    EACH_HEAD_BLOCK(OUTPUT_OF)
}
OP void mma_state(tile *t, acc_head *out, held *q, acc_state *st, row *f) {
    const rows_in x = q->x;
    const long x_step = q->step;
    const VF *m = st->x;
#define APPLIED_OF(R, C)                                                                                               \
    ROLLED for (int i = 0; i < BM; i += R){REGISTERS(R, C)                                                             \
            PRODUCT(R, C, DK, x[(i + r) * x_step + k], m[k * HV + c0 + v]) LEAVES(R, C, a[r][v] * f->x[i + r])}
    EACH_HEAD_BLOCK(APPLIED_OF)
}
OP void acc_store(tile *t, tensor_out *y, int r0, acc_head *o, const int width) {} /* the products stored it */
OP void keys_load(tile *t, op_keys *a, int s, int j, col *f) {
    const rows_in y = t->ready[s];
    const long step = t->step[s];
    const float *weight = (const float *)f->x;
    for (int i = 0; i < BN; i++) UNROLL
    for (int d = 0; d < DK; d += 16) vstore16(vload16(0, y + i * step + d) * weight[i], 0, a->x + i * DK16 + d);
}
OP void state_scale(acc_state *st, float keep) { st->keep *= keep; }
/* The next tiles of a stage's streams, fetched by the parts of a product: a few lines at a time, since many at once
 * would wait for each other. A processor's own prefetch begins anew in every page; 16 rows of 64 floats are one, and
 * chunk after chunk waited. */
#define FEW_LINES 8
OP void fetch_part(tile *t, int j, const int streams, const uint part, const uint parts) {
#if PREFETCH
    UNROLL
    for (int s = 0; s < streams; s++) {
        const gptr next = t->tile[s][(j + 1) & 1];
        /* no sign: its divisions were a tenth of a chunk's time */
        const uint a_row = (WIDEST * STORED_SIZE(STORED(s)) + 63) / 64;
        const uint some = min((BN * a_row + parts - 1) / parts, (uint)FEW_LINES); /* few parts: not all of them */
        UNROLL
        for (uint i = 0; i < some; i++) {
            const uint line = part * some + i;
            __builtin_prefetch((const void *)(ulong)(next + line / a_row * t->pitch[s] + line % a_row * 64), 0, 3);
        }
    }
#endif
}
#define mma_atb(t, st, keys, s, j) atb_of(t, st, keys, s, j, STREAMS)
OP void atb_of(tile *t, acc_state *st, op_keys *keys, int s, int j, const int streams) {
    const float *x = keys->x, keep = st->keep;
    const rows_in w = t->ready[s];
    const long step = t->step[s];
    VF *y = st->x;
#define STATE_OF(R, C)                                                                                                 \
    ROLLED for (int i = 0; i < DK; i += R) {                                                                           \
        REGISTERS(R, C)                                                                                                \
        RESULTS(R, C, a[r][v] = y[(i + r) * HV + c0 + v] * (VF)(keep))                                                 \
        PRODUCT(R, C, BN, x[k * DK16 + i + r], vload16(c0 + v, w + k * step))                                          \
        RESULTS(R, C, y[(i + r) * HV + c0 + v] = a[r][v])                                                              \
        fetch_part(t, j, streams, (c0 * DK / C + i) / R, (HV * DK + C * R - 1) / (C * R));                             \
    }
    EACH_HEAD_BLOCK(STATE_OF)
    st->keep = 1.0f;
}
OP void convert(op_pair *p, acc_pair *s) { p->x = (const float *)s->x; } /* in place: serial schedule only */
OP void state_publish(tile *t, acc_state *st) {}
OP void state_load(tile *t, acc_state *st, const __global float *p, long pitch) {
    st->keep = 1.0f;
    for (int i = 0; i < DK16 * HV; i++) st->x[i] = (VF)(0.0f);
    if (!p) return;
    for (int i = 0; i < DK; i++) {
        for (int c = 0; c < DV / 16; c++) st->x[i * HV + c] = vload16(c, p + i * pitch);
        for (int d = DV / 16 * 16; d < DV; d++) ((float *)st->x)[i * HV * 16 + d] = p[i * pitch + d];
    }
}
OP void state_store(tile *t, __global float *p, long pitch, acc_state *st) {
    for (int i = 0; i < DK; i++) {
        for (int c = 0; c < DV / 16; c++) vstore16(st->x[i * HV + c] * st->keep, c, p + i * pitch);
        for (int d = DV / 16 * 16; d < DV; d++) p[i * pitch + d] = ((float *)st->x)[i * HV * 16 + d] * st->keep;
    }
}
OP void float_store(tile *t, __global float *p, float x) { *p = x; }
OP void col_sum(tile *t, col *whole, col *part, const __global float *p, int n) {
    float *w = (float *)whole->x, *f = (float *)part->x, above = 0.0f, below = 0.0f;
    for (int k = 0; k < BN; k++) {
        if (k < n) {
            const float sum = below + max(p[k] * LOG2E, -150.0f), near = rint(sum);
            above += near;
            below = sum - near;
        }
        w[k] = above;
        f[k] = below;
    }
}
OP float col_last(tile *t, col *c) { return c->x[PV - 1].sf; }
OP void row_of_col(tile *t, row *r, col *c) {
    for (int i = 0; i < PV; i++) vstore16(c->x[i], i, r->x);
}

/* tile_cpu: CPUs. One work-item a group; lanes are query rows; everything is held transposed: x[column * ROW_LEN + r],
 * r counting vectors of 16 rows. S^T = K Q^T and O^T += V^T P^T are one micro-kernel: rows of K or columns of V as
 * scalar broadcasts against vectors of 16 query rows. A tile of keys is read in place at its tensor's row stride; where
 * a block runs past the end, or storage is narrow, or the width is no multiple of 4, a copy with zeroed rows is read
 * instead. BM: a multiple of 16; BN: of 4. DK is only a loop length, DV is rounded up to 4. */
#define OPERAND VF
#define MULTIPLY_ADD(sum, a, b) sum = fma(a, b, sum)
#include "tile/cpu_rows.cl"
#ifndef GATHER
#define GATHER 0
#endif
#define DKV ((DK + 15) / 16)
typedef struct {
    VF x[DK * ROW_LEN];
#if GATHER
    VF rows[BM * DKV]; /* the same, not turned */
#endif
} held;
typedef struct {
    const VF *x;
} op_pair;
OP void mma_abt(tile *t, acc_pair *out, held *q, int s, int j) { /* out = q . tile^T */
    const rows_in x = t->ready[s];
    const long pitch = t->step[s];
    const VF *m = q->x;
    VF *y = out->x;
/* the next tile of this stream, and the tile the product after this one reads */
#if PREFETCH
    gptr next = t->tile[s][(j + 1) & 1], other = t->tile[(s + 1) % SLOTS][j & 1];
    const long next_pitch = t->pitch[s], other_pitch = t->pitch[(s + 1) % SLOTS];
#define AHEAD                                                                                                          \
    fetch_rows(STORED(s), next, next_pitch, i, MR_FOR(BN), DK);                                                        \
    fetch_rows(STORED((s + 1) % SLOTS), other, other_pitch, i, MR_FOR(BN), DV)
#else
#define AHEAD
#endif
    MICRO(MR_FOR(BN), BN, DK, 0.0f, x[(i + r) * pitch + k], y[(i + r) * ROW_LEN + c0 + v], AHEAD)
}
/* after the pending row scale */
#define mma_ab_seen(t, out, p, s, j, bytes, n) ab_of(t, out, p, s, j, bytes, n, COLUMNS(s))
OP void ab_of(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n, const int width) {
    if (any_hidden(bytes, n)) copy_rows(t, s, j, width, DV4, bytes, n);
    const rows_in x = t->ready[s];
    const long pitch = t->step[s];
    const VF *m = p->x;
    VF *y = out->x;
    MICRO(MR_FOR(DV4), DV4, BN, y[(i + r) * ROW_LEN + c0 + v] * out->pending.x[c0 + v], x[k * pitch + i + r],
        y[(i + r) * ROW_LEN + c0 + v], )
    EACH_ROW(r) out->pending.x[r] = 1.0f;
}
OP void convert(op_pair *p, acc_pair *s) { p->x = s->x; } /* in place: serial schedule only */
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    for (int c = 0; c < ROW_LEN; c++) {
        gptr p[16];
        sixteen_rows(p, x, r0 + c * 16);
        int d = 0;
#if GATHER
        for (int i = 0; i < 16 * DKV; i++) q->rows[c * 16 * DKV + i] = (VF)(0.0f);
#endif
        for (; d + 16 <= width; d += 16) {
            VF r[16];
            UNROLL
            for (int i = 0; i < 16; i++) r[i] = wide(HELD_STORED, p[i], d);
#if GATHER
            UNROLL
            for (int i = 0; i < 16; i++) q->rows[(c * 16 + i) * DKV + d / 16] = r[i];
#endif
            transpose16(r);
            UNROLL
            for (int i = 0; i < 16; i++) q->x[(d + i) * ROW_LEN + c] = r[i];
        }
        for (; d < width; d++)
            for (int i = 0; i < 16; i++) {
                const float x = stored_at(HELD_STORED, p[i], d);
                ((float *)q->x)[(d * ROW_LEN + c) * 16 + i] = x;
#if GATHER
                ((float *)q->rows)[(c * 16 + i) * 16 * DKV + d] = x;
#endif
            }
        for (; d < DK; d++) q->x[d * ROW_LEN + c] = 0.0f;
    }
}

#if GATHER
/* What acc_leave multiplies: lanes are columns of the held rows. */
typedef struct {
    const float *pair;
    const VF *rows;
    int n;
} acc_share;
OP void mma_gather(tile *t, acc_share *out, op_pair *p, held *q, int rows) {
    out->pair = (const float *)p->x;
    out->rows = q->rows;
    out->n = rows;
}
#define GATHER_C (NATIVE < 16 ? 1 : 4)
OP void gather_block(acc_share *x, __global float *y, long pitch, int i, int n, const int c0, const int vectors) {
    VF a[4][4];
    UNROLL
    for (int r = 0; r < 4; r++) UNROLL
    for (int v = 0; v < vectors; v++) a[r][v] = i + r < n ? vload16(c0 + v, y + (i + r) * pitch) : (VF)(0.0f);
    _Pragma("unroll 4") for (int k = 0; k < x->n; k++) {
        UNROLL
        for (int r = 0; r < 4; r++) {
            const VF s_ = (VF)(x->pair[(i + r) * BM + k]);
            UNROLL
            for (int v = 0; v < vectors; v++) a[r][v] = fma(s_, x->rows[k * DKV + c0 + v], a[r][v]);
        }
    }
    UNROLL
    for (int r = 0; r < 4; r++)
        if (i + r < n) UNROLL
    for (int v = 0; v < vectors; v++) vstore16(a[r][v], c0 + v, y + (i + r) * pitch);
}
OP void acc_leave(tile *t, acc_share *x, __global float *y, long pitch, int n) {
    for (int i = 0; i < n; i += 4) {
        int c = 0;
        for (; c + GATHER_C <= DKV; c += GATHER_C) gather_block(x, y, pitch, i, n, c, GATHER_C);
        for (; c < DKV; c++) gather_block(x, y, pitch, i, n, c, 1);
    }
}
OP void held_hide(tile *t, held *q, const __global uchar *bytes, int n) {
    for (int r = 0; r < BM; r++)
        for (int v = 0; v < DKV && is_hidden(bytes, n, r); v++) q->rows[r * DKV + v] = (VF)(0.0f);
}
#endif

/* tile_cpu_few: CPUs, for few query rows against many keys (decode). One work-item a group; lanes are head columns in
 * products of widths and keys in scores, so that a row alone fills a vector:  S[r][k] = sum over lanes of K[k] * Q[r],
 * sixteen keys at a time summed across by a tree; O[r] += P[r][k] V[k]. Every element of K and V is read once, where it
 * lies, and converted on the way.
 * BM: 1 to 16 rows; BN: a multiple of 16. Rows past the end repeat the last one, and their scores are masked. */
#define SLOTS 2
#define UNIT 16
#include "tile/cpu_words.cl"
#define ROW_LEN BM
#define PV (BN / 16)        /* vectors in a row of a pair */
#define KV ((DK + 15) / 16) /* of a key */
#define HV ((DV + 15) / 16) /* of a value */
#if BN % 16
#error tile_cpu_few wants BN a multiple of 16
#endif
typedef struct {
    VF x[BM];
} row, parts; /* a row's lanes are alike; those of its parts are not */
typedef struct {
    VF x[BM * PV];
} acc_pair;
typedef struct {
    VF x[BM * HV];
} acc_head;
typedef struct {
    VF x[BM * KV];
} held;
typedef struct {
    const float *x;
} op_pair;
#define EACH_ROW(r) for (int r = 0; r < BM; r++)
#define EACH_PAIR(i)                                                                                                   \
    for (int i##_r = 0; i##_r < BM; i##_r++) UNROLL                                                                    \
    for (int i = i##_r * PV; i < i##_r * PV + PV; i++)
#define ROW_OF(i) i##_r
#define EACH_PART(k) EACH_ROW(k)
#define PART_OF(i) i##_r
#define ROW_NUMBER(t, r) ((VI)(r))
#define COL_BASE(t) LANES
#define at_column(t, p, i, n) gather(p, (VI)(0), 0, min(COL_AT(t, i), (VI)((n)-1)))
#define COL_STEP(i) ((VI)((i - i##_r * PV) * 16))

PAIR_SCALE_ADD_BY_GATHER
OP float join_max(VF a) {
    float8 b = max(a.lo, a.hi);
    float4 c = max(b.lo, b.hi);
    float2 d = max(c.lo, c.hi);
    return max(d.x, d.y);
}
OP float join_sum(VF a) {
    float8 b = a.lo + a.hi;
    float4 c = b.lo + b.hi;
    float2 d = c.lo + c.hi;
    return d.x + d.y;
}
OP float row_once(tile *t, float x) { return x; }
OP void fold_max(tile *t, row *r, parts *p) {
    EACH_ROW(i) r->x[i] = vmax(r->x[i], (VF)(join_max(p->x[i])));
}
OP void fold_sum(row *r, parts *p) {
    EACH_ROW(i) r->x[i] += (VF)(join_sum(p->x[i]));
}
OP void row_join_sum(tile *t, row *r) {}

#define held_at(tp, q, index)
OP void held_wait(tile *t) {}
#define stream_wait(tp, s, j)
/* Sixteen elements of a row of `width`; those past it are 0. */
OP VF wide_at(const int storage, gptr p, int d, const int width) {
    if (d + 16 <= width) return wide(storage, p, d);
    VF x = (VF)(0.0f);
    for (int i = 0; d + i < width; i++) ((float *)&x)[i] = stored_at(storage, p, d + i);
    return x;
}
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    for (int r = 0; r < BM; r++) {
        const int at = min(r0 + r, x->rows - 1);
        gptr p = x->x + PACKED_AT(x, at);
        for (int v = 0; v < KV; v++) q->x[r * KV + v] = wide_at(HELD_STORED, p, v * 16, width);
    }
}
/* Row k of tile j of stream s. */
OP gptr stream_row(tile *t, int s, int j, int k) {
    return t->tile[s][j & 1] + min(k, t->left[s][j & 1] - 1) * t->pitch[s];
}
/* The sums of sixteen vectors, one a lane. */
OP VF sums16(const VF *x) {
    VF y[8];
    UNROLL
    for (int i = 0; i < 8; i++) y[i] = (VF)(x[2 * i].even, x[2 * i + 1].even) + (VF)(x[2 * i].odd, x[2 * i + 1].odd);
    UNROLL
    for (int n = 4; n > 0; n /= 2) UNROLL
    for (int i = 0; i < n; i++) y[i] = (VF)(y[2 * i].even, y[2 * i + 1].even) + (VF)(y[2 * i].odd, y[2 * i + 1].odd);
    return y[0];
}
OP void mma_abt(tile *t, acc_pair *out, held *q, int s, int j) { /* out = q . tile^T */
    for (int c = 0; c < PV; c++) {
        VF x[BM * 16];
        _Pragma("unroll 2") for (int k = 0; k < 16; k++) {
            gptr p = stream_row(t, s, j, c * 16 + k);
            VF a[BM];
            UNROLL
            for (int r = 0; r < BM; r++) a[r] = 0.0f;
            UNROLL
            for (int v = 0; v < KV; v++) {
                const VF key = wide_at(STORED(s), p, v * 16, DK);
                UNROLL
                for (int r = 0; r < BM; r++) a[r] = fma(key, q->x[r * KV + v], a[r]);
            }
            UNROLL
            for (int r = 0; r < BM; r++) x[r * 16 + k] = a[r];
        }
        for (int r = 0; r < BM; r++) out->x[r * PV + c] = sums16(x + r * 16);
    }
}
/* Blocks of R rows x C vectors stay in registers over all keys of the tile. */
#define FEW_R (BM <= 4 ? BM : BM % 4 == 0 ? 4 : BM % 3 == 0 ? 3 : BM % 2 == 0 ? 2 : 1)
#define FEW_C (FEW_R >= 3 ? 4 : 8)
OP void mma_ab_seen(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n) {
    for (int r0 = 0; r0 < BM; r0 += FEW_R)
        for (int c0 = 0; c0 < HV; c0 += FEW_C) {
            VF a[FEW_R][FEW_C];
            UNROLL
            for (int r = 0; r < FEW_R; r++) UNROLL
            for (int v = 0; v < FEW_C; v++)
                if (c0 + v < HV) a[r][v] = out->x[(r0 + r) * HV + c0 + v];
            _Pragma("unroll 2") for (int k = 0; k < BN; k++) {
                gptr y = stream_row(t, s, j, k);
                if (is_hidden(bytes, n, k)) continue;
                UNROLL
                for (int v = 0; v < FEW_C; v++)
                    if (c0 + v < HV) {
                        const VF value = wide_at(STORED(s), y, (c0 + v) * 16, DV);
                        UNROLL
                        for (int r = 0; r < FEW_R; r++) a[r][v] = fma((VF)(p->x[(r0 + r) * BN + k]), value, a[r][v]);
                    }
            }
            UNROLL
            for (int r = 0; r < FEW_R; r++) UNROLL
            for (int v = 0; v < FEW_C; v++)
                if (c0 + v < HV) out->x[(r0 + r) * HV + c0 + v] = a[r][v];
        }
}
OP void convert(op_pair *p, acc_pair *s) { p->x = (const float *)s->x; } /* in place: serial schedule only */
OP void row_scale(acc_head *o, row *f) {
    EACH_ROW(r)
        for (int v = 0; v < HV; v++) o->x[r * HV + v] *= f->x[r];
}
OP void acc_zero(acc_head *o) {
    for (int i = 0; i < BM * HV; i++) o->x[i] = 0.0f;
}
OP void acc_store(tile *t, tensor_out *y, int r0, acc_head *o, const int width) {
    for (int r = 0; r < min(BM, y->rows - r0); r++) {
        __global out_elem *p = y->x + PACKED_AT(y, r0 + r);
        for (int v = 0; v < width / 16; v++) put16(p + v * 16, o->x[r * HV + v]);
        for (int d = width / 16 * 16; d < width; d++) out_put(p, d, ((const float *)(o->x + r * HV))[d]);
    }
}
OP void acc_add(tile *t, acc_head *o, row *f, const __global out_elem *y, long step, long pack, int rows) {
    for (int r = 0; r < min(BM, rows); r++) {
        const __global out_elem *p = y + r / PACK * step + r % PACK * pack;
        for (int v = 0; v < DV / 16; v++) o->x[r * HV + v] = fma(f->x[r], get16(p + v * 16), o->x[r * HV + v]);
        for (int d = DV / 16 * 16; d < DV; d++) ((float *)(o->x + r * HV))[d] += f->x[r].s0 * out_at(p, d);
    }
}
OP void row_load(tile *t, row *r, const __global float *y, long step, long pack, int rows) {
    EACH_ROW(i) {
        const int at = min(i, rows - 1);
        r->x[i] = (VF)(y[at / PACK * step + at % PACK * pack]);
    }
}
OP void row_store(tile *t, __global float *y, long step, long pack, int rows, row *r) {
    for (int i = 0; i < min(BM, rows); i++) y[i / PACK * step + i % PACK * pack] = r->x[i].s0;
}

/* tile_cpu_dots: x86 CPUs with AVX512-BF16, bfloat16 storage. As tile_cpu, but an operand's lane holds two neighbours
 * of the summed dimension, and one instruction multiplies and adds both (vdpbf16ps, twice the rate of a float
 * multiply-add; sums are float). K is read as stored: two neighbours of a row are one word to spread. V is turned into
 * words of two keys, P rounded into them, once a tile. */
#define OPERAND VI
#define MULTIPLY_ADD(sum, a, b) __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a))
#include "tile/cpu_rows.cl"
#if STORE != 2
#error tile_cpu_dots reads bfloat16 only
#endif
#define PAIRS ((DK + 1) / 2) /* words of a key */
typedef struct {
    VI x[PAIRS * ROW_LEN];
} held;
typedef struct {
    VI x[BN / 2 * ROW_LEN];
} op_pair;
#define stream_wait(tp, s, j)
#define WORDS(p) ((const __global int *)(p)) /* the machine reads words at any address */
#define HALVES(p) ((const __global ushort *)(p))
OP int word_at(gptr p, int d, const int width) {
    return (int)HALVES(p)[d] | (d + 1 < width ? (int)HALVES(p)[d + 1] << 16 : 0);
}

OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    for (int c = 0; c < ROW_LEN; c++) {
        gptr p[16];
        sixteen_rows(p, x, r0 + c * 16);
        int d = 0;
        for (; 2 * d + 32 <= width; d += 16) {
            VF r[16];
            UNROLL
            for (int i = 0; i < 16; i++) r[i] = as_float16(vload16(0, WORDS(p[i]) + d));
            transpose16(r);
            UNROLL
            for (int i = 0; i < 16; i++) q->x[(d + i) * ROW_LEN + c] = as_int16(r[i]);
        }
        for (; d < PAIRS; d++)
            for (int i = 0; i < 16; i++) ((int *)q->x)[(d * ROW_LEN + c) * 16 + i] = word_at(p[i], 2 * d, width);
    }
}
/* Tile j of stream s as words: where it lies, or a copy with zeroed rows. */
OP const int *tile_words(tile *t, int s, int j, long *pitch) {
    gptr p = t->tile[s][j & 1];
    const int left = min(t->left[s][j & 1], BN);
    if (DK % 2 == 0 && t->pitch[s] % 4 == 0 && left == BN) {
        *pitch = t->pitch[s] / 4;
        return (const int *)(ulong)p;
    }
    int *y = (int *)t->copy[s];
    for (int r = 0; r < BN; r++)
        for (int d = 0; d < PAIRS; d++) y[r * PAIRS + d] = r < left ? word_at(p + r * t->pitch[s], 2 * d, DK) : 0;
    *pitch = PAIRS;
    return y;
}
OP void mma_abt(tile *t, acc_pair *out, held *q, int s, int j) { /* out = q . tile^T */
    long pitch;
    const int *x = tile_words(t, s, j, &pitch);
    const VI *m = q->x;
    VF *y = out->x;
    MICRO(MR_FOR(BN), BN, PAIRS, 0.0f, x[(i + r) * pitch + k], y[(i + r) * ROW_LEN + c0 + v], )
}
/* Words of two keys, a row of DV4 of them for each pair; rows past the end and hidden ones are 0. */
OP void turn_keys(tile *t, int *y, int s, int j, const __global uchar *bytes, int n) {
    const int left = t->left[s][j & 1];
    for (int k = 0; k < BN; k += 2) {
        gptr a = t->tile[s][j & 1] + k * t->pitch[s], b = a + t->pitch[s];
        const int first = k < left && !is_hidden(bytes, n, k), second = k + 1 < left && !is_hidden(bytes, n, k + 1);
        int d = 0;
        for (; d + 16 <= DV && first && second; d += 16) {
            const uint16 low = convert_uint16(vload16(0, HALVES(a) + d)),
                         high = convert_uint16(vload16(0, HALVES(b) + d));
            vstore16(as_int16(low | high << 16), 0, y + k / 2 * DV4 + d);
        }
        for (; d < DV4; d++)
            y[k / 2 * DV4 + d] =
                (d < DV && first ? (int)HALVES(a)[d] : 0) | (d < DV && second ? (int)HALVES(b)[d] << 16 : 0);
    }
}
/* after the pending row scale */
OP void mma_ab_seen(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n) {
    int x[BN / 2 * DV4] __attribute__((aligned(64)));
    const VI *m = p->x;
    VF *y = out->x;
    turn_keys(t, x, s, j, bytes, n);
    MICRO(MR_FOR(DV4), DV4, BN / 2, y[(i + r) * ROW_LEN + c0 + v] * out->pending.x[c0 + v], x[k * DV4 + i + r],
        y[(i + r) * ROW_LEN + c0 + v], )
    EACH_ROW(r) out->pending.x[r] = 1.0f;
}
/* To nearest; P is not negative, so half a unit added to the bits is enough. */
OP void convert(op_pair *p, acc_pair *s) {
    for (int k = 0; k < BN; k += 2) UNROLL
    for (int r = 0; r < ROW_LEN; r++) {
        const uint16 low = as_uint16(s->x[k * ROW_LEN + r]) + 0x8000u,
                     high = as_uint16(s->x[(k + 1) * ROW_LEN + r]) + 0x8000u;
        p->x[k / 2 * ROW_LEN + r] = as_int16(low >> 16 | (high & 0xffff0000u));
    }
}

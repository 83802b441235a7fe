/* What the CPU tiles share: vectors of sixteen floats, the exponential, storage conversions, transposes, streams that
 * are read in place. */
#include "tile/half16.cl"
#ifndef NATIVE
#define NATIVE 16 /* floats of a vector register; fewer: products keep fewer vectors in them */
#endif
typedef float16 VF;
typedef int16 VI;
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("nounroll") /* short code compiles fast */
#define LANES ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define ROUND(x, n) (((x) + (n)-1) / (n) * (n))
typedef stored gptr;
#ifndef IN_PLACE
#define IN_PLACE 1 /* 0: every tile is copied, for checkers that keep address spaces apart */
#endif
#ifndef PREFETCH
#define PREFETCH 1
#endif
typedef const float *rows_in; /* a tile where it lies or its copy: one address space on a CPU */
#define TILE_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define TILE_BEGIN(tp)
#define TENSOR(name) BUFFER(const uchar, name)
#undef TENSOR_IN
#define TENSOR_IN(name) BUFFER_IN(const uchar, name)
#define TENSOR_AT(name) STORED_AT(name)
#define mma_commit()
#define mma_wait(t, n)

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
OP VF vmax(VF a, VF b) { return max(a, b); } /* not fmax: no NaN rule to pay for */
OP VF vabs(VF a) { return fabs(a); }
OP VF vlog(VF a) { return log(a); }
/* 2^t: the integer part by a magic addition, the rest by a polynomial of degree 5 (relative error 7.5e-8); up to
 * 2^-125: exactly 0, since denormal probabilities would cost a microcode assist in every product that reads them, and
 * whatever bits came out before. */
OP VF vexp2(VF t) {
    const int16 kept = ~(t <= (VF)(-125.0f)); /* NaN stays */
    t = min(t, (VF)(128.0f));                 /* whose bits, 255 in the exponent, are infinity's */
    const VF z = t + 12582912.0f, f = t - (z - 12582912.0f);
    const int16 zi = as_int16(z);
    VF p = (VF)(1.3276471e-3f);
    p = fma(p, f, (VF)(9.6755413e-3f));
    p = fma(p, f, (VF)(5.5507133e-2f));
    p = fma(p, f, (VF)(2.4022120e-1f));
    p = fma(p, f, (VF)(6.9314697e-1f));
    p = fma(p, f, (VF)(1.0f));
    return as_float16((as_int16(p) + (zi << 23)) & kept);
}
#define TO_VF(x) convert_float16(x)
OP VF pick(VI choose, VF yes, VF no) { return choose != 0 ? yes : no; }
OP int any_lane(VI choose) { return any(choose); }
/* By the exponential, and below 0.625, where that cancels, by an odd polynomial (relative error 1e-7). */
OP VF vtanh(VF x) {
    const VF e = vexp2(min(x, (VF)(20.0f)) * 2.88539008f), z = x * x;
    VF p = (VF)(-5.70498872745e-3f);
    p = fma(p, z, (VF)(2.06390887954e-2f));
    p = fma(p, z, (VF)(-5.37397155531e-2f));
    p = fma(p, z, (VF)(1.33314422036e-1f));
    p = fma(p, z, (VF)(-3.33332819422e-1f));
    return z < (VF)(0.390625f) ? fma(p * z, x, x) : (VF)(1.0f) - (VF)(2.0f) / (e + 1.0f);
}
/* Sixteen elements p[r * pitch + c]; where r or c is alike in all lanes, the compiler sees it. */
#define EACH_LANE(G) G(0), G(1), G(2), G(3), G(4), G(5), G(6), G(7), G(8), G(9), G(a), G(b), G(c), G(d), G(e), G(f)
#define LANE(n) p[r.s##n * pitch + c.s##n]
OP VF gather(const __global float *p, VI r, long pitch, VI c) { return (VF)(EACH_LANE(LANE)); }
OP VI gather_byte(const __global uchar *p, VI r, long pitch, VI c) { return (VI)(EACH_LANE(LANE)); }
OP VI gather_int(const __global int *p, VI r, long pitch, VI c) { return (VI)(EACH_LANE(LANE)); }
#define PACKED_AT(view, r) (PACK == 1 ? (r) * (view)->row : (r) / PACK * (view)->row + (r) % PACK * (view)->pack)
OP tensor tensor_view(const int storage, gptr x, const strides *s, int batch, int head, int first, int rows) {
    const long size = STORED_SIZE(storage);
    return (tensor){
        x + (batch * s->batch + head * s->head + first * s->row) * size, s->row * size, s->head * size, rows};
}
OP tensor_out out_view(__global out_elem *x, const strides *s, int batch, int head, int first, int rows) {
    return (tensor_out){x + batch * s->batch + head * s->head + first * s->row, s->row, s->head, rows};
}
/* Sixteen elements of a row from element d on. */
OP VF wide(const int storage, gptr p, int d) {
    if (storage == 0) return vload16(0, (const __global float *)p + d);
    if (storage == 1) return half16_load((const __global half *)p + d);
    return as_float16(convert_uint16(vload16(0, (const __global ushort *)p + d)) << 16);
}
/* 16 x 16 transpose in registers */
OP void transpose16(VF *r) {
    VF t[16];
#define LO1(a, b)                                                                                                      \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc, a.sd, b.sd)
#define HI1(a, b)                                                                                                      \
    (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se, a.sf, b.sf)
#define LO2(a, b) (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd)
#define HI2(a, b) (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)
#define LO4(a, b) (float16)(a.s0123, a.s89ab, b.s0123, b.s89ab)
#define HI4(a, b) (float16)(a.s4567, a.scdef, b.s4567, b.scdef)
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = LO1(r[i], r[i + 1]);
        t[i + 1] = HI1(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        r[i] = LO2(t[i], t[i + 2]);
        r[i + 1] = HI2(t[i], t[i + 2]);
        r[i + 2] = LO2(t[i + 1], t[i + 3]);
        r[i + 3] = HI2(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = LO4(r[i], r[i + 4]);
        t[i + 4] = HI4(r[i], r[i + 4]);
        t[i + 8] = LO4(r[i + 8], r[i + 12]);
        t[i + 12] = HI4(r[i + 8], r[i + 12]);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = LO4(t[i], t[i + 8]);
        r[i + 8] = HI4(t[i], t[i + 8]);
        r[i + 4] = LO4(t[i + 4], t[i + 12]);
        r[i + 12] = HI4(t[i + 4], t[i + 12]);
    }
}
OP VF get16(const __global out_elem *p) {
#if OUT == 0
    return vload16(0, p);
#elif OUT == 1
    return half16_load(p);
#else
    return as_float16(convert_uint16(vload16(0, p)) << 16);
#endif
}
OP void put16(__global out_elem *p, VF x) {
#if OUT == 0
    vstore16(x, 0, p);
#elif OUT == 1
    half16_store(x, p);
#else
    const uint16 u = as_uint16(x), even = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, nan = (u >> 16) | 64u;
    vstore16(convert_ushort16((u & 0x7fffffffu) > (uint16)(0x7f800000u) ? nan : even), 0, p);
#endif
}

#ifndef TILE_MORE /* members of a tile that its file adds */
#define TILE_MORE
#endif
/* Streams: SLOTS of them, rows padded to a multiple of UNIT where they are copied. */
#define WIDEST (DK > DV ? ROUND(DK, UNIT) : ROUND(DV, UNIT))
typedef struct {
    gptr tile[SLOTS][2];
    int left[SLOTS][2];
    long pitch[SLOTS]; /* left: rows that exist */
    rows_in ready[SLOTS];
    long step[SLOTS]; /* what the products read, and its row stride */
    float copy[SLOTS][BN * WIDEST] __attribute__((aligned(64)));
    TILE_MORE
} tile;
OP void tensor_ahead(tensor *x, int heads) { x->x += heads * x->pack; }
OP void tensor_begin(tile *t, tensor *x) {}
OP void stream_load(tile *t, int s, int j, tensor *x, int r0) {
    t->tile[s][j & 1] = x->x + r0 * x->row;
    t->left[s][j & 1] = x->rows - r0;
    t->pitch[s] = x->row;
}
OP void stream_release(tile *t, int s, int j) {}
/* Does a byte of this tile hide a row? Mostly none does, and the tile is read where it lies. */
OP int any_hidden(const __global uchar *bytes, int n) {
    int hidden = 0;
    for (int r = 0; bytes && r < min(n, BN); r++) hidden |= bytes[r] == 0;
    return hidden;
}
OP void copy_rows(tile *t, int s, int j, const int width, const int pitch, const __global uchar *bytes, int n) {
    float *y = t->copy[s];
    gptr p = t->tile[s][j & 1];
    const int left = min(t->left[s][j & 1], BN);
    for (int r = 0; r < left; r++) {
        int d = 0;
        if (is_hidden(bytes, n, r))
            for (; d < pitch; d++) y[r * pitch + d] = 0.0f;
        for (; d + 16 <= width; d += 16) vstore16(wide(STORED(s), p + r * t->pitch[s], d), 0, y + r * pitch + d);
        for (; d < pitch; d++) y[r * pitch + d] = d < width ? stored_at(STORED(s), p + r * t->pitch[s], d) : 0.0f;
    }
    /* finite: P is 0 there, and 0 times NaN is NaN */
    for (int i = max(left, 0) * pitch; i < BN * pitch; i++) y[i] = 0.0f;
    t->ready[s] = y;
    t->step[s] = pitch;
}
OP void tile_ready(tile *t, int s, int j, const int width, const int columns) {
    const int pitch = ROUND(width, UNIT);
    if (IN_PLACE && STORED(s) == 0 && pitch == columns && t->left[s][j & 1] >= BN) {
        t->ready[s] = (rows_in)(ulong)t->tile[s][j & 1];
        t->step[s] = t->pitch[s] / 4;
    } else {
        copy_rows(t, s, j, columns, pitch, 0, 0);
    }
}
#define stream_wait(tp, s, j) tile_ready(tp, s, j, WIDTH(s), COLUMNS(s))

/* The line words of tiles whose visits are vectors of LINE_VECTOR floats, 8 or 16. A visit that reaches past the width
 * goes element by element. LINE_ALIGNED 1, of eight: and so does one whose vector is not aligned to sixteen bytes
 * (vload would do, but compilers make one access of it and of the aligned one, element by element); else the machine's
 * loads need no such thing. LINE_WHOLE 1, of eight: every row is aligned and a multiple of eight wide, so that
 * nothing is asked, and no access waits for the one before. */
#define VECTOR__(name, n) name##n
#define VECTOR_(name, n) VECTOR__(name, n)
#define VECTOR(name) VECTOR_(name, LINE_VECTOR)
typedef VECTOR(float) VF;
typedef VECTOR(int) VI;
typedef VECTOR(uint) line_bits;
typedef VECTOR(ushort) line_shorts;
#if LINE_VECTOR == 16
#define COL(c) ((VI)(c) + (VI)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#else
#define COL(c) ((VI)(c) + (VI)(0, 1, 2, 3, 4, 5, 6, 7))
#endif
#define TO_VF(i) VECTOR(convert_float)(i)
#define BITS(v) VECTOR(as_int)(v)
#define pick(choose, yes, no) select((VF)(no), (VF)(yes), ((VI)(choose)) != (VI)(0))
#define vmax(a, b) max((VF)(a), (VF)(b))
#define vlog log
#define vexp exp
#define vexp2 exp2
#define vtanh tanh
#define vabs fabs

#ifndef LINE_WHOLE
#define LINE_WHOLE 0
#endif
#if LINE_ALIGNED
#define FITS(p, c, width) (LINE_WHOLE ? (c) < (width) : (c) + LINE_VECTOR <= (width) && !((ulong)((p) + (c)) & 15))
OP VF line_load(const __global float *p) {
    const __global float4 *x = (const __global float4 *)p;
    return (VF)(x[0], x[1]);
}
OP void line_store(VF v, __global float *p) {
    __global float4 *x = (__global float4 *)p;
    x[0] = v.lo;
    x[1] = v.hi;
}
OP line_shorts shorts_load(const __global ushort *p) { return *(const __global line_shorts *)p; }
OP void shorts_store(line_shorts v, __global ushort *p) { *(__global line_shorts *)p = v; }
#else
#define FITS(p, c, width) ((c) + LINE_VECTOR <= (width))
OP VF line_load(const __global float *p) { return VECTOR(vload)(0, p); }
OP void line_store(VF v, __global float *p) { VECTOR(vstore)(v, 0, p); }
OP line_shorts shorts_load(const __global ushort *p) { return VECTOR(vload)(0, p); }
OP void shorts_store(line_shorts v, __global ushort *p) { VECTOR(vstore)(v, 0, p); }
#endif
#if LINE_VECTOR == 16
#include "tile/half16.cl"
#define halves_load half16_load
#define halves_store half16_store
#else
OP VF halves_load(const __global half *p) {
    const line_shorts bits = shorts_load((const __global ushort *)p);
    return vload_half8(0, (const __private half *)&bits);
}
OP void halves_store(VF x, __global half *p) {
    line_shorts bits;
    vstore_half8(x, 0, (__private half *)&bits);
    shorts_store(bits, (__global ushort *)p);
}
#endif

OP VF get(const __global float *p, int c, int width) {
    if (FITS(p, c, width)) { return line_load(p + c); }
    if (LINE_WHOLE) { return (VF)(0.0f); }
    float lanes[LINE_VECTOR];
    for (int i = 0; i < LINE_VECTOR; ++i) { lanes[i] = c + i < width ? p[c + i] : 0.0f; }
    return VECTOR(vload)(0, lanes);
}
OP VF get_apart(const __global float *p, int c, int width, long pitch) {
    float lanes[LINE_VECTOR];
    for (int i = 0; i < LINE_VECTOR; ++i) { lanes[i] = c + i < width ? p[(c + i) * pitch] : 0.0f; }
    return VECTOR(vload)(0, lanes);
}
OP void put(__global float *p, int c, int width, VF v) {
    if (FITS(p, c, width)) {
        line_store(v, p + c);
        return;
    }
    if (LINE_WHOLE) { return; }
    float lanes[LINE_VECTOR];
    VECTOR(vstore)(v, 0, lanes);
    for (int i = 0; i < LINE_VECTOR && c + i < width; ++i) { p[c + i] = lanes[i]; }
}

OP VF get_elem(const __global elem *p, int c, int width) {
    if (FITS(p, c, width)) {
#if STORE == 0
        return line_load(p + c);
#elif STORE == 1
        return halves_load(p + c);
#else
        return VECTOR(as_float)(VECTOR(convert_uint)(shorts_load(p + c)) << (line_bits)(16));
#endif
    }
    if (LINE_WHOLE) { return (VF)(0.0f); }
    float lanes[LINE_VECTOR];
    for (int i = 0; i < LINE_VECTOR; ++i) { lanes[i] = c + i < width ? elem_at(p, c + i) : 0.0f; }
    return VECTOR(vload)(0, lanes);
}
OP void put_elem(__global out_elem *p, int c, int width, VF v) {
    if (FITS(p, c, width)) {
#if OUT == 0
        put(p, c, width, v);
#elif OUT == 1
        halves_store(v, p + c);
#else
        const line_bits u = VECTOR(as_uint)(v);
        const line_bits even = (u + (line_bits)(0x7fff) + ((u >> (line_bits)(16)) & (line_bits)(1))) >> (line_bits)(16);
        const line_bits quiet = (u >> (line_bits)(16)) | (line_bits)(64);
        const VI nan = (u & (line_bits)(0x7fffffff)) > (line_bits)(0x7f800000);
        shorts_store(VECTOR(convert_ushort)(select(even, quiet, nan)), p + c);
#endif
        return;
    }
    if (LINE_WHOLE) { return; }
    float lanes[LINE_VECTOR];
    VECTOR(vstore)(v, 0, lanes);
    for (int i = 0; i < LINE_VECTOR && c + i < width; ++i) { out_put(p, c + i, lanes[i]); }
}

/* Of one visit's columns. */
OP float visit_sum(VF v) {
#if LINE_VECTOR == 16
    const float8 a = v.lo + v.hi;
#else
    const float8 a = v;
#endif
    const float4 b = a.lo + a.hi;
    const float2 c = b.lo + b.hi;
    return c.x + c.y;
}
OP float visit_max(VF v) {
#if LINE_VECTOR == 16
    const float8 a = max(v.lo, v.hi);
#else
    const float8 a = v;
#endif
    const float4 b = max(a.lo, a.hi);
    const float2 c = max(b.lo, b.hi);
    return max(c.x, c.y);
}

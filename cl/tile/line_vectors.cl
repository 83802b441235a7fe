/* The line words of tiles whose visits are vectors of LINE_VECTOR floats, 4 or 16. A visit that reaches past the width
 * goes element by element. LINE_ALIGNED 1: where a vector is aligned, it is one access; else the machine's loads need
 * no such thing. */
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
#define COL(c) ((VI)(c) + (VI)(0, 1, 2, 3))
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
#define WHOLE(p, type) (LINE_ALIGNED && !((ulong)(p) & (sizeof(type) - 1)))

OP VF line_load(const __global float *p) { return WHOLE(p, VF) ? *(const __global VF *)p : VECTOR(vload)(0, p); }
OP line_shorts shorts_load(const __global ushort *p) {
    return WHOLE(p, line_shorts) ? *(const __global line_shorts *)p : VECTOR(vload)(0, p);
}
OP void shorts_store(line_shorts v, __global ushort *p) {
    if (WHOLE(p, line_shorts)) *(__global line_shorts *)p = v;
    else VECTOR(vstore)(v, 0, p);
}
#if LINE_VECTOR == 16
#include "tile/half16.cl"
#define halves_load half16_load
#define halves_store half16_store
#else
OP VF halves_load(const __global half *p) {
    const line_shorts bits = shorts_load((const __global ushort *)p);
    return vload_half4(0, (const __private half *)&bits);
}
OP void halves_store(VF x, __global half *p) {
    line_shorts bits;
    vstore_half4(x, 0, (__private half *)&bits);
    shorts_store(bits, (__global ushort *)p);
}
#endif

OP VF get(const __global float *p, int c, int width) {
    if (c + LINE_VECTOR <= width) { return line_load(p + c); }
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
    if (c + LINE_VECTOR <= width) {
        if (WHOLE(p + c, VF)) *(__global VF *)(p + c) = v;
        else VECTOR(vstore)(v, 0, p + c);
        return;
    }
    float lanes[LINE_VECTOR];
    VECTOR(vstore)(v, 0, lanes);
    for (int i = 0; i < LINE_VECTOR && c + i < width; ++i) { p[c + i] = lanes[i]; }
}

OP VF get_elem(const __global elem *p, int c, int width) {
    if (c + LINE_VECTOR <= width) {
#if STORE == 0
        return line_load(p + c);
#elif STORE == 1
        return halves_load(p + c);
#else
        return VECTOR(as_float)(VECTOR(convert_uint)(shorts_load(p + c)) << (line_bits)(16));
#endif
    }
    float lanes[LINE_VECTOR];
    for (int i = 0; i < LINE_VECTOR; ++i) { lanes[i] = c + i < width ? elem_at(p, c + i) : 0.0f; }
    return VECTOR(vload)(0, lanes);
}
OP void put_elem(__global out_elem *p, int c, int width, VF v) {
    if (c + LINE_VECTOR <= width) {
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
    float lanes[LINE_VECTOR];
    VECTOR(vstore)(v, 0, lanes);
    for (int i = 0; i < LINE_VECTOR && c + i < width; ++i) { out_put(p, c + i, lanes[i]); }
}

/* Of one visit's columns. */
OP float visit_sum(VF v) {
#if LINE_VECTOR == 16
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
#else
    const float4 b = v;
#endif
    const float2 c = b.lo + b.hi;
    return c.x + c.y;
}
OP float visit_max(VF v) {
#if LINE_VECTOR == 16
    const float8 a = max(v.lo, v.hi);
    const float4 b = max(a.lo, a.hi);
#else
    const float4 b = v;
#endif
    const float2 c = max(b.lo, b.hi);
    return max(c.x, c.y);
}

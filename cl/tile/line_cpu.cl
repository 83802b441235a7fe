/* line_cpu: one item a group, sixteen columns a visit. A visit that reaches past the width goes element by element. */
#include "tile/half16.cl"
typedef float16 VF;
typedef int16 VI;
typedef struct {
    int unused;
} line;
#define LINE_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define LINE_BEGIN(tp) (tp)->unused = 0
#define LINE_X() ((long)GROUP(0))
#define LINE_Y() ((long)GROUP(1))
#define LINE_Z() ((long)GROUP(2))
#define EACH_COL(c, width) for (int c = 0; c < (width); c += 16)
#define VISITS(width) (((width) + 15) / 16)
#define VISIT(c) ((c) / 16)
#define COL(c) ((VI)(c) + (VI)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define ONCE(t) 1
#define TO_VF(i) convert_float16(i)
#define BITS(v) as_int16(v)
#define pick(choose, yes, no) select((VF)(no), (VF)(yes), ((VI)(choose)) != (VI)(0))
#define vmax(a, b) max((VF)(a), (VF)(b))
#define vlog log
#define vexp exp
#define vexp2 exp2
#define vtanh tanh
#define vabs fabs

OP VF get(const __global float *p, int c, int width) {
    if (c + 16 <= width) { return vload16(0, p + c); }
    float lanes[16];
    for (int i = 0; i < 16; ++i) { lanes[i] = c + i < width ? p[c + i] : 0.0f; }
    return vload16(0, lanes);
}
OP VF get_apart(const __global float *p, int c, int width, long pitch) {
    float lanes[16];
    for (int i = 0; i < 16; ++i) { lanes[i] = c + i < width ? p[(c + i) * pitch] : 0.0f; }
    return vload16(0, lanes);
}
OP void put(__global float *p, int c, int width, VF v) {
    if (c + 16 <= width) {
        vstore16(v, 0, p + c);
        return;
    }
    float lanes[16];
    vstore16(v, 0, lanes);
    for (int i = 0; i < 16 && c + i < width; ++i) { p[c + i] = lanes[i]; }
}

OP VF get_elem(const __global elem *p, int c, int width) {
    if (c + 16 <= width) {
#if STORE == 0
        return vload16(0, p + c);
#elif STORE == 1
        return half16_load(p + c);
#else
        return as_float16(convert_uint16(vload16(0, p + c)) << (uint16)(16));
#endif
    }
    float lanes[16];
    for (int i = 0; i < 16; ++i) { lanes[i] = c + i < width ? elem_at(p, c + i) : 0.0f; }
    return vload16(0, lanes);
}
OP void put_elem(__global out_elem *p, int c, int width, VF v) {
    if (c + 16 <= width) {
#if OUT == 0
        vstore16(v, 0, p + c);
#elif OUT == 1
        half16_store(v, p + c);
#else
        const uint16 u = as_uint16(v);
        const uint16 even = (u + (uint16)(0x7fff) + ((u >> (uint16)(16)) & (uint16)(1))) >> (uint16)(16);
        const uint16 quiet = (u >> (uint16)(16)) | (uint16)(64);
        const int16 nan = (u & (uint16)(0x7fffffff)) > (uint16)(0x7f800000);
        vstore16(convert_ushort16(select(even, quiet, nan)), 0, p + c);
#endif
        return;
    }
    float lanes[16];
    vstore16(v, 0, lanes);
    for (int i = 0; i < 16 && c + i < width; ++i) { out_put(p, c + i, lanes[i]); }
}

OP float line_sum(line *t, VF v) {
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
    const float2 c = b.lo + b.hi;
    return c.x + c.y;
}
OP float line_max(line *t, VF v) {
    const float8 a = max(v.lo, v.hi);
    const float4 b = max(a.lo, a.hi);
    const float2 c = max(b.lo, b.hi);
    return max(c.x, c.y);
}

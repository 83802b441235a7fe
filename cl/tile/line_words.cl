/* The line words of tiles whose visits are single floats. */
#define TO_VF(i) convert_float(i)
#define BITS(v) as_int(v)
#define pick(choose, yes, no) ((choose) ? (yes) : (no))
#define vmax fmax
#define vlog log
#define vexp exp
#define vexp2 exp2
#define vtanh tanh
#define vabs fabs

OP VF get(const __global float *p, int c, int width) { return c < width ? p[c] : 0.0f; }
OP void put(__global float *p, int c, int width, VF v) {
    if (c < width) { p[c] = v; }
}
OP VF get_apart(const __global float *p, int c, int width, long pitch) { return c < width ? p[c * pitch] : 0.0f; }
OP VF get_elem(const __global elem *p, int c, int width) { return c < width ? elem_at(p, c) : 0.0f; }
OP void put_elem(__global out_elem *p, int c, int width, VF v) {
    if (c < width) { out_put(p, c, v); }
}

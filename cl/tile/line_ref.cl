/* line_ref: the line words on one item, one column a visit. The plainest device program there is: what others are compared with. */
typedef float VF;
typedef int VI;
typedef struct { int unused; } line;
#define LINE_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define LINE_BEGIN(tp) (tp)->unused = 0
#define LINE_X() ((long)get_group_id(0))
#define LINE_Y() ((long)get_group_id(1))
#define LINE_Z() ((long)get_group_id(2))
#define EACH_COL(c, width) for (int c = 0; c < (width); ++c)
#define VISITS(width) (width)
#define VISIT(c) (c)
#define COL(c) (c)
#define ONCE(t) 1
#define TO_VF(i) convert_float(i)
#define pick(choose, yes, no) ((choose) ? (yes) : (no))
#define vmax fmax
#define vlog log
#define vexp exp
#define vexp2 exp2
#define vtanh tanh
#define vabs fabs

OP VF get(const __global float *p, int c, int width) { return c < width ? p[c] : 0.0f; }
OP void put(__global float *p, int c, int width, VF v) {
    if (c < width) {
        p[c] = v;
    }
}
OP VF get_elem(const __global elem *p, int c, int width) { return c < width ? elem_at(p, c) : 0.0f; }
OP void put_elem(__global out_elem *p, int c, int width, VF v) {
    if (c < width) {
        out_put(p, c, v);
    }
}
OP float line_sum(line *t, VF v) { return v; }
OP float line_max(line *t, VF v) { return v; }

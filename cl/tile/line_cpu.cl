/* line_cpu: one item a group, sixteen columns a visit. */
#define LINE_VECTOR 16
#define LINE_ALIGNED 0
#include "tile/line_vectors.cl"
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
#define ONCE(t) 1
OP float line_sum(line *t, VF v) { return visit_sum(v); }
OP float line_max(line *t, VF v) { return visit_max(v); }

/* line_ref: the line words on one item, one column a visit. The plainest device program there is: what others are
 * compared with. */
typedef float VF;
typedef int VI;
typedef struct {
    int unused;
} line;
#define LINE_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define LINE_BEGIN(tp) (tp)->unused = 0
#define LINE_X() ((long)GROUP(0))
#define LINE_Y() ((long)GROUP(1))
#define LINE_Z() ((long)GROUP(2))
#define EACH_COL(c, width) for (int c = 0; c < (width); ++c)
#define VISITS(width) (width)
#define VISIT(c) (c)
#define COL(c) (c)
#define ONCE(t) 1
#include "tile/line_words.cl"
OP float line_sum(line *t, VF v) { return v; }
OP float line_max(line *t, VF v) { return v; }

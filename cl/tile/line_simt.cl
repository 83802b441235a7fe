/* line_simt: LINE_ITEMS items a group (a power of two), one column an item and visit, neighbours beside each other.
 * Joins are trees in local memory. */
#ifndef LINE_ITEMS
#define LINE_ITEMS 64
#endif
#if LINE_ITEMS & (LINE_ITEMS - 1)
#error LINE_ITEMS must be a power of two
#endif
typedef float VF;
typedef int VI;
typedef struct {
    __local float *slots;
    int item;
} line;
#define LINE_KERNEL __kernel __attribute__((reqd_work_group_size(LINE_ITEMS, 1, 1)))
#define LINE_BEGIN(tp)                                                                                                 \
    __local float slots_[LINE_ITEMS];                                                                                  \
    (tp)->slots = slots_;                                                                                              \
    (tp)->item = (int)get_local_id(0)
#define LINE_X() ((long)GROUP(0))
#define LINE_Y() ((long)GROUP(1))
#define LINE_Z() ((long)GROUP(2))
/* Every item makes the same number of visits, some past the width: pocl 3.1 gets loops wrong whose count differs
 * between items where a kernel has both a join and an early return. */
#define EACH_COL(c, width)                                                                                             \
    for (int c = (int)get_local_id(0), c##_0 = 0; c##_0 < (width); c##_0 += LINE_ITEMS, c += LINE_ITEMS)
#define VISITS(width) (((width) + LINE_ITEMS - 1) / LINE_ITEMS)
#define VISIT(c) ((c) / LINE_ITEMS)
#define COL(c) (c)
#define ONCE(t) ((t)->item == 0)
#include "tile/line_words.cl"
OP float line_join(line *t, float v, int largest) {
    t->slots[t->item] = v;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_way = LINE_ITEMS / 2; half_way; half_way /= 2) {
        if (t->item < half_way) {
            const float a = t->slots[t->item], b = t->slots[t->item + half_way];
            t->slots[t->item] = largest ? fmax(a, b) : a + b;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float joined = t->slots[0];
    barrier(CLK_LOCAL_MEM_FENCE); /* the next join writes the slots */
    return joined;
}
OP float line_sum(line *t, VF v) { return line_join(t, v, 0); }
OP float line_max(line *t, VF v) { return line_join(t, v, 1); }

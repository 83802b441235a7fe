/* line_simt: LINE_ITEMS items a line (a power of two), LINE_VECTOR columns an item and visit, neighbours beside each
 * other; LINES lines a group. Joins are made in local memory: of few items by each of them, of many as trees. */
#ifndef LINE_ITEMS
#define LINE_ITEMS 64
#endif
#ifndef LINE_VECTOR
#define LINE_VECTOR 1
#endif
#ifndef LINES
#define LINES 1
#endif
#ifndef LINE_BESIDE
#define LINE_BESIDE LINE_ITEMS /* of a line beside each other, then as many of the next line */
#endif
#if LINE_ITEMS & (LINE_ITEMS - 1)
#error LINE_ITEMS must be a power of two
#endif
#if LINE_VECTOR == 1
typedef float VF;
typedef int VI;
#define COL(c) (c)
#include "tile/line_words.cl"
OP float visit_sum(VF v) { return v; }
OP float visit_max(VF v) { return v; }
#else
#define LINE_ALIGNED 1
#include "tile/line_vectors.cl"
#endif
typedef struct {
    __local float *slots;
    int item;
} line;
#define LINE_KERNEL __kernel __attribute__((reqd_work_group_size(LINE_ITEMS * LINES, 1, 1)))
#define LINE_ITEM() ((int)get_local_id(0) / (LINE_BESIDE * LINES) * LINE_BESIDE + (int)get_local_id(0) % LINE_BESIDE)
#define LINE_OF_GROUP() ((int)get_local_id(0) / LINE_BESIDE % LINES)
#define LINE_BEGIN(tp)                                                                                                 \
    __local float slots_[LINE_ITEMS * LINES] __attribute__((aligned(16)));                                             \
    (tp)->slots = slots_ + LINE_OF_GROUP() * LINE_ITEMS;                                                               \
    (tp)->item = LINE_ITEM()
#define LINE_X() ((long)GROUP(0) * LINES + LINE_OF_GROUP())
#define LINE_Y() ((long)GROUP(1))
#define LINE_Z() ((long)GROUP(2))
/* Every item makes the same number of visits, some past the width: pocl 3.1 gets loops wrong whose count differs
 * between items where a kernel has both a join and an early return. */
#define EACH_COL(c, width)                                                                                             \
    for (int c = LINE_ITEM() * LINE_VECTOR, c##_0 = 0; c##_0 < (width);                                                \
         c##_0 += LINE_ITEMS * LINE_VECTOR, c += LINE_ITEMS * LINE_VECTOR)
#define VISITS(width) (((width) + LINE_ITEMS * LINE_VECTOR - 1) / (LINE_ITEMS * LINE_VECTOR))
#define VISIT(c) ((c) / (LINE_ITEMS * LINE_VECTOR))
#define ONCE(t) ((t)->item == 0)
OP float line_join(line *t, float v, int largest) {
    t->slots[t->item] = v;
    barrier(CLK_LOCAL_MEM_FENCE);
#if LINE_ITEMS <= 32
    float joined = t->slots[0];
    for (int i = 1; i < LINE_ITEMS; i++) joined = largest ? fmax(joined, t->slots[i]) : joined + t->slots[i];
#else
    for (int half_way = LINE_ITEMS / 2; half_way; half_way /= 2) {
        if (t->item < half_way) {
            const float a = t->slots[t->item], b = t->slots[t->item + half_way];
            t->slots[t->item] = largest ? fmax(a, b) : a + b;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float joined = t->slots[0];
#endif
    barrier(CLK_LOCAL_MEM_FENCE); /* the next join writes the slots */
    return joined;
}
OP float line_sum(line *t, VF v) { return line_join(t, visit_sum(v), 0); }
OP float line_max(line *t, VF v) { return line_join(t, visit_max(v), 1); }

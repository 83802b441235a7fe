/* A factor of each row's dO is one of its weights, for gradients are linear in dO:  P = 2^(... + minus + log2(weight)),
 * and of the sink's. A line is `width` rows, one after another. */
#include "attend/args.cl"

LINE_KERNEL void attend_weigh(ARGUMENTS(ATTEND_WEIGH) const weigh_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.count == 0) { return; }
    const long first = LINE_X() * a.width;
    const int some = (int)min((long)a.width, a.count - first);
    EACH_COL(c, some) {
        const VF w = get(AT(weight) + first, c, some), none = (VF)(-INFINITY);
        put(AT(minus) + first, c, some, pick(w > (VF)(0.0f), get(AT(minus) + first, c, some) + vlog(w) * LOG2E, none));
        if (sunk_base) put(AT(sunk) + first, c, some, get(AT(sunk) + first, c, some) * w);
    }
}

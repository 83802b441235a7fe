/* scan: what the segments' states amount to.  E_0 = S_in,  E_(s+1) = fade_s E_s + S_s;  the last E is the state after
 * all of them. A group does `slab` elements of one item's states, one after another. */
#include "accumulate/args.cl"
#ifndef ENTERING
#define ENTERING 1 /* S_s is replaced by E_s, the state that enters segment s */
#endif
#define AHEAD 4 /* loads that wait for the memory together */

LINE_KERNEL void accumulate_scan(ARGUMENTS(ACCUMULATE_SCAN) const scan_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.size == 0) return;
    const long item = LINE_Y(), from = LINE_X() * a.slab;
    const int width = min(a.slab, (int)(a.size - from));
    __global float *s = AT(states) + item * a.segments * a.size + from;
    const __global float *f = AT(fade) + item * a.segments;
    EACH_COL(c, width) {
        VF e = (VF)(0.0f);
        if (INITIAL && state_in_base) e = get(AT(state_in) + item * a.size + from, c, width);
        for (int first = 0; first < a.segments; first += AHEAD) {
            VF own[AHEAD];
            const int some = min(AHEAD, a.segments - first);
            for (int i = 0; i < AHEAD; i++) own[i] = get(s + (long)(first + min(i, some - 1)) * a.size, c, width);
            for (int i = 0; i < AHEAD; i++)
                if (i < some) {
                    if (ENTERING) put(s + (long)(first + i) * a.size, c, width, e);
                    e = e * f[first + i] + own[i];
                }
        }
        if (FINAL && state_out_base) put(AT(state_out) + item * a.size + from, c, width, e);
    }
}

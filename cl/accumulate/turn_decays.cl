/* turn decays:  token by token from the last to the first, what the token after it fades by; 0 for a sequence's
 * last one. A line is `width` tokens of one head. */
#include "accumulate/args.cl"
#ifndef PACKED
#define PACKED 0
#endif

LINE_KERNEL void turn_decays(ARGUMENTS(TURN_DECAYS) const decays_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const long parts = (a.n + a.width - 1) / a.width, head = LINE_X() / parts, first = LINE_X() % parts * a.width;
    const __global float *from = AT(from) + head * a.n;
    __global float *to = AT(to) + head * a.n;
    int sequence = a.sequences - 1;
    for (long i = first; i < min(first + a.width, a.n); i++) {
        const long token = a.n - 1 - i;
        long end = a.n;
        if (PACKED) {
            while (sequence > 0 && AT(cu)[sequence] > token) sequence--;
            end = AT(cu)[sequence + 1];
        }
        if (ONCE(&t)) to[i] = token + 1 < end ? from[token + 1] : 0.0f;
    }
}

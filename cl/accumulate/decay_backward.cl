/* decay backward:  dg_t = sum over t' >= t of (q_t' . dq_t' - k_t' . dk_t') + <dS, S>, S the state after the last
 * token of a sequence and dS what arrives there; of a head's decay, their sum over t, batches and sequences (Yang
 * et al. 2023, appendix). What cancels is summed in two floats. A line is a head (of one batch or sequence, if a
 * token's). */
#include "accumulate/args.cl"
#ifndef PACKED
#define PACKED 0
#endif
#ifndef PER_TOKEN
#define PER_TOKEN 0
#endif

/* sum + rest += x, by Knuth's two-sum */
OP void add_to(float *sum, float *rest, float x) {
    const float y = *sum + x, z = y - *sum;
    *rest += (*sum - (y - z)) + (x - z);
    *sum = y;
}

LINE_KERNEL void decay_backward(ARGUMENTS(DECAY_BACKWARD) const decay_backward_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.n == 0) return;
    const int head = (int)LINE_X() % a.heads, own = (int)LINE_X() / a.heads;
    float all = 0.0f, all_rest = 0.0f;
    for (int s = PER_TOKEN ? own : 0; s < (PER_TOKEN ? own + 1 : a.batches); s++) {
        const int first = PACKED ? AT(cu)[s] : 0, last = PACKED ? AT(cu)[s + 1] : (int)a.n;
        const long at = ((PACKED ? 0 : s) * a.heads + head) * a.n, state = ((long)s * a.heads + head) * a.size;
        VF product = (VF)(0.0f);
        if (state_base && dstate_base)
            EACH_COL(c, a.size) product += get(AT(state) + state, c, a.size) * get(AT(dstate) + state, c, a.size);
        const float carried = line_sum(&t, product);
        if (!ONCE(&t)) continue;
        float sum = carried, rest = 0.0f;
        for (int i = last - 1; i >= first; i--) {
            add_to(&sum, &rest, AT(of_q)[at + i]);
            add_to(&sum, &rest, -AT(of_k)[at + i]);
            if (PER_TOKEN) AT(ddecay)[at + i] = sum + rest;
            add_to(&all, &all_rest, sum);
            all_rest += rest;
        }
    }
    if (!PER_TOKEN && ONCE(&t)) AT(ddecay)[head] = all + all_rest;
}

/* step:  S = decay S + phi(k) v^T,  o = scale S^T phi(q), token by token: the recurrent form, for one or a few new
 * tokens (decode). One pass over the state a token. A group does SLAB value columns of one head; a worker owns columns
 * and never meets another one, but for the normaliser (NORMALISE): the state's last column is z = sum phi(k), and o is
 * divided by scale z.phi(q) + 1e-10. Then SLAB = DV. */
#ifndef NORMALISE
#define NORMALISE 0
#endif
#ifndef SLAB
#define SLAB DV /* DV: columns of the state, with the normaliser's */
#endif
/* rows of the state that wait for the memory together: it may be read where it is written */
#define AHEAD 4

LINE_KERNEL void accumulate_step(ARGUMENTS(ACCUMULATE_STEP) const accumulate_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.nk == 0) return;
    const portion p = portion_of(&a, AT(cu), a.nk, (int)LINE_Y(), 0);
    const int column = (int)LINE_X() * SLAB, width = SLAB < DV ? min(SLAB, DV - column) : DV, real = width - NORMALISE,
              kv = p.head / a.group;
    const int q_size = STORED_SIZE(STORE_q), k_size = STORED_SIZE(STORE_k);
    const stored query = STORED_AT(q) + (p.in * a.q.batch + p.head * a.q.head + p.first * a.q.row) * q_size;
    const stored key = STORED_AT(k) + (p.in * a.k.batch + kv * a.k.head + p.first * a.k.row) * k_size;
    const __global elem *value = AT(v) + p.in * a.v.batch + kv * a.v.head + p.first * a.v.row + column;
    __global out_elem *out = AT(o) + p.in * a.o.batch + p.head * a.o.head + p.first * a.o.row + column;
    const __global float *g = AT(decay) + (DECAY == 2      ? p.in * a.decay_batch + p.head * a.decay_head + p.first
                                              : DECAY == 1 ? p.head * a.decay_head
                                                           : 0);
    const int initial = INITIAL && state_in_base;
    const long at = (long)LINE_Y() * DK * DV + column;
    const __global float *from = AT(state_in) + at;
    __global float *to = AT(state_out) + at;
    if (p.tokens <= 0) { /* an empty sequence hands its state on */
        for (int d = 0; d < DK; d++)
            EACH_COL(c, width) put(to + d * DV, c, width, initial ? get(from + d * DV, c, width) : (VF)(0.0f));
        return;
    }
    for (int i = 0; i < p.tokens; i++) {
        const float fade = DECAY ? exp(g[DECAY == 2 ? i : 0]) : 1.0f;
        VF add[VISITS(SLAB)], sum[VISITS(SLAB)];
        EACH_COL(c, width) {
            add[VISIT(c)] = get_elem(value + i * a.v.row, c, real);
            if (NORMALISE) add[VISIT(c)] = pick(COL(c) < (VI)(real), add[VISIT(c)], (VF)(1.0f));
            sum[VISIT(c)] = (VF)(0.0f);
        }
        for (int first = 0; first < DK; first += AHEAD) {
            float kd[AHEAD], qd[AHEAD];
            for (int r = 0; r < AHEAD; r++) {
                kd[r] = stored_at(STORE_k, key + i * a.k.row * k_size, min(first + r, DK - 1));
                qd[r] = stored_at(STORE_q, query + i * a.q.row * q_size, min(first + r, DK - 1));
            }
            EACH_COL(c, width) {
                VF own[AHEAD];
                for (int r = 0; r < AHEAD; r++)
                    own[r] = initial || i ? get(from + min(first + r, DK - 1) * DV, c, width) : (VF)(0.0f);
                for (int r = 0; r < AHEAD; r++)
                    if (first + r < DK) {
                        const VF s = kd[r] * add[VISIT(c)] + fade * own[r];
                        sum[VISIT(c)] += qd[r] * s;
                        put(to + (first + r) * DV, c, width, s);
                    }
            }
        }
        float factor = a.scale;
        if (NORMALISE) {
            VF under = (VF)(0.0f);
            EACH_COL(c, width) under += pick(COL(c) == (VI)(real), sum[VISIT(c)], (VF)(0.0f));
            factor = a.scale / (a.scale * line_sum(&t, under) + 1e-10f);
        }
        EACH_COL(c, real) put_elem(out + i * a.o.row, c, real, sum[VISIT(c)] * factor);
        from = to; /* each worker reads what it wrote itself */
    }
}

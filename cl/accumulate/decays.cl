/* The decays of one chunk.
 * Token i of a chunk of m tokens (from 0) has the running decay D_i = decay_0 ... decay_i. Needed are D_i (what is left
 * of the state that entered), D_(m-1) / D_k (what is left of key k when the chunk ends), D_i / D_k (what query i sees
 * of key k); all exponents are <= 0.
 * REVERSED: query i sees the keys from its own on, and states come from behind: needed are D_(m-1) / D_i, D_k and
 * D_k / D_i. */
typedef struct {
    float rate;              /* log2 of a head's decay */
    const __global float *g; /* a token's */
    col whole, part;         /* log2 of D_k, see col_sum */
    row row_whole, row_part;
    row inter;  /* scale * D_i           */
    col outer;  /* weight * D_(m-1) / D_k */
    float keep; /* D_(m-1)               */
    int m;
} decays;

OP void decays_begin(decays *d, const __global float *g, const accumulate_args *a, const portion *p) {
    d->m = 0;
    d->rate = DECAY == 1 ? max(g[p->head * a->decay_head] * LOG2E, -1000.0f) : 0.0f;
    d->g = DECAY == 2 ? g + p->in * a->decay_batch + p->head * a->decay_head + p->first + p->from : g;
}
/* The decays of the chunk of m tokens that starts at token `from` of the portion. */
OP void decays_of(tile *t, decays *d, int from, int m, float scale, float weight) {
    if (DECAY < 2 && m == d->m) return;
    d->m = m;
    float last = DECAY == 1 ? (float)m * d->rate : 0.0f;
    if (DECAY == 2) {
        col_sum(t, &d->whole, &d->part, d->g + from, m);
        last = col_last(t, &d->whole) + col_last(t, &d->part);
        row_of_col(t, &d->row_whole, &d->whole);
        row_of_col(t, &d->row_part, &d->part);
    }
    col before;
    EACH_KEY(i) {
        const VI k = KEY_AT(t, i);
        VF begin = (VF)(0.0f), end = (VF)(0.0f);
        if (DECAY == 1) {
            begin = TO_VF(k + 1) * d->rate;
            end = TO_VF(m - 1 - k) * d->rate;
        }
        if (DECAY == 2) {
            begin = d->whole.x[i] + d->part.x[i];
            end = (col_last(t, &d->whole) - d->whole.x[i]) + (col_last(t, &d->part) - d->part.x[i]);
        }
        const VF entered = DECAY ? vexp2(REVERSED ? end : begin) : (VF)(1.0f),
                 left = DECAY ? vexp2(REVERSED ? begin : end) : (VF)(1.0f);
        before.x[i] = entered * scale;
        d->outer.x[i] = pick(k < m, left * weight, (VF)(0.0f));
    }
    row_of_col(t, &d->inter, &before);
    d->keep = DECAY ? exp2(last) : 1.0f;
}

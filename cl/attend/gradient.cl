/* What the passes of attend's backward share: from the products of a tile of pairs to P and dX.
 *   x = scale q.k (+ bias),  s = score text of x,  P = exp(s - LSE),  dP = dO V^T,  dS = P o (dP - delta),
 *   delta = rowsum(dO o O) - dLSE,  dX = dS through the score text backwards
 * (FlashAttention-2, Dao 2023, algorithm 2). A stage gives, for the query of a visit, TERM(c, name, i) of from and
 * minus (P = 2^(scale2 (s - from) + minus); minus = -infinity: it sees no key) and delta. No more than BM x BN of any
 * of it exists at a time. */
#ifndef CHAINS
#define CHAINS 0
#endif
#ifndef SLOPES
#define SLOPES 0 /* 1: the stage has row slopes, the sum of what each pair gives to ALiBi's slope */
#endif
/* Behind padding may lie anything, and a text may have no slope where nothing counts. */
OP VF counted(VF p, VF d) { return pick(p == (VF)(0.0f), (VF)(0.0f), d); }
/* p = q k^T and d = dO v^T become P and dX. */
OP void pair_gradients(stage *c, int masked, int query0, int key0) {
    if (BIAS) add_bias(&c->t, &c->p, c->scale_in, query0, key0, &c->a);
#if TEXTS
    acc_pair x; /* what the texts get */
    EACH_PAIR(i) x.x[i] = c->p.x[i] = BIAS ? c->p.x[i] : c->p.x[i] * c->scale_in;
    score_pairs(&c->t, &c->p, 1.0f, query0, key0, &c->a);
#endif
#if SLOPES
    parts slopes;
    EACH_PART(k) slopes.x[k] = 0.0f;
#endif
    if (PARTIAL && masked) mask_pairs(&c->t, &c->p, query0, key0, &c->a);
    EACH_PAIR(i) {
        const VF p = vexp2(fma(c->p.x[i] - TERM(c, from, i), (VF)(c->scale2), TERM(c, minus, i)));
        VF d = p * (c->d.x[i] - TERM(c, delta, i));
        if (PADDING || TEXTS) d = counted(p, d);
#if TEXTS
        VI query = QUERY_AT(&c->t, i) + query0, key = KEY_AT(&c->t, i) + key0;
        if (GATHERS) {
            query = min(query, (VI)(c->a.nq - 1));
            key = min(key, (VI)(c->a.nk - 1));
        }
        d = counted(p, caller_slope(d, x.x[i], query, key, &c->a));
#if SLOPES
        slopes.x[PART_OF(i)] -= d * alibi_distance(query + c->a.shift, key_of(key, &c->a));
#endif
        d = counted(p, cap_slope(d, x.x[i], &c->a));
#endif
        c->p.x[i] = p;
        c->d.x[i] = d;
    }
#if SLOPES
    fold_sum(&c->slopes, &slopes);
#endif
}
#if CHAINS
/* The same in two halves, where no text changes a score. */
OP void pair_weights(stage *c, int masked, int query0, int key0) {
    if (BIAS) add_bias(&c->t, &c->p, c->scale_in, query0, key0, &c->a);
    if (PARTIAL && masked) mask_pairs(&c->t, &c->p, query0, key0, &c->a);
    if (c->far)
        EACH_PAIR(i) c->p.x[i] -= TERM(c, from, i);
    EACH_PAIR(i) c->p.x[i] = vexp2(fma(c->p.x[i], (VF)(c->scale2), TERM(c, minus, i)));
}
OP void pair_slopes(stage *c) {
    EACH_PAIR(i) {
        const VF d = c->p.x[i] * (c->d.x[i] - TERM(c, delta, i));
        c->d.x[i] = PADDING ? counted(c->p.x[i], d) : d;
    }
}
#endif

/* accumulate forward:  S_t = decay_t S_(t-1) + k_t v_t^T,  o_t = scale S_t^T q_t, chunk by chunk: inside a chunk as a
 * masked product of pairs, between chunks through the state (the chunked form of linear attention: Hua et al. 2022, Sun
 * et al. 2023, Qin et al. 2024). An item is one head of one batch or sequence, or one segment of it; then its state
 * comes in from the segments before.
 *
 *   tokens:          |  chunk j  |  chunk j + 1  | ...     BN = BM of Q, K, V
 *                         |  ^      inside: O = (Q K^T, lower triangle, times D_i / D_k) V
 *   state DK x DV:  S --->+--+---> S ---> ...              between: O += D_i (Q S);  S = D S + (w K)^T V
 * REVERSED: from the last chunk to the first, S_t = k_t v_t^T + decay_(t+1) S_(t+1): the triangle is the upper one. */
#define Q 0
#define K 1
#define V 2
#define STREAMS 3
#define HELDS 0
#define MAY_OVERLAP 0 /* front(j) moves q, which back(j-1) still reads */
#define FIRST_READ(s) ((s) == V ? BACK : FRONT)
#define LAST_READ(s) BACK
#define WIDTH(s) ((s) == V ? DV : DK)
/* tokens between a query and a key that it sees */
#define GAP(t, i) (REVERSED ? COL_AT(t, i) - ROW_AT(t, i) : ROW_AT(t, i) - COL_AT(t, i))
#define STORED (PAIRS_STAY && DECAY == 1) /* D_i / D_k kept for all chunks */

typedef struct {
    tile t;
    held q;
    acc_pair s;
    op_pair p;
    op_keys w; /* keys, weighted by what is left of them when the chunk ends */
    acc_head o;
    acc_state state;
    decays d;
#if STORED
    acc_pair seen; /* both * D_i / D_k */
#endif
    tensor qt, kt, vt;
    tensor_out ot;
    const __global float *state_in;
    __global float *state_out;
    int n, from, step, tokens;
    float scale, weight, both;
} stage;

OP void step_hold(stage *c) {
    tensor_begin(&c->t, &c->qt);
    tensor_begin(&c->t, &c->kt);
    tensor_begin(&c->t, &c->vt);
}
OP void step_load(stage *c, int s, int j) {
    stream_load(&c->t, s, j, s == Q ? &c->qt : s == K ? &c->kt : &c->vt, c->from + CHUNK(j, c->n) * c->step);
}
OP void step_begin(stage *c) {
    state_load(&c->t, &c->state, c->state_in, DV);
    state_publish(&c->t, &c->state);
#if STORED
    EACH_LOWER(i) c->seen.x[i] = vexp2(TO_VF(GAP(&c->t, i)) * c->d.rate) * c->both;
#endif
}
OP void step_front(stage *c, int j) {
    rows_load(&c->t, &c->q, Q, j);
    const int first = CHUNK(j, c->n) * c->step;
    decays_of(&c->t, &c->d, first, min(c->step, c->tokens - first), c->scale, c->weight);
    mma_abt_lower(&c->t, &c->s, &c->q, K, j);
}
OP void step_middle(stage *c, int j) {
    EACH_LOWER(i) {
        const VI gap = GAP(&c->t, i);
        /* computed outside the choice: an opaque call inside one becomes a branch */
        VF e = c->s.x[i];
#if STORED
        e *= c->seen.x[i];
#elif DECAY == 2
        const VF between = (c->d.row_whole.x[ROW_OF(i)] - c->d.whole.x[KEY_OF(i)]) +
                           (c->d.row_part.x[ROW_OF(i)] - c->d.part.x[KEY_OF(i)]);
        e *= c->both * vexp2(REVERSED ? -between : between);
#elif DECAY == 1
        e *= c->both * vexp2(TO_VF(gap) * c->d.rate);
#else
        e *= c->both;
#endif
        /* keys past the end lie before every query that is not reversed */
        c->s.x[i] = pick(REVERSED ? (gap >= 0) & (COL_AT(&c->t, i) < c->d.m) : gap >= 0, e, (VF)(0.0f));
    }
}
OP void step_settle(stage *c, int j) {
    convert(&c->p, &c->s);
    keys_load(&c->t, &c->w, K, j, &c->d.outer);
    state_scale(&c->state, c->d.keep);
}
OP void step_back(stage *c, int j) {
    acc_bind(&c->o, &c->ot, c->from + CHUNK(j, c->n) * c->step);
    mma_state_ab_lower(&c->t, &c->o, &c->q, &c->state, &c->d.inter, &c->p, V, j); /* o = inter * (q state) + p v */
    mma_atb(&c->t, &c->state, &c->w, V, j);
}
OP void step_done(stage *c, int j) {
    acc_store(&c->t, &c->ot, c->from + CHUNK(j, c->n) * c->step, &c->o, DV);
    state_publish(&c->t, &c->state);
}
OP void step_finish(stage *c) {
    if (FINAL) state_store(&c->t, c->state_out, DV, &c->state);
}
OP void run(stage *c); /* the schedule */

TILE_KERNEL void accumulate_forward(ARGUMENTS(ACCUMULATE_FORWARD) const accumulate_args a) {
    stage c;
    TILE_BEGIN(&c.t);
    if (a.nk == 0) return;
    const int segment = (int)GROUP(0);
    const portion p = portion_of(&a, AT(cu), a.nq, (int)GROUP(1), segment);
    if (p.tokens <= 0 && segment) return; /* segment 0 of an empty sequence hands its state on */
    const int kv = p.head / a.group, end = p.from + p.tokens;
    c.qt = tensor_view(STORE_q, TENSOR_OF(q, p.sequence), &a.q, p.in, p.head, p.first, end);
    c.kt = tensor_view(STORE_k, TENSOR_OF(k, p.sequence), &a.k, p.in, kv, p.first, end);
    c.vt = tensor_view(STORE_v, TENSOR_OF(v, p.sequence), &a.v, p.in, kv, p.first, end);
    c.ot = out_view(AT(o), &a.o, p.in, p.head, p.first, end);
    c.state_in = INITIAL && state_in_base ? AT(state_in) + p.index * DK * DV : 0;
    c.state_out = AT(state_out) + p.index * DK * DV;
    c.from = p.from;
    c.step = a.step;
    c.tokens = p.tokens;
    c.n = (p.tokens + a.step - 1) / a.step;
    c.scale = a.scale;
    c.weight = a.weight;
    c.both = a.scale * a.weight;
    decays_begin(&c.d, AT(decay), &a, &p);
    run(&c);
}

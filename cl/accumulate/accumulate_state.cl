/* accumulate state:  S = weight sum_k (D_(n-1) / D_k) k_k v_k^T over the keys of a segment, and D_(n-1), what is
 * left of the state that entered it. An item is one segment of one head of one batch or sequence. */
#define K 0
#define V 1
#define STREAMS 2
#define HELDS 0
#define MAY_OVERLAP 0
#define FRONT_PRODUCTS 0
#define FIRST_READ(s) ((s) == V ? BACK : FRONT)
#define LAST_READ(s) BACK
#define WIDTH(s) ((s) == V ? DV : DK)

typedef struct {
    tile t;
    op_keys w;
    acc_state state;
    decays d;
    tensor kt, vt;
    __global float *state_out, *fade_out;
    int n, from, step, tokens;
    float fade, weight;
} stage;

OP void step_hold(stage *c) {
    tensor_begin(&c->t, &c->kt);
    tensor_begin(&c->t, &c->vt);
}
OP void step_load(stage *c, int s, int j) {
    stream_load(&c->t, s, j, s == K ? &c->kt : &c->vt, c->from + CHUNK(j, c->n) * c->step);
}
OP void step_begin(stage *c) {
    state_load(&c->t, &c->state, 0, DV);
    c->fade = 1.0f;
}
OP void step_front(stage *c, int j) {
    const int first = CHUNK(j, c->n) * c->step;
    decays_of(&c->t, &c->d, first, min(c->step, c->tokens - first), 1.0f, c->weight);
}
OP void step_middle(stage *c, int j) { c->fade *= c->d.keep; }
OP void step_settle(stage *c, int j) {
    keys_load(&c->t, &c->w, K, j, &c->d.outer);
    state_scale(&c->state, c->d.keep);
}
OP void step_back(stage *c, int j) { mma_atb(&c->t, &c->state, &c->w, V, j); }
OP void step_done(stage *c, int j) {}
OP void step_finish(stage *c) {
    state_store(&c->t, c->state_out, DV, &c->state);
    float_store(&c->t, c->fade_out, c->fade);
}
OP void run(stage *c); /* the schedule */

TILE_KERNEL void accumulate_state(ARGUMENTS(ACCUMULATE_STATE) const accumulate_args a) {
    stage c;
    TILE_BEGIN(&c.t);
    if (a.nk == 0) return;
    const portion p = portion_of(&a, AT(cu), a.nk, (int)GROUP(1), (int)GROUP(0));
    const int kv = p.head / a.group, end = p.from + p.tokens; /* an empty segment leaves a zero state */
    c.kt = tensor_view(STORE_k, TENSOR_OF(k, p.sequence), &a.k, p.in, kv, p.first, end);
    c.vt = tensor_view(STORE_v, TENSOR_OF(v, p.sequence), &a.v, p.in, kv, p.first, end);
    c.state_out = AT(state_out) + p.index * DK * DV;
    c.fade_out = AT(fade) + p.index;
    c.from = p.from;
    c.step = a.step;
    c.tokens = p.tokens;
    c.weight = a.weight;
    c.n = (p.tokens + a.step - 1) / a.step;
    decays_begin(&c.d, AT(decay), &a, &p);
    run(&c);
}

/* accumulate apply:  o_i = scale S^T q_i with one state for every query (linear attention that is not causal), or one a
 * segment. An item is one segment of the queries of one head of one batch or sequence. */
#define Q 0
#define STREAMS 1
#define HELDS 0
#define MAY_OVERLAP 0
#define FRONT_PRODUCTS 0
#define FIRST_READ(s) FRONT
#define LAST_READ(s) BACK
#define WIDTH(s) DK

#ifndef OWN
#define OWN 0 /* 1: each segment has a state of its own */
#endif
typedef struct {
    tile t;
    held q;
    acc_head o;
    acc_state state;
    row factor;
    tensor qt;
    tensor_out ot;
    const __global float *state_in;
    int n, from, step;
    float scale;
} stage;

OP void step_hold(stage *c) { tensor_begin(&c->t, &c->qt); }
OP void step_load(stage *c, int s, int j) { stream_load(&c->t, s, j, &c->qt, c->from + j * c->step); }
OP void step_begin(stage *c) {
    state_load(&c->t, &c->state, c->state_in, DV);
    state_publish(&c->t, &c->state);
    EACH_ROW(r) c->factor.x[r] = c->scale;
}
OP void step_front(stage *c, int j) { rows_load(&c->t, &c->q, Q, j); }
OP void step_middle(stage *c, int j) {}
OP void step_settle(stage *c, int j) {}
OP void step_back(stage *c, int j) {
    acc_bind(&c->o, &c->ot, c->from + j * c->step);
    mma_state(&c->t, &c->o, &c->q, &c->state, &c->factor);
}
OP void step_done(stage *c, int j) { acc_store(&c->t, &c->ot, c->from + j * c->step, &c->o, DV); }
OP void step_finish(stage *c) {}
OP void run(stage *c); /* the schedule */

TILE_KERNEL void accumulate_apply(ARGUMENTS(ACCUMULATE_APPLY) const accumulate_args a) {
    stage c;
    TILE_BEGIN(&c.t);
    if (a.nk == 0) return;
    const int item = (int)GROUP(1);
    const portion p = portion_of(&a, AT(cu), a.nq, item, (int)GROUP(0));
    if (p.tokens <= 0) return;
    c.qt = tensor_view(STORE_q, TENSOR_OF(q, p.sequence), &a.q, p.in, p.head, p.first, p.from + p.tokens);
    c.ot = out_view(AT(o), &a.o, p.in, p.head, p.first, p.from + p.tokens);
    c.state_in = AT(state) + (OWN ? p.index : p.index / a.segments) * DK * DV;
    c.from = p.from;
    c.step = a.step;
    c.n = (p.tokens + a.step - 1) / a.step;
    c.scale = a.scale;
    run(&c);
}

/* attend backward, dQ:  dQ = scale dX K  over the listed blocks; dX as in attend/gradient.cl.
 * An item is a block of query rows of one head; its line is that of attend forward: the first keys of the blocks that
 * it may see, those that ask the mask first. S and dP are products of held rows (q and do) and arriving tiles (k and
 * v).
 *
 *   +------+ +------+   K tile j, V tile j        front:  S = Q K^T, dP = dO V^T
 *   | Q BM | |dO BM |   +----------+              middle: P, dX (BM x BN, one tile at a time)
 *   | x DK | |x DV  |   | BN x DK  |              back:   dQ += dX K
 *   +------+ +------+   +----------+              finish: dQ * scale
 *
 * DK = DV: the wider of both, of which WIDTH_K and WIDTH_V columns exist. */
#define K 0
#define V 1
#define STREAMS 2
#define HELDS 2
#define MAY_OVERLAP 1
#define FIRST_READ(s) FRONT
#define LAST_READ(s) ((s) == K ? BACK : FRONT)
#define WIDTH(s) DK
#undef COLUMNS
#define COLUMNS(s) ((s) == K ? WIDTH_K : WIDTH_V)
#ifndef QUERIES
#define QUERIES 1 /* 0: dQ is made elsewhere, this pass is for the slopes alone */
#endif
#include "attend/pairs.cl"
typedef struct {
    tile t;
    held q, g;
    acc_pair p, d;
    op_pair dx;
    acc_head dq;
    row from, minus, delta, slopes;
    __global float *slopes_at; /* as the next ones: of this block's first row */
    tensor qt, gt, kt, vt;
    tensor_out dqt;
    const __global float *from_at, *minus_at, *delta_at; /* of this block's first row */
    const __global int *list;
    int n, masked;
    int row0, rows, key0;
    score_args a;
    float scale, scale_in, scale2;
} stage;
#define TERM(c, name, i) (c)->name.x[ROW_OF(i)]
#include "attend/gradient.cl"

OP void step_hold(stage *c) {
    tensor_begin(&c->t, &c->qt);
    tensor_begin(&c->t, &c->gt);
    tensor_begin(&c->t, &c->kt);
    tensor_begin(&c->t, &c->vt);
    held_load(&c->t, &c->q, &c->qt, c->row0, WIDTH_K);
    held_load(&c->t, &c->g, &c->gt, c->row0, WIDTH_V);
}
OP void step_load(stage *c, int s, int j) { stream_load(&c->t, s, j, s == K ? &c->kt : &c->vt, c->list[j]); }
OP void step_begin(stage *c) {
    held_wait(&c->t);
    acc_zero(&c->dq);
    EACH_ROW(r) c->slopes.x[r] = 0.0f;
    row_load(&c->t, &c->from, c->from_at, 1, 0, c->rows);
    row_load(&c->t, &c->minus, c->minus_at, 1, 0, c->rows);
    row_load(&c->t, &c->delta, c->delta_at, 1, 0, c->rows);
}
OP void step_front(stage *c, int j) {
    c->key0 = stream_first(&c->t, K, j, c->list[j]);
    mma_abt(&c->t, &c->p, &c->q, K, j);
    mma_abt(&c->t, &c->d, &c->g, V, j);
}
OP void step_middle(stage *c, int j) { pair_gradients(c, j < c->masked, c->row0, c->key0); }
OP void step_settle(stage *c, int j) {
    if (QUERIES) convert(&c->dx, &c->d);
}
OP void step_back(stage *c, int j) {
#if !QUERIES
#elif PADDING
    const int key0 = stream_first(&c->t, K, j, c->list[j]);
    mma_ab_seen(&c->t, &c->dq, &c->dx, K, j, c->a.padding + key0, c->a.nk - key0);
#else
    mma_ab(&c->t, &c->dq, &c->dx, K, j);
#endif
}
OP void step_done(stage *c, int j) {}
OP void step_finish(stage *c) {
#if QUERIES
    row f;
    EACH_ROW(r) f.x[r] = c->scale;
    row_scale(&c->dq, &f);
    if (c->dqt.x) acc_store(&c->t, &c->dqt, c->row0, &c->dq, WIDTH_K);
#endif
#if SLOPES /* behind dQ: where this join's barrier came before, pocl 3.1 stored rows of dQ that do not exist (simt) */
    row_join_sum(&c->t, &c->slopes);
    row_store(&c->t, c->slopes_at, 1, 0, c->rows, &c->slopes);
#endif
}
OP void run(stage *c); /* the schedule */

OP void attend_item(stage *c, const item_place at, ARGUMENTS_IN(ATTEND_BACKWARD_Q) const attend_backward_args *b) {
    const attend_args *a = &b->a;
    const int of_all = at.head / a->inner, head = at.head - of_all * a->inner, of_kv = head / a->group;
    const list_line line = line_at(AT(lines), of_all * a->list_batch + head * a->list_head + at.row);
    const span seq = span_of(PACKED ? line.sequence : of_all, PASS(cu_q), PASS(cu_k), a);
    const int sequence = PACKED ? seq.number : 0, in = seq.in;
    c->row0 = (PACKED ? at.row - SEQUENCE_LINE(seq.q0, a->step, sequence) : at.row) * a->step;
    c->rows = min(a->step, seq.nq - c->row0);
    if (c->rows <= 0 || (PACKED && c->row0 < 0)) return; /* below 0: cu_seqlens that fall */
    c->qt = tensor_view(STORE_q, TENSOR_OF(q, sequence), &a->q, in, head, seq.q0, c->row0 + c->rows);
    c->gt = tensor_view(STORE_g, TENSOR_OF(g, sequence), &a->o, in, head, seq.q0, c->row0 + c->rows);
    c->kt = tensor_view(STORE_k, TENSOR_OF(k, sequence), &a->k, in, of_kv, seq.k0, seq.nk);
    c->vt = tensor_view(STORE_v, TENSOR_OF(v, sequence), &a->v, in, of_kv, seq.k0, seq.nk);
    c->dqt = out_view(AT(dq), &b->dq, in, head, seq.q0, c->row0 + c->rows);
    if (!dq_base) c->dqt.x = 0;
    const long first = in * a->lse_batch + head * a->lse_head + seq.q0 + c->row0;
    if (SLOPES) c->slopes_at = AT(row_slopes) + first;
    c->from_at = AT(from) + first;
    c->minus_at = AT(minus) + first;
    c->delta_at = AT(delta) + first;
    c->list = AT(list) + line.start;
    c->n = line.entries;
    c->masked = line.masked;
    c->a = score_args_of(&seq, head, PASSED(ATTEND_SCORES) a);
    c->scale = a->scale;
    c->scale_in = a->scale * score_in(&c->a);
    c->scale2 = LOG2E * (SCORES ? score_out(&c->a) : a->scale);
    run(c);
}
TILE_KERNEL void attend_backward_q(ARGUMENTS(ATTEND_BACKWARD_Q) const attend_backward_args b) {
    stage c;
    TILE_BEGIN(&c.t);
    held_at(&c.t, &c.q, 0);
    held_at(&c.t, &c.g, 1);
    if (b.a.nq == 0 || (!SLOPES && !dq_base)) return;
    EACH_ITEM(
        &c.t, at, TENSOR_AT(q), b.a.rows, b.a.items, 1, b.a.crowd, attend_item(&c, at, PASSED(ATTEND_BACKWARD_Q) & b))
}

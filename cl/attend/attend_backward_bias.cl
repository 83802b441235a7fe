/* attend backward, the gradient of the additive bias:  dbias = dX, summed over the heads and batches that share a
 * plane. dX as in attend/gradient.cl. An item is a part of the line of a block of query rows; it does the sharing heads
 * one after another, and adds their tiles of dX to memory: in a fixed order, and no other item comes there. Zeros were
 * put there before. Products and lines are those of attend_backward_q; lines of the sharing heads may differ. */
#define K 0
#define V 1
#define STREAMS 2
#define HELDS 2
#define MAY_OVERLAP 0
#define FIRST_READ(s) FRONT
#define LAST_READ(s) FRONT
#define WIDTH(s) DK
#undef COLUMNS
#define COLUMNS(s) ((s) == K ? WIDTH_K : WIDTH_V)
#include "attend/pairs.cl"
typedef struct {
    tile t;
    held q, g;
    acc_pair p, d;
    row from, minus, delta;
    tensor qt, gt, kt, vt;
    const __global float *from_at, *minus_at, *delta_at; /* of this block's first row */
    __global float *dbias;                               /* of the plane's row of this block */
    const __global int *list;
    int n, masked;
    int row0, rows, key0;
    score_args a;
    float scale_in, scale2;
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
    row_load(&c->t, &c->from, c->from_at, 1, 0, c->rows);
    row_load(&c->t, &c->minus, c->minus_at, 1, 0, c->rows);
    row_load(&c->t, &c->delta, c->delta_at, 1, 0, c->rows);
}
OP void step_front(stage *c, int j) {
    c->key0 = stream_first(&c->t, K, j, c->list[j]);
    mma_abt(&c->t, &c->p, &c->q, K, j);
    mma_abt(&c->t, &c->d, &c->g, V, j);
}
OP void step_middle(stage *c, int j) {
    pair_gradients(c, j < c->masked, c->row0, c->key0);
    pair_leave(&c->t, &c->d, c->dbias + c->key0, c->a.bias_row, c->rows, min(COLS, c->a.nk - c->key0));
}
OP void step_settle(stage *c, int j) {}
OP void step_back(stage *c, int j) {}
OP void step_done(stage *c, int j) {}
OP void step_finish(stage *c) {}
OP void run(stage *c); /* the schedule */

OP void attend_head(
    stage *c, int row, int part, int batch, int head, ARGUMENTS_IN(ATTEND_BACKWARD_BIAS) const backward_bias_args *b) {
    const attend_args *a = &b->a;
    const list_line line = line_at(AT(lines), batch * a->list_batch + head * a->list_head + row);
    const span seq = span_of(batch, PASS(cu_q), PASS(cu_k), a);
    const int share = (line.entries + b->parts - 1) / b->parts, start = min(part * share, line.entries);
    c->row0 = row * a->step;
    c->rows = min(a->step, seq.nq - c->row0);
    c->qt = tensor_view(STORE_q, TENSOR_OF(q, 0), &a->q, batch, head, 0, c->row0 + c->rows);
    c->gt = tensor_view(STORE_g, TENSOR_OF(g, 0), &a->o, batch, head, 0, c->row0 + c->rows);
    c->kt = tensor_view(STORE_k, TENSOR_OF(k, 0), &a->k, batch, head / a->group, 0, seq.nk);
    c->vt = tensor_view(STORE_v, TENSOR_OF(v, 0), &a->v, batch, head / a->group, 0, seq.nk);
    const long first = batch * a->lse_batch + head * a->lse_head + c->row0;
    c->from_at = AT(from) + first;
    c->minus_at = AT(minus) + first;
    c->delta_at = AT(delta) + first;
    c->list = AT(list) + line.start + start;
    c->n = min(share, line.entries - start);
    c->masked = min(max(line.masked - start, 0), c->n);
    c->a = score_args_of(&seq, head, PASSED(ATTEND_SCORES) a);
    c->dbias = AT(dbias) + batch * a->bias_batch + head * a->bias_head + c->row0 * a->bias_row;
    c->scale_in = a->scale * score_in(&c->a);
    c->scale2 = LOG2E * (SCORES ? score_out(&c->a) : a->scale);
    run(c);
}
OP void attend_item(stage *c, const item_place at, ARGUMENTS_IN(ATTEND_BACKWARD_BIAS) const backward_bias_args *b) {
    const int batch0 = at.head / b->planes * b->batches, head0 = at.head % b->planes * b->heads;
    for (int batch = batch0; batch < batch0 + b->batches; batch++)
        for (int head = head0; head < head0 + b->heads; head++)
            attend_head(c, at.row, at.part, batch, head, PASSED(ATTEND_BACKWARD_BIAS) b);
}
TILE_KERNEL void attend_backward_bias(ARGUMENTS(ATTEND_BACKWARD_BIAS) const backward_bias_args b) {
    stage c;
    TILE_BEGIN(&c.t);
    held_at(&c.t, &c.q, 0);
    held_at(&c.t, &c.g, 1);
    if (b.a.nq == 0 || !dbias_base) return;
    EACH_ITEM(&c.t, at, TENSOR_AT(q), b.a.rows, b.a.items, b.parts, b.a.crowd,
        attend_item(&c, at, PASSED(ATTEND_BACKWARD_BIAS) & b))
}

/* attend statistics: what the passes backwards need of rows whose LSE is so far from 0 that its last bit is an error of
 * exp(s - LSE) (where a mask of -1e10 hides every key, it is a thousand). Their softmax is done again, without values:
 *   P = 2^(scale2 (s - from) + minus),   from = the row's maximum, minus = -log2(l).
 * Items, lines and rows are those of attend_backward_q. A block without such a row returns at once. */
#define K 0
#define STREAMS 1
#define HELDS 1
#define MAY_OVERLAP 1
#define FIRST_READ(s) FRONT
#define LAST_READ(s) FRONT
#define WIDTH(s) DK
#undef COLUMNS
#define COLUMNS(s) WIDTH_K
#ifndef SINK
#define SINK 0
#endif
#include "attend/pairs.cl"
#include "attend/softmax.cl"
typedef struct {
    tile t;
    held q;
    acc_pair s;
    softmax x;
    tensor qt, kt;
    const __global float *lse; /* as the next ones: of this block's first row */
    __global float *from, *minus, *sunk;
    const __global int *list;
    int n, masked;
    int row0, rows, key0;
    score_args a;
    float scale_in, scale2;
    float sink;
} stage;

OP void step_hold(stage *c) {
    tensor_begin(&c->t, &c->qt);
    tensor_begin(&c->t, &c->kt);
    held_load(&c->t, &c->q, &c->qt, c->row0, WIDTH_K);
}
OP void step_load(stage *c, int s, int j) { stream_load(&c->t, s, j, &c->kt, c->list[j]); }
OP void step_begin(stage *c) {
    held_wait(&c->t);
    EACH_ROW(r) {
        c->x.m.x[r] = SINK ? c->sink : -INFINITY;
        c->x.l.x[r] = SINK ? row_once(&c->t, c->sink == -INFINITY ? 0.0f : 1.0f) : 0.0f;
    }
}
OP void step_front(stage *c, int j) {
    c->key0 = stream_first(&c->t, K, j, c->list[j]);
    mma_abt(&c->t, &c->s, &c->q, K, j);
}
OP void step_middle(stage *c, int j) {
    score_tile(&c->t, &c->s, c->scale_in, c->row0, c->key0, &c->a);
    if (PARTIAL && j < c->masked) mask_pairs(&c->t, &c->s, c->row0, c->key0, &c->a);
    online_softmax(&c->t, &c->x, &c->s, 0, c->scale2);
}
OP void step_settle(stage *c, int j) {}
OP void step_back(stage *c, int j) {}
OP void step_done(stage *c, int j) {}
OP void step_finish(stage *c) {
    row lse, from, minus, sunk;
    row_join_sum(&c->t, &c->x.l);
    row_load(&c->t, &lse, c->lse, 1, 0, c->rows);
    EACH_ROW(r) {
        const VF m = c->x.m.x[r], given = lse.x[r];
        const VI far = vabs(given) * LOG2E > (VF)(FAR_LSE)&vabs(given) < (VF)(INFINITY);
        from.x[r] = pick(far, m, (VF)(0.0f));
        minus.x[r] = pick(far, base_error(m, c->scale2) - vlog(c->x.l.x[r]) * LOG2E, given * -LOG2E);
        minus.x[r] = pick(given == (VF)(-INFINITY), given, minus.x[r]);
        sunk.x[r] = SINK ? vexp2(fma(c->sink - from.x[r], (VF)(c->scale2), minus.x[r])) : 0.0f;
    }
    row_store(&c->t, c->from, 1, 0, c->rows, &from);
    row_store(&c->t, c->minus, 1, 0, c->rows, &minus);
    if (SINK) row_store(&c->t, c->sunk, 1, 0, c->rows, &sunk);
}
OP void run(stage *c); /* the schedule */

/* Of LSE, which nobody writes: a row is several workers', and one of them may be done before another begins. */
OP int any_far(const stage *c) {
    int far = 0;
    for (int r = 0; r < c->rows; r++) far |= IS_FAR(c->lse[r]);
    return far;
}
OP void attend_item(stage *c, const item_place at, ARGUMENTS_IN(ATTEND_STATISTICS) const attend_args *a) {
    const int of_all = at.head / a->inner, head = at.head - of_all * a->inner, of_kv = head / a->group;
    const list_line line = line_at(AT(lines), of_all * a->list_batch + head * a->list_head + at.row);
    const span seq = span_of(PACKED ? line.sequence : of_all, PASS(cu_q), PASS(cu_k), a);
    const int sequence = PACKED ? seq.number : 0, in = seq.in;
    c->row0 = (PACKED ? at.row - SEQUENCE_LINE(seq.q0, a->step, sequence) : at.row) * a->step;
    c->rows = min(a->step, seq.nq - c->row0);
    if (c->rows <= 0 || (PACKED && c->row0 < 0)) return; /* below 0: cu_seqlens that fall */
    const long first = in * a->lse_batch + head * a->lse_head + seq.q0 + c->row0;
    c->lse = AT(lse) + first;
    c->from = AT(from) + first;
    c->minus = AT(minus) + first;
    c->sunk = SINK ? AT(sunk) + first : 0;
    if (!any_far(c)) return;
    c->qt = tensor_view(STORE_q, TENSOR_OF(q, sequence), &a->q, in, head, seq.q0, c->row0 + c->rows);
    c->kt = tensor_view(STORE_k, TENSOR_OF(k, sequence), &a->k, in, of_kv, seq.k0, seq.nk);
    c->list = AT(list) + line.start;
    c->n = line.entries;
    c->masked = line.masked;
    c->a = score_args_of(&seq, head, PASSED(ATTEND_SCORES) a);
    c->scale_in = a->scale * score_in(&c->a);
    c->scale2 = LOG2E * (SCORES ? score_out(&c->a) : a->scale);
    if (SINK) c->sink = AT(sinks)[head] * (LOG2E / c->scale2);
    run(c);
}
TILE_KERNEL void attend_statistics(ARGUMENTS(ATTEND_STATISTICS) const attend_args a) {
    stage c;
    TILE_BEGIN(&c.t);
    held_at(&c.t, &c.q, 0);
    if (a.nq == 0 || !AT(far)[0]) return;
    EACH_ITEM(&c.t, at, TENSOR_AT(q), a.rows, a.items, 1, a.crowd, attend_item(&c, at, PASSED(ATTEND_STATISTICS) & a))
}

/* attend backward, dK and dV:  dV = P^T dO,  dK = scale dX^T Q  over the query blocks that see a block of keys: the
 * transposed lists. P and dX as in attend/gradient.cl; everything is the transpose of the forward, so that only
 * products A B^T and A B occur.
 * An item is a block of keys of one KV head. Its steps are, for each query head of the group, the first queries of the
 * blocks of that head's line, those that ask the mask first: the sum over the group stays where it is, in a fixed
 * order.
 *
 *   +------+ +------+   Q tile j, dO tile j       front:  S^T = K Q^T, dP^T = V dO^T
 *   | K BM | | V BM |   +----------+              middle: P, dX (BM x BN, rows are keys)
 *   | x DK | | x DV |   | BN x DK  |              back:   dV += P dO, dK += dX Q
 *   +------+ +------+   +----------+              finish: dK * scale
 *
 * With GATHER the same pass gives dQ: a group does all blocks of keys of a KV head, one after another, and each step
 * adds its dX^T K to its queries' rows of `sums`, so in a fixed order; attend_collect makes dQ of them.
 * DK = DV: the wider of both, of which WIDTH_K and WIDTH_V columns exist. */
#define Q 0
#define G 1
#ifndef GATHER
#define GATHER 0 /* 1: dQ leaves every step, and a group does all blocks of keys of its heads */
#endif
#define STREAMS 2
#define HELDS 2
#define MAY_OVERLAP 1
#define FIRST_READ(s) FRONT
#define LAST_READ(s) BACK
#define WIDTH(s) DK
#undef COLUMNS
#define COLUMNS(s) ((s) == Q ? WIDTH_K : WIDTH_V)
#include "attend/pairs.cl"
/* A step: the query head, counted from the group's first, its line, and the first query of the tile. */
typedef struct {
    list_line line;
    int head, entry, query0;
} group_step;
typedef struct {
    tile t;
    held k, v;
    acc_pair p, d;
    op_pair pp, dx;
    acc_head dk, dv;
#if GATHER
    acc_share dq;
    __global float *sums;    /* of the first head's first query */
    long sums_row, step_row; /* step_row: this step's first query, in rows of sums */
#endif
    tensor kt, vt, qt, gt; /* qt, gt: of the group's first head */
    tensor_out dkt, dvt;
    const __global int *lines, *list; /* lines: the first head's */
    list_line line;                   /* of all heads, if they share one */
    long line_head;                   /* from a head's line to the next head's; 0: they share one */
    const __global float *from_all, *minus_all, *delta_all; /* of the first head */
    const __global float *from, *minus, *delta;             /* from this step's first query on */
    long lse_head, bias_head;
    const __global float *slopes, *bias;
    const __global pattern_rule *rules;
    int n, first_head, heads;
    int row0, rows, query0, queries, masked; /* of this step; queries: from query0 on; masked: it asks the mask */
    score_args a;
    float scale, scale_in, scale2;
} stage;
#define TERM(c, name, i) at_column(&(c)->t, (c)->name, i, (c)->queries)
#include "attend/gradient.cl"

OP list_line line_of(const stage *c, int head) {
    return c->line_head ? line_at(c->lines, head * c->line_head) : c->line;
}
/* The group's heads one after another. */
OP group_step step_at(const stage *c, int j) {
    group_step at = {c->line, 0, j, 0};
    if (c->heads > 1 && c->line_head) {
        for (at.line = line_of(c, 0); at.entry >= at.line.entries; at.line = line_of(c, at.head)) {
            at.entry -= at.line.entries;
            at.head++;
        }
    } else if (c->heads > 1) {
        at.head = j / c->line.entries;
        at.entry = j - at.head * c->line.entries;
    }
    at.query0 = c->list[at.line.start + at.entry];
    return at;
}
OP void step_hold(stage *c) {
    tensor_begin(&c->t, &c->kt);
    tensor_begin(&c->t, &c->vt);
    tensor_begin(&c->t, &c->qt);
    tensor_begin(&c->t, &c->gt);
    held_load(&c->t, &c->k, &c->kt, c->row0, WIDTH_K);
    held_load(&c->t, &c->v, &c->vt, c->row0, WIDTH_V);
#if GATHER && PADDING
    held_hide(&c->t, &c->k, c->a.padding + c->row0, c->a.nk - c->row0);
#endif
}
OP void step_load(stage *c, int s, int j) {
    const group_step at = step_at(c, j);
    tensor x = s == Q ? c->qt : c->gt;
    tensor_ahead(&x, at.head);
    stream_load(&c->t, s, j, &x, at.query0);
}
OP void step_begin(stage *c) {
    held_wait(&c->t);
    acc_zero(&c->dk);
    acc_zero(&c->dv);
}
OP void take_head(stage *c, int head) {
    c->a.head = c->first_head + head;
    if (ALIBI) c->a.slope = c->slopes[c->a.head];
    if (BIAS) c->a.bias = c->bias + head * c->bias_head;
    if (PATTERN && c->line_head) c->a.rule = c->rules[c->a.head];
}
OP void step_front(stage *c, int j) {
    const group_step at = step_at(c, j);
    const long first = at.head * c->lse_head + at.query0;
    if (c->heads > 1) take_head(c, at.head);
    c->query0 = at.query0;
    c->queries = c->a.nq - at.query0;
    c->masked = at.entry < at.line.masked;
#if GATHER
    c->step_row = first;
#endif
    c->from = c->from_all + first;
    c->minus = c->minus_all + first;
    c->delta = c->delta_all + first;
    mma_abt(&c->t, &c->p, &c->k, Q, j);
    mma_abt(&c->t, &c->d, &c->v, G, j);
}
OP void step_middle(stage *c, int j) { pair_gradients(c, c->masked, c->query0, c->row0); }
OP void step_settle(stage *c, int j) {
    convert(&c->pp, &c->p);
    convert(&c->dx, &c->d);
}
OP void step_back(stage *c, int j) {
    mma_ab(&c->t, &c->dv, &c->pp, G, j);
    mma_ab(&c->t, &c->dk, &c->dx, Q, j);
}
OP void step_done(stage *c, int j) {
#if GATHER
    mma_gather(&c->t, &c->dq, &c->dx, &c->k, c->rows);
    acc_leave(&c->t, &c->dq, c->sums + c->step_row * c->sums_row, c->sums_row, min(c->queries, COLS));
#endif
}
OP void step_finish(stage *c) {
    row f;
    EACH_ROW(r) f.x[r] = c->scale;
    row_scale(&c->dk, &f);
    if (c->dkt.x) acc_store(&c->t, &c->dkt, c->row0, &c->dk, WIDTH_K);
    if (c->dvt.x) acc_store(&c->t, &c->dvt, c->row0, &c->dv, WIDTH_V);
}
OP void run(stage *c); /* the schedule */

OP void attend_item(stage *c, const item_place at, ARGUMENTS_IN(ATTEND_BACKWARD_KV) const attend_backward_args *b) {
    const attend_args *a = &b->a;
    const int of_all = at.head / a->inner, kv = at.head - of_all * a->inner;
    c->heads = a->group;
    c->first_head = kv * a->group;
    c->line_head = a->list_head;
    c->lines = AT(lines) + 4 * (of_all * a->list_batch + c->first_head * a->list_head + at.row);
    c->line = line_at(c->lines, 0);
    const span seq = span_of(PACKED ? c->line.sequence : of_all, PASS(cu_q), PASS(cu_k), a);
    const int sequence = PACKED ? seq.number : 0, in = seq.in;
    c->row0 = (PACKED ? at.row - SEQUENCE_LINE(seq.k0, a->step, sequence) : at.row) * a->step;
    c->rows = min(a->step, seq.nk - c->row0);
    if (c->rows <= 0 || (PACKED && c->row0 < 0)) return; /* below 0: cu_seqlens that fall */
    c->kt = tensor_view(STORE_k, TENSOR_OF(k, sequence), &a->k, in, kv, seq.k0, c->row0 + c->rows);
    c->vt = tensor_view(STORE_v, TENSOR_OF(v, sequence), &a->v, in, kv, seq.k0, c->row0 + c->rows);
    c->qt = tensor_view(STORE_q, TENSOR_OF(q, sequence), &a->q, in, c->first_head, seq.q0, seq.nq);
    c->gt = tensor_view(STORE_g, TENSOR_OF(g, sequence), &a->o, in, c->first_head, seq.q0, seq.nq);
    c->dkt = out_view(AT(dk), &b->dk, in, kv, seq.k0, c->row0 + c->rows);
    c->dvt = out_view(AT(dv), &b->dv, in, kv, seq.k0, c->row0 + c->rows);
    if (!dk_base) c->dkt.x = 0;
    if (!dv_base) c->dvt.x = 0;
    c->lse_head = a->lse_head;
    c->bias_head = a->bias_head;
    const long first = in * a->lse_batch + c->first_head * a->lse_head + seq.q0;
    c->from_all = AT(from) + first;
    c->minus_all = AT(minus) + first;
    c->delta_all = AT(delta) + first;
#if GATHER
    c->sums = AT(sums) + first * b->sums_row;
    c->sums_row = b->sums_row;
#endif
    c->list = AT(list);
    c->n = 0;
    for (int h = 0; h < c->heads; h++) c->n += line_of(c, h).entries;
    c->a = score_args_of(&seq, c->first_head, PASSED(ATTEND_SCORES) a);
    if (ALIBI) c->slopes = AT(slopes);
    if (BIAS) c->bias = c->a.bias;
    if (PATTERN) c->rules = AT(rules);
    c->scale = a->scale;
    c->scale_in = a->scale * score_in(&c->a);
    c->scale2 = LOG2E * (SCORES ? score_out(&c->a) : a->scale);
    run(c);
}
TILE_KERNEL void attend_backward_kv(ARGUMENTS(ATTEND_BACKWARD_KV) const attend_backward_args b) {
    stage c;
    TILE_BEGIN(&c.t);
    held_at(&c.t, &c.k, 0);
    held_at(&c.t, &c.v, 1);
    if (b.a.nq == 0 || (!GATHER && !dk_base && !dv_base)) return;
#if GATHER
    EACH_ROW_OF_ITEM(at, b.a.rows) attend_item(&c, at, PASSED(ATTEND_BACKWARD_KV) & b);
#else
    EACH_ITEM(
        &c.t, at, TENSOR_AT(q), b.a.rows, b.a.items, 1, b.a.crowd, attend_item(&c, at, PASSED(ATTEND_BACKWARD_KV) & b))
#endif
}

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
 * With GATHER the same pass gives dQ: each step adds its dX^T K to its queries' rows of `sums`, of which attend_collect
 * makes dQ. GATHER 1: a group does blocks of keys of a KV head, one after another: all of them, or a part, with sums of
 * its own, so that they have a fixed order. GATHER 2: groups share a head. ORDERED 1: blocks of keys add to a tile of
 * queries in ascending order all the same: `counts` says how many have, a block waits for those before it, which groups
 * that began earlier do. ORDERED 2: for the first one alone, which lays down what the others add to. 0: the sums begin
 * with zeros. FROM_ENDS, of lists: in which order a block takes its queries, see from_its_end.
 * CHAINS: front, middle, settle and back are P and dV alone, and dX, dK and dQ are a second chain. 1: beside the first
 * one, some bring what a step's queries need, and some take what leaves (schedule/chains.cl); 2: after it, where there
 * is no room for P beside dX (schedule/serial.cl).
 * DK = DV: the wider of both, of which WIDTH_K and WIDTH_V columns exist. */
#define Q 0
#define G 1
#ifndef GATHER
#define GATHER 0
#endif
#ifndef CHAINS
#define CHAINS 0
#endif
#ifndef ORDERED
#define ORDERED 0
#endif
#ifndef FROM_ENDS
#define FROM_ENDS 0
#endif
#define BROUGHT (CHAINS == 1)
#define STREAMS 2
#define HELDS 2
#define MAY_OVERLAP 1
#if CHAINS
#define FIRST_READ(s) ((s) == Q ? FRONT : FRONT2)
#define LAST_READ(s) ((s) == Q ? BACK2 : BACK)
#else
#define FIRST_READ(s) FRONT
#define LAST_READ(s) BACK
#endif
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
    __global float *sums; /* of the first head's first query */
    long sums_row, sums_head,
        step_row; /* sums_head: rows of a head; step_row: of this step's first query, unless BROUGHT */
#endif
#if BROUGHT
    columns_in terms; /* of this step's queries */
#endif
#if CHAINS
    int far;
#endif
#if FROM_ENDS
    int behind; /* have blocks of its head ended before this one begins? */
#endif
#if ORDERED
    __global int *counts; /* of the first head's first query: COUNTS a query row, of which a tile's first has some */
    const __global int *ranks; /* of the lists' entries; NULL: every block before this one adds to its tiles */
    int before;                /* blocks of keys */
    int untold, tell[TELLS];   /* the last additions, the latest first: so many of them nobody has been told of */
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
#if BROUGHT
#define TERM_from 0
#define TERM_minus 1
#define TERM_delta 2
#define TERM(c, name, i) column_of(&(c)->t, (c)->terms, TERM_##name, i)
#else
#define TERM(c, name, i) at_column(&(c)->t, (c)->name, i, (c)->queries)
#endif
#include "attend/gradient.cl"

OP list_line line_of(const stage *c, int head) {
    return c->line_head ? line_at(c->lines, head * c->line_head) : c->line;
}
/* Neighbours in a window share most of their queries. Where each begins at the end that its successors reach last, it
 * finds that those before it have been there long ago. Not those blocks that begin together, for which a long line,
 * that of a block which all queries see, has not got anywhere yet. */
OP int from_its_end(const stage *c, const list_line *line) {
#if FROM_ENDS
    return c->behind && !line->masked && 2 * line->entries * BN < c->a.nq;
#else
    return 0;
#endif
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
    if (from_its_end(c, &at.line)) at.entry = at.line.entries - 1 - at.entry;
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
}
OP void step_load(stage *c, int s, int j) {
    const group_step at = step_at(c, j);
    tensor x = s == Q ? c->qt : c->gt;
    tensor_ahead(&x, at.head);
    stream_load(&c->t, s, j, &x, at.query0);
}
OP long first_row(const stage *c, const group_step *at) { return at->head * c->lse_head + at->query0; }
#if GATHER
OP long first_sum(const stage *c, const group_step *at) { return at->head * c->sums_head + at->query0; }
#endif
#if BROUGHT
/* Where a step's share goes: its row among counts, and among sums; how many add before it. Those who take it would have
 * to ask memory, and wait for that between two additions. */
OP void step_place(stage *c, const group_step *at) {
    int rank = 0;
#if ORDERED
    rank = c->ranks ? c->ranks[at->line.start + at->entry] : c->before;
#endif
    leave_place(&c->t, (int)first_row(c, at), (int)first_sum(c, at), rank);
}
/* What a step's queries need, by those who bring it. */
OP void step_columns(stage *c, int j) {
    const group_step at = step_at(c, j);
    const long first = first_row(c, &at);
    const int n = c->a.nq - at.query0;
    columns_load(&c->t, j, TERM_from, c->from_all + first, n);
    columns_load(&c->t, j, TERM_minus, c->minus_all + first, n);
    columns_load(&c->t, j, TERM_delta, c->delta_all + first, n);
    columns_send(&c->t, j);
    step_place(c, &at);
}
#endif
OP void step_begin(stage *c) {
    held_wait(&c->t);
#if GATHER && PADDING
    held_hide(&c->t, &c->k, c->a.padding + c->row0, c->a.nk - c->row0);
#endif
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
    const long first = first_row(c, &at);
    if (c->heads > 1) take_head(c, at.head);
    c->query0 = at.query0;
    c->queries = c->a.nq - at.query0;
    c->masked = at.entry < at.line.masked;
#if GATHER && !BROUGHT
    c->step_row = first_sum(c, &at);
#endif
#if BROUGHT
    c->terms = columns_wait(&c->t, j);
#else
    c->from = c->from_all + first;
    c->minus = c->minus_all + first;
    c->delta = c->delta_all + first;
#endif
    mma_abt(&c->t, &c->p, &c->k, Q, j);
    if (!CHAINS) mma_abt(&c->t, &c->d, &c->v, G, j);
}
OP void step_middle(stage *c, int j) {
#if CHAINS
    pair_weights(c, c->masked, c->query0, c->row0);
#else
    pair_gradients(c, c->masked, c->query0, c->row0);
#endif
}
OP void step_settle(stage *c, int j) {
    convert(&c->pp, &c->p);
    if (!CHAINS) convert(&c->dx, &c->d);
}
OP void step_back(stage *c, int j) {
    mma_ab(&c->t, &c->dv, &c->pp, G, j);
    if (!CHAINS) mma_ab(&c->t, &c->dk, &c->dx, Q, j);
}
#if GATHER
OP void step_gather(stage *c, int j) { mma_gather(&c->t, &c->dq, &c->dx, &c->k, c->rows); }
OP void step_leave(stage *c, int j) {
#if BROUGHT
    acc_leave(&c->t, &c->dq, 0, 0, 0); /* step_take says where to */
#else
    acc_leave(&c->t, &c->dq, c->sums + c->step_row * c->sums_row, c->sums_row, min(c->queries, COLS));
#endif
}
#endif
OP void step_done(stage *c, int j) {
#if GATHER
    step_gather(c, j);
    step_leave(c, j);
#endif
}
#if CHAINS
OP void step_front2(stage *c, int j) { mma_abt(&c->t, &c->d, &c->v, G, j); }
OP void step_middle2(stage *c, int j) {
    pair_again(&c->t, &c->p);
    pair_slopes(c);
}
OP void step_settle2(stage *c, int j) { convert(&c->dx, &c->d); }
OP void step_back2(stage *c, int j) { mma_ab(&c->t, &c->dk, &c->dx, Q, j); }
#endif
#if BROUGHT
OP void step_publish(stage *c, int j) { publish(&c->t, &c->dx, j); }
#if ORDERED
OP __global int *counts_of(const stage *c, int row) { return c->counts + (long)row * COUNTS; }
/* Those who wait hear of what was added. */
OP void step_tell(stage *c) {
    leave_flush(&c->t);
    if (!c->untold) return;
    order_close(&c->t);
    UNROLL
    for (int i = TELLS - 1; i >= 0; i--)
        if (i < c->untold) order_pass(&c->t, counts_of(c, c->tell[i]));
    c->untold = 0;
}
/* Before a share is added that `rank` others add before. */
OP void step_order(stage *c, int row, int rank) {
    const int others = ORDERED == 2 ? min(rank, 1) : rank, is = order_is(&c->t, counts_of(c, row), others);
    if (!is || c->untold == (ORDERED == 2 ? 1 : TELLS)) step_tell(c);
    order_wait(&c->t, counts_of(c, row), others, is);
    if (ORDERED == 2 && rank) return;
    UNROLL
    for (int i = TELLS - 1; i > 0; i--) c->tell[i] = c->tell[i - 1];
    c->tell[0] = row;
    c->untold++;
}
#else
OP void step_tell(stage *c) { leave_flush(&c->t); }
#endif
/* By those who add to memory what has left. */
OP void step_take(stage *c) {
    const share_place to = leave_where(&c->t); /* step_place */
#if ORDERED
    step_order(c, to.row, to.rank);
#endif
    leave_take(&c->t, c->sums + to.sum * c->sums_row, ORDERED && to.rank == 0);
    leave_taken(&c->t);
}
#endif
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
    c->sums_head = b->sums_head;
    const int first_sums = GATHER == 2 && PACKED ? SEQUENCE_LINE(seq.q0, BN, sequence) * BN : seq.q0;
    c->sums = AT(sums) +
              ((in * (a->lse_batch / a->lse_head) + c->first_head) * c->sums_head + first_sums) * b->sums_row +
              (GATHER == 1 ? at.part * b->sums_part : 0);
    c->sums_row = b->sums_row;
#endif
#if ORDERED
    c->counts = AT(counts) + first * COUNTS;
    c->ranks = ranks_base ? AT(ranks) : 0;
    c->before = c->row0 / a->step;
    c->untold = 0;
    for (int i = 0; i < TELLS; i++) c->tell[i] = 0;
#endif
#if FROM_ENDS
    c->behind = at.row * a->crowd >= (int)GROUPS(0);
#endif
#if CHAINS
    c->far = AT(far)[0];
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
#if GATHER == 1
    EACH_ROW_OF_ITEM(at, b.a.rows) attend_item(&c, at, PASSED(ATTEND_BACKWARD_KV) & b);
#else
    EACH_ITEM(
        &c.t, at, TENSOR_AT(q), b.a.rows, b.a.items, 1, b.a.crowd, attend_item(&c, at, PASSED(ATTEND_BACKWARD_KV) & b))
#endif
}

/* attend forward:  O = softmax(score(scale Q K^T)) V over the listed blocks, LSE out.
 * An item is a block of query rows of one head (or of PACK heads of a GQA group). Its line (start, entries, masked,
 * sequence) names a list of the first keys of the blocks it may see; the first `masked` entries are masked, the others
 * run no mask code. With parts > 1 a list is cut, and each part leaves a partial result (O, m, l) for merge_lse: where
 * a mask of -1e10 hides a row, m + ln l would lose l. With BLEND a result joins another branch's:
 *   O = (1 - g) before + g this  (BLEND 2: g before + (1 - g) this);
 * where one of them saw no key it is the other's. m, l: see attend/softmax.cl.
 *
 *            keys, by the list:   list[start ...] = first keys of tiles; the first `masked` of them ask the mask
 *            +- K tile j -+- K j+1 -+
 *   +------+ |  S = Q K^T  |           S, P: BM x BN, one tile at a time, never N x N
 *   | Q BM | +-------------+           row r of a tile: token r / PACK, head r % PACK
 *   | x DK | +- V tile j --+
 *   +------+ |  O += P V   |           O: BM x DV stays; m, l, alpha: a number a row
 *    held    +-------------+ */
#define K 0 /* the streams: tiles that arrive step by step */
#define V 1
#define STREAMS 2
#define HELDS 1
#define MAY_OVERLAP 1 /* front(j) leaves alone what back(j-1) uses */
#define FIRST_READ(s) ((s) == K ? FRONT : BACK)
#define LAST_READ(s) ((s) == K ? FRONT : BACK)
#define WIDTH(s) ((s) == K ? DK : DV)
#ifndef SINK
#define SINK 0
#endif
#ifndef BLEND
#define BLEND 0
#endif
#ifndef CUT /* 1: parts > 1, whose lse is m and l, one behind the other */
#define CUT 0
#endif
#include "attend/pairs.cl"
#include "attend/softmax.cl"

typedef struct {
    tile t;
    held q;     /* BM x DK, stays              */
    acc_pair s; /* BM x BN scores              */
    op_pair p;  /* the same, as an operand     */
    acc_head o; /* BM x DV                     */
    softmax x;
    tensor qt, kt, vt;
    tensor_out ot;
    __global float *lse;
    long lse_head;
    /* BLEND: of this block's first row; gate 0: 1/2 */
    const __global out_elem *before;
    const __global float *before_lse, *gate;
    const __global int *list;
    int n, masked;
    int row0, rows, key0; /* rows of this block that exist; first key of the last front's block */
    score_args a;
    /* what a score text is given; what turns its result into an exponent of 2 */
    float scale_in, scale2;
    float sink, sink_weight; /* of the parts of a list, the first one counts the sink */
} stage;

OP void step_hold(stage *c) {
    tensor_begin(&c->t, &c->qt);
    tensor_begin(&c->t, &c->kt);
    tensor_begin(&c->t, &c->vt);
    held_load(&c->t, &c->q, &c->qt, c->row0 * PACK, DK);
}
OP void step_load(stage *c, int s, int j) { stream_load(&c->t, s, j, s == K ? &c->kt : &c->vt, c->list[j]); }
#if BIAS
OP void fetch_bias(stage *c, int key0) {
    pair_fetch(&c->t, c->a.bias + c->row0 * c->a.bias_row + key0, c->a.bias_row, c->rows, c->a.nk - key0);
}
#endif
OP void step_begin(stage *c) {
    held_wait(&c->t);
    acc_zero(&c->o);
    EACH_ROW(r) {
        c->x.m.x[r] = SINK ? c->sink : -INFINITY;
        c->x.l.x[r] = SINK ? row_once(&c->t, c->sink_weight) : 0.0f;
    }
#if BIAS
    if (c->n) fetch_bias(c, c->list[0]);
#endif
}
OP void step_front(stage *c, int j) {
    if (SCORES || PARTIAL) c->key0 = stream_first(&c->t, K, j, c->list[j]);
    stream_turn(&c->t, V, j);
    mma_abt(&c->t, &c->s, &c->q, K, j);
}
OP void step_middle(stage *c, int j) {
    const int row0 = c->row0, key0 = c->key0;
#if SCORES
#if BIAS
    pair_scale_add(
        &c->t, &c->s, c->scale_in, c->a.bias + row0 * c->a.bias_row + key0, c->a.bias_row, c->rows, c->a.nk - key0);
    if (j + 1 < c->n) fetch_bias(c, c->list[j + 1]);
    const float scale_in = 1.0f;
#else
    const float scale_in = c->scale_in;
#endif
    if (TEXTS) score_pairs(&c->t, &c->s, scale_in, row0, key0, &c->a);
#endif
    if (PARTIAL && j < c->masked) mask_pairs(&c->t, &c->s, row0, key0, &c->a);
    online_softmax(&c->t, &c->x, &c->s, &c->p, c->scale2);
}
OP void step_settle(stage *c, int j) {
    row_scale(&c->o, &c->x.alpha);
    convert_put(&c->t, &c->p, &c->s);
}
OP void step_back(stage *c, int j) {
#if PADDING /* behind padding may lie anything */
    const int key0 = stream_first(&c->t, V, j, c->list[j]);
    mma_ab_seen(&c->t, &c->o, &c->p, V, j, c->a.padding + key0, c->a.nk - key0);
#else
    mma_ab(&c->t, &c->o, &c->p, V, j);
#endif
}
OP void step_done(stage *c, int j) {}
#if BLEND
/* The share of what was there before. */
OP void blend(stage *c, row *share, row *inv) {
    const int rows = c->rows * PACK;
    row seen;
    row_load(&c->t, &seen, c->before_lse, 1, c->lse_head, rows);
    if (c->gate) row_load(&c->t, share, c->gate, 1, c->lse_head, rows);
    else
        EACH_ROW(r) share->x[r] = 0.5f;
    EACH_ROW(r) {
        share->x[r] = pick(c->x.l.x[r] == (VF)(0.0f), (VF)(1.0f),
            pick(seen.x[r] == (VF)(-INFINITY), (VF)(0.0f), BLEND == 2 ? share->x[r] : (VF)(1.0f) - share->x[r]));
        inv->x[r] *= (VF)(1.0f) - share->x[r];
    }
}
#endif
OP void step_finish(stage *c) {
    row inv, z;
    row_join_sum(&c->t, &c->x.l);
    EACH_ROW(r) {
        const VI unseen = c->x.l.x[r] == (VF)(0.0f); /* NaN is neither 0 nor hidden */
        inv.x[r] = pick(unseen, (VF)(0.0f), (VF)(1.0f) / c->x.l.x[r]);
        z.x[r] = c->x.m.x[r] * (c->scale2 * LN2);
        z.x[r] += CUT ? c->x.l.x[r] - c->x.l.x[r] : vlog(c->x.l.x[r]); /* NaN goes on, whatever m is */
        z.x[r] = pick(unseen, (VF)(-INFINITY), z.x[r]);
    }
#if BLEND
    row share;
    blend(c, &share, &inv);
    row_scale(&c->o, &inv);
    acc_add(&c->t, &c->o, &share, c->before, DV, c->lse_head * DV, c->rows * PACK);
#else
    row_scale(&c->o, &inv);
#endif
    acc_store(&c->t, &c->ot, c->row0 * PACK, &c->o, DV);
    if (CUT || c->lse) row_store(&c->t, c->lse, 1 + CUT, c->lse_head, c->rows * PACK, &z);
    if (CUT) row_store(&c->t, c->lse + 1, 2, c->lse_head, c->rows * PACK, &c->x.l);
}
OP void run(stage *c); /* the schedule */

OP void attend_item(stage *c, const item_place at, ARGUMENTS_IN(ATTEND_FORWARD) const attend_args *a) {
    const int item = at.head, part = at.part;
    const int outer = item / a->inner, inner = item - outer * a->inner, of_all = a->abreast ? inner : outer;
    const int head = (a->abreast ? outer : inner) * PACK, of_kv = head / a->group;
    const list_line line = line_at(AT(lines), of_all * a->list_batch + head * a->list_head + at.row);
    const span seq = span_of(PACKED ? line.sequence : of_all, PASS(cu_q), PASS(cu_k), a);
    const int in = seq.in, q0 = seq.q0, k0 = seq.k0, nk = seq.nk;
    const int sequence = PACKED ? seq.number : 0;
    c->row0 = (PACKED ? at.row - SEQUENCE_LINE(q0, a->step, sequence) : at.row) * a->step;
    c->rows = min(a->step, seq.nq - c->row0);
    if (c->rows <= 0 || (PACKED && c->row0 < 0)) return; /* below 0: cu_seqlens that fall */
    c->qt = tensor_view(STORE_q, TENSOR_OF(q, sequence), &a->q, in, head, q0, (c->row0 + c->rows) * PACK);
    c->kt = tensor_view(STORE_k, TENSOR_OF(k, sequence), &a->k, in, of_kv, k0, nk);
    c->vt = tensor_view(STORE_v, TENSOR_OF(v, sequence), &a->v, in, of_kv, k0, nk);
    c->ot = out_view(AT(o) + part * a->o_part, &a->o, in, head, q0, (c->row0 + c->rows) * PACK);
    const long at_row = in * a->lse_batch + head * a->lse_head + q0 + c->row0;
    c->lse = lse_base ? AT(lse) + part * a->lse_part + at_row * (1 + CUT) : 0;
    c->lse_head = a->lse_head * (1 + CUT);
    if (BLEND) {
        c->before = AT(before) + at_row * DV;
        c->before_lse = AT(before_lse) + at_row;
        c->gate = gate_base ? AT(gate) + at_row : 0;
    }
    const int all = line.entries, share = a->parts > 1 ? (all + a->parts - 1) / a->parts : all,
              start = min(part * share, all);
    c->list = AT(list) + line.start + start;
    c->n = min(share, all - start);
    c->masked = min(max(line.masked - start, 0), c->n);
    c->a = score_args_of(&seq, head, PASSED(ATTEND_SCORES) a);
    c->scale_in = a->scale * score_in(&c->a);
    c->scale2 = LOG2E * (SCORES ? score_out(&c->a) : a->scale);
    /* m is kept in units of s */
    if (SINK) {
        c->sink = part ? -INFINITY : AT(sinks)[head] * (LOG2E / c->scale2);
        c->sink_weight = c->sink == -INFINITY ? 0.0f : 1.0f;
    }
    run(c);
}
TILE_KERNEL void attend_forward(ARGUMENTS(ATTEND_FORWARD) const attend_args a) {
    stage c;
    TILE_BEGIN(&c.t);
    held_at(&c.t, &c.q, 0);
    if (a.nq == 0) return;
    EACH_ITEM(
        &c.t, at, TENSOR_AT(q), a.rows, a.items, a.parts, a.crowd, attend_item(&c, at, PASSED(ATTEND_FORWARD) & a))
}

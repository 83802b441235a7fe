/* attend forward:  O = softmax(score(scale Q K^T)) V over the listed blocks, LSE out.
 * An item is a block of query rows of one head (or of PACK heads of a GQA group). Its line (start, entries, masked,
 * sequence) names a list of the first keys of the blocks it may see; the first `masked` entries are masked, the others
 * run no mask code. With parts > 1 a list is cut, and each part leaves a partial result (O, LSE) for merge_lse. With
 * BLEND a result joins another branch's:  O = (1 - g) before + g this  (BLEND 2: g before + (1 - g) this); where one of
 * them saw no key it is the other's. m and l are the running row maximum and sum of Milakov & Gimelshein 2018 /
 * FlashAttention-2, base 2. A weight is 2^(scale2 s - base), one fused operation before the exponential, where base is
 * the maximum times scale2, rounded. The best key's exponent is that rounding: harmless up to BEYOND, more than every
 * exponent a float has where masks of -1e10 stand in the scores. Such rows (far_rows) subtract the maximum first, and
 * their base is 0. A hidden key's score is -infinity, so any finite score counts.
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
#ifndef COLS
/* keys of a block: fewer than a tile's columns where a block is no tile */
#define COLS BN
#endif
#ifndef PARTIAL
#define PARTIAL 1 /* 0: the host promises that no block needs a mask */
#endif
#define BEYOND 1048576.0f /* 2^20: a base is rounded by at most 2^-4 */
#ifndef PACKED
#define PACKED 0 /* sequences one after another: lengths from cu_seqlens */
#endif

#include "attend/args.cl"

typedef struct {
    tile t;
    held q;     /* BM x DK, stays              */
    acc_pair s; /* BM x BN scores              */
    op_pair p;  /* the same, as an operand     */
    acc_head o; /* BM x DV                     */
    row m, l, alpha;
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
    held_load(&c->t, &c->q, &c->qt, c->row0 * PACK);
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
        c->m.x[r] = SINK ? c->sink : -INFINITY;
        c->l.x[r] = SINK ? row_once(&c->t, c->sink_weight) : 0.0f;
    }
#if BIAS
    if (c->n) fetch_bias(c, c->list[0]);
#endif
}
OP void step_front(stage *c, int j) {
    if (SCORES || PARTIAL) c->key0 = stream_first(&c->t, K, j, c->list[j]);
    mma_abt(&c->t, &c->s, &c->q, K, j);
}
/* Rows whose base is beyond what rounds well: scores less the maximum, which is exact where they are near each other.
 */
OP void far_rows(stage *c, const row *best, row *base) {
    row from;
    EACH_ROW(r) {
        const VI far = vabs(base->x[r]) > (VF)(BEYOND);
        from.x[r] = pick(far, best->x[r], (VF)(0.0f));
        c->alpha.x[r] = pick(far, vexp2((c->m.x[r] - best->x[r]) * c->scale2), c->alpha.x[r]);
        base->x[r] = pick(far, (VF)(0.0f), base->x[r]);
    }
    EACH_PAIR(i) c->s.x[i] -= from.x[ROW_OF(i)];
}
/* Rounded the same way whenever it is asked for: a plain product may be fused with what is subtracted from it, even in
 * another statement. */
#define BASE(m) fma(m, (VF)(c->scale2), (VF)(0.0f))
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
    if (TEXTS)
        EACH_PAIR(i) {
            VI query = ROW_AT(&c->t, i) / PACK + row0, key = COL_AT(&c->t, i) + key0;
            if (GATHERS) {
                query = min(query, (VI)(c->a.nq - 1));
                key = min(key, (VI)(c->a.nk - 1));
            }
            c->s.x[i] = score_text(c->s.x[i] * scale_in, query, key, &c->a);
        }
#endif
    if (PARTIAL && j < c->masked) {
        VI first[ROW_LEN], last[ROW_LEN]; /* columns that a row's place lets it see, less COL_BASE */
        EACH_ROW(r) {
            const VI place = ROW_NUMBER(&c->t, r) / PACK + row0 + c->a.shift;
            first[r] = (KEYED ? (VI)(0) : first_seen(place, &c->a) - key0) - COL_BASE(&c->t);
            last[r] =
                min(KEYED ? (VI)(COLS - 1) : last_seen(place, &c->a) - key0, (VI)(min(COLS, c->a.nk - key0) - 1)) -
                COL_BASE(&c->t);
        }
        EACH_PAIR(i) {
            VI hidden = COL_STEP(i) > last[ROW_OF(i)];
            if (WINDOW && !KEYED) hidden |= COL_STEP(i) < first[ROW_OF(i)];
            if (GATHERS)
                hidden |=
                    hidden_text(min(ROW_AT(&c->t, i) / PACK + row0, (VI)(c->a.nq - 1)), COL_AT(&c->t, i) + key0, &c->a);
            c->s.x[i] = pick(hidden, (VF)(-INFINITY), c->s.x[i]);
        }
    }
    parts top, sum;
    row base, best = c->m;
    EACH_PART(k) {
        top.x[k] = -INFINITY;
        sum.x[k] = 0.0f;
    }
    EACH_PAIR(i) top.x[PART_OF(i)] = vmax(top.x[PART_OF(i)], c->s.x[i]);
    fold_max(&c->t, &best, &top);
    VI far = (VI)(0);
    EACH_ROW(r) {
        const VF before = BASE(c->m.x[r]);
        /* 0: a row that has seen nothing */
        base.x[r] = pick(best.x[r] > (VF)(-INFINITY), BASE(best.x[r]), (VF)(0.0f));
        c->alpha.x[r] = vexp2(before - base.x[r]);
        far |= vabs(base.x[r]) > (VF)(BEYOND);
    }
    if (any_lane(far)) far_rows(c, &best, &base);
    EACH_ROW(r) {
        c->m.x[r] = best.x[r];
        c->l.x[r] *= c->alpha.x[r];
    }
    EACH_PAIR(i) {
        c->s.x[i] = vexp2(fma(c->s.x[i], (VF)(c->scale2), -base.x[ROW_OF(i)]));
        sum.x[PART_OF(i)] += c->s.x[i];
    }
    fold_sum(&c->l, &sum);
}
OP void step_settle(stage *c, int j) {
    row_scale(&c->o, &c->alpha);
    convert(&c->p, &c->s);
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
        share->x[r] = pick(c->l.x[r] == (VF)(0.0f), (VF)(1.0f),
            pick(seen.x[r] == (VF)(-INFINITY), (VF)(0.0f), BLEND == 2 ? share->x[r] : (VF)(1.0f) - share->x[r]));
        inv->x[r] *= (VF)(1.0f) - share->x[r];
    }
}
#endif
OP void step_finish(stage *c) {
    row inv, z;
    row_join_sum(&c->t, &c->l);
    EACH_ROW(r) {
        const VI unseen = c->l.x[r] == (VF)(0.0f); /* NaN is neither 0 nor hidden */
        inv.x[r] = pick(unseen, (VF)(0.0f), (VF)(1.0f) / c->l.x[r]);
        z.x[r] = pick(unseen, (VF)(-INFINITY), c->m.x[r] * (c->scale2 * LN2) + vlog(c->l.x[r]));
    }
#if BLEND
    row share;
    blend(c, &share, &inv);
    row_scale(&c->o, &inv);
    acc_add(&c->t, &c->o, &share, c->before, DV, c->lse_head * DV, c->rows * PACK);
#else
    row_scale(&c->o, &inv);
#endif
    acc_store(&c->t, &c->ot, c->row0 * PACK, &c->o);
    if (c->lse) row_store(&c->t, c->lse, 1, c->lse_head, c->rows * PACK, &z);
}
OP void run(stage *c); /* the schedule */

OP void attend_item(stage *c, const item_place at, ARGUMENTS_IN(ATTEND_FORWARD) const attend_args *a) {
    const int item = at.head, part = at.part;
    const int outer = item / a->inner, inner = item - outer * a->inner, of_all = a->abreast ? inner : outer;
    const int head = (a->abreast ? outer : inner) * PACK, of_kv = head / a->group;
    const list_line line = line_at(AT(lines), of_all * a->list_batch + head * a->list_head + at.row);
    const int batch = PACKED ? line.sequence : of_all;
    const int q0 = PACKED ? AT(cu_q)[batch] : 0, nq = PACKED ? AT(cu_q)[batch + 1] - q0 : a->nq;
    const int k0 = PACKED ? AT(cu_k)[batch] : 0, nk = PACKED ? AT(cu_k)[batch + 1] - k0 : a->nk;
    const int in = PACKED ? 0 : batch; /* sequences lie in one batch */
    const int sequence = PACKED ? batch : 0;
    c->row0 = (PACKED ? at.row - SEQUENCE_LINE(q0, a->step, batch) : at.row) * a->step;
    c->rows = min(a->step, nq - c->row0);
    if (c->rows <= 0 || (PACKED && c->row0 < 0)) return; /* below 0: cu_seqlens that fall */
    c->qt = tensor_view(STORE_q, TENSOR_OF(q, sequence), &a->q, in, head, q0, (c->row0 + c->rows) * PACK);
    c->kt = tensor_view(STORE_k, TENSOR_OF(k, sequence), &a->k, in, of_kv, k0, nk);
    c->vt = tensor_view(STORE_v, TENSOR_OF(v, sequence), &a->v, in, of_kv, k0, nk);
    c->ot = out_view(AT(o) + part * a->o_part, &a->o, in, head, q0, (c->row0 + c->rows) * PACK);
    c->lse = lse_base ? AT(lse) + part * a->lse_part + in * a->lse_batch + head * a->lse_head + q0 + c->row0 : 0;
    c->lse_head = a->lse_head;
    if (BLEND) {
        const long at = in * a->lse_batch + head * a->lse_head + q0 + c->row0;
        c->before = AT(before) + at * DV;
        c->before_lse = AT(before_lse) + at;
        c->gate = gate_base ? AT(gate) + at : 0;
    }
    const int all = line.entries, share = a->parts > 1 ? (all + a->parts - 1) / a->parts : all,
              start = min(part * share, all);
    c->list = AT(list) + line.start + start;
    c->n = min(share, all - start);
    c->masked = min(max(line.masked - start, 0), c->n);
    c->a.shift = (KEYED ? a->places : nk) - nq;
    c->a.nq = nq;
    c->a.nk = nk;
    c->a.left = a->left;
    c->a.right = a->right;
    c->a.cap = a->cap;
    c->a.batch = batch;
    c->a.head = head;
    c->scale_in = a->scale * score_in(&c->a);
    c->scale2 = LOG2E * (SCORES ? score_out(&c->a) : a->scale);
    if (ALIBI) c->a.slope = AT(slopes)[head];
    if (BIAS) {
        c->a.bias = AT(bias) + batch * a->bias_batch + head * a->bias_head;
        c->a.bias_row = a->bias_row;
    }
    if (PADDING) c->a.padding = AT(padding) + (PACKED ? k0 : batch * a->padding_batch);
    if (KEYED) c->a.positions = AT(positions);
    if (PATTERN) {
        c->a.rule = AT(rules)[a->list_head ? head : 0];
        c->a.flags = AT(flags);
    }
    if (SCORE_TEXT || MASK_TEXT) {
        c->a.buffer = AT(text_buffer);
        for (int i = 0; i < 8; i++) c->a.p[i] = a->p[i];
    }
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

/* The pass backwards is linear attention three times, with other tensors in the places of q, k and v
 * (Katharopoulos et al. 2020, section 3.3.1; chunked as in Yang et al. 2023):
 *   dq = forward(g, v, k)                 its states are those of the forward pass, transposed
 *   dk = forward(v, g, q), dv = forward(k, q, g)     from the last token to the first
 * with phi(q), phi(k), and v and g with the normaliser's column, where there are such. Scale is what a key adds to
 * a state where g is among the keys. */
#include "accumulate/backward.h"

#include "accumulate/parts.h"
#include "layout/blocks.h"
#include "line/line.h"
#include "plan/slots.h"

typedef struct operand {
    ct_ref ref;
    clattn_strides strides;
    clattn_dtype type;
    int64_t heads, width;
} operand;

typedef struct backward {
    const ct_accumulate *a;
    const ct_accumulate_gradient *gradient;
    operand q, k, v, g;   /* as the products see them */
    ct_blocks left_out;   /* by blocks of keys, where the problem has such */
    ct_entering entering; /* states of dv, which are those of dk, transposed */
    /* for the decay's gradient: q . dq and k . dk of each head's tokens, the last state and its gradient, transposed */
    ct_ref of_q, of_k, last, arriving;
} backward;

/* g of the numerator and of the normaliser, for which the forward pass is made again. */
static clattn_status divide_gradient(ct_builder *b, backward *w, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = w->a;
    ct_launch *l = NULL;
    CT_TRY(ct_accumulate_run_add(b, run));
    const ct_ref zone = ct_builder_zone(b, "gradient of o, normaliser", a->batch * a->heads * a->nq * run->width, 4);
    const divide_backward_args args = {
        .g = a->o_strides, .n = a->nq, .heads = (int32_t)a->heads, .width = (int32_t)a->dv, .rows = CT_ROWS_A_GROUP};
    const struct {
        CT_REFS(DIVIDE_BACKWARD)
    } buffers = {.g = w->gradient->g, .x = run->a.o, .weight = w->gradient->weight, .dx = zone};
    CT_TRY(ct_line_launch(b, "accumulate/divide_backward.cl", "divide_backward", 1, &l));
    ct_launch_define(l, "STORE", a->o_dtype);
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(a->nq, CT_ROWS_A_GROUP), a->heads, a->batch, ct_builder_tile(b)->line_items);
    w->g = (operand){zone, ct_dense_strides(a->heads, a->nq, run->width), CLATTN_F32, a->heads, run->width};
out:
    return st;
}

/* What the products read: phi(q), phi(k), v and g. */
static clattn_status take_operands(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = w->a;
    ct_accumulate_run run = ct_accumulate_begin(a);
    CT_TRY(ct_accumulate_features(b, &run));
    w->q = (operand){run.a.q, run.args.q, run.a.types.q, a->heads, a->dk};
    w->k = (operand){run.a.k, run.args.k, run.a.types.k, a->kv_heads, a->dk};
    w->v = (operand){run.a.v, run.args.v, run.a.types.v, a->kv_heads, run.width};
    w->g = (operand){w->gradient->g, a->o_strides, a->o_dtype, a->heads, a->dv};
    if (a->exact && a->o_dtype != CLATTN_F32 && !a->normalise) {
        CT_TRY(ct_accumulate_floats(b, a, "gradient of o", &w->g.ref, &w->g.strides, &w->g.type));
    }
    if (a->normalise) {
        run.a.state_out = ct_nothing();
        CT_TRY(divide_gradient(b, w, &run));
    }
out:
    return st;
}

/* A zone with the states [rows, cols] that are `from` transposed; nothing where there are none. */
static clattn_status turned_states(ct_builder *b, const backward *w, ct_ref from, int64_t rows, int64_t cols,
                                   ct_ref *to)
{
    const int64_t states = (w->a->sequences ? w->a->sequences : w->a->batch) * w->a->heads;
    *to = ct_nothing();
    if (!ct_is(from)) {
        return CLATTN_OK;
    }
    *to = ct_builder_zone(b, "states, transposed", states * rows * cols, sizeof(float));
    return ct_accumulate_turn(b, from, *to, states, rows, cols);
}

/* The gradient of x, of which the products gave that of phi(x), float: `wide` floats a row, of which x has fewer. */
static clattn_status add_feature_backward(ct_builder *b, const backward *w, const operand *x, ct_ref given,
                                          int64_t rows, int64_t wide, const operand *dx, clattn_feature feature,
                                          bool padded)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const feature_backward_args args = {.x = x->strides,
                                        .dx = dx->strides,
                                        .n = rows,
                                        .padding_batch = rows,
                                        .heads = (int32_t)x->heads,
                                        .width = (int32_t)x->width,
                                        .wide = (int32_t)wide,
                                        .rows = CT_ROWS_A_GROUP};
    const struct {
        CT_REFS(FEATURE_BACKWARD)
    } buffers = {.x = x->ref, .g = given, .dx = dx->ref, .padding = padded ? w->a->padding : ct_nothing()};
    CT_TRY(ct_line_launch(b, "accumulate/feature_backward.cl", "feature_backward", 1, &l));
    ct_launch_define(l, "FEATURE", feature);
    ct_launch_define(l, "PADDING", padded);
    ct_launch_define(l, "STORE", x->type);
    ct_launch_define(l, "OUT", dx->type);
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(rows, CT_ROWS_A_GROUP), x->heads, w->a->batch, ct_builder_tile(b)->line_items);
out:
    return st;
}

/* A tensor's gradient: in[0] is what the tensor became, x the tensor itself. */
typedef struct wanted {
    const operand *in[3];
    operand x, dx;
    int64_t rows;
    clattn_feature feature;
    bool to_keys; /* in[0] is of the keys' heads and tokens, the others are of the queries' */
    ct_ref state_in, state_out;
    ct_dots dots;
    uint64_t also, states_also; /* what the product, or its states alone, serve beside slot */
    ct_entering *left;
    const ct_entering *given;
    clattn_slot slot;
    const char *zone;
} wanted;

/* forward(in) into o. */
static clattn_status add_product(ct_builder *b, const backward *w, const wanted *it, const operand *o)
{
    const ct_accumulate *a = w->a;
    const operand *q = it->in[0], *k = it->in[1], *v = it->in[2];
    const bool to_keys = it->to_keys;
    ct_accumulate p = {
        .batch = a->batch,
        .heads = q->heads,
        .kv_heads = k->heads,
        .nq = to_keys ? a->nk : a->nq,
        .nk = to_keys ? a->nq : a->nk,
        .dk = q->width,
        .dv = v->width,
        .sequences = a->sequences,
        .longest_q = to_keys ? a->longest_k : a->longest_q,
        .longest_k = to_keys ? a->longest_q : a->longest_k,
        .q = q->ref,
        .k = k->ref,
        .v = v->ref,
        .o = o->ref,
        .q_strides = q->strides,
        .k_strides = k->strides,
        .v_strides = v->strides,
        .o_strides = o->strides,
        .types = {q->type, k->type, v->type},
        .o_dtype = o->type,
        .cu_q = to_keys ? a->cu_k : a->cu_q,
        .cu_k = to_keys ? a->cu_q : a->cu_k,
        .decay = a->decay,
        .fading = a->fading,
        .padding = ct_nothing(),
        .state_in = it->state_in,
        .state_out = it->state_out,
        .scale = to_keys ? 1.0 : a->scale,
        .weight = to_keys ? a->scale : 1.0,
        .causal = a->causal,
        .reversed = to_keys && a->causal,
        .feature = CLATTN_IDENTITY,
        .chunk = a->chunk,
        .left_out = !a->left_out ? NULL
                    : to_keys    ? &w->left_out
                                 : a->left_out,
        .dots = it->dots,
        .left = it->left,
        .given = it->given,
        .serves = CT_ONE_SLOT(it->slot) | it->also,
        .serves_state = it->states_also,
    };
    ct_accumulate_run run = ct_accumulate_begin(&p);
    return ct_accumulate_run_add(b, &run);
}

static clattn_status add_wanted(ct_builder *b, const backward *w, const wanted *it)
{
    clattn_status st = CLATTN_OK;
    const int64_t wide = it->in[2]->width;
    const bool padded = it->to_keys && ct_is(w->a->padding);
    if (it->feature == CLATTN_IDENTITY && wide == it->x.width && !ct_is(it->dots.to)) {
        return add_product(b, w, it, &it->dx);
    }
    operand zone = {ct_nothing(), ct_dense_strides(it->x.heads, it->rows, wide), CLATTN_F32, it->x.heads, wide};
    zone.ref = ct_builder_zone(b, it->zone, w->a->batch * zone.strides.batch, sizeof(float));
    CT_TRY(add_product(b, w, it, &zone));
    ct_builder_serves(b, CT_ONE_SLOT(it->slot));
    CT_TRY(add_feature_backward(b, w, &it->x, zone.ref, it->rows, wide, &it->dx, it->feature, padded));
out:
    return st;
}

static clattn_status add_dq(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = w->a;
    wanted it = {.in = {&w->g, &w->v, &w->k},
                 .x = {a->q, a->q_strides, a->types.q, a->heads, a->dk},
                 .dx = {w->gradient->dq, w->gradient->dqs, w->gradient->out, a->heads, a->dk},
                 .rows = a->nq,
                 .feature = a->feature,
                 .state_out = ct_nothing(),
                 .slot = CLATTN_DQ,
                 .zone = "gradient of phi(q)"};
    ct_builder_serves(b, CT_ONE_SLOT(CLATTN_DQ) | CT_ONE_SLOT(CLATTN_DDECAY));
    CT_TRY(turned_states(b, w, a->state_in, w->g.width, a->dk, &it.state_in));
    if (a->exact) {
        it.also = CT_ONE_SLOT(CLATTN_DDECAY);
        it.dots = (ct_dots){w->q.ref, w->of_q, w->q.strides, w->q.type};
        it.state_out = w->last;
    }
    CT_TRY(add_wanted(b, w, &it));
out:
    return st;
}

static clattn_status add_dk(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = w->a;
    wanted it = {.in = {&w->v, &w->g, &w->q},
                 .x = {a->k, a->k_strides, a->types.k, a->kv_heads, a->dk},
                 .dx = {w->gradient->dk, w->gradient->dks, w->gradient->out, a->kv_heads, a->dk},
                 .rows = a->nk,
                 .feature = a->feature,
                 .to_keys = true,
                 .state_out = ct_nothing(),
                 .slot = CLATTN_DK,
                 .given = &w->entering,
                 .zone = "gradient of phi(k)"};
    ct_builder_serves(b, CT_ONE_SLOT(CLATTN_DK) | CT_ONE_SLOT(CLATTN_DDECAY));
    CT_TRY(turned_states(b, w, w->gradient->dstate_out, w->g.width, a->dk, &it.state_in));
    w->arriving = it.state_in;
    if (a->exact) {
        it.also = CT_ONE_SLOT(CLATTN_DDECAY);
        it.dots = (ct_dots){w->k.ref, w->of_k, w->k.strides, w->k.type};
    }
    CT_TRY(add_wanted(b, w, &it));
out:
    return st;
}

/* And the gradient of the initial state: what the states come to before the first token. */
static clattn_status add_dv(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = w->a;
    wanted it = {.in = {&w->k, &w->q, &w->g},
                 .x = {a->v, a->v_strides, a->types.v, a->kv_heads, a->dv},
                 .dx = {w->gradient->dv, w->gradient->dvs, w->gradient->out, a->kv_heads, a->dv},
                 .rows = a->nk,
                 .feature = CLATTN_IDENTITY,
                 .to_keys = true,
                 .state_in = w->gradient->dstate_out,
                 .state_out = w->gradient->dstate_in,
                 .slot = CLATTN_DV,
                 .states_also = CT_ONE_SLOT(CLATTN_DSTATE_IN) | CT_ONE_SLOT(CLATTN_DK) | CT_ONE_SLOT(CLATTN_DDECAY),
                 .left = &w->entering,
                 .zone = "gradient of v, 1"};
    CT_TRY(add_wanted(b, w, &it));
out:
    return st;
}

/* What the decay's gradient is made of. */
static void take_decay(ct_builder *b, backward *w)
{
    const ct_accumulate *a = w->a;
    const int64_t tokens = a->batch * a->heads * a->nk;
    const int64_t states = (a->sequences ? a->sequences : a->batch) * a->heads;
    w->last = ct_nothing();
    if (a->exact) {
        w->of_q = ct_builder_zone(b, "q . dq", tokens, sizeof(float));
        w->of_k = ct_builder_zone(b, "k . dk", tokens, sizeof(float));
    }
    if (a->exact && ct_is(w->gradient->dstate_out)) {
        w->last = ct_builder_zone(b, "last states, transposed", states * a->dk * w->g.width, sizeof(float));
    }
}

static clattn_status add_ddecay(ct_builder *b, const backward *w)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = w->a;
    const bool token = a->fading == CT_FADE_TOKEN;
    const int64_t batches = a->sequences ? a->sequences : a->batch;
    ct_launch *l = NULL;
    const decay_backward_args args = {
        .n = a->nk, .heads = (int32_t)a->heads, .batches = (int32_t)batches, .size = (int32_t)(a->dk * w->g.width)};
    const struct {
        CT_REFS(DECAY_BACKWARD)
    } buffers = {.of_q = w->of_q,
                 .of_k = w->of_k,
                 .state = w->last,
                 .dstate = w->arriving,
                 .ddecay = w->gradient->ddecay,
                 .cu = a->cu_k};
    ct_builder_serves(b, CT_ONE_SLOT(CLATTN_DDECAY));
    CT_TRY(ct_line_launch(b, "accumulate/decay_backward.cl", "decay_backward", a->heads * (token ? batches : 1), &l));
    ct_launch_define(l, "PER_TOKEN", token);
    ct_launch_define(l, "PACKED", a->sequences > 0);
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

ct_work ct_accumulate_backward_work(const ct_accumulate *a)
{
    const double q = (double)clattn_dtype_size(a->o_dtype), k = (double)clattn_dtype_size(a->types.k);
    const double widths = (double)(a->dk + a->dv), state = (double)a->dk * (double)(a->dv + a->normalise);
    const double queries = (double)(a->batch * a->heads * a->nq), keys = (double)(a->batch * a->kv_heads * a->nk);
    const double states = (double)(a->batch * a->heads) * state;
    return (ct_work){
        .flop = 2.0 * states * (double)(2 * a->nq + 3 * a->nk),
        .bytes = queries * q * (widths + (double)a->dk) + keys * (k + q) * widths,
    };
}

/* Which blocks of queries see none of a block of keys. */
static clattn_status turn_lists(ct_builder *b, backward *w)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *host = NULL;
    CT_TRY(ct_blocks_transpose(b, w->gradient->layout, w->a->left_out, &host, &w->left_out));
    if (host) {
        CT_TRY(ct_blocks_on_device(b, host, &w->left_out));
    }
out:
    clattn_layout_release(host);
    return st;
}

clattn_status ct_accumulate_backward_add(ct_builder *b, const ct_accumulate *a, const ct_accumulate_gradient *gradient)
{
    clattn_status st = CLATTN_OK;
    backward w = {.a = a, .gradient = gradient, .entering = {.states = ct_nothing()}};
    if (a->left_out) {
        CT_TRY(turn_lists(b, &w));
    }
    CT_TRY(take_operands(b, &w));
    take_decay(b, &w);
    CT_TRY(add_dq(b, &w));
    CT_TRY(add_dv(b, &w));
    CT_TRY(add_dk(b, &w));
    if (a->exact) {
        CT_TRY(add_ddecay(b, &w));
    }
    ct_builder_serves(b, 0);
    ct_builder_work(b, ct_accumulate_backward_work(a));
out:
    return st;
}

/* From a problem's fields to ct_accumulate. */
#include <math.h>

#include "accumulate/accumulate.h"
#include "plan/problem.h"
#include "plan/slots.h"

clattn_status ct_accumulate_check(const clattn_problem *p)
{
    const bool causal = p->causal != 0;
    if (causal && p->nq != p->nk) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "nq=%lld, nk=%lld: causal linear attention wants nq = nk; earlier keys come in as a state",
                       (long long)p->nq, (long long)p->nk);
    }
    if (causal && p->sequences && ct_problem_max_q(p) != ct_problem_max_k(p)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "max_q=%lld, max_k=%lld: causal linear attention wants them equal",
                       (long long)ct_problem_max_q(p), (long long)ct_problem_max_k(p));
    }
    if (!causal && p->decay != CLATTN_DECAY_NONE) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "causal=0: a decay is undefined without an order of the keys; decay=none, or causal=1");
    }
    if (p->ddecay && (p->pass != CLATTN_BWD || p->decay == CLATTN_DECAY_NONE)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "ddecay=1: %s",
                       p->pass != CLATTN_BWD ? "only pass=bwd has gradients" : "decay=none has no gradient");
    }
    if (!causal && p->pass == CLATTN_DECODE) {
        return ct_fail(CLATTN_UNSUPPORTED,
                       "causal=0: pass=decode carries a state from token to token, which is causal");
    }
    return CLATTN_OK;
}

static clattn_status decay_of(ct_builder *b, const clattn_problem *p, ct_accumulate *a)
{
    clattn_status st = CLATTN_OK;
    const clattn_allocator *allocator = ct_builder_allocator(b);
    float *slopes = NULL;
    a->decay = ct_nothing();
    a->fading = p->decay == CLATTN_DECAY_NONE    ? CT_FADE_NONE
                : p->decay == CLATTN_DECAY_TOKEN ? CT_FADE_TOKEN
                                                 : CT_FADE_HEAD;
    if (p->decay == CLATTN_DECAY_TOKEN || p->decay == CLATTN_DECAY_HEAD) {
        a->decay = ct_builder_slot(b, CLATTN_DECAY, 2);
    } else if (p->decay != CLATTN_DECAY_NONE) {
        slopes = ct_alloc_array(allocator, (size_t)p->hq, sizeof *slopes);
        if (!slopes) {
            CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the decays of %lld heads", (long long)p->hq);
        }
        if (p->decay == CLATTN_DECAY_NUMBER) {
            for (int64_t h = 0; h < p->hq; h++) {
                slopes[h] = (float)p->decay_value;
            }
        } else {
            CT_TRY(clattn_decay_slopes(p->decay, p->decay_layer, p->decay_layers, (int)p->hq, slopes));
        }
        CT_TRY(ct_builder_constant(b, "decays", slopes, p->hq, sizeof *slopes, &a->decay));
    }
out:
    ct_release(allocator, slopes);
    return st;
}

clattn_status ct_accumulate_of(ct_builder *b, const clattn_problem *p, ct_accumulate *a)
{
    const bool causal = p->causal != 0;
    *a = (ct_accumulate){
        .batch = p->b,
        .heads = p->hq,
        .kv_heads = p->hk,
        .nq = p->nq,
        .nk = p->nk,
        .dk = p->dqk,
        .dv = p->dv,
        .sequences = p->sequences,
        .longest_q = ct_problem_max_q(p),
        .longest_k = ct_problem_max_k(p),
        .q = ct_builder_slot(b, CLATTN_Q, 2),
        .k = ct_builder_slot(b, CLATTN_K, 2),
        .v = ct_builder_slot(b, CLATTN_V, 2),
        .o = p->pass == CLATTN_BWD ? ct_nothing() : ct_builder_slot(b, CLATTN_O, 2),
        .q_strides = ct_slot_strides(p, CLATTN_Q),
        .k_strides = ct_slot_strides(p, CLATTN_K),
        .v_strides = ct_slot_strides(p, CLATTN_V),
        .o_strides = ct_slot_strides(p, CLATTN_O),
        .types = {ct_slot_dtype(p, CLATTN_Q), ct_slot_dtype(p, CLATTN_K), ct_slot_dtype(p, CLATTN_V)},
        .o_dtype = p->dtype,
        .scale = isnan(p->scale) ? 1.0 : p->scale,
        .weight = 1.0,
        .causal = causal,
        .feature = p->feature,
        .normalise = p->normalise != 0,
        .chunk = p->chunk,
        .exact = p->ddecay != 0,
        .cu_q = ct_nothing(),
        .cu_k = ct_nothing(),
        .padding = ct_nothing(),
        .state_in = ct_nothing(),
        .state_out = ct_nothing(),
    };
    if (p->sequences) {
        a->cu_q = ct_builder_cuts(b, CLATTN_CU_SEQLENS);
        a->cu_k = causal ? a->cu_q : ct_builder_cuts(b, CLATTN_CU_SEQLENS_K);
    }
    if (p->key_padding) {
        a->padding = ct_builder_slot(b, CLATTN_KEY_PADDING, 2);
    }
    if (p->state) {
        a->state_in = ct_builder_slot(b, CLATTN_STATE_IN, 1);
        a->state_out = p->pass == CLATTN_BWD ? ct_nothing() : ct_builder_slot(b, CLATTN_STATE_OUT, 2);
    }
    return decay_of(b, p, a);
}

/* Recurrent operations: two of k v^T and two of S^T q for each element of a state; what a chunk adds to them is not
 * useful work. */
ct_work ct_accumulate_work(const ct_accumulate *a)
{
    const double items = (double)(a->batch * a->heads), state = (double)a->dk * (double)(a->dv + a->normalise);
    const double q = (double)clattn_dtype_size(a->types.q), k = (double)clattn_dtype_size(a->types.k),
                 v = (double)clattn_dtype_size(a->types.v), o = (double)clattn_dtype_size(a->o_dtype);
    const double count = (double)(a->sequences ? a->sequences : a->batch);
    ct_work w = {0};
    w.flop = 2.0 * items * state * (double)(a->nq + a->nk);
    w.bytes = (double)(a->batch * a->heads * a->nq) * (q * (double)a->dk + o * (double)a->dv) +
              (double)(a->batch * a->kv_heads * a->nk) * (k * (double)a->dk + v * (double)a->dv);
    if (a->state_in.where != CT_NOWHERE) {
        w.bytes += 2.0 * sizeof(float) * count * (double)a->heads * state;
    }
    if (a->feature == CLATTN_ELU || a->feature >= CLATTN_SILU) {
        w.exps = (double)a->batch * (double)a->dk * (double)(a->heads * a->nq + a->kv_heads * a->nk);
    }
    return w;
}

/* From a problem's fields to ct_attend. */
#include "plan/problem.h"

#include <string.h>

#include "attend/attend.h"
#include "plan/slots.h"

/* ALiBi's slopes: the caller's, or those of clattn_alibi_slopes as a constant of the plan. */
static clattn_status take_slopes(ct_builder *b, const clattn_problem *p, ct_ref *slopes)
{
    const clattn_allocator *alloc = ct_builder_allocator(b);
    clattn_status st = CLATTN_OK;
    if (p->alibi == 2) {
        *slopes = ct_builder_slot(b, CLATTN_ALIBI_SLOPES, 2);
    }
    if (p->alibi != 1) {
        return CLATTN_OK;
    }
    float *values = ct_alloc_array(alloc, (size_t)p->hq, sizeof *values);
    if (!values) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the slopes of %lld heads", (long long)p->hq);
    }
    CT_TRY(clattn_alibi_slopes((int)p->hq, values));
    CT_TRY(ct_builder_constant(b, "slopes", values, p->hq, 4, slopes));
out:
    ct_release(alloc, values);
    return st;
}

/* The inputs that a problem may do without. */
static void take_options(ct_builder *b, const clattn_problem *p, ct_attend *a)
{
    if (p->sink) {
        a->sink = ct_builder_slot(b, CLATTN_SINK, 2);
    }
    if (p->bias) {
        a->bias_b = p->bias_b ? p->bias_b : p->b;
        a->bias_h = p->bias_h ? p->bias_h : p->hq;
        a->bias = ct_builder_slot(b, CLATTN_BIAS, 2);
    }
    if (p->key_padding) {
        a->padding = ct_builder_slot(b, CLATTN_KEY_PADDING, 2);
    }
    if (ct_has_texts(a->texts)) {
        a->text_buffer = ct_builder_slot(b, CLATTN_TEXT_BUFFER, p->text_buffer ? 2 : 1);
        memcpy(a->p, p->text_params, sizeof a->p);
    }
}

clattn_status ct_attend_of(ct_builder *b, const clattn_problem *p, const clattn_layout *layout, ct_attend *out)
{
    clattn_status st = CLATTN_OK;
    ct_attend a = {.types = {ct_slot_dtype(p, CLATTN_Q), ct_slot_dtype(p, CLATTN_K), ct_slot_dtype(p, CLATTN_V)},
                   .out = p->dtype,
                   .b = p->b,
                   .hq = p->hq,
                   .hk = p->hk,
                   .nq = p->nq,
                   .nk = p->nk,
                   .dqk = p->dqk,
                   .dv = p->dv,
                   .sequences = p->sequences,
                   .max_q = ct_problem_max_q(p),
                   .max_k = ct_problem_max_k(p),
                   .scale = ct_problem_scale(p),
                   .softcap = p->softcap,
                   .tf32 = p->tf32 != 0,
                   .causal = ct_problem_causal(p),
                   .left = p->window_left,
                   .right = p->window_right,
                   .layout = layout};
    ct_problem_texts(p, a.texts);
    if (layout) {
        ct_blocks_of(b, layout, &a.blocks);
    }
    if (layout && layout->windowed) {
        a.left = a.right = -1;
    }
    const clattn_slot tensors[4] = {CLATTN_Q, CLATTN_K, CLATTN_V, CLATTN_O};
    ct_ref *refs[4] = {&a.q, &a.k, &a.v, &a.o};
    clattn_strides *strides[4] = {&a.qs, &a.ks, &a.vs, &a.os};
    for (int i = 0; i < 4; i++) {
        *strides[i] = ct_slot_strides(p, tensors[i]);
        *refs[i] = ct_builder_slot(b, tensors[i], 2);
    }
    a.lse = ct_builder_slot(b, CLATTN_LSE, p->pass == CLATTN_BWD ? 2 : 1);
    if (p->sequences) {
        a.cu_q = ct_builder_cuts(b, CLATTN_CU_SEQLENS);
        a.cu_k = ct_builder_cuts(b, CLATTN_CU_SEQLENS_K);
    }
    CT_TRY(take_slopes(b, p, &a.slopes));
    take_options(b, p, &a);
    *out = a;
out:
    return st;
}

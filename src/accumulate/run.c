/* A problem on its way to the kernels, and one of the members of its heads. */
#include "accumulate/parts.h"
#include "line/line.h"
#include "line/sum.h"
#include "plan/slots.h"

ct_accumulate_run ct_accumulate_begin(const ct_accumulate *a)
{
    const int64_t batches = a->sequences ? a->sequences : a->batch, state_heads = ct_max(a->heads, a->kv_heads);
    const int64_t members = state_heads / a->heads;
    ct_accumulate_run run = {
        .a = *a,
        .items = batches * a->heads,
        .states = batches * state_heads,
        .width = a->dv + a->normalise,
        .longest_q = a->sequences ? a->longest_q : a->nq,
        .longest_k = a->sequences ? a->longest_k : a->nk,
    };
    run.args = (accumulate_args){
        .q = a->q_strides,
        .k = a->k_strides,
        .v = a->v_strides,
        .o = a->o_strides,
        .decay_batch = state_heads * a->nk,
        .decay_head = a->fading == CT_FADE_TOKEN ? a->nk : 1,
        .nq = (int32_t)a->nq,
        .nk = (int32_t)a->nk,
        .heads = (int32_t)a->heads,
        .group = (int32_t)(members > 1 ? 1 : a->heads / a->kv_heads),
        .state_heads = (int32_t)state_heads,
        .state_step = (int32_t)members,
        .step = 1,
        .segment = (int32_t)run.longest_k,
        .segments = 1,
        .scale = (float)a->scale,
        .weight = (float)a->weight,
    };
    return run;
}

ct_accumulate_run ct_accumulate_member(const ct_accumulate_run *run, int64_t i, ct_ref to)
{
    ct_accumulate_run one = *run;
    const int64_t members = run->args.state_step;
    one.a.k = ct_ref_at(one.a.k, i * one.args.k.head);
    one.a.v = ct_ref_at(one.a.v, i * one.args.v.head);
    one.args.k.head *= members;
    one.args.v.head *= members;
    one.a.kv_heads = one.a.heads;
    if (one.a.fading != CT_FADE_NONE) {
        one.a.decay = ct_ref_at(one.a.decay, i * one.args.decay_head);
        one.args.decay_head *= members;
    }
    one.a.o = to;
    one.a.o_dtype = CLATTN_F32;
    one.args.o = ct_dense_strides(run->a.heads, run->a.nq, run->width);
    return one;
}

clattn_status ct_accumulate_plus(ct_builder *b, const ct_accumulate_run *run, ct_ref sum, ct_ref part, bool last)
{
    const ct_accumulate *a = &run->a;
    const ct_sum_rows rows = {.batch = a->batch,
                              .heads = a->heads,
                              .rows = a->nq,
                              .width = run->width,
                              .x = sum,
                              .y = part,
                              .factor = ct_nothing(),
                              .weight = ct_nothing(),
                              .to = last ? a->o : sum,
                              .strides = last ? run->args.o : ct_dense_strides(a->heads, a->nq, run->width),
                              .dtype = last ? a->o_dtype : CLATTN_F32};
    return ct_sum_rows_add(b, &rows);
}

clattn_status ct_accumulate_dots(ct_builder *b, const ct_accumulate_run *run, int64_t i)
{
    ct_launch *l = NULL;
    const ct_accumulate *a = &run->a;
    if (!ct_is(a->dots.to)) {
        return CLATTN_OK;
    }
    const clattn_status st = ct_line_launch(b, "accumulate/dots.cl", "accumulate_dots", 1, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const dots_args args = {.w = a->dots.strides,
                            .x = run->args.o,
                            .n = a->nq,
                            .to_batch = run->args.state_heads * a->nq,
                            .to_head = run->args.state_step * a->nq,
                            .width = (int32_t)run->width,
                            .rows = CT_ROWS_A_GROUP};
    const struct {
        CT_REFS(ACCUMULATE_DOTS)
    } buffers = {.w = a->dots.w, .x = a->o, .to = ct_ref_at(a->dots.to, i * a->nq)};
    ct_launch_define(l, "STORE", a->dots.type);
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(a->nq, CT_ROWS_A_GROUP), a->heads, a->batch, ct_builder_tile(b)->line_items);
    return CLATTN_OK;
}

clattn_status ct_accumulate_turn(ct_builder *b, ct_ref from, ct_ref to, int64_t count, int64_t rows, int64_t cols)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const turn_args args = {.rows = (int32_t)rows, .cols = (int32_t)cols};
    const struct {
        CT_REFS(TURN_STATES)
    } buffers = {.from = from, .to = to};
    CT_TRY(ct_line_launch(b, "accumulate/turn_states.cl", "turn_states", count * rows, &l));
    CT_ARGUMENTS(l, &buffers, &args);
out:
    return st;
}

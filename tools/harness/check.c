#include "harness/check.h"

#include <stdio.h>
#include <string.h>

#include "harness/check_run.h"
#include "harness/inputs.h"
#include "harness/storage.h"
#include "methods/epilogue.h"
#include "plan/problem.h"

#define FAR_ELEMENTS (1 << 25) /* of a k with far rows: a row stride beyond 2^24 where there are one or two */

/* Gaps of a few elements between rows, heads and batches; different for each tensor. */
static clattn_strides gaps(const clattn_problem *p, int64_t heads, int64_t n, int64_t d, int64_t gap)
{
    if (p->layout == CLATTN_BHND) {
        const int64_t row = d + gap, head = n * row + gap + 2;
        return (clattn_strides){heads * head + 5, head, row};
    }
    const int64_t head = d + gap, row = heads * head + gap + 2;
    return (clattn_strides){n * row + 5, head, row};
}

static void apply_seed(check_run *c)
{
    clattn_problem *p = &c->problem;
    if (c->seed & CT_SEED_STRIDED) {
        p->q = gaps(p, p->hq, p->nq, p->dqk, 1);
        p->k = gaps(p, p->hk, p->nk, p->dqk, 4);
        p->v = gaps(p, p->hk, p->nk, p->dv, 3);
        p->o = gaps(p, p->hq, p->nq, p->dv, 2);
    }
    if (c->seed & CT_SEED_FAR) {
        p->k = gaps(p, p->hk, p->nk, p->dqk, FAR_ELEMENTS / (p->b * p->hk * p->nk));
    }
    c->pair = c->method->softmax ? ct_text_pair_of((int)(c->seed >> 37 & 7)) : NULL;
    if (c->pair) {
        p->score_text = c->pair->score_text;
        p->dscore_text = c->pair->dscore_text;
        p->mask_text = c->pair->mask_text;
        memcpy(p->text_params, c->pair->params, sizeof(p->text_params));
    }
}

static clattn_status make_queue(check_run *c)
{
    clattn_status st = CLATTN_OK;
    cl_int error = CL_SUCCESS;
    const cl_command_queue_properties properties =
        c->seed & CT_SEED_OUT_OF_ORDER ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    c->queue = clCreateCommandQueue(c->place->cl, c->place->device, properties, &error);
#pragma GCC diagnostic pop
    CT_TRYCL(error);
out:
    return st;
}

/* The layout without what a causal mask would drop: the reference masks tokens itself. */
static clattn_status make_layout(check_run *c, clattn_layout *given)
{
    if (!c->method->patterned) {
        return CLATTN_OK;
    }
    if (given) {
        clattn_layout_retain(given);
        c->layout = given;
        return CLATTN_OK;
    }
    return ct_layout_whole(&c->layout, &c->problem, NULL);
}

/* Elements of a slot whose length is the caller's choice. */
static int64_t open_length(const check_run *c, int slot)
{
    if (slot == CLATTN_COL_IDX && c->layout) {
        return (int64_t)c->layout->heads * c->layout->rows * c->layout->cols;
    }
    return slot == CLATTN_TEXT_BUFFER && c->pair ? c->pair->buffer : 0;
}

static void spread_nan(check_run *c)
{
    int64_t dims[3][4];
    double *tensors[3];
    for (int i = 0; i < 3; i++) {
        memcpy(dims[i], c->slots[CLATTN_Q + i].dims, sizeof(dims[i]));
        tensors[i] = c->slots[CLATTN_Q + i].values;
    }
    if (c->seed & CT_SEED_NAN && c->method->softmax) { /* in linear attention NaN goes on from token to token */
        /* backwards, one query's NaN comes to every key of the blocks that it may see */
        const bool seen = !c->method->linear && c->problem.pass != CLATTN_BWD;
        ct_spread_nan(c->seed & 0xffffffffu, dims, tensors, c->io.in[CLATTN_KEY_PADDING], seen);
    }
}

static void copy_input(ct_tensor *t, const ct_tensor *from)
{
    if (t->used) {
        memcpy(t->values, from->values, (size_t)t->count * sizeof(*t->values));
        memcpy(t->raw, from->raw, t->bytes);
    }
}

/* Backwards, O and LSE are what the forward pass leaves, rounded to their storage; a rerun's are the first run's: the
 * reference takes seconds. */
static clattn_status fill_forward(check_run *c)
{
    clattn_status st = CLATTN_OK;
    clattn_problem forward = c->problem;
    ct_reference_io io = c->io;
    forward.pass = CLATTN_FWD;
    memset(io.out, 0, sizeof io.out);
    io.out[CLATTN_O] = c->slots[CLATTN_O].values;
    io.out[CLATTN_LSE] = c->slots[CLATTN_LSE].values;
    if (c->problem.pass != CLATTN_BWD) {
        return CLATTN_OK;
    }
    if (c->first) {
        copy_input(&c->slots[CLATTN_O], &c->first->slots[CLATTN_O]);
        copy_input(&c->slots[CLATTN_LSE], &c->first->slots[CLATTN_LSE]);
    } else if (io.out[CLATTN_O] || io.out[CLATTN_LSE]) {
        CT_TRY(ct_epilogue_reference(c->method, &forward, c->layout, &io, NULL));
        ct_tensor_pack(&c->slots[CLATTN_O]);
        ct_tensor_pack(&c->slots[CLATTN_LSE]);
    }
out:
    return st;
}

static clattn_status make_slots(check_run *c)
{
    clattn_status st = CLATTN_OK;
    const ct_fill fill = {&c->problem, c->layout, (ct_inputs)(c->seed >> 32 & 7), (int)(c->seed >> 40 & 15),
                          c->seed & 0xffffffffu};
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_tensor *t = &c->slots[slot];
        CT_TRY(ct_tensor_make(t, c->plan, &c->problem, (clattn_slot)slot, open_length(c, slot)));
        if (!t->used) {
            continue;
        }
        if (!t->output) {
            ct_fill_slot(&fill, t->slot, t->rank, t->dims, t->values);
            c->io.in[slot] = t->values;
        }
    }
    spread_nan(c);
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) { /* references see what kernels see */
        if (c->slots[slot].used && !c->slots[slot].output) {
            ct_tensor_pack(&c->slots[slot]);
        }
    }
    if (c->pair) {
        c->io.score = c->pair->score;
        c->io.dscore = c->pair->dscore;
        c->io.hidden = c->pair->hidden;
    }
    CT_TRY(fill_forward(c));
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_tensor *t = &c->slots[slot];
        if (!t->used) {
            continue;
        }
        const size_t skew = c->seed & CT_SEED_STRIDED ? 24 * clattn_dtype_size(t->dtype) : 0;
        CT_TRY(ct_guarded_make(&t->device, c->place->cl, c->queue, t->output ? NULL : t->raw, t->bytes, skew));
    }
out:
    return st;
}

static clattn_status make_workspace(check_run *c)
{
    clattn_status st = CLATTN_OK;
    size_t bytes = 0;
    CT_TRY(clattn_plan_workspace(c->plan, &bytes));
    CT_TRY(ct_guarded_make(&c->workspace, c->place->cl, c->queue, NULL, bytes, 0));
out:
    return st;
}

static clattn_status enqueue(check_run *c)
{
    clattn_status st = CLATTN_OK;
    clattn_arg args[CLATTN_SLOT_COUNT];
    size_t n = 0;
    cl_event before = NULL, after = NULL;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (c->slots[slot].used) {
            args[n++] = (clattn_arg){(clattn_slot)slot, ct_guarded_buf(&c->slots[slot].device)};
        }
    }
    CT_TRYCL(clEnqueueMarkerWithWaitList(c->queue, 0, NULL, &before));
    const clattn_buf workspace = c->workspace.bytes ? ct_guarded_buf(&c->workspace) : clattn_buf_none();
    CT_TRY(clattn_enqueue(c->queue, c->plan, args, n, workspace, 1, &before, &after));
    CT_TRYCL(clWaitForEvents(1, &after));
out:
    if (before) {
        clReleaseEvent(before);
    }
    if (after) {
        clReleaseEvent(after);
    }
    return st;
}

static clattn_status poison_outputs(check_run *c)
{
    clattn_status st = CLATTN_OK;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (c->slots[slot].used && c->slots[slot].output) {
            CT_TRY(ct_guarded_poison(&c->slots[slot].device, c->queue));
        }
    }
    if (c->workspace.mem) {
        CT_TRY(ct_guarded_poison(&c->workspace, c->queue));
    }
out:
    return st;
}

/* Later runs must give the first one's bits. */
static clattn_status run_times(check_run *c, int64_t runs)
{
    clattn_status st = CLATTN_OK;
    char text[160];
    for (int64_t run = 0; run < runs; run++) {
        if (run) {
            CT_TRY(poison_outputs(c));
        }
        CT_TRY(enqueue(c));
        for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
            ct_tensor *t = &c->slots[slot];
            if (!t->used || !t->output) {
                continue;
            }
            unsigned char *first = t->raw;
            t->raw = ct_alloc(NULL, t->bytes);
            if (!t->raw) {
                t->raw = first;
                CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %zu bytes of results", t->bytes);
            }
            st = ct_guarded_read(&t->device, c->queue, t->raw);
            if (st == CLATTN_OK && run && c->problem.deterministic && memcmp(first, t->raw, t->bytes) != 0) {
                snprintf(text, sizeof(text), "%s: run %lld gives other bits than the one before",
                         clattn_slot_name(t->slot), (long long)run + 1);
                ct_check_complain(c, text);
            }
            ct_release(NULL, first);
            CT_TRY(st);
        }
    }
out:
    return st;
}

/* Guard bands, inputs as they were, gaps of outputs as they were. */
static clattn_status verify_memory(check_run *c)
{
    clattn_status st = CLATTN_OK;
    char text[256];
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_tensor *t = &c->slots[slot];
        if (!t->used) {
            continue;
        }
        const char *name = clattn_slot_name(t->slot);
        if (ct_guarded_verify(&t->device, c->queue, name) != CLATTN_OK) {
            ct_check_complain(c, clattn_error_detail());
        }
        if (t->output && !ct_tensor_unpack(t)) {
            snprintf(text, sizeof(text), "%s: the gaps between its rows were written", name);
            ct_check_complain(c, text);
        }
        if (!t->output) {
            unsigned char *now = ct_alloc(NULL, t->bytes);
            if (!now) {
                CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %zu bytes", t->bytes);
            }
            st = ct_guarded_read(&t->device, c->queue, now);
            if (st == CLATTN_OK && memcmp(now, t->raw, t->bytes) != 0) {
                snprintf(text, sizeof(text), "%s: the input was written", name);
                ct_check_complain(c, text);
            }
            ct_release(NULL, now);
            CT_TRY(st);
        }
    }
    if (c->workspace.mem && ct_guarded_verify(&c->workspace, c->queue, "workspace") != CLATTN_OK) {
        ct_check_complain(c, clattn_error_detail());
    }
out:
    return st;
}

static void check_release(check_run *c)
{
    if (!c) {
        return;
    }
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_tensor_release(&c->slots[slot]);
    }
    for (int i = 0; i < 3 * CLATTN_SLOT_COUNT; i++) {
        ct_release(NULL, c->outputs[i / CLATTN_SLOT_COUNT][i % CLATTN_SLOT_COUNT]);
    }
    for (int i = 0; i < 3; i++) {
        ct_release(NULL, c->rounded[i]);
    }
    ct_release(NULL, c->rows);
    ct_release(NULL, c->key_rows);
    ct_release(NULL, c->tokens);
    ct_release(NULL, c->state_rows);
    ct_guarded_release(&c->workspace);
    clattn_plan_release(c->plan);
    clattn_layout_release(c->layout);
    if (c->queue) {
        clReleaseCommandQueue(c->queue);
    }
    ct_release(NULL, c);
}

static clattn_status note_plan(check_run *c)
{
    clattn_plan_info info = {.struct_size = sizeof(info)};
    const clattn_status st = clattn_plan_get_info(c->plan, &info);
    if (st == CLATTN_OK) {
        snprintf(c->result->backend, sizeof(c->result->backend), "%s", info.backend);
        snprintf(c->result->kernel, sizeof(c->result->kernel), "%s", info.kernel);
    }
    return st;
}

static clattn_status begin(check_run **out, const ct_check_place *place, const clattn_problem *problem, uint64_t seed,
                           ct_check_result *result)
{
    clattn_status st = CLATTN_OK;
    check_run *c = ct_alloc(NULL, sizeof(*c));
    *out = c;
    if (!c) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a check");
    }
    c->place = place;
    c->result = result;
    c->problem = *problem;
    c->seed = seed;
    c->method = ct_method_find(problem->method);
    if (!c->method) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "unknown method '%s'", problem->method);
    }
    if (seed > CT_SEED_MAX || (seed >> 32 & 7) >= CT_INPUTS_COUNT || (seed >> 40 & 15) > CT_MASK_CONSTANTS) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT,
                "seed is %llu: bits 32 to 34 must be below %d, bits 40 to 43 at most %d, those above 45 zero",
                (unsigned long long)seed, (int)CT_INPUTS_COUNT, CT_MASK_CONSTANTS);
    }
    if (ct_problem_has_texts(problem)) {
        CT_FAIL(CLATTN_UNSUPPORTED,
                "score and mask: the reference cannot know what the caller's text means; the seed's bits 37 to 39 "
                "choose a text that it knows");
    }
    apply_seed(c);
out:
    return st;
}

/* A plan, buffers, `runs` runs, and what they left in memory. */
static clattn_status run_fresh(check_run *c, clattn_layout *layout, int64_t runs)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(make_queue(c));
    CT_TRY(clattn_plan_create(&c->plan, c->place->context, &c->problem, layout));
    CT_TRY(make_layout(c, layout));
    CT_TRY(note_plan(c));
    CT_TRY(make_slots(c));
    CT_TRY(make_workspace(c));
    CT_TRY(run_times(c, runs));
    CT_TRY(verify_memory(c));
out:
    return st;
}

/* The same results, bit by bit? */
static void compare_bits(check_run *c, const check_run *first, int64_t rerun)
{
    char text[160];
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        const ct_tensor *t = &c->slots[slot], *before = &first->slots[slot];
        if (t->used && t->output && c->problem.deterministic &&
            memcmp(t->values, before->values, (size_t)t->count * sizeof(*t->values)) != 0) {
            snprintf(text, sizeof(text), "%s: rerun %lld, of a fresh plan on fresh buffers, gives other bits",
                     clattn_slot_name(t->slot), (long long)rerun + 1);
            ct_check_complain(c, text);
        }
    }
}

static clattn_status rerun(const check_run *first, clattn_layout *layout, int64_t number, int64_t runs,
                           ct_check_result *result)
{
    clattn_status st = CLATTN_OK;
    check_run *c = NULL;
    CT_TRY(begin(&c, first->place, &first->problem, first->seed, result));
    c->first = first;
    CT_TRY(run_fresh(c, layout, runs));
    compare_bits(c, first, number);
out:
    check_release(c);
    return st;
}

clattn_status ct_check_reruns(const ct_check_place *place, const clattn_problem *problem, clattn_layout *layout,
                              uint64_t seed, ct_check_again again, ct_check_result *result)
{
    clattn_status st = CLATTN_OK;
    check_run *c = NULL;
    memset(result, 0, sizeof(*result));
    result->passed = true;
    CT_TRY(begin(&c, place, problem, seed, result));
    CT_TRY(run_fresh(c, layout, 2));
    CT_TRY(ct_check_references(c));
    ct_check_compare(c);
    c->problem = *problem; /* as it was before the seed changed it */
    for (int64_t i = 0; i < again.plans; i++) {
        CT_TRY(rerun(c, layout, i, again.runs, result));
    }
out:
    check_release(c);
    return st;
}

clattn_status ct_check_run(const ct_check_place *place, const clattn_problem *problem, clattn_layout *layout,
                           uint64_t seed, ct_check_result *result)
{
    return ct_check_reruns(place, problem, layout, seed, (ct_check_again){0}, result);
}

clattn_status ct_check_text(const ct_check_place *place, const char *problem, uint64_t seed, ct_check_result *result)
{
    clattn_problem parsed;
    memset(result, 0, sizeof(*result));
    const clattn_status st = clattn_problem_parse(&parsed, problem);
    return st == CLATTN_OK ? ct_check_run(place, &parsed, NULL, seed, result) : st;
}

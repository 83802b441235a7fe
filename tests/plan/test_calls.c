/* Every OpenCL call of the library fails once, in every public function that makes one: an error that names the call,
 * nothing left behind, and the same context works on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/inputs.h"
#include "harness/tensor.h"
#include "plan/method.h"
#include "plan/problem.h"
#include "support/calls.h"
#include "support/env.h"

#define MOST 5000

typedef struct subject {
    const ct_env *env;
    clattn_problem problem;
    clattn_context_options options;
    cl_command_queue queue; /* out of order: launches wait for events */
    ct_tensor slots[CLATTN_SLOT_COUNT];
    cl_mem workspace;
    char said[8192];      /* what all tiles said while a call failed, if they were asked */
    void *shared_q;       /* q by pointer instead, where the device can */
    unsigned char *right; /* O, when nothing fails */
    char backend[16];
    bool described; /* every tile is probed, not only the one that is used */
    long untold;    /* failures that nothing named */
} subject;

/* Calls whose failure need not be told: what was to be released is released, what the cache holds, or does not get, is
 * no error, and what an assembler says of a good program goes to the log. */
typedef struct harmless {
    const char *name;
    clattn_cache_mode mode;
} harmless;
static const harmless harmless_ones[] = {{"clReleaseCommandQueue", 0},
                                         {"clReleaseContext", 0},
                                         {"clReleaseEvent", 0},
                                         {"clReleaseKernel", 0},
                                         {"clReleaseMemObject", 0},
                                         {"clReleaseProgram", 0},
                                         {"clGetProgramBuildInfo", 0},
                                         {"clCreateProgramWithBinary", CLATTN_CACHE_READ_ONLY},
                                         {"clBuildProgram", CLATTN_CACHE_READ_ONLY},
                                         {"clCreateKernel", CLATTN_CACHE_READ_ONLY},
                                         {"clGetProgramInfo", CLATTN_CACHE_READ_WRITE}};

static bool is_harmless(const subject *s, const char *name)
{
    for (size_t i = 0; i < CT_COUNT(harmless_ones); i++) {
        const harmless *one = &harmless_ones[i];
        if (strcmp(name, one->name) == 0 && (!one->mode || one->mode == s->options.cache_mode)) {
            return true;
        }
    }
    return false;
}

static clattn_status enqueue(subject *s, clattn_plan *plan)
{
    clattn_arg args[CLATTN_SLOT_COUNT];
    size_t n = 0;
    cl_event event = NULL;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (s->slots[slot].used) {
            const bool shared = slot == CLATTN_Q && s->shared_q;
            args[n++] = (clattn_arg){(clattn_slot)slot,
                                     shared ? clattn_buf_svm(s->shared_q) : ct_guarded_buf(&s->slots[slot].device)};
        }
    }
    const clattn_status st = clattn_enqueue(s->queue, plan, args, n, clattn_buf_mem(s->workspace, 0), 0, NULL, &event);
    if (event) {
        clReleaseEvent(event);
    }
    return st;
}

static clattn_status use(subject *s, clattn_context *context, clattn_plan **plan)
{
    clattn_status st = clattn_plan_create(plan, context, &s->problem, NULL);
    return st ? st : enqueue(s, *plan);
}

static void read_o(subject *s, unsigned char *to)
{
    const ct_tensor *o = &s->slots[CLATTN_O];
    assert_int_equal(clFinish(s->queue), CL_SUCCESS);
    ct_assert_status(ct_guarded_read(&o->device, s->queue, to), CLATTN_OK, NULL);
}

/* The right numbers from the right tile. Another tile is for the one that declined, if it says why. */
static void assert_right(subject *s, const clattn_plan *plan, const char *failed)
{
    clattn_plan_info info = {.struct_size = sizeof info};
    unsigned char *got = ct_alloc(NULL, s->slots[CLATTN_O].bytes);
    assert_non_null(got);
    read_o(s, got);
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
    if (strcmp(info.backend, s->backend) == 0) {
        assert_memory_equal(got, s->right, s->slots[CLATTN_O].bytes);
    } else if (!failed || !strstr(clattn_plan_explain(plan), failed)) {
        fail_msg("%s ran, expected %s; nothing says that %s failed:\n%s", info.backend, s->backend,
                 failed ? failed : "(none)", clattn_plan_explain(plan));
    }
    ct_release(NULL, got);
}

/* The failed call is named: by the error, by what a tile says that declined, or by the context's description, which
 * asks all tiles. */
static void judge(subject *s, clattn_context *context, const clattn_plan *plan, clattn_status st, ct_calls *calls)
{
    if (st == CLATTN_OK) {
        assert_right(s, plan, calls->failed);
    }
    ct_calls_count(calls);
    const char *said = st ? "" : clattn_context_describe(context);
    ct_calls_count(NULL);
    const bool told = strstr(st ? clattn_error_detail() : clattn_plan_explain(plan), calls->failed) ||
                      strstr(said, calls->failed) || strstr(s->said, calls->failed);
    if (!told && (st || !is_harmless(s, calls->failed))) {
        print_error("call %ld, %s, failed: %s, and the detail is '%s'\n", calls->fail_at, calls->failed,
                    clattn_status_name(st), clattn_error_detail());
        s->untold++;
    }
}

static clattn_status begin(subject *s, clattn_context **context, clattn_plan **plan)
{
    clattn_status st = clattn_context_create(context, s->env->place.cl, s->env->place.device, &s->options);
    s->said[0] = '\0';
    if (!st && s->described) {
        snprintf(s->said, sizeof s->said, "%s", clattn_context_describe(*context));
    }
    return st ? st : use(s, *context, plan);
}

/* One life of a context in which the n-th call fails; false: there are fewer. */
static bool live(subject *s, long n, cl_int code)
{
    ct_calls calls = {.fail_at = n, .code = code};
    clattn_context *context = NULL;
    clattn_plan *plan = NULL, *again = NULL;
    ct_calls_count(&calls);
    clattn_status st = begin(s, &context, &plan);
    ct_calls_count(NULL);
    if (calls.failed) {
        judge(s, context, plan, st, &calls);
        if (context) { /* it works on, as if nothing had been */
            ct_calls_count(&calls);
            st = use(s, context, &again);
            ct_calls_count(NULL);
            ct_assert_status(st, CLATTN_OK, NULL);
            assert_right(s, again, NULL);
        }
    } else {
        ct_assert_status(st, CLATTN_OK, NULL);
        assert_right(s, plan, NULL);
    }
    ct_calls_count(&calls);
    clattn_plan_release(plan);
    clattn_plan_release(again);
    clattn_context_release(context);
    ct_calls_count(NULL);
    if (calls.held != 0) {
        fail_msg("call %ld, %s, failed, and %ld objects are still held", n, calls.failed ? calls.failed : "(none)",
                 calls.held);
    }
    return calls.failed != NULL;
}

static void fill_slots(subject *s, const clattn_plan *plan)
{
    clattn_layout *layout = NULL;
    size_t bytes = 0;
    cl_int error = CL_SUCCESS;
    if (ct_method_find(s->problem.method)->patterned) {
        ct_assert_status(clattn_layout_from_problem(&layout, &s->problem, NULL), CLATTN_OK, NULL);
    }
    const ct_fill fill = {.problem = &s->problem, .layout = layout, .inputs = CT_INPUTS_NORMAL, .seed = 5};
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_tensor *t = &s->slots[slot];
        const int64_t open =
            slot == CLATTN_COL_IDX && layout ? (int64_t)layout->heads * layout->rows * layout->cols : 0;
        ct_assert_status(ct_tensor_make(t, plan, &s->problem, (clattn_slot)slot, open), CLATTN_OK, NULL);
        if (t->used && !t->output) {
            ct_fill_slot(&fill, t->slot, t->rank, t->dims, t->values);
            ct_tensor_pack(t);
        }
        if (t->used) {
            ct_assert_status(
                ct_guarded_make(&t->device, s->env->place.cl, s->queue, t->output ? NULL : t->raw, t->bytes, 0),
                CLATTN_OK, NULL);
        }
    }
    ct_assert_status(clattn_plan_workspace(plan, &bytes), CLATTN_OK, NULL);
    /* a tile that serves instead may want more */
    s->workspace = clCreateBuffer(s->env->place.cl, CL_MEM_READ_WRITE, 8 * bytes + (1 << 16), NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    clattn_layout_release(layout);
}

/* Buffers for a problem, and its result when nothing fails. */
static void subject_make(subject *s, const ct_env *env, const char *text)
{
    clattn_plan *plan = NULL;
    clattn_plan_info info = {.struct_size = sizeof info};
    cl_int error = CL_SUCCESS;
    *s = (subject){.env = env, .options = CLATTN_CONTEXT_OPTIONS_INIT};
    ct_assert_status(clattn_problem_parse(&s->problem, text), CLATTN_OK, NULL);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    s->queue = clCreateCommandQueue(env->place.cl, env->place.device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &error);
    if (error == CL_INVALID_QUEUE_PROPERTIES) {
        s->queue = clCreateCommandQueue(env->place.cl, env->place.device, 0, &error);
    }
#pragma GCC diagnostic pop
    assert_int_equal(error, CL_SUCCESS);
    ct_assert_status(clattn_plan_create(&plan, env->place.context, &s->problem, NULL), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
    snprintf(s->backend, sizeof s->backend, "%s", info.backend);
    fill_slots(s, plan);
    s->right = ct_alloc(NULL, s->slots[CLATTN_O].bytes);
    assert_non_null(s->right);
    ct_assert_status(enqueue(s, plan), CLATTN_OK, NULL);
    read_o(s, s->right);
    clattn_plan_release(plan);
}

static void share_q(subject *s)
{
    const ct_tensor *q = &s->slots[CLATTN_Q];
    s->shared_q = clSVMAlloc(s->env->place.cl, CL_MEM_READ_WRITE, q->bytes, 0);
    if (s->shared_q) {
        assert_int_equal(clEnqueueSVMMemcpy(s->queue, CL_TRUE, s->shared_q, q->raw, q->bytes, 0, NULL, NULL),
                         CL_SUCCESS);
    }
}

static void subject_release(subject *s)
{
    if (s->shared_q) {
        clSVMFree(s->env->place.cl, s->shared_q);
    }
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_guarded_release(&s->slots[slot].device);
        ct_tensor_release(&s->slots[slot]);
    }
    clReleaseMemObject(s->workspace);
    clReleaseCommandQueue(s->queue);
    ct_release(NULL, s->right);
}

static void calls_fail(const ct_env *env, const char *text, clattn_cache_mode mode, bool shared)
{
    subject s;
    long n = 0;
    subject_make(&s, env, text);
    if (shared) {
        share_q(&s);
    }
    s.options.cache_mode = CLATTN_CACHE_READ_WRITE; /* binaries for those that read */
    live(&s, 0, CL_SUCCESS);
    s.options.cache_mode = mode;
    s.described = mode != CLATTN_CACHE_READ_ONLY;
    while (live(&s, ++n, CL_OUT_OF_RESOURCES)) {
        assert_true(n < MOST);
    }
    print_message("%s: %ld calls\n", text, n - 1);
    assert_true(n > 30);
    assert_int_equal(s.untold, 0);
    subject_release(&s);
    ct_assert_check(env, text, 5);
}

/* Programs from their sources, in every tile's probe, too. */
static void of_dense(void **state)
{
    calls_fail(*state, "dense h=1 n=48 d=16 causal=1", CLATTN_CACHE_OFF, false);
}

/* Programs from the cache; q by pointer. */
static void of_lists(void **state)
{
    calls_fail(*state, "block_sparse h=1 n=48 d=16 pattern=csr block=16 alibi=1", CLATTN_CACHE_READ_ONLY, true);
}

static void of_linear(void **state)
{
    calls_fail(*state, "lightning h=1 n=48 d=16 decay=minimax:1/3 state=1", CLATTN_CACHE_READ_ONLY, false);
}

static void of_hybrid(void **state)
{
    calls_fail(*state, "hybrid h=1 n=64 d=16 window=16,0 samples=8 gate=1", CLATTN_CACHE_READ_ONLY, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_dense), cmocka_unit_test(of_lists),
                                       cmocka_unit_test(of_linear), cmocka_unit_test(of_hybrid)};
    return cmocka_run_group_tests_name("calls", tests, ct_env_setup, ct_env_teardown);
}

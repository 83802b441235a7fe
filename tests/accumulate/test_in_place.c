/* A state that is read and written in one place, as whoever serves a model keeps it: the same bits as with two buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/core.h"
#include "harness/random.h"
#include "harness/storage.h"
#include "support/env.h"
#include "support/small_run.h"

static const char *const texts[] = {
    "lightning b=2 h=3 n=1 d=64 state=1 pass=decode",
    "lightning b=2 hq=4 hk=2 n=3 dqk=33 dv=50 state=1 pass=decode dtype=bf16",
    "linear b=2 h=2 n=2 dqk=130 dv=70 state=1 pass=decode feature=elu normalise=1",
    "linear h=2 n=7 d=40 sequences=3 state=1 pass=decode",
    "lightning b=2 h=3 n=150 d=64 state=1",                /* chunks, one segment */
    "lightning h=1 n=3000 dqk=48 dv=80 state=1 dtype=f16", /* segments and their scan */
    "linear b=2 h=2 n=90 d=33 state=1 causal=0 feature=relu normalise=1",
    "linear h=2 n=200 d=16 sequences=3 state=1",
};

typedef struct filled {
    cl_mem mems[CLATTN_SLOT_COUNT];
    size_t bytes[CLATTN_SLOT_COUNT];
} filled;

static void fill(const ct_env *env, const clattn_plan *plan, const clattn_problem *p, filled *f)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        int want, rank;
        int64_t dims[5], count = 1;
        clattn_dtype dtype;
        clattn_plan_slot(plan, (clattn_slot)slot, &want, &dtype, &rank, dims);
        for (int i = 0; want && i < rank; i++) {
            count *= dims[i];
        }
        ct_random random = ct_random_of(7, (uint64_t)slot);
        f->bytes[slot] = want ? (size_t)count * clattn_dtype_size(dtype) : 0;
        void *raw = want ? calloc((size_t)count, 4) : NULL;
        for (int64_t i = 0; want && i < count; i++) { /* the second of three sequences is empty */
            const double length = (double)(i == 0 ? 0 : i == p->sequences ? p->nq : p->nq / 2);
            ct_storage_write(dtype, raw, i, dtype == CLATTN_I32 ? length : 0.3 * ct_random_normal(&random));
        }
        f->mems[slot] =
            want ? clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, f->bytes[slot], raw, NULL)
                 : NULL;
        free(raw);
    }
}

/* Three times in a row: with two buffers the states change places. */
static void run(const ct_env *env, clattn_plan *plan, const clattn_problem *p, bool in_place, void *o, void *state)
{
    filled f;
    clattn_arg args[CLATTN_SLOT_COUNT];
    size_t n = 0, bytes = 0, in = 0, out = 0;
    fill(env, plan, p, &f);
    clattn_plan_workspace(plan, &bytes);
    cl_mem work = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE, bytes + 256, NULL, NULL), last = NULL;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (f.mems[slot]) {
            in = slot == CLATTN_STATE_IN ? n : in;
            out = slot == CLATTN_STATE_OUT ? n : out;
            args[n++] = (clattn_arg){(clattn_slot)slot, clattn_buf_mem(f.mems[slot], 0)};
        }
    }
    for (int i = 0; i < 3; i++) {
        args[in].buf.mem = f.mems[i % 2 ? CLATTN_STATE_OUT : CLATTN_STATE_IN];
        args[out].buf.mem = f.mems[i % 2 ? CLATTN_STATE_IN : CLATTN_STATE_OUT];
        if (in_place) {
            args[in].buf.mem = args[out].buf.mem = f.mems[CLATTN_STATE_IN];
        }
        last = args[out].buf.mem;
        ct_assert_status(clattn_enqueue(env->queue, plan, args, n, clattn_buf_mem(work, 0), 0, NULL, NULL), CLATTN_OK,
                         NULL);
    }
    assert_int_equal(clEnqueueReadBuffer(env->queue, f.mems[CLATTN_O], CL_TRUE, 0, f.bytes[CLATTN_O], o, 0, NULL, NULL),
                     CL_SUCCESS);
    assert_int_equal(clEnqueueReadBuffer(env->queue, last, CL_TRUE, 0, f.bytes[CLATTN_STATE_IN], state, 0, NULL, NULL),
                     CL_SUCCESS);
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (f.mems[slot]) {
            clReleaseMemObject(f.mems[slot]);
        }
    }
    clReleaseMemObject(work);
}

static void check(const ct_env *env, clattn_context *context, const char *backend, const char *text)
{
    static char o[2][1 << 20], state[2][1 << 20];
    clattn_problem problem;
    clattn_plan *plan = NULL;
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
    memset(o, 0, sizeof o);
    memset(state, 0, sizeof state);
    for (int i = 0; i < 2; i++) {
        run(env, plan, &problem, i, o[i], state[i]);
    }
    if (memcmp(o[0], o[1], sizeof o[0]) != 0 || memcmp(state[0], state[1], sizeof state[0]) != 0) {
        fail_msg("%s on %s: in place it is something else", text, backend);
    }
    clattn_plan_release(plan);
}

static void the_same_as_with_two_buffers(void **state)
{
    const ct_env *env = *state;
    for (int b = 0; small_backend(b); b++) {
        if (small_usable(small_backend(b))) {
            clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
            options.backend = small_backend(b);
            clattn_context *context = ct_env_context(env, &options);
            for (size_t i = 0; i < CT_COUNT(texts); i++) {
                check(env, context, small_backend(b), texts[i]);
            }
            clattn_context_release(context);
        }
    }
}

/* The same place or two that do not meet. */
static void half_in_place_is_refused(void **state)
{
    const ct_env *env = *state;
    enum { BYTES = 2 * 16 * 16 * 4 };
    clattn_problem problem;
    clattn_plan *plan = NULL;
    filled f;
    clattn_arg args[6];
    ct_assert_status(clattn_problem_parse(&problem, "lightning h=2 n=1 d=16 state=1 pass=decode"), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, env->place.context, &problem, NULL), CLATTN_OK, NULL);
    fill(env, plan, &problem, &f);
    for (int i = 0; i < 4; i++) {
        args[i] = (clattn_arg){(clattn_slot)i, clattn_buf_mem(f.mems[i], 0)};
    }
    static char shared[3 * BYTES]; /* what is refused is never read */
    cl_mem twice = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE, 3 * BYTES, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        const clattn_buf one = i ? clattn_buf_svm(shared) : clattn_buf_mem(twice, 0);
        args[4] = (clattn_arg){CLATTN_STATE_IN, one};
        args[5] =
            (clattn_arg){CLATTN_STATE_OUT, i ? clattn_buf_svm(shared + BYTES - 4) : clattn_buf_mem(twice, BYTES - 4)};
        ct_assert_status(clattn_enqueue(env->queue, plan, args, 6, clattn_buf_none(), 0, NULL, NULL),
                         CLATTN_INVALID_ARGUMENT, "'state-in'");
        args[4].buf = args[5].buf;
        args[5].buf = one;
        ct_assert_status(clattn_enqueue(env->queue, plan, args, 6, clattn_buf_none(), 0, NULL, NULL),
                         CLATTN_INVALID_ARGUMENT, "'state-out'");
    }
    args[4].buf = clattn_buf_mem(twice, 0);
    args[5].buf = clattn_buf_mem(twice, BYTES);
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 6, clattn_buf_none(), 0, NULL, NULL), CLATTN_OK, NULL);
    assert_int_equal(clFinish(env->queue), CL_SUCCESS);
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (f.mems[slot]) {
            clReleaseMemObject(f.mems[slot]);
        }
    }
    clReleaseMemObject(twice);
    clattn_plan_release(plan);
}

static int teardown(void **state)
{
    small_teardown(state);
    return ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_as_with_two_buffers),
                                       cmocka_unit_test(half_in_place_is_refused)};
    return cmocka_run_group_tests_name("in place", tests, ct_env_setup, teardown);
}

/* Kernels that a driver does not compile, create or launch: the next backend serves, and everybody who asks is told. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/core.h"
#include "support/env.h"
#include "support/small_run.h"
#include "support/texts.h"

#define PURPOSE "refused on purpose"

/* One kernel of every kind: attend (many queries, few), lists, merge, the gate, accumulate with its element kernels,
 * and states. */
static const struct {
    const char *kernel, *text, *problem;
} kinds[] = {
    {"attend_forward", "tile/tile_cpu.cl", "dense h=1 n=40 d=16"},
    {"attend_forward", "tile/tile_cpu_few.cl", "dense h=1 nq=1 nk=40 d=16 pass=decode"},
    {"merge_lse", "tile/line_cpu.cl", "dense h=1 nq=1 nk=4096 d=16 pass=decode"},
    {"lists", "tile/line_cpu.cl", "block_sparse pattern=table width=2 h=1 n=96 d=16 block=32"},
    {"gather_rows", "tile/line_cpu.cl", "hybrid h=1 n=64 d=16 window=8,0 samples=16"},
    {"gate_rows", "tile/line_cpu.cl", "hybrid h=1 n=64 d=16 window=8,0 samples=16 gate=2"},
    {"merge_gate", "tile/line_cpu.cl", "merge h=1 n=40 d=16 gate=1"},
    {"accumulate_forward", "tile/tile_cpu_cols.cl", "lightning h=1 n=64 d=16"},
    {"accumulate_feature", "tile/line_cpu.cl", "linear h=1 n=64 d=16 feature=elu normalise=1"},
    {"accumulate_step", "tile/line_cpu.cl", "linear b=2 h=1 n=1 d=16 pass=decode"},
};

/* ---- a driver's refusals, by the kernel's name ------------------------------------------------------------------ */

/* few: the driver says "groups of 0" */
static struct {
    const char *kernel;
    int left;
    cl_int launch;
    bool few;
} refusal;

static bool refused(cl_kernel kernel)
{
    char name[64] = "";
    const bool wanted = refusal.left > 0 &&
                        clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL) == CL_SUCCESS &&
                        strcmp(name, refusal.kernel) == 0;
    refusal.left -= wanted;
    return wanted;
}

/* These two stand before the loader's functions of their names. */
cl_int clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t room,
                                void *value, size_t *needed)
{
    typedef cl_int (*function)(cl_kernel, cl_device_id, cl_kernel_work_group_info, size_t, void *, size_t *);
    function real;
    void *found = dlsym(RTLD_NEXT, "clGetKernelWorkGroupInfo");
    memcpy(&real, &found, sizeof real);
    const cl_int code = real(kernel, device, what, room, value, needed);
    if (code == CL_SUCCESS && what == CL_KERNEL_WORK_GROUP_SIZE && refusal.few) {
        memset(value, 0, sizeof(size_t));
    }
    return code;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *first,
                              const size_t *global, const size_t *local, cl_uint n_wait, const cl_event *wait,
                              cl_event *event)
{
    typedef cl_int (*function)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *,
                               cl_uint, const cl_event *, cl_event *);
    function real;
    void *found = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
    memcpy(&real, &found, sizeof real);
    return refusal.launch && refused(kernel)
               ? refusal.launch
               : real(queue, kernel, dimensions, first, global, local, n_wait, wait, event);
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

static char heard[1 << 17];

static void hear(clattn_log_level level, const char *line, void *user)
{
    const size_t length = strlen(heard);
    (void)user;
    snprintf(heard + length, sizeof heard - length, "%d %s\n", (int)level, line);
}

static clattn_context *open_context(const ct_env *env, const char *backend)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    heard[0] = '\0';
    options.backend = backend;
    options.log = hear;
    options.log_level = CLATTN_LOG_WARN;
    options.cache_mode = CLATTN_CACHE_OFF;
    return ct_env_context(env, &options);
}

static clattn_status create(clattn_context *context, const char *text, const char *score, clattn_plan **plan)
{
    clattn_problem problem;
    *plan = NULL;
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    problem.score_text = score;
    return clattn_plan_create(plan, context, &problem, NULL);
}

static void must_hold(const char *text, const char *word)
{
    if (!strstr(text, word)) {
        fail_msg("'%s' is not in: %s", word, text);
    }
}

/* The first candidate declines for `why`, another serves and is right. */
static void must_fall_back(const ct_env *env, const char *problem, const char *first, const char *why)
{
    char line[64];
    clattn_plan *plan;
    clattn_plan_info info = {.struct_size = sizeof info};
    ct_env one = *env;
    one.place.context = open_context(env, NULL);
    ct_assert_status(create(one.place.context, problem, NULL, &plan), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
    assert_string_not_equal(info.backend, first);
    assert_non_null(info.instead_of);
    assert_string_equal(info.instead_of, first);
    snprintf(line, sizeof line, "%s: kernel ", first);
    must_hold(clattn_plan_explain(plan), line);
    must_hold(clattn_plan_explain(plan), why);
    snprintf(line, sizeof line, "1 backend %s declines: kernel ", first);
    must_hold(heard, line);
    must_hold(heard, why);
    clattn_plan_release(plan);
    ct_check_result result;
    /* not ct_assert_check, which wants the device's first backend */
    ct_assert_status(ct_check_text(&one.place, problem, 1, &result), CLATTN_OK, NULL);
    assert_true(result.passed);
    clattn_context_release(one.place.context);
}

static void refused_by_the_compiler(void **state)
{
    clattn_plan *plan;
    ct_texts_use(true);
    for (size_t i = 0; small_usable("cpu") && i < CT_COUNT(kinds); i++) {
        ct_texts_break(kinds[i].text);
        must_fall_back(*state, kinds[i].problem, "cpu", PURPOSE);
        clattn_context *context = open_context(*state, "cpu");
        ct_assert_status(create(context, kinds[i].problem, NULL, &plan), CLATTN_BUILD_FAILED, PURPOSE);
        clattn_context_release(context);
        ct_texts_replace(kinds[i].text, kinds[i].text);
    }
    ct_texts_use(false);
}

/* The first backend of this device by default. */
static void find_first(const ct_env *env, const char *problem, char first[16])
{
    clattn_plan *plan;
    clattn_plan_info info = {.struct_size = sizeof info};
    clattn_context *context = open_context(env, NULL);
    ct_assert_status(create(context, problem, NULL, &plan), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
    assert_null(info.instead_of);
    assert_int_equal(heard[0], '\0');
    snprintf(first, 16, "%s", info.backend);
    clattn_plan_release(plan);
    clattn_context_release(context);
}

/* The driver's own number is in the sentence when a launch fails, and is no reason to decline when it does not: some
 * say too little. */
static void groups_too_large(void **state)
{
    char first[16];
    clattn_plan *plan;
    for (size_t i = 0; i < CT_COUNT(kinds); i++) {
        refusal.few = false;
        find_first(*state, kinds[i].problem, first);
        refusal.few = true;
        find_first(*state, kinds[i].problem, first);
        refusal.kernel = kinds[i].kernel;
        refusal.launch = CL_INVALID_WORK_GROUP_SIZE;
        refusal.left = 1;
        must_fall_back(
            *state, kinds[i].problem, first,
            "CL_INVALID_WORK_GROUP_SIZE (-54); the driver says that it runs this kernel in groups of at most 0");
        assert_int_equal(refusal.left, 0);
        refusal.left = 1;
        clattn_context *context = open_context(*state, first);
        ct_assert_status(create(context, kinds[i].problem, NULL, &plan), CL_INVALID_WORK_GROUP_SIZE,
                         "groups of at most 0");
        clattn_context_release(context);
    }
    refusal.left = refusal.launch = 0;
    refusal.few = false;
}

static void refused_at_the_launch(void **state)
{
    char first[16];
    clattn_plan *plan;
    refusal.launch = CL_OUT_OF_RESOURCES;
    for (size_t i = 0; i < CT_COUNT(kinds); i++) {
        find_first(*state, kinds[i].problem, first);
        refusal.kernel = kinds[i].kernel;
        refusal.left = 1;
        must_fall_back(*state, kinds[i].problem, first, "CL_OUT_OF_RESOURCES");
        refusal.left = 1;
        clattn_context *context = open_context(*state, first);
        ct_assert_status(create(context, kinds[i].problem, NULL, &plan), CL_OUT_OF_RESOURCES, kinds[i].kernel);
        clattn_context_release(context);
    }
    refusal.left = 1000;
    refusal.kernel = "attend_forward";
    clattn_context *context = open_context(*state, NULL);
    ct_assert_status(create(context, kinds[0].problem, NULL, &plan), CL_OUT_OF_RESOURCES, "no backend accepts");
    clattn_context_release(context);
    refusal.left = refusal.launch = 0;
}

/* Nobody compiles it: ours to answer for, unless the caller has a text. */
static void refused_by_all(void **state)
{
    clattn_plan *plan;
    ct_texts_use(true);
    ct_texts_break("attend/attend_forward.cl");
    clattn_context *context = open_context(*state, NULL);
    ct_assert_status(create(context, kinds[0].problem, NULL, &plan), CLATTN_DEVICE_LACKS, PURPOSE);
    must_hold(clattn_error_detail(), "\nref: kernel ");
    ct_assert_status(create(context, kinds[0].problem, "score", &plan), CLATTN_BUILD_FAILED, PURPOSE);
    must_hold(clattn_error_detail(), "\nref: kernel ");
    clattn_context_release(context);
    ct_texts_replace("attend/attend_forward.cl", "attend/attend_forward.cl");
    ct_texts_use(false);
}

/* An error in the caller's text is one everywhere: nobody else is asked. */
static void a_wrong_text(void **state)
{
    clattn_plan *plan;
    clattn_context *context = open_context(*state, NULL);
    ct_assert_status(create(context, kinds[0].problem, "score +\n\n  no_such_name", &plan), CLATTN_BUILD_FAILED,
                     "score text:3");
    assert_null(strstr(clattn_error_detail(), "no backend"));
    assert_null(strstr(heard, "declines"));
    clattn_context_release(context);
    ct_texts_use(true);
    ct_texts_break("tile/tile_cpu.cl");
    context = open_context(*state, NULL);
    ct_assert_status(create(context, kinds[0].problem, "score +\n\n  no_such_name", &plan), CLATTN_BUILD_FAILED,
                     "score text:3");
    ct_assert_status(create(context, kinds[0].problem, "score + 1.0f", &plan), CLATTN_OK, NULL);
    clattn_plan_release(plan);
    clattn_context_release(context);
    ct_texts_replace("tile/tile_cpu.cl", "tile/tile_cpu.cl");
    ct_texts_use(false);
}

static int setup(void **state)
{
    ct_texts_make();
    return ct_env_setup(state);
}

static int teardown(void **state)
{
    return ct_texts_remove() | ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_by_the_compiler), cmocka_unit_test(groups_too_large),
                                       cmocka_unit_test(refused_at_the_launch), cmocka_unit_test(refused_by_all),
                                       cmocka_unit_test(a_wrong_text)};
    return cmocka_run_group_tests_name("refusals", tests, setup, teardown);
}

/* More groups than CUDA takes in a second or third dimension: they are launched in the first (FOLD of cl/tile/tile.cl).
 * And which groups a queue takes first (HEAVY_LAST there). */
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

static const char *const many[] = {
    "dense b=33000 h=2 nq=70 nk=4 d=2 causal=1 window=2,0", /* heads of all batches: the second or third dimension */
    "linear b=2200 h=32 n=1 d=16 pass=decode",              /* element kernels */
    "linear b=66000 h=1 n=2 d=4 feature=elu",               /* batches: the third */
};

static void assert_folded(clattn_context *context, const char *text)
{
    clattn_problem problem;
    clattn_plan *plan = NULL;
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
    for (const char *at = strstr(clattn_plan_describe(plan), "groups="); at; at = strstr(at + 1, "groups=")) {
        unsigned long groups[3] = {0};
        assert_int_equal(sscanf(at, "groups=%lux%lux%lu", &groups[0], &groups[1], &groups[2]), 3);
        assert_true(groups[1] <= 65535 && groups[2] <= 65535);
    }
    assert_non_null(strstr(clattn_plan_describe(plan), " fold="));
    clattn_plan_release(plan);
}

static void launched_in_the_first_dimension(void **state)
{
    const ct_env *env = *state;
    for (int i = 0; small_backend(i); i++) {
        if (!small_usable(small_backend(i))) {
            continue;
        }
        clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
        options.backend = small_backend(i);
        ct_env one = *env;
        one.place.context = ct_env_context(env, &options);
        for (size_t k = 0; k < CT_COUNT(many); k++) {
            assert_folded(one.place.context, many[k]);
            ct_assert_check(&one, many[k], 1);
        }
        clattn_context_release(one.place.context);
    }
}

/* One program serves them all. */
static void whatever_the_batch(void **state)
{
    static const char *const others[] = {
        "dense b=33001 h=2 nq=70 nk=4 d=2 causal=1 window=2,0",
        "linear b=2201 h=32 n=1 d=16 pass=decode",
        "linear b=66001 h=1 n=2 d=4 feature=elu",
    };
    const ct_env *env = *state;
    for (size_t i = 0; i < 3 * CT_COUNT(others); i++) {
        const char *backend = small_backend((int)(i / CT_COUNT(others))),
                   *texts[] = {many[i % CT_COUNT(others)], others[i % CT_COUNT(others)]};
        clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
        options.backend = backend;
        options.cache_mode = CLATTN_CACHE_OFF;
        ct_env one = *env;
        one.place.context = small_usable(backend) ? ct_env_context(env, &options) : NULL;
        for (int k = 0; one.place.context && k < 2; k++) {
            clattn_problem problem;
            clattn_plan *plan = NULL;
            clattn_plan_info info = {.struct_size = sizeof info};
            ct_assert_status(clattn_problem_parse(&problem, texts[k]), CLATTN_OK, NULL);
            ct_assert_status(clattn_plan_create(&plan, one.place.context, &problem, NULL), CLATTN_OK, NULL);
            ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
            if (k && (info.cache_built || info.cache_memory != info.launches)) {
                fail_msg("%s on %s: %d programs built anew behind those of %s", texts[k], backend, info.cache_built,
                         texts[0]);
            }
            clattn_plan_release(plan);
        }
        if (one.place.context) {
            ct_assert_check(&one, texts[1], 2);
        }
        clattn_context_release(one.place.context);
    }
}

static void heads_take_turns_in_triangles(void **state)
{
    static const struct {
        const char *problem, *groups;
    } cases[] = {
        {"dense b=2 h=3 n=256 d=64 causal=1", " groups=6x4x1 "},
        {"dense b=2 h=3 n=256 d=64", " groups=4x6x1 "},
        {"dense b=2 h=3 n=256 d=64 causal=1 window=9,0", " groups=1x4x6 "},
        {"block_sparse pattern=fixed attention=uni block=64 b=2 h=3 n=256 d=64 causal=1", " groups=1x4x6 "},
        {"dense hq=6 hk=2 nq=2 nk=4096 d=64 causal=1", " groups=1x2x"}, /* parts of the keys */
    };
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.backend = "simt";
    clattn_context *context = ct_env_context(*state, &options);
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem;
        clattn_plan *plan = NULL;
        ct_assert_status(clattn_problem_parse(&problem, cases[i].problem), CLATTN_OK, NULL);
        ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
        if (!strstr(clattn_plan_describe(plan), cases[i].groups)) {
            fail_msg("%s:%s is not in\n%s", cases[i].problem, cases[i].groups, clattn_plan_describe(plan));
        }
        clattn_plan_release(plan);
    }
    clattn_context_release(context);
}

static int teardown(void **state)
{
    small_teardown(state);
    return ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(launched_in_the_first_dimension),
                                       cmocka_unit_test(whatever_the_batch),
                                       cmocka_unit_test(heads_take_turns_in_triangles)};
    return cmocka_run_group_tests_name("groups", tests, ct_env_setup, teardown);
}

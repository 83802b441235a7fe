/* Every schedule that a stage allows gives what serial gives: the kernel texts are copied, and serial.cl is replaced by
 * the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "program/program.h"
#include "support/env.h"
#include "support/texts.h"

static int setup(void **state)
{
    const int status = ct_env_setup(state);
    ct_texts_make();
    ct_texts_replace("schedule/serial.cl", "schedule/overlap.cl");
    return status;
}

static int teardown(void **state)
{
    return ct_env_teardown(state) + ct_texts_remove();
}

/* The tiles whose operands are copies, not aliases: overlap is legal on them. */
static void overlap(void **state)
{
    ct_env env = *(ct_env *)*state;
    static const char *const backends[] = {"ref", "simt"};
    static const char *const problems[] = {
        "dense h=2 nq=45 nk=70 d=16",
        "dense h=2 nq=70 nk=70 d=16 causal=1 sink=1",
        "block_sparse h=2 n=96 d=16 block=32 pattern=sliding attention=bi",
    };
    ct_texts_use(true);
    for (size_t b = 0; b < CT_COUNT(backends); b++) {
        clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
        options.backend = backends[b];
        options.cache_mode = CLATTN_CACHE_OFF;
        env.place.context = ct_env_context(*state, &options);
        for (size_t i = 0; i < (b == 0 ? CT_COUNT(problems) : 1); i++) {
            ct_assert_check(&env, problems[i], 11 + i);
        }
        clattn_context_release(env.place.context);
    }
    ct_texts_use(false);
}

/* A stage that does not allow it must refuse to compile, not compute nonsense. */
static void a_stage_that_does_not_allow_it(void **state)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_problem problem;
    clattn_plan *plan = NULL;
    options.backend = "ref";
    options.cache_mode = CLATTN_CACHE_OFF;
    ct_texts_use(true);
    clattn_context *context = ct_env_context(*state, &options);
    assert_int_equal(clattn_problem_parse(&problem, "lightning h=1 n=32 d=16"), CLATTN_OK);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_BUILD_FAILED,
                     "does not allow front(j) beside back(j-1)");
    clattn_context_release(context);
    ct_texts_use(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(overlap), cmocka_unit_test(a_stage_that_does_not_allow_it)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

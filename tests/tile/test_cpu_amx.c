/* tile_cpu_amx without AMX: the device is made out to have it, and cl/tile/amx.cl, all that the tile asks of x86 by
 * name, is replaced by amx_emulated.cl. All else is what a CPU with AMX gets: shapes, lists, arguments, the tile's
 * text, the stage, the schedule. And what is said where it cannot run, or must not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "context/context.h"
#include "tile/tiles.h"
#include "support/env.h"
#include "support/texts.h"

static int setup(void **state)
{
    return ct_texts_emulate_setup(state, ct_texts_emulate_amx, "cpu_amx is for CPUs");
}

static clattn_context *open_context(void **state, clattn_amx_mode amx)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.backend = "cpu_amx";
    options.cache_mode = CLATTN_CACHE_OFF;
    options.amx = amx;
    return ct_env_context(*state, &options);
}

/* Rows whole and cut, one to eight vectors of them; widths that end within a step, and below one; masks, score texts,
 * tensors of other layouts, keys behind padding, lists of blocks that are no tiles, parts of a list. */
static void emulated(void **state)
{
    static const char *const problems[] = {
        "dense h=1 n=150 d=64 dtype=bf16",
        "dense h=2 hk=1 nq=33 nk=70 d=20 dtype=bf16 causal=1",
        "dense hq=8 hk=2 nq=3 nk=90 dqk=72 dv=40 dtype=bf16 layout=bnhd",
        "dense h=1 n=90 d=128 dtype=bf16 window=30,7 softcap=9 sink=1",
        "dense h=2 n=70 dqk=16 dv=33 dtype=bf16 alibi=1 bias=1 key_padding=1",
        "dense h=1 n=120 d=24 dtype=bf16 sequences=3 causal=1",
        "dense h=1 nq=9 nk=2100 d=16 dtype=bf16",
        "block_sparse pattern=bigbird block=16 h=1 n=96 d=24 dtype=bf16",
        "block_sparse pattern=mask block=48 h=1 n=150 d=32 dtype=bf16",
        "hybrid h=1 n=64 d=16 window=8,8 samples=8 gate=1 dtype=bf16",
    };
    ct_env env = *(ct_env *)*state;
    env.place.context = open_context(state, CLATTN_AMX_AUTO);
    env.place.context->env.facts.amx = true;
    env.place.context->tiles[ct_tile_index("cpu_amx")] = (ct_tile_state){.probed = true, .usable = true};
    ct_texts_use(true);
    for (size_t i = 0; i < CT_COUNT(problems); i++) {
        ct_assert_check(&env, problems[i], 31 + i);
    }
    ct_texts_use(false);
    clattn_context_release(env.place.context);
}

static void must_decline(clattn_context *context, const char *text, const char *why)
{
    clattn_problem problem;
    clattn_plan *plan = NULL;
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_DEVICE_LACKS, why);
}

static void says_why_not(void **state)
{
    static const struct {
        const char *problem, *why;
    } cases[] = {
        {"dense h=1 n=64 d=64", "cpu_amx: it reads bf16 only"},
        {"dense h=1 nq=1 nk=64 d=64 dtype=bf16", "cpu_amx: 1 rows of queries do not fill its tiles; at least 6"},
        {"dense h=1 n=64 d=64 dtype=bf16 kv_dtype=f16", "reads q, k and v of one element type"},
        {"dense h=1 n=64 d=64 dtype=bf16 pass=bwd", "tile cpu_amx has no pass backwards"},
        {"merge h=1 n=40 d=16 gate=1 dtype=bf16", "nothing in it is a product of rows"},
        {"lightning h=1 n=64 d=16 dtype=bf16", "cpu_amx"},
        {"block_sparse pattern=table width=1 block=67 h=1 n=134 d=64 dtype=bf16", "block 67x67"},
    };
    clattn_context *context = open_context(state, CLATTN_AMX_AUTO);
    context->env.facts.amx = true;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        must_decline(context, cases[i].problem, cases[i].why);
    }
    assert_false(context->tiles[ct_tile_index("cpu_amx")].probed); /* so nothing was asked of the system */
    clattn_context_release(context);
}

static void is_off(clattn_context *context)
{
    context->env.facts.amx = true;
    must_decline(context, "dense h=1 n=64 d=64 dtype=bf16", "cpu_amx: AMX is off");
    assert_non_null(strstr(clattn_context_describe(context), "AMX is off"));
    clattn_context_release(context);
}

static void may_be_off(void **state)
{
    is_off(open_context(state, CLATTN_AMX_OFF));
    setenv("CLATTN_AMX", "off", 1);
    is_off(open_context(state, CLATTN_AMX_DEFAULT));
    setenv("CLATTN_AMX", "no", 1); /* not known: the cautious one */
    is_off(open_context(state, CLATTN_AMX_DEFAULT));
    clattn_context *context = open_context(state, CLATTN_AMX_AUTO); /* an option goes before the environment */
    assert_false(context->amx_off);
    clattn_context_release(context);
    setenv("CLATTN_AMX", "auto", 1);
    context = open_context(state, CLATTN_AMX_DEFAULT);
    assert_false(context->amx_off);
    clattn_context_release(context);
    unsetenv("CLATTN_AMX");
}

/* Linux refuses where a signal could no longer be delivered: the plan says so, and another backend serves. First: what
 * the process was once given it keeps. */
static void may_be_refused(void **state)
{
    static char room[4096];
    const ct_env *env = *state;
    const stack_t small = {.ss_sp = room, .ss_size = sizeof room}, none = {.ss_flags = SS_DISABLE};
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_problem problem;
    clattn_plan *plan = NULL;
    if (!env->place.context->env.facts.amx) {
        skip();
    }
    options.amx = CLATTN_AMX_AUTO;
    clattn_context *context = ct_env_context(*state, &options);
    ct_assert_status(clattn_problem_parse(&problem, "dense h=1 n=64 d=64 dtype=bf16"), CLATTN_OK, NULL);
    assert_int_equal(sigaltstack(&small, NULL), 0);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
    assert_int_equal(sigaltstack(&none, NULL), 0);
    assert_non_null(strstr(clattn_plan_explain(plan), "cpu_amx: the system does not let this process use AMX"));
    assert_non_null(strstr(clattn_plan_explain(plan), "alternate signal stack"));
    assert_non_null(strstr(clattn_plan_explain(plan), "cpu: chosen"));
    clattn_plan_release(plan);
    clattn_context_release(context);
}

static void has_bounds(void **state)
{
    const ct_env *env = *state;
    clattn_context *context = NULL;
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.amx = (clattn_amx_mode)3;
    ct_assert_status(clattn_context_create(&context, env->place.cl, env->place.device, &options),
                     CLATTN_INVALID_ARGUMENT, "options.amx is 3, must be 0 to 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(may_be_refused), cmocka_unit_test(emulated),
                                       cmocka_unit_test(says_why_not), cmocka_unit_test(may_be_off),
                                       cmocka_unit_test(has_bounds)};
    return cmocka_run_group_tests_name("cpu_amx", tests, setup, ct_texts_emulate_teardown);
}

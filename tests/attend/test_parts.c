/* Gradients in one pass whose groups share out a head's blocks of keys: into how many parts, that their sums come
 * together to what the reference says and to the same bits every time, and how a device's memory bounds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attend/parts.h"
#include "context/context.h"
#include "support/env.h"

enum { MUCH = 1000 };

static void as_many_as_pay(void **state)
{
    static const struct {
        int64_t heads, blocks, places, most, parts;
    } cases[] = {
        {32, 64, 528, MUCH, 16},  /* an H200's 132 units, four groups each: all of them run at once */
        {32, 64, 264, MUCH, 8},   /* or two */
        {528, 64, 528, MUCH, 1},  /* whole heads */
        {1000, 64, 528, MUCH, 1}, /* twice over */
        {300, 64, 264, MUCH, 5},  /* of whole heads the second turn would be nearly empty */
        {1, 16, 528, MUCH, 16},   /* no more than blocks */
        {1, 1, 528, MUCH, 1},     /* a block alone */
        {32, 64, 528, 15, 13},    /* memory for fifteen: five blocks each at most, as of thirteen */
        {32, 64, 528, 8, 0},      /* too few for the device: two passes */
        {3, 64, 528, 0, 0},       /* memory for none, and few heads */
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const int64_t parts = ct_backward_parts(cases[i].heads, cases[i].blocks, cases[i].places, cases[i].most);
        if (parts != cases[i].parts) {
            fail_msg("case %d: %d parts, not %d", (int)i, (int)parts, (int)cases[i].parts);
        }
    }
}

/* As if the device had so many units. */
static clattn_context *with_units(const ct_env *env, const char *backend, cl_uint units)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.backend = backend;
    options.trial = CLATTN_TRIAL_OFF; /* a process of its own would see another device */
    clattn_context *context = ct_env_context(env, &options);
    context->env.facts.compute_units = units;
    context->env.facts.local_apart = false; /* a group a unit */
    return context;
}

/* Is this among the plan's launches, from kernel `kernel` on? */
static void assert_launches(clattn_context *context, const char *text, const char *kernel, const char *groups)
{
    clattn_problem problem;
    clattn_plan *plan = NULL;
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
    const char *launches = clattn_plan_describe(plan), *at = strstr(launches, kernel),
               *end = at ? strchr(at, '\n') : NULL, *found = at ? strstr(at, groups) : NULL;
    if (!found || (end && found > end)) {
        fail_msg("%s: no '%s' of %s in\n%s", text, groups, kernel, launches);
    }
    clattn_plan_release(plan);
}

/* Blocks that parts do not divide; of a head alone, of a group's heads, of packed sequences and a layout; padded keys.
 * The check runs each of them twice, and compares bits. */
static void parts_come_together(void **state)
{
    static const struct {
        const char *problem;
        uint64_t seed;
    } cases[] = {
        {"dense h=1 n=300 d=16 pass=bwd causal=1", 1},
        {"dense hq=2 hk=1 nq=130 nk=333 d=40 pass=bwd", 2 | CT_SEED_STRIDED},
        {"dense h=1 n=300 d=21 pass=bwd key_padding=1", 3 | CT_SEED_NAN},
        {"dense h=1 n=500 d=16 sequences=3 pass=bwd causal=1", 4 | CT_SEED_OUT_OF_ORDER},
        {"block_sparse h=1 n=336 d=16 pattern=bslongformer block=16 pass=bwd", 5},
    };
    clattn_context *context = with_units(*state, "simt", 3);
    ct_env env = *(ct_env *)*state;
    env.place.context = context;
    for (size_t i = 0; i < CT_COUNT(cases) && ct_env_usable(context, "simt"); i++) {
        assert_launches(context, cases[i].problem, "attend_backward_kv", " groups=3x1x1 ");
        ct_assert_check(&env, cases[i].problem, cases[i].seed);
    }
    clattn_context_release(context);
}

/* The tiles that an NVIDIA GPU is given, on whatever device this is: two groups a unit. */
static void tiles_of_a_gpu(void **state)
{
    static const char *const problems[] = {"dense h=1 n=300 d=64 pass=bwd causal=1", /* 3 blocks */
                                           "dense hq=2 hk=1 n=300 d=128 pass=bwd key_padding=1"};
    static const char *const tiles[] = {"attend_backward_kv.simt.BM128.BN64", "attend_backward_kv.simt.BM64.BN64"};
    clattn_context *context = with_units(*state, "simt", 1);
    ct_device_facts *facts = &context->env.facts;
    ct_env env = *(ct_env *)*state;
    env.place.context = context;
    snprintf(facts->vendor, sizeof facts->vendor, "NVIDIA Corporation");
    facts->local_apart = true;
    const bool room = facts->local_memory >= 48 << 10;
    facts->local_memory = 48 << 10;
    for (size_t i = 0; i < CT_COUNT(problems) && room && ct_env_usable(context, "simt"); i++) {
        assert_launches(context, problems[i], tiles[i], " groups=2x1x1 ");
        ct_assert_check(&env, problems[i], 6 + i);
    }
    clattn_context_release(context);
}

/* Tiles whose groups do whole heads, texts, and memory that has no room for parts. */
static void no_parts(void **state)
{
    static const char problem[] = "dense h=1 n=300 d=16 pass=bwd", text[] = "dense h=1 n=300 d=16 pass=bwd alibi=1";
    clattn_context *ref = with_units(*state, "ref", 3), *simt = with_units(*state, "simt", 3);
    assert_launches(ref, problem, "attend_backward_q", "");
    ref->env.facts.compute_units = 1;
    assert_launches(ref, problem, "attend_collect", "");
    assert_launches(ref, problem, "attend_backward_kv", " groups=1x1x1 ");
    if (ct_env_usable(simt, "simt")) {
        assert_launches(simt, text, "attend_backward_q", "");
        simt->env.facts.global_memory = (cl_ulong)16 * 300 * 16 * 4; /* a sixteenth: one part's sums */
        assert_launches(simt, problem, "attend_backward_q", "");
        simt->env.facts.compute_units = 1;
        assert_launches(simt, problem, "attend_backward_kv", " groups=1x1x1 ");
    }
    clattn_context_release(ref);
    clattn_context_release(simt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_many_as_pay), cmocka_unit_test(parts_come_together),
                                       cmocka_unit_test(tiles_of_a_gpu), cmocka_unit_test(no_parts)};
    return cmocka_run_group_tests_name("parts", tests, ct_env_setup, ct_env_teardown);
}

/* Plans of long sequences: what is stored and visited grows with the rows and the window, not with the square. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "core/core.h"
#include "support/env.h"

#define N           ((int64_t)1 << 22)
#define LISTED_KEYS ((double)N / 16) /* a list of every tile, once */
#define SECONDS     20

typedef struct long_case {
    const char *text;
    double most_entries;
} long_case;

/* Entries that the plan's lists hold: what its bytes hold beside tensors and LSE. */
static double entries_of(const clattn_problem *p, const clattn_plan_info *info)
{
    const double width = (double)(p->dqk + p->dv), size = (double)clattn_dtype_size(p->dtype);
    const double tensors = size * width * ((double)(p->hq * p->nq) + (double)(p->hk * p->nk));
    return (info->bytes - tensors - 4.0 * (double)(p->hq * p->nq)) / 4;
}

static double seconds_now(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void assert_short(clattn_context *context, const long_case *c)
{
    clattn_plan_info info = {.struct_size = sizeof info};
    clattn_problem problem;
    clattn_plan *plan = NULL;
    const double begin = seconds_now();
    ct_assert_status(clattn_problem_parse(&problem, c->text), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
    const double entries = entries_of(&problem, &info), seconds = seconds_now() - begin;
    if (!(entries >= 1 && entries <= c->most_entries) || (double)info.workspace > 8 * c->most_entries ||
        seconds > SECONDS) {
        fail_msg("%s: lists of %.0f entries, at most %.0f; workspace %zu; %.1f s, at most %d", c->text, entries,
                 c->most_entries, info.workspace, seconds, SECONDS);
    }
    clattn_plan_release(plan);
}

static void four_million_tokens(void **state)
{
    static const long_case cases[] = {
        {"dense h=1 n=4194304 d=16", LISTED_KEYS},
        {"dense h=1 nq=4194304 nk=4194301 d=16 causal=1", LISTED_KEYS},
        {"dense h=1 n=4194304 d=16 key_padding=1 window=512,512", LISTED_KEYS},
        {"dense h=1 n=4194304 d=16 causal=1 window=512,0", (double)N},
        {"dense h=1 n=4194304 d=16 window=300,200", (double)N},
        {"dense h=1 n=4194304 d=16 window=-1,9", LISTED_KEYS},
        {"dense h=1 n=4194304 d=16 sequences=3 causal=1", LISTED_KEYS},
        {"dense h=1 n=4194304 d=16 sequences=3 causal=1 window=512,0", (double)N},
        {"block_sparse h=1 n=4194304 d=16 pattern=window window=512,0 block=64", (double)N},
    };
    const ct_env *env = *state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        assert_short(env->place.context, &cases[i]);
    }
}

/* A list's places are 32-bit numbers: too few for these, whatever the tile. */
static void lists_beyond_32_bits_are_refused(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"dense h=1 n=16777216 d=16 window=6000000,6000000", "2147483647"},
        {"dense h=1 n=16777216 d=16 sequences=2 window=6000000,0",
         "2147483647: max_q and max_k, the longest sequences"},
        {"block_sparse h=1 n=4194304 d=16 pattern=mask block=16", "larger blocks than 16x16"},
    };
    const ct_env *env = *state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem;
        clattn_plan *plan = NULL;
        ct_assert_status(clattn_problem_parse(&problem, cases[i].text), CLATTN_OK, NULL);
        ct_assert_status(clattn_plan_create(&plan, env->place.context, &problem, NULL), CLATTN_UNSUPPORTED,
                         cases[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(four_million_tokens),
                                       cmocka_unit_test(lists_beyond_32_bits_are_refused)};
    return cmocka_run_group_tests_name("long", tests, ct_env_setup, ct_env_teardown);
}

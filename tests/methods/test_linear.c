/* linear and lightning on every backend against the double reference: storage types, odd sizes, layouts, states, packed
 * sequences, features. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/env.h"

static const ct_env *env;

static int open_device(void **state)
{
    const int st = ct_env_setup(state);
    env = *state;
    return st;
}

/* Every `step`-th problem from `first` on: kernels for the slower backends take seconds to compile. */
static void check_all(const char *backend, const char *const *problems, uint64_t seed, int first, int step)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    ct_env one = *env;
    options.backend = backend;
    one.place.context = ct_env_context(env, &options);
    for (int i = 0; ct_env_usable(one.place.context, backend) && problems[i]; i++) {
        if (i >= first && (i - first) % step == 0) {
            ct_assert_check(&one, problems[i], seed + (uint64_t)i);
        }
    }
    clattn_context_release(one.place.context);
}

static void everywhere(const char *const *problems, uint64_t seed)
{
    static const struct {
        const char *name;
        int first, step;
    } backends[] = {{"cpu", 0, 1}, {"ref", 0, 3}};
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        check_all(backends[i].name, problems, seed, backends[i].first, backends[i].step);
    }
}

/* Few: a CPU takes long to compile a GPU's kernels; tests/accumulate runs its identities there, too. The first one's
 * value columns are parts of several groups. */
static void on_a_gpu_tile(void **state)
{
    static const char *const problems[] = {"linear hq=4 hk=2 n=90 dqk=17 dv=130 sequences=3 decay=token state=1",
                                           "linear h=2 nq=70 nk=40 d=16 causal=0 feature=elu normalise=1", NULL};
    (void)state;
    check_all("simt", problems, 5, 0, 1);
}

/* C1: chunked against the recurrence, for every chunk size */
static void chunks(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "linear h=2 n=63 d=16 decay=-0.05 chunk=1 state=1",
        "linear h=2 n=63 d=16 decay=-0.05 chunk=2 state=1",
        "linear h=2 n=63 d=16 decay=-0.05 chunk=3 state=1",
        "linear h=2 n=63 d=16 decay=-0.05 chunk=16 state=1",
        "linear h=2 n=130 d=16 decay=-0.05 chunk=64 state=1",
        "linear h=2 n=130 d=16 decay=-0.05 chunk=130 state=1",
        "linear h=2 n=100 d=16 decay=-0.69 state=1",
        "linear h=2 n=100 d=16 decay=0 state=1",
        "linear h=2 n=100 d=16 decay=-40 state=1",
        NULL,
    };
    everywhere(problems, 1);
}

static void sizes(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "lightning b=2 h=3 n=65 d=64",
        "lightning h=1 n=1 d=1",
        "linear h=2 n=65 dqk=60 dv=7 state=1",
        "lightning b=2 hq=6 hk=2 n=70 dqk=24 dv=80",
        "lightning hq=5 hk=1 n=66 d=64 layout=bnhd",
        "linear h=2 n=70 dqk=17 dv=256 decay=-0.1",
        NULL,
    };
    everywhere(problems, 20);
}

static void storage(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "lightning h=2 n=100 d=64 dtype=f16",
        "lightning h=2 n=100 d=64 dtype=bf16 layout=bnhd",
        "linear h=2 n=64 d=16 dtype=bf16 feature=elu normalise=1",
        "linear h=2 n=64 d=16 dtype=f16 feature=silu",
        NULL,
    };
    everywhere(problems, 40);
    everywhere(problems, CT_SEED_STRIDED + 50);
}

static void decays(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "linear hq=4 hk=2 n=90 d=16 decay=head state=1",
        "linear b=2 hq=2 hk=1 n=90 d=16 decay=token state=1",
        "linear h=1 n=200 d=16 decay=token",
        "linear h=8 n=40 d=16 decay=minimax:3/10",
        "linear h=5 n=40 d=16 decay=fla:2/6",
        "linear h=3 n=40 d=16 decay=retention",
        "lightning h=12 n=40 d=16 scale=-0.3",
        NULL,
    };
    everywhere(problems, 60);
}

static void packed(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "lightning hq=4 hk=2 n=150 d=16 sequences=5 state=1",
        "linear h=2 n=150 d=16 sequences=9 decay=token state=1",
        "linear h=2 nq=70 nk=90 d=16 sequences=3 causal=0",
        "linear h=2 n=60 d=16 sequences=4 pass=decode state=1",
        "linear h=2 n=90 d=16 sequences=3 causal=0" /* keys have lengths of their own */,
        NULL,
    };
    everywhere(problems, 80);
}

/* C3, C7: features, normaliser, not causal */
static void features(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "linear h=2 n=70 d=16 feature=elu",
        "linear h=2 n=70 d=16 feature=relu",
        "linear h=2 n=70 d=16 feature=silu",
        "linear h=2 n=70 d=16 feature=softmax",
        "linear hq=4 hk=2 n=70 d=16 feature=elu normalise=1 state=1",
        "linear h=2 n=70 d=16 feature=softmax normalise=1 decay=-0.1",
        "linear h=2 nq=50 nk=90 d=16 causal=0",
        "linear b=2 h=2 nq=90 nk=40 d=16 causal=0 feature=elu normalise=1",
        "linear h=1 n=400 d=16 causal=0 feature=relu state=1",
        "linear h=1 n=400 d=16 feature=elu normalise=1 state=1 decay=-0.01",
        NULL,
    };
    everywhere(problems, 100);
}

/* C9 */
static void steps(void **state)
{
    (void)state;
    static const char *const problems[] = {
        "lightning pass=decode b=4 hq=4 hk=2 n=1 d=64 state=1",
        "lightning pass=decode h=1 n=3 d=80 state=1",
        "linear pass=decode h=3 n=5 dqk=24 dv=33",
        "linear pass=decode h=2 n=2 dqk=24 dv=33 feature=elu normalise=1 state=1",
        "linear pass=decode h=2 n=2 d=31 feature=softmax decay=token state=1",
        "linear pass=decode h=2 n=2 d=32 dtype=bf16 state=1 normalise=1",
        "lightning pass=decode h=2 n=1 d=256 dtype=f16 layout=bnhd state=1",
        NULL,
    };
    everywhere(problems, 120);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } problems[] = {
        {"linear n=16 causal=0 decay=-1", "causal=0"},
        {"lightning n=16 causal=0", "causal=0"},
        {"linear nq=4 nk=8", "nq=4, nk=8"},
        {"lightning n=16 feature=elu", "feature=elu"},
        {"linear n=16 causal=0 pass=decode", "pass=decode"},
    };
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        clattn_problem problem;
        const clattn_status st = clattn_problem_parse(&problem, problems[i].text);
        assert_true(st == CLATTN_INVALID_ARGUMENT || st == CLATTN_UNSUPPORTED);
        assert_non_null(strstr(clattn_error_detail(), problems[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_gpu_tile), cmocka_unit_test(chunks), cmocka_unit_test(sizes),
        cmocka_unit_test(storage),       cmocka_unit_test(decays), cmocka_unit_test(packed),
        cmocka_unit_test(features),      cmocka_unit_test(steps),  cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, open_device, ct_env_teardown);
}

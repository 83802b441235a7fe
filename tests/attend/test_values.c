/* Scores and masks of any size, on every backend of the device: a finite score is a score, hidden is hidden, whatever
 * lies there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/core.h"
#include "support/env.h"
#include "support/small_run.h"

typedef struct value_case {
    const char *problem;
    uint64_t seed;
} value_case;

/* One context a backend for all tests, so that a program is compiled once. */
static clattn_context *contexts[3];

static int close_all(void **state)
{
    for (size_t b = 0; b < CT_COUNT(contexts); b++) {
        clattn_context_release(contexts[b]);
    }
    return ct_env_teardown(state);
}

static void everywhere(const ct_env *env, const value_case *cases, size_t count)
{
    for (int b = 0; small_backend(b); b++) {
        if (!small_usable(small_backend(b))) {
            continue;
        }
        if (!contexts[b]) {
            clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
            options.backend = small_backend(b);
            contexts[b] = ct_env_context(env, &options);
        }
        ct_env one = *env;
        one.place.context = contexts[b];
        for (size_t i = 0; i < count; i++) {
            ct_assert_check(&one, cases[i].problem, cases[i].seed);
        }
    }
}

/* Every customary constant as an additive mask over leading keys, scattered ones and whole rows (the seeds 3, 4 and 5
 * draw them). */
static void masks(void **state)
{
    for (int mask = 1; mask <= CT_MASK_CONSTANTS; mask++) {
        for (uint64_t seed = 3; seed <= 5; seed++) {
            const value_case cases[] = {
                {"dense n=150 h=2 d=16 bias=1", seed | CT_SEED_BIAS(mask)},
                {"dense n=70 h=2 d=16 dtype=bf16 bias=1 sink=1 causal=1", seed | CT_SEED_BIAS(mask)},
                {"dense h=1 nq=3 nk=3100 d=16 bias=1 pass=decode", seed | CT_SEED_BIAS(mask)}, /* in parts */
            };
            everywhere(*state, cases, CT_COUNT(cases));
        }
    }
}

/* q and k whole numbers up to 3 x 2^17, so that scores are exact, far apart or the same: equal logits of 1e11 are a
 * mean. */
static void large_logits(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const value_case cases[] = {
            {"dense n=150 h=2 d=16", seed | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
            {"dense n=150 h=2 d=64 dtype=bf16 causal=1", seed | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
            {"dense n=70 h=2 d=16 dtype=f16 window=20,3", seed | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
        };
        everywhere(*state, cases, CT_COUNT(cases));
    }
}

/* Their gradients: LSE's last bit is a weight's error, which grows with it, and far from 0 a row is done again, where
 * what the softmax counts from is rounded. */
static void gradients_of_large_logits(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        const value_case cases[] = {
            {"dense h=2 n=70 d=16 sink=1 pass=bwd", seed | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
            {"dense h=2 n=70 d=16 dtype=f16 pass=bwd", seed | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
        };
        everywhere(*state, cases, CT_COUNT(cases));
    }
}

/* A caller's text that hides by -1e30. */
static void sinking_text(void **state)
{
    const value_case cases[] = {{"dense n=150 h=2 d=16", 7 | CT_SEED_TEXT(6)},
                                {"dense n=150 h=2 d=16 causal=1", 8 | CT_SEED_TEXT(6)}};
    everywhere(*state, cases, CT_COUNT(cases));
}

static void scales(void **state)
{
    static const char *const far[] = {"1e-38", "1e-30", "-1e-30", "1e-10", "1e8", "-1e8", "1e15", "1e20"};
    for (size_t i = 0; i < CT_COUNT(far); i++) {
        char causal[96], sink[96], back[96];
        snprintf(causal, sizeof causal, "dense n=150 h=2 d=16 causal=1 scale=%s", far[i]);
        snprintf(sink, sizeof sink, "dense n=70 h=2 d=16 sink=1 scale=%s", far[i]);
        /* what is below the smallest normal float may be flushed to 0, and gradients with it */
        snprintf(back, sizeof back, "dense n=70 h=2 d=16 sink=1 scale=%s pass=bwd", i ? far[i] : "1e-37");
        const value_case cases[] = {{causal, 9 | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
                                    {sink, 9 | CT_SEED_INPUTS(CT_INPUTS_WHOLE)},
                                    {back, 9 | CT_SEED_INPUTS(CT_INPUTS_WHOLE)}};
        everywhere(*state, cases, CT_COUNT(cases));
    }
}

/* NaN in one query row, one key, and in all that padding hides: nobody else notices. */
static void nan_behind_masks(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const value_case cases[] = {
            {"dense b=3 n=150 h=2 d=16 key_padding=1", seed | CT_SEED_NAN},
            {"dense b=2 n=150 h=2 d=20 dtype=bf16 key_padding=1 causal=1", seed | CT_SEED_NAN},
            {"dense hq=2 hk=1 nq=1 nk=3000 d=16 dtype=f16 key_padding=1 pass=decode",
             seed | CT_SEED_NAN}, /* in parts */
            {"dense n=150 h=2 d=16 window=20,0 causal=1", seed | CT_SEED_NAN},
            {"block_sparse pattern=bigbird block=16 n=160 h=2 d=16 key_padding=1", seed | CT_SEED_NAN},
            {"hybrid b=2 h=2 n=100 d=16 causal=1 window=16,0 key_padding=1 samples=16", seed | CT_SEED_NAN},
            {"sparse_linear pattern=sliding block=16 n=160 h=2 d=16 dtype=bf16 key_padding=1", seed | CT_SEED_NAN},
        };
        everywhere(*state, cases, CT_COUNT(cases));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks),        cmocka_unit_test(large_logits), cmocka_unit_test(gradients_of_large_logits),
        cmocka_unit_test(sinking_text), cmocka_unit_test(scales),       cmocka_unit_test(nan_behind_masks)};
    return cmocka_run_group_tests_name("values", tests, ct_env_setup, close_all);
}

/* Residual and normalisation behind methods: against the double reference, and by hand. */
#include <math.h>
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

static void problems_pass(void **state)
{
    static const char *const problems[] = {
        "dense b=2 hq=4 hk=2 n=70 d=16 norm=layer residual=1 layout=bnhd dtype=bf16",
        "linear b=2 h=3 n=70 d=16 dv=40 norm=rms residual=1 state=1 eps=0.01",
        "dense b=2 hq=4 hk=2 n=70 d=16 norm=layer residual=1 layout=bnhd pass=bwd",
        "linear h=3 n=700 d=16 dv=40 norm=rms state=1 eps=0.01 dtype=f16 pass=bwd",
        "sparse_linear pattern=sliding block=16 h=2 n=80 d=16 gate=2 residual=1 pass=bwd",
        "merge h=3 n=20 d=24 norm=rms residual=1 pass=bwd",
    };
    ct_assert_checks(*state, problems, CT_COUNT(problems), 61);
}

static void tiles(void **state)
{
    small_check(*state, "merge h=3 n=20 d=24 norm=layer residual=1", 5);
    small_check(*state, "merge h=3 n=20 d=24 norm=layer residual=1 pass=bwd", 6 | CT_SEED_STRIDED);
}

enum { H = 3, N = 7, D = 20, ALL = H * N * D, W = H * D };
static double q[ALL], k[ALL], v[ALL], residual[ALL], weight[W], bias[W], o[ALL], y[ALL], sum[ALL], stats[2 * N];

static void fill(void)
{
    double *const tensors[] = {q, k, v, residual};
    for (int i = 0; i < 4; i++) {
        small_fill(tensors[i], ALL, 9, (uint64_t)i);
    }
    small_fill(weight, W, 9, 4);
    small_fill(bias, W, 9, 5);
}

/* Number i of a token's row, in [H, N, D]. */
static int at(int token, int i)
{
    return (i / D * N + token) * D + i % D;
}

static void token_by_hand(int token, int kind, double eps)
{
    double mean = 0, square = 0;
    for (int i = 0; i < W; i++) {
        const double s = o[at(token, i)] + residual[at(token, i)];
        assert_true(fabs(s - sum[at(token, i)]) < 1e-5);
        mean += kind == CLATTN_NORM_LAYER ? s / W : 0;
        square += s * s / W;
    }
    const double rstd = 1 / sqrt(square - mean * mean + eps);
    assert_true(fabs(stats[2 * token] - mean) < 1e-5 && fabs(stats[2 * token + 1] - rstd) < 1e-5 * rstd);
    for (int i = 0; i < W; i++) {
        const double want = (sum[at(token, i)] - mean) * rstd * weight[i] + bias[i];
        assert_true(fabs(y[at(token, i)] - want) < 1e-4);
    }
}

/* By the definition, from what the method gives without it; the default eps is part of it. */
static void by_hand(void **state)
{
    static const double eps[] = {0, 1e-5, 1e-6};
    char text[100];
    (void)state;
    fill();
    const small_value plain[] = {{CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, o}};
    const small_value normed[] = {{CLATTN_Q, q, NULL},
                                  {CLATTN_K, k, NULL},
                                  {CLATTN_V, v, NULL},
                                  {CLATTN_RESIDUAL, residual, NULL},
                                  {CLATTN_NORM_WEIGHT, weight, NULL},
                                  {CLATTN_NORM_BIAS, bias, NULL},
                                  {CLATTN_O, NULL, y},
                                  {CLATTN_SUM_OUT, NULL, sum},
                                  {CLATTN_NORM_STATS, NULL, stats}};
    snprintf(text, sizeof text, "dense h=%d n=%d d=%d", H, N, D);
    ct_assert_status(small_run_text("ref", text, plain, 4), CLATTN_OK, NULL);
    for (int kind = CLATTN_NORM_LAYER; kind <= CLATTN_NORM_RMS; kind++) {
        snprintf(text, sizeof text, "dense h=%d n=%d d=%d residual=1 norm=%s", H, N, D, kind == 1 ? "layer" : "rms");
        ct_assert_status(small_run_text("ref", text, normed, 9), CLATTN_OK, NULL);
        for (int token = 0; token < N; token++) {
            token_by_hand(token, kind, eps[kind]);
        }
    }
}

/* Nothing but the result, no weight; a residual alone is a sum. */
static void least(void **state)
{
    (void)state;
    fill();
    small_value values[] = {{CLATTN_Q, q, NULL},
                            {CLATTN_K, k, NULL},
                            {CLATTN_V, v, NULL},
                            {CLATTN_O, NULL, o},
                            {CLATTN_RESIDUAL, residual, NULL}};
    char text[100];
    snprintf(text, sizeof text, "dense h=%d n=%d d=%d", H, N, D);
    ct_assert_status(small_run_text("ref", text, values, 4), CLATTN_OK, NULL);
    snprintf(text, sizeof text, "dense h=%d n=%d d=%d residual=1", H, N, D);
    values[3].out = y;
    ct_assert_status(small_run_text("ref", text, values, 5), CLATTN_OK, NULL);
    for (int i = 0; i < ALL; i++) {
        assert_true(fabs(y[i] - o[i] - residual[i]) < 1e-6);
    }
    ct_assert_status(small_run_text("ref", text, values, 4), CLATTN_INVALID_ARGUMENT, "residual");
}

static void refused(void **state)
{
    static const small_refusal cases[] = {
        {"dense eps=0.1", "there is none", CLATTN_INVALID_ARGUMENT},
        {"dense norm=batch", "norm", CLATTN_INVALID_ARGUMENT},
        {"dense norm=layer eps=-1", "eps", CLATTN_INVALID_ARGUMENT},
        {"dense residual=2", "residual", CLATTN_INVALID_ARGUMENT},
    };
    (void)state;
    small_refuse(cases, (int)CT_COUNT(cases));
}

static int teardown(void **state)
{
    return small_teardown(state) | ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(problems_pass), cmocka_unit_test(tiles),
                                       cmocka_unit_test(by_hand), cmocka_unit_test(least), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("norm", tests, ct_env_setup, teardown);
}

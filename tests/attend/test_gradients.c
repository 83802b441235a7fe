/* Gradients of attention against the double reference, on every backend of the device. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/core.h"
#include "harness/texts.h"
#include "support/env.h"
#include "support/small_run.h"

/* What every tile is asked: a group of heads, widths that differ, ragged ends, rows and columns that see nothing. */
static void every_tile(void **state)
{
    small_check(
        *state,
        "block_sparse hq=4 hk=2 nq=70 nk=45 d=24 dv=40 block=32x16 pattern=mask per_head=1 pass=bwd causal=1 sink=1",
        1);
}

static void variants(void **state)
{
    static const char *const problems[] = {
        "dense b=2 hq=4 hk=2 n=75 d=16 pass=bwd bias=1 bias_b=1 bias_h=1 alibi=2 layout=bnhd",
        "dense hq=2 hk=1 nq=60 nk=90 d=16 sequences=3 pass=bwd dtype=bf16 causal=1 softcap=2",
        "block_sparse h=2 n=150 d=16 block=24x48 pattern=longformer window=20,10 indices=3,50 kv_dtype=f16 pass=bwd",
        "block_sparse b=2 hq=4 hk=2 n=100 d=16 block=16 pattern=scores topk=3 causal=1 pass=bwd",
        "dense h=2 n=64 d=16 alibi=2 pass=bwd", /* pocl 3.1 wrote rows behind dq, see attend_backward_q.cl */
        "dense hq=4 hk=2 n=70 d=16 causal=1 pass=bwd deterministic=0",
    };
    ct_assert_checks(*state, problems, CT_COUNT(problems), 21);
}

/* Every customary constant as an additive mask, over whole rows, too: LSE alone cannot tell their weights. */
static void masks(void **state)
{
    for (int mask = 1; mask <= CT_MASK_CONSTANTS; mask++) {
        for (uint64_t seed = 3; seed <= 5; seed++) {
            ct_assert_check(*state, "dense n=70 h=2 d=16 bias=1 pass=bwd", seed | CT_SEED_BIAS(mask));
        }
    }
}

/* Behind key padding may lie NaN; strides, an out-of-order queue. */
static void behind_padding(void **state)
{
    ct_assert_check(*state, "dense b=2 hq=4 hk=2 n=75 d=16 pass=bwd key_padding=1",
                    7 | CT_SEED_NAN | CT_SEED_STRIDED | CT_SEED_OUT_OF_ORDER);
}

/* Callers' texts with their derivatives, behind what comes before them, and where its own gradient is taken. */
static void texts(void **state)
{
    static const char problem[] = "dense b=2 hq=4 hk=2 nq=70 nk=90 d=16 softcap=3 alibi=2 bias=1 causal=1 pass=bwd";
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    ct_env ref = *(ct_env *)*state;
    options.backend = "ref";
    ref.place.context = ct_env_context(&ref, &options);
    ct_assert_check(&ref, problem, 3 | CT_SEED_TEXT(6)); /* "sunk" */
    ct_assert_check(&ref, "dense hq=2 hk=1 nq=60 nk=90 d=16 sequences=3 causal=1 pass=bwd", 4 | CT_SEED_TEXT(7));
    clattn_context_release(ref.place.context);
    ct_assert_check(*state, problem, 3 | CT_SEED_TEXT(7)); /* "bent" */
}

/* O7: what arrives at rows that see keys comes to values, sum dV = sum dO; scores share what arrives at LSE,
 * sum_j dX_ij = dLSE_i, dX being the bias's gradient; and q and k meet in s q.k alone: <q, dQ> = <k, dK>. */
static void identities(void **state)
{
    enum { H = 2, NQ = 21, NK = 37, D = 16, Q = H * NQ * D, K = H * NK * D, X = H * NQ * NK };
    static double q[Q], k[K], v[K], bias[X], g[Q], dlse[H * NQ], o[Q], lse[H * NQ], dq[Q], dk[K], dv[K], dx[X];
    static const char text[] = "dense h=2 nq=21 nk=37 d=16 bias=1 causal=1", back[] = " pass=bwd";
    double *const given[] = {q, k, v, bias, g, dlse};
    static const size_t counts[] = {Q, K, K, X, Q, H * NQ};
    char backward[80];
    const small_value values[] = {{CLATTN_Q, q, NULL},       {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL},
                                  {CLATTN_BIAS, bias, NULL}, {CLATTN_O, NULL, o}, {CLATTN_LSE, NULL, lse}};
    const small_value backs[] = {{CLATTN_Q, q, NULL},       {CLATTN_K, k, NULL},       {CLATTN_V, v, NULL},
                                 {CLATTN_BIAS, bias, NULL}, {CLATTN_O, o, NULL},       {CLATTN_LSE, lse, NULL},
                                 {CLATTN_DO, g, NULL},      {CLATTN_DLSE, dlse, NULL}, {CLATTN_DQ, NULL, dq},
                                 {CLATTN_DK, NULL, dk},     {CLATTN_DV, NULL, dv},     {CLATTN_DBIAS, NULL, dx}};
    (void)state;
    snprintf(backward, sizeof backward, "%s%s", text, back);
    for (int i = 0; i < 6; i++) {
        small_fill(given[i], counts[i], 17, (uint64_t)i);
    }
    for (int b = 0; small_backend(b); b++) {
        const char *backend = small_backend(b);
        double of_q = 0, of_k = 0;
        if (!small_usable(backend) || strcmp(backend, "simt") == 0) { /* seconds a kernel */
            continue;
        }
        ct_assert_status(small_run_text(backend, text, values, 6), CLATTN_OK, NULL);
        ct_assert_status(small_run_text(backend, backward, backs, 12), CLATTN_OK, NULL);
        for (int i = 0; i < Q; i++) {
            of_q += q[i] * dq[i];
        }
        for (int i = 0; i < K; i++) {
            of_k += k[i] * dk[i];
        }
        assert_true(fabs(of_q - of_k) < 1e-4);
        for (int row = 0; row < H * NQ; row++) {
            double sum = 0;
            for (int j = 0; j < NK; j++) {
                sum += dx[row * NK + j];
            }
            assert_true(fabs(sum - dlse[row]) < 1e-5);
        }
        for (int c = 0; c < H * D; c++) {
            double values_get = 0, arrives = 0;
            for (int j = 0; j < NK; j++) {
                values_get += dv[(c / D * NK + j) * D + c % D];
            }
            for (int i = 0; i < NQ; i++) {
                arrives += g[(c / D * NQ + i) * D + c % D];
            }
            assert_true(fabs(values_get - arrives) < 1e-4);
        }
    }
}

/* As many gradients as are asked for: the same bits as among all of them. */
static void some_of_them(void **state)
{
    enum { N = 40, D = 16 };
    static const char text[] = "dense h=1 n=40 d=16 pass=bwd";
    double in[5][N * D], out[3][N * D], alone[N * D];
    (void)state;
    for (int i = 0; i < 5; i++) {
        small_fill(in[i], N * D, 5, (uint64_t)i);
    }
    for (int i = 0; i < N; i++) {
        in[4][i] = 6.0; /* an LSE */
    }
    small_value values[] = {{CLATTN_Q, in[0], NULL},   {CLATTN_K, in[1], NULL},   {CLATTN_V, in[2], NULL},
                            {CLATTN_O, in[3], NULL},   {CLATTN_DO, in[3], NULL},  {CLATTN_LSE, in[4], NULL},
                            {CLATTN_DQ, NULL, out[0]}, {CLATTN_DK, NULL, out[1]}, {CLATTN_DV, NULL, out[2]}};
    ct_assert_status(small_run_text("ref", text, values, 9), CLATTN_OK, NULL);
    for (int i = 0; i < 3; i++) {
        values[6] = (small_value){(clattn_slot)(CLATTN_DQ + i), NULL, alone};
        ct_assert_status(small_run_text("ref", text, values, 7), CLATTN_OK, NULL);
        assert_memory_equal(alone, out[i], sizeof alone);
    }
    ct_assert_status(small_run_text("ref", text, values, 5), CLATTN_INVALID_ARGUMENT, "lse");
}

static void refused(void **state)
{
    clattn_problem p;
    (void)state;
    clattn_problem_init(&p);
    p.pass = CLATTN_BWD;
    p.score_text = "score";
    ct_assert_status(clattn_problem_check(&p), CLATTN_UNSUPPORTED, "no derivative");
    p.dscore_text = "dscore";
    ct_assert_status(clattn_problem_check(&p), CLATTN_OK, NULL);
    p.score_text = NULL;
    ct_assert_status(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT, "there is no score");
    p.dscore_text = NULL;
    p.k = (clattn_strides){p.nk * p.dqk, 0, p.dqk}; /* heads that share their keys */
    ct_assert_status(clattn_problem_check(&p), CLATTN_UNSUPPORTED, "k strides 65536, 0, 64 let rows overlap");
    p.pass = CLATTN_FWD;
    ct_assert_status(clattn_problem_check(&p), CLATTN_OK, NULL);
}

static int teardown(void **state)
{
    return small_teardown(state) | ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tile),     cmocka_unit_test(variants),     cmocka_unit_test(masks),
        cmocka_unit_test(behind_padding), cmocka_unit_test(some_of_them), cmocka_unit_test(refused),
        cmocka_unit_test(texts),          cmocka_unit_test(identities),
    };
    return cmocka_run_group_tests_name("gradients", tests, ct_env_setup, teardown);
}

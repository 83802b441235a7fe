/* Gradients of methods that join branches, against the double reference, and what must hold between branches and
 * whole. */
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
        "merge hq=4 hk=2 n=20 d=16 gate=2 pass=bwd",
        "hybrid hq=4 hk=2 b=2 n=90 dqk=24 dv=40 window=8,8 samples=8 spacing=given gate=1 alibi=2 sink=1 key_padding=1 "
        "pass=bwd",
        "hybrid h=2 n=90 d=16 window=8,8 samples=8 spacing=log gate=2 causal=1 softcap=5 dtype=bf16 layout=bnhd "
        "pass=bwd",
        "sparse_linear pattern=sliding block=16 hq=4 hk=2 n=80 d=16 remaining=1 gate=2 sink=1 pass=bwd",
        "sparse_linear pattern=mask block=16x32 hq=4 hk=2 nq=80 nk=150 d=16 remaining=1 feature=elu dtype=bf16 "
        "pass=bwd",
    };
    ct_assert_checks(*state, problems, CT_COUNT(problems), 41);
}

enum { H = 2, NQ = 20, NK = 36, FIRST = 16, D = 16, Q = H * NQ * D, K = H * NK * D, ROWS = H * NQ };
static double q[Q], k[K], v[K], g[Q], dlse[ROWS];

/* Tokens first ... first + n - 1 of [H, NK, D]. */
static void cut(const double *from, int first, int n, double *to)
{
    for (int h = 0; h < H; h++) {
        memcpy(to + h * n * D, from + (h * NK + first) * D, (size_t)(n * D) * sizeof *to);
    }
}

static void run(const char *backend, const char *text, const small_value *values, int count)
{
    if (small_run_text(backend, text, values, count) != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

/* dense over keys first ... first + n - 1. */
static void forward(const char *backend, int first, int n, double *o, double *lse)
{
    static double a[K], b[K];
    char text[120];
    cut(k, first, n, a);
    cut(v, first, n, b);
    const small_value values[] = {
        {CLATTN_Q, q, NULL}, {CLATTN_K, a, NULL}, {CLATTN_V, b, NULL}, {CLATTN_O, NULL, o}, {CLATTN_LSE, NULL, lse}};
    snprintf(text, sizeof text, "dense h=%d nq=%d nk=%d d=%d", H, NQ, n, D);
    run(backend, text, values, 5);
}

static void backward(const char *backend, int first, int n, const double *o, const double *lse, const double *of_o,
                     const double *of_lse, double *dq, double *dk, double *dv)
{
    static double a[K], b[K];
    char text[120];
    cut(k, first, n, a);
    cut(v, first, n, b);
    const small_value values[] = {{CLATTN_Q, q, NULL},        {CLATTN_K, a, NULL},     {CLATTN_V, b, NULL},
                                  {CLATTN_O, o, NULL},        {CLATTN_LSE, lse, NULL}, {CLATTN_DO, of_o, NULL},
                                  {CLATTN_DQ, NULL, dq},      {CLATTN_DK, NULL, dk},   {CLATTN_DV, NULL, dv},
                                  {CLATTN_DLSE, of_lse, NULL}};
    snprintf(text, sizeof text, "dense h=%d nq=%d nk=%d d=%d pass=bwd", H, NQ, n, D);
    run(backend, text, values, 10);
}

static void near(const double *got, const double *want, int count, const char *what)
{
    for (int i = 0; i < count; i++) {
        if (!(fabs(got[i] - want[i]) <= 2e-5 * (1.0 + fabs(want[i])))) {
            fail_msg("%s, element %d: got %.9g, wanted %.9g", what, i, got[i], want[i]);
        }
    }
}

/* M3 backwards: keys in two sets, merged by LSE, are as keys in one, with a gradient arriving at LSE, too. */
static void two_sets_are_one(void **unused)
{
    static double o[Q], lse[ROWS], dq[Q], dk[K], dv[K], o_parts[2 * Q], lse_parts[2 * ROWS], merged[Q], total[ROWS];
    static double do_parts[2 * Q], dlse_parts[2 * ROWS], dq_parts[2][Q], dk_part[K], dv_part[K], want[K];
    static const int firsts[] = {0, FIRST, NK};
    char text[120];
    (void)unused;
    for (int b = 0; small_backend(b); b++) {
        const char *backend = small_backend(b);
        if (!small_usable(backend) || strcmp(backend, "simt") == 0) { /* seconds a kernel */
            continue;
        }
        forward(backend, 0, NK, o, lse);
        backward(backend, 0, NK, o, lse, g, dlse, dq, dk, dv);
        for (int i = 0; i < 2; i++) {
            forward(backend, firsts[i], firsts[i + 1] - firsts[i], o_parts + i * Q, lse_parts + i * ROWS);
        }
        const small_value values[] = {{CLATTN_O_PARTS, o_parts, NULL},
                                      {CLATTN_LSE_PARTS, lse_parts, NULL},
                                      {CLATTN_O, NULL, merged},
                                      {CLATTN_LSE, NULL, total}};
        snprintf(text, sizeof text, "merge parts=2 h=%d n=%d d=%d", H, NQ, D);
        run(backend, text, values, 4);
        const small_value back[] = {{CLATTN_O_PARTS, o_parts, NULL},
                                    {CLATTN_LSE_PARTS, lse_parts, NULL},
                                    {CLATTN_O, merged, NULL},
                                    {CLATTN_LSE, total, NULL},
                                    {CLATTN_DO, g, NULL},
                                    {CLATTN_DLSE, dlse, NULL},
                                    {CLATTN_DO_PARTS, NULL, do_parts},
                                    {CLATTN_DLSE_PARTS, NULL, dlse_parts}};
        snprintf(text, sizeof text, "merge parts=2 h=%d n=%d d=%d pass=bwd", H, NQ, D);
        run(backend, text, back, 8);
        for (int i = 0; i < 2; i++) {
            const int n = firsts[i + 1] - firsts[i];
            backward(backend, firsts[i], n, o_parts + i * Q, lse_parts + i * ROWS, do_parts + i * Q,
                     dlse_parts + i * ROWS, dq_parts[i], dk_part, dv_part);
            cut(dk, firsts[i], n, want);
            near(dk_part, want, H * n * D, "dk");
            cut(dv, firsts[i], n, want);
            near(dv_part, want, H * n * D, "dv");
        }
        for (int i = 0; i < Q; i++) {
            dq_parts[0][i] += dq_parts[1][i];
        }
        near(dq_parts[0], dq, Q, "dq");
    }
}

/* As many gradients as are asked for: the same bits as among all of them. */
static void some_of_them(void **unused)
{
    static const char text[] = "hybrid h=2 n=20 d=16 window=3,3 samples=4 gate=2 pass=bwd";
    static const clattn_slot slots[] = {CLATTN_DQ, CLATTN_DK, CLATTN_DV, CLATTN_DGATE_WEIGHT, CLATTN_DGATE_BIAS};
    static double all[5][Q], alone[Q];
    small_value values[10] = {{CLATTN_Q, q, NULL},
                              {CLATTN_K, k, NULL},
                              {CLATTN_V, v, NULL},
                              {CLATTN_DO, g, NULL},
                              {CLATTN_GATE_WEIGHT, dlse, NULL}};
    const int counts[] = {Q, Q, Q, H * D, H};
    (void)unused;
    for (int i = 0; i < 5; i++) {
        values[5 + i] = (small_value){slots[i], NULL, all[i]};
    }
    run("ref", text, values, 10);
    for (int i = 0; i < 5; i++) {
        values[5] = (small_value){slots[i], NULL, alone};
        run("ref", text, values, 6);
        assert_memory_equal(alone, all[i], (size_t)counts[i] * sizeof(double));
    }
}

static int setup(void **state)
{
    small_fill(q, Q, 8, 0);
    small_fill(k, K, 8, 1);
    small_fill(v, K, 8, 2);
    small_fill(g, Q, 8, 3);
    small_fill(dlse, ROWS, 8, 4);
    return ct_env_setup(state);
}

static int teardown(void **state)
{
    return small_teardown(state) | ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(problems_pass), cmocka_unit_test(two_sets_are_one),
                                       cmocka_unit_test(some_of_them)};
    return cmocka_run_group_tests_name("gradients", tests, setup, teardown);
}

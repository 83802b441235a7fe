/* Gradients of the linear half against the double reference, on every backend of the device, and what must hold between
 * them. */
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

/* What every tile is asked: heads that share keys, widths that differ, a state, ragged ends. */
static void every_tile(void **state)
{
    small_check(*state, "lightning hq=4 hk=2 n=150 dqk=24 dv=40 pass=bwd decay=token state=1 ddecay=1 scale=0.3", 1);
}

static void variants(void **state)
{
    static const char *const problems[] = {
        "lightning b=2 h=2 n=100 d=16 pass=bwd layout=bnhd dtype=bf16",
        "linear hq=4 hk=2 n=90 d=16 pass=bwd state=1 sequences=4 decay=head ddecay=1 dtype=f16",
        "linear hq=4 hk=2 nq=50 nk=70 causal=0 d=16 pass=bwd state=1 b=2",
        "linear hq=4 hk=1 nq=50 nk=70 causal=0 d=16 pass=bwd feature=softmax normalise=1 sequences=3",
        "linear h=2 n=90 d=16 pass=bwd feature=elu normalise=1 state=1 decay=alibi ddecay=1 kv_dtype=bf16",
        "lightning hq=40 hk=1 n=3 d=16 pass=bwd state=1",
        "lightning h=1 n=700 d=32 pass=bwd state=1 chunk=64",
    };
    ct_assert_checks(*state, problems, CT_COUNT(problems), 31);
    ct_assert_check(*state, problems[0], 7 | CT_SEED_STRIDED | CT_SEED_OUT_OF_ORDER);
}

enum { H = 2, N = 40, D = 16, CUT = 17, O = H * N * D, S = H * D * D };
static double q[O], k[O], v[O], g[O], state_in[S], dstate_out[S], decay[H * N];

/* Tokens first ... first + n - 1 of [H, N, width]. */
static void cut(const double *from, int width, int first, int n, double *to)
{
    for (int h = 0; h < H; h++) {
        memcpy(to + h * n * width, from + (h * N + first) * width, (size_t)(n * width) * sizeof *to);
    }
}

typedef struct gradients {
    double q[O], k[O], v[O], state[S], decay[H * N], state_out[S], o[O];
} gradients;

/* Both passes over tokens first ... first + n - 1. */
static void part(const char *backend, int first, int n, const double *in, const double *arriving, gradients *out)
{
    static double a[O], b[O], c[O], d[O], e[H * N];
    char text[160];
    cut(q, D, first, n, a);
    cut(k, D, first, n, b);
    cut(v, D, first, n, c);
    cut(g, D, first, n, d);
    cut(decay, 1, first, n, e);
    const small_value forward[] = {{CLATTN_Q, a, NULL},      {CLATTN_K, b, NULL},
                                   {CLATTN_V, c, NULL},      {CLATTN_STATE_IN, in, NULL},
                                   {CLATTN_O, NULL, out->o}, {CLATTN_STATE_OUT, NULL, out->state_out},
                                   {CLATTN_DECAY, e, NULL}};
    snprintf(text, sizeof text, "linear h=%d n=%d d=%d state=1 decay=token", H, n, D);
    ct_assert_status(small_run_text(backend, text, forward, 7), CLATTN_OK, NULL);
    const small_value backward[] = {{CLATTN_Q, a, NULL},
                                    {CLATTN_K, b, NULL},
                                    {CLATTN_V, c, NULL},
                                    {CLATTN_STATE_IN, in, NULL},
                                    {CLATTN_DECAY, e, NULL},
                                    {CLATTN_DO, d, NULL},
                                    {CLATTN_DQ, NULL, out->q},
                                    {CLATTN_DK, NULL, out->k},
                                    {CLATTN_DV, NULL, out->v},
                                    {CLATTN_DSTATE_IN, NULL, out->state},
                                    {CLATTN_DDECAY, NULL, out->decay},
                                    {CLATTN_DSTATE_OUT, arriving, NULL}};
    snprintf(text, sizeof text, "linear h=%d n=%d d=%d state=1 decay=token pass=bwd ddecay=1", H, n, D);
    ct_assert_status(small_run_text(backend, text, backward, 12), CLATTN_OK, NULL);
}

static void near(const double *whole, int width, int first, int n, const double *got, const char *what)
{
    static double want[O];
    cut(whole, width, first, n, want);
    for (int i = 0; i < H * n * width; i++) {
        if (!(fabs(got[i] - want[i]) <= 5e-5 * (1.0 + fabs(want[i])))) {
            fail_msg("%s from token %d, element %d: got %.9g, wanted %.9g", what, first, i, got[i], want[i]);
        }
    }
}

/* C2 and O7: split anywhere, carry the state on and its gradient back: the same gradients. */
static void through_the_state(void **unused)
{
    static gradients whole, before, after, ahead;
    (void)unused;
    for (int b = 0; small_backend(b); b++) {
        const char *backend = small_backend(b);
        if (!small_usable(backend) || strcmp(backend, "simt") == 0) { /* seconds a kernel */
            continue;
        }
        part(backend, 0, N, state_in, dstate_out, &whole);
        part(backend, 0, CUT, state_in, dstate_out, &ahead); /* for its state */
        part(backend, CUT, N - CUT, ahead.state_out, dstate_out, &after);
        part(backend, 0, CUT, state_in, after.state, &before);
        const struct {
            const double *whole, *first, *second;
            int width;
            const char *name;
        } parts[] = {{whole.q, before.q, after.q, D, "dq"},
                     {whole.k, before.k, after.k, D, "dk"},
                     {whole.v, before.v, after.v, D, "dv"},
                     {whole.decay, before.decay, after.decay, 1, "ddecay"}};
        for (size_t i = 0; i < CT_COUNT(parts); i++) {
            near(parts[i].whole, parts[i].width, 0, CUT, parts[i].first, parts[i].name);
            near(parts[i].whole, parts[i].width, CUT, N - CUT, parts[i].second, parts[i].name);
        }
        for (int i = 0; i < S; i++) {
            assert_true(fabs(before.state[i] - whole.state[i]) <= 5e-5 * (1.0 + fabs(whole.state[i])));
        }
    }
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < D; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* C8: o is linear in q, and what a token leaves is linear in its k as in its v: <q, dq> = <o, do>, <k, dk> = <v, dv>.
 * One decay for every token of a head: its gradient is the sum of theirs. */
static void of_a_token(void **unused)
{
    static gradients all;
    static double one[H], dg[H];
    char text[120];
    (void)unused;
    for (int i = 0; i < H * N; i++) {
        decay[i] = one[i / N] = -0.05 * (i / N + 1);
    }
    const small_value heads[] = {{CLATTN_Q, q, NULL},       {CLATTN_K, k, NULL},
                                 {CLATTN_V, v, NULL},       {CLATTN_STATE_IN, state_in, NULL},
                                 {CLATTN_DECAY, one, NULL}, {CLATTN_DO, g, NULL},
                                 {CLATTN_DDECAY, NULL, dg}, {CLATTN_DSTATE_OUT, dstate_out, NULL}};
    snprintf(text, sizeof text, "linear h=%d n=%d d=%d state=1 decay=head pass=bwd ddecay=1", H, N, D);
    for (int b = 0; small_backend(b); b++) {
        const char *backend = small_backend(b);
        if (!small_usable(backend) || strcmp(backend, "simt") == 0) {
            continue;
        }
        part(backend, 0, N, state_in, dstate_out, &all);
        ct_assert_status(small_run_text(backend, text, heads, 8), CLATTN_OK, NULL);
        for (int h = 0; h < H; h++) {
            double sum = 0;
            for (int t = h * N; t < (h + 1) * N; t++) {
                const double of_q = dot(q + t * D, all.q + t * D), of_k = dot(k + t * D, all.k + t * D);
                assert_true(fabs(of_q - dot(all.o + t * D, g + t * D)) <= 1e-4 * (1 + fabs(of_q)));
                assert_true(fabs(of_k - dot(v + t * D, all.v + t * D)) <= 1e-4 * (1 + fabs(of_k)));
                sum += all.decay[t];
            }
            assert_true(fabs(sum - dg[h]) <= 1e-4 * (1 + fabs(sum)));
        }
    }
}

/* As many gradients as are asked for: the same bits as among all of them; and what is asked of no problem is
 * refused. */
static void some_of_them(void **unused)
{
    static const char text[] = "linear h=2 n=40 d=16 state=1 pass=bwd decay=token ddecay=1";
    static double all[5][O], alone[O];
    static const clattn_slot slots[] = {CLATTN_DQ, CLATTN_DK, CLATTN_DV, CLATTN_DSTATE_IN, CLATTN_DDECAY};
    static const int counts[] = {O, O, O, S, H * N};
    clattn_problem p;
    (void)unused;
    small_value values[10] = {{CLATTN_Q, q, NULL},
                              {CLATTN_K, k, NULL},
                              {CLATTN_V, v, NULL},
                              {CLATTN_DO, g, NULL},
                              {CLATTN_DECAY, decay, NULL}};
    for (int i = 0; i < 5; i++) {
        values[5 + i] = (small_value){slots[i], NULL, all[i]};
    }
    ct_assert_status(small_run_text("ref", text, values, 10), CLATTN_OK, NULL);
    for (int i = 0; i < 5; i++) {
        values[5] = (small_value){slots[i], NULL, alone};
        ct_assert_status(small_run_text("ref", text, values, 6), CLATTN_OK, NULL);
        assert_memory_equal(alone, all[i], (size_t)counts[i] * sizeof(double));
    }
    ct_assert_status(small_run_text("ref", text, values, 5), CLATTN_INVALID_ARGUMENT, "none of the plan's results");
    ct_assert_status(clattn_problem_parse(&p, "lightning n=64 ddecay=1"), CLATTN_INVALID_ARGUMENT, "only pass=bwd");
    ct_assert_status(clattn_problem_parse(&p, "linear n=64 ddecay=1 pass=bwd"), CLATTN_INVALID_ARGUMENT, "decay=none");
}

static int setup(void **state)
{
    small_fill(q, O, 3, 0);
    small_fill(k, O, 3, 1);
    small_fill(v, O, 3, 2);
    small_fill(g, O, 3, 3);
    small_fill(state_in, S, 3, 4);
    small_fill(dstate_out, S, 3, 5);
    small_fill(decay, H * N, 3, 6);
    for (int i = 0; i < H * N; i++) {
        decay[i] = -fabs(decay[i]) * 0.3;
    }
    return ct_env_setup(state);
}

static int teardown(void **state)
{
    return small_teardown(state) | ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_tile), cmocka_unit_test(variants),
                                       cmocka_unit_test(through_the_state), cmocka_unit_test(of_a_token),
                                       cmocka_unit_test(some_of_them)};
    return cmocka_run_group_tests_name("gradients", tests, setup, teardown);
}

/* The hybrid method against its reference and its own identities: mostly on the backend that compiles fastest, for what
 * is tested here is not the tile. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/random.h"
#include "layout/layout.h"
#include "plan/method.h"
#include "methods/reference_softmax.h"
#include "support/env.h"
#include "support/small_run.h"

enum { B = 2, HQ = 4, HK = 2, NQ = 37, NK = 45, DQK = 20, DV = 12, MOST = 64 };

static double q[B * HQ * NQ * DQK], k[B * HK * NK * DQK], v[B * HK * NK * DV], gate[B * HQ * NQ], weight[HQ * DQK],
    bias[HQ];
static double padding[B * NK], sink[HQ], positions[MOST];
static double o[B * HQ * NQ * DV], want[B * HQ * NQ * DV], other[B * HQ * NQ * DV];

static int setup(void **state)
{
    (void)state;
    small_fill(q, B * HQ * NQ * DQK, 77, 0);
    small_fill(k, B * HK * NK * DQK, 77, 1);
    small_fill(v, B * HK * NK * DV, 77, 2);
    small_fill(weight, HQ * DQK, 77, 3);
    small_fill(bias, HQ, 77, 4);
    small_fill(sink, HQ, 77, 5);
    ct_random random = ct_random_of(77, 6);
    for (int i = 0; i < B * HQ * NQ; i++) {
        gate[i] = (double)(float)ct_random_unit(&random);
    }
    for (int i = 0; i < B * NK; i++) {
        padding[i] = ct_random_chance(&random, 0.8);
    }
    return 0;
}

#define SIZES "b=2 hq=4 hk=2 nq=37 nk=45 dqk=20 dv=12 "

/* Runs a problem; every slot that it wants and that there is an array for is given. */
static void run(const char *backend, const char *text, double *to)
{
    clattn_problem problem;
    small_value io[12] = {{CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, to}};
    int n = 4;
    if (clattn_problem_parse(&problem, text) != CLATTN_OK) {
        fail_msg("%s: %s", text, clattn_error_detail());
    }
    if (problem.gate == 1) {
        io[n++] = (small_value){CLATTN_GATE, gate, NULL};
    } else if (problem.gate == 2) {
        io[n++] = (small_value){CLATTN_GATE_WEIGHT, weight, NULL};
        io[n++] = (small_value){CLATTN_GATE_BIAS, bias, NULL};
    }
    if (problem.key_padding) {
        io[n++] = (small_value){CLATTN_KEY_PADDING, padding, NULL};
    }
    if (problem.sink) {
        io[n++] = (small_value){CLATTN_SINK, sink, NULL};
    }
    if (problem.spacing == CLATTN_SPACING_GIVEN) {
        io[n++] = (small_value){CLATTN_POSITIONS, positions, NULL};
    }
    if (small_run(backend, &problem, NULL, io, n) != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

static void reference(const char *text, double *to)
{
    clattn_problem problem;
    assert_int_equal(clattn_problem_parse(&problem, text), CLATTN_OK);
    ct_reference_io io = {.out = {[CLATTN_O] = to}};
    io.in[CLATTN_Q] = q;
    io.in[CLATTN_K] = k;
    io.in[CLATTN_V] = v;
    io.in[CLATTN_GATE] = gate;
    io.in[CLATTN_GATE_WEIGHT] = weight;
    io.in[CLATTN_GATE_BIAS] = bias;
    io.in[CLATTN_KEY_PADDING] = problem.key_padding ? padding : NULL;
    io.in[CLATTN_SINK] = sink;
    io.in[CLATTN_POSITIONS] = positions;
    assert_int_equal(ct_method_find(problem.method)->reference(&problem, NULL, &io, NULL), CLATTN_OK);
}

/* The largest difference; NaN counts as infinite. */
static double distance(const double *a, const double *b, size_t count)
{
    double most = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs(a[i] - b[i]);
        most = d <= most ? most : isnan(d) ? INFINITY : d;
    }
    return most;
}

static void expect(const char *backend, const char *text, const double *result, double limit)
{
    run(backend, text, o);
    const double d = distance(o, result, sizeof o / sizeof o[0]);
    if (!(d <= limit)) {
        fail_msg("%s on %s: error %g, limit %g", text, backend, d, limit);
    }
}

/* Every way to sample, to gate and to mask, against the double reference. */
static void test_reference(void **state)
{
    (void)state;
    static const struct {
        const char *backend, *text;
    } cases[] = {
        {"cpu", "hybrid " SIZES "window=9,2 samples=11 spacing=log causal=1 gate=2"},
        {"ref", "hybrid " SIZES "window=5,5 samples=7"},
        {"ref", "hybrid " SIZES "window=5,0 samples=7 causal=1 gate=1"},
        {"ref", "hybrid " SIZES "window=4,4 samples=6 key_padding=1 gate=1 softcap=5 alibi=1"},
        {"ref", "hybrid " SIZES "window=4,0 samples=45 causal=1 sink=1 gate=2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (small_usable(cases[i].backend)) {
            reference(cases[i].text, want);
            expect(cases[i].backend, cases[i].text, want, 2e-5);
        }
    }
}

/* Few queries: the window's long list may be cut into parts, and what it leaves is joined by the samples. */
static void test_few_queries(void **state)
{
    static const char *const problems[] = {
        "hybrid hq=4 hk=2 nq=3 nk=900 d=64 dtype=bf16 window=700,0 causal=1 samples=30 gate=1",
        "hybrid h=2 nq=1 nk=2000 d=40 window=1500,0 samples=50 gate=2 sink=1",
        "hybrid h=2 nq=33 nk=300 d=32 dtype=f16 window=60,60 samples=50 gate=1",
    };
    void *env = NULL;
    (void)state;
    assert_int_equal(ct_env_setup(&env), 0);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        ct_assert_check(env, problems[i], 11);
    }
    assert_int_equal(ct_env_teardown(&env), 0);
}

/* Positions from a slot: the same as those that the host knows; some outside, some twice. */
static void test_given(void **state)
{
    (void)state;
    int32_t even[7];
    ct_sample_positions(CLATTN_SPACING_EVEN, 7, NK, even);
    for (int causal = 0; causal < 2; causal++) {
        char text[160];
        for (int i = 0; i < 7; i++) {
            positions[i] = even[i];
        }
        snprintf(text, sizeof text, "hybrid " SIZES "window=5,0 samples=7 gate=1 causal=%d", causal);
        reference(text, want);
        snprintf(text, sizeof text, "hybrid " SIZES "window=5,0 samples=7 gate=1 spacing=given causal=%d", causal);
        expect("ref", text, want, 2e-5);
        for (int i = 7; i > 0; i--) { /* -3, the seven with the third twice, two too large */
            positions[i + (i > 3)] = even[i - 1];
        }
        positions[0] = -3;
        positions[4] = positions[3];
        positions[9] = NK;
        positions[10] = 2000000000;
        snprintf(text, sizeof text, "hybrid " SIZES "window=5,0 samples=11 gate=1 spacing=given causal=%d", causal);
        expect("ref", text, want, 2e-5);
        reference(text, other);
        assert_true(distance(want, other, sizeof want / sizeof want[0]) == 0.0);
    }
}

/* H2: gate 1 is the window alone, gate 0 the samples alone. */
static void test_gate_ends(void **state)
{
    (void)state;
    double saved[B * HQ * NQ];
    memcpy(saved, gate, sizeof saved);
    for (int end = 0; end < 2; end++) {
        for (int i = 0; i < B * HQ * NQ; i++) {
            gate[i] = end;
        }
        if (end) {
            reference("dense " SIZES "window=6,6", want);
        } else { /* every key is a sample */
            reference("dense " SIZES, want);
        }
        expect("ref",
               end ? "hybrid " SIZES "window=6,6 samples=5 gate=1" : "hybrid " SIZES "window=6,6 samples=45 gate=1",
               want, 2e-5);
    }
    memcpy(gate, saved, sizeof gate);
}

/* H2: a window over everything and no sample is dense attention. */
static void test_dense(void **state)
{
    (void)state;
    reference("dense " SIZES "causal=1", want);
    expect("ref", "hybrid " SIZES "causal=1 window=100,100", want, 2e-5);
    expect("ref", "hybrid " SIZES "causal=1", want, 2e-5);
}

/* One branch alone, with its LSE. */
static void branch(const clattn_problem *problem, const ct_softmax_branch *softmax, double *to, double *lse)
{
    ct_reference_io io = {.out = {[CLATTN_O] = to, [CLATTN_LSE] = lse}};
    io.in[CLATTN_Q] = q;
    io.in[CLATTN_K] = k;
    io.in[CLATTN_V] = v;
    assert_int_equal(ct_reference_softmax(problem, softmax, &io, NULL), CLATTN_OK);
}

/* H2, the negative test: window and samples merged by LSE are not their sum with g = 1/2; with g = exp(L_window - L)
 * they are. */
static void test_not_one_softmax(void **state)
{
    (void)state;
    static double lse[B * HQ * NQ], other_lse[B * HQ * NQ], saved[B * HQ * NQ];
    clattn_problem problem;
    int32_t keys[7];
    assert_int_equal(clattn_problem_parse(&problem, "hybrid " SIZES "window=5,5 samples=7"), CLATTN_OK);
    ct_softmax_branch softmax = ct_softmax_branch_of(&problem, NULL);
    branch(&problem, &softmax, want, lse);
    ct_sample_positions(CLATTN_SPACING_EVEN, 7, NK, keys);
    softmax.keys = keys;
    softmax.n_keys = 7;
    softmax.window_left = softmax.window_right = -1;
    branch(&problem, &softmax, other, other_lse);
    memcpy(saved, gate, sizeof saved);
    for (int i = 0; i < B * HQ * NQ; i++) {
        gate[i] = 1.0 / (1.0 + exp(other_lse[i] - lse[i]));
        for (int d = i * DV; d < (i + 1) * DV; d++) {
            want[d] = gate[i] * want[d] + (1.0 - gate[i]) * other[d];
        }
    }
    expect("ref", "hybrid " SIZES "window=5,5 samples=7 gate=1", want, 2e-5);
    run("ref", "hybrid " SIZES "window=5,5 samples=7", o);
    assert_true(distance(o, want, sizeof o / sizeof o[0]) > 0.1);
    memcpy(gate, saved, sizeof gate);
}

/* Causal queries before the first sampled key: the gate is forced to 1, whatever is given. */
static void test_no_sample_in_sight(void **state)
{
    (void)state;
    const int first = 30, shift = NK - NQ; /* the sampled key */
    positions[0] = first;
    reference("dense " SIZES "causal=1 window=4,0", want);
    run("ref", "hybrid " SIZES "causal=1 window=4,0 samples=1 spacing=given gate=1", o);
    for (int h = 0; h < B * HQ; h++) {
        const size_t from = (size_t)h * NQ * DV;
        assert_true(distance(o + from, want + from, (size_t)(first - shift) * DV) < 2e-5);
        assert_true(distance(o + from, want + from, (size_t)NQ * DV) > 0.01);
    }
}

/* No key at all: 0, not NaN. */
static void test_empty(void **state)
{
    (void)state;
    double saved[B * NK];
    memcpy(saved, padding, sizeof saved);
    memset(padding, 0, NK * sizeof padding[0]); /* the first batch has no key */
    reference("hybrid " SIZES "window=5,5 samples=9 key_padding=1 gate=1", want);
    expect("ref", "hybrid " SIZES "window=5,5 samples=9 key_padding=1 gate=1", want, 2e-5);
    for (int i = 0; i < HQ * NQ * DV; i++) {
        assert_true(o[i] == 0.0);
    }
    memcpy(padding, saved, sizeof padding);
}

static void test_errors(void **state)
{
    (void)state;
    static const small_refusal cases[] = {
        {"hybrid gate=1", "samples=0", CLATTN_INVALID_ARGUMENT},
        {"hybrid samples=2000 n=100", "samples=2000", CLATTN_INVALID_ARGUMENT},
        {"hybrid samples=2 sequences=3", "sequences=3", CLATTN_UNSUPPORTED},
        {"hybrid samples=2 bias=1", "bias=1", CLATTN_UNSUPPORTED},
        {"dense samples=2", "samples=2", CLATTN_INVALID_ARGUMENT},
    };
    small_refuse(cases, (int)(sizeof cases / sizeof cases[0]));
    const small_value io[] = {
        {CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, o}, {CLATTN_LSE, NULL, want}};
    assert_int_equal(small_run_text("ref", "hybrid " SIZES "samples=3", io, 5), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "lse"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_few_queries),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_gate_ends),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_not_one_softmax),
        cmocka_unit_test(test_no_sample_in_sight),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, small_teardown);
}

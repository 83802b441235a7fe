/* The sparse_linear method against its reference and its own identities. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/random.h"
#include "plan/method.h"
#include "support/small_run.h"

enum { B = 2, HQ = 4, HK = 2, NQ = 70, NK = 90, DQK = 20, DV = 12, ROWS = B * HQ * NQ };

#define SIZES "b=2 hq=4 hk=2 nq=70 nk=90 dqk=20 dv=12 block=16x32 "

static double q[ROWS * DQK], k[B * HK * NK * DQK], v[B * HK * NK * DV], gate[ROWS], padding[B * NK];
static double o[ROWS * DV], want[ROWS * DV], half[ROWS * DV];

static int setup(void **state)
{
    (void)state;
    small_fill(q, ROWS * DQK, 78, 0);
    small_fill(k, B * HK * NK * DQK, 78, 1);
    small_fill(v, B * HK * NK * DV, 78, 2);
    ct_random random = ct_random_of(78, 6);
    for (int i = 0; i < ROWS; i++) {
        gate[i] = (double)(float)ct_random_unit(&random);
    }
    for (int i = 0; i < B * NK; i++) {
        padding[i] = ct_random_chance(&random, 0.8);
    }
    return 0;
}

static clattn_problem parse(const char *text)
{
    clattn_problem problem;
    if (clattn_problem_parse(&problem, text) != CLATTN_OK) {
        fail_msg("%s: %s", text, clattn_error_detail());
    }
    return problem;
}

/* The layout whose lists are in `mask`, uint8 [rows, cols]; NULL: the problem's. */
static clattn_layout *layout_of(const clattn_problem *problem, const uint8_t *mask)
{
    clattn_layout *layout = NULL;
    if (mask) {
        assert_int_equal(
            clattn_layout_from_block_mask(&layout, 1, NQ, NK, problem->block_q, problem->block_k, mask, NULL),
            CLATTN_OK);
    } else {
        assert_int_equal(clattn_layout_from_problem(&layout, problem, NULL), CLATTN_OK);
    }
    return layout;
}

static void run(const char *backend, const char *text, const uint8_t *mask)
{
    const clattn_problem problem = parse(text);
    clattn_layout *layout = layout_of(&problem, mask);
    small_value io[8] = {{CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, o}};
    int n = 4;
    if (problem.gate) {
        io[n++] = (small_value){CLATTN_GATE, gate, NULL};
    }
    if (problem.key_padding) {
        io[n++] = (small_value){CLATTN_KEY_PADDING, padding, NULL};
    }
    const clattn_status st = small_run(backend, &problem, layout, io, n);
    clattn_layout_release(layout);
    if (st != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

static void reference(const char *text, const uint8_t *mask, double *to)
{
    const clattn_problem problem = parse(text);
    const ct_method *method = ct_method_find(problem.method);
    clattn_layout *layout = method->patterned ? layout_of(&problem, mask) : NULL;
    ct_reference_io io = {.out = {[CLATTN_O] = to}};
    io.in[CLATTN_Q] = q;
    io.in[CLATTN_K] = k;
    io.in[CLATTN_V] = v;
    io.in[CLATTN_GATE] = gate;
    io.in[CLATTN_KEY_PADDING] = problem.key_padding ? padding : NULL;
    assert_int_equal(method->reference(&problem, layout, &io, NULL), CLATTN_OK);
    clattn_layout_release(layout);
}

static void expect(const char *backend, const char *text, const uint8_t *mask)
{
    run(backend, text, mask);
    for (size_t i = 0; i < sizeof o / sizeof o[0]; i++) {
        if (!(fabs(o[i] - want[i]) <= 2e-5)) {
            fail_msg("%s on %s: element %zu is %g, wanted is %g", text, backend, i, o[i], want[i]);
        }
    }
}

/* Backends that have both halves. */
static const char *const backends[] = {"cpu", "ref"};
#define EACH_BACKEND(name)                                                                                             \
    for (int i_ = 0; i_ < 2; i_++)                                                                                     \
        for (const char *name = small_usable(backends[i_]) ? backends[i_] : NULL; name; name = NULL)

static void test_reference(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "sparse_linear " SIZES "feature=elu",
        "sparse_linear " SIZES "remaining=1 gate=1 key_padding=1",
    };
    static const uint8_t mask[5 * 3] = {1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1};
    EACH_BACKEND(backend)
    {
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            reference(texts[i], mask, want);
            expect(backend, texts[i], mask);
        }
    }
}

/* H1: every block chosen = dense softmax, the linear half is 0. */
static void test_all_chosen(void **state)
{
    (void)state;
    reference("dense b=2 hq=4 hk=2 nq=70 nk=90 dqk=20 dv=12", NULL, want);
    EACH_BACKEND(backend)
    {
        expect(backend, "sparse_linear " SIZES "remaining=1", NULL);
    }
}

/* H1: no block chosen = normalised linear attention alone; over every key it is the same. */
static void test_none_chosen(void **state)
{
    (void)state;
    static const uint8_t none[5 * 3];
    reference("linear b=2 hq=4 hk=2 nq=70 nk=90 dqk=20 dv=12 causal=0 normalise=1 feature=softmax", NULL, want);
    EACH_BACKEND(backend)
    {
        expect(backend, "sparse_linear " SIZES "remaining=1", none);
        expect(backend, "sparse_linear " SIZES "remaining=0", none);
    }
}

/* H1: the direct sum over the remaining keys = total - chosen, in double, for lists with an empty, a full and mixed
 * rows. */
static void test_direct_sum(void **state)
{
    (void)state;
    static const uint8_t mask[5 * 3] = {0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1};
    reference("sparse_linear " SIZES "remaining=1", mask, want);
    reference("block_sparse " SIZES, mask, half);
    EACH_BACKEND(backend)
    {
        expect(backend, "sparse_linear " SIZES "remaining=1", mask);
        for (int row = 0; row < ROWS; row++) { /* by subtraction, from phi = softmax(q), softmax(k) */
            const int head = row / NQ, i = row % NQ, kv = head / HQ * HK + head % HQ / (HQ / HK);
            double sums[DV + 1] = {0}, most_q = -INFINITY, under_q = 0.0;
            for (int d = 0; d < DQK; d++) {
                most_q = fmax(most_q, q[row * DQK + d]);
            }
            for (int d = 0; d < DQK; d++) {
                under_q += exp(q[row * DQK + d] - most_q);
            }
            for (int chosen = 0; chosen < 2; chosen++) {
                for (int j = 0; j < NK; j++) {
                    const double *key = k + (kv * NK + j) * DQK;
                    double dot = 0.0, under = 0.0;
                    for (int d = 0; d < DQK; d++) {
                        under += exp(key[d]);
                        dot += exp(q[row * DQK + d] - most_q) / under_q * exp(key[d]);
                    }
                    const double weight = chosen ? (mask[i / 16 * 3 + j / 32] ? -dot / under : 0.0) : dot / under;
                    for (int d = 0; d < DV; d++) {
                        sums[d] += weight * v[(kv * NK + j) * DV + d];
                    }
                    sums[DV] += weight;
                }
            }
            for (int d = 0; d < DV; d++) {
                const double rest = i / 16 == 1 ? 0.0 : sums[d] / sums[DV];
                if (!(fabs(o[row * DV + d] - half[row * DV + d] - rest) <= 2e-5)) {
                    fail_msg("row %d of head %d: %g, by subtraction %g", i, head, o[row * DV + d] - half[row * DV + d],
                             rest);
                }
            }
        }
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const small_refusal cases[] = {
        {"sparse_linear causal=1", "causal=1", CLATTN_INVALID_ARGUMENT},
        {"sparse_linear decay=alibi", "decay", CLATTN_INVALID_ARGUMENT},
        {"sparse_linear state=1", "state=1", CLATTN_INVALID_ARGUMENT},
        {"sparse_linear pass=decode", "pass", CLATTN_UNSUPPORTED},
        {"block_sparse remaining=1", "remaining=1", CLATTN_INVALID_ARGUMENT},
    };
    small_refuse(cases, (int)(sizeof cases / sizeof cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),  cmocka_unit_test(test_all_chosen), cmocka_unit_test(test_none_chosen),
        cmocka_unit_test(test_direct_sum), cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, small_teardown);
}

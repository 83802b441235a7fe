/* merge_lse and merge_gate through the public method "merge". */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/random.h"
#include "harness/storage.h"
#include "support/small_run.h"

enum { B = 2, H = 3, N = 5, D = 19, ROWS = B * H * N, PARTS = 7, KEYS = 12 };

static double scores[ROWS][KEYS], values[KEYS][D];
static double o_parts[PARTS * ROWS * D], lse_parts[PARTS * ROWS], o[ROWS * D], lse[ROWS];

static void draw(uint64_t seed)
{
    ct_random random = ct_random_of(seed, 0);
    for (int i = 0; i < ROWS * KEYS; i++) {
        scores[i / KEYS][i % KEYS] = 3.0 * ct_random_normal(&random);
    }
    for (int i = 0; i < KEYS * D; i++) {
        values[i / D][i % D] = ct_random_normal(&random);
    }
}

/* The softmax of row r over the keys j with owner[j] in first ... last, by definition. An empty part's O is NaN: nobody
 * may read it. */
static double softmax(int r, const int *owner, int first, int last, double *out)
{
    double sum = 0.0;
    for (int d = 0; d < D; d++) {
        out[d] = 0.0;
    }
    for (int j = 0; j < KEYS; j++) {
        if (owner[j] >= first && owner[j] <= last) {
            const double weight = exp(scores[r][j]);
            sum += weight;
            for (int d = 0; d < D; d++) {
                out[d] += weight * values[j][d];
            }
        }
    }
    for (int d = 0; d < D; d++) {
        out[d] = sum > 0.0 ? out[d] / sum : NAN;
    }
    return sum > 0.0 ? log(sum) : -INFINITY;
}

static void split(const int *owner, int parts)
{
    for (int p = 0; p < parts; p++) {
        for (int r = 0; r < ROWS; r++) {
            lse_parts[p * ROWS + r] = softmax(r, owner, p, p, o_parts + (p * ROWS + r) * D);
        }
    }
}

static void merge(const char *backend, int parts, const char *more, double *to, double *lse_to)
{
    char text[128];
    snprintf(text, sizeof text, "merge parts=%d b=%d h=%d n=%d d=%d%s", parts, B, H, N, D, more);
    const small_value io[] = {{CLATTN_O_PARTS, o_parts, NULL},
                              {CLATTN_LSE_PARTS, lse_parts, NULL},
                              {CLATTN_O, NULL, to},
                              {CLATTN_LSE, NULL, lse_to}};
    const clattn_status st = small_run_text(backend, text, io, lse_to ? 4 : 3);
    if (st != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

static void assert_close(double got, double want, double limit)
{
    if (!(fabs(got - want) <= limit) && got != want) {
        fail_msg("got %.9g, wanted %.9g", got, want);
    }
}

static void assert_softmax(const int *owner, int parts, double limit)
{
    double want[D];
    for (int r = 0; r < ROWS; r++) {
        const double total = softmax(r, owner, 0, parts - 1, want);
        assert_close(lse[r], total, 1e-5);
        for (int d = 0; d < D; d++) {
            assert_close(o[r * D + d], isinf(total) ? 0.0 : want[d], limit);
        }
    }
}

/* O8: any split into any number of parts equals one pass; some parts are empty, which is the identity. */
static void test_any_split(void **state)
{
    (void)state;
    for (int b = 0; small_backend(b); b++) {
        if (!small_usable(small_backend(b))) {
            continue;
        }
        for (int parts = 1; parts <= PARTS; parts++) {
            int owner[KEYS];
            ct_random random = ct_random_of(11, (uint64_t)parts);
            draw((uint64_t)parts);
            for (int j = 0; j < KEYS; j++) {
                owner[j] = (int)ct_random_int(&random, 0, parts - 1);
            }
            split(owner, parts);
            merge(small_backend(b), parts, "", o, lse);
            assert_softmax(owner, parts, 1e-5);
        }
    }
}

/* O8: any order of a tree of merges. */
static void test_tree(void **state)
{
    (void)state;
    static const int owner[KEYS] = {0, 1, 2, 3, 0, 1, 2, 3, 3, 3, 0, 1};
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 0, 3, 1}};
    static double part_o[4][ROWS * D], part_lse[4][ROWS];
    for (int b = 0; small_backend(b); b++) {
        for (size_t t = 0; small_usable(small_backend(b)) && t < sizeof orders / sizeof orders[0]; t++) {
            draw(5);
            split(owner, 4);
            memcpy(part_o, o_parts, sizeof part_o);
            memcpy(part_lse, lse_parts, sizeof part_lse);
            memcpy(o, part_o[orders[t][0]], sizeof o);
            memcpy(lse, part_lse[orders[t][0]], sizeof lse);
            for (int step = 1; step < 4; step++) {
                memcpy(o_parts, o, sizeof o);
                memcpy(lse_parts, lse, sizeof lse);
                memcpy(o_parts + ROWS * D, part_o[orders[t][step]], sizeof o);
                memcpy(lse_parts + ROWS, part_lse[orders[t][step]], sizeof lse);
                merge(small_backend(b), 2, "", o, lse);
            }
            assert_softmax(owner, 4, 1e-5);
        }
    }
}

/* O8: the same set twice: the same O, LSE + ln 2. Large scores: no overflow on the way. */
static void test_twice(void **state)
{
    (void)state;
    static const int owner[KEYS] = {0};
    for (int b = 0; small_backend(b); b++) {
        if (!small_usable(small_backend(b))) {
            continue;
        }
        draw(6);
        split(owner, 1);
        for (int r = 0; r < ROWS; r++) {
            lse_parts[r] += r % 2 ? 500.0 : -500.0;
        }
        memcpy(o_parts + ROWS * D, o_parts, ROWS * D * sizeof(double));
        memcpy(lse_parts + ROWS, lse_parts, ROWS * sizeof(double));
        merge(small_backend(b), 2, "", o, lse);
        for (int i = 0; i < ROWS * D; i++) {
            assert_close(o[i], o_parts[i], 1e-6 * (1.0 + fabs(o_parts[i])));
        }
        for (int r = 0; r < ROWS; r++) {
            assert_close(lse[r], lse_parts[r] + log(2.0), 1e-4);
        }
    }
}

/* Rows that no part knows: O = 0, LSE = -infinity, though every partial O is NaN. In every type. */
static void test_empty(void **state)
{
    (void)state;
    static const char *const types[] = {" dtype=f32", " dtype=f16", " dtype=bf16 layout=bnhd"};
    for (int b = 0; small_backend(b); b++) {
        for (int t = 0; small_usable(small_backend(b)) && t < 3; t++) {
            for (int i = 0; i < 3 * ROWS * D; i++) {
                o_parts[i] = NAN;
                lse_parts[i / D] = -INFINITY;
            }
            merge(small_backend(b), 3, types[t], o, lse);
            for (int i = 0; i < ROWS * D; i++) {
                assert_true(o[i] == 0.0 && isinf(lse[i / D]) && lse[i / D] < 0.0);
            }
        }
    }
}

/* The LSE may be left out, and half precision output is the rounded float output. */
static void test_types(void **state)
{
    (void)state;
    static const int owner[KEYS] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};
    static double rounded[ROWS * D];
    for (int b = 0; small_backend(b); b++) {
        for (int half = 0; small_usable(small_backend(b)) && half < 2; half++) {
            draw(9);
            split(owner, 3);
            merge(small_backend(b), 3, "", o, NULL);
            merge(small_backend(b), 3, half ? " dtype=bf16" : " dtype=f16", rounded, NULL);
            for (int i = 0; i < ROWS * D; i++) {
                assert_true(rounded[i] == ct_storage_round(half ? CLATTN_BF16 : CLATTN_F16, o[i]));
            }
        }
    }
}

static void gated(const char *backend, const char *more, const small_value *more_values, int count, bool with_lse)
{
    char text[128];
    small_value io[8] = {{CLATTN_O_PARTS, o_parts, NULL}, {CLATTN_O, NULL, o}};
    int n = 2;
    snprintf(text, sizeof text, "merge b=%d h=%d n=%d d=%d %s", B, H, N, D, more);
    for (int i = 0; i < count; i++) {
        io[n++] = more_values[i];
    }
    if (with_lse) {
        io[n++] = (small_value){CLATTN_LSE_PARTS, lse_parts, NULL};
    }
    if (small_run_text(backend, text, io, n) != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

/* H2, the gate's ends: 1 is the first branch, 0 the second, bit for bit; between them the sum. With LSE, a branch
 * without a key leaves the whole to the other. */
static void test_gate_given(void **state)
{
    (void)state;
    static const int owner[KEYS] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    double gate[ROWS];
    for (int b = 0; small_backend(b); b++) {
        for (int forced = 0; small_usable(small_backend(b)) && forced < 2; forced++) {
            draw(3);
            split(owner, 2);
            for (int r = 0; r < ROWS; r++) {
                gate[r] = r % 3 == 0 ? 1.0 : r % 3 == 1 ? 0.0 : 0.25;
            }
            if (forced) { /* a row with gate 0 lacks the second branch, one with gate 1 the first, one both */
                for (int i = 0; i < D; i++) {
                    o_parts[(ROWS + 1) * D + i] = o_parts[3 * D + i] = o_parts[2 * D + i] =
                        o_parts[(ROWS + 2) * D + i] = 0.0;
                }
                lse_parts[ROWS + 1] = lse_parts[3] = lse_parts[2] = lse_parts[ROWS + 2] = -INFINITY;
            }
            const small_value given = {CLATTN_GATE, gate, NULL};
            gated(small_backend(b), "gate=1", &given, 1, forced);
            for (int r = 0; r < ROWS; r++) {
                const double g = forced && r == 1 ? 1.0 : forced && r == 3 ? 0.0 : gate[r];
                for (int d = 0; d < D; d++) {
                    const double x = o_parts[r * D + d], y = o_parts[(ROWS + r) * D + d];
                    assert_close(o[r * D + d],
                                 g == 1.0   ? (double)(float)x
                                 : g == 0.0 ? (double)(float)y
                                            : g * x + (1.0 - g) * y,
                                 g == 0.25 ? 1e-6 : 0.0);
                }
            }
        }
    }
}

/* The gate as the sigmoid of a linear map of q; the bias may be left out. */
static void test_gate_linear(void **state)
{
    (void)state;
    static const int owner[KEYS] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    double q[ROWS * D], weight[H * D], bias[H];
    ct_random random = ct_random_of(21, 0);
    for (int i = 0; i < ROWS * D; i++) {
        q[i] = ct_random_normal(&random);
        weight[i % (H * D)] = ct_random_normal(&random);
        bias[i % H] = ct_random_normal(&random);
    }
    for (int b = 0; small_backend(b); b++) {
        for (int with_bias = 0; small_usable(small_backend(b)) && with_bias < 2; with_bias++) {
            draw(4);
            split(owner, 2);
            const small_value given[] = {
                {CLATTN_Q, q, NULL}, {CLATTN_GATE_WEIGHT, weight, NULL}, {CLATTN_GATE_BIAS, bias, NULL}};
            gated(small_backend(b), "gate=2", given, 2 + with_bias, false);
            for (int r = 0; r < ROWS; r++) {
                double logit = with_bias ? bias[r / N % H] : 0.0;
                for (int d = 0; d < D; d++) {
                    logit += q[r * D + d] * weight[r / N % H * D + d];
                }
                const double g = 1.0 / (1.0 + exp(-logit));
                for (int d = 0; d < D; d++) {
                    assert_close(o[r * D + d], g * o_parts[r * D + d] + (1.0 - g) * o_parts[(ROWS + r) * D + d], 1e-5);
                }
            }
        }
    }
}

/* An LSE of +infinity is somebody's error and comes out as NaN; one near the end of float is a number. A branch without
 * a key may hold NaN. */
static void test_ends(void **state)
{
    (void)state;
    int owner[KEYS];
    for (int j = 0; j < KEYS; j++) {
        owner[j] = j % 2;
    }
    for (int b = 0; small_backend(b); b++) {
        if (!small_usable(small_backend(b))) {
            continue;
        }
        draw(5);
        split(owner, 2);
        lse_parts[0] = INFINITY;
        lse_parts[1] = lse_parts[ROWS + 1] = -3.4e38;
        merge(small_backend(b), 2, "", o, lse);
        assert_true(isnan(o[0]) && isnan(lse[0]));
        for (int d = 0; d < D; d++) {
            assert_close(o[D + d], 0.5 * (o_parts[D + d] + o_parts[(ROWS + 1) * D + d]), 1e-6);
            assert_true(isfinite(o[2 * D + d]));
        }
        assert_close(lse[1], -3.4e38, 1e33);
        split(owner, 2);
        lse_parts[ROWS] = -INFINITY;
        for (int d = 0; d < D; d++) {
            o_parts[ROWS * D + d] = NAN;
        }
        static double gate[ROWS];
        for (int r = 0; r < ROWS; r++) {
            gate[r] = 0.25;
        }
        const small_value io[] = {{CLATTN_O_PARTS, o_parts, NULL},
                                  {CLATTN_LSE_PARTS, lse_parts, NULL},
                                  {CLATTN_GATE, gate, NULL},
                                  {CLATTN_O, NULL, o}};
        char text[96];
        snprintf(text, sizeof text, "merge parts=2 gate=1 b=%d h=%d n=%d d=%d", B, H, N, D);
        assert_int_equal(small_run_text(small_backend(b), text, io, 4), CLATTN_OK);
        for (int d = 0; d < D; d++) {
            assert_close(o[d], o_parts[d], 1e-6);
        }
    }
}

/* Errors name the key and the bound. */
static void test_errors(void **state)
{
    (void)state;
    static const small_refusal cases[] = {
        {"merge parts=3 gate=1", "parts=3", CLATTN_INVALID_ARGUMENT},
        {"merge parts=65537", "65536", CLATTN_INVALID_ARGUMENT},
        {"merge sequences=2 b=1", "sequences=2", CLATTN_INVALID_ARGUMENT},
        {"merge window=3,0", "window=3,0", CLATTN_INVALID_ARGUMENT},
        {"dense parts=2", "parts=2", CLATTN_INVALID_ARGUMENT},
    };
    small_refuse(cases, (int)(sizeof cases / sizeof cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split),   cmocka_unit_test(test_tree),  cmocka_unit_test(test_twice),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_types), cmocka_unit_test(test_gate_given),
        cmocka_unit_test(test_gate_linear), cmocka_unit_test(test_ends),  cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, small_teardown);
}

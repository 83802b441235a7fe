/* Identities of softmax attention that need no reference (systems of equations any right kernel fulfils), on every
 * backend. Few kernel variants: sizes are arguments, so one program serves most of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/env.h"
#include "support/small_run.h"

enum { H = 2, N = 75, D = 16, LONG = 1100, MOST = H * LONG * D };

static double q[MOST], k[MOST], v[MOST], o[MOST], other[MOST], lse[MOST], lse2[MOST];

static int setup(void **state)
{
    (void)state;
    small_fill(q, MOST, 5, 1);
    small_fill(k, MOST, 5, 2);
    small_fill(v, MOST, 5, 3);
    return 0;
}

static void attend(const char *backend, const char *text, const double *q_, const double *k_, const double *v_,
                   double *o_, double *lse_)
{
    const small_value values[] = {{CLATTN_Q, q_, NULL},
                                  {CLATTN_K, k_, NULL},
                                  {CLATTN_V, v_, NULL},
                                  {CLATTN_O, NULL, o_},
                                  {CLATTN_LSE, NULL, lse_}};
    const clattn_status st = small_run_text(backend, text, values, 5);
    if (st != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

static void near(const double *a, const double *b, size_t count, double tolerance, const char *what,
                 const char *backend)
{
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(a[i] - b[i]) <= tolerance) && !(a[i] == b[i])) {
            fail_msg("%s on %s: element %zu is %.9g, expected %.9g", what, backend, i, a[i], b[i]);
        }
    }
}

#define EACH_BACKEND(b)                                                                                                \
    for (int b##_ = 0; small_backend(b##_); b##_++)                                                                    \
        for (const char *b = small_usable(small_backend(b##_)) ? small_backend(b##_) : NULL; b; b = NULL)
#define PLAIN "dense h=2 n=75 d=16"
#define COUNT (H * N * D)

/* O1, O2, O3 */
static void closed_forms(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        double zero[COUNT] = {0}, one[COUNT], expected[COUNT], logs[H * N];
        for (int i = 0; i < COUNT; i++) {
            one[i] = 1;
        }
        for (int h = 0; h < H; h++) {
            for (int d = 0; d < D; d++) {
                double sum = 0;
                for (int j = 0; j < N; j++) {
                    sum += v[(h * N + j) * D + d];
                }
                for (int i = 0; i < N; i++) {
                    expected[(h * N + i) * D + d] = sum / N;
                }
            }
        }
        for (int i = 0; i < H * N; i++) {
            logs[i] = log((double)N);
        }
        attend(b, PLAIN, zero, k, v, o, lse);
        near(o, expected, COUNT, 2e-6, "O1: q = 0 gives the mean", b);
        near(lse, logs, H * N, 2e-6, "O1: LSE = ln(count)", b);
        attend(b, PLAIN, q, k, one, o, lse);
        near(o, one, COUNT, 2e-6, "O2: v = 1 gives 1", b);
        attend(b, "dense h=2 n=1 d=16", q, k, v, o, lse);
        near(o, v, (size_t)H * D, 1e-6, "O3: one key gives v", b);
        for (int h = 0; h < H; h++) {
            double x = 0;
            for (int d = 0; d < D; d++) {
                x += q[h * D + d] * k[h * D + d] / 4;
            }
            near(&lse[h], &x, 1, 1e-5, "O3: LSE = x", b);
        }
    }
}

/* O4, O5, O6 */
static void symmetries(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        static double k2[COUNT], v2[COUNT], q2[COUNT], shifted[H * N];
        attend(b, PLAIN, q, k, v, o, lse);
        for (int i = 0; i < COUNT; i++) {
            k2[i] = k[i] + 0.25 * (i % D);
        }
        for (int i = 0; i < H * N; i++) {
            shifted[i] = lse[i];
            for (int d = 0; d < D; d++) {
                shifted[i] += q[i * D + d] * 0.25 * d / 4;
            }
        }
        attend(b, PLAIN, q, k2, v, other, lse2);
        near(other, o, COUNT, 2e-5, "O4: a constant added to every key", b);
        near(lse2, shifted, H * N, 5e-5, "O4: LSE moves by s q.c", b);
        for (int i = 0; i < COUNT; i++) {
            q2[i] = 2 * q[i];
        }
        attend(b, "dense h=2 n=75 d=16 scale=0.125", q2, k, v, other, lse2);
        near(other, o, COUNT, 1e-6, "O5: (a q, s / a)", b);
        for (int h = 0; h < H; h++) {
            for (int j = 0; j < N; j++) {
                const int from = (j * 31 + 7) % N;
                memcpy(&k2[(h * N + j) * D], &k[(h * N + from) * D], D * sizeof *k);
                memcpy(&v2[(h * N + j) * D], &v[(h * N + from) * D], D * sizeof *v);
            }
        }
        attend(b, PLAIN, q, k2, v2, other, lse2);
        near(other, o, COUNT, 3e-6, "O6: keys permuted", b);
        near(lse2, lse, H * N, 3e-6, "O6: keys permuted, LSE", b);
        for (int h = 0; h < H; h++) {
            for (int i = 0; i < N; i++) { /* the heads change places, too */
                memcpy(&q2[(h * N + i) * D], &q[((1 - h) * N + (i * 31 + 7) % N) * D], D * sizeof *q);
            }
            memcpy(&k2[h * N * D], &k[(1 - h) * N * D], N * D * sizeof *k);
            memcpy(&v2[h * N * D], &v[(1 - h) * N * D], N * D * sizeof *v);
        }
        attend(b, PLAIN, q2, k2, v2, other, lse2);
        for (int h = 0; h < H; h++) {
            for (int i = 0; i < N; i++) {
                near(&other[(h * N + i) * D], &o[((1 - h) * N + (i * 31 + 7) % N) * D], D, 1e-6,
                     "O6: queries and heads permuted", b);
            }
        }
    }
}

/* O10 */
static void neutral_scores(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        const double flat[H] = {0};
        const small_value values[] = {{CLATTN_Q, q, NULL},     {CLATTN_K, k, NULL},
                                      {CLATTN_V, v, NULL},     {CLATTN_ALIBI_SLOPES, flat, NULL},
                                      {CLATTN_O, NULL, other}, {CLATTN_LSE, NULL, lse2}};
        attend(b, PLAIN, q, k, v, o, lse);
        assert_int_equal(small_run_text(b, PLAIN " alibi=2 softcap=100000", values, 6), CLATTN_OK);
        near(other, o, COUNT, 2e-5, "O10: a soft-cap far away, slopes of 0", b);
        near(lse2, lse, H * N, 2e-5, "O10: LSE", b);
    }
}

/* O11: packed sequences, one of them empty, are as many problems. */
static void packed_sequences(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        static const double cuts[] = {0, 20, 20, 53, N};
        const small_value values[] = {{CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL},
                                      {CLATTN_V, v, NULL}, {CLATTN_CU_SEQLENS, cuts, NULL},
                                      {CLATTN_O, NULL, o}, {CLATTN_LSE, NULL, lse}};
        assert_int_equal(small_run_text(b, "dense h=1 n=75 d=16 causal=1 sequences=4", values, 6), CLATTN_OK);
        for (int s = 0; s < 4; s++) {
            const int from = (int)cuts[s], count = (int)cuts[s + 1] - from;
            char text[64];
            if (count > 0) {
                snprintf(text, sizeof text, "dense h=1 n=%d d=16 causal=1", count);
                attend(b, text, &q[from * D], &k[from * D], &v[from * D], other, lse2);
                near(&o[from * D], other, (size_t)count * D, 1e-6, "O11: a sequence alone", b);
                near(&lse[from], lse2, (size_t)count, 1e-6, "O11: LSE", b);
            }
        }
    }
}

/* O11: keys have lengths of their own, though there are as many as queries. */
static void packed_keys(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        static const double cuts[] = {0, 20, 20, 53, N}, key_cuts[] = {0, 33, 40, 51, N};
        const small_value values[] = {{CLATTN_Q, q, NULL},
                                      {CLATTN_K, k, NULL},
                                      {CLATTN_V, v, NULL},
                                      {CLATTN_CU_SEQLENS, cuts, NULL},
                                      {CLATTN_CU_SEQLENS_K, key_cuts, NULL},
                                      {CLATTN_O, NULL, o},
                                      {CLATTN_LSE, NULL, lse}};
        ct_assert_status(small_run_text(b, "dense h=1 n=75 d=16 causal=1 sequences=4", values, 7), CLATTN_OK, NULL);
        for (int s = 0; s < 4; s++) {
            const int from = (int)cuts[s], count = (int)cuts[s + 1] - from;
            const int key = (int)key_cuts[s], keys = (int)key_cuts[s + 1] - key;
            char text[64];
            if (count > 0) {
                snprintf(text, sizeof text, "dense h=1 nq=%d nk=%d d=16 causal=1", count, keys);
                attend(b, text, &q[from * D], &k[key * D], &v[key * D], other, lse2);
                near(&o[from * D], other, (size_t)count * D, 1e-6, "O11: a sequence of other keys alone", b);
            }
        }
    }
}

/* O12, O15 */
static void causal_alignment_and_windows(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        enum { LAST = 9 };
        static double tail[H * LAST * D];
        attend(b, "dense h=2 n=75 d=16 causal=1", q, k, v, o, lse);
        for (int h = 0; h < H; h++) {
            memcpy(&tail[h * LAST * D], &q[(h * N + N - LAST) * D], LAST * D * sizeof *q);
        }
        attend(b, "dense h=2 nq=9 nk=75 d=16 causal=1", tail, k, v, other, lse2);
        for (int h = 0; h < H; h++) {
            near(&other[h * LAST * D], &o[(h * N + N - LAST) * D], LAST * D, 2e-6, "O12: the last rows of the square",
                 b);
            near(&lse2[h * LAST], &lse[h * N + N - LAST], LAST, 2e-6, "O12: LSE", b);
        }
        for (int i = 0; i < 5; i++) { /* one head: its keys so far are a prefix */
            char text[80];
            snprintf(text, sizeof text, "dense h=1 nq=1 nk=%d d=16 pass=decode", i * 17 + 1);
            attend(b, text, &q[i * 17 * D], k, v, other, lse2);
            near(other, &o[i * 17 * D], D, 2e-6, "O12: step by step", b);
            near(lse2, &lse[i * 17], 1, 2e-6, "O12: step by step, LSE", b);
        }
        attend(b, "dense h=2 n=75 d=16 window=75,75", q, k, v, other, lse2);
        attend(b, PLAIN, q, k, v, o, lse);
        near(other, o, COUNT, 2e-6, "O15: a window of everything", b);
        attend(b, "dense h=2 n=75 d=16 window=0,0", q, k, v, other, lse2);
        near(other, v, COUNT, 1e-6, "O15: a window of itself", b);
    }
}

/* O13: heads that share keys are heads with repeated keys; also where the group is packed into one tile. */
static void groups(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        static double wide[4 * 160 * D], widev[4 * 160 * D];
        for (int h = 0; h < 4; h++) {
            memcpy(&wide[h * 20 * D], &k[h / 2 * 20 * D], 20 * D * sizeof *k);
            memcpy(&widev[h * 20 * D], &v[h / 2 * 20 * D], 20 * D * sizeof *v);
        }
        attend(b, "dense hq=4 hk=2 nq=33 nk=20 d=16", q, k, v, o, lse);
        attend(b, "dense hq=4 hk=4 nq=33 nk=20 d=16", q, wide, widev, other, lse2);
        near(o, other, 4 * 33 * D, 1e-6, "O13", b);
        attend(b, "dense hq=4 hk=2 nq=3 nk=20 d=16", q, k, v, o, lse);
        attend(b, "dense hq=4 hk=4 nq=3 nk=20 d=16", q, wide, widev, other, lse2);
        near(o, other, 4 * 3 * D, 2e-6, "O13, packed", b);
        near(lse, lse2, 4 * 3, 2e-6, "O13, packed, LSE", b);
    }
}

/* O14: keys cut into parts and merged give what one softmax over all of them gives. */
static void split_keys(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        attend(b, "dense h=2 nq=1 nk=1100 d=16 pass=decode", q, k, v, o, lse);
        for (int h = 0; h < H; h++) {
            double top = -INFINITY, sum = 0, x[LONG], expected[D] = {0};
            for (int j = 0; j < LONG; j++) {
                x[j] = 0;
                for (int d = 0; d < D; d++) {
                    x[j] += q[h * D + d] * k[(h * LONG + j) * D + d] / 4;
                }
                top = fmax(top, x[j]);
            }
            for (int j = 0; j < LONG; j++) {
                sum += exp(x[j] - top);
            }
            for (int j = 0; j < LONG; j++) {
                for (int d = 0; d < D; d++) {
                    expected[d] += exp(x[j] - top) / sum * v[(h * LONG + j) * D + d];
                }
            }
            const double log_sum = top + log(sum);
            near(&o[h * D], expected, D, 2e-6, "O14: split keys", b);
            near(&lse[h], &log_sum, 1, 2e-6, "O14: split keys, LSE", b);
        }
    }
}

/* Y3: what is not a number in a key that a mask hides, or in a value of a block that is not listed, does not arrive. */
static void not_a_number_stays(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        static double poisoned[MOST];
        memcpy(poisoned, k, sizeof poisoned);
        poisoned[30 * D + 2] = NAN;
        poisoned[31 * D + 1] = INFINITY;
        attend(b, "dense h=2 n=75 d=16 causal=1", q, k, v, o, lse);
        attend(b, "dense h=2 n=75 d=16 causal=1", q, poisoned, v, other, lse2);
        near(other, o, 30 * D, 0, "Y3: rows before the key", b);
        near(lse2, lse, 30, 0, "Y3: rows before the key, LSE", b);
        near(&other[N * D], &o[N * D], N * D, 0, "Y3: the other head", b);
        memcpy(poisoned, v, sizeof poisoned);
        poisoned[70 * D + 5] = NAN;
        attend(b, "block_sparse pattern=window window=9,0 block=16 h=2 n=96 d=16", q, k, v, o, lse);
        attend(b, "block_sparse pattern=window window=9,0 block=16 h=2 n=96 d=16", q, k, poisoned, other, lse2);
        near(other, o, 64 * D, 0, "Y3: rows whose lists have not the value's block", b);
        near(lse2, lse, H * 96, 0, "Y3: no LSE depends on a value", b);
    }
}

/* O14: the same bits every run; rows that see nothing (B7); NaN in a query reaches no other row (Y3). */
static void repeats_and_empty_rows(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        static double poisoned[COUNT];
        attend(b, "dense h=2 nq=75 nk=40 d=16 causal=1", q, k, v, o, lse);
        attend(b, "dense h=2 nq=75 nk=40 d=16 causal=1", q, k, v, other, lse2);
        assert_memory_equal(o, other, COUNT * sizeof *o);
        for (int h = 0; h < H; h++) {
            for (int i = 0; i < 35; i++) {
                assert_true(isinf(lse[h * N + i]) && lse[h * N + i] < 0);
                for (int d = 0; d < D; d++) {
                    assert_true(o[(h * N + i) * D + d] == 0);
                }
            }
            assert_true(isfinite(lse[h * N + 35]));
        }
        memcpy(poisoned, q, sizeof poisoned);
        poisoned[3 * D + 1] = NAN;
        attend(b, PLAIN, q, k, v, o, lse);
        attend(b, PLAIN, poisoned, k, v, other, lse2);
        for (int i = 0; i < H * N; i++) {
            if (i != 3) {
                near(&other[i * D], &o[i * D], D, 0, "Y3: a NaN in another row", b);
            }
        }
    }
}

static void attend_layout(const char *backend, const char *text, clattn_layout *layout, double *o_, double *lse_)
{
    const small_value values[] = {
        {CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, o_}, {CLATTN_LSE, NULL, lse_}};
    clattn_problem problem;
    clattn_status st = clattn_problem_parse(&problem, text);
    st = st ? st : small_run(backend, &problem, layout, values, 5);
    if (st != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
    clattn_layout_release(layout);
}

/* A block mask of n tokens from a rule on 32-blocks, at blocks of `size`; `other_half`: the complement. */
static clattn_layout *layout_of(int size, int complement)
{
    enum { TOKENS = 96 };
    uint8_t mask[36];
    clattn_layout *layout = NULL;
    const int blocks = TOKENS / size;
    for (int r = 0; r < blocks; r++) {
        for (int c = 0; c < blocks; c++) {
            mask[r * blocks + c] = (((r * size / 32 + 2 * (c * size / 32)) % 3 != 1) ? 1 : 0) ^ (complement ? 1 : 0);
        }
    }
    assert_int_equal(clattn_layout_from_block_mask(&layout, 1, TOKENS, TOKENS, size, size, mask, NULL), CLATTN_OK);
    return layout;
}

#define SPARSE "block_sparse h=2 n=96 d=16"

/* B1: every block = dense. B4: refined blocks. B5: a layout and its complement merge to dense (O8). */
static void layouts(void **state)
{
    (void)state;
    EACH_BACKEND(b)
    {
        enum { TOTAL = H * 96 * D };
        static double half[TOTAL], rest[TOTAL];
        double half_lse[H * 96], rest_lse[H * 96];
        attend(b, "dense h=2 n=96 d=16", q, k, v, o, lse);
        attend(b, SPARSE " block=32 pattern=dense", q, k, v, other, lse2);
        near(other, o, TOTAL, 2e-6, "B1: every block", b);
        near(lse2, lse, H * 96, 2e-6, "B1: every block, LSE", b);
        attend_layout(b, SPARSE " block=32", layout_of(32, 0), half, half_lse);
        attend_layout(b, SPARSE " block=16", layout_of(16, 0), other, lse2);
        near(other, half, TOTAL, 2e-6, "B4: blocks of half the size", b);
        clattn_problem longformer;
        clattn_layout *made = NULL;
        assert_int_equal(
            clattn_problem_parse(&longformer, SPARSE " block=16 pattern=longformer window=9,9 indices=3,80"),
            CLATTN_OK);
        assert_int_equal(clattn_layout_from_problem(&made, &longformer, NULL), CLATTN_OK);
        attend(b, SPARSE " block=16 pattern=longformer window=9,9 indices=3,80", q, k, v, other, lse2);
        attend_layout(b, SPARSE " block=16 window=9,9", made, rest, rest_lse);
        near(rest, other, TOTAL, 0, "a layout that holds the window, given", b);
        attend_layout(b, SPARSE " block=32", layout_of(32, 1), rest, rest_lse);
        for (int i = 0; i < H * 96; i++) {
            const double top = fmax(half_lse[i], rest_lse[i]);
            const double all = top + log(exp(half_lse[i] - top) + exp(rest_lse[i] - top));
            near(&all, &lse[i], 1, 3e-6, "B5: LSE of the merge", b);
            for (int d = 0; d < D; d++) {
                const double x = exp(half_lse[i] - all) * half[i * D + d] + exp(rest_lse[i] - all) * rest[i * D + d];
                near(&x, &o[i * D + d], 1, 3e-6, "B5: merged halves", b);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_forms),
        cmocka_unit_test(symmetries),
        cmocka_unit_test(causal_alignment_and_windows),
        cmocka_unit_test(groups),
        cmocka_unit_test(repeats_and_empty_rows),
        cmocka_unit_test(layouts),
        cmocka_unit_test(neutral_scores),
        cmocka_unit_test(packed_sequences),
        cmocka_unit_test(packed_keys),
        cmocka_unit_test(split_keys),
        cmocka_unit_test(not_a_number_stays),
    };
    return cmocka_run_group_tests(tests, setup, small_teardown);
}

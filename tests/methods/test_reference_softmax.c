/* The double reference of softmax attention against the identities of its mathematics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/reference_case.h"

enum { B = 2, HQ = 4, HK = 2, NQ = 5, NK = 9, D = 3, E = 4 };

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static double *copy_of(const double *data, int64_t count)
{
    double *copy = ct_alloc_array(NULL, (size_t)count, sizeof(double));
    assert_non_null(copy);
    memcpy(copy, data, (size_t)count * sizeof(double));
    return copy;
}

/* O1: q = 0 gives the mean of the visible values, and LSE = ln(their number). */
static void uniform_scores_give_the_mean(void **state)
{
    (void)state;
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 1);
    memset(c.slots[CLATTN_Q], 0, (size_t)(B * HQ * NQ * D) * sizeof(double));
    c.problem.causal = 1;
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    for (int64_t r = 0; r < ct_case_rows(&c); r++) {
        const int64_t i = r % NQ, h = r / NQ % HQ, b = r / NQ / HQ, seen = i + NK - NQ + 1;
        const double *v = c.slots[CLATTN_V] + (b * HK + h / 2) * NK * E;
        const double count = log((double)seen);
        ct_assert_near(c.io.out[CLATTN_LSE] + r, &count, 1, 1e-14, "lse");
        for (int64_t e = 0; e < E; e++) {
            double mean = 0;
            for (int64_t j = 0; j < seen; j++) {
                mean += v[j * E + e] / (double)seen;
            }
            ct_assert_near(c.io.out[CLATTN_O] + r * E + e, &mean, 1, 1e-14, "o");
        }
    }
    ct_case_release(&c);
}

/* O2, B7: v = 1 gives 1 where a key is seen, and 0 (LSE = -infinity) where none is: more queries than keys. */
static void values_of_one_and_empty_rows(void **state)
{
    (void)state;
    ct_case c = ct_case_make(1, 2, 1, NK, NQ, D, E, 2);
    for (int64_t i = 0; i < NQ * E; i++) {
        c.slots[CLATTN_V][i] = 1.0;
    }
    c.problem.causal = 1;
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    for (int64_t r = 0; r < ct_case_rows(&c); r++) {
        const bool empty = r % NK < NK - NQ;
        const double want = empty ? 0.0 : 1.0;
        for (int64_t e = 0; e < E; e++) {
            ct_assert_near(c.io.out[CLATTN_O] + r * E + e, &want, 1, 1e-15, "o");
        }
        assert_true(empty ? c.io.out[CLATTN_LSE][r] == -INFINITY : isfinite(c.io.out[CLATTN_LSE][r]));
    }
    ct_case_release(&c);
}

/* O3, O15: window (0, 0) shows one key: O = v, LSE = x. */
static void one_key_gives_its_value(void **state)
{
    (void)state;
    ct_case c = ct_case_make(1, 1, 1, NQ, NK, D, E, 3);
    c.problem.window_left = c.problem.window_right = 0;
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    for (int64_t i = 0; i < NQ; i++) {
        const int64_t j = i + NK - NQ;
        const double x = dot(c.slots[CLATTN_Q] + i * D, c.slots[CLATTN_K] + j * D, D) / sqrt(D);
        ct_assert_near(c.io.out[CLATTN_LSE] + i, &x, 1, 1e-14, "lse");
        ct_assert_near(c.io.out[CLATTN_O] + i * E, c.slots[CLATTN_V] + j * E, E, 1e-15, "o");
    }
    ct_case_release(&c);
}

/* O4: the same vector added to every key leaves O and adds s q.c to LSE. */
static void shifted_keys_shift_lse(void **state)
{
    (void)state;
    const double shift[D] = {0.5, -1.25, 2.0};
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 4);
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c)),
           *lse = copy_of(c.io.out[CLATTN_LSE], ct_case_rows(&c));
    for (int64_t i = 0; i < B * HK * NK * D; i++) {
        c.slots[CLATTN_K][i] += shift[i % D];
    }
    for (int64_t r = 0; r < ct_case_rows(&c); r++) {
        lse[r] += dot(c.slots[CLATTN_Q] + r * D, shift, D) / sqrt(D);
    }
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], o, ct_case_outputs(&c), 1e-13, "o");
    ct_assert_near(c.io.out[CLATTN_LSE], lse, ct_case_rows(&c), 1e-13, "lse");
    ct_release(NULL, o);
    ct_release(NULL, lse);
    ct_case_release(&c);
}

/* O5: (alpha q, s / alpha) is (q, s). */
static void scale_moves_between_query_and_scale(void **state)
{
    (void)state;
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 5);
    ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    for (int64_t i = 0; i < B * HQ * NQ * D; i++) {
        c.slots[CLATTN_Q][i] *= 3.0;
    }
    branch.scale /= 3.0;
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], o, ct_case_outputs(&c), 1e-13, "o");
    ct_release(NULL, o);
    ct_case_release(&c);
}

/* Merges (o2, lse2) into (o, lse). */
static void merge(double *o, double *lse, const double *o2, const double *lse2, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++) {
        const double top = fmax(lse[r], lse2[r]);
        if (top == -INFINITY) {
            continue;
        }
        const double both = top + log(exp(lse[r] - top) + exp(lse2[r] - top));
        for (int64_t e = 0; e < E; e++) {
            o[r * E + e] = exp(lse[r] - both) * o[r * E + e] + exp(lse2[r] - both) * o2[r * E + e];
        }
        lse[r] = both;
    }
}

/* O8, O14: key sets merged by LSE in any split are the whole; a set merged with itself adds ln 2. */
static void merged_parts_are_the_whole(void **state)
{
    (void)state;
    static const int32_t parts[3][4] = {{0, 3, 4, 8}, {1, 7}, {2, 5, 6}};
    static const int64_t sizes[3] = {4, 2, 3};
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 6);
    c.problem.causal = 1;
    c.problem.alibi = 1;
    ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    const int64_t rows = ct_case_rows(&c), outputs = ct_case_outputs(&c);
    double *o = copy_of(c.io.out[CLATTN_O], outputs), *lse = copy_of(c.io.out[CLATTN_LSE], rows);
    double *sum = ct_alloc(NULL, (size_t)outputs * sizeof(double)), *log_sum = copy_of(lse, rows);
    for (int64_t r = 0; r < rows; r++) {
        log_sum[r] = -INFINITY; /* the identity: (0, -infinity) */
    }
    for (int i = 0; i < 3; i++) {
        branch.keys = parts[i];
        branch.n_keys = sizes[i];
        ct_case_softmax(&c, &branch);
        merge(sum, log_sum, c.io.out[CLATTN_O], c.io.out[CLATTN_LSE], rows);
    }
    ct_assert_near(sum, o, outputs, 1e-13, "o");
    ct_assert_near(log_sum, lse, rows, 1e-13, "lse");
    merge(sum, log_sum, o, lse, rows);
    for (int64_t r = 0; r < rows; r++) {
        lse[r] += log(2.0);
    }
    ct_assert_near(sum, o, outputs, 1e-13, "o of a set merged with itself");
    ct_assert_near(log_sum, lse, rows, 1e-13, "lse of a set merged with itself");
    ct_release(NULL, sum);
    ct_release(NULL, log_sum);
    ct_release(NULL, o);
    ct_release(NULL, lse);
    ct_case_release(&c);
}

/* O10: a huge soft-cap, slopes of 0 and a bias of 0 are plain; a small cap is not. O15: a window of every key is none.
 */
static void limits_of_the_score_are_plain(void **state)
{
    (void)state;
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 7);
    ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    c.problem.softcap = 1e6;
    c.problem.alibi = 2;
    memset(ct_case_fill(&c, CLATTN_ALIBI_SLOPES, HQ), 0, HQ * sizeof(double));
    memset(ct_case_fill(&c, CLATTN_BIAS, B * HQ * NQ * NK), 0, B * HQ * NQ * NK * sizeof(double));
    branch.window_left = branch.window_right = NK;
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], o, ct_case_outputs(&c), 1e-10, "o");
    c.problem.softcap = 0.1;
    ct_case_softmax(&c, &branch);
    assert_true(fabs(c.io.out[CLATTN_O][0] - o[0]) > 1e-6);
    ct_release(NULL, o);
    ct_case_release(&c);
}

/* O11: packed sequences, one of them empty, are the sequences alone. */
static void packed_is_a_loop_over_sequences(void **state)
{
    (void)state;
    static const int64_t cut[5] = {0, 3, 3, 8, 11};
    ct_case c = ct_case_make(1, HQ, HK, 11, 11, D, E, 8);
    c.problem.causal = 1;
    c.problem.sequences = 4;
    double *cu = ct_case_fill(&c, CLATTN_CU_SEQLENS, 5);
    for (int s = 0; s < 5; s++) {
        cu[s] = (double)cut[s];
    }
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    for (int s = 0; s < 4; s++) {
        const int64_t n = cut[s + 1] - cut[s];
        ct_case alone = ct_case_make(1, 1, 1, ct_max(n, 1), ct_max(n, 1), D, E, 9);
        alone.problem.causal = 1;
        for (int h = 0; h < HQ && n > 0; h++) {
            memcpy(alone.slots[CLATTN_Q], c.slots[CLATTN_Q] + (h * 11 + cut[s]) * D, (size_t)(n * D) * sizeof(double));
            memcpy(alone.slots[CLATTN_K], c.slots[CLATTN_K] + (h / 2 * 11 + cut[s]) * D,
                   (size_t)(n * D) * sizeof(double));
            memcpy(alone.slots[CLATTN_V], c.slots[CLATTN_V] + (h / 2 * 11 + cut[s]) * E,
                   (size_t)(n * E) * sizeof(double));
            ct_case_softmax(&alone, &branch);
            ct_assert_near(c.io.out[CLATTN_O] + (h * 11 + cut[s]) * E, alone.io.out[CLATTN_O], n * E, 1e-15, "o");
            ct_assert_near(c.io.out[CLATTN_LSE] + h * 11 + cut[s], alone.io.out[CLATTN_LSE], n, 1e-15, "lse");
        }
        ct_case_release(&alone);
    }
    ct_case_release(&c);
}

/* O12: the last rows of the square causal problem are the rectangular one. O13: sharing keys is repeating them. */
static void rectangle_and_groups(void **state)
{
    (void)state;
    ct_case square = ct_case_make(1, 2, 2, NK, NK, D, E, 10), wide = ct_case_make(1, 2, 1, NQ, NK, D, E, 11);
    for (int h = 0; h < 2; h++) {
        memcpy(square.slots[CLATTN_K] + h * NK * D, wide.slots[CLATTN_K], NK * D * sizeof(double));
        memcpy(square.slots[CLATTN_V] + h * NK * E, wide.slots[CLATTN_V], NK * E * sizeof(double));
        memcpy(square.slots[CLATTN_Q] + (h * NK + NK - NQ) * D, wide.slots[CLATTN_Q] + h * NQ * D,
               NQ * D * sizeof(double));
    }
    square.problem.causal = wide.problem.causal = 1;
    square.problem.alibi = wide.problem.alibi = 1;
    const ct_softmax_branch branch = ct_softmax_branch_of(&wide.problem, NULL);
    ct_case_softmax(&square, &branch);
    ct_case_softmax(&wide, &branch);
    for (int h = 0; h < 2; h++) {
        ct_assert_near(square.io.out[CLATTN_O] + (h * NK + NK - NQ) * E, wide.io.out[CLATTN_O] + h * NQ * E, NQ * E,
                       1e-15, "o");
    }
    ct_case_release(&square);
    ct_case_release(&wide);
}

/* B5: the listed blocks and the others, merged, are dense. Every source of a layout lists the same. */
static void complement_lists_merge_to_dense(void **state)
{
    (void)state;
    static int32_t rows[2][4] = {{0, 2, 2, 3}, {0, 3, 8, 12}};
    static int32_t cols[2][12] = {{1, 4, 0}, {0, 2, 3, 0, 1, 2, 3, 4, 1, 2, 3, 4}};
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 12);
    ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    const int64_t n = ct_case_rows(&c);
    double *o = copy_of(c.io.out[CLATTN_O], n * E), *lse = copy_of(c.io.out[CLATTN_LSE], n);
    clattn_layout layout = {
        .heads = 1, .nq = NQ, .nk = NK, .block_q = 2, .block_k = 2, .rows = 3, .cols = 5, .width = 5};
    branch.layout = &layout;
    layout.row_ptr = rows[0];
    layout.col = cols[0];
    ct_case_softmax(&c, &branch);
    double *part = copy_of(c.io.out[CLATTN_O], n * E), *part_lse = copy_of(c.io.out[CLATTN_LSE], n);
    assert_true(part_lse[2] == -INFINITY); /* B7: block row 1 lists nothing */
    double *mask = ct_case_fill(&c, CLATTN_BLOCK_MASK, 15), *table = ct_case_fill(&c, CLATTN_BLOCK_TABLE, 15);
    double *first = ct_case_fill(&c, CLATTN_ROW_PTR, 4), *col = ct_case_fill(&c, CLATTN_COL_IDX, 12);
    for (int r = 0; r < 3; r++) {
        first[r + 1] = rows[0][r + 1];
        first[r] = rows[0][r];
        for (int i = 0; i < 5; i++) {
            mask[r * 5 + i] = 0;
            table[r * 5 + i] = -1;
        }
        for (int i = rows[0][r]; i < rows[0][r + 1]; i++) {
            col[i] = cols[0][i];
            mask[r * 5 + cols[0][i]] = 1;
            table[r * 5 + i - rows[0][r]] = cols[0][i];
        }
    }
    for (int source = CT_LAYOUT_CSR; source <= CT_LAYOUT_TABLE; source++) {
        layout.source = (ct_layout_source)source;
        ct_case_softmax(&c, &branch);
        ct_assert_near(c.io.out[CLATTN_O], part, n * E, 0, "o of a list on the device");
    }
    layout.source = CT_LAYOUT_HOST;
    layout.row_ptr = rows[1];
    layout.col = cols[1];
    ct_case_softmax(&c, &branch);
    merge(part, part_lse, c.io.out[CLATTN_O], c.io.out[CLATTN_LSE], n);
    ct_assert_near(part, o, n * E, 1e-13, "o");
    ct_assert_near(part_lse, lse, n, 1e-13, "lse");
    ct_release(NULL, part);
    ct_release(NULL, part_lse);
    ct_release(NULL, o);
    ct_release(NULL, lse);
    ct_case_release(&c);
}

/* D3: a sink is one more key with this logit and v = 0. A row that sees only the sink has O = 0 and LSE = the logit. */
static void sink_is_a_key_without_value(void **state)
{
    (void)state;
    ct_case c = ct_case_make(1, 1, 1, NQ, NK, D, E, 13);
    ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], NQ * E), *lse = copy_of(c.io.out[CLATTN_LSE], NQ);
    const double zero[NQ * E] = {0}, sink = 0.75, sinks[NQ] = {sink, sink, sink, sink, sink};
    ct_case_fill(&c, CLATTN_SINK, 1)[0] = sink;
    c.problem.sink = 1;
    branch = ct_softmax_branch_of(&c.problem, NULL);
    ct_case_softmax(&c, &branch);
    merge(o, lse, zero, sinks, NQ);
    ct_assert_near(c.io.out[CLATTN_O], o, NQ * E, 1e-14, "o");
    ct_assert_near(c.io.out[CLATTN_LSE], lse, NQ, 1e-14, "lse");
    memset(ct_case_fill(&c, CLATTN_KEY_PADDING, NK), 0, NK * sizeof(double));
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], zero, NQ * E, 0, "o of empty rows");
    ct_assert_near(c.io.out[CLATTN_LSE], sinks, NQ, 0, "lse of empty rows");
    ct_release(NULL, o);
    ct_release(NULL, lse);
    ct_case_release(&c);
}

static double plus_position(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                            const double *buffer)
{
    (void)buffer;
    return x + params[0] * (double)(key + 10 * query + 100 * head + 1000 * batch);
}

static int odd_hidden(int batch, int head, int64_t query, int64_t key, const double *params, const double *buffer)
{
    (void)batch, (void)head, (void)query, (void)params, (void)buffer;
    return (int)(key & 1);
}

/* The caller's texts, padding and a bias say the same thing in three ways. */
static void texts_padding_and_bias_agree(void **state)
{
    (void)state;
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 14);
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    c.problem.text_params[0] = 0.01;
    c.io.score = plus_position;
    c.io.hidden = odd_hidden;
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    c.io.score = NULL;
    c.io.hidden = NULL;
    double *bias = ct_case_fill(&c, CLATTN_BIAS, B * HQ * NQ * NK),
           *padding = ct_case_fill(&c, CLATTN_KEY_PADDING, B * NK);
    for (int64_t i = 0; i < B * HQ * NQ * NK; i++) {
        const int64_t h = i / NK / NQ % HQ;
        bias[i] = plus_position(0, (int)(i / NK / NQ / HQ), (int)h, i / NK % NQ, i % NK, c.problem.text_params, NULL);
    }
    for (int64_t i = 0; i < B * NK; i++) {
        padding[i] = i % NK % 2 == 0;
    }
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], o, ct_case_outputs(&c), 1e-13, "o");
    ct_release(NULL, o);
    ct_case_release(&c);
}

/* ALiBi is a bias of minus the slope times the distance, in both directions. */
static void alibi_is_a_bias_of_distance(void **state)
{
    (void)state;
    ct_case c = ct_case_make(1, HQ, HK, NQ, NK, D, E, 16);
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    c.problem.alibi = 1;
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    c.problem.alibi = 0;
    double *bias = ct_case_fill(&c, CLATTN_BIAS, HQ * NQ * NK);
    for (int64_t i = 0; i < HQ * NQ * NK; i++) {
        bias[i] = -exp2(-2.0 * (double)(i / NK / NQ + 1)) * fabs((double)(i / NK % NQ + NK - NQ - i % NK));
    }
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], o, ct_case_outputs(&c), 1e-13, "o");
    ct_release(NULL, o);
    ct_case_release(&c);
}

/* Listed rows only are written; the float text is near the double one but not the same. */
static void chosen_rows_and_single_precision(void **state)
{
    (void)state;
    static const int64_t chosen[2] = {3, 21};
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 15);
    const ct_softmax_branch branch = ct_softmax_branch_of(&c.problem, NULL);
    c.io.rows = chosen;
    c.io.n_rows = 2;
    ct_case_softmax(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    assert_true(isnan(o[0]) && isnan(c.io.out[CLATTN_LSE][4]));
    c.io.rows = NULL;
    ct_case_softmax(&c, &branch);
    ct_assert_near(o + 21 * E, c.io.out[CLATTN_O] + 21 * E, E, 0, "o of a chosen row");
    ct_release(NULL, o);
    o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    c.io.single = 1;
    ct_case_softmax(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], o, ct_case_outputs(&c), 1e-5, "o in single precision");
    assert_true(memcmp(c.io.out[CLATTN_O], o, (size_t)ct_case_outputs(&c) * sizeof(double)) != 0);
    ct_release(NULL, o);
    ct_case_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_scores_give_the_mean),
        cmocka_unit_test(values_of_one_and_empty_rows),
        cmocka_unit_test(one_key_gives_its_value),
        cmocka_unit_test(shifted_keys_shift_lse),
        cmocka_unit_test(scale_moves_between_query_and_scale),
        cmocka_unit_test(merged_parts_are_the_whole),
        cmocka_unit_test(limits_of_the_score_are_plain),
        cmocka_unit_test(packed_is_a_loop_over_sequences),
        cmocka_unit_test(rectangle_and_groups),
        cmocka_unit_test(complement_lists_merge_to_dense),
        cmocka_unit_test(sink_is_a_key_without_value),
        cmocka_unit_test(texts_padding_and_bias_agree),
        cmocka_unit_test(alibi_is_a_bias_of_distance),
        cmocka_unit_test(chosen_rows_and_single_precision),
    };
    return cmocka_run_group_tests_name("reference_softmax", tests, NULL, NULL);
}

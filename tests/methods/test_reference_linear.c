/* The double reference of linear attention against the identities of its mathematics, and the slope laws. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/reference_case.h"

enum { B = 2, HQ = 4, HK = 2, N = 9, D = 3, E = 4 };

static double *copy_of(const double *data, int64_t count)
{
    double *copy = ct_alloc_array(NULL, (size_t)count, sizeof(double));
    assert_non_null(copy);
    memcpy(copy, data, (size_t)count * sizeof(double));
    return copy;
}

static ct_case make(uint64_t seed)
{
    ct_case c = ct_case_make(B, HQ, HK, N, N, D, E, seed);
    c.problem.causal = 1;
    return c;
}

/* C1, C4: recurrence = sum over pairs, for decays 0, tiny, 0.5, 1, by head and by token, every feature. */
static void recurrence_is_the_sum_over_pairs(void **state)
{
    (void)state;
    static const double decays[] = {-INFINITY, -20.0, -0.6931471805599453, 0.0};
    static const clattn_feature features[] = {CLATTN_IDENTITY, CLATTN_ELU, CLATTN_RELU, CLATTN_SILU, CLATTN_SOFTMAX};
    ct_case c = make(1);
    double *g = ct_case_fill(&c, CLATTN_DECAY, B * HQ * N);
    for (size_t i = 0; i < CT_COUNT(decays) + 1; i++) {
        for (size_t f = 0; f < CT_COUNT(features); f++) {
            const bool token = i == CT_COUNT(decays);
            c.problem.decay = token ? CLATTN_DECAY_TOKEN : CLATTN_DECAY_NUMBER;
            c.problem.decay_value = token ? 0.0 : decays[i];
            for (int64_t t = 0; t < B * HQ * N && token; t++) {
                g[t] = -fabs(g[t]);
            }
            c.problem.feature = features[f];
            c.problem.normalise = f == 1 || f == 4;
            const ct_linear_branch branch = ct_linear_branch_of(&c.problem);
            ct_case_linear(&c, &branch);
            double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
            ct_case_pairs(&c, &branch);
            ct_assert_near(o, c.io.out[CLATTN_O], ct_case_outputs(&c), 1e-12, "o");
            ct_release(NULL, o);
        }
    }
    ct_case_release(&c);
}

/* C4: without memory o_t = s (q_t.k_t) v_t; the state is the last token's. */
static void no_memory_sees_only_itself(void **state)
{
    (void)state;
    ct_case c = make(2);
    c.problem.decay = CLATTN_DECAY_NUMBER;
    c.problem.decay_value = -INFINITY;
    c.problem.scale = 0.5;
    const ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    ct_case_linear(&c, &branch);
    for (int64_t r = 0; r < ct_case_rows(&c); r++) {
        const int64_t t = r % N, kv = (r / N / HQ * HK + r / N % HQ / 2) * N + t;
        double dot = 0;
        for (int64_t d = 0; d < D; d++) {
            dot += c.slots[CLATTN_Q][r * D + d] * c.slots[CLATTN_K][kv * D + d];
        }
        for (int64_t e = 0; e < E; e++) {
            const double want = 0.5 * dot * c.slots[CLATTN_V][kv * E + e];
            ct_assert_near(c.io.out[CLATTN_O] + r * E + e, &want, 1, 1e-14, "o");
        }
    }
    ct_case_release(&c);
}

/* C6: the state after T tokens is the decayed sum of k v^T and of the state before; the normaliser's column that of k.
 */
static void final_state_is_the_decayed_sum(void **state)
{
    (void)state;
    ct_case c = make(3);
    c.problem.decay = CLATTN_DECAY_RETENTION;
    c.problem.normalise = 1;
    ct_case_fill(&c, CLATTN_STATE_IN, ct_case_state(&c));
    const ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    ct_case_linear(&c, &branch);
    for (int64_t bh = 0; bh < B * HQ; bh++) {
        const double lambda = 1.0 - exp2(-5.0 - (double)(bh % HQ));
        const int64_t kv = (bh / HQ * HK + bh % HQ / 2) * N;
        for (int64_t i = 0; i < D * (E + 1); i++) {
            const int64_t d = i / (E + 1), e = i % (E + 1), at = bh * D * (E + 1) + i;
            double want = pow(lambda, N) * c.slots[CLATTN_STATE_IN][at];
            for (int64_t t = 0; t < N; t++) {
                const double v = e < E ? c.slots[CLATTN_V][(kv + t) * E + e] : 1.0;
                want += pow(lambda, (double)(N - 1 - t)) * c.slots[CLATTN_K][(kv + t) * D + d] * v;
            }
            ct_assert_near(c.io.out[CLATTN_STATE_OUT] + at, &want, 1, 1e-6, "state"); /* slopes are floats */
        }
    }
    ct_case_release(&c);
}

/* One head in two runs, the state carried over. */
static void split_at(ct_case *whole, int64_t cut, const ct_linear_branch *branch)
{
    const int64_t parts[3] = {0, cut, N}, size = D * (E + 1);
    double *carried = copy_of(whole->slots[CLATTN_STATE_IN], size);
    for (int i = 0; i < 2; i++) {
        const int64_t n = parts[i + 1] - parts[i], at = parts[i];
        ct_case part = ct_case_make(1, 1, 1, n, n, D, E, 1);
        memcpy(part.slots[CLATTN_Q], whole->slots[CLATTN_Q] + at * D, (size_t)(n * D) * sizeof(double));
        memcpy(part.slots[CLATTN_K], whole->slots[CLATTN_K] + at * D, (size_t)(n * D) * sizeof(double));
        memcpy(part.slots[CLATTN_V], whole->slots[CLATTN_V] + at * E, (size_t)(n * E) * sizeof(double));
        memcpy(ct_case_fill(&part, CLATTN_DECAY, n), whole->slots[CLATTN_DECAY] + at, (size_t)n * sizeof(double));
        memcpy(ct_case_fill(&part, CLATTN_STATE_IN, size), carried, (size_t)size * sizeof(double));
        ct_case_linear(&part, branch);
        ct_assert_near(part.io.out[CLATTN_O], whole->io.out[CLATTN_O] + at * E, n * E, 1e-13, "o of a part");
        memcpy(carried, part.io.out[CLATTN_STATE_OUT], (size_t)size * sizeof(double));
        ct_case_release(&part);
    }
    ct_assert_near(carried, whole->io.out[CLATTN_STATE_OUT], size, 1e-13, "carried state");
    ct_release(NULL, carried);
}

/* C2: split at any point, the state carried, is one pass. */
static void split_with_the_state_is_one_pass(void **state)
{
    (void)state;
    ct_case c = ct_case_make(1, 1, 1, N, N, D, E, 4);
    c.problem.causal = 1;
    c.problem.decay = CLATTN_DECAY_TOKEN;
    c.problem.normalise = 1;
    c.problem.feature = CLATTN_ELU;
    double *g = ct_case_fill(&c, CLATTN_DECAY, N);
    double *before = ct_case_fill(&c, CLATTN_STATE_IN, D * (E + 1));
    for (int64_t t = 0; t < N; t++) {
        g[t] = -fabs(g[t]);
    }
    for (int64_t i = 0; i < D * (E + 1); i++) {
        before[i] = fabs(before[i]); /* the normaliser stays away from 0 */
    }
    const ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    ct_case_linear(&c, &branch);
    for (int64_t cut = 1; cut < N; cut++) {
        split_at(&c, cut, &branch);
    }
    ct_case_release(&c);
}

/* C3: normalised with positive features the weights are convex: v = 1 gives n / (n + epsilon). */
static void normalised_weights_are_convex(void **state)
{
    (void)state;
    ct_case c = make(5);
    c.problem.normalise = 1;
    c.problem.feature = CLATTN_SOFTMAX;
    for (int64_t i = 0; i < B * HK * N * E; i++) {
        c.slots[CLATTN_V][i] = 1.0;
    }
    ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    for (branch.causal = 0; branch.causal < 2; branch.causal++) {
        ct_case_linear(&c, &branch);
        for (int64_t i = 0; i < ct_case_outputs(&c); i++) {
            assert_true(c.io.out[CLATTN_O][i] < 1.0 && c.io.out[CLATTN_O][i] > 1.0 - 1e-8);
        }
    }
    ct_case_release(&c);
}

/* C7: without causality phi(Q) (phi(K)^T V) = (phi(Q) phi(K)^T) V; queries and keys may differ in number. */
static void all_keys_in_any_order_of_products(void **state)
{
    (void)state;
    ct_case c = ct_case_make(B, HQ, HK, 5, N, D, E, 6);
    c.problem.causal = 0;
    c.problem.feature = CLATTN_RELU;
    const ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    ct_case_linear(&c, &branch);
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    ct_case_pairs(&c, &branch);
    ct_assert_near(o, c.io.out[CLATTN_O], ct_case_outputs(&c), 1e-13, "o");
    ct_release(NULL, o);
    ct_case_release(&c);
}

/* O11: packed sequences start from states of their own; an empty one copies its state. */
static void packed_sequences_have_their_own_states(void **state)
{
    (void)state;
    static const double cut[4] = {0, 4, 4, N};
    ct_case c = ct_case_make(1, HQ, HK, N, N, D, E, 7);
    c.problem.sequences = 3;
    c.problem.causal = 1;
    c.problem.decay = CLATTN_DECAY_NUMBER;
    c.problem.decay_value = -0.25;
    memcpy(ct_case_fill(&c, CLATTN_CU_SEQLENS, 4), cut, sizeof(cut));
    ct_case_fill(&c, CLATTN_STATE_IN, ct_case_state(&c));
    const ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    ct_case_linear(&c, &branch);
    const int64_t size = HQ * D * E;
    ct_assert_near(c.io.out[CLATTN_STATE_OUT] + size, c.slots[CLATTN_STATE_IN] + size, size, 0,
                   "state of the empty sequence");
    double *o = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    c.io.in[CLATTN_STATE_IN] = NULL;
    ct_case_linear(&c, &branch);
    assert_true(fabs(o[0] - c.io.out[CLATTN_O][0]) > 1e-9);
    ct_case_pairs(&c, &branch);
    double *pairs = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    ct_case_linear(&c, &branch);
    ct_assert_near(c.io.out[CLATTN_O], pairs, ct_case_outputs(&c), 1e-13, "o without a state");
    ct_release(NULL, pairs);
    ct_release(NULL, o);
    ct_case_release(&c);
}

/* H1: without the listed blocks, plus only them, is everything (the sums are linear). */
static void listed_blocks_are_left_out(void **state)
{
    (void)state;
    static int32_t rows[2][4] = {{0, 2, 2, 3}, {0, 1, 4, 6}};
    static int32_t cols[2][6] = {{0, 2, 1}, {1, 0, 1, 2, 0, 2}};
    ct_case c = make(8);
    c.problem.causal = 0;
    ct_linear_branch branch = ct_linear_branch_of(&c.problem);
    ct_case_pairs(&c, &branch);
    double *sum = copy_of(c.io.out[CLATTN_O], ct_case_outputs(&c));
    clattn_layout layout = {.heads = 1, .nq = N, .nk = N, .block_q = 3, .block_k = 3, .rows = 3, .cols = 3};
    branch.layout = &layout;
    for (int i = 0; i < 2; i++) {
        layout.row_ptr = rows[i];
        layout.col = cols[i];
        ct_case_pairs(&c, &branch);
        for (int64_t at = 0; at < ct_case_outputs(&c); at++) {
            sum[at] -= c.io.out[CLATTN_O][at];
        }
    }
    for (int64_t at = 0; at < ct_case_outputs(&c); at++) {
        assert_true(fabs(sum[at]) < 1e-12);
    }
    ct_release(NULL, sum);
    ct_case_release(&c);
}

/* The slope laws: closed forms, more heads than a power of two, and refusals that name the bound. */
static void slope_laws(void **state)
{
    (void)state;
    float m[12], g[12];
    assert_int_equal(clattn_alibi_slopes(12, m), CLATTN_OK);
    for (int h = 0; h < 8; h++) {
        assert_float_equal(m[h], exp2(-(h + 1.0)), 1e-9);
    }
    for (int h = 8; h < 12; h++) {
        assert_float_equal(m[h], exp2(-0.5 * (2 * (h - 8) + 1)), 1e-7);
    }
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_ALIBI, 0, 0, 12, g), CLATTN_OK);
    assert_float_equal(g[11], -m[11], 0);
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_MINIMAX, 3, 5, 12, g), CLATTN_OK);
    assert_float_equal(g[2], -m[2] * (0.25f + 1e-5f), 1e-8);
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_MINIMAX, 0, 1, 12, g), CLATTN_OK);
    assert_float_equal(g[0], -m[0] * (1 + 1e-5f), 1e-7);
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_FLA, 1, 4, 8, g), CLATTN_OK);
    assert_float_equal(g[0], 0, 0);
    assert_float_equal(g[4], -0.75 * 4, 1e-6);
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_RETENTION, 0, 0, 8, g), CLATTN_OK);
    assert_float_equal(g[7], log1p(-1.0 / 4096), 1e-10);
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_FLA, 4, 4, 8, g), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "layer is 4"));
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_TOKEN, 0, 1, 8, g), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_decay_slopes(CLATTN_DECAY_ALIBI, 0, 1, 8, NULL), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_alibi_slopes(0, m), CLATTN_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recurrence_is_the_sum_over_pairs),
        cmocka_unit_test(no_memory_sees_only_itself),
        cmocka_unit_test(final_state_is_the_decayed_sum),
        cmocka_unit_test(split_with_the_state_is_one_pass),
        cmocka_unit_test(normalised_weights_are_convex),
        cmocka_unit_test(all_keys_in_any_order_of_products),
        cmocka_unit_test(packed_sequences_have_their_own_states),
        cmocka_unit_test(listed_blocks_are_left_out),
        cmocka_unit_test(slope_laws),
    };
    return cmocka_run_group_tests_name("reference_linear", tests, NULL, NULL);
}

/* Token-exact patterns: lists and rules against the definitions, pair by pair. */
#include "layout/problem.h"

/* The definition: does query i see key j, the causal mask aside? */
static bool defined(const clattn_problem *problem, int head, int64_t i, int64_t j)
{
    const clattn_pattern *pattern = &problem->pattern;
    const int64_t p = i + problem->nk - problem->nq, left = problem->window_left, right = problem->window_right;
    const int64_t step = pattern->kind == CLATTN_PATTERN_LONGFORMER ? pattern->dilation : 1;
    bool local = false, seen = false, sees = false;
    for (int n = 0; n < pattern->n_indices; n++) {
        seen |= pattern->indices[n] == j;
        sees |= pattern->indices[n] == (p < 0 ? 0 : p);
    }
    /* the window's keys are p - left * step, ..., p - step, p, p + step, ... */
    if ((p - j) % step == 0) {
        local = j <= p ? left < 0 || p - j <= left * step : right < 0 || j - p <= right * step;
    }
    switch (pattern->kind) {
    case CLATTN_PATTERN_WINDOW:
        return local;
    case CLATTN_PATTERN_LONGFORMER:
        return local || seen || sees;
    case CLATTN_PATTERN_SAMPLES:
        for (int64_t n = 0; n < problem->samples && !pattern->n_indices; n++) {
            seen |= n * problem->nk / problem->samples == j;
        }
        return local || seen;
    default:
        break;
    }
    const int64_t stride = pattern->stride;
    if (pattern->global > 0) {
        const bool later = !pattern->bidirectional && j > p;
        return head % 2 ? j == p || j % stride >= stride - pattern->global : p / stride == j / stride && !later;
    }
    if (!pattern->bidirectional && j > p) {
        return false;
    }
    return head % 2 ? (p - j) % stride == 0 : llabs((long long)(p - j)) < stride;
}

static void draw_problem(clattn_problem *problem, uint64_t *state)
{
    static const clattn_pattern_kind kinds[] = {CLATTN_PATTERN_WINDOW, CLATTN_PATTERN_LONGFORMER,
                                                CLATTN_PATTERN_SAMPLES, CLATTN_PATTERN_STRIDED};
    *problem = plain_problem(kinds[draw_int(state, 0, 3)], 1, 1);
    problem->nq = draw_int(state, 1, 70);
    problem->nk = draw_int(state, 0, 1) ? problem->nq : draw_int(state, 1, 70);
    problem->block_q = draw_int(state, 1, 20);
    problem->block_k = draw_int(state, 0, 1) ? problem->block_q : draw_int(state, 1, 20);
    problem->causal = draw_int(state, 0, 1);
    problem->window_left = draw_int(state, -1, 20);
    problem->window_right = draw_int(state, -1, 20);
    problem->samples = draw_int(state, 0, (int)problem->nk);
    clattn_pattern *pattern = &problem->pattern;
    pattern->dilation = draw_int(state, 1, draw_int(state, 0, 1) ? 3 : 40);
    pattern->stride = draw_int(state, 1, draw_int(state, 0, 1) ? 5 : 30);
    pattern->global = draw_int(state, 0, pattern->stride < 4 ? pattern->stride : 4);
    pattern->bidirectional = pattern->global && !problem->causal ? 1 : draw_int(state, 0, 1);
    pattern->n_indices = draw_int(state, 0, 1) ? draw_int(state, 1, 4) : 0;
    for (int i = 0; i < pattern->n_indices; i++) {
        pattern->indices[i] = draw_int(state, 0, (int)problem->nk - 1);
    }
    if (pattern->kind == CLATTN_PATTERN_SAMPLES && pattern->n_indices) {
        problem->samples = 0;
        problem->spacing = CLATTN_SPACING_GIVEN;
    }
}

/* B2: exactly the blocks with a visible pair are listed, and the rule hides the other pairs. */
static void expect_defined(const clattn_problem *problem, const clattn_layout *layout, int head, uint8_t *wanted)
{
    const int64_t shift = problem->nk - problem->nq;
    memset(wanted, 0, (size_t)(layout->rows * layout->cols));
    for (int64_t i = 0; i < problem->nq; i++) {
        for (int64_t j = 0; j < problem->nk; j++) {
            const bool masked = problem->causal && j > i + shift, see = defined(problem, head, i, j);
            const int row = (int)(i / layout->block_q), col = (int)(j / layout->block_k);
            wanted[row * layout->cols + col] |= see && !masked;
            if (!masked && layout->rules && ct_layout_sees(layout, head, i, j) != see) {
                fail_msg("kind %d head %d query %d key %d of %d x %d: wanted %d", problem->pattern.kind, head, (int)i,
                         (int)j, (int)problem->nq, (int)problem->nk, see);
            }
        }
    }
    for (int row = 0; row < layout->rows; row++) {
        for (int col = 0; col < layout->cols; col++) {
            if (ct_layout_has(layout, head, row, col) != wanted[row * layout->cols + col]) {
                fail_msg("kind %d head %d row %d col %d of %d x %d, blocks %d x %d: listed %d (dilation %d stride %d "
                         "global %d "
                         "causal %d)",
                         problem->pattern.kind, head, row, col, (int)problem->nq, (int)problem->nk, layout->block_q,
                         layout->block_k, !wanted[row * layout->cols + col], problem->pattern.dilation,
                         problem->pattern.stride, problem->pattern.global, problem->causal);
            }
        }
    }
}

static void test_definitions(void **unused)
{
    static uint8_t wanted[70 * 70];
    uint64_t state = 5;
    (void)unused;
    for (int round = 0; round < 3000; round++) {
        clattn_problem problem;
        draw_problem(&problem, &state);
        clattn_layout *layout = make_layout(&problem);
        assert_int_equal(layout->heads, problem.pattern.kind == CLATTN_PATTERN_STRIDED ? 4 : 1);
        for (int head = 0; head < layout->heads; head++) {
            expect_defined(&problem, layout, head, wanted);
        }
        clattn_layout_release(layout);
    }
}

static void expect_every_pair(const clattn_problem *problem, bool want)
{
    clattn_layout *layout = make_layout(problem);
    for (int64_t i = 0; i < problem->nq; i++) {
        for (int64_t j = 0; j < problem->nk; j++) {
            assert_int_equal(ct_layout_sees(layout, 0, i, j), want);
        }
    }
    clattn_layout_release(layout);
}

/* L4: a window as wide as the sequence, or every token global, is dense. */
static void test_longformer_dense(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_LONGFORMER, 50, 16);
    problem.window_left = problem.window_right = 50;
    expect_every_pair(&problem, true);
    problem.window_left = problem.window_right = 0;
    problem.pattern.n_indices = 50;
    for (int i = 0; i < 50; i++) {
        problem.pattern.indices[i] = i;
    }
    expect_every_pair(&problem, true);
}

/* L4: tokens reordered by their residue modulo the dilation have undilated windows. */
static void test_dilation_by_residues(void **unused)
{
    enum { STEP = 3, LENGTH = 20, N = STEP * LENGTH };
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_LONGFORMER, N, 8);
    problem.window_left = 4;
    problem.window_right = 2;
    problem.pattern.dilation = STEP;
    clattn_layout *dilated = make_layout(&problem);
    problem.nq = problem.nk = LENGTH;
    problem.pattern.dilation = 1;
    clattn_layout *plain = make_layout(&problem);
    for (int64_t i = 0; i < N; i++) {
        for (int64_t j = 0; j < N; j++) {
            const bool want = i % STEP == j % STEP && ct_layout_sees(plain, 0, i / STEP, j / STEP);
            assert_int_equal(ct_layout_sees(dilated, 0, i, j), want);
        }
    }
    clattn_layout_release(plain);
    clattn_layout_release(dilated);
}

/* L4: an odd head of strided is block diagonal after the transposing permutation. */
static void test_strided_is_block_diagonal(void **unused)
{
    enum { STRIDE = 6, ROWS = 7, N = STRIDE * ROWS };
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_STRIDED, N, 4);
    problem.pattern.stride = STRIDE;
    clattn_layout *layout = make_layout(&problem);
    for (int64_t i = 0; i < N; i++) {
        for (int64_t j = 0; j < N; j++) {
            const int64_t at_i = i % STRIDE * ROWS + i / STRIDE, at_j = j % STRIDE * ROWS + j / STRIDE;
            assert_int_equal(ct_layout_sees(layout, 1, i, j), at_i / ROWS == at_j / ROWS && at_j <= at_i);
            assert_int_equal(ct_layout_sees(layout, 0, i, j), j <= i && i - j < STRIDE);
        }
    }
    clattn_layout_release(layout);
}

/* O15 on lists: a window over everything lists everything; (0, 0) the diagonal. */
static void test_window_limits(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_WINDOW, 4 * 16, 16);
    clattn_layout *layout = make_layout(&problem);
    expect_drawing(layout, 0, "####\n####\n####\n####\n");
    clattn_layout_release(layout);
    problem.causal = 1;
    layout = make_layout(&problem);
    expect_drawing(layout, 0, "#...\n##..\n###.\n####\n");
    clattn_layout_release(layout);
    problem.window_left = problem.window_right = 0;
    layout = make_layout(&problem);
    expect_drawing(layout, 0, "#...\n.#..\n..#.\n...#\n");
    clattn_layout_release(layout);
    problem.nq = 1;
    layout = make_layout(&problem);
    expect_drawing(layout, 0, "...#\n");
    clattn_layout_release(layout);
}

/* Time and memory follow the blocks listed, not the square of the tokens. */
static void test_long(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_STRIDED, 131072, 16);
    problem.hq = 32;
    problem.pattern.stride = 512;
    problem.causal = 1;
    clattn_layout *layout = make_layout(&problem);
    clattn_layout_info info = {.struct_size = sizeof info};
    assert_int_equal(clattn_layout_get_info(layout, &info), CLATTN_OK);
    assert_true(info.density < 0.05);
    clattn_layout_release(layout);
    problem.pattern.kind = CLATTN_PATTERN_LONGFORMER;
    problem.window_left = INT64_MAX;
    problem.window_right = 256;
    problem.pattern.dilation = INT32_MAX;
    layout = make_layout(&problem);
    assert_int_equal(layout->row_ptr[layout->rows], layout->rows);
    clattn_layout_release(layout);
}

static void test_errors(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_LONGFORMER, 64, 16);
    problem.pattern.n_indices = 1;
    problem.pattern.indices[0] = 64;
    expect_problem_failure(&problem, "entry of indices = 64 is outside 0..63");
    problem.pattern.indices[0] = -1;
    expect_problem_failure(&problem, "entry of indices = -1");
    problem.pattern.indices[0] = 1;
    problem.pattern.dilation = 0;
    expect_problem_failure(&problem, "dilation = 0");
    problem.window_left = -2;
    problem.pattern.dilation = 1;
    expect_problem_failure(&problem, "window = -2");
    problem.pattern.kind = CLATTN_PATTERN_WINDOW;
    expect_problem_failure(&problem, "window = -2");

    problem = plain_problem(CLATTN_PATTERN_SAMPLES, 64, 16);
    problem.samples = 65;
    expect_problem_failure(&problem, "samples = 65 is outside 0..64");
    problem.samples = 3;
    problem.pattern.n_indices = 2;
    expect_problem_failure(&problem, "samples = 3, but indices gives 2 positions");
    problem.pattern.n_indices = 0;
    problem.spacing = CLATTN_SPACING_GIVEN;
    expect_problem_failure(&problem, "samples = 3, but indices gives 0 positions");

    problem = plain_problem(CLATTN_PATTERN_STRIDED, 64, 16);
    problem.pattern.stride = 0;
    expect_problem_failure(&problem, "stride = 0");
    problem.pattern.stride = 8;
    problem.pattern.global = 9;
    expect_problem_failure(&problem, "global = 9 is outside 0..8");
    problem.pattern.global = 2;
    expect_problem_failure(&problem, "global = 2 with attention=uni needs causal=1");
    problem.pattern.global = 0;
    problem.hq = 0;
    expect_problem_failure(&problem, "hq = 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_longformer_dense),
        cmocka_unit_test(test_dilation_by_residues),
        cmocka_unit_test(test_strided_is_block_diagonal),
        cmocka_unit_test(test_window_limits),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Layouts from given lists, their checks, transposition, export, life, and memory that runs out. */
#include "layout/problem.h"

static clattn_layout *random_layout(uint64_t *state, int heads, int64_t nq, int64_t nk, int block_q, int block_k)
{
    uint8_t mask[4096];
    const size_t size = (size_t)heads * (size_t)ct_ceil_div(nq, block_q) * (size_t)ct_ceil_div(nk, block_k);
    assert_true(size <= sizeof mask);
    for (size_t i = 0; i < size; i++) {
        mask[i] = (uint8_t)(draw_int(state, 0, 2) ? 0 : draw_int(state, 1, 255));
    }
    clattn_layout *layout = NULL;
    assert_int_equal(clattn_layout_from_block_mask(&layout, heads, nq, nk, block_q, block_k, mask, NULL), CLATTN_OK);
    uint8_t back[4096];
    assert_int_equal(clattn_layout_mask(layout, back, size), CLATTN_OK);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(back[i], mask[i] != 0);
    }
    return layout;
}

/* A mask, its lists and its table describe the same layout. */
static void test_forms_agree(void **unused)
{
    uint64_t state = 3;
    (void)unused;
    for (int round = 0; round < 200; round++) {
        const int heads = draw_int(&state, 1, 3), nq = draw_int(&state, 1, 90), nk = draw_int(&state, 1, 90);
        const int block_q = draw_int(&state, 3, 16), block_k = draw_int(&state, 3, 16);
        clattn_layout *layout = random_layout(&state, heads, nq, nk, block_q, block_k), *other = NULL;
        const int32_t *row_ptr, *col;
        assert_int_equal(clattn_layout_csr(layout, &row_ptr, &col), CLATTN_OK);
        assert_int_equal(clattn_layout_from_csr(&other, heads, nq, nk, block_q, block_k, row_ptr, col, NULL),
                         CLATTN_OK);
        assert_true(same_lists(layout, other));
        clattn_layout_release(other);
        static int32_t table[3 * 30 * 31];
        const int width = layout->cols + draw_int(&state, 0, 1);
        for (int list = 0; list < heads * layout->rows; list++) {
            for (int i = 0; i < width; i++) {
                const int32_t at = row_ptr[list] + i;
                table[list * width + i] = at < row_ptr[list + 1] ? col[at] : -1;
            }
        }
        assert_int_equal(clattn_layout_from_table(&other, heads, nq, nk, block_q, block_k, width, table, NULL),
                         CLATTN_OK);
        assert_true(same_lists(layout, other));
        clattn_layout_release(other);
        clattn_layout_release(layout);
    }
}

/* B6: rows and columns change places, twice gives the same lists back, no block is lost. */
static void test_transpose(void **unused)
{
    uint64_t state = 4;
    (void)unused;
    for (int round = 0; round < 200; round++) {
        clattn_layout *layout =
            random_layout(&state, draw_int(&state, 1, 3), draw_int(&state, 1, 90), draw_int(&state, 1, 90),
                          draw_int(&state, 3, 16), draw_int(&state, 3, 16));
        clattn_layout *turned = NULL, *back = NULL;
        assert_int_equal(clattn_layout_transpose(&turned, layout), CLATTN_OK);
        assert_int_equal(clattn_layout_transpose(&back, turned), CLATTN_OK);
        assert_int_equal(turned->rows, layout->cols);
        assert_int_equal(turned->nq, layout->nk);
        assert_int_equal(turned->block_k, layout->block_q);
        assert_int_equal(turned->row_ptr[turned->heads * turned->rows], layout->row_ptr[layout->heads * layout->rows]);
        for (int head = 0; head < layout->heads; head++) {
            for (int row = 0; row < layout->rows; row++) {
                for (int col = 0; col < layout->cols; col++) {
                    assert_int_equal(ct_layout_has(layout, head, row, col), ct_layout_has(turned, head, col, row));
                }
            }
        }
        assert_true(same_lists(layout, back));
        clattn_layout_release(back);
        clattn_layout_release(turned);
        clattn_layout_release(layout);
    }
}

/* B6 for rules: a transposed layout answers for the same pairs. */
static void test_transposed_rules(void **unused)
{
    (void)unused;
    for (int fixed = 0; fixed < 2; fixed++) {
        clattn_problem problem = plain_problem(CLATTN_PATTERN_LONGFORMER, 40, 8);
        problem.nk = 51;
        problem.window_left = 3;
        problem.window_right = 1;
        problem.pattern.dilation = 2;
        problem.pattern.n_indices = 2;
        problem.pattern.indices[0] = 13;
        problem.pattern.indices[1] = 50;
        if (fixed) {
            problem.pattern.kind = CLATTN_PATTERN_STRIDED;
            problem.pattern.stride = 6;
            problem.pattern.global = 2;
            problem.pattern.bidirectional = 1;
        }
        clattn_layout *layout = make_layout(&problem), *turned = NULL, *back = NULL;
        assert_int_equal(clattn_layout_transpose(&turned, layout), CLATTN_OK);
        assert_int_equal(clattn_layout_transpose(&back, turned), CLATTN_OK);
        for (int head = 0; head < layout->heads; head++) {
            for (int i = 0; i < 40; i++) {
                for (int j = 0; j < 51; j++) {
                    const bool see = ct_layout_sees(layout, head, i, j);
                    assert_int_equal(ct_layout_sees(turned, head, j, i), see);
                    assert_int_equal(ct_layout_sees(back, head, i, j), see);
                }
            }
        }
        clattn_layout_release(back);
        clattn_layout_release(turned);
        clattn_layout_release(layout);
    }
}

/* B9: the first bad head, row and entry are named. */
static void test_bad_csr(void **unused)
{
    /* 2 heads of 2 rows, 3 columns */
    static const struct {
        int32_t row_ptr[5], col[8];
        const char *part;
    } cases[] = {
        {{1, 1, 1, 1, 1}, {0}, "head 0, row 0: row_ptr[0] = 1 must be 0"},
        {{0, 2, 1, 3, 4}, {0, 1, 0, 1}, "head 0, row 1: row_ptr[2] = 1 is below the one before, 2"},
        /* before col is read */
        {{0, 1000000, 2, 2, 2}, {0, 1}, "head 0, row 1: row_ptr[2] = 2 is below the one before, 1000000"},
        {{0, 1, 2, 3, -1}, {0, 0, 0}, "head 1, row 1: row_ptr[4] = -1"},
        {{0, 1, 2, 4, 5}, {0, 1, 2, 2, 0}, "head 1, row 0, entry 1: block column 2 is there twice"},
        {{0, 1, 3, 3, 3}, {0, 2, 1}, "head 0, row 1, entry 1: block column 1 is below the one before"},
        {{0, 0, 0, 0, 1}, {3}, "head 1, row 1, entry 0: block column 3 is outside 0..2"},
        {{0, 0, 2, 2, 2}, {-1, 1}, "head 0, row 1, entry 0: block column -1 is outside 0..2"},
        {{0, 0, 0, 2000000000, 2000000000}, {0, 1, 2, 3}, "head 1, row 0, entry 3: block column 3 is outside 0..2"},
    };
    clattn_layout *layout = NULL;
    (void)unused;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const clattn_status st =
            clattn_layout_from_csr(&layout, 2, 32, 40, 16, 16, cases[i].row_ptr, cases[i].col, NULL);
        expect_failure(st, CLATTN_BAD_LAYOUT, cases[i].part);
        assert_null(layout);
    }
}

static void test_bad_table(void **unused)
{
    static const struct {
        int32_t table[12];
        const char *part;
    } cases[] = {
        {{0, 1, -1, 0, -1, 1, 0, -1, -1, 0, -1, -1}, "head 0, row 1, entry 2: 1 stands behind a -1"},
        {{0, 1, -1, 0, -1, -1, 0, 0, -1, 0, -1, -1}, "head 1, row 0, entry 1: block column 0 is there twice"},
        {{0, 1, -1, 0, -1, -1, 0, -1, -1, 2, 1, -1}, "head 1, row 1, entry 1: block column 1 is below"},
        {{0, 1, 3, 0, -1, -1, 0, -1, -1, 2, -1, -1}, "head 0, row 0, entry 2: block column 3 is outside 0..2"},
        {{0, 1, 2, -2, -1, -1, 0, -1, -1, 2, -1, -1}, "head 0, row 1, entry 0: block column -2 is outside 0..2"},
    };
    clattn_layout *layout = NULL;
    (void)unused;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const clattn_status st = clattn_layout_from_table(&layout, 2, 32, 40, 16, 16, 3, cases[i].table, NULL);
        expect_failure(st, CLATTN_BAD_LAYOUT, cases[i].part);
        assert_null(layout);
    }
    expect_failure(clattn_layout_from_table(&layout, 2, 32, 40, 16, 16, 0, cases[0].table, NULL),
                   CLATTN_INVALID_ARGUMENT, "width = 0");
}

static void test_bad_sizes(void **unused)
{
    static const int64_t good[] = {1, 32, 32, 16, 16};
    static const char *const names[] = {"heads", "nq", "nk", "block_q", "block_k"};
    static const uint8_t mask[4] = {0};
    clattn_layout *layout = NULL;
    (void)unused;
    for (int i = 0; i < 5; i++) {
        int64_t sizes[5];
        memcpy(sizes, good, sizeof sizes);
        sizes[i] = 0;
        expect_failure(clattn_layout_from_block_mask(&layout, (int)sizes[0], sizes[1], sizes[2], (int)sizes[3],
                                                     (int)sizes[4], mask, NULL),
                       CLATTN_INVALID_ARGUMENT, names[i]);
    }
    expect_failure(clattn_layout_from_block_mask(&layout, 1, INT64_C(1) << 40, 32, 16, 16, mask, NULL),
                   CLATTN_INVALID_ARGUMENT, "nq = 1099511627776 is outside 1..2147483647");
    expect_failure(clattn_layout_from_block_mask(&layout, 32, INT32_MAX, 32, 16, 16, mask, NULL),
                   CLATTN_INVALID_ARGUMENT, "32 heads of 134217728 block rows");
    clattn_problem problem = plain_problem(CLATTN_PATTERN_DENSE, 1 << 20, 16);
    expect_problem_failure(&problem, "list more than 2147483647");
    problem.pattern.kind = (clattn_pattern_kind)15;
    expect_problem_failure(&problem, "pattern.kind = 15 is outside 0..14");
    problem.pattern.kind = CLATTN_PATTERN_DENSE;
    problem.pattern.n_ends = 65;
    expect_problem_failure(&problem, "number of ends = 65 is outside 0..64");
    problem.struct_size = 8;
    expect_problem_failure(&problem, "struct_size = 8");
}

static void test_null(void **unused)
{
    static const int32_t numbers[3] = {0};
    static const uint8_t mask[1] = {0};
    clattn_layout *layout = NULL;
    const clattn_problem problem = plain_problem(CLATTN_PATTERN_DENSE, 16, 16);
    (void)unused;
    expect_failure(clattn_layout_from_problem(NULL, &problem, NULL), CLATTN_INVALID_ARGUMENT, "out is NULL");
    expect_failure(clattn_layout_from_problem(&layout, NULL, NULL), CLATTN_INVALID_ARGUMENT, "problem is NULL");
    expect_failure(clattn_layout_from_csr(NULL, 1, 16, 16, 16, 16, numbers, numbers, NULL), CLATTN_INVALID_ARGUMENT,
                   "out is NULL");
    expect_failure(clattn_layout_from_csr(&layout, 1, 16, 16, 16, 16, NULL, numbers, NULL), CLATTN_INVALID_ARGUMENT,
                   "row_ptr is NULL");
    expect_failure(clattn_layout_from_csr(&layout, 1, 16, 16, 16, 16, numbers, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                   "col is NULL");
    expect_failure(clattn_layout_from_block_mask(NULL, 1, 16, 16, 16, 16, mask, NULL), CLATTN_INVALID_ARGUMENT, "out");
    expect_failure(clattn_layout_from_block_mask(&layout, 1, 16, 16, 16, 16, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                   "mask");
    expect_failure(clattn_layout_from_table(NULL, 1, 16, 16, 16, 16, 1, numbers, NULL), CLATTN_INVALID_ARGUMENT, "out");
    expect_failure(clattn_layout_from_table(&layout, 1, 16, 16, 16, 16, 1, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                   "table");
    assert_null(layout);
    clattn_layout_retain(NULL);
    clattn_layout_release(NULL);

    layout = make_layout(&problem);
    const int32_t *row_ptr;
    clattn_layout_info info = {.struct_size = 4};
    char text[8];
    expect_failure(clattn_layout_get_info(NULL, &info), CLATTN_INVALID_ARGUMENT, "layout is NULL");
    expect_failure(clattn_layout_get_info(layout, NULL), CLATTN_INVALID_ARGUMENT, "info is NULL");
    expect_failure(clattn_layout_get_info(layout, &info), CLATTN_INVALID_ARGUMENT, "struct_size = 4");
    expect_failure(clattn_layout_csr(NULL, &row_ptr, &row_ptr), CLATTN_INVALID_ARGUMENT, "layout is NULL");
    expect_failure(clattn_layout_csr(layout, NULL, &row_ptr), CLATTN_INVALID_ARGUMENT, "row_ptr is NULL");
    expect_failure(clattn_layout_csr(layout, &row_ptr, NULL), CLATTN_INVALID_ARGUMENT, "col is NULL");
    expect_failure(clattn_layout_transpose(NULL, layout), CLATTN_INVALID_ARGUMENT, "out is NULL");
    clattn_layout *turned = NULL;
    expect_failure(clattn_layout_transpose(&turned, NULL), CLATTN_INVALID_ARGUMENT, "layout is NULL");
    expect_failure(clattn_layout_mask(NULL, (uint8_t *)text, 8), CLATTN_INVALID_ARGUMENT, "layout is NULL");
    expect_failure(clattn_layout_mask(layout, NULL, 8), CLATTN_INVALID_ARGUMENT, "mask is NULL");
    expect_failure(clattn_layout_draw(NULL, 0, text, 8, NULL), CLATTN_INVALID_ARGUMENT, "layout is NULL");
    expect_failure(clattn_layout_draw(layout, 0, NULL, 8, NULL), CLATTN_INVALID_ARGUMENT, "text is NULL");
    clattn_layout_release(layout);
}

static void test_export_sizes(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_SLIDING, 48, 16);
    clattn_layout *layout = make_layout(&problem);
    uint8_t mask[10] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    char text[14];
    size_t needed = 77;
    expect_failure(clattn_layout_mask(layout, mask, 8), CLATTN_BUFFER_TOO_SMALL, "8 bytes");
    assert_int_equal(mask[0], 9);
    assert_int_equal(clattn_layout_mask(layout, mask, 9), CLATTN_OK);
    assert_int_equal(mask[9], 9);
    memset(text, 'x', sizeof text);
    expect_failure(clattn_layout_draw(layout, 0, text, 12, &needed), CLATTN_BUFFER_TOO_SMALL, "12 bytes and needs 13");
    assert_int_equal(needed, 77);
    assert_int_equal(text[0], 'x');
    assert_int_equal(clattn_layout_draw(layout, 0, NULL, 0, &needed), CLATTN_OK);
    assert_int_equal(needed, 13);
    assert_int_equal(clattn_layout_draw(layout, 0, text, 13, NULL), CLATTN_OK);
    assert_string_equal(text, "#..\n##.\n.##\n");
    assert_int_equal(text[13], 'x');
    expect_failure(clattn_layout_draw(layout, 1, text, 14, NULL), CLATTN_INVALID_ARGUMENT, "head = 1 is outside 0..0");
    expect_failure(clattn_layout_draw(layout, -1, text, 14, NULL), CLATTN_INVALID_ARGUMENT, "head = -1");
    clattn_layout_release(layout);
}

static void test_info(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_FIXED, 160, 16);
    problem.pattern.bidirectional = 0;
    problem.pattern.per_head = 1;
    clattn_layout *layout = make_layout(&problem);
    clattn_layout_info info = {.struct_size = sizeof info};
    assert_int_equal(clattn_layout_get_info(layout, &info), CLATTN_OK);
    assert_int_equal(info.heads, 4);
    assert_int_equal(info.nq, 160);
    assert_int_equal(info.nk, 160);
    assert_int_equal(info.block_q, 16);
    assert_int_equal(info.block_k, 16);
    assert_int_equal(info.rows, 10);
    assert_int_equal(info.cols, 10);
    assert_int_equal(info.blocks, 4 * 31);
    assert_int_equal(info.longest_row, 5);
    assert_true(fabs(info.density - 0.31) < 1e-12);
    assert_int_equal(info.on_device, 0);
    clattn_layout_release(layout);
}

/* Layouts whose contents come at run time have sizes and nothing else. */
static void test_on_device(void **unused)
{
    (void)unused;
    for (int kind = CLATTN_PATTERN_CSR; kind <= CLATTN_PATTERN_TABLE; kind++) {
        clattn_problem problem = plain_problem((clattn_pattern_kind)kind, 100, 16);
        problem.pattern.width = 3;
        problem.pattern.per_head = kind == CLATTN_PATTERN_MASK;
        clattn_layout *layout = make_layout(&problem), *turned = NULL;
        clattn_layout_info info = {.struct_size = sizeof info};
        assert_int_equal(clattn_layout_get_info(layout, &info), CLATTN_OK);
        assert_int_equal(info.on_device, 1);
        assert_int_equal(info.heads, kind == CLATTN_PATTERN_MASK ? 4 : 1);
        assert_int_equal(info.rows, 7);
        assert_int_equal(info.longest_row, kind == CLATTN_PATTERN_TABLE ? 3 : 7);
        assert_true(isnan(info.density));
        const int32_t *row_ptr, *col;
        uint8_t mask[256];
        expect_failure(clattn_layout_csr(layout, &row_ptr, &col), CLATTN_UNSUPPORTED, "device");
        expect_failure(clattn_layout_mask(layout, mask, sizeof mask), CLATTN_UNSUPPORTED, "device");
        expect_failure(clattn_layout_draw(layout, 0, (char *)mask, sizeof mask, NULL), CLATTN_UNSUPPORTED, "device");
        expect_failure(clattn_layout_transpose(&turned, layout), CLATTN_UNSUPPORTED, "device");
        assert_false(ct_layout_has(layout, 0, 0, 0));
        clattn_layout_release(layout);
    }
    clattn_problem problem = plain_problem(CLATTN_PATTERN_TABLE, 100, 16);
    clattn_layout *layout = make_layout(&problem);
    assert_int_equal(layout->width, 7);
    clattn_layout_release(layout);
    problem.pattern.width = 8;
    expect_problem_failure(&problem, "width = 8 is outside 1..7");
}

/* Packed: the layout is that of the longest sequence. */
static void test_packed(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_WINDOW, 1000, 16);
    problem.sequences = 5;
    problem.max_q = 100;
    problem.max_k = 300;
    clattn_layout *layout = make_layout(&problem);
    assert_int_equal(layout->rows, 7);
    assert_int_equal(layout->cols, 19);
    clattn_layout_release(layout);
    problem.max_q = problem.max_k = 0;
    layout = make_layout(&problem);
    assert_int_equal(layout->rows, 63);
    clattn_layout_release(layout);
    /* every sequence has a diagonal of its own: none of the longest one's blocks may be dropped */
    problem = plain_problem(CLATTN_PATTERN_STRIDED, 128, 16);
    problem.causal = 1;
    problem.hq = 1;
    problem.pattern.stride = 32;
    problem.pattern.global = 4;
    layout = make_layout(&problem);
    const int dropped = layout->row_ptr[layout->rows];
    clattn_layout_release(layout);
    problem.sequences = 2;
    layout = make_layout(&problem);
    assert_true(layout->row_ptr[layout->rows] >= dropped);
    clattn_layout_release(layout);
}

static void test_references(void **unused)
{
    failing_memory memory = {0};
    const clattn_allocator allocator = failing_allocator(&memory);
    const clattn_problem problem = plain_problem(CLATTN_PATTERN_DENSE, 64, 16);
    clattn_layout *layout = NULL;
    (void)unused;
    assert_int_equal(clattn_layout_from_problem(&layout, &problem, &allocator), CLATTN_OK);
    clattn_layout_retain(layout);
    clattn_layout_release(layout);
    assert_true(memory.live > 0);
    expect_drawing(layout, 0, "####\n####\n####\n####\n");
    clattn_layout_release(layout);
    assert_int_equal(memory.live, 0);
}

typedef clattn_status builder(clattn_layout **out, int which, const clattn_allocator *allocator);

static clattn_status build_pattern(clattn_layout **out, int kind, const clattn_allocator *allocator)
{
    clattn_problem problem = plain_problem((clattn_pattern_kind)kind, 64, 16);
    problem.samples = 3;
    problem.causal = 1;
    problem.pattern.stride = 8;
    problem.pattern.global = kind == CLATTN_PATTERN_STRIDED ? 2 : -1;
    problem.pattern.n_indices = kind == CLATTN_PATTERN_LONGFORMER;
    problem.pattern.tiles_y = problem.pattern.tiles_x = 2;
    return clattn_layout_from_problem(out, &problem, allocator);
}

static clattn_status build_given(clattn_layout **out, int form, const clattn_allocator *allocator)
{
    static const int32_t row_ptr[] = {0, 1, 3}, col[] = {0, 0, 1}, table[] = {0, -1, 0, 1};
    static const uint8_t mask[] = {1, 0, 1, 1};
    if (form == 0) {
        return clattn_layout_from_csr(out, 1, 32, 32, 16, 16, row_ptr, col, allocator);
    }
    return form == 1 ? clattn_layout_from_block_mask(out, 1, 32, 32, 16, 16, mask, allocator)
                     : clattn_layout_from_table(out, 1, 32, 32, 16, 16, 2, table, allocator);
}

static clattn_status build_transposed(clattn_layout **out, int kind, const clattn_allocator *allocator)
{
    clattn_layout *layout = NULL;
    clattn_status st = build_pattern(&layout, kind, allocator);
    if (st == CLATTN_OK) {
        st = clattn_layout_transpose(out, layout);
    }
    clattn_layout_release(layout);
    return st;
}

/* The n-th allocation fails, for every n: an error, nothing written, nothing lost. */
static void expect_failing(builder *build, int which)
{
    for (int n = 1;; n++) {
        failing_memory memory = {.fail_at = n};
        const clattn_allocator allocator = failing_allocator(&memory);
        clattn_layout *layout = NULL;
        const clattn_status st = build(&layout, which, &allocator);
        if (memory.calls < n) {
            assert_int_equal(st, CLATTN_OK);
            assert_true(n > 1);
            clattn_layout_release(layout);
            assert_int_equal(memory.live, 0);
            return;
        }
        expect_failure(st, CLATTN_OUT_OF_HOST_MEMORY, "no memory");
        assert_null(layout);
        assert_int_equal(memory.live, 0);
    }
}

static void test_failing_memory(void **unused)
{
    (void)unused;
    for (int kind = CLATTN_PATTERN_DENSE; kind <= CLATTN_PATTERN_TABLE; kind++) {
        expect_failing(build_pattern, kind);
        if (kind < CLATTN_PATTERN_CSR) {
            expect_failing(build_transposed, kind);
        }
    }
    for (int form = 0; form < 3; form++) {
        expect_failing(build_given, form);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_agree),
        cmocka_unit_test(test_transpose),
        cmocka_unit_test(test_transposed_rules),
        cmocka_unit_test(test_bad_csr),
        cmocka_unit_test(test_bad_table),
        cmocka_unit_test(test_bad_sizes),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_export_sizes),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_on_device),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

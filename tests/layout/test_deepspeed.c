/* DeepSpeed's six configurations: tables, naive definitions, errors. */
#include "layout/deepspeed_tables.h"
#include "layout/problem.h"

static int read_list(const char *text, int *list)
{
    int count = 0;
    for (;;) {
        char *end;
        list[count++] = (int)strtol(text, &end, 10);
        if (*end != ',') {
            return count;
        }
        text = end + 1;
    }
}

/* "field=number ...", "list=a,b,c" */
static void set_parameters(clattn_pattern *pattern, const char *parameters)
{
    const struct {
        const char *name;
        int *field, *list, *count;
    } fields[] = {{"local", &pattern->local, NULL, NULL},
                  {"global", &pattern->global, NULL, NULL},
                  {"bidirectional", &pattern->bidirectional, NULL, NULL},
                  {"horizontal", &pattern->horizontal, NULL, NULL},
                  {"patterns", &pattern->patterns, NULL, NULL},
                  {"per_head", &pattern->per_head, NULL, NULL},
                  {"random", &pattern->random, NULL, NULL},
                  {"sliding", &pattern->sliding, NULL, NULL},
                  {"windows", NULL, pattern->windows, &pattern->n_windows},
                  {"indices", NULL, pattern->indices, &pattern->n_indices},
                  {"ends", NULL, pattern->ends, &pattern->n_ends}};
    for (const char *at = parameters; *at; at += strcspn(at, " "), at += *at == ' ') {
        const size_t length = strcspn(at, "=");
        size_t i = 0;
        while (i < CT_COUNT(fields) && (strlen(fields[i].name) != length || strncmp(fields[i].name, at, length) != 0)) {
            i++;
        }
        assert_true(i < CT_COUNT(fields));
        if (fields[i].list) {
            *fields[i].count = read_list(at + length + 1, fields[i].list);
        } else {
            *fields[i].field = (int)strtol(at + length + 1, NULL, 10);
        }
    }
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < CT_COUNT(goldens); i++) {
        clattn_problem problem = plain_problem(goldens[i].kind, 16 * goldens[i].nb, 16);
        set_parameters(&problem.pattern, goldens[i].parameters);
        clattn_layout *layout = make_layout(&problem);
        assert_int_equal(layout->heads, 1);
        expect_drawing(layout, 0, goldens[i].drawing);
        clattn_layout_release(layout);
    }
}

#define MOST 40
typedef struct matrix {
    int nb;
    uint8_t at[MOST][MOST];
} matrix;

static void set_part(matrix *m, int row0, int row1, int col0, int col1)
{
    for (int r = row0 < 0 ? 0 : row0; r < row1 && r < m->nb; r++) {
        for (int c = col0 < 0 ? 0 : col0; c < col1 && c < m->nb; c++) {
            m->at[r][c] = 1;
        }
    }
}

static void lower(matrix *m)
{
    for (int r = 0; r < m->nb; r++) {
        for (int c = r + 1; c < m->nb; c++) {
            m->at[r][c] = 0;
        }
    }
}

static void local_window(matrix *m, int start, int size, int bi)
{
    for (int r = start; r < start + size && r < m->nb; r++) {
        set_part(m, r, r + 1, start, bi ? start + size : r + 1);
    }
}

static void naive_fixed(matrix *m, const clattn_pattern *p, int head)
{
    const int nb = m->nb, size = p->local, g = p->global, bi = p->bidirectional;
    for (int i = 0; i < nb; i += size) {
        local_window(m, i, size, bi);
    }
    const int first = size - (1 + head % p->patterns) * g, whole = nb - nb % size;
    for (int i = first; i < whole; i += size) {
        set_part(m, bi ? 0 : i, nb, i, i + g);
        if (p->horizontal) {
            set_part(m, i, i + g, 0, nb);
        }
    }
    if (whole < nb && g <= nb) {
        const int at = whole + first < nb - g ? whole + first : nb - g;
        set_part(m, bi ? 0 : at, nb, at, at + g);
        if (p->horizontal) {
            set_part(m, at, at + g, 0, nb);
        }
    }
}

static void naive_variable(matrix *m, const clattn_pattern *p)
{
    const int nb = m->nb, bi = p->bidirectional;
    for (int start = 0, i = 0; start < nb; i++) {
        const int size = p->windows[i < p->n_windows ? i : p->n_windows - 1];
        local_window(m, start, size, bi);
        start += size;
    }
    for (int i = 0; i < p->n_indices; i++) {
        const int start = p->indices[i], end = p->n_ends ? p->ends[i] : start + 1;
        if (start < nb) {
            set_part(m, bi ? 0 : start, nb, start, end);
            if (p->horizontal) {
                set_part(m, start, end, 0, nb);
            }
        }
    }
}

static void naive_sliding(matrix *m, const clattn_pattern *p)
{
    for (int r = 0; r < m->nb; r++) {
        set_part(m, r, r + 1, r - p->sliding / 2, r + p->sliding / 2 + 1);
    }
}

static void naive(matrix *m, const clattn_pattern *p, int head)
{
    const bool tril = !p->bidirectional;
    switch (p->kind) {
    case CLATTN_PATTERN_FIXED:
        naive_fixed(m, p, head);
        return;
    case CLATTN_PATTERN_VARIABLE:
        naive_variable(m, p);
        return;
    case CLATTN_PATTERN_BIGBIRD:
        naive_sliding(m, p);
        set_part(m, 0, p->global, 0, m->nb);
        set_part(m, 0, m->nb, 0, p->global);
        break;
    case CLATTN_PATTERN_BSLONGFORMER:
        naive_sliding(m, p);
        for (int i = 0; i < p->n_indices; i++) {
            const int start = p->indices[i], end = p->n_ends ? p->ends[i] : start + 1;
            set_part(m, start, end, 0, m->nb);
            set_part(m, 0, m->nb, start, end);
        }
        break;
    default:
        naive_sliding(m, p);
    }
    if (tril) {
        lower(m);
    }
}

static void draw_pattern(clattn_pattern *p, int nb, uint64_t *state)
{
    p->kind = (clattn_pattern_kind)draw_int(state, CLATTN_PATTERN_FIXED, CLATTN_PATTERN_SLIDING);
    p->global = p->kind == CLATTN_PATTERN_FIXED ? draw_int(state, 1, 3) : draw_int(state, 0, nb < 3 ? nb : 3);
    p->local = p->global * draw_int(state, 1, 4);
    p->bidirectional = draw_int(state, 0, 1);
    p->horizontal = p->bidirectional && draw_int(state, 0, 1);
    p->per_head = draw_int(state, 0, 1);
    p->patterns = p->per_head && p->global ? draw_int(state, 1, p->local / p->global) : 1;
    p->random = 0;
    p->sliding = draw_int(state, 0, p->kind == CLATTN_PATTERN_BIGBIRD ? nb : nb + 9);
    p->n_windows = draw_int(state, 1, 4);
    p->n_indices = draw_int(state, 1, 4);
    p->n_ends = draw_int(state, 0, 1) ? p->n_indices : 0;
    for (int i = 0; i < 4; i++) {
        p->windows[i] = draw_int(state, 1, 6);
        p->indices[i] = draw_int(state, 0, nb + 3);
        p->ends[i] = p->indices[i] + draw_int(state, 1, 4);
    }
}

static void expect_matrix(const clattn_layout *layout, int head, const matrix *m, const clattn_pattern *p)
{
    for (int r = 0; r < m->nb; r++) {
        for (int c = 0; c < m->nb; c++) {
            if (ct_layout_has(layout, head, r, c) != m->at[r][c]) {
                fail_msg("kind %d nb %d head %d row %d col %d: wanted %d (local %d global %d bi %d)", p->kind, m->nb,
                         head, r, c, m->at[r][c], p->local, p->global, p->bidirectional);
            }
        }
    }
}

/* L1 */
static void test_naive(void **unused)
{
    uint64_t state = 1;
    (void)unused;
    for (int round = 0; round < 4000; round++) {
        const int nb = draw_int(&state, 1, round % 2 ? 12 : MOST);
        clattn_problem problem = plain_problem(CLATTN_PATTERN_FIXED, 2 * nb, 2);
        draw_pattern(&problem.pattern, nb, &state);
        if (problem.pattern.kind == CLATTN_PATTERN_FIXED && problem.pattern.global > nb) {
            continue;
        }
        clattn_layout *layout = make_layout(&problem);
        const bool heads = problem.pattern.per_head && problem.pattern.kind != CLATTN_PATTERN_SLIDING;
        assert_int_equal(layout->heads, heads ? 4 : 1);
        for (int head = 0; head < 4; head++) {
            matrix m = {.nb = nb};
            naive(&m, &problem.pattern, heads ? head : 0);
            expect_matrix(layout, head, &m, &problem.pattern);
        }
        clattn_layout_release(layout);
    }
}

static int row_count(const clattn_layout *layout, int head, int row)
{
    const int list = head * layout->rows + row;
    return layout->row_ptr[list + 1] - layout->row_ptr[list];
}

/* Random blocks: as many as asked, distinct, in range; the same for a seed, different between seeds, heads and rows. */
static void test_random(void **unused)
{
    enum { NB = 24 };
    (void)unused;
    for (int random = 0; random <= NB; random++) {
        clattn_problem problem = plain_problem(CLATTN_PATTERN_VARIABLE, 16 * NB, 16);
        set_parameters(&problem.pattern, "per_head=1 windows=1 indices=99");
        problem.pattern.random = random;
        problem.pattern.seed = 7;
        clattn_layout *layout = make_layout(&problem), *again = make_layout(&problem);
        problem.pattern.seed = 8;
        clattn_layout *other = make_layout(&problem);
        assert_true(same_lists(layout, again));
        assert_true(same_lists(layout, other) == (random == 0 || random == NB));
        for (int row = 0; row < NB; row++) {
            const int more = row_count(layout, 0, row) - random;
            assert_true(more == 0 || more == 1);
        }
        if (random == 4) {
            assert_memory_not_equal(layout->col, layout->col + layout->row_ptr[NB], 4 * sizeof(int32_t));
        }
        clattn_layout_release(other);
        clattn_layout_release(again);
        clattn_layout_release(layout);
    }
}

/* Every column is drawn about as often as the others. */
static void test_random_is_even(void **unused)
{
    enum { NB = 16, SEEDS = 400, DRAWS = 3 };
    int drawn[NB] = {0};
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_VARIABLE, 16 * NB, 16);
    set_parameters(&problem.pattern, "random=3 windows=1 indices=99");
    for (int seed = 0; seed < SEEDS; seed++) {
        problem.pattern.seed = seed;
        clattn_layout *layout = make_layout(&problem);
        for (int col = 1; col < NB; col++) {
            drawn[col] += ct_layout_has(layout, 0, 0, col);
        }
        clattn_layout_release(layout);
    }
    const double mean = (double)SEEDS * DRAWS / NB, deviation = sqrt(mean);
    for (int col = 1; col < NB; col++) {
        assert_true(fabs(drawn[col] - mean) < 5 * deviation);
    }
}

static void test_bigbird_uni_draws_below(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_BIGBIRD, 16 * 32, 16);
    set_parameters(&problem.pattern, "bidirectional=0 sliding=0 global=0 per_head=1");
    clattn_layout *layout = make_layout(&problem);
    int below = 0;
    for (int head = 0; head < 4; head++) {
        for (int row = 0; row < 32; row++) {
            assert_true(row_count(layout, head, row) <= 2);
            assert_true(ct_layout_has(layout, head, row, row));
            below += row_count(layout, head, row) == 2;
            for (int col = row + 1; col < 32; col++) {
                assert_false(ct_layout_has(layout, head, row, col));
            }
        }
    }
    assert_true(below > 80);
    clattn_layout_release(layout);
}

/* L1: what the configurations refuse. */
static void test_errors(void **unused)
{
    static const struct {
        clattn_pattern_kind kind;
        const char *parameters, *part;
    } cases[] = {
        {CLATTN_PATTERN_FIXED, "local=4 global=3", "local = 4 must be a multiple of global = 3"},
        {CLATTN_PATTERN_FIXED, "local=0", "local = 0"},
        {CLATTN_PATTERN_FIXED, "global=0", "global = 0 is outside 1..4"},
        {CLATTN_PATTERN_FIXED, "global=8", "global = 8 is outside 1..4"},
        {CLATTN_PATTERN_FIXED, "bidirectional=0 horizontal=1", "horizontal = 1 needs attention=bi"},
        {CLATTN_PATTERN_FIXED, "bidirectional=2", "attention (0: uni, 1: bi) = 2 is outside 0..1"},
        {CLATTN_PATTERN_FIXED, "horizontal=2", "horizontal = 2 is outside 0..1"},
        {CLATTN_PATTERN_FIXED, "per_head=5", "per_head = 5 is outside 0..1"},
        {CLATTN_PATTERN_FIXED, "patterns=2", "patterns = 2 is above 1 and needs per_head=1"},
        {CLATTN_PATTERN_FIXED, "per_head=1 patterns=5", "patterns = 5 is outside 1..4"},
        {CLATTN_PATTERN_FIXED, "per_head=1 global=2 patterns=3", "patterns = 3 is outside 1..2"},
        {CLATTN_PATTERN_VARIABLE, "random=9", "random = 9 is outside 0..8"},
        {CLATTN_PATTERN_VARIABLE, "windows=2,0", "entry of windows = 0 must be at least 1"},
        {CLATTN_PATTERN_VARIABLE, "indices=-1", "entry of indices = -1 must be at least 0"},
        {CLATTN_PATTERN_VARIABLE, "indices=1,2 ends=3", "ends has 1 entries and indices 2"},
        {CLATTN_PATTERN_VARIABLE, "ends=1,2", "ends has 2 entries and indices 1"},
        {CLATTN_PATTERN_VARIABLE, "indices=1,2 ends=3,2", "entry 1 of indices = 2 must be below that of ends = 2"},
        {CLATTN_PATTERN_VARIABLE, "bidirectional=0 horizontal=1", "horizontal = 1 needs attention=bi"},
        {CLATTN_PATTERN_BIGBIRD, "random=9", "random = 9 is outside 0..8"},
        {CLATTN_PATTERN_BIGBIRD, "sliding=9", "sliding = 9 is outside 0..8"},
        {CLATTN_PATTERN_BIGBIRD, "global=9", "global = 9 is outside 0..8"},
        {CLATTN_PATTERN_BIGBIRD, "bidirectional=0 random=2", "random = 2 is outside 0..1"},
        {CLATTN_PATTERN_BSLONGFORMER, "sliding=-2", "sliding = -2 must be at least 0"},
        {CLATTN_PATTERN_BSLONGFORMER, "indices=1 ends=1", "entry 0 of indices = 1"},
        {CLATTN_PATTERN_SLIDING, "sliding=-3", "sliding = -3"},
    };
    (void)unused;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem = plain_problem(cases[i].kind, 8 * 16, 16);
        set_parameters(&problem.pattern, cases[i].parameters);
        expect_problem_failure(&problem, cases[i].part);
    }
    for (int kind = CLATTN_PATTERN_FIXED; kind <= CLATTN_PATTERN_SLIDING; kind++) {
        clattn_problem problem = plain_problem((clattn_pattern_kind)kind, 100, 16);
        expect_problem_failure(&problem, "n = 100 must be a positive multiple of block = 16");
        problem.nq = problem.nk = 96;
        problem.nk = 192;
        expect_problem_failure(&problem, "nq = 96, nk = 192");
        problem.nk = 96;
        problem.block_k = 32;
        expect_problem_failure(&problem, "block = 16x32");
        problem.block_q = problem.block_k = 0;
        expect_problem_failure(&problem, "block = 0");
    }
}

static void expect_whole(const clattn_layout *layout, bool tril)
{
    matrix m = {.nb = layout->rows};
    const clattn_pattern none = {0};
    set_part(&m, 0, m.nb, 0, m.nb);
    if (tril) {
        lower(&m);
    }
    expect_matrix(layout, 0, &m, &none);
}

/* L2: settings that give the dense layout or its lower half. */
static void test_dense_limits(void **unused)
{
    static const struct {
        clattn_pattern_kind kind;
        const char *parameters;
        bool tril;
    } cases[] = {
        {CLATTN_PATTERN_DENSE, "", false},
        {CLATTN_PATTERN_FIXED, "local=8", false},
        {CLATTN_PATTERN_FIXED, "local=8 bidirectional=0", true},
        {CLATTN_PATTERN_SLIDING, "sliding=16 bidirectional=1", false},
        {CLATTN_PATTERN_SLIDING, "sliding=16 bidirectional=0", true},
        {CLATTN_PATTERN_BSLONGFORMER, "indices=0,1,2,3,4,5,6,7", false},
        {CLATTN_PATTERN_BSLONGFORMER, "indices=0 ends=8 bidirectional=0", true},
        {CLATTN_PATTERN_VARIABLE, "random=8 bidirectional=0", false},
        {CLATTN_PATTERN_BIGBIRD, "global=8", false},
        {CLATTN_PATTERN_BIGBIRD, "global=8 bidirectional=0", true},
    };
    (void)unused;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem = plain_problem(cases[i].kind, 8 * 16, 16);
        set_parameters(&problem.pattern, cases[i].parameters);
        clattn_layout *layout = make_layout(&problem);
        expect_whole(layout, cases[i].tril);
        clattn_layout_release(layout);
    }
}

/* L2: BigBird without random blocks is BSLongformer with the same global blocks. */
static void test_bigbird_is_bslongformer(void **unused)
{
    (void)unused;
    for (int bi = 0; bi < 2; bi++) {
        clattn_problem problem = plain_problem(CLATTN_PATTERN_BIGBIRD, 11 * 16, 16);
        set_parameters(&problem.pattern, bi ? "random=0 global=3 sliding=5 bidirectional=1 indices=0 ends=3"
                                            : "random=0 global=3 sliding=5 bidirectional=0 indices=0 ends=3");
        clattn_layout *bigbird = make_layout(&problem);
        problem.pattern.kind = CLATTN_PATTERN_BSLONGFORMER;
        clattn_layout *longformer = make_layout(&problem);
        assert_true(same_lists(bigbird, longformer));
        clattn_layout_release(longformer);
        clattn_layout_release(bigbird);
    }
}

/* L3: a layout is made for its n. Sliding windows equal the corner of a longer layout; fixed ones with a short last
 * window do not. */
static void test_crop(void **unused)
{
    static const struct {
        clattn_pattern_kind kind;
        bool same;
    } cases[] = {{CLATTN_PATTERN_SLIDING, true}, {CLATTN_PATTERN_BSLONGFORMER, true}, {CLATTN_PATTERN_FIXED, false}};
    (void)unused;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem = plain_problem(cases[i].kind, 10 * 16, 16);
        clattn_layout *fresh = make_layout(&problem);
        problem.nq = problem.nk = 16 * 16;
        clattn_layout *longer = make_layout(&problem);
        bool same = true;
        for (int row = 0; row < 10; row++) {
            for (int col = 0; col < 10; col++) {
                same &= ct_layout_has(fresh, 0, row, col) == ct_layout_has(longer, 0, row, col);
            }
        }
        assert_int_equal(same, cases[i].same);
        clattn_layout_release(longer);
        clattn_layout_release(fresh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_naive),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_is_even),
        cmocka_unit_test(test_bigbird_uni_draws_below),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_dense_limits),
        cmocka_unit_test(test_bigbird_is_bslongformer),
        cmocka_unit_test(test_crop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

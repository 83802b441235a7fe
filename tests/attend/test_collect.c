/* attend_collect of sums as workers of tile_nv_wgmma leave them, whose kernels run on a GPU alone: the text itself, on
 * the line words of a tile whose groups do several rows, against the order that cl/tile/nv_share.cl tells of, written
 * down once more. Sequences one after another or one that is all; tiles that nobody added to; rows that are no
 * sequence's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attend/item.h"
#include "support/env.h"
#include "support/tiny.h"

enum { BATCHES = 2, HEADS = 3, ROWS = 300, WIDE = 128, UNTOUCHED = 1 };

typedef struct form {
    int bn, width, sums_row, n; /* n: sequences; 0: not packed */
    int cu[5];
} form;

static const form forms[] = {
    {64, 100, 128, 0, {0, ROWS}},
    {128, 64, 64, 0, {0, ROWS}},
    {64, 128, 128, 4, {0, 70, 70, 134, 290}}, /* the last rows are no sequence's */
    {128, 37, 64, 2, {0, 200, ROWS}},
};

/* The float of a head's row r of a tile, column c: accumulators of a warp, eight columns by eight columns. */
static int64_t place(const form *f, int64_t tile, int r, int c)
{
    const int columns = f->sums_row * f->bn / 128, worker = f->bn > 64 ? r / 64 : c / columns;
    const int row = r % 64, col = c % columns, lane = row / 16 * 32 + row % 8 * 4 + col % 8 / 2;
    return tile * f->bn * f->sums_row + worker * 64 * columns + col / 8 * 512 + lane * 4 + row % 16 / 8 * 2 + col % 2;
}

static float number(int64_t plane, int row, int c)
{
    return (float)((plane * 7 + row * 3 + c) % 251) - 100.0f;
}

typedef struct where {
    int in_sequence, first;
    int64_t tile;
    bool exists, added;
} where;

static where where_is(const form *f, int n)
{
    where w = {.exists = n < f->cu[f->n ? f->n : 1]};
    int s = 0;
    while (s + 1 < f->n && f->cu[s + 1] <= n) {
        s++;
    }
    w.in_sequence = n - f->cu[s];
    w.first = n - w.in_sequence % f->bn;
    w.tile = (f->n ? f->cu[s] / f->bn + s : 0) + w.in_sequence / f->bn;
    w.added = w.tile != UNTOUCHED;
    return w;
}

/* The kernel's text under the name that a tiny kernel has. */
static char *kernel_text(void)
{
    static const char renamed[] = "#define attend_collect words\n";
    char *source = NULL, *options = NULL;
    ct_program_spec spec = {.kernel = "words"};
    ct_spec_part(&spec, "attend/attend_collect.cl");
    assert_int_equal(ct_program_source(NULL, &spec, &source, &options), CLATTN_OK);
    char *text = malloc(sizeof renamed + strlen(source));
    strcpy(text, renamed);
    strcat(text, source);
    free(source);
    free(options);
    return text;
}

static void check_form(tiny *t, const form *f)
{
    const int64_t planes = BATCHES * HEADS, sums_head = (ROWS / f->bn + (f->n ? f->n : 1)) * f->bn;
    const size_t floats = (size_t)(planes * sums_head * f->sums_row), results = (size_t)planes * ROWS * WIDE;
    float *sums = malloc(floats * sizeof *sums), *dq = malloc(results * sizeof *dq);
    int32_t *counts = calloc((size_t)planes * ROWS * COUNTS, sizeof *counts);
    const char *const parts[] = {"tile/line.cl", t->tile->lines, "tile/nv_share.cl", NULL};
    const int items = 16, lines = 8;
    const ct_define defines[] = {{"LINE_VECTOR", 8}, {"LINE_ITEMS", items},     {"LINES", lines},
                                 {"SHARES", 1},      {"PACKED", f->n > 0},      {"BN", f->bn},
                                 {"WORKERS", 2},     {"SUMS_ROW", f->sums_row}, {"LINE_WHOLE", f->width % 8 == 0}};
    memset(sums, 0xff, floats * sizeof *sums);
    memset(dq, 0xff, results * sizeof *dq);
    for (int64_t i = 0; i < planes * ROWS; i++) {
        const where w = where_is(f, (int)(i % ROWS));
        for (int c = 0; c < f->sums_row && w.exists && w.added; c++) {
            sums[i / ROWS * sums_head * f->sums_row + place(f, w.tile, w.in_sequence % f->bn, c)] =
                number(i / ROWS, (int)(i % ROWS), c);
        }
        counts[i * COUNTS] = w.added;
    }
    char *const text = kernel_text();
    int32_t cu[5];
    memcpy(cu, f->cu, sizeof cu);
    tiny_build(t, parts, defines, CT_COUNT(defines), NULL, 0, text);
    const cl_mem mems[] = {tiny_buffer(t, floats * sizeof *sums, sums),
                           tiny_buffer(t, (size_t)planes * ROWS * COUNTS * sizeof *counts, counts),
                           tiny_buffer(t, sizeof cu, cu), tiny_buffer(t, results * sizeof *dq, dq)};
    const collect_args a = {.dq = {(int64_t)HEADS * ROWS * WIDE, (int64_t)ROWS * WIDE, WIDE},
                            .rows = ROWS,
                            .sums_head = sums_head,
                            .heads = HEADS,
                            .width = f->width,
                            .sums_row = f->sums_row,
                            .of_tile = f->bn,
                            .scale = 0.5f,
                            .sequences = f->n};
    tiny_run(t, mems, CT_COUNT(mems), &a, sizeof a, (size_t)(items * lines), (ROWS + lines - 1) / lines, HEADS, BATCHES,
             false);
    tiny_read(t, mems[3], results * sizeof *dq, dq);
    for (int64_t i = 0; i < planes * ROWS; i++) {
        const where w = where_is(f, (int)(i % ROWS));
        for (int c = 0; c < WIDE; c++) {
            const float got = dq[i * WIDE + c], want = w.added ? 0.5f * number(i / ROWS, (int)(i % ROWS), c) : 0.0f;
            const bool good = w.exists && c < f->width ? got == want : got != got;
            if (!good) {
                fail_msg("%s: row %d, column %d of plane %d is %g, not %g", t->tile->name, (int)(i % ROWS), c,
                         (int)(i / ROWS), (double)got, (double)want);
            }
        }
    }
    tiny_release(t, mems, CT_COUNT(mems));
    free(sums);
    free(dq);
    free(counts);
    free(text);
}

static void rows_come_together(void **state)
{
    tiny t = {.env = *state};
    int ran = 0;
    for (int i = 0; i < ct_tile_count; i++) {
        t.tile = &ct_tiles[i];
        if (!t.tile->row_items || !tiny_usable(&t, i)) {
            continue;
        }
        for (size_t k = 0; k < CT_COUNT(forms); k++) {
            check_form(&t, &forms[k]);
        }
        ran++;
    }
    assert_true(ran > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_come_together)};
    return cmocka_run_group_tests_name("collect", tests, ct_env_setup, ct_env_teardown);
}

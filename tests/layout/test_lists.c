/* Lists made on the host, without a layout: each line's tiles against a walk over all of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layout/host_lists.h"
#include "support/env.h"

#define MOST_TILES 64

typedef enum tile_kind { HIDDEN, MASKED, FULL } tile_kind;

static int64_t place_of(const ct_lists_wish *w, int64_t key)
{
    return w->positions ? w->positions[key] : key;
}

static bool sees(const ct_lists_wish *w, int64_t query, int64_t key)
{
    const int64_t p = query + (w->positions ? w->places : w->nk) - w->nq, at = place_of(w, key);
    return at >= p - w->left && at <= p + w->right;
}

/* Pair by pair. Of chosen keys a tile may lie between those that the queries see: it is listed, and hides every pair.
 */
static tile_kind kind_of(const ct_lists_wish *w, int64_t row, int64_t tile)
{
    const int64_t k0 = tile * w->tile_cols, k1 = ct_min(k0 + w->tile_cols, w->nk) - 1;
    const int64_t q0 = row * w->step, q1 = ct_min(q0 + w->step, w->nq) - 1;
    bool any = false, all = !w->all_masked && k0 + w->tile_width - 1 <= k1;
    for (int64_t q = q0; q <= q1; q++) {
        for (int64_t k = k0; k <= k1; k++) {
            any |= sees(w, q, k);
            all &= sees(w, q, k);
        }
    }
    return all ? FULL : any ? MASKED : HIDDEN;
}

static double pairs_of(const ct_lists_wish *w)
{
    double pairs = 0;
    for (int64_t q = 0; q < w->nq; q++) {
        for (int64_t k = 0; k < w->nk; k++) {
            pairs += sees(w, q, k);
        }
    }
    return pairs;
}

static void assert_line(const ct_lists_wish *w, const ct_host_lists *lists, int64_t row)
{
    const int32_t *line = lists->lines + 4 * row;
    tile_kind found[MOST_TILES] = {HIDDEN};
    assert_true(line[0] >= 0 && line[1] >= 0 && line[0] + line[1] <= lists->entries);
    assert_in_range(line[2], 0, line[1]);
    for (int32_t i = 0; i < line[1]; i++) {
        const int32_t key = lists->list[line[0] + i];
        assert_int_equal(key % w->tile_cols, 0);
        assert_in_range(key, 0, w->nk - 1);
        assert_int_equal(found[key / w->tile_cols], HIDDEN); /* once */
        found[key / w->tile_cols] = i < line[2] ? MASKED : FULL;
    }
    for (int64_t tile = 0; tile * w->tile_cols < w->nk; tile++) {
        const tile_kind wanted = kind_of(w, row, tile);
        if (found[tile] != wanted && !(w->positions && found[tile] == MASKED && wanted == HIDDEN)) {
            fail_msg("nq %lld nk %lld step %d cols %d left %lld right %lld row %lld tile %lld: %d, not %d",
                     (long long)w->nq, (long long)w->nk, w->step, w->tile_cols, (long long)w->left, (long long)w->right,
                     (long long)row, (long long)tile, found[tile], wanted);
        }
    }
}

/* Each tile is added to by the lines that list it, in the order of their numbers: as many as a line's rank says before
 * it. */
static void assert_ranks(const ct_lists_wish *w, const ct_host_lists *lists)
{
    int added[MOST_TILES] = {0};
    assert_true(ct_lists_ordered(w) == (ct_lists_nested(w) || !ct_lists_shared(w)));
    assert_true((lists->ranks != NULL) == (w->ranked && !ct_lists_nested(w) && !ct_lists_shared(w)));
    for (int64_t row = 0; row < lists->rows && w->ranked && ct_lists_ordered(w); row++) {
        const int32_t *line = lists->lines + 4 * row;
        for (int32_t i = line[0]; i < line[0] + line[1]; i++) {
            assert_int_equal(lists->ranks ? lists->ranks[i] : row, added[lists->list[i] / w->tile_cols]++);
        }
    }
}

static void assert_lists(const ct_lists_wish *w)
{
    ct_host_lists lists;
    ct_assert_status(ct_host_lists_make(w, NULL, &lists), CLATTN_OK, NULL);
    assert_ranks(w, &lists);
    const int64_t all = ct_ceil_div(w->nk, w->tile_cols),
                  reached = ct_ceil_div(w->step + w->left + w->right, w->tile_cols) + 1;
    assert_int_equal(lists.rows, ct_ceil_div(w->nq, w->step));
    assert_true(lists.entries <= (ct_lists_shared(w) ? all : lists.rows * (w->positions ? all : ct_min(all, reached))));
    for (int64_t row = 0; row < lists.rows; row++) {
        assert_line(w, &lists, row);
    }
    assert_true(fabs(lists.pairs - pairs_of(w)) <= 1e-9 * pairs_of(w));
    ct_host_lists_release(&lists, NULL);
}

static void every_window(void **state)
{
    static const int64_t queries[] = {1, 7, 64, 65, 130}, keys[] = {1, 64, 96, 100, 193};
    static const int64_t reach[] = {0, 1, 31, 32, 95, 192, 1000, CT_UNLIMITED};
    static const struct {
        int step, cols, width;
    } tiles[] = {{32, 32, 32}, {64, 32, 32}, {16, 64, 64}, {32, 16, 32}};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(queries) * CT_COUNT(keys) * CT_COUNT(reach) * CT_COUNT(reach) * CT_COUNT(tiles) * 2;
         i++) {
        size_t at = i;
        ct_lists_wish w = {.nq = queries[at % CT_COUNT(queries)]};
        w.nk = keys[(at /= CT_COUNT(queries)) % CT_COUNT(keys)];
        w.left = reach[(at /= CT_COUNT(keys)) % CT_COUNT(reach)];
        w.right = reach[(at /= CT_COUNT(reach)) % CT_COUNT(reach)];
        at /= CT_COUNT(reach);
        w.step = tiles[at % CT_COUNT(tiles)].step;
        w.tile_cols = tiles[at % CT_COUNT(tiles)].cols;
        w.tile_width = tiles[at % CT_COUNT(tiles)].width;
        w.all_masked = at / CT_COUNT(tiles);
        w.ranked = true;
        assert_lists(&w);
    }
}

/* Where all lines see all tiles they are read in the order of memory: backwards a decode takes a tenth longer on a CPU.
 */
static void whole_lists_ascend(void **state)
{
    static const struct {
        int64_t nq, nk, right;
        int32_t list[4];
    } cases[] = {{70, 128, CT_UNLIMITED, {0, 32, 64, 96}},
                 {1, 100, 0, {96, 0, 32, 64}},
                 {70, 100, CT_UNLIMITED, {96, 0, 32, 64}},
                 {70, 128, 0, {96, 64, 32, 0}}};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const ct_lists_wish w = {.nq = cases[i].nq,
                                 .nk = cases[i].nk,
                                 .left = CT_UNLIMITED,
                                 .right = cases[i].right,
                                 .step = 32,
                                 .tile_cols = 32,
                                 .tile_width = 32};
        ct_host_lists lists;
        ct_assert_status(ct_host_lists_make(&w, NULL, &lists), CLATTN_OK, NULL);
        assert_int_equal(lists.entries, 4);
        assert_memory_equal(lists.list, cases[i].list, sizeof cases[i].list);
        ct_host_lists_release(&lists, NULL);
    }
}

static void chosen_keys(void **state)
{
    static const int64_t reach[] = {0, 5, 40, 300, CT_UNLIMITED};
    int32_t positions[50];
    (void)state;
    for (int i = 0; i < 50; i++) {
        positions[i] = 4 * i + i % 3;
    }
    for (size_t i = 0; i < CT_COUNT(reach) * CT_COUNT(reach); i++) {
        const ct_lists_wish w = {.nq = 120,
                                 .nk = 50,
                                 .left = reach[i % CT_COUNT(reach)],
                                 .right = reach[i / CT_COUNT(reach)],
                                 .step = 32,
                                 .tile_cols = 16,
                                 .tile_width = 16,
                                 .positions = positions,
                                 .places = 200};
        assert_lists(&w);
    }
}

/* Work, not seconds: what 2^22 tokens store. */
static void stored_entries(void **state)
{
    static const struct {
        int64_t left, right, entries;
    } cases[] = {
        {CT_UNLIMITED, CT_UNLIMITED, 65536},
        {CT_UNLIMITED, 0, 65536},
        {4194303, 0, 65536},
        {CT_UNLIMITED, 7, 65536},
        {512, 0, 32768 * 10 - 20},
        {0, 0, 65536},
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const ct_lists_wish w = {.nq = 4194304,
                                 .nk = 4194304,
                                 .left = cases[i].left,
                                 .right = cases[i].right,
                                 .step = 128,
                                 .tile_cols = 64,
                                 .tile_width = 64};
        ct_host_lists lists;
        ct_assert_status(ct_host_lists_make(&w, NULL, &lists), CLATTN_OK, NULL);
        assert_int_equal(lists.entries, cases[i].entries);
        ct_host_lists_release(&lists, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_window), cmocka_unit_test(whole_lists_ascend),
                                       cmocka_unit_test(chosen_keys), cmocka_unit_test(stored_entries)};
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}

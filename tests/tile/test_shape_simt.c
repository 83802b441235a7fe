/* Every width and block finds a tile of simt that fits small devices, and what it says of itself is true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tile/shape_simt.h"
#include "tile/tiles.h"

static const char *const vendors[] = {"NVIDIA Corporation", "Advanced Micro Devices, Inc.", "Intel(R) Corporation",
                                      "someone", "a CPU"};
static const int widths[] = {1, 3, 16, 37, 40, 64, 75, 80, 96, 128, 192, 255, 256};

static void facts_of(ct_device_facts *facts, const char *vendor, size_t group)
{
    memset(facts, 0, sizeof *facts);
    snprintf(facts->vendor, sizeof facts->vendor, "%s", vendor);
    facts->local_apart = strcmp(vendor, "a CPU") != 0;
    facts->local_memory = 32 << 10;
    facts->max_group = group;
}

/* cl/tile/tile_simt.cl's own #error, and the sizes of its local arrays */
static void check_legal(const struct ct_simt_shape *s, int dv, size_t bytes)
{
    const int across = s->ks / 4, columns = (int)ct_round_up(ct_ceil_div(dv, s->cx), 4) * s->cx;
    assert_true(s->bm % (2 * s->mr) == 0 && s->mr % 4 == 0 && s->bn % (4 * s->cx) == 0 && s->bn % s->ps == 0 &&
                (s->whole || s->ps % s->cx == 0));
    assert_int_equal(s->items, s->bm / s->mr * s->cx);
    assert_true(s->items % across == 0 && columns / 4 <= s->items);
    const int abt = s->ks * (s->bm + s->bn + 8), ab = s->ps * ((s->whole ? 0 : s->bm + 4) + columns);
    const int pairs = s->whole ? s->bm * s->bn + 4 * (int)ct_max(s->bm, s->bn) : s->mr * s->items;
    assert_int_equal(s->local_bytes, 4 * (2 * (abt > ab ? abt : ab) + pairs));
    assert_true(s->local_bytes <= bytes && pairs >= s->mr * s->items);
}

static void test_every_width(void **state)
{
    static const int blocks[] = {0, 1, 16, 48, 64, 100, 128, 211, 256};
    (void)state;
    for (size_t v = 0; v < CT_COUNT(vendors); v++) {
        ct_device_facts facts;
        struct ct_simt_shape s;
        facts_of(&facts, vendors[v], 256);
        for (size_t i = 0; i < CT_COUNT(widths) * CT_COUNT(widths); i++) {
            const int dk = widths[i / CT_COUNT(widths)], dv = widths[i % CT_COUNT(widths)],
                      block = blocks[i % CT_COUNT(blocks)];
            const int pack = 1 + (int)(i % 8);
            assert_true(ct_simt_shape_parts(&facts, block, block, pack, dk, dv, 0, &s));
            check_legal(&s, dv, 32 << 10);
            assert_true(s.rows <= s.bm && s.cols <= s.bn && s.rows % pack == 0);
            assert_true(block == 0 || (block * pack % s.rows == 0 && block % s.cols == 0));
        }
    }
}

/* cl/tile/tile_simt_state.cl: its own #error, its local arrays, and a part for every column of the state */
static void test_states(void **state)
{
    static const size_t groups[] = {64, 128, 256};
    (void)state;
    for (size_t v = 0; v < CT_COUNT(vendors) * CT_COUNT(groups); v++) {
        ct_device_facts facts;
        facts_of(&facts, vendors[v / CT_COUNT(groups)], groups[v % CT_COUNT(groups)]);
        for (size_t i = 0; i < CT_COUNT(widths) * CT_COUNT(widths); i++) {
            const int dk = widths[i / CT_COUNT(widths)], dv = widths[i % CT_COUNT(widths)] + (int)(i % 2);
            struct ct_simt_state_shape s;
            assert_true(ct_simt_state_shape(&facts, i % 3 ? 1000 : 20, dk, dv, &s));
            assert_true(s.tokens % (2 * s.mr) == 0 && s.tokens % (4 * s.cx) == 0 && s.tokens % s.ps == 0 &&
                        s.ps % s.cx == 0);
            assert_true(s.columns % (4 * s.cx) == 0 && s.parts * s.columns >= dv && (s.parts - 1) * s.columns < dv);
            assert_true(s.items == s.tokens / s.mr * s.cx && (size_t)s.items <= facts.max_group &&
                        s.columns / 4 <= s.items);
            const int keys = (int)ct_round_up(dk, 4 * s.tokens / s.mr);
            const int64_t pairs = ct_max(s.ks * (2 * s.tokens + 8), s.ps * (s.tokens + 4 + s.columns));
            const int64_t states = ct_max(s.ks * (s.tokens + 4 + s.columns), s.ps * (keys + s.columns));
            assert_int_equal(s.local_bytes, 4 * (2 * ct_max(pairs, states) + 6 * s.tokens));
            assert_true(s.local_bytes <= 32 << 10);
        }
    }
}

static void test_whole_blocks(void **state)
{
    ct_device_facts facts;
    struct ct_simt_shape s;
    (void)state;
    facts_of(&facts, vendors[2], 256);
    for (int block = 1; block <= 128; block += 13) {
        assert_true(ct_simt_shape(&facts, block, block, 64, 64, 1, &s));
        check_legal(&s, 64, 32 << 10);
        assert_true(s.bm >= block && s.bn >= block && s.rows == block && s.cols == block);
    }
    assert_false(ct_simt_shape(&facts, 129, 16, 64, 64, 1, &s));
    assert_false(ct_simt_shape(&facts, 16, 16, 0, 64, 1, &s));
}

static void test_small_groups(void **state)
{
    ct_device_facts facts;
    struct ct_simt_shape s;
    (void)state;
    facts_of(&facts, vendors[3], 64);
    assert_true(ct_simt_shape_parts(&facts, 64, 64, 1, 128, 128, 0, &s));
    check_legal(&s, 128, 32 << 10);
    assert_true(s.items <= 64);
}

/* Every gradient finds a tile, cut as its blocks ask; chains have room for a tile of pairs. */
static void test_backward(void **state)
{
    static const int blocks[] = {0, 16, 64, 100, 128}, rows[] = {1, 100, 4096};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(vendors) * CT_COUNT(widths) * CT_COUNT(blocks) * CT_COUNT(rows) * 4; i++) {
        const size_t vendor = i / 4 % CT_COUNT(vendors), rest = i / 4 / CT_COUNT(vendors);
        const int width = widths[rest % CT_COUNT(widths)], block = blocks[rest / CT_COUNT(widths) % CT_COUNT(blocks)];
        const ct_shape_wish wish = {.block_q = block,
                                    .block_k = block,
                                    .nq = rows[rest / CT_COUNT(widths) / CT_COUNT(blocks)],
                                    .dk = width,
                                    .dv = width,
                                    .pack = 1,
                                    .backward = true,
                                    .turned = i % 2,
                                    .texts = i / 2 % 2};
        ct_device_facts facts;
        struct ct_simt_shape s;
        bool chains;
        facts_of(&facts, vendors[vendor], 256);
        facts.local_memory = vendor ? 32 << 10 : 48 << 10;
        assert_true(ct_simt_shape_backward(&facts, &wish, &chains, &s));
        check_legal(&s, width, facts.local_memory);
        assert_true(block == 0 || (block % s.rows == 0 && block % s.cols == 0));
        assert_true(!chains || (s.whole && wish.turned && !wish.texts && s.places > 0));
        assert_true(!chains || (s.bn % (4 * s.bm / s.mr) == 0 && s.bm % s.ps == 0));
    }
}

static bool is_untried(const ct_device_facts *facts, const ct_shape_wish *wish)
{
    ct_shape s = {0};
    char why[200];
    int i = 0;
    while (strcmp(ct_tiles[i].name, "simt") != 0) {
        i++;
    }
    assert_true(ct_tiles[i].shape(facts, wish, &s, why, sizeof why));
    return s.untried;
}

/* What an H200 is given: a result more is a tile of its own. */
static void test_backward_rows(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const int width = i / 2 ? 128 : 64;
        const ct_shape_wish wish = {.nq = 4096, .dk = width, .dv = width, .pack = 1, .backward = true, .turned = i % 2},
                            forwards = {.nq = 4096, .dk = width, .dv = width, .pack = 1};
        ct_device_facts facts;
        struct ct_simt_shape s, forward;
        bool chains;
        facts_of(&facts, vendors[0], 1024);
        facts.local_memory = 48 << 10;
        assert_true(ct_simt_shape_backward(&facts, &wish, &chains, &s));
        assert_true(!is_untried(&facts, &wish) && chains == wish.turned && s.bm == (i == 1 ? 128 : 64) &&
                    s.bn == (chains ? 64 : width));
        assert_int_equal(s.places, chains ? 256 / s.items : 0);
        assert_true(s.mr * s.bn / s.cx * (chains ? 1 : 2) + s.mr * width / s.cx * (chains ? 2 : 1) <= 192);
        assert_true(ct_simt_shape_parts(&facts, 0, 0, 1, width, width, 0, &forward));
        assert_true(!forward.whole && !is_untried(&facts, &forwards) && forward.bm == 64 && forward.bn == width);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_width),  cmocka_unit_test(test_whole_blocks),
                                       cmocka_unit_test(test_small_groups), cmocka_unit_test(test_states),
                                       cmocka_unit_test(test_backward),     cmocka_unit_test(test_backward_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every width and block that tile_nv_mma takes gets a shape that is legal in cl/tile/tile_nv_mma.cl; the rest is
 * declined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "nv_shapes.h"
#include "tile/shape_mma.h"
#include "tile/tiles.h"

static const int multiples[] = {1, 4, 8};

static void check_legal(const ct_shape *s, const ct_shape_wish *w)
{
    const int64_t blocks_a_warp = defined_by(s, "BLOCKS"), size = (int64_t)clattn_dtype_size(w->dtype);
    const int64_t pitch = size * ct_round_up(ct_max(w->dk, w->dv), 16) + 16;
    assert_true(blocks_a_warp == 1 || blocks_a_warp == 2);
    assert_true(s->bm > 0 && s->bm <= 128 && s->bm % (16 * blocks_a_warp) == 0);
    assert_true(s->bn >= 16 && s->bn <= 64 && s->bn % 16 == 0);
    assert_true(s->step > 0 && s->step * w->pack <= s->bm && s->cols <= s->bn);
    assert_true(s->bm - s->step * w->pack < 16 * blocks_a_warp); /* no warp without rows */
    assert_true(w->block_q == 0 || w->block_q % s->step == 0);
    assert_true(w->block_k == 0 || w->block_k % s->cols == 0);
    assert_int_equal(s->items, s->bm / 16 / blocks_a_warp * 32);
    assert_true(2 * s->bn * pitch <= 48 << 10);
    assert_true(pitch / 16 % 2 == 1); /* no bank conflict */
    assert_int_equal(defined_by(s, "ALIGNED"), w->aligned == 8);
    assert_true(blocks_a_warp == 1 || ct_max(w->dk, w->dv) <= 80);
    assert_int_equal(s->groups, 0); /* it is not loaded again: nobody would read them */
}

static void test_every_width(void **state)
{
    int taken = 0;
    (void)state;
    for (size_t i = 0; i < CT_COUNT(widths) * CT_COUNT(widths) * CT_COUNT(blocks) * CT_COUNT(blocks); i++) {
        const size_t j = i / CT_COUNT(widths) / CT_COUNT(widths);
        ct_device_facts facts = {.nv_capability = 80, .local_memory = 48 << 10};
        ct_shape_wish w = {.dk = widths[i % CT_COUNT(widths)],
                           .dv = widths[i / CT_COUNT(widths) % CT_COUNT(widths)],
                           .block_q = blocks[j % CT_COUNT(blocks)],
                           .block_k = blocks[j / CT_COUNT(blocks)],
                           .nq = 1 + (int64_t)(i * 37 % 3000),
                           .nk = 5000,
                           .pack = i % 3 == 0 ? 4 : 1,
                           .causal = i & 1,
                           .window = i & 2,
                           .reads = (ct_reads)(i % 4),
                           .aligned = multiples[i % 3],
                           .dtype = i % 5 == 0 ? CLATTN_F32 : CLATTN_BF16,
                           .tf32 = true};
        ct_shape s = {0};
        char why[256] = "";
        if (ct_mma_shape(&facts, &w, &s, why, sizeof why)) {
            check_legal(&s, &w);
            taken++;
        } else {
            assert_true(why[0]);
            /* else free shapes always fit */
            assert_true(w.block_q || w.block_k || (w.dtype == CLATTN_F32 && ct_max(w.dk, w.dv) > 128));
        }
    }
    assert_true(taken > 10000);
}

/* Rows of a decode fill one warp, not four. */
static void test_few_rows(void **state)
{
    ct_device_facts facts = {.nv_capability = 80, .local_memory = 48 << 10};
    ct_shape_wish w = {.dk = 64, .dv = 64, .nq = 3, .nk = 5000, .pack = 4, .aligned = 8, .dtype = CLATTN_F16};
    ct_shape s = {0};
    char why[256] = "";
    (void)state;
    assert_true(ct_mma_shape(&facts, &w, &s, why, sizeof why));
    assert_int_equal(s.step, 3);
    assert_int_equal(s.bm, 16);
    assert_int_equal(s.items, 32);
}

static void test_declined(void **state)
{
    ct_device_facts facts = {.nv_capability = 80, .local_memory = 48 << 10};
    ct_shape s;
    char why[256] = "";
    ct_shape_wish w = {.dk = 64, .dv = 64, .nq = 100, .nk = 100, .pack = 1, .dtype = CLATTN_F32};
    (void)state;
    assert_false(ct_mma_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "tf32=1"));
    w.tf32 = true;
    assert_true(ct_mma_shape(&facts, &w, &s, why, sizeof why));
    w.dv = 129;
    assert_false(ct_mma_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "129"));
    w.dtype = CLATTN_F16;
    w.dv = 257;
    assert_false(ct_mma_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "257"));
    w.dv = 64;
    facts.local_memory = 8192;
    assert_false(ct_mma_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "8192"));
}

/* What plan --explain says of tf32=1 is what the shapes do: floats that only then are taken are rounded. */
static void test_rows_say_tf32(void **state)
{
    const ct_device_facts facts = {.nv_capability = 90, .local_memory = 227 << 10, .max_group = 1024};
    (void)state;
    for (int i = 0; i < ct_tile_count; i++) {
        ct_shape_wish w = {.dk = 64, .dv = 64, .nq = 100, .nk = 100, .pack = 1, .aligned = 8, .dtype = CLATTN_F32};
        ct_shape exact = {0}, rounded = {0};
        char why[256] = "";
        const bool takes = ct_tiles[i].shape(&facts, &w, &exact, why, sizeof why);
        w.tf32 = true;
        assert_int_equal(ct_tiles[i].tf32, ct_tiles[i].shape(&facts, &w, &rounded, why, sizeof why) && !takes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_width), cmocka_unit_test(test_few_rows),
                                       cmocka_unit_test(test_declined), cmocka_unit_test(test_rows_say_tf32)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

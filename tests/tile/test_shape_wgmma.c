/* Every width and block that tile_nv_wgmma takes gets a shape that is legal in cl/tile/tile_nv_wgmma.cl (and
 * _state.cl); the rest is declined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "nv_shapes.h"
#include "tile/shape_wgmma.h"

static void check_legal(const ct_shape *s, const ct_shape_wish *w)
{
    const int64_t dk = ct_round_up(w->dk, 64), dv = ct_round_up(w->dv, 64), slots = defined_by(s, "SLOTS");
    assert_true(s->bm % 64 == 0 && s->bm >= 64 && s->bm <= 192 && s->bn % 16 == 0 && s->bn >= 16 && s->bn <= 176);
    assert_true(s->step * w->pack <= s->bm && s->cols <= s->bn);
    assert_true(w->block_q == 0 || w->block_q % s->step == 0);
    assert_true(w->block_k == 0 || w->block_k % s->cols == 0);
    assert_int_equal(s->items, 128 + 2 * s->bm);
    /* as TILE_BEGIN declares it: groups that stay have two query tiles */
    const int64_t tiles = 2 * ((s->resident ? 2 : 1) * s->bm * dk + 2 * slots * s->bn * ct_max(dk, dv)),
                  barriers = 8 * (8 + 4 * 2 * slots);
    const int64_t pairs = defined_by(s, "STAGED") == 1 ? s->bm * (s->bn + 4) * 4 : 0;
    assert_true((tiles + barriers + pairs + 1024) * (s->groups > 1 ? s->groups : 1) <= 227 << 10);
    assert_true(!pairs || w->bias);
    assert_int_equal(defined_by(s, "ALIGNED"), w->aligned >= 8);
    assert_int_equal(defined_by(s, "TURNS"), s->bm > 64); /* turns between two workers at least */
    assert_true(s->bn <= 128 || ct_max(w->dk, w->dv) <= 128);
}

static void test_every_width(void **state)
{
    int taken = 0;
    (void)state;
    for (size_t i = 0; i < CT_COUNT(widths) * CT_COUNT(widths) * CT_COUNT(blocks) * CT_COUNT(blocks); i++) {
        const size_t j = i / CT_COUNT(widths) / CT_COUNT(widths);
        ct_device_facts facts = {.nv_capability = 90};
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
                           .bias = i % 5 == 0,
                           .aligned = i % 7 ? 8 : 4,
                           .dtype = CLATTN_BF16};
        ct_shape s = {0};
        char why[256] = "";
        if (ct_wgmma_shape(&facts, &w, &s, why, sizeof why)) {
            check_legal(&s, &w);
            taken++;
        } else {
            assert_true(why[0]);
            assert_true(w.block_q || w.block_k); /* free shapes always fit */
        }
    }
    assert_true(taken > 10000);
}

/* Sizes that ci/gpu_check.txt has run are trusted, others are tried first. */
static void test_untried(void **state)
{
    static const struct {
        int block, d;
        int64_t n;
        bool untried;
    } cases[] = {{0, 128, 3000, false},  {0, 64, 3000, false},    {0, 256, 3000, false}, {0, 128, 10, false},
                 {64, 128, 1024, false}, {128, 128, 2048, false}, {16, 64, 1024, false}, {48, 128, 1000, false},
                 {32, 128, 1024, true},  {24, 64, 960, true}};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const ct_device_facts facts = {.nv_capability = 90};
        const ct_shape_wish w = {.block_q = cases[i].block,
                                 .block_k = cases[i].block,
                                 .nq = cases[i].n,
                                 .nk = 3000,
                                 .dk = cases[i].d,
                                 .dv = cases[i].d,
                                 .pack = 1,
                                 .dtype = CLATTN_BF16};
        ct_shape s = {0};
        char why[256] = "";
        assert_true(ct_wgmma_shape(&facts, &w, &s, why, sizeof why));
        assert_int_equal(s.untried, cases[i].untried);
    }
}

static void test_declined(void **state)
{
    ct_device_facts facts = {.nv_capability = 90};
    ct_shape s;
    char why[256] = "";
    ct_shape_wish w = {.dk = 64, .dv = 64, .nq = 100, .nk = 100, .pack = 1, .dtype = CLATTN_F32};
    (void)state;
    assert_false(ct_wgmma_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "float"));
    w.dtype = CLATTN_F16;
    w.dv = 257;
    assert_false(ct_wgmma_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "257"));
}

static void check_state(const ct_shape *s, const ct_shape_wish *w)
{
    const int64_t dk = ct_round_up(w->dk, 64), dv = ct_round_up(w->dv, 64), split = defined_by(s, "SPLIT"),
                  slots = defined_by(s, "SLOTS");
    const int64_t local =
        split * dk * 128 + w->streams * slots * 64 * ct_max(dk, dv) * 2 + 8 * (8 + 4 * w->streams * slots);
    assert_true(s->bm == 64 && s->bn == 64 && s->step == 64); /* as #error of the tile says */
    assert_true(w->dk <= 128 && w->dv <= 64 * split);
    /* setmaxnreg's sums hold for these alone */
    assert_true((split == 1 && s->groups == 2) || (split == 2 && s->groups == 1));
    assert_int_equal(s->items, 128 + 128 * split);
    assert_true(slots >= 2 && s->groups * (local + 1024) <= 227 << 10);
    assert_int_equal(defined_by(s, "OVERLAP"), 0);
    assert_int_equal(defined_by(s, "FLOAT_STATE"), w->float_state);
    assert_true(s->rounds_state);
}

static void test_states(void **state)
{
    int taken = 0;
    (void)state;
    for (size_t i = 0; i < CT_COUNT(widths) * CT_COUNT(widths) * 3; i++) {
        ct_device_facts facts = {.nv_capability = 90};
        const ct_shape_wish w = {.dk = widths[i / 3 % CT_COUNT(widths)],
                                 .dv = widths[i / 3 / CT_COUNT(widths)],
                                 .nq = 5000,
                                 .nk = 5000,
                                 .pack = 1,
                                 .causal = true,
                                 .dtype = CLATTN_BF16,
                                 .streams = 1 + (int)(i % 3),
                                 .float_state = i & 1};
        ct_shape s = {0};
        char why[256] = "";
        const bool narrow = w.dk <= 128 && w.dv <= 128;
        assert_int_equal(ct_wgmma_state_shape(&facts, &w, &s, why, sizeof why), narrow);
        if (narrow) {
            check_state(&s, &w);
            taken++;
        } else {
            assert_non_null(strstr(why, "128 x 128"));
        }
    }
    assert_int_equal(taken, 8 * 8 * 3);
}

static void test_states_declined(void **state)
{
    ct_device_facts facts = {.nv_capability = 90};
    ct_shape s;
    char why[256] = "";
    ct_shape_wish w = {.dk = 64, .dv = 64, .nq = 100, .nk = 100, .pack = 1, .dtype = CLATTN_F32, .streams = 3};
    (void)state;
    assert_false(ct_wgmma_state_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "float rows"));
    w.dtype = CLATTN_F16;
    assert_false(ct_wgmma_state_shape(&facts, &w, &s, why, sizeof why));
    assert_non_null(strstr(why, "half"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_width), cmocka_unit_test(test_untried),
                                       cmocka_unit_test(test_declined), cmocka_unit_test(test_states),
                                       cmocka_unit_test(test_states_declined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

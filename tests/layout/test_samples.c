/* Positions of sampled keys. */
#include "layout/problem.h"

static void test_even(void **unused)
{
    int32_t positions[250];
    (void)unused;
    ct_sample_positions(CLATTN_SPACING_EVEN, 250, 16384, positions);
    for (int i = 0; i < 250; i++) {
        assert_int_equal(positions[i], i * 16384 / 250);
    }
    ct_sample_positions(CLATTN_SPACING_EVEN, 7, 7, positions);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(positions[i], i);
    }
}

static void test_log(void **unused)
{
    static const int32_t wanted[] = {0, 3, 15, 63, 255};
    int32_t positions[5];
    (void)unused;
    ct_sample_positions(CLATTN_SPACING_LOG, 5, 256, positions);
    assert_memory_equal(positions, wanted, sizeof wanted);
}

/* Any number of samples gives that many ascending positions within the keys. */
static void test_distinct(void **unused)
{
    int32_t positions[300];
    (void)unused;
    for (int nk = 1; nk <= 300; nk += nk < 20 ? 1 : 37) {
        for (int samples = 1; samples <= nk; samples++) {
            for (int spacing = CLATTN_SPACING_EVEN; spacing <= CLATTN_SPACING_LOG; spacing++) {
                ct_sample_positions((clattn_spacing)spacing, samples, nk, positions);
                assert_int_equal(positions[0], 0);
                assert_true(positions[samples - 1] < nk);
                for (int i = 1; i < samples; i++) {
                    assert_true(positions[i] > positions[i - 1]);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

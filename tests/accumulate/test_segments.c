/* How many segments fill a device whose compute units hold a known number of groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accumulate/parts.h"

/* Rounds of groups times what one lasts, in chunks. */
static int64_t rounds(int64_t places, int64_t items, int64_t chunks, int64_t segments)
{
    return ct_ceil_div(items * segments, places) * ct_ceil_div(chunks, segments);
}

/* An H200 has 132 compute units. */
static void test_known(void **state)
{
    (void)state;
    assert_int_equal(ct_accumulate_segments(132, 16, 32768 / 64, true), 8); /* 128 groups in one round */
    assert_int_equal(ct_accumulate_segments(132, 16, 131072 / 64, true), 8);
    assert_int_equal(ct_accumulate_segments(132, 132, 512, true), 1); /* full as it is */
    /* reading twice would cost more than idle units */
    assert_int_equal(ct_accumulate_segments(132, 96, 512, true), 1);
    assert_int_equal(ct_accumulate_segments(132, 64, 512, true), 2);
    assert_int_equal(ct_accumulate_segments(132, 16, 4, true), 1);    /* too short to be worth two launches */
    assert_int_equal(ct_accumulate_segments(264, 16, 512, true), 16); /* two groups a unit */
    assert_int_equal(ct_accumulate_segments(132, 16, 4, false), 4);   /* nothing is done twice */
    assert_int_equal(ct_accumulate_segments(132, 1, 1, true), 1);
}

static void test_any(void **state)
{
    (void)state;
    for (int64_t items = 1; items < 400; items += 7) {
        for (int64_t chunks = 1; chunks < 3000; chunks = chunks * 3 / 2 + 1) {
            for (int twice = 0; twice < 2; twice++) {
                const int64_t n = ct_accumulate_segments(132, items, chunks, twice), each = ct_ceil_div(chunks, n);
                assert_in_range(n, 1, chunks);
                assert_int_equal(ct_ceil_div(chunks, each), n); /* no segment is empty */
                assert_true(rounds(132, items, chunks, n) <= rounds(132, items, chunks, 1));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_any)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

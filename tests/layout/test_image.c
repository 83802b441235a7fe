/* Two-dimensional windows of tiles. */
#include "layout/problem.h"

static void test_distance(void **unused)
{
    (void)unused;
    for (int radius = 0; radius < 6; radius++) {
        clattn_problem problem = plain_problem(CLATTN_PATTERN_IMAGE, 4 * 5 * 16, 16);
        problem.pattern.tiles_y = 4;
        problem.pattern.tiles_x = 5;
        problem.pattern.radius = radius;
        clattn_layout *layout = make_layout(&problem);
        for (int row = 0; row < 20; row++) {
            for (int col = 0; col < 20; col++) {
                const int down = abs(row / 5 - col / 5), across = abs(row % 5 - col % 5);
                assert_int_equal(ct_layout_has(layout, 0, row, col), (down > across ? down : across) <= radius);
            }
        }
        clattn_layout_release(layout);
    }
}

static void test_default_radius(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_IMAGE, 6 * 16, 16);
    problem.pattern.tiles_y = 2;
    problem.pattern.tiles_x = 3;
    clattn_layout *layout = make_layout(&problem);
    expect_drawing(layout, 0, "##.##.\n######\n.##.##\n##.##.\n######\n.##.##\n");
    clattn_layout_release(layout);
}

static void test_errors(void **unused)
{
    (void)unused;
    clattn_problem problem = plain_problem(CLATTN_PATTERN_IMAGE, 96, 16);
    expect_problem_failure(&problem, "tiles (Y of YxX) = 0");
    problem.pattern.tiles_y = 2;
    expect_problem_failure(&problem, "tiles (X of YxX) = 0");
    problem.pattern.tiles_x = 4;
    expect_problem_failure(&problem, "nq = 96 and nk = 96 must be tiles = 2x4 times block = 16");
    problem.pattern.tiles_x = 3;
    problem.nk = 95;
    expect_problem_failure(&problem, "nk = 95");
    problem.nk = 96;
    problem.block_k = 32;
    expect_problem_failure(&problem, "block = 16x32");
    problem.block_k = 16;
    problem.pattern.radius = -2;
    expect_problem_failure(&problem, "radius = -2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_default_radius),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

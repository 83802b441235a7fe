/* What a launch gives to its kernel: arguments in order, groups within a device's bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/plan_parts.h"

static void buffers_and_what_lies_behind(void **state)
{
    ct_launch *l = calloc(1, sizeof *l);
    (void)state;
    assert_non_null(l);
    ct_launch_buffer(l, (ct_ref){CT_SLOT, CLATTN_O, 5, 4, 0});
    assert_int_equal(l->n_args, 1);
    assert_true(l->args[0].buffer && !l->args[0].alone && l->args[0].ref.offset == 5);
    ct_launch_buffer(l, (ct_ref){CT_ZONE, 2, 1, 128, CLATTN_K + 1}); /* maps of k */
    assert_int_equal(l->n_args, 3);
    assert_true(l->args[1].ref.where == CT_ZONE && l->args[1].ref.index == 2 && !l->args[1].alone);
    assert_true(l->args[2].ref.where == CT_SLOT && l->args[2].ref.index == CLATTN_K && l->args[2].alone);
    ct_launch_buffer(l, (ct_ref){CT_ZONE, 2, 1, 128, -1 - 7}); /* maps of what was gathered into zone 7 */
    assert_int_equal(l->n_args, 5);
    assert_true(l->args[4].ref.where == CT_ZONE && l->args[4].ref.index == 7 && l->args[4].alone);
    free(l);
}

static void groups_in_one_dimension(void **state)
{
    ct_launch *l = calloc(1, sizeof *l);
    (void)state;
    assert_non_null(l);
    ct_launch_groups(l, 7, 65535, 3, 64);
    assert_true(l->groups[0] == 7 && l->groups[1] == 65535 && l->groups[2] == 3 && l->offset[1] == 0 &&
                l->spec.n_defines == 0 && !l->too_many);
    ct_launch_groups(l, 7, 65536, 3, 64);
    assert_true(l->groups[0] == 7 * 65536 * 3 && l->groups[1] == 1 && l->groups[2] == 1 && !l->too_many);
    assert_int_equal(l->spec.n_defines, 1);
    assert_string_equal(l->spec.defines[0].name, "FOLD");
    assert_int_equal(l->spec.defines[0].value, 1);
    assert_true(l->offset[0] == 0 && l->offset[1] == 7 && l->offset[2] == 65536);
    ct_launch_groups(l, 40000, 70000, 1, 64);
    assert_true(l->too_many);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(buffers_and_what_lies_behind),
                                       cmocka_unit_test(groups_in_one_dimension)};
    return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}

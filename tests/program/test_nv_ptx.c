/* What is changed in a driver's PTX, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "program/nv_ptx.h"

static void test_edit(void **state)
{
    static const char ptx[] = ".version 9.0\n.target sm_90, texmode_independent\n.address_size 64\n.entry "
                              "k(\n)\n.reqntid 384, 1, 1\n{\nret;\n}";
    ct_program_spec spec = {.kernel = "k", .backend = "nv_wgmma", .ptx_target = "sm_90a", .ptx_groups = 2};
    ct_text out = {0};
    (void)state;
    assert_true(ct_nv_edit(&spec, ptx, &out));
    assert_string_equal(
        out.data,
        ".version 9.0\n.target sm_90a, texmode_independent\n.address_size 64\n.entry k(\n)\n.reqntid 384, 1, 1\n"
        ".minnctapersm 2\n{\nret;\n}\n");
    ct_text_release(&out);

    ct_text plain = {0};
    spec.ptx_groups = 0;
    assert_true(ct_nv_edit(&spec, ".target sm_90\n.reqntid 32\n", &plain));
    assert_string_equal(plain.data, ".target sm_90a\n.reqntid 32\n");
    ct_text_release(&plain);
}

static void test_no_target(void **state)
{
    const ct_program_spec spec = {.kernel = "k", .backend = "nv_wgmma", .ptx_target = "sm_90a"};
    ct_text out = {0};
    (void)state;
    assert_false(ct_nv_edit(&spec, "\177ELF not PTX", &out));
    ct_text_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edit), cmocka_unit_test(test_no_target)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

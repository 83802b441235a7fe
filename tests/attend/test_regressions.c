/* Problems that once failed, one a line: what was wrong, and the line that repeated it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/core.h"
#include "support/env.h"

static const struct {
    const char *problem;
    uint64_t seed;
} once[] = {
    /* pocl 3.1 read sixteen halves at an odd address as if they were aligned: cl/tile/half16.cl */
    {"dense b=2 hq=14 hk=2 nq=3 nk=256 d=60 dtype=f16 pass=decode softcap=30 alibi=2 bias=1 bias_h=1", 600261},
};

static void they_stay_mended(void **state)
{
    for (size_t i = 0; i < CT_COUNT(once); i++) {
        ct_assert_check(*state, once[i].problem, once[i].seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_stay_mended)};
    return cmocka_run_group_tests_name("regressions", tests, ct_env_setup, ct_env_teardown);
}

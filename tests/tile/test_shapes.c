/* Lengths and widths that found bugs in other implementations (the tests of FlashAttention, flash-linear-attention,
 * Lightning Attention, DeepSpeed), against the double-precision reference on the device's first choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/core.h"
#include "support/env.h"

static const char *const borrowed[] = {
    "dense h=1 nq=113 nk=203 d=32 causal=1",
    "dense h=1 nq=128 nk=217 d=59",
    "dense h=1 nq=113 nk=211 d=111 causal=1",
    "dense h=1 nq=108 nk=256 d=40",
    "dense h=1 nq=256 nk=512 d=64 causal=1",
    "dense h=1 nq=512 nk=256 d=64 causal=1",
    "dense h=1 nq=1024 nk=1023 d=64 causal=1",
    "dense h=1 nq=1023 nk=1024 d=64",
    "dense h=1 n=2048 d=64 causal=1",
    "dense hq=7 hk=1 n=63 d=64",
    "dense hq=5 hk=1 nq=1 nk=65 d=64 pass=decode",
    "dense h=3 n=17 d=1",
    "linear h=2 n=63 d=60",
    "lightning h=1 n=111 d=100",
    "lightning h=1 n=913 dqk=16 dv=64",
    "lightning h=1 n=1213 dqk=128 dv=64",
    "block_sparse b=3 h=2 n=576 d=64 pattern=fixed block=64 local=3",
    "block_sparse h=1 nq=49 nk=48 d=64 pattern=mask block=16",
};

static void as_the_reference_says(void **state)
{
    for (size_t i = 0; i < CT_COUNT(borrowed); i++) {
        ct_assert_check(*state, borrowed[i], 1 + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_reference_says)};
    return cmocka_run_group_tests_name("shapes", tests, ct_env_setup, ct_env_teardown);
}

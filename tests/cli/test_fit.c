/* Shapes of files against shapes of slots, and what is said where they differ. */
#include "clattn/fit.h"
#include "cli/unit.h"

#include <string.h>

typedef struct fit_case {
    wanted_tensor wanted;
    tensor given;
    const char *says; /* NULL: it fits */
} fit_case;

static void shapes(void **state)
{
    static const fit_case cases[] = {
        /* a batch is never read as heads */
        {{CLATTN_BLOCK_MASK, CLATTN_U8, 3, {8, 16, 17}}, {CLATTN_U8, 3, {8, 16, 17}, NULL}, NULL},
        {{CLATTN_BLOCK_MASK, CLATTN_U8, 3, {8, 16, 17}}, {CLATTN_U8, 4, {1, 8, 16, 17}, NULL}, NULL},
        {{CLATTN_BLOCK_MASK, CLATTN_U8, 3, {8, 16, 17}},
         {CLATTN_U8, 4, {8, 1, 16, 17}, NULL},
         "the batch, which must be 1"},
        {{CLATTN_BLOCK_MASK, CLATTN_U8, 3, {1, 16, 17}}, {CLATTN_U8, 2, {16, 17}, NULL}, NULL},
        {{CLATTN_BLOCK_MASK, CLATTN_U8, 3, {1, 16, 17}}, {CLATTN_U8, 4, {1, 1, 16, 17}, NULL}, NULL},
        {{CLATTN_BLOCK_TABLE, CLATTN_I32, 3, {8, 16, 3}},
         {CLATTN_I32, 4, {8, 1, 16, 3}, NULL},
         "the batch, which must be 1"},
        {{CLATTN_SINK, CLATTN_F32, 1, {8}}, {CLATTN_F32, 4, {1, 8, 1, 1}, NULL}, NULL},
        {{CLATTN_SINK, CLATTN_F32, 1, {8}}, {CLATTN_F32, 4, {8, 1, 1, 1}, NULL}, "the batch"},
        {{CLATTN_BIAS, CLATTN_F32, 4, {1, 8, 20, 30}},
         {CLATTN_F32, 4, {8, 1, 20, 30}, NULL},
         "[8, 1, 20, 30] f32; wanted"},
        {{CLATTN_KEY_PADDING, CLATTN_U8, 2, {4, 30}}, {CLATTN_U8, 4, {4, 1, 1, 30}, NULL}, NULL},
        /* where it would fit */
        {{CLATTN_BLOCK_MASK, CLATTN_U8, 3, {1, 16, 16}},
         {CLATTN_U8, 3, {8, 16, 16}, NULL},
         "wanted is [1, 16, 16] u8; with per_head=1"},
        {{CLATTN_BLOCK_TABLE, CLATTN_I32, 3, {1, 16, 5}}, {CLATTN_I32, 3, {8, 16, 5}, NULL}, "per_head=1"},
        {{CLATTN_BIAS, CLATTN_F32, 4, {1, 8, 20, 30}},
         {CLATTN_F32, 3, {2, 20, 30}, NULL},
         "--bias: [2, 20, 30] f32; wanted is [1 or b=4, 1 or hq=8, nq=20, nk=30] f32"},
        {{CLATTN_BIAS, CLATTN_F32, 4, {1, 1, 20, 30}}, {CLATTN_U8, 2, {4, 30}, NULL}, "--key-padding, u8 [b=4, nk=30]"},
        {{CLATTN_BIAS, CLATTN_F32, 4, {1, 1, 20, 30}}, {CLATTN_U8, 4, {1, 1, 20, 30}, NULL}, "--key-padding"},
        {{CLATTN_COL_IDX, CLATTN_I32, 1, {0}}, {CLATTN_I32, 1, {77}, NULL}, NULL},
    };
    clattn_problem problem;
    (void)state;
    clattn_problem_init(&problem);
    problem.b = 4;
    problem.nq = 20;
    problem.nk = 30;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const clattn_status st = tensor_fit(&cases[i].given, &cases[i].wanted, &problem);
        if ((st == CLATTN_OK) != !cases[i].says || (cases[i].says && !strstr(clattn_error_detail(), cases[i].says))) {
            fail_msg("case %zu: status %d, '%s' and not '%s'", i, st, clattn_error_detail(),
                     cases[i].says ? cases[i].says : "fits");
        }
    }
    problem.pattern.per_head = 1;
    assert_string_equal(per_head_hint(&problem, true), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes)};
    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}

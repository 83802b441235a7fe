/* pattern=scores: each row of blocks sees its topk blocks of highest score; what was chosen comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "core/core.h"
#include "support/env.h"

static void every_tile(void **state)
{
    static const char *const problems[] = {
        "block_sparse pattern=scores topk=3 block=32 b=2 h=2 n=200 d=40",
        "block_sparse pattern=scores topk=1 block=16 hq=4 hk=2 n=150 d=24 dtype=bf16",
        "block_sparse pattern=scores topk=4 block=32x16 b=2 h=2 nq=100 nk=180 d=32 causal=1 dtype=f16",
        "block_sparse pattern=scores topk=5 block=64x16 h=3 n=210 d=16 causal=1",
        "block_sparse pattern=scores topk=7 block=16 h=2 nq=120 nk=100 d=16 causal=1 window=40,0",
        "block_sparse pattern=scores topk=13 block=16 b=2 h=2 n=200 d=16 sink=1 key_padding=1",
        "block_sparse pattern=scores topk=9 block=16 b=3 hq=8 hk=2 nq=1 nk=1000 d=64 pass=decode causal=1",
        "block_sparse pattern=scores topk=20 block=16 b=2 hq=2 hk=1 nq=3 nk=700 d=64 pass=decode layout=bnhd",
        "sparse_linear pattern=scores topk=2 block=32 b=2 h=2 n=130 d=24 remaining=1",
        "sparse_linear pattern=scores topk=3 block=16 h=2 n=130 d=24 gate=1",
    };
    const ct_env *env = *state;
    for (size_t i = 0; i < CT_COUNT(problems); i++) {
        ct_assert_check(env, problems[i], i + 1);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *text, *word;
        clattn_status status;
    } cases[] = {
        {"block_sparse pattern=scores n=128", "topk = -1", CLATTN_INVALID_ARGUMENT},
        {"block_sparse pattern=scores topk=3 n=128", "topk = 3 is outside 1..2", CLATTN_INVALID_ARGUMENT},
        /* the edge of 64 queries crosses 4 blocks of 16 keys */
        {"block_sparse pattern=scores topk=3 n=128 block=64x16 causal=1", "topk = 3 is outside 4..8",
         CLATTN_INVALID_ARGUMENT},
        {"block_sparse pattern=scores topk=2 n=128 sequences=2", "sequences=2", CLATTN_UNSUPPORTED},
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem;
        clattn_layout *layout = NULL;
        ct_assert_status(clattn_problem_parse(&problem, cases[i].text), CLATTN_OK, NULL);
        ct_assert_status(clattn_layout_from_problem(&layout, &problem, NULL), cases[i].status, cases[i].word);
        assert_null(layout);
    }
    clattn_problem problem;
    ct_assert_status(clattn_problem_parse(&problem, "block_sparse topk=2"), CLATTN_INVALID_ARGUMENT, "topk=2");
}

/* A layout made for one problem, handed to a plan of another that its lines cannot serve. */
static void layouts_refused(void **state)
{
    static const struct {
        const char *layout, *plan, *word;
        clattn_status status;
    } cases[] = {
        {"block_sparse pattern=scores topk=1 block=64x16 n=128 d=16",
         "block_sparse pattern=scores topk=1 block=64x16 n=128 d=16 causal=1", "edge crosses up to 4",
         CLATTN_BAD_LAYOUT},
        {"block_sparse pattern=scores topk=1 block=16 n=128 d=16",
         "block_sparse pattern=dense block=16 n=128 d=16 sequences=2", "sequences=2", CLATTN_UNSUPPORTED},
    };
    const ct_env *env = *state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem problem;
        clattn_layout *layout = NULL;
        clattn_plan *plan = NULL;
        ct_assert_status(clattn_problem_parse(&problem, cases[i].layout), CLATTN_OK, NULL);
        ct_assert_status(clattn_layout_from_problem(&layout, &problem, NULL), CLATTN_OK, NULL);
        ct_assert_status(clattn_problem_parse(&problem, cases[i].plan), CLATTN_OK, NULL);
        ct_assert_status(clattn_plan_create(&plan, env->place.context, &problem, layout), cases[i].status,
                         cases[i].word);
        assert_null(plan);
        clattn_layout_release(layout);
    }
}

/* Scores that a person can check: ties, NaN, infinities, an edge. */
static void by_hand(void **state)
{
    enum { COLS = 8, K = 4, ROWS = 2 };
    const ct_env *env = *state;
    const float nan = NAN, inf = INFINITY;
    /* with the edge: rows of 32 queries see keys up to 95 and 127, in blocks 5 and 7 */
    const float scores[ROWS * COLS] = {1, 3, 3, -inf, nan, 2, inf, 0, nan, -inf, nan, -inf, -1, 9, -inf, -inf};
    static const int32_t full[ROWS * K] = {1, 2, 5, 6, 0, 2, 4, 5}, causal[ROWS * K] = {1, 2, 4, 5, 4, 5, 6, 7};
    for (int with_edge = 0; with_edge < 2; with_edge++) {
        clattn_problem problem;
        clattn_plan *plan = NULL;
        int32_t lists[ROWS * K];
        size_t bytes = 0;
        cl_int error = CL_SUCCESS;
        cl_mem mems[6], workspace;
        clattn_arg args[6];
        static const clattn_slot slots[6] = {CLATTN_Q, CLATTN_K, CLATTN_V, CLATTN_O, CLATTN_SCORES, CLATTN_LISTS};
        ct_assert_status(
            clattn_problem_parse(&problem, "block_sparse pattern=scores topk=4 block=32x16 h=1 nq=64 nk=128 d=16"),
            CLATTN_OK, NULL);
        problem.causal = with_edge;
        ct_assert_status(clattn_plan_create(&plan, env->place.context, &problem, NULL), CLATTN_OK, NULL);
        ct_assert_status(clattn_plan_workspace(plan, &bytes), CLATTN_OK, NULL);
        workspace = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE, bytes + 1, NULL, &error);
        for (int i = 0; i < 6; i++) {
            mems[i] = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE | (i == 4 ? CL_MEM_COPY_HOST_PTR : 0),
                                     i == 4 ? sizeof scores : 128 * 16 * 4, i == 4 ? (void *)(uintptr_t)scores : NULL,
                                     &error);
            assert_int_equal(error, CL_SUCCESS);
            args[i] = (clattn_arg){slots[i], clattn_buf_mem(mems[i], 0)};
        }
        ct_assert_status(clattn_enqueue(env->queue, plan, args, 6, clattn_buf_mem(workspace, 0), 0, NULL, NULL),
                         CLATTN_OK, NULL);
        error = clEnqueueReadBuffer(env->queue, mems[5], CL_TRUE, 0, sizeof lists, lists, 0, NULL, NULL);
        assert_int_equal(error, CL_SUCCESS);
        assert_memory_equal(lists, with_edge ? causal : full, sizeof lists);
        for (int i = 0; i < 6; i++) {
            clReleaseMemObject(mems[i]);
        }
        clReleaseMemObject(workspace);
        clattn_plan_release(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_tile), cmocka_unit_test(refused),
                                       cmocka_unit_test(layouts_refused), cmocka_unit_test(by_hand)};
    return cmocka_run_group_tests_name("scores", tests, ct_env_setup, ct_env_teardown);
}

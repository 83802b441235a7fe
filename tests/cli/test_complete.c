/* How tensors complete a problem's text, and how they are checked against it. */
#include "clattn/complete.h"
#include "cli/unit.h"

#include <string.h>

static given_tensors given;

static void give(clattn_slot slot, clattn_dtype dtype, int rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t dims[4] = {a, b, c, d};
    tensor_release(&given.of[slot]);
    assert_int_equal(tensor_make(&given.of[slot], dtype, rank, dims), CLATTN_OK);
}

static int begin(void **state)
{
    (void)state;
    memset(&given, 0, sizeof given);
    give(CLATTN_Q, CLATTN_F16, 4, 2, 6, 100, 24);
    give(CLATTN_K, CLATTN_F16, 4, 2, 3, 70, 24);
    give(CLATTN_V, CLATTN_F16, 4, 2, 3, 70, 40);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        tensor_release(&given.of[slot]);
    }
    return 0;
}

static clattn_problem complete(const char *text)
{
    clattn_problem problem;
    char *full = NULL;
    if (complete_problem(text, &given, &problem, &full) != CLATTN_OK) {
        fail_msg("%s: %s", text, clattn_error_detail());
    }
    ct_release(NULL, full);
    return problem;
}

static void refuse(const char *text, const char *says)
{
    clattn_problem problem;
    char *full = NULL;
    assert_int_not_equal(complete_problem(text, &given, &problem, &full), CLATTN_OK);
    if (!strstr(clattn_error_detail(), says)) {
        fail_msg("'%s' does not say '%s'", clattn_error_detail(), says);
    }
    assert_null(full);
}

static void sizes_come_from_the_files(void **state)
{
    (void)state;
    const clattn_problem p = complete("dense");
    assert_int_equal(p.b, 2);
    assert_int_equal(p.hq, 6);
    assert_int_equal(p.hk, 3);
    assert_int_equal(p.nq, 100);
    assert_int_equal(p.nk, 70);
    assert_int_equal(p.dqk, 24);
    assert_int_equal(p.dv, 40);
    assert_int_equal(p.dtype, CLATTN_F16);
}

static void the_text_is_checked(void **state)
{
    (void)state;
    complete("dense b=2 hq=6 nk=70 dtype=f16");
    refuse("dense b=3", "b=2");
    refuse("dense h=6", "--k");
    refuse("dense n=100", "n=70");
    refuse("dense d=24", "--v");
    refuse("dense dtype=f32", "dtype=f32");
    refuse("dense bogus=1", "bogus");
    refuse("dense layout=bnhd hq=6", "hq=6");
    give(CLATTN_V, CLATTN_F32, 4, 2, 3, 70, 40);
    refuse("dense", "--v: elements are f32");
    give(CLATTN_V, CLATTN_F16, 3, 2, 3, 70, 0);
    refuse("dense", "four dimensions");
}

static void other_order(void **state)
{
    (void)state;
    give(CLATTN_Q, CLATTN_F16, 4, 2, 100, 6, 24);
    give(CLATTN_K, CLATTN_F16, 4, 2, 70, 3, 24);
    give(CLATTN_V, CLATTN_F16, 4, 2, 70, 3, 40);
    const clattn_problem p = complete("dense layout=bnhd");
    assert_int_equal(p.hq, 6);
    assert_int_equal(p.nk, 70);
}

static void tensors_switch_their_keys_on(void **state)
{
    (void)state;
    give(CLATTN_BIAS, CLATTN_F32, 4, 1, 6, 100, 70);
    give(CLATTN_SINK, CLATTN_F32, 1, 6, 0, 0, 0);
    give(CLATTN_KEY_PADDING, CLATTN_U8, 2, 2, 70, 0, 0);
    give(CLATTN_ALIBI_SLOPES, CLATTN_F32, 1, 6, 0, 0, 0);
    const clattn_problem p = complete("dense causal=1");
    assert_int_equal(p.bias, 1);
    assert_int_equal(p.bias_b, 1);
    assert_int_equal(p.bias_h, 0); /* as many as there are */
    assert_int_equal(p.sink, 1);
    assert_int_equal(p.key_padding, 1);
    assert_int_equal(p.alibi, 2);
    refuse("linear", "has no such key");
}

/* A bias that fits no batch and no head is refused by its shape, when the plan knows it: not for keys that nobody
 * wrote. */
static void a_bias_of_any_shape(void **state)
{
    (void)state;
    give(CLATTN_BIAS, CLATTN_F32, 3, 5, 100, 70, 0);
    clattn_problem p = complete("dense");
    assert_true(p.bias == 1 && p.bias_b == 1 && p.bias_h == 0);
    give(CLATTN_BIAS, CLATTN_F32, 4, 3, 1, 100, 70);
    p = complete("dense");
    assert_true(p.bias == 1 && p.bias_b == 0 && p.bias_h == 1);
    give(CLATTN_BIAS, CLATTN_F32, 2, 100, 70, 0, 0);
    p = complete("dense");
    assert_true(p.bias == 1 && p.bias_b == 1 && p.bias_h == 1);
}

static void linear_switches(void **state)
{
    (void)state;
    give(CLATTN_K, CLATTN_F16, 4, 2, 6, 100, 24);
    give(CLATTN_V, CLATTN_F16, 4, 2, 6, 100, 40);
    give(CLATTN_DECAY, CLATTN_F32, 1, 6, 0, 0, 0);
    assert_int_equal(complete("linear").decay, CLATTN_DECAY_HEAD);
    assert_int_equal(complete("linear decay=alibi").decay, CLATTN_DECAY_ALIBI);
    give(CLATTN_DECAY, CLATTN_F32, 3, 2, 6, 100, 0);
    assert_int_equal(complete("lightning").decay, CLATTN_DECAY_TOKEN);
    given.wants[CLATTN_STATE_OUT] = true;
    assert_int_equal(complete("linear").state, 1);
    given.wants[CLATTN_DSTATE_IN] = given.wants[CLATTN_DDECAY] = true; /* two say state=1 */
    assert_int_equal(complete("lightning pass=bwd").state, 1);
    assert_int_equal(complete("lightning pass=bwd").ddecay, 1);
}

static void set_cuts(int a, int b, int c)
{
    int32_t *cut = given.of[CLATTN_CU_SEQLENS].data;
    cut[0] = a;
    cut[1] = b;
    cut[2] = c;
}

static void packed_sequences(void **state)
{
    (void)state;
    give(CLATTN_Q, CLATTN_F16, 4, 1, 6, 100, 24);
    give(CLATTN_K, CLATTN_F16, 4, 1, 6, 100, 24);
    give(CLATTN_V, CLATTN_F16, 4, 1, 6, 100, 24);
    give(CLATTN_CU_SEQLENS, CLATTN_I32, 1, 3, 0, 0, 0);
    set_cuts(0, 30, 100);
    const clattn_problem p = complete("dense");
    assert_int_equal(p.sequences, 2);
    assert_int_equal(p.max_q, 70);
    assert_int_equal(p.max_k, 70);
    set_cuts(0, 30, 99);
    refuse("dense", "100");
    set_cuts(0, 101, 100);
    refuse("dense", "element 2 is 100");
    set_cuts(1, 30, 100);
    refuse("dense", "from 1");
}

static void lists_are_validated(void **state)
{
    static const int32_t row_ptr[] = {0, 1, 3}, col[] = {0, 0, 1};
    (void)state;
    give(CLATTN_ROW_PTR, CLATTN_I32, 1, 3, 0, 0, 0);
    give(CLATTN_COL_IDX, CLATTN_I32, 1, 3, 0, 0, 0);
    memcpy(given.of[CLATTN_ROW_PTR].data, row_ptr, sizeof row_ptr);
    memcpy(given.of[CLATTN_COL_IDX].data, col, sizeof col);
    const clattn_problem p = complete("block_sparse block=64");
    assert_int_equal(p.pattern.kind, CLATTN_PATTERN_CSR);
    assert_int_equal(check_contents(&p, &given), CLATTN_OK);
    const int64_t every_head[1] = {6 * 2 + 1};
    tensor kept = given.of[CLATTN_ROW_PTR];
    assert_int_equal(tensor_make(&given.of[CLATTN_ROW_PTR], CLATTN_I32, 1, every_head), CLATTN_OK);
    assert_int_equal(check_contents(&p, &given), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "per_head=1"));
    tensor_release(&given.of[CLATTN_ROW_PTR]);
    given.of[CLATTN_ROW_PTR] = kept;
    ((int32_t *)given.of[CLATTN_COL_IDX].data)[2] = 7;
    assert_int_equal(check_contents(&p, &given), CLATTN_BAD_LAYOUT);
    ((int32_t *)given.of[CLATTN_ROW_PTR].data)[2] = 4;
    assert_int_equal(check_contents(&p, &given), CLATTN_BAD_LAYOUT);
}

/* Lists of packed sequences are those of the longest one. */
static void packed_lists(void **state)
{
    static const int32_t row_ptr[] = {0, 1}, col[] = {0};
    (void)state;
    give(CLATTN_Q, CLATTN_F32, 4, 1, 2, 100, 8);
    give(CLATTN_K, CLATTN_F32, 4, 1, 2, 100, 8);
    give(CLATTN_V, CLATTN_F32, 4, 1, 2, 100, 8);
    give(CLATTN_CU_SEQLENS, CLATTN_I32, 1, 3, 0, 0, 0);
    memcpy(given.of[CLATTN_CU_SEQLENS].data, (const int32_t[]){0, 40, 100}, 3 * sizeof(int32_t));
    give(CLATTN_ROW_PTR, CLATTN_I32, 1, 2, 0, 0, 0);
    give(CLATTN_COL_IDX, CLATTN_I32, 1, 1, 0, 0, 0);
    memcpy(given.of[CLATTN_ROW_PTR].data, row_ptr, sizeof row_ptr);
    memcpy(given.of[CLATTN_COL_IDX].data, col, sizeof col);
    const clattn_problem p = complete("block_sparse block=64");
    assert_int_equal(p.max_q, 60);
    assert_int_equal(check_contents(&p, &given), CLATTN_OK);
}

static void results_to_merge(void **state)
{
    (void)state;
    end(NULL);
    const int64_t dims[5] = {3, 2, 4, 50, 24};
    assert_int_equal(tensor_make(&given.of[CLATTN_O_PARTS], CLATTN_F32, 5, dims), CLATTN_OK);
    const clattn_problem p = complete("merge");
    assert_true(p.parts == 3 && p.b == 2 && p.hq == 4 && p.nq == 50 && p.dv == 24);
    tensor_release(&given.of[CLATTN_O_PARTS]);
    refuse("merge", "--o-parts: missing");
}

static void ranges_of_numbers(void **state)
{
    (void)state;
    give(CLATTN_GATE, CLATTN_F32, 3, 2, 6, 100, 0);
    const clattn_problem p = complete("hybrid window=8,8 samples=4");
    assert_int_equal(check_contents(&p, &given), CLATTN_OK);
    ((float *)given.of[CLATTN_GATE].data)[7] = 1.5f;
    assert_int_equal(check_contents(&p, &given), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "--gate: element 7 is 1.5; must be from 0 to 1"));
    ((float *)given.of[CLATTN_GATE].data)[7] = 1.0f;
    give(CLATTN_DECAY, CLATTN_F32, 1, 6, 0, 0, 0);
    ((float *)given.of[CLATTN_DECAY].data)[2] = 0.5f;
    assert_int_equal(check_contents(&p, &given), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "--decay: element 2 is 0.5"));
}

static void missing_tensor(void **state)
{
    (void)state;
    tensor_release(&given.of[CLATTN_K]);
    refuse("dense", "--k is missing");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes_come_from_the_files),
        TEST(the_text_is_checked),
        TEST(other_order),
        TEST(tensors_switch_their_keys_on),
        TEST(linear_switches),
        TEST(packed_sequences),
        TEST(lists_are_validated),
        TEST(missing_tensor),
        TEST(packed_lists),
        TEST(results_to_merge),
        TEST(ranges_of_numbers),
        TEST(a_bias_of_any_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

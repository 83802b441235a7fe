/* The check engine checks itself: conversions, the tolerance rule, guards, random problems, and whole checks that must
 * pass or fail. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/core.h"
#include "harness/compare.h"
#include "harness/guarded.h"
#include "harness/inputs.h"
#include "harness/rand_problem.h"
#include "harness/random.h"
#include "harness/storage.h"
#include "harness/texts.h"
#include "plan/keys.h"
#include "support/env.h"

/* Every f16 and bf16 number survives, and what lies between two goes to the nearer one, ties to even. */
static void storage_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        const double low = (double)ct_f16_to((uint16_t)bits), high = (double)ct_f16_to((uint16_t)(bits + 1));
        assert_int_equal(ct_f16_from((float)low), bits);
        assert_int_equal(ct_f16_from((float)-low), bits | 0x8000);
        if (bits + 1 < 0x7c00) {
            const double middle = 0.5 * (low + high), step = (high - low) / 64;
            assert_int_equal(ct_f16_from((float)middle), bits & 1 ? bits + 1 : bits);
            assert_int_equal(ct_f16_from((float)(middle - step)), bits);
            assert_int_equal(ct_f16_from((float)(middle + step)), bits + 1);
        }
    }
    for (uint32_t bits = 0; bits < 0x7f80; bits++) {
        const float low = ct_bf16_to((uint16_t)bits);
        assert_int_equal(ct_bf16_from(low), bits);
        assert_int_equal(ct_bf16_from(-low), bits | 0x8000);
    }
    assert_int_equal(ct_bf16_from(1.00390625f), 0x3f80); /* tie, even */
    assert_int_equal(ct_bf16_from(1.01171875f), 0x3f82);
    assert_true(isinf(ct_f16_to(ct_f16_from(65520.0f))) && ct_f16_to(ct_f16_from(65519.0f)) == 65504.0f);
    assert_true(isnan(ct_f16_to(ct_f16_from(NAN))) && isnan(ct_bf16_to(ct_bf16_from(NAN))));
    assert_true(ct_storage_ulp(CLATTN_BF16, 1.5) == 0x1p-7 && ct_storage_ulp(CLATTN_F32, 4.0) == 0x1p-21);
    assert_true(ct_storage_ulp(CLATTN_F16, 0.0) == 0x1p-24);
}

/* The same seed gives the same numbers, another stream others; moments are those of the law. */
static void random_numbers_repeat(void **state)
{
    (void)state;
    ct_random a = ct_random_of(7, 1), b = ct_random_of(7, 1), c = ct_random_of(7, 2);
    double sum = 0, squares = 0;
    int equal = 0;
    for (int i = 0; i < 20000; i++) {
        const double x = ct_random_normal(&a);
        assert_true(x == ct_random_normal(&b));
        equal += x == ct_random_normal(&c);
        sum += x;
        squares += x * x;
    }
    assert_int_equal(equal, 0);
    assert_true(fabs(sum / 20000) < 0.03 && fabs(squares / 20000 - 1) < 0.05);
}

enum { N = 100 };

static ct_check_figure figure_in(clattn_dtype dtype, const double *got, const double *reference, bool log_sum)
{
    double peer[N];
    for (int i = 0; i < N; i++) {
        peer[i] = isfinite(reference[i]) ? reference[i] + 1e-7 : reference[i];
    }
    const ct_comparison comparison = {.got = got,
                                      .reference = reference,
                                      .peers = {peer, peer},
                                      .count = N,
                                      .width = 1,
                                      .dtype = dtype,
                                      .log_sum = log_sum};
    return ct_compare(&comparison);
}

static ct_check_figure figure_of(const double *got, const double *reference, bool log_sum)
{
    return figure_in(CLATTN_F32, got, reference, log_sum);
}

/* B5 of the tolerance: twice the peer's error and a few ulps pass; more, a NaN, or an infinity in the wrong place does
 * not. */
static void rule_tells_right_from_wrong(void **state)
{
    (void)state;
    double reference[N], got[N];
    for (int i = 0; i < N; i++) {
        reference[i] = got[i] = sin(i) + 2.0;
    }
    got[3] += 2e-7;
    assert_true(figure_of(got, reference, false).passed);
    got[3] = reference[3] + 2e-6;
    assert_false(figure_of(got, reference, false).passed);
    assert_int_equal(figure_of(got, reference, false).worst, 3);
    assert_true(figure_of(got, reference, true).passed); /* LSE: 1e-5 more */
    got[3] = NAN;
    assert_int_equal(figure_of(got, reference, false).bad, 1);
    assert_false(figure_of(got, reference, false).passed);
    got[3] = reference[3];
    reference[5] = -INFINITY;
    assert_false(figure_of(got, reference, true).passed);
    got[5] = -INFINITY;
    assert_true(figure_of(got, reference, true).passed);
    assert_false(figure_of(got, reference, false).passed);
    reference[5] = 1.0;
    assert_false(figure_of(got, reference, true).passed);
    got[5] = INFINITY; /* beyond what a float holds, infinity is right; its negative is not */
    reference[5] = 1e39;
    assert_true(figure_of(got, reference, false).passed);
    got[5] = -INFINITY;
    assert_false(figure_of(got, reference, false).passed);
    for (int i = 0; i < N; i++) { /* below an ulp everywhere, but biased: only the mean square sees it */
        reference[i] = 1.5;
        got[i] = 1.506;
    }
    const ct_check_figure biased = figure_in(CLATTN_BF16, got, reference, false);
    assert_true(biased.max <= biased.limit_max);
    assert_false(biased.passed);
}

/* A matrix unit may round operands (tf32=1: to 10 bits of mantissa) and do no worse. */
static void floats_may_be_as_inexact_as_operands(void **state)
{
    (void)state;
    double reference[N], got[N];
    for (int i = 0; i < N; i++) {
        reference[i] = got[i] = sin(i) + 2.0;
    }
    got[3] += 2e-3;
    ct_comparison comparison = {.got = got,
                                .reference = reference,
                                .peers = {reference, reference},
                                .count = N,
                                .width = 1,
                                .dtype = CLATTN_F32,
                                .operands = CLATTN_F16};
    assert_true(ct_compare(&comparison).passed);
    got[3] += 4e-3;
    assert_false(ct_compare(&comparison).passed);
    comparison.operands = CLATTN_BF16;
    assert_true(ct_compare(&comparison).passed);
    got[3] = reference[3] + 5e-2;
    assert_false(ct_compare(&comparison).passed);
    got[3] = reference[3] + 2e-3;
    comparison.operands = CLATTN_F32;
    assert_false(ct_compare(&comparison).passed);
    assert_true(ct_tf32_round(1.0 + 0x1p-12) == 1.0 && ct_tf32_round(1.0 + 0x1p-11) == 1.0 + 0x1p-10);
    assert_true(ct_tf32_round(-1.0 - 0x1p-11) == -1.0 - 0x1p-10 && ct_tf32_round(0x1.ffcp-3) == 0x1.ffcp-3);
}

/* f16 ends at 65504: what is beyond may be stored as infinity or as that, and nothing else. */
static void overflow_is_compared_at_the_end_of_the_storage(void **state)
{
    (void)state;
    double reference[N], got[N];
    for (int i = 0; i < N; i++) {
        reference[i] = i % 2 ? 1e5 : -2e5;
        got[i] = i % 2 ? INFINITY : -65504.0;
    }
    assert_true(figure_in(CLATTN_F16, got, reference, false).passed);
    got[4] = INFINITY;
    assert_false(figure_in(CLATTN_F16, got, reference, false).passed);
    got[4] = 60000.0;
    assert_false(figure_in(CLATTN_F16, got, reference, false).passed);
    got[4] = NAN;
    assert_false(figure_in(CLATTN_F16, got, reference, false).passed);
}

/* Y2: a byte written on either side of a buffer is found. */
static void guards_find_a_stray_byte(void **state)
{
    const ct_env *env = *state;
    const unsigned char data[24] = {1, 2, 3}, stray = 9;
    unsigned char back[24];
    ct_guarded buffer;
    ct_assert_status(ct_guarded_make(&buffer, env->place.cl, env->queue, data, sizeof(data), 4), CLATTN_OK, NULL);
    ct_assert_status(ct_guarded_read(&buffer, env->queue, back), CLATTN_OK, NULL);
    assert_memory_equal(data, back, sizeof(data));
    ct_assert_status(ct_guarded_verify(&buffer, env->queue, "x"), CLATTN_OK, NULL);
    const size_t places[] = {buffer.offset - 1, buffer.offset + sizeof(data), 0, buffer.total - 1};
    for (size_t i = 0; i < CT_COUNT(places); i++) {
        unsigned char kept;
        clEnqueueReadBuffer(env->queue, buffer.mem, CL_TRUE, places[i], 1, &kept, 0, NULL, NULL);
        clEnqueueWriteBuffer(env->queue, buffer.mem, CL_TRUE, places[i], 1, &stray, 0, NULL, NULL);
        ct_assert_status(ct_guarded_verify(&buffer, env->queue, "x"), CLATTN_INTERNAL, "x: the byte at");
        clEnqueueWriteBuffer(env->queue, buffer.mem, CL_TRUE, places[i], 1, &kept, 0, NULL, NULL);
    }
    ct_guarded_release(&buffer);
}

/* Lengths of packed sequences fit, lists ascend, positions are distinct. */
static void filled_slots_are_legal(void **state)
{
    (void)state;
    clattn_problem problem;
    clattn_layout layout = {.heads = 2, .rows = 3, .cols = 5, .width = 4};
    clattn_problem_init(&problem);
    problem.sequences = 4;
    problem.nq = 30;
    problem.max_q = 11;
    problem.nk = 40;
    const int64_t cuts = 5, rows = 7, cols = 30, table[3] = {2, 3, 4}, samples = 12;
    double values[64], lists[64];
    for (uint64_t seed = 1; seed < 300; seed++) {
        const ct_fill fill = {.problem = &problem, .layout = &layout, .inputs = CT_INPUTS_NORMAL, .seed = seed};
        ct_fill_slot(&fill, CLATTN_CU_SEQLENS, 1, &cuts, values);
        assert_true(values[0] == 0 && values[4] == 30);
        for (int s = 0; s < 4; s++) {
            assert_true(values[s + 1] >= values[s] && values[s + 1] - values[s] <= 11);
        }
        ct_fill_slot(&fill, CLATTN_ROW_PTR, 1, &rows, values);
        ct_fill_slot(&fill, CLATTN_COL_IDX, 1, &cols, lists);
        for (int r = 0; r < 6; r++) {
            for (int i = (int)values[r]; i < (int)values[r + 1]; i++) {
                assert_true(lists[i] >= 0 && lists[i] < 5 && (i == (int)values[r] || lists[i] > lists[i - 1]));
            }
        }
        ct_fill_slot(&fill, CLATTN_BLOCK_TABLE, 3, table, lists);
        for (int i = 0; i < 24; i++) {
            assert_true(lists[i] < 5 && (i % 4 == 0 || lists[i] == -1 || lists[i] > lists[i - 1]));
        }
        ct_fill_slot(&fill, CLATTN_POSITIONS, 1, &samples, values);
        for (int i = 0; i < 12; i++) {
            assert_true(values[i] < 40 && values[i] > (i ? values[i - 1] : -1));
        }
    }
}

/* Some are long: a few queries against many keys, long softmax problems, long recurrences. */
static void random_problems_are_long_now_and_then(void **state)
{
    (void)state;
    int caches = 0, squares = 0, recurrences = 0, all = 0;
    for (uint64_t i = 0; i < 600; i++) {
        char text[2048];
        uint64_t seed;
        clattn_problem p;
        ct_assert_status(ct_rand_problem(3, i, text, sizeof text, &seed), CLATTN_OK, NULL);
        ct_assert_status(clattn_problem_parse(&p, text), CLATTN_OK, NULL);
        const ct_method *method = ct_method_find(p.method);
        all += p.nk > 1000;
        caches += p.nk >= 5000 && p.nq <= 4;
        squares += method->softmax && p.nk > 1000 && p.nq == p.nk;
        recurrences += method->linear && !method->softmax && p.nq >= 5000;
    }
    assert_in_range(all, 600 / 50, 600 / 10);
    assert_true(caches >= 3 && squares >= 3 && recurrences >= 3);
}

/* Random problems repeat, differ, and between them use every method and nearly every key. */
static void random_problems_cover_the_keys(void **state)
{
    (void)state;
    enum { COUNT = 600 };
    char text[2048], again[2048], before[2048] = "";
    uint64_t seed, same_seed;
    bool methods[64] = {false}, keys[256] = {false};
    assert_true(ct_key_count < 256 && clattn_method_count() < 64);
    for (uint64_t i = 0; i < COUNT; i++) {
        ct_assert_status(ct_rand_problem(3, i, text, sizeof(text), &seed), CLATTN_OK, NULL);
        ct_assert_status(ct_rand_problem(3, i, again, sizeof(again), &same_seed), CLATTN_OK, NULL);
        assert_string_equal(text, again);
        assert_true(seed == same_seed && seed <= CT_SEED_MAX && strcmp(text, before) != 0);
        strcpy(before, text);
        for (char *word = strtok(again, " "); word; word = strtok(NULL, " ")) {
            const ct_key *key = ct_key_find(word, strcspn(word, "="));
            for (int m = 0; m < clattn_method_count() && !key; m++) {
                methods[m] = methods[m] || strcmp(word, clattn_method_name(m)) == 0;
            }
            if (key) {
                keys[key - ct_keys] = true;
            }
        }
    }
    for (int m = 0; m < clattn_method_count(); m++) {
        if (!methods[m]) {
            fail_msg("no random problem of method %s", clattn_method_name(m));
        }
    }
    /* the seed's texts */
    static const char *const never[] = {"score", "dscore", "mask", "p0", "p1", "p2",
                                        "p3",    "p4",     "p5",   "p6", "p7", "text_buffer"};
    for (int k = 0; k < ct_key_count; k++) {
        bool expected = true;
        for (size_t i = 0; i < CT_COUNT(never); i++) {
            expected = expected && strcmp(ct_keys[k].name, never[i]) != 0;
        }
        if (expected && !keys[k]) {
            fail_msg("no random problem with key %s", ct_keys[k].name);
        }
    }
}

static ct_env reference_backend(const ct_env *env)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.backend = "ref"; /* compiles fastest */
    ct_env mine = *env;
    mine.place.context = ct_env_context(env, &options);
    return mine;
}

/* Y4 and every kind of input through one kernel: gaps, odd offsets, an out-of-order queue. */
static void every_seed_bit_is_checked(void **state)
{
    ct_env env = reference_backend(*state);
    const char *const problem = "dense b=2 hq=4 hk=2 nq=33 nk=41 d=16 causal=1";
    for (int inputs = 0; inputs < CT_INPUTS_COUNT; inputs++) {
        ct_assert_check(&env, problem, 5 | CT_SEED_INPUTS(inputs));
        ct_assert_check(&env, problem, 6 | CT_SEED_INPUTS(inputs) | CT_SEED_STRIDED | CT_SEED_OUT_OF_ORDER);
    }
    ct_check_result result;
    ct_assert_status(ct_check_text(&env.place, problem, CT_SEED_INPUTS(7), &result), CLATTN_INVALID_ARGUMENT,
                     "bits 32");
    ct_assert_status(ct_check_text(&env.place, "dense score=x.cl", 1, &result), CLATTN_UNSUPPORTED, "text");
    clattn_context_release(env.place.context);
}

/* The texts say in OpenCL C what their C functions say. */
static void texts_mean_what_they_say(void **state)
{
    ct_env env = reference_backend(*state);
    for (int i = 1; i <= ct_text_pairs; i++) {
        ct_assert_check(&env, "dense b=2 h=2 nq=70 nk=90 d=16", 3 | CT_SEED_TEXT(i));
    }
    assert_null(ct_text_pair_of(0));
    assert_null(ct_text_pair_of(ct_text_pairs + 1));
    clattn_context_release(env.place.context);
}

/* A layout other than the problem's own changes the answer: the reference must follow it. */
static void layouts_of_ones_own(void **state)
{
    ct_env env = reference_backend(*state);
    static const int32_t rows[] = {0, 1, 3}, cols[] = {1, 0, 2};
    clattn_problem problem;
    clattn_layout *layout = NULL;
    ct_assert_status(clattn_problem_parse(&problem, "block_sparse h=2 nq=30 nk=47 d=16 block=16"), CLATTN_OK, NULL);
    ct_assert_status(clattn_layout_from_csr(&layout, 1, 30, 47, 16, 16, rows, cols, NULL), CLATTN_OK, NULL);
    ct_assert_check_layout(&env, &problem, layout, 1);
    clattn_layout_release(layout);
    clattn_context_release(env.place.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storage_rounds_to_nearest_even),
        cmocka_unit_test(random_numbers_repeat),
        cmocka_unit_test(rule_tells_right_from_wrong),
        cmocka_unit_test(floats_may_be_as_inexact_as_operands),
        cmocka_unit_test(overflow_is_compared_at_the_end_of_the_storage),
        cmocka_unit_test(guards_find_a_stray_byte),
        cmocka_unit_test(filled_slots_are_legal),
        cmocka_unit_test(random_problems_cover_the_keys),
        cmocka_unit_test(random_problems_are_long_now_and_then),
        cmocka_unit_test(every_seed_bit_is_checked),
        cmocka_unit_test(texts_mean_what_they_say),
        cmocka_unit_test(layouts_of_ones_own),
    };
    return cmocka_run_group_tests_name("check", tests, ct_env_setup, ct_env_teardown);
}

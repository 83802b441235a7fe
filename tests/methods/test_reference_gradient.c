/* The double reference of gradients against central differences of the forward reference, for every input. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "methods/epilogue.h"
#include "methods/reference_span.h"
#include "plan/slots.h"
#include "harness/texts.h"
#include "support/reference_case.h"

enum { B = 2, HQ = 4, HK = 2, NQ = 5, NK = 7, D = 3, E = 4 };
#define STEP 1e-5

/* A method's references. */
typedef struct method {
    void (*forward)(ct_case *c, const clattn_layout *layout);
    clattn_status (*backward)(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io);
    bool has_lse;
} method;

static void softmax_forward(ct_case *c, const clattn_layout *layout)
{
    const ct_softmax_branch branch = ct_softmax_branch_of(&c->problem, layout);
    ct_case_softmax(c, &branch);
}

static clattn_status softmax_backward(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io)
{
    const ct_softmax_branch branch = ct_softmax_branch_of(problem, layout);
    return ct_reference_softmax_backward(problem, &branch, io, NULL);
}

static void linear_forward(ct_case *c, const clattn_layout *layout)
{
    const ct_linear_branch branch = ct_linear_branch_of(&c->problem);
    (void)layout;
    ct_case_linear(c, &branch);
}

static clattn_status linear_backward(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io)
{
    const ct_linear_branch branch = ct_linear_branch_of(problem);
    (void)layout;
    return ct_reference_linear_backward(problem, &branch, io, NULL);
}

/* By the method's name. */
static void named_forward(ct_case *c, const clattn_layout *layout)
{
    c->problem.pass = CLATTN_FWD;
    assert_int_equal(ct_epilogue_reference(ct_method_find(c->problem.method), &c->problem, layout, &c->io, NULL),
                     CLATTN_OK);
}

static clattn_status named_backward(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io)
{
    clattn_problem backward = *problem;
    backward.pass = CLATTN_BWD;
    return ct_epilogue_reference(ct_method_find(problem->method), &backward, layout, io, NULL);
}

static const method named = {named_forward, named_backward, false};
static const method named_with_lse = {named_forward, named_backward, true};
static const method softmax = {softmax_forward, softmax_backward, true};
static const method linear = {linear_forward, linear_backward, false};

static int64_t count_of(const ct_case *c, clattn_slot slot)
{
    int64_t dims[CT_MOST_DIMS], count = 1;
    const int rank = ct_slot_shape(&c->problem, NULL, slot, dims);
    for (int d = 0; d < rank; d++) {
        count *= dims[d];
    }
    return count;
}

/* What is differentiated: sum dO o O + sum dLSE LSE, over rows that see a key, + sum dS o S, and what
 * arrives at the sums before a norm. */
static double value_of(ct_case *c, const method *m, const clattn_layout *layout)
{
    double sum = 0;
    const double *dstate = c->slots[CLATTN_DSTATE_OUT];
    m->forward(c, layout);
    for (int64_t i = 0; i < ct_case_outputs(c); i++) {
        sum += c->slots[CLATTN_DO][i] * c->io.out[CLATTN_O][i];
    }
    for (int64_t i = 0; i < ct_case_rows(c) && m->has_lse; i++) {
        sum += isfinite(c->io.out[CLATTN_LSE][i]) ? c->slots[CLATTN_DLSE][i] * c->io.out[CLATTN_LSE][i] : 0;
    }
    for (int64_t i = 0; i < ct_case_outputs(c) && c->slots[CLATTN_DSUM_OUT]; i++) {
        sum += c->slots[CLATTN_DSUM_OUT][i] * c->io.out[CLATTN_SUM_OUT][i];
    }
    for (int64_t i = 0; i < count_of(c, CLATTN_STATE_OUT) && dstate; i++) {
        sum += dstate[i] * c->io.out[CLATTN_STATE_OUT][i];
    }
    return sum;
}

static void compare_input(ct_case *c, const method *m, const clattn_layout *layout, clattn_slot input,
                          const double *gradient, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double *x = c->slots[input] + i;
        const double at = *x;
        *x = at + STEP;
        const double above = value_of(c, m, layout);
        *x = at - STEP;
        const double slope = (above - value_of(c, m, layout)) / (2 * STEP);
        *x = at;
        if (!(fabs(slope - gradient[i]) <= 1e-7 * fmax(1, fabs(slope)))) {
            fail_msg("%s: element %lld is %.12g, differences give %.12g", clattn_slot_name(input), (long long)i,
                     gradient[i], slope);
        }
    }
}

/* Inputs and their gradients. */
static const struct {
    clattn_slot input, gradient;
} pairs[] = {{CLATTN_Q, CLATTN_DQ},
             {CLATTN_K, CLATTN_DK},
             {CLATTN_V, CLATTN_DV},
             {CLATTN_SINK, CLATTN_DSINK},
             {CLATTN_BIAS, CLATTN_DBIAS},
             {CLATTN_ALIBI_SLOPES, CLATTN_DALIBI_SLOPES},
             {CLATTN_STATE_IN, CLATTN_DSTATE_IN},
             {CLATTN_DECAY, CLATTN_DDECAY},
             {CLATTN_GATE, CLATTN_DGATE},
             {CLATTN_GATE_WEIGHT, CLATTN_DGATE_WEIGHT},
             {CLATTN_GATE_BIAS, CLATTN_DGATE_BIAS},
             {CLATTN_O_PARTS, CLATTN_DO_PARTS},
             {CLATTN_LSE_PARTS, CLATTN_DLSE_PARTS},
             {CLATTN_RESIDUAL, CLATTN_DRESIDUAL},
             {CLATTN_NORM_WEIGHT, CLATTN_DNORM_WEIGHT},
             {CLATTN_NORM_BIAS, CLATTN_DNORM_BIAS}};

static void compare_all(ct_case *c, const method *m, const clattn_layout *layout)
{
    double *made[CT_COUNT(pairs)];
    int64_t counts[CT_COUNT(pairs)];
    ct_reference_io io = c->io;
    ct_case_fill(c, CLATTN_DO, ct_case_outputs(c));
    ct_case_fill(c, CLATTN_DLSE, ct_case_rows(c));
    memcpy(io.in, c->io.in, sizeof io.in);
    memset(io.out, 0, sizeof io.out);
    for (size_t i = 0; i < CT_COUNT(pairs); i++) {
        counts[i] = count_of(c, pairs[i].gradient);
        made[i] = ct_alloc_array(NULL, (size_t)counts[i], sizeof(double));
        assert_non_null(made[i]);
        io.out[pairs[i].gradient] = made[i];
    }
    ct_reference_zero_gradients(&c->problem, &io);
    assert_int_equal(m->backward(&c->problem, layout, &io), CLATTN_OK);
    for (size_t i = 0; i < CT_COUNT(pairs); i++) {
        if (c->slots[pairs[i].input]) {
            compare_input(c, m, layout, pairs[i].input, made[i], counts[i]);
        }
        ct_release(NULL, made[i]);
    }
    ct_case_release(c);
}

static void plain_and_masked(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        ct_case c = ct_case_make(B, HQ, HK, kind == 1 ? NK : NQ, kind == 1 ? NQ : NK, D, E, 1 + (uint64_t)kind);
        c.problem.causal = kind == 1; /* with rows that see no key */
        c.problem.window_left = kind == 2 ? 2 : -1;
        c.problem.window_right = kind == 2 ? 1 : -1;
        c.problem.scale = kind == 3 ? -0.7 : NAN;
        compare_all(&c, &softmax, NULL);
    }
}

static void softcap_and_alibi(void **state)
{
    (void)state;
    ct_case c = ct_case_make(1, HQ, HK, NQ, NK, D, E, 11);
    c.problem.softcap = 1.5;
    c.problem.alibi = 2;
    ct_case_fill(&c, CLATTN_ALIBI_SLOPES, HQ);
    compare_all(&c, &softmax, NULL);
}

static void sink_and_bias(void **state)
{
    (void)state;
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 12);
    c.problem.sink = c.problem.bias = 1;
    c.problem.bias_b = 1;
    c.problem.softcap = 2;
    ct_case_fill(&c, CLATTN_SINK, HQ);
    ct_case_fill(&c, CLATTN_BIAS, HQ * NQ * NK);
    compare_all(&c, &softmax, NULL);
}

/* A text that is not linear in what it gets, behind soft-cap and ALiBi. */
static void texts(void **state)
{
    (void)state;
    const ct_text_pair *pair = ct_text_pair_of(7);
    ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 15);
    assert_string_equal(pair->name, "bent");
    c.problem.softcap = 1.5;
    c.problem.alibi = 2;
    memcpy(c.problem.text_params, pair->params, sizeof pair->params);
    c.io.score = pair->score;
    c.io.dscore = pair->dscore;
    ct_case_fill(&c, CLATTN_ALIBI_SLOPES, HQ);
    ct_case_fill(&c, CLATTN_TEXT_BUFFER, pair->buffer);
    compare_all(&c, &softmax, NULL);
}

/* Behind a softmax, a state and a merge; with a residual, of which the sum goes on, and without. */
static void normed(void **state)
{
    static const char *const names[] = {"dense", "linear", "merge", "dense"};
    double sums[B * HQ * NK * E];
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        ct_case c = ct_case_make(B, HQ, HK, NK, NK, D, E, 70 + (uint64_t)kind);
        strcpy(c.problem.method, names[kind]);
        c.problem.norm = kind == 3 ? CLATTN_NORM_NONE : kind == 1 ? CLATTN_NORM_RMS : CLATTN_NORM_LAYER;
        c.problem.residual = kind != 2;
        c.problem.eps = kind == 1 ? 0.1 : NAN;
        if (c.problem.residual) {
            ct_case_fill(&c, CLATTN_RESIDUAL, ct_case_outputs(&c));
            ct_case_fill(&c, CLATTN_DSUM_OUT, ct_case_outputs(&c));
            c.io.out[CLATTN_SUM_OUT] = sums;
        }
        if (c.problem.norm) {
            ct_case_fill(&c, CLATTN_NORM_WEIGHT, HQ * E);
            ct_case_fill(&c, CLATTN_NORM_BIAS, HQ * E);
        }
        if (kind == 2) {
            ct_case_fill(&c, CLATTN_O_PARTS, count_of(&c, CLATTN_O_PARTS));
            ct_case_fill(&c, CLATTN_LSE_PARTS, count_of(&c, CLATTN_LSE_PARTS));
        }
        compare_all(&c, kind == 1 ? &named : &named_with_lse, NULL);
    }
}

static void over_blocks(void **state)
{
    (void)state;
    static const int32_t row_ptr[] = {0, 1, 1}, col[] = {1}; /* the second block of queries sees nothing */
    ct_case c = ct_case_make(1, 2, 1, 20, 24, D, E, 13);
    clattn_layout *layout = NULL;
    strcpy(c.problem.method, "block_sparse");
    assert_int_equal(clattn_layout_from_csr(&layout, 1, 20, 24, 16, 16, row_ptr, col, NULL), CLATTN_OK);
    compare_all(&c, &softmax, layout);
    clattn_layout_release(layout);
}

/* Decays of heads and of tokens, states that come in and go out, every feature, divided or not. */
static void linear_states(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        const bool full = kind == 5, tokens = kind % 2;
        ct_case c = ct_case_make(B, HQ, HK, full ? NQ : NK, NK, D, E, 20 + (uint64_t)kind);
        strcpy(c.problem.method, "linear");
        c.problem.causal = !full;
        c.problem.scale = 0.7;
        c.problem.state = 1;
        c.problem.feature = (clattn_feature)(kind % 5);
        c.problem.normalise = kind == 1 || kind == 4;
        c.problem.decay = full ? CLATTN_DECAY_NONE : tokens ? CLATTN_DECAY_TOKEN : CLATTN_DECAY_HEAD;
        const int64_t states = count_of(&c, CLATTN_STATE_IN), width = c.problem.dv + c.problem.normalise;
        double *in = ct_case_fill(&c, CLATTN_STATE_IN, states);
        for (int64_t i = width - 1; i < states && c.problem.normalise; i += width) {
            in[i] = 1 + fabs(in[i]); /* a sum of weights */
        }
        ct_case_fill(&c, CLATTN_DSTATE_OUT, states);
        const int64_t decays = full ? 0 : count_of(&c, CLATTN_DECAY);
        double *g = full ? NULL : ct_case_fill(&c, CLATTN_DECAY, decays);
        for (int64_t i = 0; i < decays; i++) {
            g[i] = -fabs(g[i]);
        }
        compare_all(&c, &linear, NULL);
    }
}

/* gate 1: a number a row, inside 0 ... 1; 2: a linear map of q. */
static void fill_gate(ct_case *c, int gate)
{
    c->problem.gate = gate;
    if (gate == 1) {
        double *g = ct_case_fill(c, CLATTN_GATE, ct_case_rows(c));
        for (int64_t i = 0; i < ct_case_rows(c); i++) {
            g[i] = 1 / (1 + exp(g[i]));
        }
    }
    if (gate == 2) {
        ct_case_fill(c, CLATTN_GATE_WEIGHT, count_of(c, CLATTN_GATE_WEIGHT));
        ct_case_fill(c, CLATTN_GATE_BIAS, count_of(c, CLATTN_GATE_BIAS));
    }
}

static void merged(void **state)
{
    (void)state;
    for (int gate = 0; gate < 3; gate++) {
        ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, E, 40 + (uint64_t)gate);
        strcpy(c.problem.method, "merge");
        c.problem.parts = gate ? 2 : 3;
        fill_gate(&c, gate);
        ct_case_fill(&c, CLATTN_O_PARTS, count_of(&c, CLATTN_O_PARTS));
        if (!gate) {
            ct_case_fill(&c, CLATTN_LSE_PARTS, count_of(&c, CLATTN_LSE_PARTS));
        }
        compare_all(&c, gate ? &named : &named_with_lse, NULL);
    }
}

static void hybrid(void **state)
{
    (void)state;
    for (int gate = 0; gate < 3; gate++) {
        ct_case c = ct_case_make(B, HQ, HK, NK, NK, D, E, 50 + (uint64_t)gate);
        strcpy(c.problem.method, "hybrid");
        c.problem.samples = 4;
        c.problem.spacing = gate == 2 ? CLATTN_SPACING_GIVEN : CLATTN_SPACING_EVEN;
        c.problem.causal = gate != 0;
        c.problem.window_left = 1;
        c.problem.window_right = 1;
        c.problem.sink = gate == 1;
        c.problem.alibi = gate ? 2 : 0;
        if (gate) {
            ct_case_fill(&c, CLATTN_ALIBI_SLOPES, HQ);
        }
        if (gate == 1) {
            ct_case_fill(&c, CLATTN_SINK, HQ);
        }
        double *positions = ct_case_fill(&c, CLATTN_POSITIONS, 4);
        memcpy(positions, (const double[4]){1, 3, 3, 40}, 4 * sizeof *positions); /* one twice, one nowhere */
        fill_gate(&c, gate);
        compare_all(&c, &named, NULL);
    }
}

static void sparse_linear(void **state)
{
    static const int32_t row_ptr[] = {0, 1, 2}, col[] = {1, 0};
    (void)state;
    for (int gate = 0; gate < 3; gate++) {
        ct_case c = ct_case_make(B, HQ, HK, 20, 24, D, E, 60 + (uint64_t)gate);
        clattn_layout *layout = NULL;
        strcpy(c.problem.method, "sparse_linear");
        c.problem.causal = 0;
        c.problem.remaining = gate != 2;
        c.problem.feature = gate ? CLATTN_ELU : CLATTN_SOFTMAX;
        assert_int_equal(clattn_layout_from_csr(&layout, 1, 20, 24, 16, 16, row_ptr, col, NULL), CLATTN_OK);
        fill_gate(&c, gate);
        compare_all(&c, &named, layout);
        clattn_layout_release(layout);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_and_masked),
                                       cmocka_unit_test(softcap_and_alibi),
                                       cmocka_unit_test(sink_and_bias),
                                       cmocka_unit_test(over_blocks),
                                       cmocka_unit_test(linear_states),
                                       cmocka_unit_test(merged),
                                       cmocka_unit_test(hybrid),
                                       cmocka_unit_test(sparse_linear),
                                       cmocka_unit_test(texts),
                                       cmocka_unit_test(normed)};
    return cmocka_run_group_tests_name("reference_gradient", tests, NULL, NULL);
}

/* A problem with random host tensors in double, for tests of the references alone. */
#ifndef CT_REFERENCE_CASE_H
#define CT_REFERENCE_CASE_H

#include "methods/reference_linear.h"
#include "methods/reference_softmax.h"

typedef struct ct_case {
    clattn_problem problem;
    ct_reference_io io;               /* o, lse and state_out are NaN */
    double *slots[CLATTN_SLOT_COUNT]; /* what io.in points to; change them freely */
} ct_case;

/* Random Q, K, V for the sizes; a linear case also gets STATE_IN. Aborts without memory. */
ct_case ct_case_make(int64_t b, int64_t hq, int64_t hk, int64_t nq, int64_t nk, int64_t dqk, int64_t dv, uint64_t seed);
void ct_case_release(ct_case *c);
/* Gives a slot `count` random normal numbers; returns them. */
double *ct_case_fill(ct_case *c, clattn_slot slot, int64_t count);
/* Sizes of o, lse and of a state. */
int64_t ct_case_outputs(const ct_case *c);
int64_t ct_case_rows(const ct_case *c);
int64_t ct_case_state(const ct_case *c);
/* Runs into the case's own outputs; fails the test if it cannot. */
void ct_case_softmax(ct_case *c, const ct_softmax_branch *branch);
void ct_case_linear(ct_case *c, const ct_linear_branch *branch);
void ct_case_pairs(ct_case *c, const ct_linear_branch *branch);
/* Fails unless |a - b| <= tolerance (infinities: equal) for every element; NaN never passes. */
void ct_assert_near(const double *a, const double *b, int64_t count, double tolerance, const char *what);

#endif

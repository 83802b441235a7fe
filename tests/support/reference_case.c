#include "support/reference_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness/random.h"

static double *numbers(int64_t count)
{
    double *data = ct_alloc_array(NULL, (size_t)count, sizeof(double));
    assert_non_null(data);
    for (int64_t i = 0; i < count; i++) {
        data[i] = NAN;
    }
    return data;
}

int64_t ct_case_rows(const ct_case *c)
{
    return c->problem.b * c->problem.hq * c->problem.nq;
}

int64_t ct_case_outputs(const ct_case *c)
{
    return ct_case_rows(c) * c->problem.dv;
}

int64_t ct_case_state(const ct_case *c)
{
    const int64_t states = ct_max(c->problem.b, 8); /* room for packed sequences */
    return states * c->problem.hq * c->problem.dqk * (c->problem.dv + 1);
}

double *ct_case_fill(ct_case *c, clattn_slot slot, int64_t count)
{
    ct_random random = ct_random_of((uint64_t)c->problem.pattern.seed, (uint64_t)slot);
    ct_release(NULL, c->slots[slot]);
    c->slots[slot] = numbers(count);
    for (int64_t i = 0; i < count; i++) {
        c->slots[slot][i] = ct_random_normal(&random);
    }
    c->io.in[slot] = c->slots[slot];
    return c->slots[slot];
}

ct_case ct_case_make(int64_t b, int64_t hq, int64_t hk, int64_t nq, int64_t nk, int64_t dqk, int64_t dv, uint64_t seed)
{
    ct_case c;
    memset(&c, 0, sizeof(c));
    clattn_problem_init(&c.problem);
    c.problem.b = b;
    c.problem.hq = hq;
    c.problem.hk = hk;
    c.problem.nq = nq;
    c.problem.nk = nk;
    c.problem.dqk = dqk;
    c.problem.dv = dv;
    c.problem.pattern.seed = (int64_t)seed; /* unused by the references: the case's own seed */
    ct_case_fill(&c, CLATTN_Q, b * hq * nq * dqk);
    ct_case_fill(&c, CLATTN_K, b * hk * nk * dqk);
    ct_case_fill(&c, CLATTN_V, b * hk * nk * dv);
    c.io.out[CLATTN_O] = numbers(ct_case_outputs(&c));
    c.io.out[CLATTN_LSE] = numbers(ct_case_rows(&c));
    c.io.out[CLATTN_STATE_OUT] = numbers(ct_case_state(&c));
    return c;
}

void ct_case_release(ct_case *c)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        ct_release(NULL, c->slots[slot]);
    }
    ct_release(NULL, c->io.out[CLATTN_O]);
    ct_release(NULL, c->io.out[CLATTN_LSE]);
    ct_release(NULL, c->io.out[CLATTN_STATE_OUT]);
}

static void ran(clattn_status st)
{
    if (st != CLATTN_OK) {
        fail_msg("%s: %s", clattn_status_name(st), clattn_error_detail());
    }
}

void ct_case_softmax(ct_case *c, const ct_softmax_branch *branch)
{
    ran(ct_reference_softmax(&c->problem, branch, &c->io, NULL));
}

void ct_case_linear(ct_case *c, const ct_linear_branch *branch)
{
    ran(ct_reference_linear(&c->problem, branch, &c->io, NULL));
}

void ct_case_pairs(ct_case *c, const ct_linear_branch *branch)
{
    ran(ct_reference_linear_pairs(&c->problem, branch, &c->io, NULL));
}

void ct_assert_near(const double *a, const double *b, int64_t count, double tolerance, const char *what)
{
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(a[i] - b[i]) <= tolerance) && !(isinf(a[i]) && a[i] == b[i])) {
            fail_msg("%s: element %lld is %.17g, expected %.17g within %g", what, (long long)i, a[i], b[i], tolerance);
        }
    }
}

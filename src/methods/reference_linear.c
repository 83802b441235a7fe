#include "methods/reference_linear.h"

#include <math.h>
#include <string.h>

#include "methods/reference_softmax.h"
#include "methods/reference_span.h"
#include "plan/problem.h"

/* One call: what every head needs. Scratch is of the type in use. */
typedef struct ct_call {
    const clattn_problem *problem;
    const ct_linear_branch *branch;
    ct_reference_io *io;
    int64_t width;         /* columns of a state */
    const double *g;       /* [hq] */
    unsigned char *wanted; /* [b * hq * nq] or NULL: every row */
    void *state, *phi, *phi_k, *sums;
    /* backwards: the state's gradient; states kept every so many tokens, and those of the tokens between two */
    void *gradient, *kept, *inside;
    int64_t every;
} ct_call;

/* One query head of one sequence: pointers to its first rows. */
typedef struct ct_head {
    ct_span span;
    int head;
    int64_t index; /* (b * hq + h) * nq + first row */
    const double *q, *k, *v, *token_g, *padding, *state_in;
    double *o, *state_out;
    double g;
    const double *g_o, *g_state; /* backwards: what arrives */
    double *dstate, *ddecay;
} ct_head;

static bool wanted(const ct_call *c, int64_t row)
{
    return !c->wanted || c->wanted[row];
}

static bool left_out(const ct_call *c, const ct_head *h, int64_t query, int64_t key)
{
    const clattn_layout *layout = c->branch->layout;
    return layout && ct_reference_has_block(layout, c->io, h->span.batch, h->head, query / layout->block_q,
                                            key / layout->block_k);
}

#define REAL    double
#define NAME(x) x##_double
#define EXP     exp
#include "methods/reference_linear.inc"
#include "methods/reference_linear_backward.inc"
#undef REAL
#undef NAME
#undef EXP
#define REAL    float
#define NAME(x) x##_single
#define EXP     expf
#include "methods/reference_linear.inc"
#include "methods/reference_linear_backward.inc"

static ct_head head_of(const ct_call *c, int64_t sequence, int head)
{
    const clattn_problem *problem = c->problem;
    const double *const *in = c->io->in;
    ct_head h = {.span = ct_span_of(problem, c->io, sequence), .head = head};
    const int64_t row = (h.span.batch * problem->hq + head) * problem->nq + h.span.q0;
    const int64_t kv = (h.span.batch * problem->hk + head / (problem->hq / problem->hk)) * problem->nk + h.span.k0;
    const int64_t state = (sequence * problem->hq + head) * problem->dqk * c->width;
    h.index = row;
    h.q = in[CLATTN_Q] + row * problem->dqk;
    h.k = in[CLATTN_K] + kv * problem->dqk;
    h.v = in[CLATTN_V] + kv * problem->dv;
    h.o = c->io->out[CLATTN_O] ? c->io->out[CLATTN_O] + row * problem->dv : NULL;
    h.g = c->g[head];
    h.padding = in[CLATTN_KEY_PADDING] ? in[CLATTN_KEY_PADDING] + h.span.batch * problem->nk + h.span.k0 : NULL;
    h.state_in = in[CLATTN_STATE_IN] ? in[CLATTN_STATE_IN] + state : NULL;
    h.state_out = c->io->out[CLATTN_STATE_OUT] ? c->io->out[CLATTN_STATE_OUT] + state : NULL;
    if (c->branch->decay == CLATTN_DECAY_TOKEN && in[CLATTN_DECAY]) {
        h.token_g = in[CLATTN_DECAY] + (h.span.batch * problem->hq + head) * problem->nk + h.span.k0;
    }
    h.g_o = in[CLATTN_DO] ? in[CLATTN_DO] + row * problem->dv : NULL;
    h.g_state = in[CLATTN_DSTATE_OUT] ? in[CLATTN_DSTATE_OUT] + state : NULL;
    h.dstate = c->io->out[CLATTN_DSTATE_IN] ? c->io->out[CLATTN_DSTATE_IN] + state : NULL;
    if (c->io->out[CLATTN_DDECAY]) {
        const int64_t tokens = (h.span.batch * problem->hq + head) * problem->nk + h.span.k0;
        h.ddecay = c->io->out[CLATTN_DDECAY] + (h.token_g ? tokens : head);
    }
    return h;
}

ct_linear_branch ct_linear_branch_of(const clattn_problem *problem)
{
    return (ct_linear_branch){
        .feature = problem->feature,
        .normalise = problem->normalise,
        .epsilon = CT_LINEAR_EPSILON,
        .causal = ct_problem_causal(problem),
        .scale = isnan(problem->scale) ? 1.0 : problem->scale,
        .decay = problem->decay,
    };
}

clattn_status ct_linear_decays(const clattn_problem *problem, clattn_decay law, const ct_reference_io *io, double *g,
                               const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    float *slopes = ct_alloc_array(allocator, (size_t)problem->hq, sizeof(float));
    if (!slopes) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the decays of %lld heads", (long long)problem->hq);
    }
    if (law >= CLATTN_DECAY_ALIBI && law <= CLATTN_DECAY_RETENTION) {
        CT_TRY(clattn_decay_slopes(law, problem->decay_layer, problem->decay_layers, (int)problem->hq, slopes));
    }
    const double *given = law == CLATTN_DECAY_HEAD ? io->in[CLATTN_DECAY] : NULL;
    for (int64_t h = 0; h < problem->hq; h++) {
        g[h] = law == CLATTN_DECAY_NUMBER ? problem->decay_value : given ? given[h] : (double)slopes[h];
    }
out:
    ct_release(allocator, slopes);
    return st;
}

static void call_release(ct_call *c, const clattn_allocator *allocator)
{
    ct_release(allocator, c->inside);
    ct_release(allocator, c->kept);
    ct_release(allocator, c->gradient);
    ct_release(allocator, c->sums);
    ct_release(allocator, c->phi_k);
    ct_release(allocator, c->phi);
    ct_release(allocator, c->state);
    ct_release(allocator, c->wanted);
    ct_release(allocator, (void *)(uintptr_t)c->g);
}

static clattn_status call_make(ct_call *c, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *problem = c->problem;
    const size_t dqk = (size_t)problem->dqk;
    c->width = problem->dv + (c->branch->normalise ? 1 : 0);
    double *g = ct_alloc_array(allocator, (size_t)problem->hq, sizeof(double));
    c->g = g;
    c->state = ct_alloc_array(allocator, dqk * (size_t)c->width, sizeof(double));
    c->phi = ct_alloc_array(allocator, dqk, sizeof(double));
    c->phi_k = ct_alloc_array(allocator, dqk, sizeof(double));
    c->sums = ct_alloc_array(allocator, (size_t)problem->dv + 1, sizeof(double));
    if (!g || !c->state || !c->phi || !c->phi_k || !c->sums) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a reference state of %lld x %lld",
                (long long)problem->dqk, (long long)c->width);
    }
    CT_TRY(ct_linear_decays(problem, c->branch->causal ? c->branch->decay : CLATTN_DECAY_NONE, c->io, g, allocator));
    if (c->io->rows) {
        c->wanted = ct_alloc_array(allocator, (size_t)(problem->b * problem->hq * problem->nq), 1);
        if (!c->wanted) {
            CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a list of %lld rows", (long long)c->io->n_rows);
        }
        for (int64_t i = 0; i < c->io->n_rows; i++) {
            c->wanted[c->io->rows[i]] = 1;
        }
    }
out:
    return st;
}

/* Room for the states of about two square roots of the tokens. */
static clattn_status call_make_backward(ct_call *c, const clattn_allocator *allocator)
{
    const int64_t n = c->problem->nk;
    const size_t size = (size_t)(c->problem->dqk * c->width);
    c->every = ct_max((int64_t)sqrt((double)n), 1);
    c->gradient = ct_alloc_array(allocator, size + 2 * (size_t)c->problem->dqk, sizeof(double));
    c->kept = ct_alloc_array(allocator, size * (size_t)(n / c->every + 1), sizeof(double));
    c->inside = ct_alloc_array(allocator, size * (size_t)c->every, sizeof(double));
    if (!c->gradient || !c->kept || !c->inside) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %lld reference states of %lld x %lld",
                       (long long)(n / c->every + 1 + c->every), (long long)c->problem->dqk, (long long)c->width);
    }
    return CLATTN_OK;
}

/* Query rows before the first key of a causal sequence (nq > nk), and rows of no sequence, see nothing: 0. */
static void zero_rows(const ct_call *c)
{
    const clattn_problem *problem = c->problem;
    for (int64_t i = 0; c->io->out[CLATTN_O] && i < problem->b * problem->hq * problem->nq; i++) {
        if (wanted(c, i)) {
            memset(c->io->out[CLATTN_O] + i * problem->dv, 0, (size_t)problem->dv * sizeof(double));
        }
    }
}

static void head_recurrence(const ct_call *c, const ct_head *h)
{
    (c->io->single ? head_single : head_double)(c, h);
}

static void head_pairs(const ct_call *c, const ct_head *h)
{
    for (int64_t i = 0; i < h->span.nq; i++) {
        if (wanted(c, h->index + i)) {
            (c->io->single ? pairs_single : pairs_double)(c, h, i);
        }
    }
}

static void head_gradients(const ct_call *c, const ct_head *h)
{
    if (wanted(c, (h->span.batch * c->problem->hq + h->head) * c->problem->nq)) {
        (c->io->single ? head_backward_single : head_backward_double)(c, h);
    }
}

static void head_pair_gradients(const ct_call *c, const ct_head *h)
{
    for (int64_t i = 0; i < h->span.nq; i++) {
        if (wanted(c, h->index + i)) {
            (c->io->single ? pairs_backward_single : pairs_backward_double)(c, h, i);
        }
    }
}

static clattn_status each_head(const clattn_problem *problem, const ct_linear_branch *branch, ct_reference_io *io,
                               const clattn_allocator *allocator, void (*one)(const ct_call *, const ct_head *))
{
    clattn_status st = CLATTN_OK;
    ct_call c = {.problem = problem, .branch = branch, .io = io};
    CT_TRY(call_make(&c, allocator));
    if (one == head_gradients || one == head_pair_gradients) {
        CT_TRY(call_make_backward(&c, allocator));
    }
    zero_rows(&c);
    for (int64_t s = 0; s < ct_span_count(problem); s++) {
        for (int head = 0; head < problem->hq; head++) {
            const ct_head h = head_of(&c, s, head);
            one(&c, &h);
        }
    }
out:
    call_release(&c, allocator);
    return st;
}

clattn_status ct_reference_linear(const clattn_problem *problem, const ct_linear_branch *branch, ct_reference_io *io,
                                  const clattn_allocator *allocator)
{
    return each_head(problem, branch, io, allocator, head_recurrence);
}

clattn_status ct_reference_linear_backward(const clattn_problem *problem, const ct_linear_branch *branch,
                                           ct_reference_io *io, const clattn_allocator *allocator)
{
    return each_head(problem, branch, io, allocator, head_gradients);
}

clattn_status ct_reference_linear_pairs_backward(const clattn_problem *problem, const ct_linear_branch *branch,
                                                 ct_reference_io *io, const clattn_allocator *allocator)
{
    return each_head(problem, branch, io, allocator, head_pair_gradients);
}

clattn_status ct_reference_linear_pairs(const clattn_problem *problem, const ct_linear_branch *branch,
                                        ct_reference_io *io, const clattn_allocator *allocator)
{
    return each_head(problem, branch, io, allocator, head_pairs);
}

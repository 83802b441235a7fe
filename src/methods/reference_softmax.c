#include "methods/reference_softmax.h"

#include <math.h>

#include "methods/reference_span.h"
#include "plan/slots.h"

/* One call: what every row needs. */
typedef struct ct_call {
    const clattn_problem *problem;
    const ct_softmax_branch *branch;
    ct_reference_io *io;
    const double *slopes; /* [hq] or NULL */
    void *scores, *sums;  /* [longest row], [dv] of the type in use */
    int64_t *seen;
} ct_call;

/* One query row. */
typedef struct ct_place {
    ct_span span;
    int64_t index; /* (b * hq + h) * nq + i: its place in o and lse */
    int64_t row;   /* in its sequence */
    int head;
    int64_t q_at, k_at, v_at; /* this row of Q; first row of K and V of this sequence */
    int64_t n_keys;
    const double *bias; /* of this row, from this sequence's first key; NULL: none */
    int64_t bias_at;    /* where that is in the tensor */
    const double *padding;
} ct_place;

static bool in_window(const ct_softmax_branch *branch, int64_t place, int64_t key)
{
    return (branch->window_left < 0 || key >= place - branch->window_left) &&
           (branch->window_right < 0 || key <= place + branch->window_right) && (branch->causal <= 0 || key <= place);
}

static bool visible(const ct_call *c, const ct_place *p, int64_t key)
{
    const int64_t shift = p->span.nk - p->span.nq;
    if (key >= p->span.nk || !in_window(c->branch, p->row + shift, key) || (p->padding && p->padding[key] == 0)) {
        return false;
    }
    if (c->branch->layout &&
        !ct_reference_listed(c->branch->layout, c->io, p->span.batch, p->head, p->row, key, shift)) {
        return false;
    }
    return !c->io->hidden || !c->io->hidden((int)p->span.sequence, p->head, p->row, key, c->problem->text_params,
                                            c->io->in[CLATTN_TEXT_BUFFER]);
}

#define LN2 0.69314718055994531
/* Up to where LSE's last bit errs less than the tolerance of float leaves, and than halves are rounded: what kernels
 * promise, not what they do, so that one which does less is found. */
static double near_lse(clattn_dtype dtype)
{
    return LN2 * (dtype == CLATTN_F32 ? 128.0 : 1024.0);
}

#define FAR     1048576.0 /* 2^20 */
#define REAL    double
#define NAME(x) x##_double
#define UNIT    1.0
#define EXP     exp
#define LOG     log
#define TANH    tanh
#include "methods/reference_softmax.inc"
#undef REAL
#undef NAME
#undef UNIT
#undef EXP
#undef LOG
#undef TANH
#define REAL    float
#define NAME(x) x##_single
#define UNIT    1.0f
#define EXP     expf
#define LOG     logf
#define TANH    tanhf
#include "methods/reference_softmax.inc"
#undef NAME
#undef UNIT
#undef EXP
#undef LOG
#define NAME(x) x##_base2
#define UNIT    1.44269504f
#define EXP     exp2f
#define LOG     log2f
#include "methods/reference_softmax.inc"

static ct_place place_of(const clattn_problem *problem, const ct_softmax_branch *branch, const ct_reference_io *io,
                         int64_t index)
{
    ct_place p = {.index = index};
    const int64_t i = index % problem->nq, h = index / problem->nq % problem->hq, b = index / problem->nq / problem->hq;
    p.span = ct_span_at(problem, io, b, i, &p.row);
    p.head = (int)h;
    const int64_t kv = (b * problem->hk + h / (problem->hq / problem->hk)) * problem->nk + p.span.k0;
    p.q_at = index * problem->dqk;
    p.k_at = kv * problem->dqk;
    p.v_at = kv * problem->dv;
    p.n_keys = branch->keys ? branch->n_keys : p.span.nk;
    if (io->in[CLATTN_BIAS]) {
        const int64_t bias_b = problem->bias_b ? problem->bias_b : problem->b;
        const int64_t bias_h = problem->bias_h ? problem->bias_h : problem->hq;
        const int64_t plane = (bias_b > 1 ? b : 0) * bias_h + (bias_h > 1 ? h : 0);
        p.bias_at = (plane * problem->nq + i) * problem->nk + p.span.k0;
        p.bias = io->in[CLATTN_BIAS] + p.bias_at;
    }
    if (io->in[CLATTN_KEY_PADDING]) {
        p.padding = io->in[CLATTN_KEY_PADDING] + b * problem->nk + p.span.k0;
    }
    return p;
}

ct_softmax_branch ct_softmax_branch_of(const clattn_problem *problem, const clattn_layout *layout)
{
    const bool ruled = layout && layout->windowed;
    return (ct_softmax_branch){
        .layout = layout,
        .causal = problem->causal > 0,
        .window_left = ruled ? -1 : problem->window_left,
        .window_right = ruled ? -1 : problem->window_right,
        .scale = isnan(problem->scale) ? 1.0 / sqrt((double)problem->dqk) : problem->scale,
        .sink = problem->sink != 0,
    };
}

static clattn_status slopes_of(const clattn_problem *problem, const ct_reference_io *io, double *slopes,
                               const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    const double *given = io->in[CLATTN_ALIBI_SLOPES];
    float *law = ct_alloc_array(allocator, (size_t)problem->hq, sizeof(float));
    if (!law) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the slopes of %lld heads", (long long)problem->hq);
    }
    CT_TRY(clattn_alibi_slopes((int)problem->hq, law));
    for (int64_t h = 0; h < problem->hq; h++) {
        slopes[h] = given ? given[h] : (double)law[h];
    }
out:
    ct_release(allocator, law);
    return st;
}

typedef void (*row_function)(const ct_call *, const ct_place *);

static clattn_status each_row(const clattn_problem *problem, const ct_softmax_branch *branch, ct_reference_io *io,
                              const clattn_allocator *allocator, row_function row)
{
    clattn_status st = CLATTN_OK;
    const int64_t all = problem->b * problem->hq * problem->nq, longest = ct_max(problem->nk, branch->n_keys);
    ct_call c = {.problem = problem, .branch = branch, .io = io};
    io->causal = branch->causal > 0;
    double *slopes = ct_alloc_array(allocator, (size_t)problem->hq, sizeof(double));
    c.scores = ct_alloc_array(allocator, (size_t)longest, sizeof(double));
    c.sums = ct_alloc_array(allocator, (size_t)problem->dv, sizeof(double));
    c.seen = ct_alloc_array(allocator, (size_t)longest, sizeof(int64_t));
    if (!slopes || !c.scores || !c.sums || !c.seen) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a reference row of %lld keys", (long long)longest);
    }
    if (problem->alibi) {
        CT_TRY(slopes_of(problem, io, slopes, allocator));
        c.slopes = slopes;
    }
    const int64_t count = io->rows ? io->n_rows : all;
    for (int64_t r = 0; r < count; r++) {
        const ct_place p = place_of(problem, branch, io, io->rows ? io->rows[r] : r);
        row(&c, &p);
    }
out:
    ct_release(allocator, c.seen);
    ct_release(allocator, c.sums);
    ct_release(allocator, c.scores);
    ct_release(allocator, slopes);
    return st;
}

clattn_status ct_reference_softmax(const clattn_problem *problem, const ct_softmax_branch *branch, ct_reference_io *io,
                                   const clattn_allocator *allocator)
{
    static const row_function rows[] = {row_double, row_single, row_base2};
    io->causal = branch->causal > 0;
    ct_reference_choices(problem, branch->layout, io);
    return each_row(problem, branch, io, allocator, rows[io->single]);
}

clattn_status ct_reference_softmax_backward(const clattn_problem *problem, const ct_softmax_branch *branch,
                                            ct_reference_io *io, const clattn_allocator *allocator)
{
    static const row_function rows[] = {row_backward_double, row_backward_single, row_backward_base2};
    return each_row(problem, branch, io, allocator, rows[io->single]);
}

void ct_reference_gate_backward(const clattn_problem *problem, const ct_reference_io *io, int64_t row, double gate,
                                const double *a, const double *b)
{
    const int64_t dv = problem->dv, dqk = problem->dqk, h = row / problem->nq % problem->hq;
    const double *g = io->in[CLATTN_DO] + row * dv, *q = io->in[CLATTN_Q] + row * dqk;
    double *const *out = io->out;
    double sum = 0.0;
    for (int64_t d = 0; d < dv; d++) {
        sum += g[d] * (a[d] - b[d]);
        sum = io->single ? (double)(float)sum : sum;
    }
    if (out[CLATTN_DGATE]) {
        out[CLATTN_DGATE][row] = sum;
    }
    if (problem->gate != 2) {
        return;
    }
    sum *= gate * (1.0 - gate);
    sum = io->single ? (double)(float)sum : sum;
    if (out[CLATTN_DGATE_BIAS]) {
        out[CLATTN_DGATE_BIAS][h] += sum;
    }
    for (int64_t d = 0; d < dqk; d++) {
        if (out[CLATTN_DGATE_WEIGHT]) {
            out[CLATTN_DGATE_WEIGHT][h * dqk + d] += sum * q[d];
        }
        if (out[CLATTN_DQ]) {
            out[CLATTN_DQ][row * dqk + d] += sum * io->in[CLATTN_GATE_WEIGHT][h * dqk + d];
        }
    }
}

void ct_reference_gate(const clattn_problem *problem, const ct_reference_io *io, double *gate)
{
    const int64_t all = problem->b * problem->hq * problem->nq, count = io->rows ? io->n_rows : all;
    for (int64_t r = 0; r < count; r++) {
        const int64_t index = io->rows ? io->rows[r] : r;
        if (problem->gate != 2) {
            gate[index] = io->in[CLATTN_GATE][index];
            continue;
        }
        const int64_t h = index / problem->nq % problem->hq;
        const double *q = io->in[CLATTN_Q] + index * problem->dqk;
        const double *weight = io->in[CLATTN_GATE_WEIGHT] + h * problem->dqk;
        double sum = io->in[CLATTN_GATE_BIAS] ? io->in[CLATTN_GATE_BIAS][h] : 0.0;
        for (int64_t d = 0; d < problem->dqk; d++) {
            sum += q[d] * weight[d];
            sum = io->single ? (double)(float)sum : sum;
        }
        gate[index] = 1.0 / (1.0 + exp(-sum));
        gate[index] = io->single ? (double)(float)gate[index] : gate[index];
    }
}

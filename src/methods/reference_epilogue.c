/* The reference of y = norm(residual + o). */
#include <math.h>
#include <string.h>

#include "methods/epilogue.h"

typedef struct call {
    const clattn_problem *p;
    const ct_reference_io *io;
    double *o, *lse, *dout, *sums; /* sums: of one token, by head and column */
    int64_t width;                 /* of a token */
} call;

static double rounded(const call *c, double x)
{
    return c->io->single ? (double)(float)x : x;
}

/* As a framework without this kernel leaves it: what the same-precision peers do. */
static double stored(const call *c, double x)
{
    int exponent;
    if (!c->io->single || x == 0 || !isfinite(x)) {
        return x;
    }
    const int bits = c->p->dtype == CLATTN_F32 ? 24 : c->p->dtype == CLATTN_F16 ? 11 : 8;
    const int least = c->p->dtype == CLATTN_F16 ? -13 : -125; /* frexp's exponent of the least normal number */
    (void)frexp(x, &exponent);
    const int unit = (exponent < least ? least : exponent) - bits;
    return ldexp(nearbyint(ldexp(x, -unit)), unit);
}

/* Where number i of a token is in a tensor [b, hq, nq, dv]. */
static int64_t place(const call *c, int64_t token, int64_t i)
{
    const clattn_problem *p = c->p;
    return ((token / p->nq * p->hq + i / p->dv) * p->nq + token % p->nq) * p->dv + i % p->dv;
}

static void look(const call *c, int64_t token, double *mean, double *rstd)
{
    const double *residual = c->p->residual ? c->io->in[CLATTN_RESIDUAL] : NULL;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < c->width; i++) {
        const int64_t at = place(c, token, i);
        c->sums[i] = rounded(c, stored(c, c->o[at]) + (residual ? residual[at] : 0));
        sum = rounded(c, sum + c->sums[i]);
    }
    *mean = c->p->norm == CLATTN_NORM_LAYER ? rounded(c, sum / (double)c->width) : 0;
    for (int64_t i = 0; i < c->width; i++) {
        const double apart = rounded(c, c->sums[i] - *mean);
        squares = rounded(c, squares + apart * apart);
    }
    const double variance = rounded(c, squares / (double)c->width);
    *rstd = c->p->norm ? rounded(c, 1 / sqrt(variance + ct_problem_eps(c->p))) : 1;
}

static void put(const call *c, clattn_slot slot, int64_t at, double value)
{
    if (c->io->out[slot]) {
        c->io->out[slot][at] = rounded(c, value);
    }
}

/* Number i of the token, normalised. */
static double normalised(const call *c, int64_t i, double mean, double rstd)
{
    return rounded(c, rounded(c, c->sums[i] - mean) * rstd);
}

static double weight_of(const call *c, int64_t i)
{
    return c->p->norm && c->io->in[CLATTN_NORM_WEIGHT] ? c->io->in[CLATTN_NORM_WEIGHT][i] : 1;
}

static void forward_token(const call *c, int64_t token)
{
    double mean, rstd;
    look(c, token, &mean, &rstd);
    for (int64_t i = 0; i < c->width; i++) {
        const double bias = c->p->norm && c->io->in[CLATTN_NORM_BIAS] ? c->io->in[CLATTN_NORM_BIAS][i] : 0;
        const double u = normalised(c, i, mean, rstd);
        put(c, CLATTN_O, place(c, token, i), rounded(c, u * weight_of(c, i)) + bias);
        put(c, CLATTN_SUM_OUT, place(c, token, i), c->sums[i]);
    }
    put(c, CLATTN_NORM_STATS, 2 * token, mean);
    put(c, CLATTN_NORM_STATS, 2 * token + 1, rstd);
}

static void add(const call *c, clattn_slot slot, int64_t i, double value)
{
    if (c->io->out[slot]) {
        c->io->out[slot][i] = rounded(c, c->io->out[slot][i] + value);
    }
}

static void backward_token(const call *c, int64_t token)
{
    const double *g = c->io->in[CLATTN_DO], *dsum = c->io->in[CLATTN_DSUM_OUT];
    double mean, rstd, sum = 0, along = 0;
    look(c, token, &mean, &rstd);
    for (int64_t i = 0; i < c->width; i++) {
        const double u = normalised(c, i, mean, rstd), given = g[place(c, token, i)];
        const double w = rounded(c, given * weight_of(c, i));
        add(c, CLATTN_DNORM_WEIGHT, i, given * u);
        add(c, CLATTN_DNORM_BIAS, i, given);
        sum = rounded(c, sum + w);
        along = rounded(c, along + w * u);
    }
    sum = c->p->norm == CLATTN_NORM_LAYER ? rounded(c, sum / (double)c->width) : 0;
    along = c->p->norm ? rounded(c, along / (double)c->width) : 0;
    for (int64_t i = 0; i < c->width; i++) {
        const int64_t at = place(c, token, i);
        const double u = normalised(c, i, mean, rstd), w = rounded(c, g[at] * weight_of(c, i));
        const double ds = rounded(c, rstd * rounded(c, rounded(c, w - sum) - u * along) + (dsum ? dsum[at] : 0));
        put(c, CLATTN_DRESIDUAL, at, ds);
        c->dout[at] = stored(c, ds);
    }
}

static clattn_status make(call *c, const clattn_allocator *allocator)
{
    const size_t rows = (size_t)(c->p->b * c->p->hq * c->p->nq), all = rows * (size_t)c->p->dv;
    c->width = c->p->hq * c->p->dv;
    c->o = ct_alloc_array(allocator, all, sizeof(double));
    c->dout = ct_alloc_array(allocator, all, sizeof(double));
    c->lse = ct_alloc_array(allocator, rows, sizeof(double));
    c->sums = ct_alloc_array(allocator, (size_t)c->width, sizeof(double));
    return c->o && c->dout && c->lse && c->sums
               ? CLATTN_OK
               : ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %zu rows before a norm", rows);
}

static void release(call *c, const clattn_allocator *allocator)
{
    ct_release(allocator, c->o);
    ct_release(allocator, c->dout);
    ct_release(allocator, c->lse);
    ct_release(allocator, c->sums);
}

static clattn_status forward(const call *c, const ct_method *method, clattn_problem *inner, const clattn_layout *layout,
                             const clattn_allocator *allocator)
{
    ct_reference_io io = *c->io;
    const int64_t count = io.rows ? io.n_rows : c->p->b * c->p->hq * c->p->nq;
    io.out[CLATTN_O] = c->o;
    const clattn_status st = method->reference(inner, layout, &io, allocator);
    for (int64_t i = 0; st == CLATTN_OK && i < count; i++) {
        const int64_t row = io.rows ? io.rows[i] : i, head = row / c->p->nq;
        if (head % c->p->hq == 0) {
            forward_token(c, head / c->p->hq * c->p->nq + row % c->p->nq);
        }
    }
    return st;
}

static clattn_status backward(const call *c, const ct_method *method, clattn_problem *inner,
                              const clattn_layout *layout, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    ct_reference_io io = *c->io;
    inner->pass = CLATTN_FWD;
    memset(io.out, 0, sizeof io.out);
    io.out[CLATTN_O] = c->o;
    io.out[CLATTN_LSE] = c->lse;
    io.rows = NULL;
    CT_TRY(method->reference(inner, layout, &io, allocator));
    for (int64_t i = 0; i < c->width; i++) {
        put(c, CLATTN_DNORM_WEIGHT, i, 0);
        put(c, CLATTN_DNORM_BIAS, i, 0);
    }
    for (int64_t token = 0; token < c->p->b * c->p->nq; token++) {
        backward_token(c, token);
    }
    for (int64_t i = 0; i < c->p->b * c->p->nq * c->width; i++) {
        c->o[i] = stored(c, c->o[i]);
    }
    inner->pass = CLATTN_BWD;
    io = *c->io;
    io.in[CLATTN_O] = c->o;
    io.in[CLATTN_LSE] = c->lse;
    io.in[CLATTN_DO] = c->dout;
    io.out[CLATTN_DRESIDUAL] = io.out[CLATTN_DNORM_WEIGHT] = io.out[CLATTN_DNORM_BIAS] = NULL; /* are made */
    CT_TRY(method->reference(inner, layout, &io, allocator));
out:
    return st;
}

clattn_status ct_epilogue_reference(const ct_method *method, const clattn_problem *problem, const clattn_layout *layout,
                                    ct_reference_io *io, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    clattn_problem inner = *problem;
    call c = {.p = problem, .io = io};
    if (!ct_problem_has_epilogue(problem)) {
        return method->reference(problem, layout, io, allocator);
    }
    inner.norm = CLATTN_NORM_NONE;
    inner.residual = 0;
    CT_TRY(make(&c, allocator));
    CT_TRY((problem->pass == CLATTN_BWD ? backward : forward)(&c, method, &inner, layout, allocator));
out:
    release(&c, allocator);
    return st;
}

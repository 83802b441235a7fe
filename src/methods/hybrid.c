/* hybrid:  o = g softmax over a local window + (1 - g) softmax over `samples` global keys, two softmaxes of their own.
 * g comes from slot GATE or from a linear map of q; without either it is 1/2. Where a query sees no sampled key
 * (causal: all of them lie ahead) g is 1, where its window is empty g is 0. A sink belongs to the window's softmax
 * only. */
#include <math.h>

#include "line/gate.h"
#include "line/gather.h"
#include "line/sum.h"
#include "merge/merge.h"
#include "methods/branches.h"
#include "plan/method.h"
#include "methods/reference_softmax.h"
#include "methods/reference_span.h"
#include "methods/softmax.h"
#include "plan/problem.h"
#include "plan/slots.h"

enum { FEW_QUERIES = 32 };

static clattn_status check(const clattn_problem *p)
{
    if (p->sequences) {
        return ct_fail(CLATTN_UNSUPPORTED, "sequences=%lld: hybrid takes no packed sequences", (long long)p->sequences);
    }
    if (p->bias) {
        return ct_fail(CLATTN_UNSUPPORTED, "bias=%d: hybrid takes no bias; a score text with a buffer does the same",
                       p->bias);
    }
    if (p->gate && !p->samples) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "gate=%d: there is nothing to weigh with samples=0; at least 1",
                       p->gate);
    }
    return CLATTN_OK;
}

/* Positions of the samples: a slot, or a constant. *host gets the constant's values (to be released), NULL for a slot.
 */
static clattn_status positions_of(ct_builder *b, const clattn_problem *p, ct_ref *positions, int32_t **host)
{
    clattn_status st = CLATTN_OK;
    const clattn_allocator *allocator = ct_builder_allocator(b);
    if (p->spacing == CLATTN_SPACING_GIVEN) {
        *positions = ct_builder_slot(b, CLATTN_POSITIONS, 2);
        return CLATTN_OK;
    }
    *host = ct_alloc_array(allocator, (size_t)p->samples, sizeof **host);
    if (!*host) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %lld sample positions", (long long)p->samples);
    }
    ct_sample_positions(p->spacing, p->samples, p->nk, *host);
    CT_TRY(ct_builder_constant(b, "positions", *host, p->samples, (int)sizeof **host, positions));
out:
    return st;
}

/* The chosen rows of K or V, densely. */
static clattn_status gather(ct_builder *b, const char *name, const ct_attend *a, clattn_dtype dtype,
                            const ct_ref *positions, ct_ref *tensor, clattn_strides *strides, int64_t width,
                            int64_t samples)
{
    const ct_ref zone = ct_builder_zone(b, name, a->b * a->hk * samples * width, (int)clattn_dtype_size(dtype));
    const ct_gather_rows g = {.batch = a->b,
                              .heads = a->hk,
                              .rows = a->nk,
                              .samples = samples,
                              .width = width,
                              .from = *tensor,
                              .strides = *strides,
                              .dtype = dtype,
                              .positions = *positions,
                              .to = zone};
    *tensor = zone;
    *strides = ct_dense_strides(a->hk, samples, width);
    return ct_gather_rows_add(b, &g);
}

/* Does a key's place matter? If not, samples are keys like any others. */
static bool placed(const ct_attend *a)
{
    return a->causal || a->slopes.where != CT_NOWHERE || ct_has_texts(a->texts) || (a->layout && a->layout->rules);
}

/* Where the sampled keys stand, and which of them count (nothing: all). */
typedef struct samples {
    ct_ref positions, shown;
} samples;

/* Makes `a` the branch over the sampled keys. */
static clattn_status sample(ct_builder *b, const clattn_problem *p, ct_ref positions, const int32_t *host, ct_attend *a,
                            samples *out)
{
    clattn_status st = CLATTN_OK;
    *out = (samples){positions, ct_nothing()};
    CT_TRY(gather(b, "sampled keys", a, a->types.k, &positions, &a->k, &a->ks, a->dqk, p->samples));
    CT_TRY(gather(b, "sampled values", a, a->types.v, &positions, &a->v, &a->vs, a->dv, p->samples));
    if (!host || a->padding.where != CT_NOWHERE) {
        const ct_gather_keys keys = {.batch = a->b,
                                     .rows = a->nk,
                                     .samples = p->samples,
                                     .positions = positions,
                                     .padding = a->padding,
                                     .places = ct_builder_zone(b, "places", p->samples, 4),
                                     .shown = ct_builder_zone(b, "shown", a->b * p->samples, 1)};
        CT_TRY(ct_gather_keys_add(b, &keys));
        *out = (samples){keys.places, keys.shown};
        a->padding = keys.shown;
    }
    if (placed(a)) {
        a->positions = out->positions;
        a->positions_host = host;
        a->places = a->nk;
    }
    a->nk = a->max_k = p->samples;
    a->left = a->right = -1;
    a->sink = ct_nothing();
out:
    return st;
}

/* Lets the first branch leave what the other one joins, in the type of the result: it is read and written once more
 * than the result is, and where the samples are few the memory bounds it. */
static void to_zones(ct_builder *b, ct_attend *a)
{
    a->o = ct_builder_zone(b, "first o", a->b * a->hq * a->nq * a->dv, (int)clattn_dtype_size(a->out));
    a->lse = ct_builder_zone(b, "first lse", a->b * a->hq * a->nq, 4);
    a->os = ct_dense_strides(a->hq, a->nq, a->dv);
}

static clattn_status build(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend local, global;
    ct_ref positions = ct_nothing(), gate = ct_nothing();
    int32_t *host = NULL;
    samples at;
    CT_TRY(ct_softmax_of(b, p, layout, &local));
    if (p->samples == 0) {
        CT_TRY(ct_softmax_add(b, &local));
        goto out;
    }
    ct_builder_drop(b, CLATTN_LSE); /* two softmaxes have no common one */
    global = local;
    CT_TRY(ct_gate_of(b, &gate));
    CT_TRY(positions_of(b, p, &positions, &host));
    CT_TRY(sample(b, p, positions, host, &global, &at));
    /* the longer one joins, and hides the reading behind its work; but what joins is not cut into parts, which few
     * queries need */
    const bool cut = p->nq <= FEW_QUERIES;
    ct_attend *first = cut ? &local : &global, *last = cut ? &global : &local;
    to_zones(b, first);
    last->blend = (ct_blend){.before = first->o, .lse = first->lse, .gate = gate, .of_before = cut};
    last->lse = ct_nothing();
    CT_TRY(ct_softmax_add(b, first));
    CT_TRY(ct_softmax_add(b, last));
out:
    ct_release(ct_builder_allocator(b), host);
    return st;
}

/* What arrives at each branch, and at the gate. */
static clattn_status share(ct_builder *b, const clattn_problem *p, const ct_attend *local, const ct_attend *global,
                           ct_ref gate, ct_merge_gate_gradient *made)
{
    const int64_t rows = p->b * p->hq * p->nq;
    const ct_merge_gate m = {.batch = p->b,
                             .heads = p->hq,
                             .rows = p->nq,
                             .dv = p->dv,
                             .o_a = local->o,
                             .o_b = global->o,
                             .lse_a = local->lse,
                             .lse_b = global->lse,
                             .gate = gate,
                             .o_strides = local->os,
                             .o_dtype = p->dtype};
    *made = (ct_merge_gate_gradient){.g = ct_builder_slot(b, CLATTN_DO, 2),
                                     .a_strides = local->os,
                                     .b_strides = global->os,
                                     .share_a = ct_builder_zone(b, "share of the window", rows, 4),
                                     .share_b = ct_builder_zone(b, "share of the samples", rows, 4),
                                     .linear = p->gate == 2,
                                     .dgate = ct_gate_gradient_of(b),
                                     .da = ct_nothing(),
                                     .db = ct_nothing()};
    return ct_merge_gate_backward_add(b, &m, made);
}

/* The samples' gradients go to the keys and values that they are. */
static clattn_status scatter(ct_builder *b, const clattn_problem *p, const samples *at, const ct_attend_gradient *from,
                             const ct_attend_gradient *to)
{
    clattn_status st = CLATTN_OK;
    ct_scatter_rows rows = {.batch = p->b,
                            .heads = p->hk,
                            .rows = p->nk,
                            .samples = p->samples,
                            .width = p->dqk,
                            .from = from->dk,
                            .positions = at->positions,
                            .shown = at->shown,
                            .to = to->dk};
    CT_TRY(ct_scatter_rows_add(b, &rows));
    rows.from = from->dv;
    rows.to = to->dv;
    rows.width = p->dv;
    CT_TRY(ct_scatter_rows_add(b, &rows));
out:
    return st;
}

/* Slopes of both branches: each gives its own sum. */
static clattn_status sum_slopes(ct_builder *b, const clattn_problem *p, ct_ref x, ct_ref y)
{
    const ct_sum_rows sum = {.batch = 1,
                             .heads = 1,
                             .rows = 1,
                             .width = p->hq,
                             .x = x,
                             .y = y,
                             .factor = ct_nothing(),
                             .weight = ct_nothing(),
                             .to = ct_builder_slot(b, CLATTN_DALIBI_SLOPES, 1),
                             .strides = ct_dense_strides(1, 1, p->hq),
                             .dtype = CLATTN_F32};
    ct_builder_serves(b, CT_ONE_SLOT(CLATTN_DALIBI_SLOPES));
    const clattn_status st = ct_sum_rows_add(b, &sum);
    ct_builder_serves(b, 0);
    return st;
}

static clattn_status build_backward(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend local, global;
    ct_attend_gradient of_local, of_global;
    ct_merge_gate_gradient shares;
    ct_ref positions = ct_nothing(), gate = ct_nothing(), slopes[2] = {ct_nothing(), ct_nothing()};
    int32_t *host = NULL;
    samples at;
    if (p->samples == 0) {
        return ct_softmax_build_backward(b, p, layout);
    }
    CT_TRY(ct_softmax_of(b, p, layout, &local));
    ct_builder_drop(b, CLATTN_O); /* each branch has its own, made again */
    ct_builder_drop(b, CLATTN_LSE);
    global = local;
    CT_TRY(ct_gate_of(b, &gate));
    CT_TRY(positions_of(b, p, &positions, &host));
    CT_TRY(sample(b, p, positions, host, &global, &at));
    CT_TRY(ct_branch_forward(b, &local));
    CT_TRY(ct_branch_forward(b, &global));
    CT_TRY(share(b, p, &local, &global, gate, &shares));
    for (int i = 0; i < 2 && p->alibi == 2; i++) {
        slopes[i] = ct_builder_zone(b, "dslopes of a branch", p->hq, 4);
    }
    const ct_ref dsink = p->sink ? ct_builder_slot(b, CLATTN_DSINK, 1) : ct_nothing();
    CT_TRY(ct_branch_backward(b, &local, shares.g, shares.share_a, dsink, slopes[0], ct_nothing(), &of_local));
    CT_TRY(ct_branch_backward(b, &global, shares.g, shares.share_b, ct_nothing(), slopes[1], ct_nothing(), &of_global));
    CT_TRY(scatter(b, p, &at, &of_global, &of_local));
    of_global.dk = of_global.dv = ct_nothing();
    CT_TRY(ct_branch_results(b, &of_local, &of_global, p->gate == 2 ? shares.dgate : ct_nothing()));
    if (p->alibi == 2) {
        CT_TRY(sum_slopes(b, p, slopes[0], slopes[1]));
    }
    if (p->gate == 2) {
        CT_TRY(ct_gate_backward_add(b, shares.dgate));
    }
out:
    ct_release(ct_builder_allocator(b), host);
    return st;
}

/* ---- reference ------------------------------------------------------------------------------------------------ */

typedef struct branch_result {
    double *o, *lse;
} branch_result;

static clattn_status branch(const clattn_problem *p, const ct_softmax_branch *softmax, const ct_reference_io *io,
                            const clattn_allocator *allocator, branch_result *out)
{
    clattn_status st = CLATTN_OK;
    const size_t rows = (size_t)(p->b * p->hq * p->nq);
    out->o = ct_alloc_array(allocator, rows * (size_t)p->dv, sizeof(double));
    out->lse = ct_alloc_array(allocator, rows, sizeof(double));
    if (!out->o || !out->lse) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a branch of %zu rows", rows);
    }
    ct_reference_io mine = *io;
    mine.out[CLATTN_O] = out->o;
    mine.out[CLATTN_LSE] = out->lse;
    CT_TRY(ct_reference_softmax(p, softmax, &mine, allocator));
out:
    return st;
}

/* Ascending positions that exist, each once; returns how many. */
static int64_t distinct(int32_t *positions, int64_t count, int64_t nk)
{
    int64_t kept = 0;
    int32_t before = -1;
    for (int64_t i = 0; i < count; i++) {
        const int32_t position = positions[i];
        if (position >= 0 && position < nk && position != before) {
            positions[kept++] = position;
        }
        before = position;
    }
    return kept;
}

static void weigh(const clattn_problem *p, ct_reference_io *io, const branch_result *a, const branch_result *b,
                  const double *gate)
{
    const int64_t count = io->rows ? io->n_rows : p->b * p->hq * p->nq;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = io->rows ? io->rows[i] : i;
        const double given = p->gate ? gate[row] : 0.5;
        const double g = b->lse[row] == -INFINITY ? 1.0 : a->lse[row] == -INFINITY ? 0.0 : given;
        for (int64_t d = row * p->dv; d < (row + 1) * p->dv; d++) {
            const double sum = g * a->o[d] + (1.0 - g) * b->o[d];
            io->out[CLATTN_O][d] = io->single ? (double)(float)sum : sum;
        }
    }
}

/* The gradients of one branch, which has a share of each row's dO, are added up. */
static clattn_status branch_backward(const clattn_problem *p, const ct_softmax_branch *softmax,
                                     const ct_reference_io *io, const clattn_allocator *allocator,
                                     const branch_result *own, const double *shares)
{
    clattn_status st = CLATTN_OK;
    const int64_t count = p->b * p->hq * p->nq * p->dv;
    ct_reference_io mine = *io;
    double *g = ct_alloc_array(allocator, (size_t)count, sizeof(double));
    if (!g) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %lld gradients", (long long)count);
    }
    for (int64_t i = 0; i < count; i++) {
        const double y = shares[i / p->dv] * io->in[CLATTN_DO][i];
        g[i] = io->single ? (double)(float)y : y;
    }
    mine.in[CLATTN_DO] = g;
    mine.in[CLATTN_O] = own->o;
    mine.in[CLATTN_LSE] = own->lse;
    mine.in[CLATTN_DLSE] = NULL;
    CT_TRY(ct_reference_softmax_backward(p, softmax, &mine, allocator));
out:
    ct_release(allocator, g);
    return st;
}

static clattn_status gradients(const clattn_problem *p, const ct_softmax_branch softmax[2], ct_reference_io *io,
                               const clattn_allocator *allocator, const branch_result results[2], const double *gate)
{
    clattn_status st = CLATTN_OK;
    const int64_t rows = p->b * p->hq * p->nq, count = io->rows ? io->n_rows : rows;
    double *shares[2] = {ct_alloc_array(allocator, (size_t)rows, sizeof(double)),
                         ct_alloc_array(allocator, (size_t)rows, sizeof(double))};
    if (!shares[0] || !shares[1]) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the shares of %lld rows", (long long)rows);
    }
    ct_reference_zero_gradients(p, io);
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = io->rows ? io->rows[i] : i;
        const bool none_a = results[0].lse[row] == -INFINITY, none_b = results[1].lse[row] == -INFINITY;
        shares[0][row] = none_b ? 1.0 : none_a ? 0.0 : p->gate ? gate[row] : 0.5;
        shares[1][row] = 1.0 - shares[0][row];
        if (p->gate && !none_a && !none_b) {
            ct_reference_gate_backward(p, io, row, gate[row], results[0].o + row * p->dv, results[1].o + row * p->dv);
        }
    }
    for (int i = 0; i < 2; i++) {
        CT_TRY(branch_backward(p, &softmax[i], io, allocator, &results[i], shares[i]));
    }
out:
    ct_release(allocator, shares[1]);
    ct_release(allocator, shares[0]);
    return st;
}

static clattn_status reference(const clattn_problem *p, const clattn_layout *layout, ct_reference_io *io,
                               const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    branch_result results[2] = {{NULL, NULL}, {NULL, NULL}};
    ct_softmax_branch softmax[2] = {ct_softmax_branch_of(p, layout), ct_softmax_branch_of(p, layout)};
    int32_t *positions = ct_alloc_array(allocator, (size_t)p->samples, sizeof *positions);
    double *gate = ct_alloc_array(allocator, (size_t)(p->b * p->hq * p->nq), sizeof *gate);
    if (!positions || !gate) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %lld positions", (long long)p->samples);
    }
    if (p->samples == 0) {
        CT_TRY(ct_softmax_reference(p, layout, io, allocator));
        goto out;
    }
    if (p->spacing == CLATTN_SPACING_GIVEN) {
        for (int64_t i = 0; i < p->samples; i++) {
            positions[i] = (int32_t)io->in[CLATTN_POSITIONS][i];
        }
    } else {
        ct_sample_positions(p->spacing, p->samples, p->nk, positions);
    }
    softmax[1].keys = positions;
    softmax[1].n_keys = distinct(positions, p->samples, p->nk);
    softmax[1].window_left = softmax[1].window_right = -1;
    softmax[1].sink = false;
    CT_TRY(branch(p, &softmax[0], io, allocator, &results[0]));
    CT_TRY(branch(p, &softmax[1], io, allocator, &results[1]));
    if (p->gate) {
        ct_reference_gate(p, io, gate);
    }
    if (p->pass == CLATTN_BWD) {
        CT_TRY(gradients(p, softmax, io, allocator, results, gate));
    } else {
        weigh(p, io, &results[0], &results[1], gate);
    }
out:
    for (int i = 0; i < 2; i++) {
        ct_release(allocator, results[i].lse);
        ct_release(allocator, results[i].o);
    }
    ct_release(allocator, gate);
    ct_release(allocator, positions);
    return st;
}

const ct_method ct_method_hybrid = {
    .name = "hybrid",
    .text = "gated sum of a local window and of sampled global keys",
    .softmax = true,
    .gated = true,
    .sampled = true,
    .check = check,
    .build = {[CLATTN_FWD] = build, [CLATTN_BWD] = build_backward, [CLATTN_DECODE] = build},
    .reference = reference,
};

/* hybrid:  o = g softmax over a local window + (1 - g) softmax over `samples` global keys, two softmaxes of their own.
 * g comes from slot GATE or from a linear map of q; without either it is 1/2. Where a query sees no sampled key
 * (causal: all of them lie ahead) g is 1, where its window is empty g is 0. A sink belongs to the window's softmax
 * only. */
#include <math.h>

#include "line/gate.h"
#include "line/gather.h"
#include "plan/method.h"
#include "methods/reference_softmax.h"
#include "methods/softmax.h"
#include "plan/problem.h"

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

static clattn_strides dense(int64_t heads, int64_t rows, int64_t width)
{
    return (clattn_strides){heads * rows * width, rows * width, width};
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
    *strides = dense(a->hk, samples, width);
    return ct_gather_rows_add(b, &g);
}

/* Does a key's place matter? If not, samples are keys like any others. */
static bool placed(const ct_attend *a)
{
    return a->causal || a->slopes.where != CT_NOWHERE || a->score_text || a->mask_text ||
           (a->layout && a->layout->rules);
}

/* Makes `a` the branch over the sampled keys. */
static clattn_status sample(ct_builder *b, const clattn_problem *p, ct_ref positions, const int32_t *host, ct_attend *a)
{
    clattn_status st = CLATTN_OK;
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
        positions = keys.places;
        a->padding = keys.shown;
    }
    if (placed(a)) {
        a->positions = positions;
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
    a->os = dense(a->hq, a->nq, a->dv);
}

static clattn_status build(ct_builder *b, const clattn_problem *p, const clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    ct_attend local, global;
    ct_ref positions = ct_nothing(), gate = ct_nothing();
    int32_t *host = NULL;
    CT_TRY(ct_softmax_of(b, p, layout, &local));
    if (p->samples == 0) {
        CT_TRY(ct_softmax_add(b, &local));
        goto out;
    }
    ct_builder_drop(b, CLATTN_LSE); /* two softmaxes have no common one */
    global = local;
    CT_TRY(ct_gate_of(b, &gate));
    CT_TRY(positions_of(b, p, &positions, &host));
    CT_TRY(sample(b, p, positions, host, &global));
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

static clattn_status reference(const clattn_problem *p, const clattn_layout *layout, ct_reference_io *io,
                               const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    branch_result local = {NULL, NULL}, global = {NULL, NULL};
    ct_softmax_branch softmax = ct_softmax_branch_of(p, layout);
    int32_t *positions = ct_alloc_array(allocator, (size_t)p->samples, sizeof *positions);
    double *gate = ct_alloc_array(allocator, (size_t)(p->b * p->hq * p->nq), sizeof *gate);
    if (!positions || !gate) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %lld positions", (long long)p->samples);
    }
    if (p->samples == 0) {
        CT_TRY(ct_reference_softmax(p, &softmax, io, allocator));
        goto out;
    }
    if (p->spacing == CLATTN_SPACING_GIVEN) {
        for (int64_t i = 0; i < p->samples; i++) {
            positions[i] = (int32_t)io->in[CLATTN_POSITIONS][i];
        }
    } else {
        ct_sample_positions(p->spacing, p->samples, p->nk, positions);
    }
    CT_TRY(branch(p, &softmax, io, allocator, &local));
    softmax.keys = positions;
    softmax.n_keys = distinct(positions, p->samples, p->nk);
    softmax.window_left = softmax.window_right = -1;
    softmax.sink = false;
    CT_TRY(branch(p, &softmax, io, allocator, &global));
    if (p->gate) {
        ct_reference_gate(p, io, gate);
    }
    weigh(p, io, &local, &global, gate);
out:
    ct_release(allocator, global.lse);
    ct_release(allocator, global.o);
    ct_release(allocator, local.lse);
    ct_release(allocator, local.o);
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
    .build = {[CLATTN_FWD] = build, [CLATTN_DECODE] = build},
    .reference = reference,
};

#include "fit.h"

#include "plan/slots.h"

#include <stdio.h>
#include <string.h>

static int squeeze(const int64_t *dims, int rank, int64_t *out)
{
    int n = 0;
    for (int i = 0; i < rank; i++) {
        if (dims[i] != 1) {
            out[n++] = dims[i];
        }
    }
    return n;
}

static bool same_shape(const tensor *t, int rank, const int64_t *dims)
{
    int64_t a[TENSOR_MAX_RANK], b[TENSOR_MAX_RANK];
    if (t->rank == rank) {
        return memcmp(t->dims, dims, (size_t)rank * sizeof *dims) == 0;
    }
    const int n = squeeze(t->dims, t->rank, a);
    return n == squeeze(dims, rank, b) && memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* Lists of blocks are as long as row-ptr says, texts' buffers as the text likes where the problem does not say; q, k, v
 * are checked with the sizes, before. */
static bool any_shape(const wanted_tensor *wanted)
{
    const bool open = wanted->rank == 1 && wanted->dims[0] == 0;
    return open || ct_slots[wanted->slot].contents == CT_TOKENS;
}

static bool of_heads(const wanted_tensor *wanted)
{
    const ct_dim *dims = ct_slots[wanted->slot].dims;
    return dims[0] == CT_DIM_HEADS || (dims[0] == CT_DIM_HQ && wanted->rank == 1);
}

/* The first of four dimensions is a batch, and what heads have of their own has none: its batches would be read as
 * heads. */
static bool has_batches(const tensor *t, const wanted_tensor *wanted)
{
    return of_heads(wanted) && t->rank == 4 && t->dims[0] != 1;
}

static bool of_every_head(const tensor *t, const wanted_tensor *wanted, const clattn_problem *problem)
{
    int64_t dims[5];
    memcpy(dims, wanted->dims, sizeof dims);
    dims[0] = problem->hq;
    return ct_slots[wanted->slot].dims[0] == CT_DIM_HEADS && wanted->dims[0] == 1 && same_shape(t, wanted->rank, dims);
}

const char *per_head_hint(const clattn_problem *problem, bool every_head)
{
    return every_head && problem->hq > 1 && problem->pattern.per_head != 1
               ? "; with per_head=1 every head has its own, as here"
               : "";
}

/* What is wanted, where the plan knows only what the text left open. */
static void describe_wanted(const wanted_tensor *wanted, const clattn_problem *p, char *text, size_t bytes)
{
    tensor like = {.dtype = wanted->dtype, .rank = wanted->rank};
    if (wanted->slot == CLATTN_BIAS) {
        snprintf(text, bytes, "[1 or b=%lld, 1 or hq=%lld, nq=%lld, nk=%lld] f32", (long long)p->b, (long long)p->hq,
                 (long long)p->nq, (long long)p->nk);
        return;
    }
    memcpy(like.dims, wanted->dims, (size_t)wanted->rank * sizeof *wanted->dims);
    tensor_describe(&like, text, bytes);
}

clattn_status tensor_fit(const tensor *t, const wanted_tensor *wanted, const clattn_problem *problem)
{
    char have[160], need[160];
    const char *name = clattn_slot_name(wanted->slot);
    tensor_describe(t, have, sizeof have);
    describe_wanted(wanted, problem, need, sizeof need);
    if (wanted->slot == CLATTN_BIAS && t->dtype > CLATTN_BF16) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "--%s: %s; wanted is %s. A mask that hides keys is --key-padding, u8 [b=%lld, nk=%lld]", name,
                       have, need, (long long)problem->b, (long long)problem->nk);
    }
    if (has_batches(t, wanted)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "--%s: %s; the first of four dimensions is the batch, which must be 1: one serves every batch; "
                       "wanted is %s",
                       name, have, need);
    }
    if (!any_shape(wanted) && !same_shape(t, wanted->rank, wanted->dims)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: %s; wanted is %s%s", name, have, need,
                       per_head_hint(problem, of_every_head(t, wanted, problem)));
    }
    return CLATTN_OK;
}

/* From a problem's pattern to a layout: one row a pattern. */
#include "layout/pattern.h"

#define MOST_SCORED (1 << 24) /* blocks of keys: cl/select/top_blocks.cl counts in floats */

clattn_status ct_pattern_bound(const char *pattern, const char *key, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high) {
        return CLATTN_OK;
    }
    if (high == INT32_MAX) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: %s = %lld must be at least %lld", pattern, key,
                       (long long)value, (long long)low);
    }
    return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: %s = %lld is outside %lld..%lld", pattern, key,
                   (long long)value, (long long)low, (long long)high);
}

static void dense_row(const void *what, int head, int row, ct_row *bits)
{
    (void)what, (void)head, (void)row;
    ct_row_add(bits, 0, bits->cols);
}

static clattn_status make_dense(clattn_layout **out, const ct_pattern_job *job)
{
    const clattn_problem *problem = job->problem;
    clattn_layout *layout = NULL;
    clattn_status st = ct_layout_new(&layout, 1, job->nq, job->nk, problem->block_q, problem->block_k, job->allocator);
    if (st == CLATTN_OK) {
        st = ct_layout_fill(layout, 1, dense_row, NULL);
    }
    if (st != CLATTN_OK) {
        clattn_layout_release(layout);
        return st;
    }
    *out = layout;
    return CLATTN_OK;
}

/* Of every head with per_head=1, else one for all heads. */
static int heads_of(const ct_pattern_job *job)
{
    return job->problem->pattern.per_head == 1 ? (int)ct_min(job->problem->hq, INT32_MAX) : 1;
}

/* Lists that are read at run time. */
static clattn_status make_on_device(clattn_layout **out, const ct_pattern_job *job, ct_layout_source source, int heads)
{
    const clattn_problem *problem = job->problem;
    clattn_layout *layout = NULL;
    clattn_status st =
        ct_layout_new(&layout, heads, job->nq, job->nk, problem->block_q, problem->block_k, job->allocator);
    if (st != CLATTN_OK) {
        return st;
    }
    layout->source = source;
    if (source == CT_LAYOUT_TABLE) {
        layout->width = ct_pattern_value(problem->pattern.width, layout->cols);
        st = ct_pattern_bound("table", "width", layout->width, 1, layout->cols);
    }
    if (st != CLATTN_OK) {
        clattn_layout_release(layout);
        return st;
    }
    *out = layout;
    return CLATTN_OK;
}

static clattn_status make_csr(clattn_layout **out, const ct_pattern_job *job)
{
    return make_on_device(out, job, CT_LAYOUT_CSR, heads_of(job));
}

static clattn_status make_mask(clattn_layout **out, const ct_pattern_job *job)
{
    return make_on_device(out, job, CT_LAYOUT_MASK, heads_of(job));
}

static clattn_status make_table(clattn_layout **out, const ct_pattern_job *job)
{
    return make_on_device(out, job, CT_LAYOUT_TABLE, heads_of(job));
}

static clattn_status make_scores(clattn_layout **out, const ct_pattern_job *job)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *problem = job->problem;
    clattn_layout *layout = NULL;
    if (problem->sequences) {
        CT_FAIL(CLATTN_UNSUPPORTED, "pattern=scores: not for packed sequences (sequences=%lld)",
                (long long)problem->sequences);
    }
    CT_TRY(make_on_device(&layout, job, CT_LAYOUT_SCORES, (int)ct_min(problem->hq, INT32_MAX)));
    CT_TRY(ct_pattern_bound("scores", "blocks of keys", layout->cols, 1, MOST_SCORED));
    layout->width = problem->pattern.topk;
    CT_TRY(ct_pattern_bound("scores", "topk", layout->width, problem->causal == 1 ? ct_layout_crossed(layout) : 1,
                            layout->cols));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

static ct_pattern_maker *const makers[] = {
    [CLATTN_PATTERN_DENSE] = make_dense,
    [CLATTN_PATTERN_FIXED] = ct_pattern_fixed,
    [CLATTN_PATTERN_VARIABLE] = ct_pattern_variable,
    [CLATTN_PATTERN_BIGBIRD] = ct_pattern_bigbird,
    [CLATTN_PATTERN_BSLONGFORMER] = ct_pattern_bslongformer,
    [CLATTN_PATTERN_SLIDING] = ct_pattern_sliding,
    [CLATTN_PATTERN_STRIDED] = ct_pattern_strided,
    [CLATTN_PATTERN_WINDOW] = ct_pattern_window,
    [CLATTN_PATTERN_LONGFORMER] = ct_pattern_longformer,
    [CLATTN_PATTERN_SAMPLES] = ct_pattern_samples,
    [CLATTN_PATTERN_IMAGE] = ct_pattern_image,
    [CLATTN_PATTERN_CSR] = make_csr,
    [CLATTN_PATTERN_MASK] = make_mask,
    [CLATTN_PATTERN_TABLE] = make_table,
    [CLATTN_PATTERN_SCORES] = make_scores,
};

static clattn_status check_lists(const clattn_pattern *pattern)
{
    clattn_status st = ct_pattern_bound("*", "number of windows", pattern->n_windows, 0, CLATTN_PATTERN_LIST);
    if (st == CLATTN_OK) {
        st = ct_pattern_bound("*", "number of indices", pattern->n_indices, 0, CLATTN_PATTERN_LIST);
    }
    if (st == CLATTN_OK) {
        st = ct_pattern_bound("*", "number of ends", pattern->n_ends, 0, CLATTN_PATTERN_LIST);
    }
    return st;
}

static clattn_status make(clattn_layout **out, const clattn_problem *problem, const clattn_allocator *allocator,
                          bool causal)
{
    if (!out || !problem) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s is NULL", out ? "problem" : "out");
    }
    if (problem->struct_size < sizeof *problem) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "problem->struct_size = %zu is below %zu", problem->struct_size,
                       sizeof *problem);
    }
    const int kind = (int)problem->pattern.kind;
    if (kind < 0 || kind >= (int)CT_COUNT(makers)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern.kind = %d is outside 0..%d", kind, (int)CT_COUNT(makers) - 1);
    }
    const clattn_status st = check_lists(&problem->pattern);
    if (st != CLATTN_OK) {
        return st;
    }
    /* packed: one layout for the longest sequence; shorter ones use its upper left part */
    ct_pattern_job job = {
        .problem = problem, .allocator = allocator, .nq = problem->nq, .nk = problem->nk, .causal = causal};
    if (problem->sequences > 0) {
        job.nq = problem->max_q ? problem->max_q : problem->nq;
        job.nk = problem->max_k ? problem->max_k : problem->nk;
    }
    return makers[kind](out, &job);
}

/* Packed: every sequence has a diagonal of its own, so only the pattern itself may drop blocks. */
clattn_status clattn_layout_from_problem(clattn_layout **out, const clattn_problem *problem,
                                         const clattn_allocator *allocator)
{
    return make(out, problem, allocator, problem && problem->causal == 1 && problem->sequences == 0);
}

clattn_status ct_layout_whole(clattn_layout **out, const clattn_problem *problem, const clattn_allocator *allocator)
{
    return make(out, problem, allocator, false);
}

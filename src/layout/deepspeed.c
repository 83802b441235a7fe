/* The block patterns of DeepSpeed's sparse attention. Everything counts blocks; [a, b) is half open; nb = n / block.
 *   fixed         windows of `local` blocks; `global` blocks of each, from its end backwards, are seen by later rows
 *   variable      windows of the listed sizes, the last one repeated; global blocks listed; random blocks
 *   bigbird       random blocks, a sliding window, the first `global` rows and columns
 *   bslongformer  a sliding window, listed global rows and columns
 *   sliding       a sliding window
 * attention=uni means blocks up to the row's own: its tokens need causal=1 to be exact. A short last window is made for
 * this n (a fresh layout), not cut out of a longer one.
 * Random blocks: draw i of row r of head h is a hash of (seed, h, r, i), so a layout depends on its seed alone; draws
 * are made distinct by Floyd's method. Heads differ only with per_head=1. */
#include "layout/pattern.h"

#define MOST_BLOCKS (INT32_MAX / 4) /* sums of three block numbers stay in an int */

typedef struct block_job {
    const char *name;
    int nb, local, global, bi, horizontal, patterns, random, sliding, heads;
    uint64_t seed;
    int n_windows, n_indices, n_ends;
    const int *windows, *indices, *ends;
} block_job;

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* job->random distinct columns of [0, range) into an empty row. */
static void add_random(const block_job *job, int head, int row, int range, ct_row *bits)
{
    const uint64_t key = mix(mix(job->seed) ^ ((uint64_t)head << 32 | (uint64_t)row));
    for (int i = range - job->random; i < range; i++) {
        const uint64_t draw = mix(key ^ (uint64_t)(i - range + job->random)) >> 32;
        const int64_t at = (int64_t)(draw * (uint64_t)(i + 1) >> 32);
        const int64_t col = ct_row_has(bits, at) ? i : at;
        ct_row_add(bits, col, col + 1);
    }
}

static void fixed_row(const void *what, int head, int row, ct_row *bits)
{
    const block_job *job = what;
    const int nb = job->nb, local = job->local, global = job->global;
    const int window = row - row % local, whole = nb - nb % local;
    ct_row_add(bits, window, job->bi ? window + local : row + 1);
    const int first = local - (1 + head % job->patterns) * global;
    bool across = false;
    for (int i = first; i < whole && (job->bi || i <= row); i += local) {
        ct_row_add(bits, i, i + global);
        across |= row >= i && row < i + global;
    }
    if (whole < nb) {
        int last = (int)ct_min((int64_t)whole + first, nb - global);
        if (last < 0) { /* global > nb: the original's negative index counts from the end */
            last = (int)ct_max(0, last + nb);
        }
        if (job->bi || last <= row) {
            ct_row_add(bits, last, last + global);
        }
        across |= row >= last && row < last + global;
    }
    if (job->horizontal && across) {
        ct_row_add(bits, 0, nb);
    }
}

static void window_of(const block_job *job, int row, int64_t *start, int64_t *end)
{
    *start = 0;
    for (int i = 0; i < job->n_windows; i++) {
        *end = *start + job->windows[i];
        if (row < *end) {
            return;
        }
        *start = *end;
    }
    const int size = job->windows[job->n_windows - 1];
    *start += (row - *start) / size * size;
    *end = *start + size;
}

static int64_t index_end(const block_job *job, int i)
{
    return job->n_ends ? job->ends[i] : (int64_t)job->indices[i] + 1;
}

static void variable_row(const void *what, int head, int row, ct_row *bits)
{
    const block_job *job = what;
    int64_t start, end;
    add_random(job, head, row, job->nb, bits);
    window_of(job, row, &start, &end);
    ct_row_add(bits, start, job->bi ? end : row + 1);
    for (int i = 0; i < job->n_indices; i++) {
        start = job->indices[i];
        end = index_end(job, i);
        if (job->bi || row >= start) {
            ct_row_add(bits, start, end);
        }
        if (job->horizontal && row >= start && row < end) {
            ct_row_add(bits, 0, job->nb);
        }
    }
}

static void add_sliding(const block_job *job, int row, int limit, ct_row *bits)
{
    const int64_t reach = job->sliding / 2;
    ct_row_add(bits, row - reach, ct_min(row + reach + 1, limit));
}

static void bigbird_row(const void *what, int head, int row, ct_row *bits)
{
    const block_job *job = what;
    const int limit = job->bi ? job->nb : row + 1;
    add_random(job, head, row, limit, bits);
    add_sliding(job, row, limit, bits);
    ct_row_add(bits, 0, row < job->global ? limit : ct_min(job->global, limit));
}

static void bslongformer_row(const void *what, int head, int row, ct_row *bits)
{
    const block_job *job = what;
    const int limit = job->bi ? job->nb : row + 1;
    (void)head;
    add_sliding(job, row, limit, bits);
    for (int i = 0; i < job->n_indices; i++) {
        const int64_t start = job->indices[i], end = index_end(job, i);
        const bool whole = row >= start && row < end;
        ct_row_add(bits, whole ? 0 : start, whole ? limit : ct_min(end, limit));
    }
}

static void sliding_row(const void *what, int head, int row, ct_row *bits)
{
    const block_job *job = what;
    (void)head;
    add_sliding(job, row, job->bi ? job->nb : row + 1, bits);
}

static clattn_status check_square(const char *name, const ct_pattern_job *from)
{
    const clattn_problem *problem = from->problem;
    if (from->nq != from->nk || problem->block_q != problem->block_k) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "pattern=%s: nq = %lld, nk = %lld, block = %dx%d must be square: nq = nk and one block size",
                       name, (long long)from->nq, (long long)from->nk, problem->block_q, problem->block_k);
    }
    if (problem->block_q < 1 || from->nq < 1 || from->nq % problem->block_q) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: n = %lld must be a positive multiple of block = %d", name,
                       (long long)from->nq, problem->block_q);
    }
    return ct_pattern_bound(name, "number of blocks", from->nq / problem->block_q, 1, MOST_BLOCKS);
}

/* Reads every parameter that any of the patterns has; each maker checks those that it uses. */
static clattn_status read_job(block_job *job, const char *name, const ct_pattern_job *from, int bi_by_default)
{
    static const int window[] = {4}, index[] = {0};
    const clattn_pattern *pattern = &from->problem->pattern;
    clattn_status st = check_square(name, from);
    if (st != CLATTN_OK) {
        return st;
    }
    *job = (block_job){
        .name = name,
        .nb = (int)(from->nq / from->problem->block_q),
        .local = ct_pattern_value(pattern->local, 4),
        .global = ct_pattern_value(pattern->global, 1),
        .bi = ct_pattern_value(pattern->bidirectional, bi_by_default),
        .horizontal = ct_pattern_value(pattern->horizontal, 0),
        .patterns = ct_pattern_value(pattern->patterns, 1),
        .random = ct_pattern_value(pattern->random, pattern->kind == CLATTN_PATTERN_BIGBIRD),
        .sliding = ct_pattern_value(pattern->sliding, 3),
        .heads = pattern->per_head == 1 ? (int)ct_min(from->problem->hq, INT32_MAX) : 1,
        .seed = pattern->seed == -1 ? 0 : (uint64_t)pattern->seed,
        .n_windows = pattern->n_windows ? pattern->n_windows : 1,
        .windows = pattern->n_windows ? pattern->windows : window,
        .n_indices = pattern->n_indices ? pattern->n_indices : 1,
        .indices = pattern->n_indices ? pattern->indices : index,
        .n_ends = pattern->n_ends,
        .ends = pattern->ends,
    };
    st = ct_pattern_bound(name, "attention (0: uni, 1: bi)", job->bi, 0, 1);
    if (st == CLATTN_OK) {
        st = ct_pattern_bound(name, "per_head", ct_pattern_value(pattern->per_head, 0), 0, 1);
    }
    return st;
}

static clattn_status check_horizontal(const block_job *job)
{
    if (job->horizontal == 1 && !job->bi) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: horizontal = 1 needs attention=bi", job->name);
    }
    return ct_pattern_bound(job->name, "horizontal", job->horizontal, 0, 1);
}

static clattn_status check_indices(const block_job *job)
{
    clattn_status st = CLATTN_OK;
    if (job->n_ends && job->n_ends != job->n_indices) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: ends has %d entries and indices %d; they must be as many",
                       job->name, job->n_ends, job->n_indices);
    }
    for (int i = 0; i < job->n_indices && st == CLATTN_OK; i++) {
        st = ct_pattern_bound(job->name, "entry of indices", job->indices[i], 0, INT32_MAX);
        if (st == CLATTN_OK && job->n_ends && job->indices[i] >= job->ends[i]) {
            st =
                ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: entry %d of indices = %d must be below that of ends = %d",
                        job->name, i, job->indices[i], job->ends[i]);
        }
    }
    return st;
}

static clattn_status make(clattn_layout **out, const ct_pattern_job *from, const block_job *job, int distinct,
                          ct_row_maker *row)
{
    const clattn_problem *problem = from->problem;
    clattn_layout *layout = NULL;
    clattn_status st =
        ct_layout_new(&layout, job->heads, from->nq, from->nk, problem->block_q, problem->block_k, from->allocator);
    if (st == CLATTN_OK) {
        st = ct_layout_fill(layout, distinct, row, job);
    }
    if (st != CLATTN_OK) {
        clattn_layout_release(layout);
        return st;
    }
    *out = layout;
    return CLATTN_OK;
}

clattn_status ct_pattern_fixed(clattn_layout **out, const ct_pattern_job *from)
{
    clattn_status st = CLATTN_OK;
    block_job job;
    CT_TRY(read_job(&job, "fixed", from, 1));
    CT_TRY(ct_pattern_bound("fixed", "local", job.local, 1, MOST_BLOCKS));
    CT_TRY(ct_pattern_bound("fixed", "global", job.global, 1, job.local));
    CT_TRY(check_horizontal(&job));
    if (job.local % job.global) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "pattern=fixed: local = %d must be a multiple of global = %d", job.local,
                job.global);
    }
    CT_TRY(ct_pattern_bound("fixed", "patterns", job.patterns, 1, job.local / job.global));
    if (job.patterns > 1 && from->problem->pattern.per_head != 1) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "pattern=fixed: patterns = %d is above 1 and needs per_head=1", job.patterns);
    }
    CT_TRY(make(out, from, &job, job.patterns, fixed_row));
out:
    return st;
}

clattn_status ct_pattern_variable(clattn_layout **out, const ct_pattern_job *from)
{
    clattn_status st = CLATTN_OK;
    block_job job;
    CT_TRY(read_job(&job, "variable", from, 1));
    CT_TRY(ct_pattern_bound("variable", "random", job.random, 0, job.nb));
    for (int i = 0; i < job.n_windows; i++) {
        CT_TRY(ct_pattern_bound("variable", "entry of windows", job.windows[i], 1, INT32_MAX));
    }
    CT_TRY(check_indices(&job));
    CT_TRY(check_horizontal(&job));
    CT_TRY(make(out, from, &job, job.random ? job.heads : 1, variable_row));
out:
    return st;
}

clattn_status ct_pattern_bigbird(clattn_layout **out, const ct_pattern_job *from)
{
    clattn_status st = CLATTN_OK;
    block_job job;
    CT_TRY(read_job(&job, "bigbird", from, 1));
    CT_TRY(ct_pattern_bound("bigbird", "random", job.random, 0, job.nb));
    CT_TRY(ct_pattern_bound("bigbird", "sliding", job.sliding, 0, job.nb));
    CT_TRY(ct_pattern_bound("bigbird", "global", job.global, 0, job.nb));
    if (!job.bi) { /* row 0 has one block to draw from */
        CT_TRY(ct_pattern_bound("bigbird attention=uni", "random", job.random, 0, 1));
    }
    CT_TRY(make(out, from, &job, job.random ? job.heads : 1, bigbird_row));
out:
    return st;
}

clattn_status ct_pattern_bslongformer(clattn_layout **out, const ct_pattern_job *from)
{
    clattn_status st = CLATTN_OK;
    block_job job;
    CT_TRY(read_job(&job, "bslongformer", from, 1));
    CT_TRY(ct_pattern_bound("bslongformer", "sliding", job.sliding, 0, INT32_MAX));
    CT_TRY(check_indices(&job));
    CT_TRY(make(out, from, &job, 1, bslongformer_row));
out:
    return st;
}

clattn_status ct_pattern_sliding(clattn_layout **out, const ct_pattern_job *from)
{
    clattn_status st = CLATTN_OK;
    block_job job;
    CT_TRY(read_job(&job, "sliding", from, 0));
    CT_TRY(ct_pattern_bound("sliding", "sliding", job.sliding, 0, INT32_MAX));
    job.heads = 1;
    CT_TRY(make(out, from, &job, 1, sliding_row));
out:
    return st;
}

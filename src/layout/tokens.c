/* Patterns that are exact to the token: a rule a head and flags a position say which pairs count, and the lists hold
 * the blocks with at least one such pair (none beyond the diagonal if the problem is causal). p = i + nk - nq.
 *   - window: the problem's window. Its own mask makes it exact, so there is no rule.
 *   - longformer: `window` = L,R counts keys on each side, `dilation` tokens apart; the tokens in `indices` see every
 *     key and are seen by every query.
 *   - samples: the window, and `samples` keys (or those in `indices`) that every query sees.
 *   - strided: Sparse Transformer with stride l. Even heads see |p - j| < l, odd heads (p - j) % l = 0. With
 *     global = c > 0 its fixed form: even heads see their own chunk of l keys, odd heads themselves and the last c keys
 *     of every chunk. attention=uni, the default, sees no later key.
 * The windows of longformer and samples are part of the rule: the problem's window must not be applied again. */
#include "layout/pattern.h"

#include <string.h>

typedef struct token_job {
    const clattn_layout *layout;
    const ct_rule *rules;
    bool causal;
    int n_seen; /* blocks with keys that every query sees: column, and first such position */
    int32_t *seen, *first;
} token_job;

/* Positions first..last meet keys key0..key1 at distances that are multiples of the dilation. Each distance d shows
 * them the keys first-d..last-d; those runs join if they are as long as the dilation. */
static void add_reach(const token_job *job, const ct_rule *rule, int64_t first, int64_t last, int64_t key0,
                      int64_t key1, ct_row *bits)
{
    const int64_t block = job->layout->block_k, step = ct_max(rule->dilation, 1);
    int64_t low = first - key1, high = last - key0;
    if (rule->left >= 0) {
        high = ct_min(high, rule->left);
    }
    if (rule->right >= 0) {
        low = ct_max(low, -(int64_t)rule->right);
    }
    if (job->causal) {
        low = ct_max(low, 0);
    }
    low = low > 0 ? ct_round_up(low, step) : -(-low / step * step);
    high = high < 0 ? -ct_round_up(-high, step) : high / step * step;
    const bool joined = step <= last - first + 1;
    for (int64_t near = low; near <= high; near += step) {
        const int64_t far = joined ? high : near;
        ct_row_add(bits, ct_max(first - far, key0) / block, ct_min(last - near, key1) / block + 1);
        near = far;
    }
}

static void add_chunks(const token_job *job, const ct_rule *rule, int64_t first, int64_t last, ct_row *bits)
{
    const int64_t size = rule->chunk, nk = job->layout->nk;
    if (last <= -size) {
        return;
    }
    for (int64_t chunk = ct_max(first / size, 0); chunk <= last / size; chunk++) {
        const int64_t key0 = chunk * size, from = chunk ? key0 : 1 - size; /* p / chunk is cut towards 0 */
        add_reach(job, rule, ct_max(first, from), ct_min(last, key0 + size - 1), key0, ct_min(key0 + size, nk) - 1,
                  bits);
    }
}

static void add_flagged(const token_job *job, int64_t first, int64_t last, ct_row *bits)
{
    const clattn_layout *layout = job->layout;
    for (int i = 0; i < job->n_seen && (!job->causal || job->first[i] <= last); i++) {
        ct_row_add(bits, job->seen[i], (int64_t)job->seen[i] + 1);
    }
    for (int64_t place = last; place >= first; place--) {
        if (layout->flags[ct_min(ct_max(place, 0), layout->nk - 1)] & 2) {
            if (!job->causal) {
                ct_row_add(bits, 0, bits->cols);
            } else if (place >= 0) {
                ct_row_add(bits, 0, place / layout->block_k + 1);
            }
            return;
        }
    }
}

static void token_row(const void *what, int head, int row, ct_row *bits)
{
    const token_job *job = what;
    const clattn_layout *layout = job->layout;
    const ct_rule *rule = &job->rules[head];
    const int64_t query = (int64_t)row * layout->block_q, shift = layout->nk - layout->nq;
    const int64_t first = query + shift, last = ct_min(query + layout->block_q, layout->nq) - 1 + shift;
    if (rule->chunk > 0) {
        add_chunks(job, rule, first, last, bits);
    } else {
        add_reach(job, rule, first, last, 0, layout->nk - 1, bits);
    }
    if (rule->use_flags) {
        add_flagged(job, first, last, bits);
    }
}

static clattn_status collect_seen(token_job *job)
{
    const clattn_layout *layout = job->layout;
    if (!layout->flags) {
        return CLATTN_OK;
    }
    job->seen = ct_alloc_array(&layout->allocator, (size_t)layout->cols, sizeof *job->seen);
    job->first = ct_alloc_array(&layout->allocator, (size_t)layout->cols, sizeof *job->first);
    if (!job->seen || !job->first) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the global keys of a layout");
    }
    for (int64_t key = 0; key < layout->nk; key++) {
        const int32_t col = (int32_t)(key / layout->block_k);
        if ((layout->flags[key] & 1) && (!job->n_seen || job->seen[job->n_seen - 1] != col)) {
            job->seen[job->n_seen] = col;
            job->first[job->n_seen++] = (int32_t)key;
        }
    }
    return CLATTN_OK;
}

/* The lists of a layout whose rules and flags are there; `rules` are the layout's own unless it has none. */
static clattn_status fill(clattn_layout *layout, const ct_pattern_job *from, const ct_rule *rules, int distinct)
{
    clattn_status st = CLATTN_OK;
    token_job job = {.layout = layout, .rules = rules, .causal = from->causal};
    CT_TRY(collect_seen(&job));
    CT_TRY(ct_layout_fill(layout, (int)ct_min(distinct, layout->heads), token_row, &job));
out:
    ct_release(&layout->allocator, job.first);
    ct_release(&layout->allocator, job.seen);
    return st;
}

static clattn_status new_layout(clattn_layout **out, const ct_pattern_job *from, int heads, bool rules, bool flags)
{
    const clattn_problem *problem = from->problem;
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    CT_TRY(ct_layout_new(&layout, heads, from->nq, from->nk, problem->block_q, problem->block_k, from->allocator));
    if (rules) {
        layout->rules = ct_alloc_array(from->allocator, (size_t)heads, sizeof *layout->rules);
    }
    if (flags) {
        layout->flags = ct_alloc(from->allocator, (size_t)from->nk);
    }
    if ((rules && !layout->rules) || (flags && !layout->flags)) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the rules of %d heads and %lld keys", heads,
                (long long)from->nk);
    }
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

/* One side of a window in tokens; what reaches beyond every position is unlimited. */
static clattn_status read_side(const char *name, int64_t keys, int dilation, int32_t *side)
{
    if (keys < -1) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "pattern=%s: window = %lld must be at least -1, unlimited", name,
                       (long long)keys);
    }
    *side = keys == -1 || keys > INT32_MAX / dilation ? -1 : (int32_t)(keys * dilation);
    return CLATTN_OK;
}

static clattn_status read_window(const char *name, const clattn_problem *problem, int dilation, ct_rule *rule)
{
    clattn_status st = ct_pattern_bound(name, "dilation", dilation, 1, INT32_MAX);
    if (st == CLATTN_OK) {
        st = read_side(name, problem->window_left, dilation, &rule->left);
    }
    if (st == CLATTN_OK) {
        st = read_side(name, problem->window_right, dilation, &rule->right);
    }
    rule->dilation = dilation;
    return st;
}

static clattn_status flag_indices(const char *name, const clattn_pattern *pattern, clattn_layout *layout, uint8_t flag)
{
    for (int i = 0; i < pattern->n_indices; i++) {
        const clattn_status st = ct_pattern_bound(name, "entry of indices", pattern->indices[i], 0, layout->nk - 1);
        if (st != CLATTN_OK) {
            return st;
        }
        layout->flags[pattern->indices[i]] |= flag;
    }
    return CLATTN_OK;
}

clattn_status ct_pattern_window(clattn_layout **out, const ct_pattern_job *from)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    ct_rule rule = {0};
    CT_TRY(read_window("window", from->problem, 1, &rule));
    CT_TRY(new_layout(&layout, from, 1, false, false));
    CT_TRY(fill(layout, from, &rule, 1));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

clattn_status ct_pattern_longformer(clattn_layout **out, const ct_pattern_job *from)
{
    const clattn_pattern *pattern = &from->problem->pattern;
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    ct_rule rule = {.use_flags = pattern->n_indices > 0};
    CT_TRY(read_window("longformer", from->problem, ct_pattern_value(pattern->dilation, 1), &rule));
    CT_TRY(new_layout(&layout, from, 1, true, rule.use_flags));
    CT_TRY(flag_indices("longformer", pattern, layout, 3));
    layout->rules[0] = rule;
    layout->windowed = true;
    CT_TRY(fill(layout, from, layout->rules, 1));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

static clattn_status flag_samples(const clattn_problem *problem, clattn_layout *layout)
{
    clattn_status st = ct_pattern_bound("samples", "samples", problem->samples, 0, layout->nk);
    int32_t *positions = NULL;
    CT_TRY(st);
    positions = ct_alloc_array(&layout->allocator, (size_t)problem->samples, sizeof *positions);
    if (!positions) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %lld sample positions", (long long)problem->samples);
    }
    ct_sample_positions(problem->spacing, problem->samples, layout->nk, positions);
    for (int64_t i = 0; i < problem->samples; i++) {
        layout->flags[positions[i]] |= 1;
    }
out:
    ct_release(&layout->allocator, positions);
    return st;
}

clattn_status ct_pattern_samples(clattn_layout **out, const ct_pattern_job *from)
{
    const clattn_problem *problem = from->problem;
    const clattn_pattern *pattern = &problem->pattern;
    const bool given = problem->spacing == CLATTN_SPACING_GIVEN || (pattern->n_indices && problem->samples == 0);
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    ct_rule rule = {.use_flags = 1};
    CT_TRY(read_window("samples", problem, 1, &rule));
    if ((pattern->n_indices || given) && problem->samples && problem->samples != (given ? pattern->n_indices : 0)) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "pattern=samples: samples = %lld, but indices gives %d positions%s",
                (long long)problem->samples, pattern->n_indices, given ? "" : " (which needs spacing=given)");
    }
    CT_TRY(new_layout(&layout, from, 1, true, true));
    CT_TRY(given ? flag_indices("samples", pattern, layout, 1) : flag_samples(problem, layout));
    layout->rules[0] = rule;
    layout->windowed = true;
    CT_TRY(fill(layout, from, layout->rules, 1));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

static clattn_status check_strided(const clattn_problem *problem, int stride, int global, int bi)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(ct_pattern_bound("strided", "stride", stride, 1, INT32_MAX));
    CT_TRY(ct_pattern_bound("strided", "global", global, 0, stride));
    CT_TRY(ct_pattern_bound("strided", "attention (0: uni, 1: bi)", bi, 0, 1));
    CT_TRY(ct_pattern_bound("strided", "hq", problem->hq, 1, INT32_MAX - 1));
    if (global && !bi &&
        problem->causal != 1) { /* flagged keys are seen from both sides: only the causal mask hides them */
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "pattern=strided: global = %d with attention=uni needs causal=1", global);
    }
out:
    return st;
}

clattn_status ct_pattern_strided(clattn_layout **out, const ct_pattern_job *from)
{
    const clattn_problem *problem = from->problem;
    const clattn_pattern *pattern = &problem->pattern;
    const int stride = ct_pattern_value(pattern->stride, 128), global = ct_pattern_value(pattern->global, 0);
    const int bi = ct_pattern_value(pattern->bidirectional, 0);
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    CT_TRY(check_strided(problem, stride, global, bi));
    CT_TRY(new_layout(&layout, from, (int)problem->hq, true, global > 0));
    const ct_rule strided[] = {{.left = stride - 1, .right = bi ? stride - 1 : 0, .dilation = 1},
                               {.left = -1, .right = bi ? -1 : 0, .dilation = stride}};
    const ct_rule fixed[] = {{.left = -1, .right = bi ? -1 : 0, .dilation = 1, .chunk = stride},
                             {.left = 0, .right = 0, .dilation = 1, .use_flags = 1}};
    for (int head = 0; head < layout->heads; head++) {
        layout->rules[head] = global ? fixed[head % 2] : strided[head % 2];
    }
    for (int64_t key = 0; global && key < layout->nk; key++) {
        layout->flags[key] = key % stride >= stride - global;
    }
    CT_TRY(fill(layout, from, layout->rules, 2));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

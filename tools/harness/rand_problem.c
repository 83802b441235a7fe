#include "harness/rand_problem.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/check.h"
#include "harness/random.h"
#include "harness/texts.h"
#include "plan/method.h"
#include "plan/keys.h"

#define TRIES     2000
#define WORK      5e7  /* multiplications of one reference */
#define LONG_WORK 1e9  /* of a long one, of which rows are sampled */
#define SHORT     1000 /* the longest of `lengths` */
#define SQUARE    2500 /* the most tokens of a long problem in which each may see each */

/* Lengths and widths that caught somebody's bug; the first ones come often. */
static const int64_t lengths[] = {64,  128, 65,  63,  1,   15,  16,  17,  31, 100, 111, 113, 127,
                                  129, 203, 217, 256, 300, 500, 513, 255, 3,  2,   40,  1000};
static const int64_t widths[] = {64, 64, 64, 128, 128, 32,  16,  1,   3,   40, 59,
                                 60, 72, 80, 96,  100, 111, 160, 192, 224, 256};
static const double far_scales[] = {1e-38, 1e-30, -1e-30, 1e-10, 1e4, 1e8, -1e8, 1e15};
static const int blocks[] = {16, 32, 64, 64, 128, 24, 48};

#define PICK(random, array) (array)[ct_random_int(random, 0, (int64_t)CT_COUNT(array) - 1)]

static void draw_sizes(clattn_problem *p, const ct_method *method, ct_random *r)
{
    p->b = ct_random_int(r, 1, 3);
    p->hk = ct_random_int(r, 1, 3);
    p->hq = p->hk * (ct_random_chance(r, 0.5) ? 1 : ct_random_int(r, 2, 8));
    p->nq = p->nk = PICK(r, lengths);
    p->dqk = p->dv = PICK(r, widths);
    if (ct_random_chance(r, 0.3)) {
        p->nk = PICK(r, lengths);
    }
    if (ct_random_chance(r, 0.3)) {
        p->dv = PICK(r, widths);
    }
    p->dtype = (clattn_dtype)ct_random_int(r, CLATTN_F32, CLATTN_BF16);
    p->kv_dtype =
        (clattn_storage)(ct_random_chance(r, 0.15) ? ct_random_int(r, CLATTN_AS_F32, CLATTN_AS_BF16) : CLATTN_AS_DTYPE);
    p->layout = (clattn_order)ct_random_int(r, CLATTN_BHND, CLATTN_BNHD);
    if (ct_random_chance(r, 0.15)) {
        p->pass = CLATTN_DECODE;
        p->nq = ct_random_int(r, 1, 4);
        p->nk = method->linear && !method->softmax ? p->nq : p->nk;
    }
    if (p->pass == CLATTN_FWD && method->build[CLATTN_BWD] && ct_random_chance(r, 0.4)) {
        p->pass = CLATTN_BWD;
    }
    if (ct_random_chance(r, 0.15)) {
        p->b = 1;
        p->sequences = ct_random_int(r, 1, 5);
        p->max_q = ct_random_chance(r, 0.5) ? ct_min(p->nq, (p->nq + p->sequences - 1) / p->sequences * 2) : 0;
        p->max_k = p->nk == p->nq ? p->max_q : 0;
    }
}

/* A few tokens against a long cache, or a sequence of many chunks, parts and tiles: counters and sums that a short one
 * never fills. */
static void draw_long(clattn_problem *p, const ct_method *method, ct_random *r)
{
    const bool recurrent = method->linear && !method->softmax, cache = !recurrent && ct_random_chance(r, 0.5);
    p->b = 1;
    p->hk = ct_random_int(r, 1, 2);
    p->hq = p->hk * ct_random_int(r, 1, 2);
    p->nk = recurrent || cache ? ct_random_int(r, 5000, 40000) : ct_random_int(r, 1200, SQUARE);
    p->nq = cache ? ct_random_int(r, 1, 4) : p->nk;
    p->pass = cache && ct_random_chance(r, 0.5) ? CLATTN_DECODE : CLATTN_FWD;
    p->max_q = p->max_k = 0;
}

static void draw_scores(clattn_problem *p, ct_random *r)
{
    p->causal = (int)ct_random_int(r, -1, 1);
    if (ct_random_chance(r, 0.25)) {
        p->window_left = ct_random_int(r, -1, 70);
        p->window_right = ct_random_int(r, -1, 40);
    }
    p->softcap = ct_random_chance(r, 0.15) ? (ct_random_chance(r, 0.5) ? 30.0 : 2.5) : 0.0;
    p->alibi = ct_random_chance(r, 0.2) ? (int)ct_random_int(r, 1, 2) : 0;
    p->sink = ct_random_chance(r, 0.15);
    p->tf32 = p->dtype == CLATTN_F32 && ct_random_chance(r, 0.15);
    p->key_padding = ct_random_chance(r, 0.15);
    p->deterministic = !ct_random_chance(r, 0.15);
    if (ct_random_chance(r, 0.15)) {
        p->bias = 1;
        p->bias_b = ct_random_chance(r, 0.5);
        p->bias_h = ct_random_chance(r, 0.5);
    }
}

static void draw_linear(clattn_problem *p, ct_random *r)
{
    p->causal = ct_random_chance(r, 0.25) ? 0 : (int)ct_random_int(r, -1, 1);
    p->decay = (clattn_decay)ct_random_int(r, CLATTN_DECAY_NONE, CLATTN_DECAY_TOKEN);
    p->decay_value = p->decay == CLATTN_DECAY_NUMBER ? -0.01 * (double)ct_random_int(r, 0, 200) : 0.0;
    if (p->decay == CLATTN_DECAY_MINIMAX || p->decay == CLATTN_DECAY_FLA) {
        p->decay_layers = (int)ct_random_int(r, 1, 80);
        p->decay_layer = (int)ct_random_int(r, 0, p->decay_layers - 1);
    }
    p->state = ct_random_chance(r, 0.4);
    p->ddecay = p->pass == CLATTN_BWD && p->decay != CLATTN_DECAY_NONE && ct_random_chance(r, 0.4);
    p->feature = (clattn_feature)ct_random_int(r, CLATTN_IDENTITY, CLATTN_SOFTMAX);
    /* sums of weights of either sign come near 0, where nobody is accurate */
    const int positive = p->feature == CLATTN_ELU || p->feature == CLATTN_SOFTMAX;
    p->normalise = positive && ct_random_chance(r, 0.5);
    p->chunk = ct_random_chance(r, 0.2) ? 16 << ct_random_int(r, 0, 3) : 0;
}

/* An ascending list below `end`. */
static int draw_list(int *list, int longest, int64_t end, ct_random *r)
{
    int n = 0;
    for (int64_t at = ct_random_int(r, 0, 2); at < end && n < longest; at += ct_random_int(r, 1, ct_max(1, end / 3))) {
        list[n++] = (int)at;
    }
    return n;
}

static void draw_deepspeed(clattn_pattern *s, int64_t cols, ct_random *r)
{
    s->bidirectional = ct_random_chance(r, 0.5) ? (int)ct_random_int(r, 0, 1) : -1;
    s->per_head =
        s->kind != CLATTN_PATTERN_SLIDING && ct_random_chance(r, s->kind == CLATTN_PATTERN_FIXED ? 0.6 : 0.3) ? 1 : -1;
    if (s->kind == CLATTN_PATTERN_FIXED) {
        s->global = (int)ct_random_int(r, 1, 3);
        s->local = s->global * (int)ct_random_int(r, 1, 3);
        s->patterns =
            s->per_head == 1 && ct_random_chance(r, 0.8) ? (int)ct_random_int(r, 1, s->local / s->global) : -1;
        s->horizontal = ct_random_chance(r, 0.3) ? 1 : -1;
    }
    if (s->kind == CLATTN_PATTERN_VARIABLE) {
        s->n_windows = ct_random_chance(r, 0.5) ? (int)ct_random_int(r, 1, 3) : 0;
        for (int i = 0; i < s->n_windows; i++) {
            s->windows[i] = (int)ct_random_int(r, 1, 4);
        }
        s->horizontal = ct_random_chance(r, 0.3) ? 1 : -1;
    }
    if (s->kind == CLATTN_PATTERN_BIGBIRD) {
        s->global = (int)ct_random_int(r, 0, 2);
    }
    if ((s->kind == CLATTN_PATTERN_VARIABLE || s->kind == CLATTN_PATTERN_BSLONGFORMER) && ct_random_chance(r, 0.5)) {
        s->n_indices = draw_list(s->indices, 3, cols, r);
        if (ct_random_chance(r, 0.4)) {
            s->n_ends = s->n_indices;
            for (int i = 0; i < s->n_ends; i++) {
                s->ends[i] = s->indices[i] + 1;
            }
        }
    }
    if (s->kind == CLATTN_PATTERN_VARIABLE || s->kind == CLATTN_PATTERN_BIGBIRD) {
        s->random = (int)ct_random_int(r, 0, 2);
        s->seed = ct_random_int(r, 0, 1000);
    }
    if (s->kind >= CLATTN_PATTERN_BIGBIRD) {
        s->sliding = ct_random_chance(r, 0.5) ? (int)ct_random_int(r, 1, 5) : -1;
    }
}

/* DeepSpeed's patterns are square, of whole blocks. */
static void draw_square(clattn_problem *p, ct_random *r)
{
    static const int few[] = {16, 16, 32, 64};
    p->block_q = p->block_k = PICK(r, few);
    p->nq = p->nk = p->block_q * (p->nk > SHORT ? ct_min(p->nk, SQUARE) / p->block_q : ct_random_int(r, 1, 10));
    p->max_q = p->max_k = 0;
    p->pass = p->pass == CLATTN_DECODE ? CLATTN_FWD : p->pass;
}

static void draw_pattern(clattn_problem *p, ct_random *r)
{
    clattn_pattern *s = &p->pattern;
    p->block_q = PICK(r, blocks);
    p->block_k = ct_random_chance(r, 0.7) ? p->block_q : PICK(r, blocks);
    s->kind = (clattn_pattern_kind)ct_random_int(r, CLATTN_PATTERN_DENSE, CLATTN_PATTERN_SCORES);
    const int64_t cols = (p->nk + p->block_k - 1) / p->block_k;
    switch (s->kind) {
    case CLATTN_PATTERN_FIXED:
    case CLATTN_PATTERN_VARIABLE:
    case CLATTN_PATTERN_BIGBIRD:
    case CLATTN_PATTERN_BSLONGFORMER:
    case CLATTN_PATTERN_SLIDING:
        draw_square(p, r);
        draw_deepspeed(s, p->nk / p->block_k, r);
        break;
    case CLATTN_PATTERN_STRIDED:
        s->stride = (int)ct_random_int(r, 1, 70);
        s->global = ct_random_chance(r, 0.4) ? (int)ct_random_int(r, 1, s->stride) : -1;
        s->bidirectional = ct_random_chance(r, 0.5) ? (int)ct_random_int(r, 0, 1) : -1;
        break;
    case CLATTN_PATTERN_WINDOW:
    case CLATTN_PATTERN_LONGFORMER:
    case CLATTN_PATTERN_SAMPLES:
        p->window_left = ct_random_int(r, 0, 70);
        p->window_right = ct_random_int(r, 0, 40);
        s->dilation =
            s->kind == CLATTN_PATTERN_LONGFORMER && ct_random_chance(r, 0.5) ? (int)ct_random_int(r, 1, 5) : -1;
        s->n_indices =
            s->kind == CLATTN_PATTERN_LONGFORMER && ct_random_chance(r, 0.6) ? draw_list(s->indices, 3, p->nk, r) : 0;
        p->samples = s->kind == CLATTN_PATTERN_SAMPLES ? ct_random_int(r, 0, ct_min(p->nk, 20)) : 0;
        p->spacing = p->samples ? (clattn_spacing)ct_random_int(r, 0, 1) : CLATTN_SPACING_EVEN;
        break;
    case CLATTN_PATTERN_IMAGE:
        s->radius = (int)ct_random_int(r, 0, 2);
        s->tiles_y = (int)ct_random_int(r, 1, 4);
        s->tiles_x = (int)ct_random_int(r, 1, 4);
        p->block_q = p->block_k = 16 * (int)ct_random_int(r, 1, 2);
        p->nq = p->nk = (int64_t)s->tiles_y * s->tiles_x * p->block_q;
        p->sequences = p->max_q = p->max_k = 0;
        break;
    case CLATTN_PATTERN_TABLE:
        s->width = (int)ct_random_int(r, 1, cols);
        s->per_head = ct_random_chance(r, 0.5) ? 1 : -1;
        break;
    case CLATTN_PATTERN_SCORES:
        s->topk = (int)ct_random_int(r, 1, cols);
        p->sequences = p->max_q = p->max_k = 0;
        break;
    case CLATTN_PATTERN_CSR:
    case CLATTN_PATTERN_MASK:
        s->per_head = ct_random_chance(r, 0.5) ? 1 : -1;
        break;
    default:
        break;
    }
}

static void draw_problem(clattn_problem *p, const ct_method *method, bool is_long, ct_random *r)
{
    clattn_problem_init(p);
    snprintf(p->method, sizeof(p->method), "%s", method->name);
    draw_sizes(p, method, r);
    if (is_long) {
        draw_long(p, method, r);
    }
    p->scale = ct_random_chance(r, 0.2) ? (ct_random_chance(r, 0.8) ? 0.25 : -0.125) : NAN;
    if (method->softmax && ct_random_chance(r, 0.08)) {
        p->scale = PICK(r, far_scales);
    }
    if (method->softmax) {
        draw_scores(p, r);
    }
    if (method->linear) {
        draw_linear(p, r);
    }
    if (method->patterned) {
        draw_pattern(p, r);
    }
    if (method->gated) {
        p->gate = (int)ct_random_int(r, 0, 2);
    }
    if (method->sampled) {
        p->samples = ct_random_int(r, 0, ct_min(p->nk, 40));
        p->spacing = (clattn_spacing)ct_random_int(r, CLATTN_SPACING_EVEN, CLATTN_SPACING_GIVEN);
    }
    if (method->linear && method->patterned) {
        p->remaining = ct_random_chance(r, 0.5);
    }
    if (method->linear && method->softmax && p->feature == CLATTN_SILU) {
        p->feature = CLATTN_ELU; /* such a method always normalises */
    }
    if (ct_method_owns(method) & CT_FOR_PARTS) {
        p->parts = p->gate ? 0 : (int)ct_random_int(r, 0, 6);
    }
    if (ct_random_chance(r, 0.15)) {
        p->norm = (clattn_norm)ct_random_int(r, CLATTN_NORM_NONE, CLATTN_NORM_RMS);
        p->residual = p->norm == CLATTN_NORM_NONE || ct_random_chance(r, 0.6);
        p->eps = p->norm && ct_random_chance(r, 0.3) ? 0.01 : NAN;
    }
}

/* Of the reference: pairs of tokens, or a state that every token changes and reads. */
static double work_of(const clattn_problem *p, const ct_method *method)
{
    const double heads = (double)(p->b * p->hq), queries = (double)p->nq, keys = (double)p->nk;
    return p->nk > SHORT && !method->softmax ? heads * keys * 2.0 * (double)p->dqk * (double)p->dv
                                             : heads * queries * keys * (double)(p->dqk + p->dv);
}

/* Legal as a whole: small, its sequences fit, its layout can be made, and its text says the same. */
static bool legal(const clattn_problem *p, const ct_method *method, char *text, size_t bytes, clattn_status *st)
{
    clattn_problem again;
    clattn_layout *layout = NULL;
    const double work = work_of(p, method);
    if (p->pass == CLATTN_BWD && fabs(p->scale) < FLT_MIN && p->scale != 0.0) {
        return false; /* devices may flush it to 0, and dQ and dK with it */
    }
    const bool cramped = p->sequences && ((p->max_q && p->max_q * p->sequences < p->nq) ||
                                          (p->max_k && p->max_k * p->sequences < p->nk));
    if (work > (p->nk > SHORT ? LONG_WORK : WORK) || cramped || clattn_problem_check(p) != CLATTN_OK) {
        return false;
    }
    if (clattn_layout_from_problem(&layout, p, NULL) != CLATTN_OK) {
        return false;
    }
    clattn_layout_release(layout);
    *st = clattn_problem_format(p, text, bytes);
    if (*st == CLATTN_OK && (*st = clattn_problem_parse(&again, text)) == CLATTN_OK &&
        memcmp(p, &again, sizeof(again)) != 0) {
        char other[2048];
        *st = clattn_problem_format(&again, other, sizeof(other));
        if (*st == CLATTN_OK && strcmp(text, other) != 0) {
            *st = ct_fail(CLATTN_INTERNAL, "the text '%s' reads back as '%s'", text, other);
        }
    }
    return true;
}

static ct_inputs draw_inputs(const clattn_problem *p, ct_random *r)
{
    if (fabs(p->scale) > 1e3) { /* a score's last bit would be more than a weight: products are to be exact */
        return CT_INPUTS_WHOLE;
    }
    const ct_inputs inputs =
        ct_random_chance(r, 0.4) ? (ct_inputs)ct_random_int(r, 1, CT_INPUTS_COUNT - 1) : CT_INPUTS_NORMAL;
    /* a norm multiplies by 1 / sqrt(eps) what a device may have flushed to 0 */
    const bool lifted = p->norm != CLATTN_NORM_NONE && p->pass == CLATTN_BWD && inputs == CT_INPUTS_DENORMAL;
    return lifted ? CT_INPUTS_NORMAL : inputs;
}

static uint64_t draw_check(const clattn_problem *p, ct_random *r)
{
    uint64_t seed = (uint64_t)ct_random_int(r, 1, 999999);
    seed |= CT_SEED_INPUTS(draw_inputs(p, r));
    seed |= p->bias && ct_random_chance(r, 0.7) ? CT_SEED_BIAS(ct_random_int(r, 1, CT_MASK_CONSTANTS)) : 0;
    seed |= ct_random_chance(r, 0.15) ? CT_SEED_NAN : 0;
    seed |= p->b * p->hk * p->nk <= 4 ? CT_SEED_FAR : 0;
    seed |= ct_random_chance(r, 0.4) ? CT_SEED_STRIDED : 0;
    seed |= ct_random_chance(r, 0.2) ? CT_SEED_OUT_OF_ORDER : 0;
    seed |= ct_random_chance(r, 0.15) ? CT_SEED_TEXT(ct_random_int(r, 1, ct_text_pairs)) : 0;
    return seed;
}

clattn_status ct_rand_problem(uint64_t seed, uint64_t index, char *text, size_t bytes, uint64_t *check_seed)
{
    ct_random random = ct_random_of(seed, index);
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    if (ct_method_count == 0) {
        return ct_fail(CLATTN_UNSUPPORTED, "this library was built without methods");
    }
    /* both drawn once: what has many rules is not rarer */
    const ct_method *method = ct_methods[ct_random_int(&random, 0, ct_method_count - 1)];
    ct_random length = ct_random_of(seed ^ 0x4c6f6e67, index);
    const bool is_long = ct_random_chance(&length, 0.05);
    for (int i = 0; i < TRIES; i++) {
        draw_problem(&problem, method, is_long, &random);
        if (legal(&problem, method, text, bytes, &st)) {
            *check_seed = draw_check(&problem, &random);
            return st;
        }
    }
    return ct_fail(CLATTN_INTERNAL, "no legal problem among %d random ones (seed %llu, index %llu): %s", TRIES,
                   (unsigned long long)seed, (unsigned long long)index, clattn_error_detail());
}

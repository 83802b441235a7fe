/* What may change a score, and which scores do not count: pure functions on a tile's visit types; -D decides what is
 * in.
 *   x  =  scale q.k  + bias (added by the tile: pair_scale_add),   then soft-cap,   then ALiBi,   then the caller's
 *                                                          text;   masks last.
 * x arrives as score * score_in, and what leaves is taken times score_out: factors folded into those of the softmax. */
#ifndef CAUSAL
#define CAUSAL 0
#endif
#ifndef WINDOW
#define WINDOW 0
#endif
#ifndef SOFTCAP
#define SOFTCAP 0
#endif
#ifndef ALIBI
#define ALIBI 0
#endif
#ifndef BIAS
#define BIAS 0
#endif
#ifndef PADDING
#define PADDING 0
#endif
#ifndef PATTERN
#define PATTERN 0
#endif
#ifndef KEYED /* keys stand at positions[column], not at their column */
#define KEYED 0
#endif
#ifndef SCORE_TEXT /* the caller's: 1 a body, 2 an expression */
#define SCORE_TEXT 0
#endif
#ifndef DSCORE_TEXT /* its derivative, of passes backwards */
#define DSCORE_TEXT 0
#endif
#ifndef MASK_TEXT
#define MASK_TEXT 0
#endif
#ifndef SCALED /* 1: the scale is applied to the score itself (it is not positive) */
#define SCALED 0
#endif
#define SCORES (SOFTCAP || ALIBI || BIAS || SCORE_TEXT || SCALED)
/* score_text has something to do beyond the bias and the scale */
#define TEXTS (SCORES && !(BIAS && !SOFTCAP && !ALIBI && !SCORE_TEXT))
/* reads buffers by row and column: both are kept inside */
#define GATHERS (PADDING || PATTERN || KEYED || SCORE_TEXT || MASK_TEXT)
#define CAP_FOLDED (SOFTCAP && !BIAS && !ALIBI && !SCORE_TEXT && !SCALED)
typedef struct {
    int left, right, dilation, chunk, use_flags, spare[3];
} pattern_rule; /* see pattern.cl */
typedef struct {
    const __global float *bias;
    const __global uchar *padding, *flags;
    const __global int *positions;
    const __global float *buffer; /* the caller's texts */
    long bias_row;
    pattern_rule rule;
    float slope, cap, p[8];
    int shift, left, right, nq, nk, batch, head;
} score_args;
#include "variant/softcap.cl"
#include "variant/alibi.cl"
#include "variant/causal.cl"
#include "variant/window.cl"
#include "variant/padding.cl"
#include "variant/pattern.cl"

/* The caller's texts are bodies of these functions; an expression alone is returned. cl/variant/README.md. */
#define CALLER_P(n) p##n = caller_args->p[n]
#define CALLER_NAMES                                                                                                   \
    const float CALLER_P(0), CALLER_P(1), CALLER_P(2), CALLER_P(3), CALLER_P(4), CALLER_P(5), CALLER_P(6),             \
        CALLER_P(7);                                                                                                   \
    const int batch = caller_args->batch, head = caller_args->head, shift = caller_args->shift;                        \
    const __global float *buffer = caller_args->buffer;
#if SCORE_TEXT
OP VF caller_score(VF score, VI query, VI key, const score_args *caller_args) {
    CALLER_NAMES
#if SCORE_TEXT == 2
    return
#endif
#include "caller_score"
}
#endif
#if DSCORE_TEXT
OP VF caller_dscore(VF dscore, VF score, VI query, VI key, const score_args *caller_args) {
    CALLER_NAMES
#if DSCORE_TEXT == 2
    return
#endif
#include "caller_dscore"
}
#endif
#if MASK_TEXT
OP VI caller_sees(VI query, VI key, const score_args *caller_args) {
    CALLER_NAMES
#if MASK_TEXT == 2
    return
#endif
#include "caller_mask"
}
#endif

OP float score_in(const score_args *a) { return CAP_FOLDED ? 1.0f / a->cap : 1.0f; }
OP float score_out(const score_args *a) { return CAP_FOLDED ? a->cap : 1.0f; }
OP VI key_of(VI col, const score_args *a) { return KEYED ? gather_int(a->positions, (VI)(0), 0, col) : col; }
/* What the caller's score text gets. */
OP VF before_caller(VF x, VI query, VI key, const score_args *a) {
#if SOFTCAP
    x = softcap_text(x, a);
#if !CAP_FOLDED
    x *= a->cap;
#endif
#endif
#if ALIBI
    x -= alibi_text(query + a->shift, key, a);
#endif
    return x;
}
OP VF score_text(VF x, VI query, VI col, const score_args *a) {
    const VI key = key_of(col, a);
    x = before_caller(x, query, key, a);
#if SCORE_TEXT
    x = caller_score(x, query, key, a);
#endif
    return x;
}
/* d is the gradient of score_text's result times score_out: what it is of before_caller's, and what that is of
 * x / score_in. */
OP VF caller_slope(VF d, VF x, VI query, VI col, const score_args *a) {
#if DSCORE_TEXT
    const VI key = key_of(col, a);
    d = caller_dscore(d, before_caller(x, query, key, a), query, key, a);
#endif
    return d;
}
OP VF cap_slope(VF d, VF x, const score_args *a) {
#if SOFTCAP
    const VF capped = softcap_text(x, a);
    d *= (VF)(1.0f) - capped * capped;
#endif
    return d;
}
/* The keys that a query sees by its place alone: from first_seen to last_seen, both inclusive. */
OP VI first_seen(VI place, const score_args *a) {
#if WINDOW
    return window_first(place, a);
#else
    return (VI)(0);
#endif
}
OP VI last_seen(VI place, const score_args *a) {
    VI last = (VI)(0x7fffffff);
#if CAUSAL
    last = min(last, causal_last(place));
#endif
#if WINDOW
    last = min(last, window_last(place, a));
#endif
    return last;
}
/* The queries that see a key by its place alone, a key at nk - nq + `place`. */
OP VI first_seer(VI place, const score_args *a) { return CAUSAL ? place : place - a->right; }
OP VI last_seer(VI place, const score_args *a) { return place + a->left; }
/* What else hides a key. Asked, as the places are, only for the blocks that the list says need it. */
OP VI hidden_text(VI query, VI col, const score_args *a) {
    const VI place = query + a->shift;
    col = min(col, (VI)(a->nk - 1));
    const VI key = key_of(col, a);
    VI hidden = (VI)(0);
#if KEYED
    hidden |= (key < first_seen(place, a)) | (key > last_seen(place, a));
#endif
#if PATTERN
    hidden |= pattern_hides(place, key, a);
#endif
#if PADDING
    hidden |= padding_hides(col, a);
#endif
#if MASK_TEXT
    hidden |= caller_sees(query, key, a) == 0;
#endif
    return hidden;
}

/* The check engine: one problem on a device against the double reference.
 *
 * Rule: largest error <= 2 x (gradients: 3 x) the same-precision peer's (the worse of base e and base 2; at least three
 * times its RMS error) + 1 ulp of the output's scale in its storage type + 3 ulps of float (a peer can be exact by
 * luck), and RMS of the error over RMS of the reference <= 3e-3 bf16, 4e-4 f16, 5e-6 f32 (or 2 x the peer's, where
 * inputs made to be hard put the peer itself outside). LSE: largest error <= 2 x the peer's + 1e-5 (times its scale if
 * that is above 1). Every element must be finite, but for an LSE of -infinity where the reference says so; what
 * overflows the storage type is compared at its end, where infinity is right. With tf32=1 the peers get q, k and v
 * rounded to 10 bits of mantissa, and the limits are those of f16, which has as many: a kernel may be so inexact and
 * need not; likewise floats made of o (gradients of gates) where o is a product of 16-bit operands. A row of which the
 * reference is NaN (CT_SEED_NAN: it sees one) may hold anything.
 * Backwards, O and LSE are inputs like others: the peers, as kernels, take delta and weights from them as they are
 * stored, so that what their rounding costs is in the peers' error, too.
 * Inputs are rounded to the storage type before kernel and reference see them. Outputs and workspace start as NaN,
 * guard bands lie around every buffer, and the padding between strided rows must stay as it was. */
#ifndef CT_CHECK_H
#define CT_CHECK_H

#include <stdbool.h>

#include <clattn/clattn.h>

typedef enum ct_inputs {
    CT_INPUTS_NORMAL = 0,
    CT_INPUTS_SHARP, /* queries times 8: one key takes nearly everything */
    CT_INPUTS_CONSTANT,
    CT_INPUTS_ONE_HOT,
    CT_INPUTS_LARGE, /* near the storage type's comfortable end */
    CT_INPUTS_DENORMAL,
    /* q and k whole numbers times a power of two: exact products, scores as large as they get, ties */
    CT_INPUTS_WHOLE,
    CT_INPUTS_COUNT
} ct_inputs;

/* A seed says everything about a check that the problem's text does not, so that the line
 *   clattn check 'PROBLEM' --seed S
 * repeats it. Its low 32 bits are the random numbers' seed, its high ones: */
#define CT_SEED_INPUTS(inputs) ((uint64_t)(inputs) << 32) /* ct_inputs, 0 ... 7 */
#define CT_SEED_STRIDED        ((uint64_t)1 << 35)        /* gaps between rows and heads, buffers at odd offsets */
#define CT_SEED_OUT_OF_ORDER   ((uint64_t)1 << 36)        /* an out-of-order queue */
#define CT_SEED_TEXT(index)    ((uint64_t)(index) << 37) /* 0: none, 1 ... 7: a pair of texts.h; softmax methods only */
/* 0: none, 1 ... CT_MASK_CONSTANTS: an additive bias holds that constant, too */
#define CT_SEED_BIAS(index) ((uint64_t)(index) << 40)
#define CT_SEED_NAN         ((uint64_t)1 << 44) /* NaN in q and k, and in v behind key padding; softmax methods only */
#define CT_SEED_FAR         ((uint64_t)1 << 45) /* rows of k far apart in memory */
#define CT_SEED_MAX         (((uint64_t)1 << 46) - 1)
#define CT_MASK_CONSTANTS   13 /* what people write for "masked", see inputs.c */

/* Where to run. Everything belongs to the caller. */
typedef struct ct_check_place {
    cl_context cl;
    cl_device_id device;
    clattn_context *context;
} ct_check_place;

typedef struct ct_check_figure {
    bool present;
    double max, rms;           /* largest absolute error; RMS error over RMS reference */
    double peer_max, peer_rms; /* the same-precision peer's */
    double limit_max, limit_rms;
    double scale;  /* largest absolute reference value */
    int64_t worst; /* index of the largest error in the dense reference array */
    int64_t bad;   /* elements that are not finite and should be, or the reverse */
    bool passed;
} ct_check_figure;

typedef struct ct_check_result {
    bool passed;
    ct_check_figure figures[CLATTN_SLOT_COUNT]; /* of the outputs */
    char backend[16];
    char kernel[128];
    char text[512]; /* one line: what is wrong, or "" */
} ct_check_result;

/* Runs one problem. The status tells of failures to run (out of memory, no backend, a build that failed); a wrong
 * result is CLATTN_OK with result->passed = false. layout NULL: the problem's. */
clattn_status ct_check_run(const ct_check_place *place, const clattn_problem *problem, clattn_layout *layout,
                           uint64_t seed, ct_check_result *result);
/* How often once more: plans, and runs of each. */
typedef struct ct_check_again {
    int64_t plans, runs;
} ct_check_again;
/* And then again, with fresh plans, fresh buffers and a poisoned workspace: every bit must be the first run's. A fault
 * that shows itself only while something is new, or now and then, passes the check above. */
clattn_status ct_check_reruns(const ct_check_place *place, const clattn_problem *problem, clattn_layout *layout,
                              uint64_t seed, ct_check_again again, ct_check_result *result);
/* ct_check_run from the problem's text. */
clattn_status ct_check_text(const ct_check_place *place, const char *problem, uint64_t seed, ct_check_result *result);
/* Error, RMS ratio, peer's error and limits of one figure as a line; for the command line and for logs. */
void ct_check_format(const ct_check_result *result, char *text, size_t bytes);

#endif

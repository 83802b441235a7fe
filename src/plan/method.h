/* A method: a short tree of stages and its naive reference. One file a method; the registry is made from the file names
 * (methods/NAME.c defines `const ct_method ct_method_NAME`). */
#ifndef CT_METHOD_H
#define CT_METHOD_H

#include "plan/builder.h"

/* Inputs and outputs of a reference, all double, dense [b, h, n, d] (packed: b = 1). Index by clattn_slot; integers too
 * (cu_seqlens, tables) are given as doubles. NULL: not given. Output arrays are allocated by the caller. */
typedef struct ct_reference_io {
    const double *in[CLATTN_SLOT_COUNT];
    double *out[CLATTN_SLOT_COUNT]; /* NULL: not wanted */
    /* 1: every intermediate is rounded to float: the "same-precision peer" of the tolerance rule; 2: the same with
     * exponents of base 2, as kernels have them (a sum without exponents: as 1) */
    int single;
    bool causal;         /* set by references: what chooses blocks asks */
    const int64_t *rows; /* NULL: every row; else only these rows (b*hq + h)*nq + i are computed, n_rows of them */
    int64_t n_rows;
    /* the caller's texts as C, for tests; NULL: none */
    double (*score)(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                    const double *buffer);
    double (*dscore)(double d, double x, int batch, int head, int64_t query, int64_t key, const double *params,
                     const double *buffer);
    int (*hidden)(int batch, int head, int64_t query, int64_t key, const double *params, const double *buffer);
} ct_reference_io;

typedef struct ct_method {
    const char *name;
    const char *text;                                      /* one line for --help */
    bool softmax;                                          /* scores keys apply (causal default 0, scale 1/sqrt(d)) */
    bool linear;                                           /* decay, state, chunk apply (causal default 1, scale 1) */
    bool mapped;                                           /* takes feature and normalise */
    bool patterned;                                        /* takes a layout; without a pattern: dense */
    bool gated;                                            /* takes gate, GATE */
    bool sampled;                                          /* takes samples, spacing, POSITIONS */
    bool merges;                                           /* takes parts, O_PARTS, LSE_PARTS; no keys, no values */
    clattn_status (*check)(const clattn_problem *problem); /* NULL: nothing of its own */
    /* by clattn_pass; NULL: the method has no such pass */
    clattn_status (*build[3])(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
    clattn_status (*reference)(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                               const clattn_allocator *allocator);
} ct_method;

extern const ct_method *const ct_methods[]; /* generated, sorted by name */
extern const int ct_method_count;
const ct_method *ct_method_find(const char *name);

#endif

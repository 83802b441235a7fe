/* Score and mask texts, and derivatives, with their meaning in C, for checks. */
#ifndef CT_TEXTS_H
#define CT_TEXTS_H

#include <stdint.h>

typedef struct ct_text_pair {
    const char *name;
    const char *score_text, *dscore_text, *mask_text; /* OpenCL C; NULL: none */
    double params[8];
    int64_t buffer; /* floats in slot TEXT_BUFFER; 0: not read */
    double (*score)(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                    const double *buffer);
    double (*dscore)(double d, double x, int batch, int head, int64_t query, int64_t key, const double *params,
                     const double *buffer);
    int (*hidden)(int batch, int head, int64_t query, int64_t key, const double *params, const double *buffer);
} ct_text_pair;

/* Pair 1 ... ct_text_pairs; NULL beyond. */
const ct_text_pair *ct_text_pair_of(int index);
extern const int ct_text_pairs;

#endif

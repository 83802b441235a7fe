/* The two parts of `clattn demo`. */
#ifndef DEMO_H
#define DEMO_H

#include "runner.h"

/* Denoises a photograph. path NULL: that of a Debian package. Writes into `folder`. *good: it became better, and is
 * right. */
clattn_status demo_photo(const place *where, const char *path, const char *folder, bool *good);
/* Cost of full, local, hybrid and linear attention over 16384 tokens. */
clattn_status demo_table(const place *where, bool *good);

/* Rows of one head of a result (f32, BHND, hq = hk, one batch) against the double reference: the largest error, and the
 * largest reference value. Everything the plan reads is in the runner's buffers. */
clattn_status demo_compare(const runner *r, const clattn_problem *problem, int64_t head, int rows, double *error,
                           double *scale);

#endif

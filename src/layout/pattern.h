/* How the pattern families make block lists: a family says which blocks a row has, ct_layout_fill makes the lists. */
#ifndef CT_PATTERN_H
#define CT_PATTERN_H

#include "layout/layout.h"

/* One block row as a set of block columns: one bit each, so a row costs what it lists and a 64th of what lies between.
 */
typedef struct ct_row {
    uint64_t *words; /* zeros at first */
    int cols;
    int64_t first, end; /* words that hold a bit, and those between: set by ct_row_clear and ct_row_add */
} ct_row;
/* Empties it; before the first use, too. */
void ct_row_clear(ct_row *row);
/* Adds the columns [from, to), clipped to the row. */
void ct_row_add(ct_row *row, int64_t from, int64_t to);
bool ct_row_has(const ct_row *row, int64_t col);

/* Adds what row `row` of head `head` lists; `bits` is empty before. Called twice a row, so it must be a pure function.
 */
typedef void ct_row_maker(const void *what, int head, int row, ct_row *bits);

/* A host layout without lists, with one reference. Checks the sizes. */
clattn_status ct_layout_new(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q, int block_k,
                            const clattn_allocator *allocator);
/* Makes row_ptr and col. Heads repeat after `distinct` heads. */
clattn_status ct_layout_fill(clattn_layout *layout, int distinct, ct_row_maker *make, const void *what);

/* What a family reads, with the defaults in place and the lengths of one sequence. */
typedef struct ct_pattern_job {
    const clattn_problem *problem;
    const clattn_allocator *allocator;
    int64_t nq, nk;
    bool causal; /* what the causal mask hides of the longest sequence need not be listed */
} ct_pattern_job;
typedef clattn_status ct_pattern_maker(clattn_layout **out, const ct_pattern_job *job);

ct_pattern_maker ct_pattern_fixed, ct_pattern_variable, ct_pattern_bigbird, ct_pattern_bslongformer, ct_pattern_sliding;
ct_pattern_maker ct_pattern_window, ct_pattern_longformer, ct_pattern_samples, ct_pattern_strided;
ct_pattern_maker ct_pattern_image;

/* "key = value is outside low..high (pattern name)", or CLATTN_OK. */
clattn_status ct_pattern_bound(const char *pattern, const char *key, int64_t value, int64_t low, int64_t high);
/* A field of clattn_pattern: -1 stands for the default. */
static inline int ct_pattern_value(int value, int by_default)
{
    return value == -1 ? by_default : value;
}

#endif

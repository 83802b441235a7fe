/* Block lists on the host. */
#ifndef CT_LAYOUT_H
#define CT_LAYOUT_H

#include <stdatomic.h>

#include "core/core.h"

typedef enum ct_layout_source {
    CT_LAYOUT_HOST = 0, /* row_ptr, col are there */
    CT_LAYOUT_CSR,      /* slots ROW_PTR, COL_IDX at run time */
    CT_LAYOUT_MASK,     /* slot BLOCK_MASK */
    CT_LAYOUT_TABLE,    /* slot BLOCK_TABLE, `width` entries a row */
    CT_LAYOUT_SCORES    /* slot SCORES, of which a selection makes a table of `width` entries a row */
} ct_layout_source;

/* A token-level rule of a pattern, one a head: key j is visible to query i (p = i + nk - nq) if
 *   (left < 0 or p - j <= left) and (right < 0 or j - p <= right) and (p - j) % dilation == 0
 *   and (chunk == 0 or p / chunk == j / chunk)
 *   or use_flags and (flags[j] & 1), or use_flags and (flags[p] & 2), p cut to 0..nk-1. Divisions cut towards 0, as
 *   C's.
 * Plain ints: it travels to the device as it is (struct pattern_rule in cl/variant/pattern.cl). */
typedef struct ct_rule {
    int32_t left, right, dilation, chunk, use_flags, spare[3];
} ct_rule;

struct clattn_layout {
    atomic_int references;
    clattn_allocator allocator;
    ct_layout_source source;
    int heads;
    int64_t nq, nk;
    int block_q, block_k, rows, cols;
    int width;        /* CT_LAYOUT_TABLE, CT_LAYOUT_SCORES */
    int32_t *row_ptr; /* [heads * rows + 1] */
    int32_t *col;     /* [row_ptr[heads * rows]], ascending in a row */
    ct_rule *rules;   /* [heads] or NULL: every token pair of a listed block */
    /* [nk] or NULL; bit 0: every query sees this key; bit 1: the query at this position sees every key */
    uint8_t *flags;
    /* the rules hold the problem's window: it must not be applied again, which would hide global keys */
    bool windowed;
    bool transposed; /* rows are blocks of keys; rules and flags stay those of the layout it was made from */
};

/* A problem's pattern without regard to its causal mask: every block that the pattern itself lists. */
clattn_status ct_layout_whole(clattn_layout **out, const clattn_problem *problem, const clattn_allocator *allocator);
/* Token visibility by the layout's rules alone (not causal, not the problem's window). The block must be listed. */
bool ct_layout_sees(const clattn_layout *layout, int head, int64_t query, int64_t key);
/* Blocks that the causal edge of a row of blocks crosses, the most of any row. */
int64_t ct_layout_crossed(const clattn_layout *layout);
/* Is block column `col` in the row's list? Binary search. */
bool ct_layout_has(const clattn_layout *layout, int head, int row, int col);
/* Positions of the `samples` global tokens of the sampled patterns and of hybrid: even floor(i*nk/samples), or
 * log-spaced (deduplicated upwards, so exactly `samples` ascending distinct positions; samples <= nk). */
void ct_sample_positions(clattn_spacing spacing, int64_t samples, int64_t nk, int32_t *positions);

#endif

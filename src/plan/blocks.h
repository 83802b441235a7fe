/* Block lists, the record that stages hand on: which key blocks a row of blocks may see. Who made them (a host pattern,
 * the caller's slots, a selection on the device, a transposition) is no business of those who read them. */
#ifndef CT_BLOCKS_H
#define CT_BLOCKS_H

#include "plan/builder.h"

/* FORM in cl/layout/blocks.cl. */
typedef enum ct_form {
    CT_FORM_ALL = 0,
    CT_FORM_CSR = 1,
    CT_FORM_MASK = 2,
    CT_FORM_TABLE = 3,
    CT_FORM_RUNS = 4
} ct_form;

typedef struct ct_blocks {
    ct_form form;
    ct_ref ends, entries, mask; /* int32, int32, uint8; as the form has them */
    int64_t batches, heads;     /* 1 serves all of them */
    int rows, cols, width;      /* blocks; entries of a table's row */
    int block_q, block_k;       /* tokens */
    bool known;                 /* the host has them, too, in the layout that they were made of */
    bool ruled;                 /* pairs of a listed block may be hidden: each asks the mask */
} ct_blocks;

/* Most entries of a row. */
static inline int64_t ct_blocks_longest(const ct_blocks *b)
{
    return b->form == CT_FORM_TABLE ? ct_min(b->width, b->cols) : b->cols;
}

#endif

/* The table of slots: a row says all that builder, enqueue, tool, harness and references know of one. */
#ifndef CT_SLOTS_H
#define CT_SLOTS_H

#include "core/core.h"

/* What a slot is to a pass. */
typedef enum ct_role { CT_ABSENT = 0, CT_INPUT, CT_OUTPUT } ct_role;

/* What its numbers mean: how they are drawn, and how results are compared. */
typedef enum ct_contents {
    CT_NUMBERS = 0, /* of a normal distribution */
    CT_TOKENS,      /* rows of q, k, v, o: a head's width each */
    CT_LOG_SUMS,    /* LSE: natural logarithms, -infinity where no key was seen */
    CT_STATES,      /* with normalise, the last column is a sum of weights */
    CT_DECAYS,      /* ln(decay) <= 0 */
    CT_GATES,       /* 0 ... 1 */
    CT_WEIGHTS,     /* of a linear map of a query */
    CT_BIASES,      /* normal, and what people write for "masked" */
    CT_SLOPES,      /* > 0 */
    CT_FLAGS,       /* 0 hides */
    CT_CUTS,        /* limits of packed sequences */
    CT_RANKS,       /* scores of blocks, of which the highest are chosen */
    CT_CHOICES,     /* blocks that were chosen: compared number by number */
    CT_LISTS,       /* of blocks: row_ptr, col, mask or table, which say the same */
    CT_POSITIONS    /* ascending tokens */
} ct_contents;

/* A dimension, as a problem and its layout give it. */
typedef enum ct_dim {
    CT_DIM_END = 0,
    CT_DIM_B,
    CT_DIM_HQ,
    CT_DIM_HK,
    CT_DIM_NQ,
    CT_DIM_NK,
    CT_DIM_DQK,
    CT_DIM_DV,
    CT_DIM_STATE,     /* dv, and the normaliser */
    CT_DIM_SEQUENCES, /* b, or the packed sequences */
    CT_DIM_CUTS,      /* of the sequences, with both ends */
    CT_DIM_BIAS_B,
    CT_DIM_BIAS_H,
    CT_DIM_PARTS,
    CT_DIM_SAMPLES,
    CT_DIM_TEXT,
    CT_DIM_HEADS, /* of the layout, as the next four */
    CT_DIM_ENDS,  /* of the rows of all its heads, and the beginning */
    CT_DIM_ROWS,
    CT_DIM_COLS,
    CT_DIM_WIDTH,
    CT_DIM_TWO, /* 2: a mean and 1 / sigma */
    CT_DIM_OPEN /* as long as the caller likes: 0 */
} ct_dim;

#define CT_TYPED     (-1) /* ct_slot_row.dtype: the problem's */
#define CT_TYPED_KV  (-2) /* that of its keys and values */
#define CT_MOST_DIMS 5

typedef struct ct_slot_row {
    const char *name, *help;
    const char *label; /* of a result, in reports; NULL: the name */
    int dtype;         /* a clattn_dtype, or CT_TYPED, CT_TYPED_KV */
    ct_dim dims[CT_MOST_DIMS];
    ct_dim per_token[CT_MOST_DIMS]; /* with decay=token instead of dims; empty: the same */
    ct_role roles[3];               /* by clattn_pass */
    size_t strides;                 /* where clattn_problem has those of its rows; 0: it lies densely */
    ct_contents contents;
    const char *implies; /* the key=value that a problem's text gets where this is given; NULL: none */
    int in_place_of;     /* an output that may begin where this input slot - 1 does; 0: none */
    bool of_outputs;     /* floats made of o: as exact as the operands that o is a product of */
} ct_slot_row;

extern const ct_slot_row ct_slots[CLATTN_SLOT_COUNT];
/* Its shape; returns the rank. `layout` may be NULL for slots that have none of its dimensions. */
int ct_slot_shape(const clattn_problem *problem, const clattn_layout *layout, clattn_slot slot,
                  int64_t dims[CT_MOST_DIMS]);
clattn_dtype ct_slot_dtype(const clattn_problem *problem, clattn_slot slot);
/* Of a slot that has strides: as given, or dense in the problem's layout. */
clattn_strides ct_slot_strides(const clattn_problem *problem, clattn_slot slot);
/* Of a dense [batch][heads][rows][width]. */
clattn_strides ct_dense_strides(int64_t heads, int64_t rows, int64_t width);
bool ct_slot_is(clattn_slot slot, clattn_pass pass, ct_role role);

#endif

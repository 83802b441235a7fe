/* Lists: what an attend stage reads. A line a block row: the first keys of the tiles it may see, those that ask the
 * mask first. Lines may share what they list. */
#ifndef CT_LISTS_H
#define CT_LISTS_H

#include "layout/layout.h"
#include "plan/blocks.h"

typedef struct ct_lists_wish {
    const clattn_layout *layout; /* NULL: every key, or lists that only the device has */
    const ct_blocks *blocks;     /* of the layout */
    int64_t nq, nk;              /* longest, if packed */
    int64_t left, right;         /* window in tokens, causal included; CT_UNLIMITED */
    bool all_masked;             /* every tile asks the mask: padding, texts */
    bool ranked;                 /* entries get their ranks, if they can be had */
    int step;                    /* queries of a line; divides the layout's block, or covers it */
    int tile_cols, tile_width;   /* keys of a block that a tile holds; columns of a tile */
    const int32_t *positions;    /* NULL, or ascending positions of the nk keys */
    int64_t places;              /* with positions: keys before the choice (the causal shift is places - nq) */
    int64_t sequences, tokens;   /* 0: not packed; queries of all sequences */
    ct_ref cu_q, cu_k;
} ct_lists_wish;

#define CT_UNLIMITED ((int64_t)1 << 40)

typedef struct ct_lists {
    ct_ref lines, list;
    /* of each entry: how many lines of its head before its own list that tile; nothing: all of them do, see
     * ct_lists_ordered */
    ct_ref ranks;
    /* lines of a head; packed: of all sequences, each at SEQUENCE_LINE (cl/tile/tile.cl) */
    int64_t rows;
    int64_t list_batch, list_head; /* between two batches' lines, two heads' */
    bool partial;                  /* some entries ask the mask */
    int64_t longest;               /* entries of the longest line */
    double pairs;                  /* visible, per query head on average; NaN if only the device knows */
    int64_t entries;               /* of `list`, which lines may share */
} ct_lists;

/* Can ranks be had? The host makes the lists, or every line lists what those behind it do. */
bool ct_lists_ordered(const ct_lists_wish *wish);
/* Makes them on the host, or adds the launch that makes them on the device. */
clattn_status ct_lists_add(ct_builder *b, const ct_lists_wish *wish, ct_lists *out);

#endif

/* What attend's kernels share, forwards and backwards: the shape of a tile, the lists of its rows, the record and the
 * -D that its kernels get. */
#ifndef CT_ATTEND_ITEM_H
#define CT_ATTEND_ITEM_H

#include "attend/attend.h"
#include "layout/lists.h"
#include "plan/arguments.h"

#include "../../cl/attend/args.cl"

typedef struct ct_item {
    const ct_attend *a;
    bool backward; /* DK = DV, the wider of both */
    bool turned;   /* rows are keys, columns queries: lists are transposed */
    bool share;    /* see ct_shape_wish */
    int pack;
    int64_t parts, groups_y; /* parts of a line; heads that are items of their own */
    ct_shape shape;
    ct_lists lists;
    ct_ref rules, flags; /* of the layout */
    attend_args args;
} ct_item;

/* Keys that a query of usual length may see; queries, turned. */
int64_t ct_item_usual(const ct_item *item);
/* What masks and texts read, of queries, keys and pairs. */
ct_reads ct_item_reads(const ct_attend *a);
/* Rows, widths and offsets of q, k, v and o are multiples of so many elements, see ct_shape_wish. */
int ct_item_aligned(const ct_attend *a);
/* Does a text change a score, or a scale that is one because the softmax cannot take it over? */
bool ct_item_texts(const ct_attend *a);
/* The tile's shape for it, or the reason why not. */
clattn_status ct_item_shape(ct_builder *b, ct_item *item);
/* Can the blocks of an item whose rows are keys be told, for each tile of queries, how many before them list it? */
bool ct_item_ordered(const ct_item *item);
clattn_status ct_item_lists(ct_builder *b, ct_item *item);
/* Fills args, but for its crowd, and makes the constants that kernels read of a layout. */
clattn_status ct_item_args(ct_builder *b, ct_item *item);
/* Its tensors as the tile's kernels get them; g: the gradient of o, or nothing. */
typedef struct ct_item_tensors {
    ct_ref q, g, k, v;
} ct_item_tensors;
clattn_status ct_item_take(ct_builder *b, const ct_item *item, ct_ref g, ct_item_tensors *out);
/* A launch of `kernel`, whose text is `stage`, with its texts and -D. */
clattn_status ct_item_launch(ct_builder *b, const ct_item *item, const char *kernel, const char *stage,
                             clattn_dtype out, ct_launch **launch);
/* Can its groups stay for several items? Then their launch: as many as the device has room for. */
bool ct_item_may_stay(const ct_item *item);
void ct_item_stay(ct_builder *b, ct_launch *l, const ct_item *item);
/* Of a struct of CT_REFS: the members of ATTEND_LISTS and ATTEND_SCORES. */
#define CT_ITEM_REFS(item)                                                                                             \
    .lines = (item)->lists.lines, .list = (item)->lists.list, .cu_q = (item)->a->cu_q, .cu_k = (item)->a->cu_k,        \
    .bias = (item)->a->bias, .padding = (item)->a->padding, .slopes = (item)->a->slopes,                               \
    .positions = (item)->a->positions, .rules = (item)->rules, .flags = (item)->flags,                                 \
    .text_buffer = (item)->a->text_buffer

#endif

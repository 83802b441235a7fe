/* The transposed lists, by a counting sort over the columns: rows are visited in order, so they come out ascending. */
#include "layout/pattern.h"

#include <string.h>

static void transpose_head(clattn_layout *to, const clattn_layout *from, int head, int32_t *next)
{
    const int32_t *row_ptr = from->row_ptr + (size_t)head * (size_t)from->rows;
    int32_t *start = to->row_ptr + (size_t)head * (size_t)to->rows;
    memset(next, 0, (size_t)to->rows * sizeof *next);
    for (int32_t i = row_ptr[0]; i < row_ptr[from->rows]; i++) {
        next[from->col[i]]++;
    }
    for (int row = 0; row < to->rows; row++) {
        start[row + 1] = start[row] + next[row];
        next[row] = start[row];
    }
    for (int row = 0; row < from->rows; row++) {
        for (int32_t i = row_ptr[row]; i < row_ptr[row + 1]; i++) {
            to->col[next[from->col[i]]++] = row;
        }
    }
}

/* Rules and flags stay those of the untransposed layout. */
static clattn_status copy_rules(clattn_layout *to, const clattn_layout *from)
{
    const size_t rules = (size_t)from->heads * sizeof *from->rules;
    const size_t flags = (size_t)(from->transposed ? from->nq : from->nk);
    to->transposed = !from->transposed;
    if (from->rules) {
        to->rules = ct_alloc(&to->allocator, rules);
    }
    if (from->flags) {
        to->flags = ct_alloc(&to->allocator, flags);
    }
    if ((from->rules && !to->rules) || (from->flags && !to->flags)) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the rules of a layout");
    }
    to->windowed = from->windowed;
    if (from->rules) {
        memcpy(to->rules, from->rules, rules);
    }
    if (from->flags) {
        memcpy(to->flags, from->flags, flags);
    }
    return CLATTN_OK;
}

clattn_status clattn_layout_transpose(clattn_layout **out, const clattn_layout *from)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *to = NULL;
    int32_t *next = NULL;
    if (!out || !from) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "%s is NULL", out ? "layout" : "out");
    }
    if (from->source != CT_LAYOUT_HOST) {
        CT_FAIL(CLATTN_UNSUPPORTED, "the layout's lists are read on the device at run time");
    }
    const size_t blocks = (size_t)from->row_ptr[from->heads * from->rows];
    CT_TRY(ct_layout_new(&to, from->heads, from->nk, from->nq, from->block_k, from->block_q, &from->allocator));
    to->row_ptr = ct_alloc_array(&to->allocator, (size_t)to->heads * (size_t)to->rows + 1, sizeof *to->row_ptr);
    to->col = ct_alloc_array(&to->allocator, blocks, sizeof *to->col);
    next = ct_alloc_array(&from->allocator, (size_t)to->rows, sizeof *next);
    if (!to->row_ptr || !to->col || !next) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %zu blocks of a transposed layout", blocks);
    }
    CT_TRY(copy_rules(to, from));
    for (int head = 0; head < from->heads; head++) {
        transpose_head(to, from, head, next);
    }
    *out = to;
    to = NULL;
out:
    if (from) {
        ct_release(&from->allocator, next);
    }
    clattn_layout_release(to);
    return st;
}

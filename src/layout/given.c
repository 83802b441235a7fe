/* Layouts from the caller's own lists, masks and tables: checked entry by entry, then copied. */
#include "layout/pattern.h"

#include <string.h>

static clattn_status check_row(const int32_t *col, int64_t length, int cols, int head, int row)
{
    for (int64_t i = 0; i < length; i++) {
        if (col[i] < 0 || col[i] >= cols) {
            return ct_fail(CLATTN_BAD_LAYOUT, "head %d, row %d, entry %lld: block column %d is outside 0..%d", head,
                           row, (long long)i, (int)col[i], cols - 1);
        }
        if (i && col[i] <= col[i - 1]) {
            return ct_fail(CLATTN_BAD_LAYOUT, "head %d, row %d, entry %lld: block column %d %s", head, row,
                           (long long)i, (int)col[i],
                           col[i] == col[i - 1] ? "is there twice" : "is below the one before; columns must ascend");
        }
    }
    return CLATTN_OK;
}

static clattn_status check_csr(const clattn_layout *layout, const int32_t *row_ptr, const int32_t *col)
{
    if (row_ptr[0] != 0) {
        return ct_fail(CLATTN_BAD_LAYOUT, "head 0, row 0: row_ptr[0] = %d must be 0", (int)row_ptr[0]);
    }
    const int lists = layout->heads * layout->rows;
    for (int list = 0; list < lists; list++) { /* first of all: only then is the last one the length of col */
        if (row_ptr[list + 1] < row_ptr[list]) {
            return ct_fail(CLATTN_BAD_LAYOUT, "head %d, row %d: row_ptr[%d] = %d is below the one before, %d",
                           list / layout->rows, list % layout->rows, list + 1, (int)row_ptr[list + 1],
                           (int)row_ptr[list]);
        }
    }
    for (int list = 0; list < lists; list++) {
        const int head = list / layout->rows, row = list % layout->rows;
        const clattn_status st =
            check_row(col + row_ptr[list], (int64_t)row_ptr[list + 1] - row_ptr[list], layout->cols, head, row);
        if (st != CLATTN_OK) {
            return st;
        }
    }
    return CLATTN_OK;
}

clattn_status clattn_layout_from_csr(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q, int block_k,
                                     const int32_t *row_ptr, const int32_t *col, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    if (!out || !row_ptr || !col) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "%s is NULL", !out ? "out" : !row_ptr ? "row_ptr" : "col");
    }
    CT_TRY(ct_layout_new(&layout, heads, nq, nk, block_q, block_k, allocator));
    CT_TRY(check_csr(layout, row_ptr, col));
    const size_t lists = (size_t)heads * (size_t)layout->rows, blocks = (size_t)row_ptr[lists];
    layout->row_ptr = ct_alloc_array(allocator, lists + 1, sizeof *row_ptr);
    layout->col = ct_alloc_array(allocator, blocks, sizeof *col);
    if (!layout->row_ptr || !layout->col) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %zu block rows and %zu blocks", lists, blocks);
    }
    memcpy(layout->row_ptr, row_ptr, (lists + 1) * sizeof *row_ptr);
    memcpy(layout->col, col, blocks * sizeof *col);
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

typedef struct given_job {
    const void *data;
    size_t rows, width;
} given_job;

static void mask_row(const void *what, int head, int row, ct_row *bits)
{
    const given_job *job = what;
    const uint8_t *mask = (const uint8_t *)job->data + ((size_t)head * job->rows + (size_t)row) * job->width;
    for (int col = 0; col < bits->cols; col++) {
        if (mask[col]) {
            ct_row_add(bits, col, col + 1);
        }
    }
}

clattn_status clattn_layout_from_block_mask(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q,
                                            int block_k, const uint8_t *mask, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    if (!out || !mask) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "%s is NULL", out ? "mask" : "out");
    }
    CT_TRY(ct_layout_new(&layout, heads, nq, nk, block_q, block_k, allocator));
    const given_job job = {mask, (size_t)layout->rows, (size_t)layout->cols};
    CT_TRY(ct_layout_fill(layout, heads, mask_row, &job));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

static int64_t table_length(const int32_t *entries, int width)
{
    int64_t length = 0;
    while (length < width && entries[length] != -1) {
        length++;
    }
    return length;
}

static clattn_status check_table(const clattn_layout *layout, const int32_t *table, int width)
{
    for (int list = 0; list < layout->heads * layout->rows; list++) {
        const int32_t *entries = table + (size_t)list * (size_t)width;
        const int head = list / layout->rows, row = list % layout->rows;
        const int64_t length = table_length(entries, width);
        const clattn_status st = check_row(entries, length, layout->cols, head, row);
        if (st != CLATTN_OK) {
            return st;
        }
        for (int64_t i = length; i < width; i++) {
            if (entries[i] != -1) {
                return ct_fail(CLATTN_BAD_LAYOUT, "head %d, row %d, entry %lld: %d stands behind a -1", head, row,
                               (long long)i, (int)entries[i]);
            }
        }
    }
    return CLATTN_OK;
}

static void table_row(const void *what, int head, int row, ct_row *bits)
{
    const given_job *job = what;
    const int32_t *entries = (const int32_t *)job->data + ((size_t)head * job->rows + (size_t)row) * job->width;
    for (size_t i = 0; i < job->width && entries[i] != -1; i++) {
        ct_row_add(bits, entries[i], (int64_t)entries[i] + 1);
    }
}

clattn_status clattn_layout_from_table(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q, int block_k,
                                       int width, const int32_t *table, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    if (!out || !table) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "%s is NULL", out ? "table" : "out");
    }
    if (width < 1) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "width = %d is outside 1..%d", width, INT32_MAX);
    }
    CT_TRY(ct_layout_new(&layout, heads, nq, nk, block_q, block_k, allocator));
    CT_TRY(check_table(layout, table, width));
    const given_job job = {table, (size_t)layout->rows, (size_t)width};
    CT_TRY(ct_layout_fill(layout, heads, table_row, &job));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

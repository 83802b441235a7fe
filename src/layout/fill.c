/* Block lists from a function that says what a row holds: first the lengths, then the columns. */
#include "layout/pattern.h"

#include <string.h>

/* Bits that are set: sums of 2, 4, 8 bits side by side, then of the bytes by one product. */
static int bit_count(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (int)(word * UINT64_C(0x0101010101010101) >> 56);
}

static int64_t row_length(const ct_row *bits)
{
    int64_t length = 0;
    for (int64_t i = bits->first; i < bits->end; i++) {
        length += bit_count(bits->words[i]);
    }
    return length;
}

static void row_columns(const ct_row *bits, int32_t *col)
{
    for (int64_t i = bits->first; i < bits->end; i++) {
        int32_t at = (int32_t)(i * 64);
        for (uint64_t word = bits->words[i]; word; word >>= 1, at++) {
            if (word & 1) {
                *col++ = at;
            }
        }
    }
}

static void make_row(ct_row *bits, ct_row_maker *make, const void *what, int head, int row)
{
    ct_row_clear(bits);
    make(what, head, row, bits);
}

static clattn_status fill_lengths(clattn_layout *layout, int distinct, ct_row *bits, ct_row_maker *make,
                                  const void *what)
{
    int32_t *row_ptr = layout->row_ptr;
    int64_t total = 0;
    for (int head = 0; head < layout->heads; head++) {
        for (int row = 0; row < layout->rows; row++) {
            if (head < distinct) {
                make_row(bits, make, what, head, row);
                total += row_length(bits);
            } else {
                const int like = head % distinct * layout->rows + row;
                total += row_ptr[like + 1] - row_ptr[like];
            }
            if (total > INT32_MAX) {
                return ct_fail(CLATTN_INVALID_ARGUMENT,
                               "block = %dx%d: %d heads of %d x %d blocks list more than %d; take larger blocks",
                               layout->block_q, layout->block_k, layout->heads, layout->rows, layout->cols, INT32_MAX);
            }
            row_ptr[head * layout->rows + row + 1] = (int32_t)total;
        }
    }
    return CLATTN_OK;
}

static void fill_columns(clattn_layout *layout, int distinct, ct_row *bits, ct_row_maker *make, const void *what)
{
    const int32_t *row_ptr = layout->row_ptr;
    for (int head = 0; head < layout->heads; head++) {
        const int first = head * layout->rows;
        if (head >= distinct) {
            const int like = head % distinct * layout->rows;
            memcpy(layout->col + row_ptr[first], layout->col + row_ptr[like],
                   (size_t)(row_ptr[like + layout->rows] - row_ptr[like]) * sizeof *layout->col);
            continue;
        }
        for (int row = 0; row < layout->rows; row++) {
            make_row(bits, make, what, head, row);
            row_columns(bits, layout->col + row_ptr[first + row]);
        }
    }
}

clattn_status ct_layout_fill(clattn_layout *layout, int distinct, ct_row_maker *make, const void *what)
{
    clattn_status st = CLATTN_OK;
    const clattn_allocator *allocator = &layout->allocator;
    const size_t lists = (size_t)layout->heads * (size_t)layout->rows;
    ct_row bits = {.cols = layout->cols};
    bits.words = ct_alloc_array(allocator, (size_t)ct_ceil_div(bits.cols, 64), sizeof *bits.words);
    layout->row_ptr = ct_alloc_array(allocator, lists + 1, sizeof *layout->row_ptr);
    if (!bits.words || !layout->row_ptr) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %zu block rows of a layout", lists);
    }
    CT_TRY(fill_lengths(layout, distinct, &bits, make, what));
    layout->col = ct_alloc_array(allocator, (size_t)layout->row_ptr[lists], sizeof *layout->col);
    if (!layout->col) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %d blocks of a layout", (int)layout->row_ptr[lists]);
    }
    fill_columns(layout, distinct, &bits, make, what);
out:
    ct_release(allocator, bits.words);
    return st;
}

/* One block row as a set of bits. */
#include "layout/pattern.h"

#include <string.h>

void ct_row_clear(ct_row *row)
{
    if (row->first < row->end) {
        memset(row->words + row->first, 0, (size_t)(row->end - row->first) * sizeof *row->words);
    }
    row->first = ct_ceil_div(row->cols, 64);
    row->end = 0;
}

void ct_row_add(ct_row *row, int64_t from, int64_t to)
{
    from = ct_max(from, 0);
    to = ct_min(to, row->cols);
    if (from >= to) {
        return;
    }
    const int64_t first = from / 64, last = (to - 1) / 64;
    row->first = ct_min(row->first, first);
    row->end = ct_max(row->end, last + 1);
    const uint64_t head = ~UINT64_C(0) << (from % 64), tail = ~UINT64_C(0) >> (63 - (to - 1) % 64);
    if (first == last) {
        row->words[first] |= head & tail;
        return;
    }
    row->words[first] |= head;
    for (int64_t i = first + 1; i < last; i++) {
        row->words[i] = ~UINT64_C(0);
    }
    row->words[last] |= tail;
}

bool ct_row_has(const ct_row *row, int64_t col)
{
    return row->words[col / 64] >> (col % 64) & 1;
}

/* A layout as a mask and as a picture. */
#include "layout/layout.h"

#include <string.h>

static clattn_status check_host(const clattn_layout *layout)
{
    if (!layout) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "layout is NULL");
    }
    if (layout->source != CT_LAYOUT_HOST) {
        return ct_fail(CLATTN_UNSUPPORTED, "the layout's lists are read on the device at run time");
    }
    return CLATTN_OK;
}

clattn_status clattn_layout_mask(const clattn_layout *layout, uint8_t *mask, size_t bytes)
{
    const clattn_status st = check_host(layout);
    if (st != CLATTN_OK) {
        return st;
    }
    if (!mask) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "mask is NULL");
    }
    const size_t lists = (size_t)layout->heads * (size_t)layout->rows, cols = (size_t)layout->cols;
    if (cols > SIZE_MAX / lists || bytes < lists * cols) {
        return ct_fail(CLATTN_BUFFER_TOO_SMALL, "mask has %zu bytes and needs %d x %d x %d", bytes, layout->heads,
                       layout->rows, layout->cols);
    }
    memset(mask, 0, lists * cols);
    for (size_t list = 0; list < lists; list++) {
        for (int32_t i = layout->row_ptr[list]; i < layout->row_ptr[list + 1]; i++) {
            mask[list * cols + (size_t)layout->col[i]] = 1;
        }
    }
    return CLATTN_OK;
}

clattn_status clattn_layout_draw(const clattn_layout *layout, int head, char *text, size_t bytes, size_t *needed)
{
    const clattn_status st = check_host(layout);
    if (st != CLATTN_OK) {
        return st;
    }
    if (head < 0 || head >= layout->heads) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "head = %d is outside 0..%d", head, layout->heads - 1);
    }
    if (!text && (bytes || !needed)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "text is NULL, which asks for the size alone: bytes must be 0 and needed set");
    }
    const size_t line = (size_t)layout->cols + 1, need = (size_t)layout->rows * line + 1;
    if (text && bytes < need) {
        return ct_fail(CLATTN_BUFFER_TOO_SMALL, "text has %zu bytes and needs %zu", bytes, need);
    }
    if (needed) {
        *needed = need;
    }
    if (!text) {
        return CLATTN_OK;
    }
    memset(text, '.', need);
    for (int row = 0; row < layout->rows; row++) {
        char *at = text + (size_t)row * line;
        const int list = head * layout->rows + row;
        for (int32_t i = layout->row_ptr[list]; i < layout->row_ptr[list + 1]; i++) {
            at[layout->col[i]] = '#';
        }
        at[line - 1] = '\n';
    }
    text[need - 1] = '\0';
    return CLATTN_OK;
}

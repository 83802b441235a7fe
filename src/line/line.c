#include "line/line.h"

#include "tile/tiles.h"

clattn_status ct_line_launch(ct_builder *b, const char *part, const char *kernel, int64_t lines, ct_launch **out)
{
    const ct_tile *tile = ct_builder_tile(b);
    const clattn_status st = ct_builder_launch(b, kernel, out);
    if (st != CLATTN_OK) {
        return st;
    }
    ct_program_spec *spec = ct_launch_spec(*out);
    ct_spec_part(spec, "tile/tile.cl");
    ct_spec_part(spec, "tile/line.cl");
    ct_spec_part(spec, tile->lines);
    ct_spec_part(spec, part);
    ct_launch_groups(*out, lines, 1, 1, tile->line_items);
    return CLATTN_OK;
}

clattn_status ct_line_launch_rows(ct_builder *b, const char *part, const char *kernel, const ct_line_rows *r,
                                  ct_launch **out)
{
    enum { VECTOR = 8, LEAST = 4, MOST = 32 };
    const int most = (int)ct_min(ct_builder_tile(b)->row_items, (int64_t)ct_builder_context(b)->env.facts.max_group);
    int items = MOST;
    const clattn_status st = ct_line_launch(b, part, kernel, r->rows, out);
    if (st != CLATTN_OK) {
        return st;
    }
    if (most <= 1) {
        ct_launch_groups(*out, r->rows, r->heads, r->batches, 1);
        return CLATTN_OK;
    }
    while (items > LEAST && items / 2 * VECTOR >= r->width) {
        items /= 2;
    }
    const int64_t lines = ct_max(ct_min(most / items, r->rows), 1);
    ct_launch_define(*out, "LINE_VECTOR", VECTOR);
    ct_launch_define(*out, "LINE_ITEMS", items);
    ct_launch_define(*out, "LINES", (long)lines);
    ct_launch_define(*out, "LINE_WHOLE", r->whole);
    ct_launch_groups(*out, ct_ceil_div(r->rows, lines), r->heads, r->batches, items * (int)lines);
    return CLATTN_OK;
}

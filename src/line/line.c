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
    ct_spec_part(spec, tile->lines);
    ct_spec_part(spec, part);
    ct_launch_groups(*out, lines, 1, 1, tile->line_items);
    return CLATTN_OK;
}

clattn_status ct_line_launch_rows(ct_builder *b, const char *part, const char *kernel, int64_t lines, int64_t width,
                                  ct_launch **out)
{
    enum { VECTOR = 4, LEAST = 8 };
    const int most = ct_builder_tile(b)->line_items;
    int items = most, at_once;
    const clattn_status st = ct_line_launch(b, part, kernel, lines, out);
    if (st != CLATTN_OK || most == 1) {
        return st;
    }
    while (items > LEAST && items / 2 * VECTOR >= width) {
        items /= 2;
    }
    at_once = most / items;
    while (lines % at_once) {
        at_once /= 2;
    }
    ct_launch_define(*out, "LINE_VECTOR", VECTOR);
    ct_launch_define(*out, "LINE_ITEMS", items);
    ct_launch_define(*out, "LINES", at_once);
    ct_launch_groups(*out, lines / at_once, 1, 1, items * at_once);
    return CLATTN_OK;
}

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

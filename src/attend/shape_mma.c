#include "attend/shape_mma.h"

#include <stdio.h>
#include <string.h>

#include "attend/block_part.h"

enum { LOCAL_BYTES = 48 << 10, WIDEST_HEAD = 256, FEW_ROWS = 64 }; /* a driver's own compiler takes no more local memory */

/* Rows of a group, columns of a tile, blocks of 16 rows a warp, chains of a row's sum, where rows and columns are free: the largest that fit
 * the registers (ci/nv_variants.txt). The first row that is wide enough and takes what masks and texts read. Not timed yet. */
static const struct { int width; ct_reads reads; int bm, bn, blocks, parts; } free_shapes[] = {
    {64, CT_READS_KEYS, 128, 64, 2, 1},
    {80, CT_READS_NOTHING, 128, 48, 2, 1},
    {128, CT_READS_RULES, 64, 64, 1, 2},
    {192, CT_READS_RULES, 64, 32, 1, 1},
    {256, CT_READS_BIAS, 64, 32, 1, 1},
    {256, CT_READS_RULES, 64, 16, 1, 1},
};

static size_t row_of(const ct_shape_wish *wish, int widest)
{
    size_t i = 0;
    while (free_shapes[i].width < widest || free_shapes[i].reads < wish->reads) {
        i++;
    }
    return i;
}

static int64_t local_bytes(const ct_shape *s, int dk, int dv)
{
    return 2 * (int64_t)s->bn * (ct_round_up(ct_max(dk, dv), 16) * 2 + 16);
}

bool ct_mma_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    const int widest = wish->dk > wish->dv ? wish->dk : wish->dv;
    const int64_t local = ct_min((int64_t)facts->local_memory, LOCAL_BYTES);
    if (wish->dtype == CLATTN_F32) {
        snprintf(why, bytes, "float tensors: the matrix units would round them; they take an exact path");
        return false;
    }
    if (widest > WIDEST_HEAD) {
        snprintf(why, bytes, "heads of dqk %d, dv %d: at most %d columns fit the accumulators", wish->dk, wish->dv, WIDEST_HEAD);
        return false;
    }
    const size_t row = row_of(wish, widest);
    const bool small = (wish->block_q && ct_block_part(wish->block_q, FEW_ROWS) == wish->block_q) || wish->nq * wish->pack <= FEW_ROWS;
    const int blocks = small ? 1 : free_shapes[row].blocks, most = small ? FEW_ROWS : free_shapes[row].bm;
    out->step = wish->block_q ? ct_block_part(wish->block_q, most / wish->pack) : (int)ct_min(most / wish->pack, ct_max(wish->nq, 1));
    out->cols = ct_block_part(wish->block_k, free_shapes[row].bn);
    if (!out->step || !out->cols) {
        snprintf(why, bytes, "block %dx%d with %d heads a tile: no divisor of 16 or more fits", wish->block_q, wish->block_k, wish->pack);
        return false;
    }
    out->bm = (int)ct_round_up(out->step * wish->pack, 16 * blocks);
    out->bn = (int)ct_round_up(out->cols, 16);
    if (local_bytes(out, wish->dk, wish->dv) > local) {
        snprintf(why, bytes, "tiles of %d keys take %lld bytes of local memory, there are %lld", out->bn,
                 (long long)local_bytes(out, wish->dk, wish->dv), (long long)local);
        return false;
    }
    out->items = out->bm / blocks * 2;
    const ct_define extra[] = {{"BLOCKS", blocks}, {"PARTS", free_shapes[row].parts}, {"ALIGNED", wish->aligned >= 8}};
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra);
    return true;
}

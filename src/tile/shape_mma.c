#include "tile/shape_mma.h"

#include <stdio.h>
#include <string.h>

#include "tile/block_part.h"
#include "tile/row_steps.h"

/* The assembler takes no more local memory of fixed size for any target but those of one chip alone (sm_90a). */
enum { LOCAL_BYTES = 48 << 10, FEW_ROWS = 64 };

/* Rows of a group, columns of a tile, blocks of 16 rows a warp, chains of a row's sum, where rows and columns are free:
 * the largest that fit the registers (ci/nv_variants.txt). The first row that is wide enough and takes what masks and
 * texts read; width 0 ends it. Not timed yet. */
typedef struct free_shape {
    int width;
    ct_reads reads;
    int bm, bn, blocks, parts;
} free_shape;
static const free_shape halves[] = {
    {64, CT_READS_KEYS, 128, 64, 2, 1},
    {80, CT_READS_NOTHING, 128, 48, 2, 1},
    {128, CT_READS_RULES, 64, 64, 1, 2},
    {192, CT_READS_RULES, 64, 32, 1, 1},
    {256, CT_READS_BIAS, 64, 32, 1, 1},
    {256, CT_READS_RULES, 64, 16, 1, 1},
    {0},
};
static const free_shape floats[] = {
    /* tf32 */
    {64, CT_READS_RULES, 64, 64, 1, 2},
    {128, CT_READS_RULES, 64, 32, 1, 1},
    {0},
};

/* Backwards: what local memory holds beside two held blocks, and registers beside two results. */
static const free_shape halves_back[] = {{64, CT_READS_RULES, 64, 64, 1, 1}, {128, CT_READS_RULES, 64, 16, 1, 1}, {0}};
static const free_shape floats_back[] = {{64, CT_READS_RULES, 64, 16, 1, 1}, {0}};
static const struct {
    const free_shape *rows;
    int widest;
} tables[2][2] = {{{halves, 256}, {floats, 128}}, {{halves_back, 128}, {floats_back, 64}}}; /* [backward][float] */

static const free_shape *row_of(const ct_shape_wish *wish, int widest)
{
    const free_shape *row = tables[wish->backward][wish->dtype == CLATTN_F32].rows;
    while (row->width && (row->width < widest || row->reads < wish->reads)) {
        row++;
    }
    return row;
}

/* Two streams, and backwards two held blocks. */
static int64_t local_bytes(const ct_shape *s, int widest, const ct_shape_wish *wish)
{
    const int64_t rows = s->bn + (wish->backward ? s->bm : 0);
    return 2 * rows * (ct_round_up(widest, 16) * (int64_t)clattn_dtype_size(wish->dtype) + 16);
}

bool ct_mma_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    const int widest = wish->dk > wish->dv ? wish->dk : wish->dv;
    const int64_t local = ct_min((int64_t)facts->local_memory, LOCAL_BYTES);
    const free_shape *row = row_of(wish, widest);
    if (wish->dtype == CLATTN_F32 && !wish->tf32) {
        snprintf(why, bytes,
                 "float tensors: the matrix units would round them, which tf32=1 permits; they take an exact path");
        return false;
    }
    if (!row->width) {
        snprintf(why, bytes, "%sheads of dqk %d, dv %d: at most %d columns fit the registers",
                 wish->backward ? "gradients of " : "", wish->dk, wish->dv,
                 tables[wish->backward][wish->dtype == CLATTN_F32].widest);
        return false;
    }
    /* tile_nv_mma.cl keeps strides as ints, offsets as longs */
    if (!ct_row_steps_fit(wish, 2, INT32_MAX, why, bytes)) {
        return false;
    }
    const bool small =
        (wish->block_q && ct_block_part(wish->block_q, FEW_ROWS) == wish->block_q) || wish->nq * wish->pack <= FEW_ROWS;
    const int blocks = small ? 1 : row->blocks, most = small ? FEW_ROWS : row->bm;
    out->step = wish->block_q ? ct_block_part(wish->block_q, most / wish->pack)
                              : (int)ct_min(most / wish->pack, ct_max(wish->nq, 1));
    out->cols = ct_block_part(wish->block_k, row->bn);
    if (!out->step || !out->cols) {
        snprintf(why, bytes, "block %dx%d with %d heads a tile: no divisor of 16 or more fits", wish->block_q,
                 wish->block_k, wish->pack);
        return false;
    }
    out->bm = (int)ct_round_up(out->step * wish->pack, 16 * blocks);
    out->bn = (int)ct_round_up(out->cols, 16);
    if (local_bytes(out, widest, wish) > local) {
        snprintf(why, bytes, "tiles of %d x %d take %lld bytes of local memory, there are %lld", out->bm, out->bn,
                 (long long)local_bytes(out, widest, wish), (long long)local);
        return false;
    }
    out->items = out->bm / blocks * 2;
    const ct_define extra[] = {
        {"BLOCKS", blocks}, {"PARTS", row->parts}, {"ALIGNED", wish->aligned >= 8}, {"HELD_LOCAL", 1}};
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra) - !wish->backward;
    return true;
}

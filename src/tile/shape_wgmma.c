#include "tile/shape_wgmma.h"

#include <stdio.h>
#include <string.h>

#include "tile/block_part.h"

enum {
    LOCAL_BYTES = 227 << 10,
    SLACK = 1024 + 512 /* alignment; barriers */,
    SLOTS = 2,
    WIDEST_HEAD = 256,
    LONG_TRIANGLE = 4096 /* keys */,
    CHUNK = 64,
    WIDEST_STATE = 128
};

/* Rows of a group and columns of a tile where both are free: the fastest on an H200 of those that fit the registers.
 * The first row that is wide enough and takes what masks and texts read; `causal` rows are for long triangles only. */
static const struct {
    int width;
    ct_reads reads;
    bool causal;
    int bm, bn, parts;
} free_shapes[] = {
    {64, CT_READS_NOTHING, false, 192, 128, 1}, {64, CT_READS_KEYS, false, 128, 128, 1},
    {64, CT_READS_BIAS, false, 128, 96, 1},     {64, CT_READS_RULES, false, 128, 128, 1},
    {96, CT_READS_NOTHING, false, 192, 96, 1},  {128, CT_READS_NOTHING, true, 128, 144, 2},
    {128, CT_READS_KEYS, false, 128, 128, 2},   {128, CT_READS_BIAS, false, 128, 96, 1},
    {128, CT_READS_RULES, false, 128, 64, 1},   {192, CT_READS_NOTHING, false, 128, 112, 1},
    {256, CT_READS_NOTHING, false, 128, 80, 1}, {256, CT_READS_RULES, false, 128, 64, 1},
};

/* Columns of a tile of 64 rows that have run: those of free shapes, and of blocks of 16, 48 and 64 (ci/gpu_check.txt).
 */
static const int small_cols[] = {16, 48, 64};

/* Has a tile of this size run on a GPU? */
static bool has_run(int bm, int bn)
{
    for (size_t i = 0; i < CT_COUNT(free_shapes); i++) {
        if (free_shapes[i].bm == bm && free_shapes[i].bn == bn) {
            return true;
        }
    }
    for (size_t i = 0; bm == 64 && i < CT_COUNT(small_cols); i++) {
        if (small_cols[i] == bn) {
            return true;
        }
    }
    return false;
}

/* `helds`: query tiles at a time, two in groups that stay */
static int64_t local_bytes(const ct_shape *s, int dk, int dv, int helds)
{
    const int64_t dk64 = ct_round_up(dk, 64), dv64 = ct_round_up(dv, 64);
    return 2 * (helds * s->bm * dk64 + 2 * SLOTS * s->bn * ct_max(dk64, dv64)) + SLACK;
}

static size_t row_of(const ct_shape_wish *wish, int widest)
{
    const bool triangle = wish->causal && !wish->window && !wish->block_k && wish->nk >= LONG_TRIANGLE;
    size_t i = 0;
    while (free_shapes[i].width < widest || free_shapes[i].reads < wish->reads ||
           (free_shapes[i].causal && !triangle)) {
        i++;
    }
    return i;
}

/* Places for what a worker leaves: there is room for a second one beside tiles of 64 columns. */
static int leaves_of(const ct_shape *s)
{
    return s->bn > 64 ? 1 : 2;
}

/* What tile_nv_wgmma.cl keeps beside held tiles and rings where groups share a head's sums: published pairs, what
 * leaves, values of columns. */
static int64_t sharing_bytes(const ct_shape *s, int dk64)
{
    const int64_t workers = s->bm / 64, columns = (int64_t)dk64 * s->bn / 64 / workers;
    return 2 * 2 * (int64_t)s->bm * s->bn + leaves_of(s) * workers * 64 * columns * 4 + SLOTS * 3 * (int64_t)s->bn * 4;
}

/* One pass: 64 rows of dQ a worker, of as many columns as the registers hold beside the other results. */
static void share(const ct_shape_wish *wish, ct_shape *out)
{
    enum { MOST_COLUMNS = 64, HELDS = 2 };
    const int dk64 = (int)ct_round_up(wish->dk, 64), workers = out->bm / 64,
              cols = ct_block_part(wish->block_k, workers * 4096 / dk64);
    if (cols % 64) {
        return;
    }
    ct_shape wider = *out;
    wider.cols = cols;
    wider.bn = cols;
    const int64_t bytes = local_bytes(&wider, wish->dk, wish->dv, HELDS) + sharing_bytes(&wider, dk64);
    if (dk64 * wider.bn / 64 / workers > MOST_COLUMNS || bytes * out->groups > LOCAL_BYTES) {
        return;
    }
    *out = wider;
    out->shares = true;
    out->schedule = "schedule/chains.cl";
    const ct_define extra[] = {{"CHAINS", 1}, {"LAG", cols <= 64}, {"LEAVES", leaves_of(out)}};
    memcpy(out->extra + out->n_extra, extra, sizeof extra);
    out->n_extra += (int)CT_COUNT(extra);
}

/* Backwards: two held tiles, two tiles of pairs and two results stay, which fit the registers at 64 columns, one step
 * after another. */
static bool backward_shape(const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    enum { WIDEST = 128, HELDS = 2 };
    if (wish->dk > WIDEST) {
        snprintf(why, bytes, "gradients of heads of %d columns: at most %d fit the accumulators", wish->dk, WIDEST);
        return false;
    }
    const bool small = (wish->block_q && ct_block_part(wish->block_q, 128) <= 64) || wish->nq <= 64;
    out->step = ct_block_part(wish->block_q, small ? 64 : 128);
    out->cols = ct_block_part(wish->block_k, wish->dk > 64 && wish->reads == CT_READS_RULES ? 32 : 64);
    if (!out->step || !out->cols) {
        snprintf(why, bytes, "block %dx%d: no divisor of 16 or more fits", wish->block_q, wish->block_k);
        return false;
    }
    out->bm = (int)ct_round_up(out->step, 64);
    out->bn = (int)ct_round_up(out->cols, 16);
    out->items = 128 + 2 * out->bm;
    out->groups = small && 2 * local_bytes(out, wish->dk, wish->dv, HELDS) <= LOCAL_BYTES ? 2 : 1;
    out->resident = out->groups; /* where one tile is held (statistics): groups that stay have two in turn */
    const ct_define extra[] = {
        {"SLOTS", SLOTS}, {"PARTS", 1}, {"OVERLAP", 0}, {"ALIGNED", wish->aligned >= 8}, {"TURNS", 0}};
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra);
    if (wish->share) {
        share(wish, out);
    }
    out->untried = !has_run(out->bm, out->bn);
    return true;
}

bool ct_wgmma_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    const int widest = wish->dk > wish->dv ? wish->dk : wish->dv;
    (void)facts;
    if (wish->dtype == CLATTN_F32) {
        snprintf(why, bytes, "float tensors: the matrix units would round them; they take an exact path");
        return false;
    }
    if (wish->backward) {
        return backward_shape(wish, out, why, bytes);
    }
    if (widest > WIDEST_HEAD) {
        snprintf(why, bytes, "heads of dqk %d, dv %d: at most %d columns fit the accumulators", wish->dk, wish->dv,
                 WIDEST_HEAD);
        return false;
    }
    const size_t row = row_of(wish, widest);
    /* 64 rows and one computing warpgroup, two groups a compute unit, where blocks or queries are few */
    const bool small = (wish->block_q && ct_block_part(wish->block_q, 128) <= 64) || wish->nq * wish->pack <= 64;
    const int most = small           ? 64
                     : wish->block_q ? 128
                                     : free_shapes[row].bm,
              wide = small && free_shapes[row].bn > 64 ? 64 : free_shapes[row].bn;
    out->step = ct_block_part(wish->block_q, most / wish->pack);
    out->cols = ct_block_part(wish->block_k, wide);
    if (!out->step || !out->cols) {
        snprintf(why, bytes, "block %dx%d with %d heads a tile: no divisor of 16 or more fits", wish->block_q,
                 wish->block_k, wish->pack);
        return false;
    }
    out->bm = (int)ct_round_up(out->step * wish->pack, 64);
    out->bn = (int)ct_round_up(out->cols, 16);
    if (local_bytes(out, wish->dk, wish->dv, 1) > LOCAL_BYTES) {
        snprintf(why, bytes, "tiles of %d x %d take %lld bytes of local memory, there are %d", out->bm, out->bn,
                 (long long)local_bytes(out, wish->dk, wish->dv, 1), LOCAL_BYTES);
        return false;
    }
    out->untried = !has_run(out->bm, out->bn);
    out->items = 128 + 2 * out->bm;
    out->groups = small && 2 * local_bytes(out, wish->dk, wish->dv, 2) <= LOCAL_BYTES ? 2 : 1;
    const bool stays =
        out->bm <= 128 && widest <= 128 && local_bytes(out, wish->dk, wish->dv, 2) * out->groups <= LOCAL_BYTES;
    out->resident = stays ? out->groups : 0; /* wider heads lack the registers */
    const int64_t pairs = (int64_t)out->bm * (out->bn + 4) * 4,
                  all = local_bytes(out, wish->dk, wish->dv, out->resident ? 2 : 1) + pairs;
    const bool staged = wish->bias && all * out->groups <= LOCAL_BYTES;
    const ct_define extra[] = {{"SLOTS", SLOTS},
                               {"PARTS", small ? 1 : free_shapes[row].parts},
                               {"TURNS", out->bm > 64},
                               {"ALIGNED", wish->aligned >= 8},
                               {"STAGED", staged}};
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra) - !staged;
    return true;
}

/* Chunks of 64 tokens; two workers of 64 value columns each, or one and two groups a compute unit where the head is
 * narrow. Rings of four tiles where they fit, which they do: the more is under way, the nearer to the memory's rate. */
bool ct_wgmma_state_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why,
                          size_t bytes)
{
    const int widest = wish->dk > wish->dv ? wish->dk : wish->dv;
    (void)facts;
    if (wish->dtype == CLATTN_F32) {
        snprintf(why, bytes,
                 "float rows (tensors, features or a normaliser): the matrix units would round them; they take an "
                 "exact path");
        return false;
    }
    if (wish->dtype == CLATTN_F16) {
        snprintf(why, bytes, "half: the products q.k and the state would be operands in half and may leave its range");
        return false;
    }
    if (widest > WIDEST_STATE) {
        snprintf(why, bytes, "a state of dqk %d x dv %d: at most %d x %d fit the accumulators", wish->dk, wish->dv,
                 WIDEST_STATE, WIDEST_STATE);
        return false;
    }
    const int split = widest > 64 ? 2 : 1, groups = 3 - split, tile = 2 * CHUNK * 64 * split;
    const int64_t published = split * ct_round_up(wish->dk, 64) * 128, room = LOCAL_BYTES / groups - SLACK - published;
    const int slots = 4 * wish->streams * tile <= room ? 4 : SLOTS;
    const ct_define extra[] = {{"SPLIT", split},
                               {"SLOTS", slots},
                               {"OVERLAP", 0},
                               {"FLOAT_STATE", wish->float_state},
                               {"ALIGNED", wish->aligned >= 8}};
    out->bm = out->bn = out->step = CHUNK;
    out->items = 128 + 128 * split;
    out->groups = groups;
    out->rounds_state = true;
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra);
    return true;
}

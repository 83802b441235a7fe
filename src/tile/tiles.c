#include "tile/tiles.h"

#include <stdio.h>
#include <string.h>

#include "tile/block_part.h"
#include "tile/row_steps.h"
#include "tile/shape_amx.h"
#include "tile/shape_mma.h"
#include "tile/shape_simt.h"
#include "tile/shape_wgmma.h"
#include "tile/tensor_maps.h"

static bool accepts_cpu(const ct_device_facts *facts, char *why, size_t bytes)
{
    snprintf(why, bytes, "the device is no CPU: one work-item a group would leave it idle");
    return facts->cpu;
}

static bool accepts_wgmma(const ct_device_facts *facts, char *why, size_t bytes)
{
    snprintf(why, bytes, "wgmma needs an NVIDIA GPU of compute capability 9.0; this device says %d.%d",
             facts->nv_capability / 10, facts->nv_capability % 10);
    return facts->nv_capability == 90;
}

static bool accepts_mma(const ct_device_facts *facts, char *why, size_t bytes)
{
    snprintf(why, bytes,
             "mma.sync and cp.async need an NVIDIA GPU of compute capability 8.0 or more; this device says %d.%d",
             facts->nv_capability / 10, facts->nv_capability % 10);
    return facts->nv_capability >= 80;
}

static bool accepts_simt(const ct_device_facts *facts, char *why, size_t bytes)
{
    snprintf(why, bytes, "groups of 64 items and 16 KiB of local memory are needed; the device has %zu and %llu bytes",
             facts->max_group, (unsigned long long)facts->local_memory);
    return facts->max_group >= 64 && facts->local_memory >= 16384;
}

static bool accepts_ref(const ct_device_facts *facts, char *why, size_t bytes)
{
    (void)facts, (void)why, (void)bytes;
    return true;
}

int ct_tile_aligned(const int64_t *lengths, size_t count)
{
    int64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all |= lengths[i];
    }
    return all % 4 ? 1 : all % 8 ? 4 : 8;
}

/* Few rows: lanes are columns, not rows. */
static void shape_cpu_few(const ct_shape_wish *wish, ct_shape *out)
{
    out->rows = "tile/tile_cpu_few.cl";
    out->extra[out->n_extra++] = (ct_define){"FEW", 1}; /* for the kernel's name */
    out->step = (int)wish->nq;
    out->bm = (int)wish->nq * wish->pack;
    out->bn = (int)ct_round_up(out->cols, 16);
}

/* Vectors of sixteen floats take two registers or more, of which there are sixteen: products keep fewer of them. */
static void say_vector(const ct_device_facts *facts, ct_shape *out)
{
    if (facts->vector < 16) {
        out->extra[out->n_extra++] = (ct_define){"NATIVE", 8};
    }
}

static bool shape_cpu(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    const int most = 64 / wish->pack > 0 ? 64 / wish->pack : 1;
    out->step = ct_block_share(wish->block_q, (int)ct_min(most, wish->nq), wish->pack >= 16 ? 1 : 16 / wish->pack);
    out->cols = ct_block_share(wish->block_k, 64, 4);
    if (!out->step || !out->cols) {
        snprintf(why, bytes, "block %dx%d: a size over 256 must have a divisor from 16 to 64", wish->block_q,
                 wish->block_k);
        return false;
    }
    out->bm = (int)ct_round_up(out->step * wish->pack, 16);
    out->bn = (int)ct_round_up(out->cols, 4);
    out->items = 1;
    out->gathers = true;
    say_vector(facts, out);
    if (wish->nq * wish->pack <= 8 && wish->block_q == 0 && !wish->backward) {
        shape_cpu_few(wish, out);
    } else if (wish->dots) {
        out->rows = "tile/tile_cpu_dots.cl";
        out->extra[out->n_extra++] = (ct_define){"DOTS", 1}; /* for the kernel's name */
    }
    return true;
}

static bool shape_ref(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    (void)facts, (void)why, (void)bytes;
    out->step = ct_block_share(wish->block_q, 32 / wish->pack > 0 ? 32 / wish->pack : 1, 1);
    out->cols = ct_block_share(wish->block_k, 32, 1);
    out->bm = out->step * wish->pack;
    out->bn = out->cols;
    out->items = 1;
    out->gathers = true;
    return true;
}

/* row_at in tile_simt.cl: offsets within a tile count bytes, in an int. */
static bool simt_steps_fit(const ct_shape_wish *wish, int rows, char *why, size_t bytes)
{
    const int64_t element = wish->element ? wish->element : (int64_t)clattn_dtype_size(wish->dtype);
    return ct_row_steps_fit(wish, rows, INT32_MAX / element, why, bytes);
}

static bool shape_simt(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    struct ct_simt_shape s;
    bool chains = false;
    if (!(wish->backward ? ct_simt_shape_backward(facts, wish, &chains, &s)
                         : ct_simt_shape_parts(facts, wish->block_q, wish->block_k, wish->pack, wish->dk, wish->dv,
                                               wish->causal, &s))) {
        snprintf(why, bytes, "no tile of dqk %d, dv %d, block %dx%d fits %llu bytes of local memory and groups of %zu",
                 wish->dk, wish->dv, wish->block_q, wish->block_k, (unsigned long long)facts->local_memory,
                 facts->max_group);
        return false;
    }
    if (!simt_steps_fit(wish, s.bm > s.bn ? s.bm : s.bn, why, bytes)) {
        return false;
    }
    out->step = s.rows / wish->pack;
    out->cols = s.cols;
    const ct_define extra[] = {{"MR", s.mr}, {"CX", s.cx},     {"KS", s.ks},
                               {"PS", s.ps}, {"DEEP", s.deep}, {"ALIGNED", wish->aligned >= 4}};
    out->bm = s.bm;
    out->bn = s.bn;
    out->items = s.items;
    out->gathers = chains;
    out->places = s.places;
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra);
    if (s.whole) {
        out->extra[out->n_extra++] = (ct_define){"WHOLE", 1};
    }
    if (chains) {
        out->extra[out->n_extra++] = (ct_define){"CHAINS", 2};
    }
    if (facts->cpu) { /* its native functions may be far off, see tile_simt.cl */
        out->extra[out->n_extra++] = (ct_define){"WHOLE_EXP2", 1};
    }
    return true;
}

/* A worker of one item: chunks as wished or `usual`, up to `most`. */
static bool state_shape_one(const ct_shape_wish *wish, int usual, int most, ct_shape *out)
{
    const int64_t chunk = wish->block_q ? ct_min(wish->block_q, most) : usual;
    const int64_t rows = ct_max(ct_min(chunk, wish->nq), 1);
    out->bm = out->bn = (int)ct_round_up(rows, rows > 16 ? 32 : 16);
    out->step = (int)ct_min(chunk, out->bm);
    out->items = 1;
    return true;
}

static bool state_shape_cpu(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why,
                            size_t bytes)
{
    (void)why, (void)bytes;
    say_vector(facts, out);
    return state_shape_one(wish, 16, 128, out);
}

static bool state_shape_ref(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why,
                            size_t bytes)
{
    const int most = 98304; /* AMD's compiler stops at 128 KiB of private memory for all that a work-item holds */
    if (!facts->cpu && 8 * wish->dk * wish->dv > most) {
        snprintf(why, bytes, "a state of dqk %d x dv %d and its copy need %d bytes of private memory; at most %d",
                 wish->dk, wish->dv, 8 * wish->dk * wish->dv, most);
        return false;
    }
    return state_shape_one(wish, 16, 64, out);
}

static bool state_shape_simt(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why,
                             size_t bytes)
{
    struct ct_simt_state_shape s;
    if (!ct_simt_state_shape(facts, wish->block_q ? wish->block_q : wish->nq, wish->dk, wish->dv, &s)) {
        snprintf(why, bytes,
                 "no state of dqk %d, dv %d fits the registers of groups of %zu and %llu bytes of local memory",
                 wish->dk, wish->dv, facts->max_group, (unsigned long long)facts->local_memory);
        return false;
    }
    if (!simt_steps_fit(wish, s.tokens, why, bytes)) {
        return false;
    }
    const ct_define extra[] = {{"MR", s.mr},
                               {"CX", s.cx},
                               {"KS", s.ks},
                               {"PS", s.ps},
                               {"SV", s.columns},
                               {"DEEP", s.deep},
                               {"ALIGNED", wish->aligned >= 4}};
    out->bm = out->bn = out->step = s.tokens;
    out->items = s.items;
    out->parts = s.parts;
    memcpy(out->extra, extra, sizeof extra);
    out->n_extra = (int)CT_COUNT(extra);
    return true;
}

/* crowd_bytes: each half of an sm_90 keeps what it reads in its half of the L2 cache, 25 MB; 16 MB of keys replayed
 * through that miss no more often than one head after another. Of the caches of sm_80 to sm_89 the smallest have 2 to 4
 * MB; simt's tiles are slow enough for any. */
const ct_tile ct_tiles[] = {
    {.name = "cpu_amx",
     .rows = {"tile/tile_cpu_amx.cl"},
     .lines = "tile/line_cpu.cl",
     .line_items = 1,
     .permitted = ct_amx_permitted,
     .probe = "tile/probe_amx.cl",
     .probe_items = 1,
     .accepts = ct_amx_accepts,
     .shape = ct_amx_shape,
     .schedule = "schedule/overlap.cl",
     .rows_only = true},
    {.name = "cpu",
     .rows = {"tile/tile_cpu.cl"},
     .states = {"tile/tile_cpu_cols.cl"},
     .lines = "tile/line_cpu.cl",
     .line_items = 1,
     .probe = "tile/probe_vector.cl",
     .probe_items = 1,
     .accepts = accepts_cpu,
     .shape = shape_cpu,
     .state_shape = state_shape_cpu,
     .backward = true,
     .mixes = true},
    {.name = "nv_wgmma",
     .rows = {"tile/tile_nv_wgmma.cl"},
     .states = {"tile/tile_nv_wgmma.cl", "tile/tile_nv_wgmma_state.cl"},
     .lines = "tile/line_simt.cl",
     .share = "tile/nv_share.cl",
     .line_items = 64,
     .row_items = 128,
     .vectors = 8,
     .probe = "tile/probe_wgmma.cl",
     .probe_items = 128,
     .accepts = accepts_wgmma,
     .shape = ct_wgmma_shape,
     .state_shape = ct_wgmma_state_shape,
     .schedule = "schedule/roles.cl",
     .ptx_target = "sm_90a",
     .tensors = ct_tensor_maps,
     .backward = true,
     .crowd_bytes = 16 << 20},
    {.name = "nv_mma",
     .rows = {"tile/tile_nv_mma.cl"},
     .lines = "tile/line_simt.cl",
     .line_items = 64,
     .row_items = 128,
     .vectors = 8,
     .probe = "tile/probe_mma.cl",
     .probe_items = 32,
     .accepts = accepts_mma,
     .shape = ct_mma_shape,
     .backward = true,
     .crowd_bytes = 4 << 20,
     .tf32 = true},
    {.name = "simt",
     .rows = {"tile/tile_simt.cl"},
     .states = {"tile/tile_simt.cl", "tile/tile_simt_state.cl"},
     .lines = "tile/line_simt.cl",
     .line_items = 64,
     .row_items = 128,
     .vectors = 4,
     .probe = "tile/probe_local.cl",
     .probe_items = 64,
     .accepts = accepts_simt,
     .shape = shape_simt,
     .state_shape = state_shape_simt,
     .backward = true,
     .crowd_bytes = INT64_MAX,
     .mixes = true},
    {.name = "ref",
     .rows = {"tile/tile_ref.cl"},
     .states = {"tile/tile_ref.cl", "tile/tile_ref_state.cl"},
     .lines = "tile/line_ref.cl",
     .line_items = 1,
     .probe_items = 1,
     .accepts = accepts_ref,
     .shape = shape_ref,
     .state_shape = state_shape_ref,
     .backward = true,
     .mixes = true},
};
const int ct_tile_count = (int)CT_COUNT(ct_tiles);

int ct_tile_index(const char *name)
{
    int at = 0;
    while (strcmp(ct_tiles[at].name, name) != 0) {
        at++;
    }
    return at;
}

void ct_tile_names(char *names, size_t bytes)
{
    names[0] = '\0';
    for (int i = 0; i < ct_tile_count; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, bytes - used, "%s%s", i ? ", " : "", ct_tiles[i].name);
    }
}

static bool alike(const ct_types *types)
{
    return types->q == types->k && types->k == types->v;
}

int ct_types_widest(const ct_types *types)
{
    const int64_t keys = ct_max((int64_t)clattn_dtype_size(types->k), (int64_t)clattn_dtype_size(types->v));
    return (int)ct_max((int64_t)clattn_dtype_size(types->q), keys);
}

clattn_status ct_types_taken(ct_builder *b, const ct_types *types)
{
    const ct_tile *tile = ct_builder_tile(b);
    return tile->mixes || alike(types)
               ? CLATTN_OK
               : ct_builder_decline(b, "tile %s reads q, k and v of one element type", tile->name);
}

static clattn_dtype type_of(const ct_types *types, char tensor)
{
    return tensor == 'q' ? types->q : tensor == 'k' ? types->k : types->v;
}

void ct_launch_mixed(ct_launch *l, const ct_types *types, const char *streams, char held)
{
    static const char *const numbered[] = {"STORE_0", "STORE_1", "STORE_2"};
    if (alike(types)) {
        return;
    }
    ct_launch_define(l, "STORE_q", types->q);
    ct_launch_define(l, "STORE_k", types->k);
    ct_launch_define(l, "STORE_v", types->v);
    for (size_t i = 0; i < CT_COUNT(numbered) && streams[i]; i++) {
        ct_launch_define(l, numbered[i], type_of(types, streams[i]));
    }
    if (held != 'q') {
        ct_launch_define(l, "HELD_STORED", type_of(types, held));
    }
}

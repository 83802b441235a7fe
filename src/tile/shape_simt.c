#include "tile/shape_simt.h"

#include <string.h>

/* What a machine gives an item and a group. registers: for two accumulators and what is fetched, without spills; most:
 * with. */
typedef struct machine {
    const char *vendor; /* part of CL_DEVICE_VENDOR */
    int registers, most;
    size_t local_bytes;
    int deep;
} machine;
static const machine machines[] = {
    {"NVIDIA", 160, 320, 48 << 10, 8},
    {"Advanced Micro", 160, 320, 32 << 10, 2},
    {"AMD", 160, 320, 32 << 10, 2},
    {"", 80, 160, 32 << 10, 2}, /* Intel and what nobody has tried */
};
/* Where local memory is memory like any other (CPUs), so is what an item holds, whatever we do: what little is unrolled
 * is compiled in a third of the time. */
static const machine cpu = {"", 32, 160, 32 << 10, 2};
enum { LARGEST_GROUP = 256, LARGEST_TILE = 128, MOST_HELD = 160 };

static const machine *machine_of(const ct_device_facts *facts)
{
    const machine *m = facts->local_apart ? machines : &cpu;
    while (!strstr(facts->vendor, m->vendor)) {
        m++;
    }
    return m;
}

/* Columns of O an item holds, in fours. */
static int head_columns(const struct ct_simt_shape *s, int dv)
{
    return (int)ct_round_up(ct_ceil_div(dv, s->cx), 4);
}

/* What tile_simt.cl asserts. */
static bool divides(const struct ct_simt_shape *s)
{
    const bool rows = s->mr >= 4 && s->mr % 4 == 0 && s->bm > 0 && s->bm % (2 * s->mr) == 0;
    const bool cols = s->cx >= 4 && (s->cx & (s->cx - 1)) == 0 && s->bn > 0 && s->bn % (4 * s->cx) == 0;
    const bool slices = (s->ks == 4 || s->ks == 8 || s->ks == 16) && s->ps > 0 && (s->whole || s->ps % s->cx == 0);
    return rows && cols && slices && s->bn % s->ps == 0;
}

bool ct_simt_shape_legal(const ct_device_facts *facts, int dk, int dv, struct ct_simt_shape *s)
{
    const machine *m = machine_of(facts);
    if (dk < 1 || dv < 1 || !divides(s)) {
        return false;
    }
    const int oc = head_columns(s, dv), nc = s->bn / s->cx, padded = oc * s->cx;
    s->items = s->bm / s->mr * s->cx;
    if (s->items % (s->ks / 4) != 0 || padded / 4 > s->items) {
        return false; /* a line of a slice is fetched at once */
    }
    const int line = s->bm + 4, longer = s->bm > s->bn ? s->bm : s->bn,
              pairs = s->whole ? s->bm * s->bn + 4 * longer : s->mr * s->items;
    const int abt = s->ks * (line + s->bn + 4), ab = s->ps * ((s->whole ? 0 : line) + padded);
    s->local_bytes = sizeof(float) * (size_t)(2 * (abt > ab ? abt : ab) + pairs);
    return s->items <= LARGEST_GROUP && (size_t)s->items <= facts->max_group && s->local_bytes <= m->local_bytes &&
           s->local_bytes <= facts->local_memory && s->mr * (nc + oc) <= m->most;
}

/* What it asserts of pairs that meet the held rows as well. */
static bool gathers(const struct ct_simt_shape *s)
{
    return s->whole && s->bn % (4 * (s->bm / s->mr)) == 0 && s->bm % s->ps == 0;
}

/* The largest equal part of a block that a tile holds; 0: not even one token. */
static int part_of(int block, int tile)
{
    int parts = tile > 0 ? (block + tile - 1) / tile : block + 1;
    while (parts <= block && block % parts != 0) {
        parts++;
    }
    return parts <= block ? block / parts : 0;
}

/* Time of a step over its useful multiply-adds, in units of one: products with their vector reads, staging (turned
 * stores of 16 columns meet bank conflicts), barriers, softmax; times idle lanes, spills and tails. Only the order of
 * shapes matters: the weights reproduce that of an H200. */
static double cost(const struct ct_simt_shape *s, const machine *m, int dk, int dv, int causal)
{
    const double bm = s->bm, bn = s->bn, mr = s->mr, nc = bn / s->cx, oc = head_columns(s, dv), all = s->items;
    const double dkp = (double)ct_round_up(dk, s->ks), dvp = oc * s->cx;
    const double fetched = s->ps * dvp / all, held = mr * (nc + oc) + fetched;
    const double reads = 8.0 * bm * bn * (dkp * (mr + nc) / (4 * mr * nc) + dvp * (mr + oc) / (4 * mr * oc));
    const double staging = (s->ks > 8 ? 8.0 : 4.0) * (bm + bn) * dkp + 4.0 * bn * (dvp + bm);
    const double barriers = 24.0 * all * (dkp / s->ks + bn / s->ps);
    const double softmax = 12.0 * bm * bn + 24.0 * bm * s->cx;
    const double idle = (double)ct_round_up(s->items, 32) / all * (s->items < 64 ? 1.2 : 1.0);
    const double over = held > m->registers ? held / m->registers : 1.0, spills = over * over;
    const double tails = 1.0 + (bm + (causal ? bn : 0.0)) / 2048.0;
    const double useful = (double)s->rows * s->cols * (dk + dv);
    return (bm * bn * (dkp + dvp) + reads + staging + barriers + softmax) * idle * spills * tails / useful;
}

/* Every shape in turn: false after the last one. */
static bool next_shape(struct ct_simt_shape *s)
{
    if ((s->ks *= 2) <= 16) {
        return true;
    }
    s->ks = 4;
    if ((s->ps /= 2) >= 4) {
        return true;
    }
    s->ps = 32;
    if ((s->bn += 4 * s->cx) <= LARGEST_TILE) {
        return true;
    }
    s->bn = 4 * s->cx;
    if ((s->bm += 2 * s->mr) <= LARGEST_TILE) {
        return true;
    }
    if ((s->cx *= 2) > 32) {
        s->cx = 4;
        s->mr += 4;
    }
    s->bn = 4 * s->cx;
    s->bm = 2 * s->mr;
    return s->mr <= 8;
}

typedef struct blocks {
    int q, k, pack;
    bool cut; /* may a tile do a part of a block? */
} blocks;
static bool choose(const ct_device_facts *facts, const blocks *block, bool leave_whole, int dk, int dv, int causal,
                   struct ct_simt_shape *out)
{
    const machine *m = machine_of(facts);
    struct ct_simt_shape s = {
        .bm = 8, .bn = 16, .mr = 4, .cx = 4, .ks = 4, .ps = 32, .deep = m->deep, .whole = leave_whole};
    double best = 0.0;
    bool found = false;
    do {
        const int tokens = block->q > 0 ? part_of(block->q, s.bm / block->pack) : s.bm / block->pack;
        s.rows = tokens * block->pack;
        s.cols = block->k > 0 ? part_of(block->k, s.bn) : s.bn;
        const bool whole = (block->q == 0 || tokens == block->q) && (block->k == 0 || s.cols == block->k);
        if (s.rows == 0 || (!block->cut && !whole) || (leave_whole && !gathers(&s)) ||
            !ct_simt_shape_legal(facts, dk, dv, &s)) {
            continue;
        }
        const double c = cost(&s, m, dk, dv, causal);
        if (!found || c < best) {
            best = c;
            *out = s;
            found = true;
        }
    } while (next_shape(&s));
    return found;
}

bool ct_simt_shape(const ct_device_facts *facts, int block_q, int block_k, int dk, int dv, int causal,
                   struct ct_simt_shape *out)
{
    const blocks whole = {block_q, block_k, 1, false};
    return choose(facts, &whole, false, dk, dv, causal, out);
}

bool ct_simt_shape_parts(const ct_device_facts *facts, int block_q, int block_k, int pack, int dk, int dv, int causal,
                         struct ct_simt_shape *out)
{
    const blocks parts = {block_q, block_k, pack, true};
    return choose(facts, &parts, false, dk, dv, causal, out);
}

/* Where a search for the forward pass finds shapes that spill or outgrow an instruction cache: 8 x 8 of everything, so
 * that an item holds 192 floats, and so many rows and columns that fetches of slices leave the path from local memory
 * to products, which need nearly all of it. Of a head of just so many columns; whole blocks, or no blocks. The first
 * that fits. */
typedef struct backward_row {
    int width;
    bool turned, texts; /* as ct_shape_wish */
    struct ct_simt_shape s;
} backward_row;
static const backward_row backward_rows[] = {
    /* two chains: two results, and a tile of pairs or the share that they have of dQ */
    {64, true, false, {.bm = 128, .bn = 64, .mr = 8, .cx = 8, .ks = 8, .ps = 16, .deep = 4, .whole = true}},
    {64, true, false, {.bm = 64, .bn = 64, .mr = 8, .cx = 8, .ks = 8, .ps = 16, .deep = 4, .whole = true}},
    {128, true, false, {.bm = 64, .bn = 64, .mr = 8, .cx = 16, .ks = 16, .ps = 16, .deep = 4, .whole = true}},
    /* one chain: two tiles of pairs and two results */
    {64, true, true, {.bm = 64, .bn = 32, .mr = 8, .cx = 8, .ks = 8, .ps = 32, .deep = 8, .whole = true}},
    {128, true, true, {.bm = 64, .bn = 64, .mr = 8, .cx = 16, .ks = 8, .ps = 16, .deep = 4, .whole = true}},
    /* two tiles of pairs and a result */
    {64, false, false, {.bm = 64, .bn = 64, .mr = 8, .cx = 8, .ks = 8, .ps = 16, .deep = 4, .whole = true}},
    {64, false, false, {.bm = 64, .bn = 64, .mr = 8, .cx = 8, .ks = 8, .ps = 16, .deep = 2, .whole = true}},
    {128, false, false, {.bm = 64, .bn = 128, .mr = 8, .cx = 16, .ks = 16, .ps = 16, .deep = 4}},
};

/* Floats of an item: results, beside pairs or what these have of another one. */
static int held_backward(const struct ct_simt_shape *s, int width, bool turned, bool chains)
{
    const int columns = head_columns(s, width), pairs = s->mr * s->bn / s->cx;
    const int share = chains ? s->bn / (s->bm / s->mr) * columns : 0;
    return (turned ? 2 : 1) * s->mr * columns + (chains ? (pairs > share ? pairs : share) : 2 * pairs);
}

/* Groups of it that a compute unit runs at once, with so many registers beside those that hold its floats; a CPU's runs
 * one. */
static int places_of(const ct_device_facts *facts, const struct ct_simt_shape *s, int held)
{
    enum { REGISTERS = 1 << 16, BESIDE = 63 };
    const int places = REGISTERS / (s->items * (held + BESIDE));
    return facts->local_apart && places > 1 ? places : 1;
}

static bool takes(const backward_row *row, const ct_device_facts *facts, const ct_shape_wish *wish,
                  struct ct_simt_shape *out)
{
    const int block_q = wish->block_q, block_k = wish->block_k;
    *out = row->s;
    out->rows = out->bm;
    out->cols = out->bn;
    const bool same = row->turned == wish->turned && row->texts == wish->texts && row->width == wish->dk;
    const bool divide = block_q % out->bm == 0 && block_k % out->bn == 0 && wish->nq >= out->bm;
    const machine *m = machine_of(facts);
    return same && divide && out->deep <= m->deep && ct_simt_shape_legal(facts, wish->dk, wish->dv, out) &&
           held_backward(out, wish->dk, wish->turned, wish->turned && !wish->texts) <= m->most;
}

bool ct_simt_shape_backward(const ct_device_facts *facts, const ct_shape_wish *wish, bool *chains,
                            struct ct_simt_shape *out)
{
    const blocks parts = {wish->block_q, wish->block_k, wish->pack, true};
    *chains = wish->turned && !wish->texts;
    bool found = false;
    for (size_t i = 0; i < CT_COUNT(backward_rows) && !found; i++) {
        found = takes(&backward_rows[i], facts, wish, out);
    }
    if (!found && *chains) {
        *chains = found = choose(facts, &parts, true, wish->dk, wish->dv, wish->causal, out);
    }
    if (!found) {
        found = choose(facts, &parts, false, wish->dk, wish->dv, wish->causal, out);
    }
    out->places = *chains ? places_of(facts, out, held_backward(out, wish->dk, true, true)) : 0;
    return found;
}

/* Floats an item holds at once: state, pairs and results. */
static int held_of(const struct ct_simt_state_shape *s, int dk)
{
    const int ry = s->tokens / s->mr, oc = (int)ct_round_up(ct_ceil_div(s->columns, s->cx), 4);
    return s->mr * (s->tokens / s->cx + oc) + (int)ct_round_up(ct_ceil_div(dk, ry), 4) * oc;
}

/* Fills in what follows from the rest; false: not on this device. */
static bool state_fits(const ct_device_facts *facts, const machine *m, int dk, int dv, struct ct_simt_state_shape *s)
{
    const int n = s->tokens, ry = n / s->mr, keys = (int)ct_round_up(dk, 4 * ry);
    const int lines[] = {s->ks * (2 * n + 8), s->ps * (n + 4 + s->columns), s->ks * (n + 4 + s->columns),
                         s->ps * (keys + s->columns)};
    int most = 0;
    for (size_t i = 0; i < CT_COUNT(lines); i++) {
        most = lines[i] > most ? lines[i] : most;
    }
    s->items = ry * s->cx;
    s->parts = (int)ct_ceil_div(dv, s->columns);
    s->local_bytes = sizeof(float) * (size_t)(2 * most + 6 * n);
    return s->items >= 64 && s->items <= LARGEST_GROUP && (size_t)s->items <= facts->max_group &&
           s->columns / 4 <= s->items && s->local_bytes <= m->local_bytes && s->local_bytes <= facts->local_memory &&
           held_of(s, dk) <= MOST_HELD;
}

/* Time of a token, as in cost: four products, what they stage, their barriers, spills. */
static double state_cost(const struct ct_simt_state_shape *s, const machine *m, int dk)
{
    const double n = s->tokens, mr = s->mr, nc = n / s->cx, oc = (double)s->columns / s->cx, ry = n / mr;
    const double keys = (double)ct_round_up(dk, 4 * (int)ry), sr = keys / ry, dkp = (double)ct_round_up(dk, s->ks),
                 dvp = s->columns;
    const double pairs = n * dkp * (1.0 + 2.0 * (mr + nc) / (mr * nc)),
                 outputs = (n + dkp) * dvp * (1.0 + 2.0 * (mr + oc) / (mr * oc));
    const double states = keys * dvp * (1.0 + 2.0 * (sr + oc) / (sr * oc));
    const double staging = 4.0 * (4.0 * dkp + 2.0 * dvp + keys * dvp / n + n);
    const double barriers = 24.0 * s->items / n * (2.0 * dkp / s->ks + 2.0 * n / s->ps);
    const double held = held_of(s, dk), over = held > m->registers ? held / m->registers : 1.0;
    return s->parts * (pairs + outputs + states + staging + barriers) * over * over;
}

bool ct_simt_state_shape(const ct_device_facts *facts, int64_t tokens, int dk, int dv, struct ct_simt_state_shape *out)
{
    static const int chunks[] = {64, 32}, rows[] = {4, 8}, slices[] = {16, 8};
    const machine *m = machine_of(facts);
    const int widest = (int)ct_round_up(dv, 32);
    double best = 0.0;
    bool found = false;
    for (int i = 0; i < 8; i++) {
        struct ct_simt_state_shape s = {
            .tokens = chunks[i / 4], .mr = rows[i / 2 % 2], .cx = 8, .ks = 8, .ps = slices[i % 2], .deep = m->deep};
        for (s.columns = 32; s.columns <= widest && (s.tokens <= 32 || tokens > 32); s.columns += 32) {
            if (!state_fits(facts, m, dk, dv, &s)) {
                continue;
            }
            const double c = state_cost(&s, m, dk);
            if (!found || c < best) {
                best = c;
                *out = s;
                found = true;
            }
        }
    }
    return found;
}

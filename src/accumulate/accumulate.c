/* Chunked linear attention: one launch where there are heads enough, else segments: states of the segments, scan,
 * outputs. */
#include "accumulate/accumulate.h"

#include <string.h>

#include "accumulate/parts.h"
#include "tile/tiles.h"
#include "line/line.h"

#define SEGMENTS_A_UNIT 3 /* fewer leave units idle at the end, more repeat the state's work too often */

/* A kernel of cl/accumulate that has a state. */
typedef struct stage_of {
    const char *part, *kernel;
    const char *streams; /* tiles that arrive every step, by tensor: see ct_launch_mixed */
    bool float_state;    /* see ct_shape_wish */
} stage_of;

static const stage_of forward = {"accumulate/accumulate_forward.cl", "accumulate_forward", "qkv", false};

static int rows_aligned(const ct_accumulate_run *run)
{
    const clattn_strides *q = &run->args.q, *k = &run->args.k, *v = &run->args.v, *o = &run->args.o;
    const int64_t lengths[] = {q->batch, q->head, q->row,   k->batch, k->head, k->row,    v->batch,
                               v->head,  v->row,  o->batch, o->head,  o->row,  run->a.dk, run->width};
    return ct_tile_aligned(lengths, CT_COUNT(lengths));
}

/* After the features: they change where rows lie. */
static clattn_status choose_shape(ct_builder *b, const ct_accumulate_run *run, const stage_of *stage, ct_shape *shape)
{
    const ct_tile *tile = ct_builder_tile(b);
    char why[256] = "";
    const ct_shape_wish wish = {.block_q = run->a.chunk,
                                .nq = ct_max(run->longest_q, run->longest_k),
                                .nk = run->longest_k,
                                .dk = (int)run->a.dk,
                                .dv = (int)run->width,
                                .pack = 1,
                                .causal = run->a.causal,
                                .aligned = rows_aligned(run),
                                .dtype = run->a.types.q,
                                .element = ct_types_widest(&run->a.types),
                                .tensors = {{"q", run->a.nq, run->args.q.row},
                                            {"k", run->a.nk, run->args.k.row},
                                            {"v", run->a.nk, run->args.v.row}},
                                .streams = (int)strlen(stage->streams),
                                .float_state = stage->float_state};
    if (!tile->state_shape) {
        return ct_builder_decline(b, "tile %s has no state words", tile->name);
    }
    const clattn_status taken = ct_types_taken(b, &run->a.types);
    if (taken != CLATTN_OK) {
        return taken;
    }
    if (!tile->state_shape(&ct_builder_context(b)->env.facts, &wish, shape, why, sizeof why)) {
        return ct_builder_decline(b, "%s", why);
    }
    if (wish.aligned >= tile->vectors || tile->tensors) {
        ct_builder_align(b, tile->vectors);
    }
    return CLATTN_OK;
}

/* The tensors as the tile's kernels get them. */
static clattn_status take_tensors(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate *a = &run->a;
    const ct_tile *tile = ct_builder_tile(b);
    ct_tensor_in t[] = {
        {"q", a->q, run->args.q, a->types.q, a->dk, a->nq, a->heads, a->batch, run->shape.bn, 1, a->cu_q, false},
        {"k", a->k, run->args.k, a->types.k, a->dk, a->nk, a->kv_heads, a->batch, run->shape.bn, 1, a->cu_k, true},
        {"v", a->v, run->args.v, a->types.v, run->width, a->nk, a->kv_heads, a->batch, run->shape.bn, 1, a->cu_k, true},
    };
    if (tile->tensors) {
        CT_TRY(tile->tensors(b, t, (int)CT_COUNT(t), a->sequences, &run->shape));
        a->q = t[0].ref;
        a->k = t[1].ref;
        a->v = t[2].ref;
    }
out:
    return st;
}

/* Tokens of a segment and their number, so that every compute unit has work. */
static void choose_segments(ct_builder *b, const ct_accumulate_run *run, int64_t tokens, bool twice,
                            accumulate_args *args)
{
    const int64_t units = ct_builder_context(b)->env.facts.compute_units;
    const int64_t chunks = ct_max(ct_ceil_div(tokens, args->step), 1);
    const int64_t wish = run->shape.groups
                             ? ct_accumulate_segments(units * run->shape.groups, run->items, chunks, twice)
                         : run->items < units ? ct_ceil_div(units * SEGMENTS_A_UNIT, run->items)
                                              : 1;
    const int64_t each = ct_ceil_div(chunks, ct_min(wish, chunks)); /* chunks */
    args->segment = (int32_t)(each * args->step);
    args->segments = (int32_t)ct_max(ct_ceil_div(chunks, each), 1);
    ct_builder_note(b, "%lld states of %d segments of %d tokens, %lld groups for %lld compute units",
                    (long long)run->items, args->segments, args->segment,
                    (long long)(run->items * args->segments * ct_max(run->shape.parts, 1)), (long long)units);
}

static clattn_status stage_launch(ct_builder *b, const ct_accumulate_run *run, const stage_of *stage, ct_launch **out)
{
    clattn_status st = CLATTN_OK;
    const ct_tile *tile = ct_builder_tile(b);
    ct_shape shape = {0};
    CT_TRY(choose_shape(b, run, stage, &shape));
    CT_TRY(ct_builder_launch(b, stage->kernel, out));
    ct_program_spec *spec = ct_launch_spec(*out);
    spec->ptx_target = tile->ptx_target;
    spec->ptx_groups = shape.groups;
    spec->untried = shape.untried;
    ct_spec_part(spec, "tile/tile.cl");
    for (size_t i = 0; i < CT_COUNT(tile->states) && tile->states[i]; i++) {
        ct_spec_part(spec, tile->states[i]);
    }
    ct_spec_part(spec, "accumulate/portion.cl");
    ct_spec_part(spec, "accumulate/decays.cl");
    ct_spec_part(spec, stage->part);
    ct_spec_part(spec, tile->schedule ? tile->schedule : "schedule/serial.cl");
    ct_launch_define(*out, "BM", shape.bm);
    ct_launch_define(*out, "BN", shape.bn);
    ct_launch_define(*out, "DK", (long)run->a.dk);
    ct_launch_define(*out, "DV", (long)run->width);
    ct_launch_define(*out, "STORE", run->a.types.q);
    ct_launch_mixed(*out, &run->a.types, stage->streams, 'q');
    ct_launch_define(*out, "OUT", run->a.o_dtype);
    ct_launch_define(*out, "PACKED", run->a.sequences > 0);
    if (run->a.reversed) {
        ct_launch_define(*out, "REVERSED", 1);
    }
    for (int i = 0; i < shape.n_extra; i++) {
        ct_launch_define(*out, shape.extra[i].name, shape.extra[i].value);
    }
out:
    return st;
}

static void stage_groups(ct_launch *l, const ct_accumulate_run *run, int64_t items)
{
    ct_launch_groups(l, run->args.segments, items, ct_max(run->shape.parts, 1), run->shape.items);
}

static clattn_status add_forward(ct_builder *b, const ct_accumulate_run *run, ct_ref state_in, ct_ref state_out)
{
    ct_launch *l = NULL;
    const clattn_status st = stage_launch(b, run, &forward, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    ct_launch_define(l, "DECAY", run->a.fading);
    ct_launch_define(l, "INITIAL", state_in.where != CT_NOWHERE);
    ct_launch_define(l, "FINAL", state_out.where != CT_NOWHERE);
    const struct {
        CT_REFS(ACCUMULATE_FORWARD)
    } buffers = {.q = run->a.q,
                 .k = run->a.k,
                 .v = run->a.v,
                 .o = run->a.o,
                 .state_in = state_in,
                 .state_out = state_out,
                 .decay = run->a.decay,
                 .cu = run->a.cu_q};
    CT_ARGUMENTS(l, &buffers, &run->args);
    stage_groups(l, run, run->items);
    ct_launch_main(l);
    return CLATTN_OK;
}

/* The states of the segments of all heads that have one. */
static clattn_status add_states(ct_builder *b, const ct_accumulate_run *run, ct_ref states, ct_ref fade)
{
    ct_launch *l = NULL;
    const stage_of states_of = {"accumulate/accumulate_state.cl", "accumulate_state", "kv",
                                run->a.state_out.where != CT_NOWHERE};
    const clattn_status st = stage_launch(b, run, &states_of, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    ct_launch_define(l, "DECAY", run->a.fading);
    const struct {
        CT_REFS(ACCUMULATE_STATE)
    } buffers = {
        .k = run->a.k, .v = run->a.v, .state_out = states, .fade = fade, .decay = run->a.decay, .cu = run->a.cu_k};
    accumulate_args args = run->args;
    args.heads = args.state_heads;
    args.state_step = 1;
    CT_ARGUMENTS(l, &buffers, &args);
    stage_groups(l, run, run->states);
    return CLATTN_OK;
}

static clattn_status add_scan(ct_builder *b, const ct_accumulate_run *run, int segments, ct_ref states, ct_ref fade,
                              ct_ref state_out)
{
    ct_launch *l = NULL;
    const int64_t size = run->a.dk * run->width, items = ct_builder_tile(b)->line_items;
    /* a column's segments wait for each other: no item of many should have two */
    const int64_t slab = items > 1 ? items : 1024;
    const clattn_status st = ct_line_launch(b, "accumulate/scan.cl", "accumulate_scan", 1, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    const scan_args args = {(int32_t)size, (int32_t)slab, segments, 0};
    ct_launch_define(l, "INITIAL", run->a.state_in.where != CT_NOWHERE);
    ct_launch_define(l, "FINAL", state_out.where != CT_NOWHERE);
    ct_launch_define(l, "ENTERING", run->a.causal);
    const struct {
        CT_REFS(ACCUMULATE_SCAN)
    } buffers = {.states = states, .fade = fade, .state_in = run->a.state_in, .state_out = state_out};
    CT_ARGUMENTS(l, &buffers, &args);
    ct_launch_groups(l, ct_ceil_div(size, slab), run->states, 1, ct_builder_tile(b)->line_items);
    return CLATTN_OK;
}

/* o = S^T phi(q), with one S of all keys, or one of each segment of the queries. */
static clattn_status add_apply(ct_builder *b, const ct_accumulate_run *run, ct_ref state)
{
    ct_launch *l = NULL;
    const stage_of apply = {"accumulate/accumulate_apply.cl", "accumulate_apply", "q", false};
    const clattn_status st = stage_launch(b, run, &apply, &l);
    if (st != CLATTN_OK) {
        return st;
    }
    ct_launch_define(l, "OWN", run->a.left_out != NULL);
    const struct {
        CT_REFS(ACCUMULATE_APPLY)
    } buffers = {.q = run->a.q, .o = run->a.o, .state = state, .cu = run->a.cu_q};
    CT_ARGUMENTS(l, &buffers, &run->args);
    stage_groups(l, run, run->items);
    ct_launch_main(l);
    return CLATTN_OK;
}

/* With the state that enters each segment, or none. */
static clattn_status add_chunks(ct_builder *b, const ct_accumulate_run *run, ct_ref states)
{
    return add_forward(b, run, states, ct_nothing());
}

typedef clattn_status (*add_output)(ct_builder *b, const ct_accumulate_run *run, ct_ref state);

/* o, or the sum of what the members of a head of q give: their states lie `state` floats apart. */
static clattn_status each_member(ct_builder *b, const ct_accumulate_run *run, ct_ref states, int64_t state,
                                 add_output add)
{
    clattn_status st = CLATTN_OK;
    const int64_t members = run->args.state_step;
    const int64_t floats = run->a.batch * run->a.heads * run->a.nq * run->width;
    ct_builder_serves(b, run->a.serves);
    if (members == 1) {
        CT_TRY(add(b, run, states));
        CT_TRY(ct_accumulate_dots(b, run, 0));
        goto out;
    }
    const ct_ref sum = ct_builder_zone(b, "sum of members", floats, sizeof(float));
    const ct_ref part = ct_builder_zone(b, "a member", floats, sizeof(float));
    for (int64_t i = 0; i < members; i++) {
        ct_accumulate_run one = ct_accumulate_member(run, i, i ? part : sum);
        CT_TRY(take_tensors(b, &one));
        CT_TRY(add(b, &one, states.where == CT_NOWHERE ? states : ct_ref_at(states, i * state)));
        CT_TRY(ct_accumulate_dots(b, &one, i));
        if (i) {
            CT_TRY(ct_accumulate_plus(b, run, sum, part, i == members - 1));
        }
    }
out:
    return st;
}

/* The states are those of `given`, transposed. */
static clattn_status add_turned(ct_builder *b, ct_accumulate_run *run, const ct_entering *given)
{
    clattn_status st = CLATTN_OK;
    const int64_t size = run->a.dk * run->width, count = run->states * given->segments;
    const ct_ref states = ct_builder_zone(b, "states of segments, transposed", count * size, sizeof(float));
    run->args.segment = (int32_t)given->segment;
    run->args.segments = given->segments;
    CT_TRY(ct_accumulate_turn(b, given->states, states, count, run->a.dk, run->width));
    CT_TRY(each_member(b, run, states, size * given->segments, add_chunks));
out:
    return st;
}

static clattn_status add_causal(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    const ct_accumulate *a = &run->a;
    const bool leaves = a->state_out.where != CT_NOWHERE;
    /* one launch gives both, unless o may be absent or is a sum */
    const bool both = !run->shape.rounds_state && !a->reversed && run->args.state_step == 1;
    const int64_t state = run->a.dk * run->width;
    if (a->given && ct_is(a->given->states) && a->given->segment % run->args.step == 0) {
        return add_turned(b, run, a->given);
    }
    choose_segments(b, run, run->longest_k, true, &run->args);
    if (run->args.segments == 1 && leaves && both) {
        CT_TRY(add_forward(b, run, a->state_in, a->state_out));
        CT_TRY(ct_accumulate_dots(b, run, 0));
        goto out;
    }
    if (run->args.segments == 1 && !leaves) {
        return each_member(b, run, a->state_in, state, add_chunks);
    }
    const int64_t count = run->states * run->args.segments;
    const ct_ref states = ct_builder_zone(b, "states of segments", count * state, sizeof(float));
    const ct_ref fade = ct_builder_zone(b, "decays of segments", count, sizeof(float));
    CT_TRY(add_states(b, run, states, fade));
    CT_TRY(add_scan(b, run, run->args.segments, states, fade, a->state_out));
    if (a->left) {
        *a->left = (ct_entering){states, run->args.segment, run->args.segments};
    }
    CT_TRY(each_member(b, run, states, state * run->args.segments, add_chunks));
out:
    return st;
}

static clattn_status add_full(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate_run keys = *run, queries = *run;
    choose_segments(b, run, run->longest_k, false, &keys.args);
    choose_segments(b, run, run->longest_q, false, &queries.args);
    const int segments = keys.args.segments;
    const int64_t size = run->a.dk * run->width, count = run->states * segments;
    const ct_ref states = ct_builder_zone(b, "states of segments", count * size, sizeof(float));
    const ct_ref fade = ct_builder_zone(b, "decays of segments", count, sizeof(float));
    const bool alone = segments == 1 && run->a.state_in.where == CT_NOWHERE && run->a.state_out.where == CT_NOWHERE;
    const ct_ref total = alone                                  ? states
                         : run->a.state_out.where != CT_NOWHERE ? run->a.state_out
                                                                : ct_builder_zone(b, "state", run->states * size, 4);
    CT_TRY(add_states(b, &keys, states, fade));
    if (!alone) {
        CT_TRY(add_scan(b, run, segments, states, fade, total));
    }
    CT_TRY(each_member(b, &queries, total, size, add_apply));
out:
    return st;
}

/* A segment of keys is a block of the layout, one of queries a block row. */
static clattn_status add_rows(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    const ct_blocks *blocks = run->a.left_out;
    ct_accumulate_run keys = *run, queries = *run;
    keys.args.segment = blocks->block_k;
    keys.args.segments = blocks->cols;
    queries.args.segment = blocks->block_q;
    queries.args.segments = blocks->rows;
    const int64_t size = run->a.dk * run->width, of_keys = run->states * blocks->cols;
    const int64_t of_rows = run->states * blocks->rows;
    const ct_ref states = ct_builder_zone(b, "states of blocks", of_keys * size, sizeof(float));
    const ct_ref fade = ct_builder_zone(b, "decays of blocks", of_keys, sizeof(float));
    const ct_ref sums = ct_builder_zone(b, "states of block rows", of_rows * size, sizeof(float));
    CT_TRY(add_states(b, &keys, states, fade));
    CT_TRY(ct_accumulate_rows(b, run, states, sums));
    CT_TRY(each_member(b, &queries, sums, size * blocks->rows, add_apply));
out:
    return st;
}

clattn_status ct_accumulate_run_add(ct_builder *b, ct_accumulate_run *run)
{
    clattn_status st = CLATTN_OK;
    ct_builder_serves(b, run->a.serves | run->a.serves_state);
    CT_TRY(choose_shape(b, run, &forward, &run->shape));
    run->args.step = (int32_t)run->shape.step;
    if (run->args.state_step == 1) {
        CT_TRY(take_tensors(b, run));
    }
    CT_TRY(run->a.causal ? add_causal(b, run) : run->a.left_out ? add_rows(b, run) : add_full(b, run));
out:
    return st;
}

clattn_status ct_accumulate_add(ct_builder *b, const ct_accumulate *accumulate)
{
    clattn_status st = CLATTN_OK;
    ct_accumulate_run run = ct_accumulate_begin(accumulate);
    if (run.a.steps) {
        CT_TRY(ct_accumulate_steps(b, &run));
        goto out;
    }
    CT_TRY(ct_accumulate_features(b, &run));
    CT_TRY(ct_accumulate_run_add(b, &run));
    if (run.a.normalise) {
        ct_accumulate_run result = ct_accumulate_begin(accumulate);
        CT_TRY(ct_accumulate_divide(b, &result, run.a.o));
    }
out:
    return st;
}

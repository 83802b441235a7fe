/* Plans: candidates in order of preference, the first that accepts wins. */
#include "plan/plan_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "layout/layout.h"
#include "methods/epilogue.h"
#include "plan/problem.h"
#include "program/lex.h"
#include "tile/tiles.h"

/* A caller's text is the body of a function, or an expression: then cl/variant/score.cl says `return`. One semicolon
 * more is a statement. */
static clattn_status end_text(clattn_plan *plan, const char *given, char **copy)
{
    ct_text text = {.allocator = &plan->allocator};
    ct_text_add(&text, "%s\n\n;\n", given); /* two lines: the text may end in a comment's backslash */
    if (text.failed) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a text of %zu bytes", strlen(given));
    }
    *copy = text.data;
    return CLATTN_OK;
}

static clattn_status copy_text(clattn_plan *plan, ct_text_role role)
{
    const char **in_problem = ct_problem_text(&plan->problem, role);
    const char *given = *in_problem, *file = ct_problem_text_file(&plan->problem, role);
    clattn_status st = CLATTN_OK;
    size_t length = 0;
    char *read = NULL;
    *in_problem = NULL;
    if (role == CT_TEXT_DSCORE && plan->problem.pass != CLATTN_BWD) {
        return CLATTN_OK;
    }
    if (!given && file[0]) {
        CT_TRY(ct_read_file(&plan->allocator, file, &read, &length));
        given = read;
    }
    if (given) {
        CT_TRY(end_text(plan, given, &plan->texts[role]));
        plan->reads_buffer |= ct_lex_finds(given, "buffer");
    }
    *in_problem = plan->texts[role];
out:
    ct_release(&plan->allocator, read);
    return st;
}

/* A text that mentions `buffer` would read where nothing is. */
static void want_buffer(clattn_plan *plan)
{
    ct_plan_slot *slot = &plan->slots[CLATTN_TEXT_BUFFER];
    if (plan->reads_buffer && slot->want) {
        slot->want = 2;
    }
}

/* Has a kernel this tile's words for rows? */
static bool reads_rows(const clattn_plan *plan)
{
    for (int i = 0; i < plan->n_launches; i++) {
        const ct_program_spec *spec = &plan->launches[i]->spec;
        for (int k = 0; k < spec->n_parts; k++) {
            if (strcmp(spec->parts[k], plan->tile->rows[0]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The probe comes last but the programs: a problem that the tile's shapes rule out need not wait for it. *built:
 * programs were asked for. */
static clattn_status try_tile(clattn_plan *plan, const ct_method *method, int index, bool *built)
{
    clattn_status st = CLATTN_OK;
    char why[CT_WHY_BYTES];
    ct_builder builder = {.plan = plan, .declined = ""};
    *built = false;
    if (!ct_tile_possible(plan->context, index, why)) {
        CT_FAIL(CLATTN_DEVICE_LACKS, "%s", why);
    }
    plan->tile = &ct_tiles[index];
    plan->backend = ct_tiles[index].name;
    plan->options = ct_tiles[index].options;
    plan->untried = ct_tiles[index].untried;
    CT_TRY(ct_epilogue_build(&builder, method, plan->layout));
    want_buffer(plan);
    if (builder.declined[0]) {
        CT_FAIL(CLATTN_DEVICE_LACKS, "%s", builder.declined);
    }
    if (ct_tiles[index].rows_only && !reads_rows(plan)) {
        CT_FAIL(CLATTN_DEVICE_LACKS, "nothing in it is a product of rows");
    }
    if (!ct_tile_usable(plan->context, index, why)) {
        CT_FAIL(CLATTN_DEVICE_LACKS, "%s", why);
    }
    *built = true;
    CT_TRY(ct_plan_finish(plan));
out:
    return st;
}

/* Another candidate may do what this one cannot: what it lacks, what is too much for its tiles, and programs of its own
 * that the driver does not compile, create or launch. Not where the context asks for this one only, or where the
 * caller's text is at fault. */
static bool declines(const clattn_plan *plan, clattn_status st, bool built)
{
    const bool refused = st == CLATTN_BUILD_FAILED || st > CLATTN_INVALID_ARGUMENT; /* above: OpenCL's own codes */
    return st == CLATTN_DEVICE_LACKS ||
           (!plan->context->backend[0] && !plan->blames_text && (st == CLATTN_UNSUPPORTED || (built && refused)));
}

/* A line of its own for each candidate; further ones, of a compiler's log, are indented. */
static void explain(clattn_plan *plan, const char *name, const char *why)
{
    ct_text_add(&plan->explain, "%s: ", name);
    while (*why) {
        const size_t n = strcspn(why, "\n"), newlines = strspn(why + n, "\n");
        ct_text_append(&plan->explain, why, n);
        why += n + newlines;
        ct_text_add(&plan->explain, "%s", *why ? "\n    " : "");
    }
    ct_text_add(&plan->explain, "\n");
}

/* A candidate that came as far as its programs would have served. */
static void note_refusal(clattn_plan *plan, const char *name)
{
    plan->instead_of = plan->instead_of ? plan->instead_of : name;
    ct_log(&plan->context->env, CLATTN_LOG_WARN, "backend %s declines: %s", name, clattn_error_detail());
}

/* tf32=1 permits; what becomes of it is the tile's. */
static void explain_tf32(clattn_plan *plan)
{
    if (plan->problem.tf32 && plan->problem.dtype == CLATTN_F32) {
        ct_text_add(&plan->explain, "tf32=1 permits rounding: %s %s\n", plan->tile->name,
                    plan->tile->tf32 ? "multiplies floats of 10 bits of mantissa" : "is exact");
    }
}

static void explain_order(clattn_plan *plan)
{
    if (!plan->problem.deterministic) {
        ct_text_add(&plan->explain, "deterministic=0 permits sums in order of arrival: %s %s\n", plan->tile->name,
                    plan->any_order ? "takes it up" : "keeps a fixed order");
    }
}

/* Nobody accepts: the last word is the plainest candidate's, unless it merely lacks something. A program that no
 * compiler takes is the caller's text's fault if it has one, else ours. */
static clattn_status fail_all(const clattn_plan *plan, clattn_status last)
{
    const bool text = plan->problem.score_text || plan->problem.mask_text;
    return ct_fail(last == CLATTN_BUILD_FAILED && !text ? CLATTN_DEVICE_LACKS : last,
                   "no backend accepts '%s' on this device:\n%s", plan->problem.method,
                   plan->explain.data ? plan->explain.data : "");
}

static clattn_status choose(clattn_plan *plan, const ct_method *method)
{
    clattn_status last = CLATTN_DEVICE_LACKS;
    bool chosen = false, built;
    for (int i = 0; i < ct_tile_count; i++) {
        const char *name = ct_tiles[i].name;
        if (chosen) {
            ct_text_add(&plan->explain, "%s: not asked, %s comes first\n", name, plan->tile->name);
            continue;
        }
        const clattn_status st = try_tile(plan, method, i, &built);
        if (st == CLATTN_OK) {
            chosen = true;
            ct_text_add(&plan->explain, "%s: chosen%s%s\n", name, plan->note[0] ? "; " : "", plan->note);
            continue;
        }
        if (!declines(plan, st, built)) {
            return st;
        }
        last = st == CLATTN_DEVICE_LACKS ? last : st;
        explain(plan, name, clattn_error_detail());
        if (built) {
            note_refusal(plan, name);
        }
        ct_plan_clear(plan);
    }
    if (!chosen) {
        return fail_all(plan, last);
    }
    explain_tf32(plan);
    explain_order(plan);
    return CLATTN_OK;
}

static double density_of(const clattn_plan *plan)
{
    const clattn_problem *p = &plan->problem;
    const double pairs = (double)p->b * (double)p->hq * (double)p->nq * (double)p->nk;
    return plan->work.softmax ? plan->work.pairs / pairs : 1;
}

static void describe(clattn_plan *plan)
{
    for (int i = 0; i < plan->n_launches; i++) {
        const ct_launch *l = plan->launches[i];
        ct_text_add(&plan->describe, "%s groups=%zux%zux%zu items=%zu", l->program->name, l->groups[0], l->groups[1],
                    l->groups[2], l->items);
        if (l->offset[1]) {
            ct_text_add(&plan->describe, " fold=%zux%zu", l->offset[1], l->offset[2]);
        }
        ct_text_add(&plan->describe, "\n");
    }
}

/* Of a layout that chooses by scores, perhaps made for another problem. */
static clattn_status check_chosen(const clattn_problem *p, const clattn_layout *layout)
{
    const int64_t crossed = ct_problem_causal(p) ? ct_layout_crossed(layout) : 0;
    if (p->sequences) {
        return ct_fail(CLATTN_UNSUPPORTED, "the layout chooses by scores: not for packed sequences (sequences=%lld)",
                       (long long)p->sequences);
    }
    if (layout->width < crossed) {
        return ct_fail(CLATTN_BAD_LAYOUT,
                       "the layout chooses %d blocks a row, of which the causal edge crosses up to %lld", layout->width,
                       (long long)crossed);
    }
    return CLATTN_OK;
}

/* The layout a plan works with must fit its problem. */
static clattn_status check_layout(const clattn_problem *p, const clattn_layout *layout)
{
    if (layout->nq != ct_problem_max_q(p) || layout->nk != ct_problem_max_k(p)) {
        return ct_fail(CLATTN_BAD_LAYOUT, "the layout is for %lld x %lld tokens, the problem has %lld x %lld",
                       (long long)layout->nq, (long long)layout->nk, (long long)ct_problem_max_q(p),
                       (long long)ct_problem_max_k(p));
    }
    if (layout->transposed && (layout->rules || layout->flags)) {
        return ct_fail(CLATTN_UNSUPPORTED, "the layout is the transpose of a pattern with token rules: its lists serve "
                                           "passes over keys, not this problem");
    }
    if (layout->source == CT_LAYOUT_SCORES) {
        const clattn_status st = check_chosen(p, layout);
        if (st != CLATTN_OK) {
            return st;
        }
    }
    if (layout->heads != 1 && layout->heads != p->hq) {
        return ct_fail(CLATTN_BAD_LAYOUT, "the layout has %d heads; wanted are 1 or hq=%lld", layout->heads,
                       (long long)p->hq);
    }
    return CLATTN_OK;
}

static clattn_status attach_layout(clattn_plan *plan, const ct_method *method, clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    clattn_problem longest = plan->problem;
    if (!method->patterned) {
        if (layout) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_plan_create: the method '%s' takes no layout",
                    plan->problem.method);
        }
        return CLATTN_OK;
    }
    if (layout) {
        clattn_layout_retain(layout);
        plan->layout = layout;
    } else {
        longest.nq = ct_problem_max_q(&plan->problem);
        longest.nk = ct_problem_max_k(&plan->problem);
        longest.causal = ct_problem_causal(&plan->problem);
        CT_TRY(clattn_layout_from_problem(&plan->layout, &longest, &plan->allocator));
    }
    CT_TRY(check_layout(&plan->problem, plan->layout));
out:
    return st;
}

clattn_status clattn_plan_create(clattn_plan **out, clattn_context *context, const clattn_problem *problem,
                                 clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    clattn_plan *plan = NULL;
    if (!out || !context || !problem) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_plan_create: %s is NULL",
                !out       ? "out"
                : !context ? "context"
                           : "problem");
    }
    CT_TRY(clattn_problem_check(problem));
    plan = ct_alloc(&context->env.allocator, sizeof *plan);
    if (!plan) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a plan (%zu bytes)", sizeof *plan);
    }
    atomic_init(&plan->references, 1);
    pthread_mutex_init(&plan->mutex, NULL);
    plan->allocator = context->env.allocator;
    clattn_context_retain(context);
    plan->context = context;
    plan->problem = *problem;
    plan->describe.allocator = plan->explain.allocator = &plan->allocator;
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        CT_TRY(copy_text(plan, (ct_text_role)role));
    }
    const ct_method *method = ct_method_find(problem->method);
    CT_TRY(attach_layout(plan, method, layout));
    ct_plan_clear(plan);
    CT_TRY(choose(plan, method));
    plan->density = density_of(plan);
    describe(plan);
    if (plan->describe.failed || plan->explain.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the plan's description");
    }
    ct_log(&context->env, CLATTN_LOG_INFO, "plan %s: %s", plan->tile->name,
           plan->describe.data ? plan->describe.data : "");
    *out = plan;
    plan = NULL;
out:
    clattn_plan_release(plan);
    return st;
}

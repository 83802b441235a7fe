/* clattn run */
#include "complete.h"
#include "fit.h"
#include "harness/storage.h"
#include "plan/slots.h"
#include "progress.h"
#include "runner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct run {
    const char *in[CLATTN_SLOT_COUNT], *out[CLATTN_SLOT_COUNT]; /* paths */
    given_tensors given;
    clattn_problem problem;
    runner runner;
} run;

/* Results of a pass, by name; O and LSE, which the pass backwards reads, are given to it by others. */
static bool is_output(clattn_slot slot)
{
    return ct_slot_is(slot, CLATTN_FWD, CT_OUTPUT) || ct_slot_is(slot, CLATTN_BWD, CT_OUTPUT);
}

static const char *option_of(clattn_slot slot)
{
    return slot == CLATTN_O ? "out" : clattn_slot_name(slot);
}

/* Is it written, whether asked for or not? Backwards, every gradient is where none is asked for. */
static bool is_made(const run *r, clattn_slot slot)
{
    bool asked = false;
    for (int other = 0; other < CLATTN_SLOT_COUNT; other++) {
        asked |= r->out[other] != NULL;
    }
    return r->problem.pass == CLATTN_BWD ? !asked && ct_slot_is(slot, CLATTN_BWD, CT_OUTPUT) : slot == CLATTN_O;
}

static clattn_status load_all(run *r)
{
    clattn_status st = CLATTN_OK;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (r->in[slot]) {
            CT_TRY(tensor_load(r->in[slot], clattn_slot_name((clattn_slot)slot), &r->given.of[slot]));
        }
    }
out:
    return st;
}

static clattn_status give_input(run *r, clattn_slot slot, int want, clattn_dtype dtype, int rank, const int64_t *dims)
{
    clattn_status st = CLATTN_OK;
    tensor *t = &r->given.of[slot];
    tensor wanted = {.dtype = dtype, .rank = rank};
    wanted_tensor like = {.slot = slot, .dtype = dtype, .rank = rank};
    char need[160], reason[256];
    const char *name = slot == CLATTN_O ? "o-in" : slot == CLATTN_LSE ? "lse-in" : clattn_slot_name(slot);
    memcpy(wanted.dims, dims, (size_t)rank * sizeof *dims);
    memcpy(like.dims, dims, (size_t)rank * sizeof *dims);
    tensor_describe(&wanted, need, sizeof need);
    if (!t->data && want == 2 && slot == CLATTN_STATE_IN) {
        return runner_give(&r->runner, slot, NULL, tensor_bytes(&wanted));
    }
    if (!t->data) {
        return want == 2 ? ct_fail(CLATTN_INVALID_ARGUMENT, "--%s is missing: the problem wants %s", name, need)
                         : CLATTN_OK;
    }
    if (!want) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "--%s: the problem has no such tensor", name);
    }
    CT_TRY(tensor_fit(t, &like, &r->problem));
    if (tensor_convert(t, dtype) != CLATTN_OK) {
        snprintf(reason, sizeof reason, "%s", clattn_error_detail());
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "--%s: %s", name, reason);
    }
    CT_TRY(runner_give(&r->runner, slot, t->data, tensor_bytes(t)));
out:
    return st;
}

static clattn_status give_all(run *r)
{
    clattn_status st = CLATTN_OK;
    for (int index = 0; index < CLATTN_SLOT_COUNT; index++) {
        const clattn_slot slot = (clattn_slot)index;
        clattn_dtype dtype = CLATTN_F32;
        int want = 0, rank = 0;
        int64_t dims[5] = {0};
        CT_TRY(clattn_plan_slot(r->runner.plan, slot, &want, &dtype, &rank, dims));
        if (r->problem.pass == CLATTN_BWD && (slot == CLATTN_O || slot == CLATTN_LSE) && !r->given.of[slot].data) {
            continue; /* the forward pass makes them */
        }
        if (!ct_slot_is(slot, r->problem.pass, CT_OUTPUT) && (!r->out[slot] || want)) {
            CT_TRY(give_input(r, slot, want, dtype, rank, dims));
            continue;
        }
        if (r->out[slot] && !want) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "--%s: the problem has no such output", option_of(slot));
        }
        if (want == 2 || r->out[slot] || (want && is_made(r, slot))) {
            size_t bytes = 0;
            CT_TRY(runner_size(&r->runner, slot, &want, &bytes));
            CT_TRY(runner_give(&r->runner, slot, NULL, bytes));
        }
    }
    const bool o = r->given.of[CLATTN_O].data != NULL, lse = r->given.of[CLATTN_LSE].data != NULL;
    if (r->problem.pass == CLATTN_BWD && o != lse) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "--o-in, --lse-in: both or neither, which computes them first");
    }
    if (r->problem.pass == CLATTN_BWD && !o) {
        CT_TRY(runner_forward(&r->runner, &r->problem));
    }
out:
    return st;
}

/* One line on a result: shape, root of the mean square, largest. */
static void summarise(const char *name, const tensor *t, const char *path)
{
    char shape[160];
    double squares = 0, largest = 0;
    int64_t others = 0;
    const int64_t count = tensor_count(t);
    for (int64_t i = 0; i < count; i++) {
        const double x = ct_storage_read(t->dtype, t->data, i);
        if (isfinite(x)) {
            squares += x * x;
            largest = fmax(largest, fabs(x));
        } else {
            others++;
        }
    }
    tensor_describe(t, shape, sizeof shape);
    printf("%-9s %s  rms %.6g  largest %.6g", name, shape,
           sqrt(squares / (double)(count > others ? count - others : 1)), largest);
    if (others) {
        printf("  not finite %lld", (long long)others);
    }
    printf("%s%s\n", path ? "  " : "", path ? path : "");
}

static clattn_status take_output(run *r, clattn_slot slot)
{
    clattn_status st = CLATTN_OK;
    clattn_dtype dtype = CLATTN_F32;
    int want = 0, rank = 0;
    int64_t dims[5] = {0};
    tensor t = {0};
    CT_TRY(clattn_plan_slot(r->runner.plan, slot, &want, &dtype, &rank, dims));
    if (ct_slots[slot].strides && r->problem.layout == CLATTN_BNHD) { /* the file's order is that of the inputs */
        const int64_t heads = dims[1];
        dims[1] = dims[2];
        dims[2] = heads;
    }
    CT_TRY(tensor_make(&t, dtype, rank, dims));
    CT_TRY(runner_read(&r->runner, slot, 0, t.data, tensor_bytes(&t)));
    if (r->out[slot]) {
        CT_TRY(tensor_save(r->out[slot], clattn_slot_name(slot), &t));
    }
    summarise(clattn_slot_name(slot), &t, r->out[slot]);
out:
    tensor_release(&t);
    return st;
}

/* A file holds one result: the second would replace the first. */
static clattn_status check_files(const run *r)
{
    for (int a = 0; a < CLATTN_SLOT_COUNT; a++) {
        for (int b = a + 1; r->out[a] && b < CLATTN_SLOT_COUNT; b++) {
            if (r->out[b] && strcmp(r->out[a], r->out[b]) == 0) {
                return ct_fail(CLATTN_INVALID_ARGUMENT,
                               "--%s, --%s: both name %s; every result wants a file of its own",
                               option_of((clattn_slot)a), option_of((clattn_slot)b), r->out[a]);
            }
        }
    }
    return CLATTN_OK;
}

static clattn_status run_problem(run *r, const place *where, const char *text)
{
    clattn_status st = CLATTN_OK;
    char *full = NULL;
    CT_TRY(check_files(r));
    progress_begin("reading tensors");
    CT_TRY(load_all(r));
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        r->given.wants[slot] = r->out[slot] != NULL;
    }
    CT_TRY(complete_problem(text, &r->given, &r->problem, &full));
    CT_TRY(check_contents(&r->problem, &r->given));
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (r->out[slot]) {
            CT_TRY(tensor_can_save(r->out[slot], ct_slot_dtype(&r->problem, (clattn_slot)slot)));
        }
    }
    progress_say("compiling %s", full);
    CT_TRY(runner_open(&r->runner, where, &r->problem, NULL));
    CT_TRY(give_all(r));
    progress_say("running %s", full);
    CT_TRY(runner_run(&r->runner));
    progress_end();
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (r->runner.mem[slot] && (r->out[slot] || is_made(r, (clattn_slot)slot))) {
            CT_TRY(take_output(r, (clattn_slot)slot));
        }
    }
out:
    progress_end();
    runner_close(&r->runner);
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        tensor_release(&r->given.of[slot]);
    }
    ct_release(NULL, full);
    return st;
}

int command_run(int argc, char **argv)
{
    static run r;
    place_options options = {0};
    place where = {0};
    option_row rows[CLATTN_SLOT_COUNT + 3];
    int n = 0;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        const bool out = is_output((clattn_slot)slot);
        const char *text = ct_slots[slot].help ? ct_slots[slot].help : "if the problem has it";
        rows[n++] = (option_row){
            clattn_slot_name((clattn_slot)slot), OPTION_TEXT, out ? &r.out[slot] : &r.in[slot], "F", text, 0, 0};
    }
    rows[n++] = (option_row){
        "o-in", OPTION_TEXT, &r.in[CLATTN_O], "F", "pass=bwd: what the forward pass left; else it runs", 0, 0};
    rows[n++] = (option_row){"lse-in", OPTION_TEXT, &r.in[CLATTN_LSE], "F", "the same of lse", 0, 0};
    rows[n++] = (option_row){"out", OPTION_TEXT, &r.out[CLATTN_O], "F", "where the result goes", 0, 0};
    command_line line = {
        "run PROBLEM --q F --k F --v F [--SLOT F ...] [--out F] [--lse F] [--state-in F] [--state-out F]",
        "Runs a problem on tensors from files: F.npy (f4, f2; i4, i8, u1 for indices and masks), F.safetensors (BF16, "
        "too),\n"
        "F.safetensors:NAME. q, k, v are [B, H, N, D], with layout=bnhd [B, N, H, D]; packed sequences: B = 1 and\n"
        "--cu-seqlens. Sizes, dtype and the switches of optional tensors come from the files where the text is silent\n"
        "and are checked where it speaks. Small tensors may be f4 beside any dtype. Without --state-in a state is "
        "zeros.",
        rows,
        n,
        &options,
        true,
        1,
        1,
        NULL,
        0};
    int result;
    if (!command_line_parse(&line, argc, argv, &result)) {
        return result;
    }
    result = place_open(&where, &options);
    if (result == TOOL_DONE) {
        result = run_problem(&r, &where, line.words[0]);
    }
    place_close(&where);
    command_line_release(&line);
    return result;
}

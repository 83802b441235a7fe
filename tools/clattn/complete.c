#include "complete.h"

#include "fit.h"
#include "harness/storage.h"
#include "plan/method.h"
#include "plan/problem.h"
#include "plan/slots.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct completion {
    const char *text; /* as given */
    const given_tensors *given;
    bool merges;  /* the method takes results, not queries, keys and values */
    ct_text full; /* as given, and what was added */
} completion;

static const tensor *find(const completion *c, clattn_slot slot)
{
    return c->given->of[slot].data ? &c->given->of[slot] : NULL;
}

static bool merges(const char *text)
{
    char name[32] = "";
    sscanf(text, "%31s", name);
    const ct_method *method = ct_method_find(name);
    return method && method->merges;
}

/* Is this key set? */
static bool says(const completion *c, const char *key)
{
    const size_t length = strlen(key);
    const char *const text = c->full.data ? c->full.data : "";
    for (const char *at = text; (at = strstr(at, key)) != NULL; at += length) {
        if (at > text && strchr(" \t\n", at[-1]) && at[length] == '=') {
            return true;
        }
    }
    return false;
}

static void add(completion *c, const char *key, const char *both, int64_t value)
{
    if (!says(c, key) && !(both && says(c, both))) {
        ct_text_add(&c->full, " %s=%lld", key, (long long)value);
    }
}

static bool transposed(const completion *c)
{
    return strstr(c->text, "layout=bnhd") != NULL;
}

/* b, h, n, d of one of q, k, v. */
static clattn_status read_dims(const completion *c, clattn_slot slot, int64_t dims[4])
{
    const tensor *t = find(c, slot);
    const bool swap = transposed(c);
    char text[128];
    if (!t) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s is missing", clattn_slot_name(slot));
    }
    if (t->rank != 4 || t->dtype > CLATTN_BF16) {
        tensor_describe(t, text, sizeof text);
        return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: %s; wanted are four dimensions, %s, of f32, f16 or bf16",
                       clattn_slot_name(slot), text, swap ? "[B, N, H, D]" : "[B, H, N, D]");
    }
    dims[0] = t->dims[0];
    dims[1] = t->dims[swap ? 2 : 1];
    dims[2] = t->dims[swap ? 1 : 2];
    dims[3] = t->dims[3];
    return CLATTN_OK;
}

static clattn_status add_parts(completion *c)
{
    const tensor *t = find(c, CLATTN_O_PARTS), *q = find(c, CLATTN_Q);
    if (!t || t->rank != 5) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: %s; wanted are five dimensions, [parts, B, H, Nq, Dv]",
                       clattn_slot_name(CLATTN_O_PARTS), t ? "other dimensions" : "missing");
    }
    add(c, "parts", NULL, t->dims[0]);
    add(c, "b", NULL, t->dims[1]);
    add(c, "hq", "h", t->dims[2]);
    add(c, "hk", "h", t->dims[2]);
    add(c, "nq", "n", t->dims[3]);
    add(c, "dv", "d", t->dims[4]);
    if (q && q->rank == 4) { /* of a gate by a linear map */
        add(c, "dqk", "d", q->dims[3]);
    }
    return CLATTN_OK;
}

static clattn_status add_sizes(completion *c)
{
    clattn_status st = CLATTN_OK;
    int64_t q[4], k[4], v[4];
    if (c->merges) {
        return add_parts(c);
    }
    CT_TRY(read_dims(c, CLATTN_Q, q));
    CT_TRY(read_dims(c, CLATTN_K, k));
    CT_TRY(read_dims(c, CLATTN_V, v));
    add(c, "b", NULL, q[0]);
    add(c, "hq", "h", q[1]);
    add(c, "hk", "h", k[1]);
    add(c, "nq", "n", q[2]);
    add(c, "nk", "n", k[2]);
    add(c, "dqk", "d", q[3]);
    add(c, "dv", "d", v[3]);
    const bool silent = !says(c, "dtype");
    if (silent) {
        ct_text_add(&c->full, " dtype=%s", clattn_dtype_name(find(c, CLATTN_Q)->dtype));
    }
    if (silent && !says(c, "kv_dtype") && find(c, CLATTN_K)->dtype != find(c, CLATTN_Q)->dtype) {
        ct_text_add(&c->full, " kv_dtype=%s", clattn_dtype_name(find(c, CLATTN_K)->dtype));
    }
out:
    return st;
}

/* One bias for all batches or heads, if its shape says so. One that fits neither is refused with its shape, not with
 * keys that nobody wrote. */
static void add_bias(completion *c)
{
    const tensor *bias = find(c, CLATTN_BIAS);
    if (bias && (bias->rank < 4 || bias->dims[0] == 1)) {
        add(c, "bias_b", NULL, 1);
    }
    if (bias && (bias->rank < 3 || bias->dims[bias->rank - 3] == 1)) {
        add(c, "bias_h", NULL, 1);
    }
}

/* Slots that are there, or results that are wanted, say what the problem has. */
static void add_switches(completion *c)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        const char *said = ct_slots[slot].implies;
        char key[32];
        snprintf(key, sizeof key, "%.*s", said ? (int)strcspn(said, "=") : 0, said ? said : "");
        if (said && (find(c, (clattn_slot)slot) || c->given->wants[slot]) && !says(c, key)) {
            ct_text_add(&c->full, " %s", said);
        }
    }
    add_bias(c);
    const tensor *decay = find(c, CLATTN_DECAY);
    if (decay && !says(c, "decay")) {
        ct_text_add(&c->full, " decay=%s", decay->rank == 1 ? "head" : "token");
    }
}

/* Sizes that only lists know. */
static void add_patterns(completion *c)
{
    const tensor *table = find(c, CLATTN_BLOCK_TABLE), *positions = find(c, CLATTN_POSITIONS);
    if (table && table->rank > 0) {
        add(c, "width", NULL, table->dims[table->rank - 1]);
    }
    if (positions) {
        add(c, "samples", NULL, tensor_count(positions));
        if (!says(c, "spacing")) {
            ct_text_add(&c->full, " spacing=given");
        }
    }
}

/* Cuts between packed sequences: from 0 to `total`, never down. Returns the longest stretch. */
static clattn_status read_cuts(const completion *c, clattn_slot slot, int64_t total, int64_t *longest)
{
    const tensor *t = find(c, slot);
    const int32_t *cut = t->data;
    const char *name = clattn_slot_name(slot);
    const int64_t count = tensor_count(t);
    if (t->dtype != CLATTN_I32 || t->rank != 1 || count < 2) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: wanted are i32 [sequences + 1]", name);
    }
    if (cut[0] != 0 || cut[count - 1] != total) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "--%s: goes from %d to %d; must go from 0 to %lld, the tokens there are", name, cut[0],
                       cut[count - 1], (long long)total);
    }
    *longest = 0;
    for (int64_t i = 1; i < count; i++) {
        if (cut[i] < cut[i - 1]) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: element %lld is %d, below the one before it, %d", name,
                           (long long)i, cut[i], cut[i - 1]);
        }
        *longest = ct_max(*longest, (int64_t)cut[i] - cut[i - 1]);
    }
    return CLATTN_OK;
}

static clattn_status add_sequences(completion *c)
{
    clattn_status st = CLATTN_OK;
    int64_t q[4], k[4], longest, longest_k;
    if (!find(c, CLATTN_CU_SEQLENS)) {
        return CLATTN_OK;
    }
    CT_TRY(read_dims(c, CLATTN_Q, q));
    CT_TRY(read_dims(c, CLATTN_K, k));
    CT_TRY(read_cuts(c, CLATTN_CU_SEQLENS, q[2], &longest));
    longest_k = longest;
    if (find(c, CLATTN_CU_SEQLENS_K)) {
        CT_TRY(read_cuts(c, CLATTN_CU_SEQLENS_K, k[2], &longest_k));
    }
    add(c, "sequences", NULL, tensor_count(find(c, CLATTN_CU_SEQLENS)) - 1);
    add(c, "max_q", NULL, longest);
    add(c, "max_k", NULL, longest_k);
out:
    return st;
}

/* The text's sizes against the tensors'. */
static clattn_status check_sizes(const completion *c, const clattn_problem *problem)
{
    static const clattn_slot slots[] = {CLATTN_Q, CLATTN_K, CLATTN_V};
    for (size_t i = 0; i < CT_COUNT(slots); i++) {
        int64_t have[4], want[CT_MOST_DIMS];
        const tensor *t = find(c, slots[i]);
        if (c->merges && !t) {
            continue;
        }
        const clattn_status st = read_dims(c, slots[i], have);
        if (st != CLATTN_OK) {
            return st;
        }
        ct_slot_shape(problem, NULL, slots[i], want);
        if (memcmp(have, want, sizeof have) != 0) {
            return ct_fail(CLATTN_INVALID_ARGUMENT,
                           "--%s: b=%lld h=%lld n=%lld d=%lld; the problem has b=%lld h=%lld n=%lld d=%lld",
                           clattn_slot_name(slots[i]), (long long)have[0], (long long)have[1], (long long)have[2],
                           (long long)have[3], (long long)want[0], (long long)want[1], (long long)want[2],
                           (long long)want[3]);
        }
        const clattn_dtype dtype = ct_slot_dtype(problem, slots[i]);
        if (t->dtype != dtype) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: elements are %s; the problem has %s=%s",
                           clattn_slot_name(slots[i]), clattn_dtype_name(t->dtype),
                           problem->kv_dtype && slots[i] != CLATTN_Q ? "kv_dtype" : "dtype", clattn_dtype_name(dtype));
        }
    }
    return CLATTN_OK;
}

clattn_status complete_problem(const char *text, const given_tensors *given, clattn_problem *problem, char **full)
{
    clattn_status st = CLATTN_OK;
    completion c = {text, given, merges(text), {0}};
    ct_text_add(&c.full, "%s", text);
    CT_TRY(add_sizes(&c));
    add_switches(&c);
    add_patterns(&c);
    CT_TRY(add_sequences(&c));
    if (c.full.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the problem's text");
    }
    CT_TRY(clattn_problem_parse(problem, c.full.data));
    CT_TRY(check_sizes(&c, problem));
    *full = c.full.data;
    c.full.data = NULL;
out:
    ct_text_release(&c.full);
    return st;
}

static clattn_status check_lists(const clattn_problem *p, const given_tensors *given)
{
    clattn_layout *shape = NULL, *lists = NULL;
    clattn_layout_info info = {.struct_size = sizeof info};
    clattn_status st = CLATTN_OK;
    const tensor *row_ptr = &given->of[CLATTN_ROW_PTR], *col = &given->of[CLATTN_COL_IDX],
                 *table = &given->of[CLATTN_BLOCK_TABLE];
    CT_TRY(clattn_layout_from_problem(&shape, p, NULL));
    CT_TRY(clattn_layout_get_info(shape, &info));
    const int64_t rows = (int64_t)info.heads * info.rows;
    if (p->pattern.kind == CLATTN_PATTERN_CSR && row_ptr->data && col->data) {
        if (row_ptr->dtype != CLATTN_I32 || col->dtype != CLATTN_I32 || tensor_count(row_ptr) != rows + 1) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT,
                    "--row-ptr, --col-idx: must be i32, row-ptr of %lld elements (heads %d, rows %d)%s",
                    (long long)rows + 1, info.heads, info.rows,
                    per_head_hint(p, tensor_count(row_ptr) == p->hq * info.rows + 1));
        }
        const int32_t last = ((const int32_t *)row_ptr->data)[rows];
        if (last < 0 || last > tensor_count(col)) {
            CT_FAIL(CLATTN_BAD_LAYOUT, "--row-ptr: ends with %d; --col-idx has %lld elements", last,
                    (long long)tensor_count(col));
        }
        CT_TRY(clattn_layout_from_csr(&lists, info.heads, info.nq, info.nk, p->block_q, p->block_k, row_ptr->data,
                                      col->data, NULL));
    } else if (p->pattern.kind == CLATTN_PATTERN_TABLE && table->data) {
        const int width = (int)info.longest_row; /* of a table yet unread: its width */
        if (table->dtype != CLATTN_I32 || tensor_count(table) != rows * width) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT,
                    "--block-table: must be i32 of %lld elements (heads %d, rows %d, width %d)%s",
                    (long long)(rows * width), info.heads, info.rows, width,
                    per_head_hint(p, tensor_count(table) == p->hq * info.rows * width));
        }
        CT_TRY(clattn_layout_from_table(&lists, info.heads, info.nq, info.nk, p->block_q, p->block_k, width,
                                        table->data, NULL));
    }
out:
    clattn_layout_release(lists);
    clattn_layout_release(shape);
    return st;
}

/* Every number of a tensor, if it is there, between two bounds. */
static clattn_status check_range(const given_tensors *given, clattn_slot slot, double low, double high)
{
    const tensor *t = &given->of[slot];
    char number[40], from[40], to[40]; /* with a point, whatever the locale */
    for (int64_t i = 0, count = t->data && t->dtype <= CLATTN_BF16 ? tensor_count(t) : 0; i < count; i++) {
        const double x = ct_storage_read(t->dtype, t->data, i);
        if (!(x >= low && x <= high)) {
            ct_format_double(x, number, sizeof number);
            ct_format_double(low, from, sizeof from);
            ct_format_double(high, to, sizeof to);
            return ct_fail(CLATTN_INVALID_ARGUMENT, "--%s: element %lld is %s; must be from %s to %s",
                           clattn_slot_name(slot), (long long)i, number, from, to);
        }
    }
    return CLATTN_OK;
}

clattn_status check_contents(const clattn_problem *p, const given_tensors *given)
{
    clattn_status st = check_range(given, CLATTN_DECAY, -INFINITY, 0);
    if (st == CLATTN_OK) {
        st = check_range(given, CLATTN_GATE, 0, 1);
    }
    if (st != CLATTN_OK) {
        return st;
    }
    const tensor *positions = &given->of[CLATTN_POSITIONS];
    if (positions->data && positions->dtype == CLATTN_I32) {
        const int32_t *at = positions->data;
        const int64_t keys = ct_problem_max_k(p);
        for (int64_t i = 0, count = tensor_count(positions); i < count; i++) {
            if (at[i] < 0 || at[i] >= keys || (i > 0 && at[i] <= at[i - 1])) {
                return ct_fail(CLATTN_INVALID_ARGUMENT,
                               "--positions: element %lld is %d; must ascend within 0 and %lld", (long long)i, at[i],
                               (long long)keys - 1);
            }
        }
    }
    if (p->pattern.kind == CLATTN_PATTERN_CSR || p->pattern.kind == CLATTN_PATTERN_TABLE) {
        return check_lists(p, given);
    }
    return CLATTN_OK;
}

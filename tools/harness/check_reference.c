#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/check_run.h"
#include "harness/compare.h"
#include "harness/random.h"
#include "harness/storage.h"
#include "methods/epilogue.h"
#include "plan/problem.h"
#include "plan/slots.h"

#define WORK_LIMIT 1e9 /* multiplications of a reference, beyond which rows are sampled */
#define LEAST_ROWS 24

void ct_check_complain(check_run *c, const char *text)
{
    c->result->passed = false;
    if (!c->result->text[0]) {
        snprintf(c->result->text, sizeof(c->result->text), "%s", text);
    }
}

/* All rows of heads `first` ... first + heads - 1 of each batch, which has `of_batch` heads of `rows` rows. */
static int64_t add_rows(int64_t *out, int64_t batches, int64_t of_batch, int64_t first, int64_t heads, int64_t rows)
{
    int64_t n = 0;
    for (int64_t b = 0; b < batches; b++) {
        for (int64_t i = 0; i < heads * rows; i++) {
            out[n++] = (b * of_batch + first) * rows + i;
        }
    }
    return n;
}

/* Backwards, every row of a head has a share in its keys' gradients: one KV head, with its query heads, of all batches.
 */
static clattn_status choose_head(check_run *c)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *p = &c->problem;
    const int64_t group = p->hq / p->hk;
    ct_random random = ct_random_of(c->seed, 1000);
    c->head = ct_random_int(&random, 0, p->hk - 1);
    c->rows = ct_alloc_array(NULL, (size_t)(p->b * group * p->nq), sizeof(int64_t));
    c->key_rows = ct_alloc_array(NULL, (size_t)(p->b * p->nk), sizeof(int64_t));
    c->state_rows = ct_alloc_array(NULL, (size_t)(ct_problem_batches(p) * group), sizeof(int64_t));
    if (!c->rows || !c->key_rows || !c->state_rows) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for the rows of %lld heads", (long long)(p->b * group));
    }
    c->io.n_rows = add_rows(c->rows, p->b, p->hq, c->head * group, group, p->nq);
    c->n_key_rows = add_rows(c->key_rows, p->b, p->hk, c->head, 1, p->nk);
    c->n_state_rows = add_rows(c->state_rows, ct_problem_batches(p), p->hq, c->head * group, group, 1);
    c->io.rows = c->rows;
out:
    return st;
}

/* A norm wants every head of a token. */
static clattn_status choose_tokens(check_run *c, int64_t afforded)
{
    const clattn_problem *p = &c->problem;
    const int64_t all = p->b * p->nq, n = ct_min(all, ct_max(LEAST_ROWS, afforded));
    c->rows = ct_alloc_array(NULL, (size_t)(n * p->hq), sizeof(int64_t));
    c->tokens = ct_alloc_array(NULL, (size_t)n, sizeof(int64_t));
    if (!c->rows || !c->tokens) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a sample of %lld tokens", (long long)n);
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t token = n == 1 ? 0 : i * (all - 1) / (n - 1);
        c->tokens[i] = token;
        for (int64_t h = 0; h < p->hq; h++) {
            c->rows[i * p->hq + h] = (token / p->nq * p->hq + h) * p->nq + token % p->nq;
        }
    }
    c->io.rows = c->rows;
    c->io.n_rows = n * p->hq;
    c->n_tokens = n;
    return CLATTN_OK;
}

/* All rows if the reference can afford them; else a sample that always has the first and the last. */
static clattn_status choose_rows(check_run *c)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *p = &c->problem;
    const int64_t all = p->b * p->hq * p->nq, keys = ct_problem_max_k(p);
    const bool recurrent = p->pass == CLATTN_BWD && !c->method->softmax;
    const double row = recurrent ? 6.0 * (double)(p->dqk * p->dv) : (double)keys * (double)(p->dqk + p->dv);
    const double work = row * (double)all;
    if (work <= WORK_LIMIT) {
        return CLATTN_OK;
    }
    if (p->pass == CLATTN_BWD) {
        return choose_head(c);
    }
    if (ct_problem_has_epilogue(p)) {
        return choose_tokens(c, (int64_t)(WORK_LIMIT / (row * (double)p->hq)));
    }
    c->io.n_rows = ct_min(all, ct_max(LEAST_ROWS, (int64_t)(WORK_LIMIT / row)));
    c->rows = ct_alloc_array(NULL, (size_t)c->io.n_rows, sizeof(int64_t));
    if (!c->rows) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a sample of %lld rows", (long long)c->io.n_rows);
    }
    ct_random random = ct_random_of(c->seed, 1000);
    const double part = (double)all / (double)c->io.n_rows;
    for (int64_t i = 0; i < c->io.n_rows; i++) { /* one of each part, so that none comes twice */
        const int64_t low = (int64_t)(part * (double)i), high = ct_min((int64_t)(part * (double)(i + 1)), all) - 1;
        c->rows[i] = i == 0 ? 0 : i == c->io.n_rows - 1 ? all - 1 : ct_random_int(&random, low, ct_max(low, high));
    }
    c->io.rows = c->rows;
out:
    return st;
}

/* With tf32=1 the peers see q, k and v as a matrix unit may see them; the reference does not. */
static clattn_status round_inputs(check_run *c)
{
    clattn_status st = CLATTN_OK;
    for (int i = 0; i < 3 && c->problem.tf32 && c->problem.dtype == CLATTN_F32; i++) {
        const ct_tensor *t = &c->slots[CLATTN_Q + i];
        if (!t->used) {
            continue;
        }
        c->rounded[i] = ct_alloc_array(NULL, (size_t)t->count, sizeof(double));
        if (!c->rounded[i]) {
            CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for %lld rounded elements", (long long)t->count);
        }
        for (int64_t e = 0; e < t->count; e++) {
            c->rounded[i][e] = ct_tf32_round(t->values[e]);
        }
        c->io.in[CLATTN_Q + i] = c->rounded[i];
    }
out:
    return st;
}

/* An array for each output, NaN where nothing is written. */
static clattn_status make_outputs(check_run *c, double **outputs)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        const ct_tensor *t = &c->slots[slot];
        if (!t->used || !t->output) {
            continue;
        }
        outputs[slot] = ct_alloc_array(NULL, (size_t)t->count, sizeof(double));
        if (!outputs[slot]) {
            return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a reference of %lld elements",
                           (long long)t->count);
        }
        for (int64_t e = 0; e < t->count; e++) {
            outputs[slot][e] = NAN;
        }
    }
    return CLATTN_OK;
}

clattn_status ct_check_references(check_run *c)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(choose_rows(c));
    for (int single = 0; single < 3; single++) {
        CT_TRY(make_outputs(c, c->outputs[single]));
        if (single == 1) {
            CT_TRY(round_inputs(c));
        }
        c->io.single = single;
        memcpy(c->io.out, c->outputs[single], sizeof c->io.out);
        CT_TRY(ct_epilogue_reference(c->method, &c->problem, c->layout, &c->io, NULL));
    }
out:
    return st;
}

/* Of a comparison: which rows count, where not all of them do. A row is what each query, each key or each head has. */
static void take_rows(const check_run *c, const ct_tensor *t, ct_comparison *comparison)
{
    const ct_dim *dims = ct_slots[t->slot].dims;
    const int64_t group = c->problem.hq / c->problem.hk;
    const bool of_batch = dims[0] == CT_DIM_B;
    comparison->width = 1;
    if (of_batch && dims[1] == CT_DIM_HQ && dims[2] == CT_DIM_NQ) {
        comparison->width = t->rank == 4 ? t->dims[3] : 1;
        comparison->rows = c->io.rows;
        comparison->n_rows = c->io.n_rows;
    } else if (of_batch && dims[1] == CT_DIM_HK && dims[2] == CT_DIM_NK) {
        comparison->width = t->dims[3];
        comparison->rows = c->key_rows;
        comparison->n_rows = c->n_key_rows;
    } else if (of_batch && dims[1] == CT_DIM_NQ) {
        comparison->width = t->dims[2];
        comparison->rows = c->tokens;
        comparison->n_rows = c->n_tokens;
    } else if (dims[0] == CT_DIM_SEQUENCES && c->key_rows) {
        comparison->width = t->dims[2] * t->dims[3];
        comparison->rows = c->state_rows;
        comparison->n_rows = c->n_state_rows;
    } else if (dims[0] == CT_DIM_HQ && c->key_rows) {
        comparison->width = t->count / c->problem.hq * group;
        comparison->rows = &c->head;
        comparison->n_rows = 1;
    }
}

static const char *label_of(int slot)
{
    return ct_slots[slot].label ? ct_slots[slot].label : ct_slots[slot].name;
}

/* Of products that a matrix unit may do on the way to this output. */
static clattn_dtype operands_of(const check_run *c, clattn_slot slot)
{
    return c->problem.dtype == CLATTN_F32 ? (c->problem.tf32 ? CLATTN_F16 : CLATTN_F32)
           : ct_slots[slot].of_outputs    ? c->problem.dtype
                                          : CLATTN_F32;
}

static void compare_output(check_run *c, clattn_slot slot)
{
    const ct_tensor *t = &c->slots[slot];
    ct_check_figure *figure = &c->result->figures[slot];
    ct_comparison comparison = {
        .got = t->values,
        .reference = c->outputs[0][slot],
        .peers = {c->outputs[1][slot], c->outputs[2][slot]},
        .count = t->count,
        .dtype = t->dtype,
        .times = c->problem.pass == CLATTN_BWD ? 3.0 : 2.0,
        .operands = operands_of(c, slot),
        .log_sum = ct_slots[slot].contents == CT_LOG_SUMS,
        .exact = ct_slots[slot].contents == CT_CHOICES,
        .nan = (c->seed & CT_SEED_NAN) != 0,
    };
    take_rows(c, t, &comparison);
    *figure = ct_compare(&comparison);
    if (!figure->passed) {
        char text[256];
        const int64_t worst = figure->worst;
        snprintf(text, sizeof(text), "%s: element %lld is %.9g, the reference %.9g, its single-precision peer %.9g",
                 label_of(slot), (long long)worst, t->values[worst], c->outputs[0][slot][worst],
                 c->outputs[1][slot][worst]);
        ct_check_complain(c, text);
    }
}

void ct_check_compare(check_run *c)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        const ct_tensor *t = &c->slots[slot];
        if (t->used && t->output && t->count) {
            compare_output(c, (clattn_slot)slot);
        }
    }
}

static size_t format_figure(const char *name, const ct_check_figure *f, char *text, size_t bytes)
{
    if (!f->present) {
        return 0;
    }
    const int length =
        snprintf(text, bytes, "%s max %.2e (peer %.2e, limit %.2e)  rms %.2e (peer %.2e, limit %.2e)%s  ", name, f->max,
                 f->peer_max, f->limit_max, f->rms, f->peer_rms, f->limit_rms, f->bad ? "  NOT FINITE" : "");
    return length < 0 ? 0 : (size_t)ct_min(length, (int64_t)bytes - 1);
}

void ct_check_format(const ct_check_result *result, char *text, size_t bytes)
{
    size_t used = 0;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        used += format_figure(label_of(slot), &result->figures[slot], text + used, bytes - used);
    }
    while (used > 0 && text[used - 1] == ' ') {
        used--;
    }
    text[used] = '\0';
}

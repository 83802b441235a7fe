#include <math.h>
#include <stdio.h>

#include "harness/check_run.h"
#include "harness/compare.h"
#include "harness/random.h"
#include "harness/storage.h"
#include "plan/problem.h"

#define WORK_LIMIT 1e9 /* multiplications of a reference, beyond which rows are sampled */
#define LEAST_ROWS 24

void ct_check_complain(check_run *c, const char *text)
{
    c->result->passed = false;
    if (!c->result->text[0]) {
        snprintf(c->result->text, sizeof(c->result->text), "%s", text);
    }
}

/* All rows if the reference can afford them; else a sample that always has the first and the last. */
static clattn_status choose_rows(check_run *c)
{
    clattn_status st = CLATTN_OK;
    const clattn_problem *p = &c->problem;
    const int64_t all = p->b * p->hq * p->nq, keys = ct_problem_max_k(p);
    const double row = (double)keys * (double)(p->dqk + p->dv), work = row * (double)all;
    if (work <= WORK_LIMIT) {
        return CLATTN_OK;
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

clattn_status ct_check_references(check_run *c)
{
    clattn_status st = CLATTN_OK;
    static const clattn_slot slots[3] = {CLATTN_O, CLATTN_LSE, CLATTN_STATE_OUT};
    CT_TRY(choose_rows(c));
    if (c->pair) {
        c->io.score = c->pair->score;
        c->io.hidden = c->pair->hidden;
    }
    for (int single = 0; single < 3; single++) {
        for (int i = 0; i < 3; i++) {
            const ct_tensor *t = &c->slots[slots[i]];
            if (!t->used) {
                continue;
            }
            double *numbers = ct_alloc_array(NULL, (size_t)t->count, sizeof(double));
            if (!numbers) {
                CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a reference of %lld elements",
                        (long long)t->count);
            }
            for (int64_t e = 0; e < t->count; e++) {
                numbers[e] = NAN;
            }
            c->outputs[single][i] = numbers;
        }
        if (single == 1) {
            CT_TRY(round_inputs(c));
        }
        c->io.single = single;
        c->io.o = c->outputs[single][0];
        c->io.lse = c->outputs[single][1];
        c->io.state_out = c->outputs[single][2];
        CT_TRY(c->method->reference(&c->problem, c->layout, &c->io, NULL));
    }
out:
    return st;
}

void ct_check_compare(check_run *c)
{
    static const struct {
        clattn_slot slot;
        const char *name;
    } outputs[3] = {{CLATTN_O, "O"}, {CLATTN_LSE, "LSE"}, {CLATTN_STATE_OUT, "state"}};
    ct_check_figure *figures[3] = {&c->result->o, &c->result->lse, &c->result->state};
    for (int i = 0; i < 3; i++) {
        const ct_tensor *t = &c->slots[outputs[i].slot];
        if (!t->used || t->count == 0) {
            continue;
        }
        const bool by_row = i < 2;
        const ct_comparison comparison = {
            .got = t->values,
            .reference = c->outputs[0][i],
            .peers = {c->outputs[1][i], c->outputs[2][i]},
            .count = t->count,
            .width = i == 0 ? c->problem.dv : 1,
            .rows = by_row ? c->io.rows : NULL,
            .n_rows = c->io.n_rows,
            .dtype = t->dtype,
            .tf32 = c->problem.tf32 && t->dtype == CLATTN_F32,
            .log_sum = i == 1,
            .nan = (c->seed & CT_SEED_NAN) != 0,
        };
        *figures[i] = ct_compare(&comparison);
        const int64_t worst = figures[i]->worst;
        if (!figures[i]->passed) {
            char text[256];
            snprintf(text, sizeof(text), "%s: element %lld is %.9g, the reference %.9g, its single-precision peer %.9g",
                     outputs[i].name, (long long)worst, t->values[worst], c->outputs[0][i][worst],
                     c->outputs[1][i][worst]);
            ct_check_complain(c, text);
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
    size_t used = format_figure("O", &result->o, text, bytes);
    used += format_figure("LSE", &result->lse, text + used, bytes - used);
    used += format_figure("state", &result->state, text + used, bytes - used);
    while (used > 0 && text[used - 1] == ' ') {
        used--;
    }
    text[used] = '\0';
}

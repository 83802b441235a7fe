/* The table that made sparse attention known: 16384 tokens, model width 4096. */
#include "demo.h"
#include "progress.h"
#include "timing.h"

#include <math.h>
#include <stdio.h>

enum { HEADS = 32, ROWS = 32 };
#define LONGEST   8.0  /* seconds that the largest row may take */
#define TOLERANCE 3e-5 /* of the largest value */

static const struct {
    const char *name, *problem;
} rows[] = {
    {"full", "dense"},
    {"local window, 1024 keys", "block_sparse pattern=window window=512,511 block=64"},
    {"hybrid, + 250 samples", "hybrid window=512,511 samples=250 gate=1"},
    {"linear", "linear feature=elu normalise=1"},
};

typedef struct row_result {
    double seconds, flop;
    size_t memory;
    double error, scale;
} row_result;

static clattn_status measure(const place *where, const char *text, int64_t repeat, row_result *out)
{
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    clattn_plan_info info = {.struct_size = sizeof info};
    runner r = {0};
    timing t;
    CT_TRY(clattn_problem_parse(&problem, text));
    CT_TRY(runner_open(&r, where, &problem, NULL));
    CT_TRY(clattn_plan_get_info(r.plan, &info));
    CT_TRY(runner_fill(&r, &problem, 1));
    CT_TRY(timing_measure(&r, repeat, 0, NULL, &t));
    if (t.median < 1) {
        CT_TRY(timing_measure(&r, 5, 0, NULL, &t));
    }
    *out = (row_result){t.median, info.flop, runner_memory(&r), 0, 0};
    CT_TRY(demo_compare(&r, &problem, problem.hq - 1, ROWS, &out->error, &out->scale));
out:
    runner_close(&r);
    return st;
}

/* The largest number of heads with which full attention stays within its time. */
static clattn_status choose_heads(const place *where, int *heads)
{
    row_result quick;
    const clattn_status st = measure(where, "dense h=8 n=1024 d=128", 1, &quick);
    if (st != CLATTN_OK) {
        return st;
    }
    const double full = quick.seconds * 16 * 16 * HEADS / 8;
    for (*heads = HEADS; *heads > 1 && full * *heads / HEADS > LONGEST;) {
        *heads /= 2;
    }
    return CLATTN_OK;
}

clattn_status demo_table(const place *where, bool *good)
{
    clattn_status st = CLATTN_OK;
    int heads = HEADS;
    char text[256];
    *good = true;
    progress_begin("choosing the number of heads");
    CT_TRY(choose_heads(where, &heads));
    printf("attention over 16384 tokens, model width 4096 = 32 heads of 128, f32, forward\n");
    if (heads < HEADS) {
        printf("this device is slow: %d of the 32 heads are run; the columns for 32 heads are scaled from them\n",
               heads);
    }
    printf("%-25s %5s %10s %12s %12s %10s %12s %12s\n", "", "heads", "ms", "ms 32 heads", "GFLOP 32 h.", "GFLOP/s",
           "memory MiB", "max error");
    for (size_t i = 0; i < CT_COUNT(rows); i++) {
        row_result result;
        snprintf(text, sizeof text, "%s n=16384 d=128 h=%d", rows[i].problem, heads);
        progress_begin("%s", text);
        CT_TRY(measure(where, text, 1, &result));
        progress_end();
        const double scale = (double)HEADS / heads;
        const bool right = result.error <= TOLERANCE * result.scale;
        printf("%-25s %5d %10.1f %12.1f %12.1f %10.1f %12.1f %12.2g%s\n", rows[i].name, heads, result.seconds * 1e3,
               result.seconds * 1e3 * scale, result.flop * 1e-9 * scale, result.flop / result.seconds * 1e-9,
               (double)result.memory / (1 << 20), result.error, right ? "" : "  WRONG");
        fflush(stdout);
        *good = *good && right;
    }
    printf("memory: tensors and workspace of the heads that ran. max error: %d rows of the last head against double "
           "precision.\n",
           (int)ROWS);
out:
    progress_end();
    return st;
}

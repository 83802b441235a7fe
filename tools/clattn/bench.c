/* clattn bench */
#include "progress.h"
#include "timing.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What an exponential costs beside the multiply-adds, in flop: a polynomial on a CPU's vector units, where it competes
 * with them; a unit of its own with a sixteenth of their rate on a GPU. */
enum { EXP_FLOP_CPU = 14, EXP_FLOP_GPU = 16 };

typedef struct roof {
    double seconds;
    const char *term;
} roof;

static roof find_roof(const clattn_plan_info *info, const peak *limits)
{
    const double fma = info->flop / limits->flops, memory = info->bytes / limits->bytes_per_second;
    const double exps = info->exps * (limits->cpu ? EXP_FLOP_CPU : EXP_FLOP_GPU) / limits->flops;
    const double arithmetic = limits->cpu ? fma + exps : fmax(fma, exps);
    if (isnan(info->flop) || isnan(info->bytes)) {
        return (roof){NAN, "unknown"};
    }
    if (memory > arithmetic) {
        return (roof){memory, "memory"};
    }
    return (roof){arithmetic, fma >= exps ? "fma" : "exp"};
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *record(const place *where, const char *problem, const clattn_plan_info *info, const timing *t,
                      const peak *limits)
{
    const roof top = find_roof(info, limits);
    const char *cache = info->cache_built ? "built" : info->cache_disk ? "disk" : "memory";
    json_t *o = json_object();
    json_object_set_new(o, "problem", json_string(problem));
    json_object_set_new(o, "device", json_string(where->entry.name));
    json_object_set_new(o, "driver", json_string(where->entry.driver));
    json_object_set_new(o, "backend", json_string(info->backend));
    json_object_set_new(o, "kernel", json_string(info->kernel));
    json_object_set_new(o, "ms_median", number(t->median * 1e3));
    json_object_set_new(o, "ms_min", number(t->least * 1e3));
    json_object_set_new(o, "gflop", number(info->flop * 1e-9));
    json_object_set_new(o, "gflops", number(info->flop / t->median * 1e-9));
    json_object_set_new(o, "bytes", number(info->bytes));
    json_object_set_new(o, "gbps", number(info->bytes / t->median * 1e-9));
    json_object_set_new(o, "roof_percent", number(100 * top.seconds / t->median));
    json_object_set_new(o, "roof_term", json_string(top.term));
    json_object_set_new(o, "peak_gflops", number(limits->flops * 1e-9));
    json_object_set_new(o, "peak_percent", number(100 * info->flop / t->median / limits->flops));
    json_object_set_new(o, "density", number(info->density));
    json_object_set_new(o, "compile_ms", number(info->compile_ms));
    json_object_set_new(o, "cache", json_string(cache));
    json_object_set_new(o, "peak_gbps", number(limits->bytes_per_second * 1e-9));
    json_object_set_new(o, "runs", json_integer(t->runs));
    json_object_set_new(o, "launches", json_integer(info->launches));
    json_object_set_new(o, "workspace", json_integer((json_int_t)info->workspace));
    json_object_set_new(o, "instead_of", info->instead_of ? json_string(info->instead_of) : json_null());
    return o;
}

static clattn_status read_cuts(const runner *r, clattn_slot slot, int64_t sequences, int32_t **out)
{
    const size_t bytes = (size_t)(sequences + 1) * sizeof **out;
    *out = ct_alloc(NULL, bytes);
    return *out ? runner_read(r, slot, 0, *out, bytes)
                : ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %zu bytes", bytes);
}

/* Keys that a query at place `at` of a sequence with nk keys sees: causal and window only. */
static double seen(const clattn_problem *p, int64_t at, int64_t nk)
{
    const int64_t right = p->causal > 0 ? at : p->window_right < 0 ? nk - 1 : ct_min(nk - 1, at + p->window_right);
    const int64_t left = p->window_left < 0 ? 0 : ct_max(0, at - p->window_left);
    return (double)ct_max(0, ct_min(right, nk - 1) - left + 1);
}

/* The plan does not know the lengths of packed sequences; what was drawn for them is read back. */
static clattn_status count_packed(const runner *r, const clattn_problem *p, clattn_plan_info *info)
{
    clattn_status st = CLATTN_OK;
    int32_t *q = NULL, *k = NULL;
    double pairs = 0;
    CT_TRY(read_cuts(r, CLATTN_CU_SEQLENS, p->sequences, &q));
    CT_TRY(read_cuts(r, p->nk == p->nq ? CLATTN_CU_SEQLENS : CLATTN_CU_SEQLENS_K, p->sequences, &k));
    for (int64_t s = 0; s < p->sequences; s++) {
        const int64_t nq = q[s + 1] - q[s], nk = k[s + 1] - k[s];
        for (int64_t i = 0; i < nq; i++) {
            pairs += seen(p, i + nk - nq, nk);
        }
    }
    info->exps = pairs * (double)p->hq;
    info->flop = 2.0 * (double)(p->dqk + p->dv) * info->exps;
out:
    ct_release(NULL, q);
    ct_release(NULL, k);
    return st;
}

static clattn_status measure(const place *where, peak *limits, const char *text, int64_t repeat, int64_t seed,
                             json_t **out)
{
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    runner r = {0};
    timing t;
    char full[4096];
    clattn_plan_info info = {.struct_size = sizeof info};
    CT_TRY(clattn_problem_parse(&problem, text));
    CT_TRY(clattn_problem_format(&problem, full, sizeof full));
    progress_begin("compiling %s", full);
    CT_TRY(runner_open(&r, where, &problem, NULL));
    CT_TRY(clattn_plan_get_info(r.plan, &info));
    progress_say("filling %s", full);
    CT_TRY(runner_fill(&r, &problem, (uint64_t)seed));
    if (isnan(info.flop) && problem.sequences && strcmp(problem.method, "dense") == 0) {
        CT_TRY(count_packed(&r, &problem, &info));
    }
    progress_say("running %s", full);
    CT_TRY(timing_measure(&r, repeat, 2.0, limits, &t));
    *out = record(where, full, &info, &t, limits);
out:
    progress_end();
    if (st == CLATTN_OK && info.instead_of) { /* whatever reads the standard output */
        fprintf(stderr,
                "clattn: %s: %s SERVES INSTEAD OF %s, which declined when its kernels were made (see clattn plan "
                "--explain)\n",
                full, info.backend, info.instead_of);
    }
    runner_close(&r);
    return st;
}

static void print_csv_field(json_t *value)
{
    const char *text = json_string_value(value);
    if (json_is_string(value)) {
        putchar('"');
        for (; *text; text++) {
            printf(*text == '"' ? "\"\"" : "%c", *text);
        }
        putchar('"');
    } else if (json_is_number(value)) {
        printf("%.10g", json_number_value(value));
    }
}

static void print_csv(json_t *all)
{
    const char *key;
    json_t *object, *value;
    size_t i;
    json_array_foreach(all, i, object)
    {
        int column = 0;
        if (i == 0) {
            json_object_foreach(object, key, value)
            {
                printf("%s%s", column++ ? "," : "", key);
            }
            printf("\n");
        }
        column = 0;
        json_object_foreach(object, key, value)
        {
            if (column++) {
                putchar(',');
            }
            print_csv_field(value);
        }
        printf("\n");
    }
}

static double real(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void print_text(json_t *o)
{
    printf("%s\n", json_string_value(json_object_get(o, "problem")));
    const char *instead_of = json_string_value(json_object_get(o, "instead_of"));
    printf("  %s, %s%s%s: %s\n", json_string_value(json_object_get(o, "device")),
           json_string_value(json_object_get(o, "backend")), instead_of ? " INSTEAD OF " : "",
           instead_of ? instead_of : "", json_string_value(json_object_get(o, "kernel")));
    printf("  %.4g ms (least %.4g, %.0f runs), %.4g GFLOP, %.4g GFLOP/s = %.1f %% of the FMA peak %.4g\n",
           real(o, "ms_median"), real(o, "ms_min"), real(o, "runs"), real(o, "gflop"), real(o, "gflops"),
           real(o, "peak_percent"), real(o, "peak_gflops"));
    printf("  %.4g GB/s (a copy: %.4g), %.1f %% of the roof (%s), density %.4g, compiled in %.1f ms (%s)\n",
           real(o, "gbps"), real(o, "peak_gbps"), real(o, "roof_percent"),
           json_string_value(json_object_get(o, "roof_term")), real(o, "density"), real(o, "compile_ms"),
           json_string_value(json_object_get(o, "cache")));
    fflush(stdout);
}

static clattn_status bench_all(const place *where, const command_line *line, int64_t repeat, int64_t seed, bool as_json,
                               bool as_csv)
{
    clattn_status st = CLATTN_OK;
    json_t *all = json_array(), *one = NULL;
    peak limits = {0};
    progress_begin("probing the device");
    st = peak_open(&limits, where);
    progress_end();
    for (int i = 0; i < line->n_words && st == CLATTN_OK; i++) {
        CT_TRY(measure(where, &limits, line->words[i], repeat, seed, &one));
        json_array_append_new(all, one);
        if (!as_json && !as_csv) {
            print_text(one);
        }
    }
out:
    if (st == CLATTN_OK && as_json) {
        json_dumpf(json_array_size(all) == 1 ? json_array_get(all, 0) : all, stdout,
                   JSON_INDENT(2) | JSON_REAL_PRECISION(10));
        printf("\n");
    } else if (st == CLATTN_OK && as_csv) {
        print_csv(all);
    }
    peak_close(&limits);
    json_decref(all);
    return st;
}

int command_bench(int argc, char **argv)
{
    bool as_json = false, as_csv = false;
    int64_t repeat = 0, seed = 1;
    place_options options = {0};
    place where = {0};
    const option_row rows[] = {
        {"json", OPTION_FLAG, &as_json, NULL, "one object, or an array of them", 0, 0},
        {"csv", OPTION_FLAG, &as_csv, NULL, "a header and one line a problem", 0, 0},
        {"repeat", OPTION_INT, &repeat, "R", "timed runs (as many as two seconds hold, at least 5)", 1, 1000},
        {"seed", OPTION_INT, &seed, "S", "of the random tensors (1)", 0, INT32_MAX},
    };
    command_line line = {"bench PROBLEM... [--json] [--csv] [--repeat R]",
                         "Times problems on random normal tensors, and compares with the device's multiply-add peak "
                         "and copy bandwidth,\n"
                         "both probed in the same run. GFLOP counts useful work: visible pairs only. The roof is the "
                         "longest of: flop at the\n"
                         "peak, exponentials (14 flop each beside them on a CPU; 16 on units of their own on a GPU), "
                         "least memory traffic.",
                         rows,
                         (int)CT_COUNT(rows),
                         &options,
                         true,
                         1,
                         -1,
                         NULL,
                         0};
    int result;
    if (!command_line_parse(&line, argc, argv, &result)) {
        return result;
    }
    if (as_json && as_csv) {
        fprintf(stderr, "clattn: --json and --csv exclude each other\n");
        result = TOOL_USAGE;
    }
    if (result == TOOL_DONE) {
        result = place_open(&where, &options);
    }
    if (result == TOOL_DONE) {
        result = bench_all(&where, &line, repeat, seed, as_json, as_csv);
    }
    place_close(&where);
    command_line_release(&line);
    return result;
}

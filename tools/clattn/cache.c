/* clattn cache */
#include "device.h"
#include "progress.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static clattn_status print_stats(const place *where, bool as_json)
{
    clattn_cache_stats stats = {.struct_size = sizeof stats};
    const clattn_status st = clattn_cache_get_stats(where->context, &stats);
    const char *dir = clattn_cache_dir(where->context);
    if (st != CLATTN_OK) {
        return st;
    }
    if (as_json) {
        json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I}", "dir", dir, "files", (json_int_t)stats.files, "bytes",
                                   (json_int_t)stats.bytes, "max_bytes", (json_int_t)stats.max_bytes, "rejected",
                                   (json_int_t)stats.rejected);
        json_dumpf(object, stdout, 0);
        printf("\n");
        json_decref(object);
    } else if (!*dir) {
        printf("dir        none\n");
    } else {
        printf("dir        %s\nfiles      %lld\nbytes      %lld\nmax_bytes  %lld\nrejected   %lld\n", dir,
               (long long)stats.files, (long long)stats.bytes, (long long)stats.max_bytes, (long long)stats.rejected);
    }
    return CLATTN_OK;
}

/* Makes the plans, so that their programs are on disk. */
static clattn_status warm(const place *where, char **problems, int n)
{
    clattn_status st = CLATTN_OK;
    clattn_plan *plan = NULL;
    for (int i = 0; i < n; i++) {
        clattn_problem problem;
        clattn_plan_info info = {.struct_size = sizeof info};
        CT_TRY(clattn_problem_parse(&problem, problems[i]));
        progress_begin("compiling %d of %d", i + 1, n);
        st = clattn_plan_create(&plan, where->context, &problem, NULL);
        progress_end();
        CT_TRY(st);
        CT_TRY(clattn_plan_get_info(plan, &info));
        printf("%d from memory, %d from disk, %d built, %.1f ms: %s\n", info.cache_memory, info.cache_disk,
               info.cache_built, info.compile_ms, problems[i]);
        clattn_plan_release(plan);
        plan = NULL;
    }
out:
    clattn_plan_release(plan);
    return st;
}

static int check_verb(const command_line *line)
{
    const char *verb = line->words[0];
    const bool warms = strcmp(verb, "warm") == 0,
               known = warms || strcmp(verb, "stat") == 0 || strcmp(verb, "clear") == 0;
    if (known && (warms ? line->n_words >= 2 : line->n_words == 1)) {
        return TOOL_DONE;
    }
    fprintf(stderr, "clattn: cache %s: %s\nusage: clattn %s\n", verb, known ? "wrong number of words" : "unknown",
            line->usage);
    return TOOL_USAGE;
}

static int run_verb(const place *where, const command_line *line, bool as_json)
{
    const char *verb = line->words[0];
    if (strcmp(verb, "stat") == 0) {
        return print_stats(where, as_json);
    }
    if (strcmp(verb, "clear") == 0) {
        return clattn_cache_clear(where->context);
    }
    return warm(where, line->words + 1, line->n_words - 1);
}

int command_cache(int argc, char **argv)
{
    bool as_json = false;
    place_options options = {0};
    place where = {0};
    const option_row rows[] = {{"json", OPTION_FLAG, &as_json, NULL, "stat: one object", 0, 0}};
    command_line line = {
        "cache stat [--json] | cache clear | cache warm PROBLEM...",
        "The disk cache of compiled kernels: what it holds, remove all of it, compile for these problems.",
        rows,
        1,
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
    result = check_verb(&line);
    if (result == TOOL_DONE) {
        result = place_open(&where, &options);
    }
    if (result == TOOL_DONE) {
        result = run_verb(&where, &line, as_json);
    }
    place_close(&where);
    command_line_release(&line);
    return result;
}

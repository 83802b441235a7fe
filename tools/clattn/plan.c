/* clattn plan */
#include "device.h"
#include "progress.h"

#include <stdio.h>

static clattn_status print_plan(const place *where, const char *text, bool explain)
{
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    clattn_plan *plan = NULL;
    char full[4096];
    clattn_plan_info info = {.struct_size = sizeof info};
    CT_TRY(clattn_problem_parse(&problem, text));
    CT_TRY(clattn_problem_format(&problem, full, sizeof full));
    progress_begin("compiling");
    st = clattn_plan_create(&plan, where->context, &problem, NULL);
    progress_end();
    CT_TRY(st);
    CT_TRY(clattn_plan_get_info(plan, &info));
    printf("problem    %s\ndevice     %s\nbackend    %s%s%s\nkernel     %s\nlaunches   %d\nworkspace  %zu bytes\n",
           full, where->entry.name, info.backend, info.instead_of ? ", instead of " : "",
           info.instead_of ? info.instead_of : "", info.kernel, info.launches, info.workspace);
    printf("work       %.4g GFLOP, %.4g GB, %.4g G exponentials, density %.4g\n", info.flop * 1e-9, info.bytes * 1e-9,
           info.exps * 1e-9, info.density);
    printf("programs   %d from memory, %d from disk, %d built, %.1f ms\n\n%s\n", info.cache_memory, info.cache_disk,
           info.cache_built, info.compile_ms, clattn_plan_describe(plan));
    if (explain) {
        const char *why = clattn_plan_explain(plan);
        printf("\nother candidates\n%s\n", *why ? why : "none");
    }
out:
    clattn_plan_release(plan);
    return st;
}

int command_plan(int argc, char **argv)
{
    bool explain = false;
    place_options options = {0};
    place where = {0};
    const option_row rows[] = {{"explain", OPTION_FLAG, &explain, NULL, "why each other candidate declined", 0, 0}};
    command_line line = {"plan PROBLEM [--explain]",
                         "What would run: kernels, tiles, workspace.",
                         rows,
                         1,
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
        result = print_plan(&where, line.words[0], explain);
    }
    place_close(&where);
    command_line_release(&line);
    return result;
}

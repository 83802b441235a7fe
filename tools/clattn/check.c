/* clattn check */
#include "harness/check.h"

#include "device.h"
#include "harness/rand_problem.h"
#include "progress.h"

#include <stdio.h>

/* What is asked of every problem. */
typedef struct check_wish {
    ct_check_place here;
    uint64_t seed;
    int64_t random;
    ct_check_again again;
    const char *backend; /* NULL: the device's choice */
} check_wish;

/* One problem; false if it is outside its limits or cannot run. Prints a line, and on failure one that repeats it. */
static bool check_one(const check_wish *wish, const char *text, uint64_t seed)
{
    ct_check_result result = {0};
    clattn_problem problem;
    char figures[1024] = "";
    clattn_status st = clattn_problem_parse(&problem, text);
    if (st == CLATTN_OK) {
        st = ct_check_reruns(&wish->here, &problem, NULL, seed, wish->again, &result);
    }
    progress_end();
    if (st != CLATTN_OK) {
        printf("FAIL  %s\n      %s: %s\n", text, clattn_status_name(st), clattn_error_detail());
    } else {
        ct_check_format(&result, figures, sizeof figures);
        printf("%s  %s\n      %s\n", result.passed ? "ok  " : "FAIL", text, figures);
        if (result.text[0]) {
            printf("      %s\n", result.text);
        }
    }
    const bool passed = st == CLATTN_OK && result.passed;
    if (!passed) {
        printf("      repeat: clattn check '%s' --seed %llu", text, (unsigned long long)seed);
        if (wish->again.plans) {
            printf(" --reruns %lld --runs %lld", (long long)wish->again.plans, (long long)wish->again.runs);
        }
        printf(wish->backend ? " --backend %s\n" : "\n", wish->backend);
    }
    fflush(stdout);
    return passed;
}

static int check_all(const check_wish *wish, const command_line *line)
{
    int64_t failed = 0;
    char text[2048];
    clattn_problem problem;
    for (int i = 0; i < line->n_words; i++) {
        const clattn_status st = clattn_problem_parse(&problem, line->words[i]);
        if (st != CLATTN_OK) {
            return st;
        }
    }
    for (int i = 0; i < line->n_words; i++) {
        progress_begin("checking %s", line->words[i]);
        failed += !check_one(wish, line->words[i], wish->seed);
    }
    for (int64_t i = 0; i < wish->random; i++) {
        uint64_t own_seed = 0;
        const clattn_status st = ct_rand_problem(wish->seed, (uint64_t)i, text, sizeof text, &own_seed);
        if (st != CLATTN_OK) {
            return st;
        }
        progress_begin("checking random problem %lld of %lld", (long long)i + 1, (long long)wish->random);
        failed += !check_one(wish, text, own_seed);
    }
    printf("%lld of %lld passed\n", (long long)(line->n_words + wish->random - failed),
           (long long)(line->n_words + wish->random));
    return failed ? TOOL_NOT_DONE : TOOL_DONE;
}

int command_check(int argc, char **argv)
{
    place_options options = {0};
    place where = {0};
    int64_t seed = 1, random = 0, reruns = 0, runs = 3;
    const option_row rows[] = {
        {"seed", OPTION_INT, &seed, "S", "of the random numbers; its high bits choose inputs and strides (1)", 0,
         (int64_t)CT_SEED_MAX},
        {"random", OPTION_INT, &random, "COUNT", "also COUNT random legal problems over every key", 0, 1000000000},
        {"reruns", OPTION_INT, &reruns, "COUNT",
         "each problem COUNT times more, with a fresh plan and fresh buffers: all bits equal", 0, 1000000},
        {"runs", OPTION_INT, &runs, "R", "of each of those plans (3)", 1, 1000000},
    };
    command_line line = {
        "check PROBLEM... [--seed S] [--random COUNT] [--reruns COUNT [--runs R]]",
        "Runs problems and compares with the double-precision reference: largest error, RMS of the error over RMS of\n"
        "the reference, the same of a same-precision peer, limits. Exit status 1 if one is outside.",
        rows,
        (int)CT_COUNT(rows),
        &options,
        true,
        0,
        -1,
        NULL,
        0};
    int result;
    if (!command_line_parse(&line, argc, argv, &result)) {
        return result;
    }
    if (line.n_words == 0 && random == 0) {
        fprintf(stderr, "clattn: a problem or --random is missing\nusage: clattn %s\n", line.usage);
        result = TOOL_USAGE;
    }
    if (result == TOOL_DONE) {
        result = place_open(&where, &options);
    }
    if (result == TOOL_DONE) {
        const check_wish wish = {
            {where.cl, where.entry.device, where.context}, (uint64_t)seed, random, {reruns, runs}, options.backend};
        result = check_all(&wish, &line);
    }
    place_close(&where);
    command_line_release(&line);
    return result;
}

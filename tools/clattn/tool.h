/* What every sub-command of `clattn` shares. */
#ifndef TOOL_H
#define TOOL_H

#include "core/core.h"

/* A command returns a clattn_status (negative: clattn_error_detail says why), or one of these. */
enum {
    TOOL_DONE = 0,
    TOOL_NOT_DONE = 1, /* it ran and the answer is no; everything is said already */
    TOOL_USAGE = 2     /* the command line is wrong; everything is said already */
};

typedef struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} command;

int command_bench(int argc, char **argv);
int command_cache(int argc, char **argv);
int command_check(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_devices(int argc, char **argv);
int command_layout(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_run(int argc, char **argv);

#endif

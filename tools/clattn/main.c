/* clattn: the command line. Results go to stdout, everything else to stderr; the exit status is 0 only if the thing was
 * done. */
#include "tool.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const command commands[] = {
    {"devices", "every OpenCL device, and which backends it can use", command_devices},
    {"run", "run a problem on tensors from files", command_run},
    {"check", "compare problems with the double-precision reference", command_check},
    {"bench", "time problems, and say how far they are from the roof", command_bench},
    {"plan", "what would run: kernels, tiles, workspace", command_plan},
    {"layout", "draw the block pattern of a problem", command_layout},
    {"cache", "the disk cache of compiled kernels", command_cache},
    {"demo", "denoise a photograph, and print the cost table of sparse attention", command_demo},
};

static void print_help(FILE *to)
{
    fprintf(to, "usage: clattn COMMAND [OPTION ...]\n\n");
    for (size_t i = 0; i < CT_COUNT(commands); i++) {
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(to, "\n  clattn COMMAND --help says more; clattn --version\n\n"
                "A problem is one line of text, \"METHOD key=value ...\"; its methods:\n");
    for (int i = 0; i < clattn_method_count(); i++) {
        fprintf(to, "  %-13s %s\n", clattn_method_name(i), clattn_method_text(i));
    }
    fprintf(to, "\nEnvironment: CLATTN_DEVICE (as --device), CLATTN_CACHE_DIR, CLATTN_CACHE (off, ro, rw), "
                "CLATTN_CACHE_MAX_MB,\nCLATTN_TRIAL (auto, off, always), CLATTN_TRY, CLATTN_TRIAL_SECONDS, "
                "CLATTN_AMX (auto, off)\n");
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return TOOL_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("clattn %s\n", clattn_version_string());
        return TOOL_DONE;
    }
    for (size_t i = 0; i < CT_COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "clattn: unknown command '%s'; see clattn --help\n", argv[1]);
    return TOOL_USAGE;
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C"); /* numbers with a point, whatever was set before main */
    const int result = dispatch(argc, argv);
    if (result < 0) {
        const char *detail = clattn_error_detail();
        fprintf(stderr, "clattn: %s\n", *detail ? detail : clattn_status_text(result));
        fprintf(stderr, "clattn: failed with %s\n", clattn_status_name(result));
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "clattn: standard output could not be written\n");
        return TOOL_NOT_DONE;
    }
    return result < 0 ? TOOL_NOT_DONE : result;
}

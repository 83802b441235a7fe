/* clattn demo */
#include "demo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int run_demo(const place *where, const char *photo, const char *folder)
{
    bool photo_good = false, table_good = false;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return ct_fail(CLATTN_IO, "--out %s: %s", folder, strerror(errno));
    }
    printf("device: %s (%s)\n\n", where->entry.name, where->entry.platform_name);
    const clattn_status first = demo_photo(where, photo, folder, &photo_good);
    if (first != CLATTN_OK) {
        fprintf(stderr, "clattn: photograph: %s\n", clattn_error_detail());
    }
    fflush(stdout);
    const clattn_status second = demo_table(where, &table_good);
    if (second != CLATTN_OK) {
        return second;
    }
    if (first != CLATTN_OK) {
        return TOOL_NOT_DONE;
    }
    printf("\nself-check: photograph %s, table %s\n", photo_good ? "good" : "BAD", table_good ? "good" : "BAD");
    return photo_good && table_good ? TOOL_DONE : TOOL_NOT_DONE;
}

int command_demo(int argc, char **argv)
{
    const char *photo = NULL, *folder = "clattn-demo";
    place_options options = {0};
    place where = {0};
    const option_row rows[] = {
        {"photo", OPTION_TEXT, &photo, "F.png", "a photograph of your own, PNG (or JPEG)", 0, 0},
        {"out", OPTION_TEXT, &folder, "DIR", "where the pictures go (clattn-demo)", 0, 0},
    };
    command_line line = {
        "demo [--photo F.png] [--out DIR]",
        "1. Removes noise from a photograph by attention: pixels are tokens, queries and keys the patches around "
        "them,\n"
        "   values their colours, over windows of 3 x 3 tiles of 8 x 8 pixels. Without --photo it takes the photograph "
        "of\n"
        "   Grace Hopper in Debian's package python-matplotlib-data (U.S. Navy, public domain).\n"
        "2. Times full, local, hybrid and linear attention over 16384 tokens of model width 4096.\n"
        "Both compare sampled rows with the double-precision reference; exit status 1 if something is wrong.",
        rows,
        (int)CT_COUNT(rows),
        &options,
        false,
        0,
        0,
        NULL,
        0};
    int result;
    if (!command_line_parse(&line, argc, argv, &result)) {
        return result;
    }
    result = place_open(&where, &options);
    if (result == TOOL_DONE) {
        result = run_demo(&where, photo, folder);
    }
    place_close(&where);
    return result;
}

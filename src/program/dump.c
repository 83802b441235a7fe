/* $CLATTN_DUMP=dir: each program's text and options as the driver gets them, for offline compilers and bug reports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/environment.h"
#include "program/memory.h"

static void write_file(ct_environment *env, const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    const bool good = file && fputs(text, file) >= 0;
    if ((file && fclose(file) != 0) || !good) {
        ct_log(env, CLATTN_LOG_WARN, "dump: cannot write '%s'", path);
    }
}

void ct_program_dump(ct_environment *env, const char *kernel, const char *key, const char *source, const char *options)
{
    const char *dir = secure_getenv("CLATTN_DUMP");
    char path[4100];
    if (!dir || !*dir) {
        return;
    }
    if (snprintf(path, sizeof path, "%s/%.64s.%.12s.cl", dir, kernel, key) < (int)sizeof path - 1) {
        write_file(env, path, source);
        memcpy(path + strlen(path) - 2, "opt", 4);
        write_file(env, path, options);
    }
}

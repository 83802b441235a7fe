/* Preloaded by implementations.sh: Mesa opens its library of builtins at a fixed path; it is unpacked elsewhere, in
 * $CLC_DIR. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXED "/usr/lib/clc/"

typedef int open_function(const char *, int, ...);

static int redirect(const char *name, const char *path, int flags, int mode)
{
    char moved[4096];
    const char *directory = getenv("CLC_DIR");
    open_function *next = (open_function *)dlsym(RTLD_NEXT, name);
    if (directory && strncmp(path, FIXED, strlen(FIXED)) == 0) {
        snprintf(moved, sizeof(moved), "%s/%s", directory, path + strlen(FIXED));
        path = moved;
    }
    return next(path, flags, mode);
}

#define REDIRECT(name)                                                                                                 \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        const int mode = va_arg(list, int);                                                                            \
        va_end(list);                                                                                                  \
        return redirect(#name, path, flags, mode);                                                                     \
    }

REDIRECT(open)
REDIRECT(open64)

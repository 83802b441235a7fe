/* A directory for one test, and files in it. */
#ifndef CT_TEST_SCRATCH_H
#define CT_TEST_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct scratch {
    char dir[96];
} scratch;

static inline void scratch_path(const scratch *s, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", s->dir, name);
}

static inline void scratch_write(const scratch *s, const char *name, const void *data, size_t bytes)
{
    char path[512];
    scratch_path(s, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void scratch_text(const scratch *s, const char *name, const char *text)
{
    scratch_write(s, name, text, strlen(text));
}

static inline size_t scratch_read(const scratch *s, const char *name, unsigned char *data, size_t room)
{
    char path[512];
    scratch_path(s, name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t bytes = fread(data, 1, room, file);
    fclose(file);
    return bytes;
}

static inline void scratch_remove(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *item;
    while (dir && (item = readdir(dir)) != NULL) {
        char inner[1024];
        struct stat info;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0) {
            continue;
        }
        if (snprintf(inner, sizeof inner, "%s/%s", path, item->d_name) >= (int)sizeof inner) {
            continue;
        }
        if (lstat(inner, &info) == 0 && S_ISDIR(info.st_mode)) {
            (void)chmod(inner, 0700);
            scratch_remove(inner);
        } else {
            (void)unlink(inner);
        }
    }
    if (dir) {
        closedir(dir);
    }
    (void)rmdir(path);
}

static inline int scratch_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    scratch *s = calloc(1, sizeof *s);
    if (!s) {
        return -1;
    }
    snprintf(s->dir, sizeof s->dir, "%s/clattn-test-XXXXXX", base && strlen(base) < 60 ? base : "/tmp");
    *state = s;
    return mkdtemp(s->dir) ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
    scratch *s = *state;
    scratch_remove(s->dir);
    free(s);
    return 0;
}

#endif

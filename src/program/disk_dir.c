/* Where the disk cache lies, and whether that place can be trusted: what is read from it runs. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program/disk.h"

typedef struct place {
    const char *variable, *below;
    bool absolute; /* a relative value counts as unset, as the XDG rules say */
} place;

static const place places[] = {
    {"CLATTN_CACHE_DIR", "", false},
    {"XDG_CACHE_HOME", "/clattn", true},
    {"HOME", "/.cache/clattn", true},
};

void ct_disk_say(const ct_disk_options *options, const char *format, ...)
{
    if (!options->log) {
        return;
    }
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    options->log(options->log_user, line);
}

/* NULL: no memory, or (with `text` untouched) no place is named. */
static char *choose(const clattn_allocator *allocator, const char *dir)
{
    ct_text text = {.allocator = allocator};
    if (dir) {
        ct_text_add(&text, "%s", dir);
    }
    for (size_t i = 0; !dir && !text.data && !text.failed && i < CT_COUNT(places); i++) {
        const char *value = secure_getenv(places[i].variable);
        if (value && *value && (*value == '/' || !places[i].absolute)) {
            ct_text_add(&text, "%s%s", value, places[i].below);
        }
    }
    if (text.failed) {
        ct_text_release(&text);
    }
    /* a slash at the end would make open() follow a symbolic link */
    while (text.data && text.length > 1 && text.data[text.length - 1] == '/') {
        text.data[--text.length] = '\0';
    }
    return text.data;
}

/* 0, or why it was not made. Whether it is there shows when it is opened. */
static int make(int at, const char *name)
{
    return mkdirat(at, name, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

/* Makes what is missing, each part 0700. Returns why the first part was not made that is not there, or 0. */
static int make_path(char *path)
{
    int reason = 0;
    for (char *at = path + 1; *at && !reason; at++) {
        if (*at == '/') {
            *at = '\0';
            reason = make(AT_FDCWD, path);
            reason = reason && access(path, F_OK) == 0 ? 0 : reason;
            *at = '/';
        }
    }
    return reason ? reason : make(AT_FDCWD, path);
}

/* A directory that someone else could write to could hold anything. */
static bool trusted(int fd, const char *path, const ct_disk_options *options)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        ct_disk_say(options, "cache off: cannot look at '%s': %s", path, strerror(errno));
        return false;
    }
    if (info.st_uid != geteuid()) {
        ct_disk_say(options, "cache off: '%s' belongs to user %ld, not to %ld", path, (long)info.st_uid,
                    (long)geteuid());
        return false;
    }
    if (info.st_mode & 022) {
        ct_disk_say(options, "cache off: '%s' has mode %03o, and others may write to it", path,
                    (unsigned)(info.st_mode & 0777));
        return false;
    }
    return true;
}

/* `unmade`: why it could not be made, or 0. */
static int open_trusted(int at, const char *name, int unmade, const char *path, const ct_disk_options *options)
{
    const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && unmade) {
        ct_disk_say(options, "cache off: cannot make '%s': %s", path, strerror(unmade));
        return -1;
    }
    if (fd < 0) {
        const bool link = errno == ELOOP || errno == ENOTDIR;
        ct_disk_say(options, "cache off: cannot open '%s': %s", path,
                    link ? "it is a symbolic link or no directory" : strerror(errno));
        return -1;
    }
    if (!trusted(fd, path, options)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The directory of this format below `base`, which is closed. */
static int open_version(int base, const char *dir, bool write, const ct_disk_options *options)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, CT_DISK_VERSION);
    const int version = open_trusted(base, CT_DISK_VERSION, write ? make(base, CT_DISK_VERSION) : 0, path, options);
    close(base);
    return version;
}

int ct_disk_dir_open(const clattn_allocator *allocator, const ct_disk_options *options, bool write, char **dir)
{
    if (getuid() != geteuid() || getgid() != getegid() || getauxval(AT_SECURE)) {
        ct_disk_say(options, "cache off: the process runs with another user's rights");
        return -1;
    }
    char *path = choose(allocator, options->dir);
    if (!path || !*path) {
        ct_disk_say(options, "cache off: none of CLATTN_CACHE_DIR, XDG_CACHE_HOME and HOME names a directory");
        ct_release(allocator, path);
        return -1;
    }
    const int base = open_trusted(AT_FDCWD, path, write ? make_path(path) : 0, path, options);
    const int version = base >= 0 ? open_version(base, path, write, options) : -1;
    if (version < 0) {
        ct_release(allocator, path);
        return -1;
    }
    *dir = path;
    return version;
}

/* Blobs by key, one file each. Whatever goes wrong is a miss and a line in the log. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "program/disk.h"

#define DEFAULT_MB 256
#define LARGEST_MB (INT64_MAX >> 20)
#define TRIES      8

typedef struct entry_path {
    char folder[3];
    char name[32 + sizeof CT_DISK_SUFFIX];
} entry_path;

static clattn_cache_mode mode_of(const ct_disk_options *options)
{
    static const struct {
        const char *text;
        clattn_cache_mode mode;
    } modes[] = {{"off", CLATTN_CACHE_OFF}, {"ro", CLATTN_CACHE_READ_ONLY}, {"rw", CLATTN_CACHE_READ_WRITE}};
    const char *value = secure_getenv("CLATTN_CACHE");
    if (options->mode != CLATTN_CACHE_DEFAULT) {
        return options->mode;
    }
    if (!value || !*value) {
        return CLATTN_CACHE_READ_WRITE;
    }
    for (size_t i = 0; i < CT_COUNT(modes); i++) {
        if (strcmp(modes[i].text, value) == 0) {
            return modes[i].mode;
        }
    }
    ct_disk_say(options, "cache off: CLATTN_CACHE is '%s', must be off, ro or rw", value);
    return CLATTN_CACHE_OFF;
}

static int64_t limit_of(const ct_disk_options *options)
{
    int64_t megabytes = DEFAULT_MB;
    const char *value = secure_getenv("CLATTN_CACHE_MAX_MB");
    if (options->max_bytes > 0) {
        return options->max_bytes;
    }
    if (value && *value && (!ct_parse_int(value, &megabytes) || megabytes < 1 || megabytes > LARGEST_MB)) {
        ct_disk_say(options, "cache: CLATTN_CACHE_MAX_MB is '%s', must be 1 to %" PRId64 "; using %d", value,
                    (int64_t)LARGEST_MB, DEFAULT_MB);
        megabytes = DEFAULT_MB;
    }
    return megabytes * 1024 * 1024;
}

clattn_status ct_disk_open(const clattn_allocator *allocator, const ct_disk_options *options, ct_disk **out)
{
    clattn_status st = CLATTN_OK;
    char *dir = NULL;
    const clattn_cache_mode mode = mode_of(options);
    const bool write = mode == CLATTN_CACHE_READ_WRITE;
    *out = NULL;
    if (mode == CLATTN_CACHE_OFF) {
        return CLATTN_OK;
    }
    const int fd = ct_disk_dir_open(allocator, options, write, &dir);
    if (fd < 0) {
        return CLATTN_OK;
    }
    ct_disk *disk = ct_alloc(allocator, sizeof *disk);
    if (!disk) {
        close(fd);
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the disk cache (%zu bytes)", sizeof *disk);
    }
    disk->allocator = allocator;
    disk->options = *options;
    disk->fd = fd;
    disk->dir = dir;
    disk->max_bytes = limit_of(options);
    atomic_init(&disk->writable, write);
    atomic_init(&disk->rejected, 0);
    pthread_mutex_init(&disk->mutex, NULL);
    dir = NULL;
    *out = disk;
out:
    ct_release(allocator, dir);
    return st;
}

void ct_disk_close(ct_disk *disk)
{
    if (disk) {
        close(disk->fd);
        pthread_mutex_destroy(&disk->mutex);
        ct_release(disk->allocator, disk->dir);
        ct_release(disk->allocator, disk);
    }
}

const char *ct_disk_dir(const ct_disk *disk)
{
    return disk->dir;
}

/* 32 hex digits name their file themselves, any other key by its hash; the header holds the key in full. */
static bool path_of(const char *key, entry_path *path)
{
    const size_t length = strlen(key);
    if (length == 0 || length >= CT_DISK_KEY) {
        return false;
    }
    if (length == 32 && strspn(key, "0123456789abcdef") == 32) {
        snprintf(path->name, sizeof path->name, "%s%s", key, CT_DISK_SUFFIX);
    } else {
        const XXH128_hash_t hash = XXH3_128bits(key, length);
        snprintf(path->name, sizeof path->name, "%016" PRIx64 "%016" PRIx64 "%s", (uint64_t)hash.high64,
                 (uint64_t)hash.low64, CT_DISK_SUFFIX);
    }
    memcpy(path->folder, path->name, 2);
    path->folder[2] = '\0';
    return true;
}

static int open_folder(const ct_disk *disk, const entry_path *path)
{
    return openat(disk->fd, path->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool read_all(int fd, unsigned char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t got = read(fd, data, bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        data += got;
        bytes -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const unsigned char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t put = write(fd, data, bytes);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        data += put;
        bytes -= (size_t)put;
    }
    return true;
}

/* NULL if the entry is good; then *data holds the payload. "" if there is no memory for it. */
static const char *read_entry(const ct_disk *disk, int fd, const char *key, unsigned char **data, size_t *bytes)
{
    unsigned char header[CT_DISK_HEADER];
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid()) {
        return "is no file of this user";
    }
    if (info.st_size < CT_DISK_HEADER || !read_all(fd, header, sizeof header)) {
        return "is too short";
    }
    const char *why = ct_disk_header_check(header, key, (uint64_t)info.st_size);
    if (why) {
        return why;
    }
    const size_t length = (size_t)info.st_size - CT_DISK_HEADER;
    unsigned char *payload = ct_alloc(disk->allocator, length);
    if (!payload) {
        return "";
    }
    why = read_all(fd, payload, length) ? ct_disk_payload_check(header, payload, length) : "cannot be read to its end";
    if (why) {
        ct_release(disk->allocator, payload);
        return why;
    }
    *data = payload;
    *bytes = length;
    return NULL;
}

static void reject(ct_disk *disk, int folder, const entry_path *path, const char *why)
{
    const int reason = !disk->writable || unlinkat(folder, path->name, 0) == 0 ? 0 : errno;
    atomic_fetch_add(&disk->rejected, 1);
    ct_disk_say(&disk->options, "cache: '%s/%s/%s/%s' %s%s%s", disk->dir, CT_DISK_VERSION, path->folder, path->name,
                why,
                !disk->writable ? ""
                : reason        ? "; cannot be removed: "
                                : "; removed",
                reason ? strerror(reason) : "");
}

bool ct_disk_get(ct_disk *disk, const char *key, unsigned char **data, size_t *bytes)
{
    entry_path path;
    if (!path_of(key, &path)) {
        return false;
    }
    const int folder = open_folder(disk, &path);
    if (folder < 0) {
        return false;
    }
    const char *why = "";
    /* not blocking: someone may have put a pipe there */
    const int fd = openat(folder, path.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        why = read_entry(disk, fd, key, data, bytes);
        if (!why && disk->writable) {
            (void)futimens(fd, NULL); /* used now: others go first */
        }
        close(fd);
    } else if (errno == ELOOP) {
        why = "is a symbolic link";
    }
    if (why && *why) {
        reject(disk, folder, &path, why);
    }
    close(folder);
    return !why;
}

static int open_temp(ct_disk *disk, int folder, char *name, size_t room)
{
    int fd = -1;
    for (int i = 0; fd < 0 && i < TRIES; i++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        pthread_mutex_lock(&disk->mutex);
        const uint64_t serial = disk->serial++;
        pthread_mutex_unlock(&disk->mutex);
        snprintf(name, room, CT_DISK_TEMP "%ld-%" PRIu64 "-%lx%09lx", (long)getpid(), serial, (unsigned long)now.tv_sec,
                 (unsigned long)now.tv_nsec);
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) {
            break;
        }
    }
    return fd;
}

/* A reader sees the old entry, none, or the whole new one. */
static bool publish(ct_disk *disk, int folder, const entry_path *path, const unsigned char *header,
                    const unsigned char *data, size_t bytes)
{
    char temp[128];
    const int fd = open_temp(disk, folder, temp, sizeof temp);
    if (fd < 0) {
        return false;
    }
    bool good = write_all(fd, header, CT_DISK_HEADER) && write_all(fd, data, bytes) && fsync(fd) == 0;
    int reason = errno;
    if (close(fd) != 0 && good) {
        good = false;
        reason = errno;
    }
    if (good && renameat(folder, temp, folder, path->name) != 0) {
        good = false;
        reason = errno;
    }
    if (!good) {
        (void)unlinkat(folder, temp, 0);
        errno = reason;
    }
    return good;
}

static void count_put(ct_disk *disk, int64_t bytes)
{
    pthread_mutex_lock(&disk->mutex);
    disk->bytes += bytes;
    disk->since += bytes;
    /* other processes write, too: count now and then even if this one's sum is small */
    if (!disk->counted || disk->bytes > disk->max_bytes || disk->since > disk->max_bytes / 16) {
        ct_disk_evict(disk);
    }
    pthread_mutex_unlock(&disk->mutex);
}

bool ct_disk_put(ct_disk *disk, const char *key, const char *name, const unsigned char *data, size_t bytes)
{
    unsigned char header[CT_DISK_HEADER];
    entry_path path;
    if (!disk->writable || !path_of(key, &path)) {
        return false;
    }
    if (disk->max_bytes < CT_DISK_HEADER || bytes > (uint64_t)disk->max_bytes - CT_DISK_HEADER) {
        ct_disk_say(&disk->options, "cache: %s has %zu bytes, more than the limit of %" PRId64, name, bytes,
                    disk->max_bytes);
        return false;
    }
    ct_disk_header_write(header, key, name, data, bytes);
    const int made = mkdirat(disk->fd, path.folder, 0700) == 0 ? 0 : errno;
    const int folder = open_folder(disk, &path);
    const bool good = folder >= 0 && publish(disk, folder, &path, header, data, bytes);
    if (!good) {
        const int reason = folder < 0 && made && made != EEXIST ? made : errno;
        ct_disk_say(&disk->options, "cache: cannot write '%s/%s/%s/%s': %s", disk->dir, CT_DISK_VERSION, path.folder,
                    path.name, strerror(reason));
        if (reason == EACCES || reason == EROFS || reason == EPERM) {
            disk->writable = false; /* it will not get better: say it once */
        }
    }
    if (folder >= 0) {
        close(folder);
    }
    if (good) {
        count_put(disk, (int64_t)bytes + CT_DISK_HEADER);
    }
    return good;
}

void ct_disk_remove(ct_disk *disk, const char *key)
{
    entry_path path;
    if (!disk->writable || !path_of(key, &path)) {
        return;
    }
    const int folder = open_folder(disk, &path);
    if (folder >= 0) {
        (void)unlinkat(folder, path.name, 0);
        close(folder);
    }
}

void ct_disk_stats(ct_disk *disk, int64_t *files, int64_t *bytes, int64_t *max_bytes, int64_t *rejected)
{
    ct_disk_file *list = NULL;
    size_t count = 0;
    int64_t total = 0;
    if (ct_disk_list(disk, &list, &count)) {
        for (size_t i = 0; i < count; i++) {
            total += list[i].bytes;
        }
    }
    ct_release(disk->allocator, list);
    *files = (int64_t)count;
    *bytes = total;
    *max_bytes = disk->max_bytes;
    *rejected = atomic_load(&disk->rejected);
}

clattn_status ct_disk_clear(ct_disk *disk)
{
    clattn_status st = CLATTN_OK;
    ct_disk_file *list = NULL;
    size_t count = 0;
    if (!disk->writable) {
        CT_FAIL(CLATTN_UNSUPPORTED, "the cache '%s' is read-only: it cannot be cleared", disk->dir);
    }
    if (!ct_disk_list(disk, &list, &count)) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory to list the cache '%s'", disk->dir);
    }
    for (size_t i = 0; i < count; i++) {
        if (unlinkat(disk->fd, list[i].path, 0) != 0 && errno != ENOENT) {
            st = ct_fail(CLATTN_IO, "cannot remove '%s/%s/%s': %s", disk->dir, CT_DISK_VERSION, list[i].path,
                         strerror(errno));
        }
    }
    pthread_mutex_lock(&disk->mutex);
    disk->counted = false;
    disk->bytes = disk->since = 0;
    pthread_mutex_unlock(&disk->mutex);
out:
    ct_release(disk->allocator, list);
    return st;
}

/* Which entries are there, and which go when there are too many. Other processes may remove them at the same time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "program/disk.h"

#define TEMP_SECONDS 3600 /* no writer takes that long */

typedef struct file_list {
    const clattn_allocator *allocator;
    ct_disk_file *files;
    size_t count, room;
    bool failed;
} file_list;

static void add_file(file_list *list, const ct_disk_file *file)
{
    if (list->count == list->room) {
        const size_t room = list->room ? 2 * list->room : 64;
        ct_disk_file *files = ct_alloc_array(list->allocator, room, sizeof *files);
        if (!files) {
            list->failed = true;
            return;
        }
        if (list->count) {
            memcpy(files, list->files, list->count * sizeof *files);
        }
        ct_release(list->allocator, list->files);
        list->files = files;
        list->room = room;
    }
    list->files[list->count++] = *file;
}

static bool has_suffix(const char *name)
{
    const size_t length = strlen(name), suffix = sizeof CT_DISK_SUFFIX - 1;
    return length > suffix && strcmp(name + length - suffix, CT_DISK_SUFFIX) == 0;
}

static void look_at(struct ct_disk *disk, file_list *list, int folder, const char *folder_name, const char *name)
{
    struct stat info;
    const bool temp = strncmp(name, CT_DISK_TEMP, sizeof CT_DISK_TEMP - 1) == 0;
    if ((!temp && !has_suffix(name)) || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode)) {
        return;
    }
    if (temp) {
        if (disk->writable && time(NULL) - info.st_mtim.tv_sec > TEMP_SECONDS) {
            (void)unlinkat(folder, name, 0);
        }
        return;
    }
    ct_disk_file file = {.bytes = info.st_size, .used_s = info.st_mtim.tv_sec, .used_ns = info.st_mtim.tv_nsec};
    const int length = snprintf(file.path, sizeof file.path, "%s/%s", folder_name, name);
    if (length > 0 && (size_t)length < sizeof file.path) {
        add_file(list, &file);
    }
}

static void look_into(struct ct_disk *disk, file_list *list, const char *folder_name)
{
    const int fd = openat(disk->fd, folder_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    const struct dirent *item;
    while (!list->failed && (item = readdir(folder)) != NULL) {
        look_at(disk, list, fd, folder_name, item->d_name);
    }
    closedir(folder);
}

bool ct_disk_list(struct ct_disk *disk, ct_disk_file **files, size_t *count)
{
    file_list list = {.allocator = disk->allocator};
    for (unsigned i = 0; !list.failed && i < 256; i++) {
        char name[3];
        snprintf(name, sizeof name, "%02x", i);
        look_into(disk, &list, name);
    }
    if (list.failed) {
        ct_release(disk->allocator, list.files);
        return false;
    }
    *files = list.files;
    *count = list.count;
    return true;
}

static int by_use(const void *a, const void *b)
{
    const ct_disk_file *x = a, *y = b;
    if (x->used_s != y->used_s) {
        return x->used_s < y->used_s ? -1 : 1;
    }
    return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

void ct_disk_evict(struct ct_disk *disk)
{
    ct_disk_file *files = NULL;
    size_t count = 0;
    if (!ct_disk_list(disk, &files, &count)) {
        return;
    }
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += files[i].bytes;
    }
    if (total > disk->max_bytes) {
        /* some room to spare, or every put would count again */
        const int64_t wanted = disk->max_bytes - disk->max_bytes / 8;
        qsort(files, count, sizeof *files, by_use);
        for (size_t i = 0; i + 1 < count && total > wanted; i++) {
            if (unlinkat(disk->fd, files[i].path, 0) == 0 || errno == ENOENT) {
                total -= files[i].bytes;
            }
        }
    }
    disk->bytes = total;
    disk->since = 0;
    disk->counted = true;
    ct_release(disk->allocator, files);
}

/* The parts of the disk cache: where it lies, what a file looks like, which files go first. */
#ifndef CT_DISK_H
#define CT_DISK_H

#include <pthread.h>
#include <stdatomic.h>

#include "program/cache.h"

#define CT_DISK_VERSION "v1" /* directory of this file format; another format lives beside it */
#define CT_DISK_FORMAT  1u
#define CT_DISK_KEY     128 /* longest key, with its NUL */
#define CT_DISK_NAME    256 /* longest name, with its NUL */
#define CT_DISK_HEADER  464 /* bytes */
#define CT_DISK_SUFFIX  ".clb"
#define CT_DISK_TEMP    ".tmp-"

struct ct_disk {
    const clattn_allocator *allocator;
    ct_disk_options options; /* `dir` is not used */
    char *dir;
    int fd; /* of dir/v1: everything happens below it, whatever becomes of the path */
    int64_t max_bytes;
    atomic_bool writable;
    atomic_llong rejected;
    pthread_mutex_t mutex; /* the three below */
    int64_t bytes;         /* on disk at the last count, and what was put since */
    int64_t since;         /* put since the last count */
    bool counted;
    uint64_t serial; /* of temporary names */
};

void ct_disk_say(const ct_disk_options *options, const char *format, ...) CT_PRINTF(2, 3);

/* Opens (and makes, if `write`) the directory that the options or the environment name, and its v1. -1: refused, and
 * said why. *dir is the caller's. */
int ct_disk_dir_open(const clattn_allocator *allocator, const ct_disk_options *options, bool write, char **dir);

/* Header bytes of an entry, and the check of one that was read. The reason a check fails is a static string. */
void ct_disk_header_write(unsigned char header[CT_DISK_HEADER], const char *key, const char *name,
                          const unsigned char *payload, size_t bytes);
const char *ct_disk_header_check(const unsigned char *header, const char *key, uint64_t file_bytes);
const char *ct_disk_payload_check(const unsigned char *header, const unsigned char *payload, size_t bytes);

typedef struct ct_disk_file {
    char path[160]; /* "ab/ab...cd.clb", below fd */
    int64_t bytes;
    int64_t used_s, used_ns;
} ct_disk_file;
/* Every entry; temporary files of writers that died long ago are removed. false: no memory. */
bool ct_disk_list(struct ct_disk *disk, ct_disk_file **files, size_t *count);
/* Removes the entries used longest ago until the limit holds. */
void ct_disk_evict(struct ct_disk *disk);

#endif

/* The program cache: memory in front of a directory. Failure of the disk part is never an error. */
#ifndef CT_CACHE_H
#define CT_CACHE_H

#include "device/environment.h"

typedef struct ct_cache ct_cache;

/* Never fails for reasons of the disk; CLATTN_OUT_OF_HOST_MEMORY only. */
clattn_status ct_cache_create(ct_environment *env, const clattn_context_options *options, ct_cache **out);
void ct_cache_release(ct_cache *cache);

/* The disk part alone: blobs by key. It knows no OpenCL.
 * An entry file is a header (magic, format, lengths, key echo, checksum of the payload, name) and the payload; it is
 * written to a temporary file in the same directory, synced, renamed. */
typedef struct ct_disk ct_disk;
typedef struct ct_disk_options {
    const char *dir; /* NULL: from the environment, see clattn_context_options */
    clattn_cache_mode mode;
    int64_t max_bytes;
    void (*log)(void *user, const char *line);
    void *log_user;
} ct_disk_options;
/* *out is NULL (and CLATTN_OK) where the cache is off or its directory is refused. */
clattn_status ct_disk_open(const clattn_allocator *allocator, const ct_disk_options *options, ct_disk **out);
void ct_disk_close(ct_disk *disk);
const char *ct_disk_dir(const ct_disk *disk);
/* false: not there, or broken (then it was removed and *rejected counts). *data is the caller's to ct_release. */
bool ct_disk_get(ct_disk *disk, const char *key, unsigned char **data, size_t *bytes);
bool ct_disk_put(ct_disk *disk, const char *key, const char *name, const unsigned char *data, size_t bytes);
void ct_disk_remove(ct_disk *disk, const char *key);
void ct_disk_stats(ct_disk *disk, int64_t *files, int64_t *bytes, int64_t *max_bytes, int64_t *rejected);
clattn_status ct_disk_clear(ct_disk *disk);

#endif

/* Programs in memory, by key. One thread makes a program, the others wait for it. */
#ifndef CT_MEMORY_H
#define CT_MEMORY_H

#include <pthread.h>

#include "program/cache.h"
#include "program/program.h"

#define CT_BUCKETS 256

typedef enum ct_entry_state { CT_ENTRY_MAKING, CT_ENTRY_READY, CT_ENTRY_FAILED } ct_entry_state;

typedef struct ct_entry {
    ct_program program; /* first: a const ct_program * given out is an entry */
    ct_entry_state state;
    bool built;            /* from source by this process: its binary is worth keeping */
    unsigned char *binary; /* to keep; NULL: the driver's */
    size_t binary_bytes;
    bool died; /* the compiler died of it: it is not tried again, and the entry stays */
    int waiters;
    clattn_status status;
    char *detail; /* of a failed build, for those who wait, and of one that died */
    struct ct_entry *next;
} ct_entry;

struct ct_cache {
    ct_environment *env;
    ct_disk *disk;         /* NULL: none */
    pthread_mutex_t mutex; /* everything below */
    pthread_cond_t changed;
    ct_entry *buckets[CT_BUCKETS];
    ct_entry *retired; /* forgotten by clattn_cache_clear, still used by plans */
    char *fingerprint; /* device and driver, for keys; made at the first use */
    int64_t memory_hits, disk_hits, builds, refused;
};

/* *mine: the caller must make the program and call ct_memory_publish; else *entry is ready. */
clattn_status ct_memory_claim(ct_cache *cache, const char *key, ct_entry **entry, bool *mine);
/* `status` other than CLATTN_OK: the entry goes away; who waits gets a refused build's detail, or tries itself. */
void ct_memory_publish(ct_cache *cache, ct_entry *entry, clattn_status status);
void ct_memory_forget(ct_cache *cache);

/* build.c: what makes keys of this device differ from another's; *out belongs to the cache. */
clattn_status ct_program_fingerprint(ct_environment *env, const char **out);
/* From source, in this process. */
clattn_status ct_program_build(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const char *source,
                               const char *options);
/* Has it a kernel of this name? */
cl_int ct_program_check(cl_program program, const char *name);
/* Loads a binary and builds it; *made is a program even where that failed, if the driver made one. */
cl_int ct_program_load(ct_environment *env, const ct_program_spec *spec, const unsigned char *data, size_t bytes,
                       const char *options, cl_program *made);
/* keep.c: the binary of the context's device, with a NUL behind it; NULL: none. The caller's to ct_release. */
unsigned char *ct_program_binary(ct_environment *env, cl_program program, size_t *bytes);

/* places.c: a log in which lines of the joined text are lines of the files it came from; the caller's to ct_release.
 * NULL: no memory. */
char *ct_program_places(const clattn_allocator *allocator, const char *source, const char *log);

/* dump.c */
void ct_program_dump(ct_environment *env, const char *kernel, const char *key, const char *source, const char *options);

#endif

/* The context, and what was probed about its device. */
#ifndef CT_CONTEXT_H
#define CT_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/core.h"

typedef struct ct_cache ct_cache; /* program/cache.h */

typedef struct ct_device_facts {
    char name[128], vendor[128], platform[128];
    /* part of the cache's key: long enough to tell builds apart */
    char version[512], driver[512], platform_version[512];
    bool cpu; /* CL_DEVICE_TYPE_CPU */
    cl_uint compute_units;
    cl_ulong local_memory;
    size_t max_group;
    bool dots;            /* this CPU has AVX512-BF16 */
    bool fp16, subgroups; /* as advertised; kernels need neither */
    int nv_capability;    /* NVIDIA compute capability, 90 for 9.0; 0: none */
} ct_device_facts;

#define CT_WHY_BYTES 1024

struct clattn_context {
    atomic_int references;
    clattn_allocator allocator;
    clattn_log_fn log;
    void *log_user;
    clattn_log_level log_level;
    char backend[16];        /* "" = any */
    clattn_trial_mode trial; /* not DEFAULT; this and the next two: program/trial.h */
    int trial_seconds;
    char *trial_program; /* NULL: where it was installed */
    cl_context cl;
    cl_device_id device;
    ct_device_facts facts;
    ct_cache *cache;
    pthread_mutex_t mutex; /* guards `describe` and the probes */
    struct ct_tile_state {
        bool probed, usable;
        char why[CT_WHY_BYTES];
    } tiles[16];               /* by index into ct_tiles */
    struct ct_tile_state dots; /* tile_cpu_dots, a variant of the CPU tile */
    double dots_rate;          /* of its products, beside float multiply-adds */
    char *describe;
};

void ct_log(clattn_context *context, clattn_log_level level, const char *format, ...) CT_PRINTF(3, 4);
clattn_status ct_device_read(cl_device_id device, ct_device_facts *facts);
/* Which device of which platform this is (or is a part of), in the order in which OpenCL lists them; false: none of
 * them. */
bool ct_device_place(cl_device_id device, int64_t *platform_index, int64_t *device_index);
/* The device at that place, or NULL. */
cl_device_id ct_device_at(int64_t platform_index, int64_t device_index);
/* A queue of one's own, in order: for probes and warm-up launches. */
clattn_status ct_queue_create(clattn_context *context, cl_command_queue *out);

#endif

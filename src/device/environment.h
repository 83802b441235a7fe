/* What every call needs: a device and what is known of it, host memory, the log, the cache of programs. */
#ifndef CT_ENVIRONMENT_H
#define CT_ENVIRONMENT_H

#include "core/core.h"

typedef struct ct_device_facts {
    char name[128], vendor[128], platform[128];
    /* part of the cache's key: long enough to tell builds apart */
    char version[512], driver[512], platform_version[512];
    bool cpu;         /* CL_DEVICE_TYPE_CPU */
    bool local_apart; /* local memory is not a part of global memory: CL_DEVICE_LOCAL_MEM_TYPE */
    cl_uint compute_units;
    cl_ulong local_memory, global_memory;
    size_t max_group;
    cl_uint vector;       /* floats that a vector register holds */
    bool dots;            /* this CPU has AVX512-BF16 */
    bool amx;             /* and AMX tiles of bfloat16, which this process has to ask the system for */
    bool fp16, subgroups; /* as advertised; kernels need neither */
    int nv_capability;    /* NVIDIA compute capability, 90 for 9.0; 0: none */
} ct_device_facts;

#define CT_WHY_BYTES 1024 /* of a reason for which something is declined */

typedef struct ct_environment {
    clattn_allocator allocator;
    clattn_log_fn log;
    void *log_user;
    clattn_log_level log_level;
    cl_context cl;
    cl_device_id device;
    ct_device_facts facts;
    struct ct_cache *cache;  /* program/cache.h */
    clattn_trial_mode trial; /* not DEFAULT; this and the next two: program/trial.h */
    int trial_seconds;
    char *trial_program; /* NULL: where it was installed */
} ct_environment;

void ct_log(const ct_environment *env, clattn_log_level level, const char *format, ...) CT_PRINTF(3, 4);
clattn_status ct_device_read(cl_device_id device, ct_device_facts *facts);
/* Which device of which platform this is (or is a part of), in the order in which OpenCL lists them; false: none of
 * them. */
bool ct_device_place(cl_device_id device, int64_t *platform_index, int64_t *device_index);
/* The device at that place, or NULL. */
cl_device_id ct_device_at(int64_t platform_index, int64_t device_index);
/* A queue of one's own, in order: for probes and warm-up launches. */
clattn_status ct_queue_create(const ct_environment *env, cl_command_queue *out);

#endif

/* Takes a program's binary from the driver and puts it on disk. */
#include "device/environment.h"
#include "program/memory.h"

/* Index of the context's device among the program's, or -1. */
static int device_index(ct_environment *env, cl_program program, cl_uint count, cl_device_id *devices)
{
    if (clGetProgramInfo(program, CL_PROGRAM_DEVICES, count * sizeof *devices, devices, NULL) == CL_SUCCESS) {
        for (cl_uint i = 0; i < count; i++) {
            if (devices[i] == env->device) {
                return (int)i;
            }
        }
    }
    return -1;
}

/* A cl_context may have several devices: the query wants one pointer for each that has a binary. */
unsigned char *ct_program_binary(ct_environment *env, cl_program program, size_t *bytes)
{
    const clattn_allocator *allocator = &env->allocator;
    cl_uint count = 0;
    unsigned char *binary = NULL;
    if (clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof count, &count, NULL) != CL_SUCCESS || count == 0) {
        return NULL;
    }
    cl_device_id *devices = ct_alloc_array(allocator, count, sizeof *devices);
    size_t *sizes = ct_alloc_array(allocator, count, sizeof *sizes);
    unsigned char **binaries = ct_alloc_array(allocator, count, sizeof *binaries);
    const int index = devices ? device_index(env, program, count, devices) : -1;
    bool good = index >= 0 && sizes && binaries &&
                clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, count * sizeof *sizes, sizes, NULL) == CL_SUCCESS &&
                sizes[index] > 0;
    for (cl_uint i = 0; good && i < count; i++) {
        binaries[i] = sizes[i] > 0 ? ct_alloc(allocator, sizes[i] + 1) : NULL;
        good = binaries[i] || sizes[i] == 0;
    }
    good =
        good && clGetProgramInfo(program, CL_PROGRAM_BINARIES, count * sizeof *binaries, binaries, NULL) == CL_SUCCESS;
    for (cl_uint i = 0; binaries && i < count; i++) {
        if (good && i == (cl_uint)index) {
            binary = binaries[i];
            *bytes = sizes[i];
        } else {
            ct_release(allocator, binaries[i]);
        }
    }
    ct_release(allocator, binaries);
    ct_release(allocator, sizes);
    ct_release(allocator, devices);
    return binary;
}

/* true: this call is the one that stores it. */
static bool take(ct_cache *cache, ct_entry *entry)
{
    pthread_mutex_lock(&cache->mutex);
    const bool mine = entry->built && !entry->program.warm;
    entry->program.warm = true;
    pthread_mutex_unlock(&cache->mutex);
    return mine;
}

void ct_program_keep(ct_environment *env, const ct_program *program)
{
    ct_cache *cache = env->cache;
    ct_entry *entry = (ct_entry *)(uintptr_t)program; /* every program given out is the head of an entry */
    size_t bytes = 0;
    if (!take(cache, entry) || !cache->disk) {
        return;
    }
    unsigned char *binary = entry->binary;
    if (binary) {
        bytes = entry->binary_bytes;
        entry->binary = NULL;
    } else {
        binary = ct_program_binary(env, program->program, &bytes);
    }
    if (!binary) {
        ct_log(env, CLATTN_LOG_INFO, "cache: the driver gives no binary of %s", program->name);
    } else if (ct_disk_put(cache->disk, program->key, program->name, binary, bytes)) {
        ct_log(env, CLATTN_LOG_TRACE, "cache: wrote %zu bytes of %s", bytes, program->name);
    }
    ct_release(&env->allocator, binary);
}

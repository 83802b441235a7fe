/* What a device says about itself. Whether it is true is for probes to find out. */
#include <stdio.h>
#include <string.h>

#include "device/environment.h"

#if defined(__x86_64__) && defined(__GNUC__)
#    include <cpuid.h>
#endif

/* Texts of any length up to 4 KiB, of which the first `bytes` are kept: pocl's versions list everything it was built
 * with. */
typedef struct text_fact {
    cl_uint what;
    char *text;
    size_t bytes;
} text_fact;

static clattn_status read_texts(cl_device_id device, cl_platform_id platform, const text_fact *facts, size_t n)
{
    char all[4096];
    clattn_status st = CLATTN_OK;
    for (size_t i = 0; i < n; i++) {
        memset(all, 0, sizeof all);
        CT_TRYCL(platform ? clGetPlatformInfo(platform, facts[i].what, sizeof all - 1, all, NULL)
                          : clGetDeviceInfo(device, facts[i].what, sizeof all - 1, all, NULL));
        snprintf(facts[i].text, facts[i].bytes, "%.*s", (int)facts[i].bytes - 1, all);
    }
out:
    return st;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* AMX-TILE and AMX-BF16 beside the vectors that its tile needs. Of this host: the probe finds out what a CPU device
 * elsewhere has. */
static bool has_amx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1) &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

#ifndef CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV
#    define CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV 0x4000
#    define CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV 0x4001
#endif
static clattn_status read_capability(cl_device_id device, int *capability)
{
    clattn_status st = CLATTN_OK;
    cl_uint major = 0, minor = 0;
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, sizeof major, &major, NULL));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV, sizeof minor, &minor, NULL));
    *capability = (int)(10 * major + minor);
out:
    return st;
}

clattn_status ct_device_read(cl_device_id device, ct_device_facts *f)
{
    clattn_status st = CLATTN_OK;
    cl_platform_id platform = NULL;
    cl_device_type type = 0;
    cl_device_local_mem_type local = CL_GLOBAL;
    char has[16384];
    const text_fact of_device[] = {{CL_DEVICE_NAME, f->name, sizeof f->name},
                                   {CL_DEVICE_VENDOR, f->vendor, sizeof f->vendor},
                                   {CL_DEVICE_VERSION, f->version, sizeof f->version},
                                   {CL_DRIVER_VERSION, f->driver, sizeof f->driver}};
    const text_fact of_platform[] = {{CL_PLATFORM_NAME, f->platform, sizeof f->platform},
                                     {CL_PLATFORM_VERSION, f->platform_version, sizeof f->platform_version}};
    CT_TRY(read_texts(device, NULL, of_device, CT_COUNT(of_device)));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL));
    CT_TRY(read_texts(device, platform, of_platform, CT_COUNT(of_platform)));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof f->compute_units, &f->compute_units, NULL));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof f->local_memory, &f->local_memory, NULL));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof f->global_memory, &f->global_memory, NULL));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_LOCAL_MEM_TYPE, sizeof local, &local, NULL));
    f->local_apart = local == CL_LOCAL;
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof f->max_group, &f->max_group, NULL));
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof has - 1, has, NULL));
    has[sizeof has - 1] = '\0';
    f->fp16 = strstr(has, "cl_khr_fp16") != NULL;
    f->subgroups = strstr(has, "cl_khr_subgroups") != NULL || strstr(has, "cl_intel_subgroups") != NULL;
    if (strstr(has, "cl_nv_device_attribute_query")) {
        CT_TRY(read_capability(device, &f->nv_capability));
    }
    f->cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof f->vector, &f->vector, NULL));
#if defined(__x86_64__) && defined(__GNUC__)
    if (f->cpu && __builtin_cpu_supports("avx512f")) {
        f->vector = 16; /* some runtimes say 8 */
    }
    f->amx = f->cpu && has_amx();
    f->dots = f->cpu && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
#endif
out:
    return st;
}

#define MOST_PLATFORMS 64
#define MOST_DEVICES   64

static int64_t list_devices(int64_t platform_index, cl_device_id *devices)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint platform_count = 0, count = 0;
    if (clGetPlatformIDs(MOST_PLATFORMS, platforms, &platform_count) != CL_SUCCESS || platform_index < 0 ||
        platform_index >= ct_min(platform_count, MOST_PLATFORMS) ||
        clGetDeviceIDs(platforms[platform_index], CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices, &count) != CL_SUCCESS) {
        return 0;
    }
    return ct_min(count, MOST_DEVICES);
}

static int64_t platform_place(cl_platform_id platform)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint count = 0;
    if (clGetPlatformIDs(MOST_PLATFORMS, platforms, &count) == CL_SUCCESS) {
        for (int64_t i = 0; i < ct_min(count, MOST_PLATFORMS); i++) {
            if (platforms[i] == platform) {
                return i;
            }
        }
    }
    return -1;
}

bool ct_device_place(cl_device_id device, int64_t *platform_index, int64_t *device_index)
{
    cl_device_id devices[MOST_DEVICES], whole = device;
    cl_platform_id platform = NULL;
    while (clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof whole, &whole, NULL) == CL_SUCCESS && whole) {
        device = whole; /* it was a part of this one */
    }
    if (clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) != CL_SUCCESS) {
        return false;
    }
    const int64_t at = platform_place(platform), count = list_devices(at, devices);
    for (int64_t i = 0; i < count; i++) {
        if (devices[i] == device) {
            *platform_index = at;
            *device_index = i;
            return true;
        }
    }
    return false;
}

cl_device_id ct_device_at(int64_t platform_index, int64_t device_index)
{
    cl_device_id devices[MOST_DEVICES];
    const int64_t count = list_devices(platform_index, devices);
    return device_index >= 0 && device_index < count ? devices[device_index] : NULL;
}

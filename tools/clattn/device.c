/* clCreateCommandQueue is there on every platform, its successor is not */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define MOST_DEVICES   64
#define MOST_PLATFORMS 16

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Drivers pad names with spaces. */
static void trim(char *text)
{
    size_t first = strspn(text, " "), length = strlen(text);
    while (length > first && text[length - 1] == ' ') {
        text[--length] = '\0';
    }
    memmove(text, text + first, length - first + 1);
}

static void read_entry(device_entry *e)
{
    clGetDeviceInfo(e->device, CL_DEVICE_TYPE, sizeof e->type, &e->type, NULL);
    clGetDeviceInfo(e->device, CL_DEVICE_NAME, sizeof e->name - 1, e->name, NULL);
    clGetDeviceInfo(e->device, CL_DRIVER_VERSION, sizeof e->driver - 1, e->driver, NULL);
    clGetPlatformInfo(e->platform, CL_PLATFORM_NAME, sizeof e->platform_name - 1, e->platform_name, NULL);
    trim(e->name);
    trim(e->platform_name);
}

int device_list(device_entry *entries, int most)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_device_id devices[MOST_DEVICES];
    cl_uint n_platforms = 0;
    int count = 0;
    if (clGetPlatformIDs(MOST_PLATFORMS, platforms, &n_platforms) != CL_SUCCESS) {
        return 0;
    }
    for (cl_uint p = 0; p < n_platforms && p < MOST_PLATFORMS; p++) {
        cl_uint n_devices = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices, &n_devices) != CL_SUCCESS) {
            continue;
        }
        for (cl_uint d = 0; d < n_devices && d < MOST_DEVICES && count < most; d++) {
            entries[count] = (device_entry){platforms[p], devices[d], (int)p, (int)d, 0, "", "", ""};
            read_entry(&entries[count++]);
        }
    }
    return count;
}

static bool contains(const char *text, const char *part)
{
    const size_t length = strlen(part);
    for (; *text; text++) {
        if (strncasecmp(text, part, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Is it digits:digits? */
static bool read_pair(const char *text, int *platform, int *device)
{
    char after;
    return sscanf(text, "%d:%d%c", platform, device, &after) == 2 && isdigit((unsigned char)text[0]);
}

const char *device_wanted(const place_options *options)
{
    const char *variable = getenv("CLATTN_DEVICE");
    return options->device ? options->device : variable && *variable ? variable : NULL;
}

bool device_matches(const device_entry *entry, const char *wanted)
{
    int platform, device;
    return read_pair(wanted, &platform, &device)
               ? entry->platform_index == platform && entry->device_index == device
               : contains(entry->name, wanted) || contains(entry->platform_name, wanted);
}

clattn_status device_none_matches(const place_options *options, int n)
{
    return ct_fail(CLATTN_INVALID_ARGUMENT, "%s '%s': none of the %d devices matches; see clattn devices",
                   options->device ? "--device" : "CLATTN_DEVICE", device_wanted(options), n);
}

static int by_name(const device_entry *entries, int n, const char *wanted)
{
    for (int i = 0; i < n; i++) {
        if (device_matches(&entries[i], wanted)) {
            return i;
        }
    }
    return -1;
}

static int by_default(const device_entry *entries, int n)
{
    static const cl_device_type order[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_ALL};
    for (size_t t = 0; t < CT_COUNT(order); t++) {
        for (int i = 0; i < n; i++) {
            if (entries[i].type & order[t]) {
                return i;
            }
        }
    }
    return -1;
}

clattn_status place_open(place *p, const place_options *options)
{
    device_entry entries[MOST_DEVICES];
    const int n = device_list(entries, MOST_DEVICES);
    const char *wanted = device_wanted(options);
    if (n == 0) {
        return ct_fail(CLATTN_DEVICE_LACKS, "no OpenCL device; on Debian: apt-get install pocl-opencl-icd");
    }
    const int chosen = wanted ? by_name(entries, n, wanted) : by_default(entries, n);
    if (chosen < 0) {
        return device_none_matches(options, n);
    }
    return place_open_entry(p, &entries[chosen], options);
}

static void log_line(clattn_log_level level, const char *line, void *user)
{
    static const char *const names[] = {"error", "warning", "info", "trace"};
    (void)user;
    fprintf(stderr, "clattn: %s: %s\n", names[level], line);
}

/* The helper that compiles what nobody has run lies beside the tool in a build tree; installed ones find each other. */
static const char *helper_beside(char *path, size_t room)
{
    static const char name[] = "clattn-try";
    const ssize_t length = readlink("/proc/self/exe", path, room - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (getenv("CLATTN_TRY") || !slash || (size_t)(slash + 1 - path) + sizeof name > room) {
        return NULL;
    }
    memcpy(slash + 1, name, sizeof name);
    return access(path, X_OK) == 0 ? path : NULL;
}

clattn_status place_open_entry(place *p, const device_entry *entry, const place_options *options)
{
    clattn_status st = CLATTN_OK;
    cl_int code;
    place made = {.entry = *entry};
    char helper[4096];
    clattn_context_options settings = CLATTN_CONTEXT_OPTIONS_INIT;
    settings.log = log_line;
    settings.log_level = options->verbose ? CLATTN_LOG_INFO : CLATTN_LOG_WARN;
    settings.backend = options->backend;
    settings.trial_program = helper_beside(helper, sizeof helper);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)entry->platform, 0};
    made.cl = clCreateContext(properties, 1, &entry->device, NULL, NULL, &code);
    CT_TRYCL(code);
    made.queue = clCreateCommandQueue(made.cl, entry->device, CL_QUEUE_PROFILING_ENABLE, &code);
    CT_TRYCL(code);
    CT_TRY(clattn_context_create(&made.context, made.cl, entry->device, &settings));
    *p = made;
    made = (place){0};
out:
    place_close(&made);
    return st;
}

void place_close(place *p)
{
    clattn_context_release(p->context);
    if (p->queue) {
        clReleaseCommandQueue(p->queue);
    }
    if (p->cl) {
        clReleaseContext(p->cl);
    }
    *p = (place){0};
}

/* How long each kernel of a program takes, whatever the program: a library to load before it.
 *   cmake --build build --target clattn_kernel_times
 *   LD_PRELOAD=build/clattn_kernel_times.so clattn bench 'dense n=4096 pass=bwd'
 * Queues get profiling; when the program ends, it prints for each kernel the launches, the median time, and the median
 * gap between the end of the launch before and its start. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };

static struct launch {
    char name[64];
    cl_event done;
} launches[MOST];
static size_t count;

typedef cl_command_queue (*create_queue)(cl_context, cl_device_id, cl_command_queue_properties, cl_int *);
typedef cl_int (*enqueue_kernel)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *,
                                 cl_uint, const cl_event *, cl_event *);

/* dlsym gives an object pointer, which C does not turn into one to a function: copied as bytes. */
static void next(const char *name, void *function)
{
    void *const found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id device, cl_command_queue_properties properties,
                                      cl_int *error)
{
    create_queue create;
    next("clCreateCommandQueue", &create);
    return create(context, device, properties | CL_QUEUE_PROFILING_ENABLE, error);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                              const size_t *items, const size_t *group, cl_uint n, const cl_event *after,
                              cl_event *event)
{
    enqueue_kernel enqueue;
    cl_event done;
    next("clEnqueueNDRangeKernel", &enqueue);
    const cl_int error = enqueue(queue, kernel, dimensions, offset, items, group, n, after, &done);
    if (error != CL_SUCCESS) {
        return error;
    }
    if (count < MOST) {
        clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof launches->name, launches[count].name, NULL);
        launches[count++].done = done;
        clRetainEvent(done);
    }
    if (event) {
        *event = done;
    } else {
        clReleaseEvent(done);
    }
    return CL_SUCCESS;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_value);
    return n ? x[n / 2] : 0;
}

/* In microseconds; -1: not told. */
static double moment(size_t i, cl_profiling_info which)
{
    cl_ulong ns = 0;
    return clGetEventProfilingInfo(launches[i].done, which, sizeof ns, &ns, NULL) == CL_SUCCESS ? (double)ns * 1e-3
                                                                                                : -1;
}

static void print_kernel(const char *name, double *times, double *gaps)
{
    size_t n = 0, n_gaps = 0;
    for (size_t i = 0; i < count; i++) {
        const double start = moment(i, CL_PROFILING_COMMAND_START), end = moment(i, CL_PROFILING_COMMAND_END);
        if (strcmp(launches[i].name, name) != 0 || start < 0) {
            continue;
        }
        const double before = i ? moment(i - 1, CL_PROFILING_COMMAND_END) : -1;
        times[n++] = end - start;
        if (before >= 0 && before <= start) {
            gaps[n_gaps++] = start - before;
        }
    }
    if (n) {
        fprintf(stderr, "%-28s %5zu launches, median %10.1f us, gap before %8.1f us\n", name, n, median(times, n),
                median(gaps, n_gaps));
    }
}

static int seen_before(size_t i)
{
    size_t j = 0;
    while (strcmp(launches[j].name, launches[i].name) != 0) {
        j++;
    }
    return j < i;
}

__attribute__((destructor)) static void print_all(void)
{
    double *const times = malloc((count + 1) * sizeof *times), *const gaps = malloc((count + 1) * sizeof *gaps);
    for (size_t i = 0; times && gaps && i < count; i++) {
        if (!seen_before(i)) {
            print_kernel(launches[i].name, times, gaps);
        }
    }
    free(times);
    free(gaps);
}

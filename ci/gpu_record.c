/* Preloaded into a program (LD_PRELOAD), writes into the folder $CLATTN_RECORD what it asks of OpenCL, for
 * ci/gpu_replay.py to do again through CUDA. `events` holds one line an event, words separated by blanks, files in the
 * same folder: buffer ID BYTES | free ID | write ID OFFSET BYTES FILE | fill ID OFFSET BYTES PATTERN | read ID OFFSET
 * BYTES FILE launch KERNEL FILE GROUPS... ITEMS... FIRST... ARGS (three numbers each; FILE: the program as the driver
 * gives it back), and behind it a line an argument: arg buffer ID | arg bytes HEX
 * What it does not know (shared pointers, sizes of local memory, a second thread) ends the program: a record with holes
 * would pass for one without. */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 200
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS

#include <CL/cl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECTS = 1 << 16, ARGS = 64, ARG_BYTES = 4096 };

typedef struct kernel_args {
    cl_kernel kernel;
    int count;       /* the largest index set so far, and one */
    int bytes[ARGS]; /* 0: not set; -1: a buffer's number is in `buffer` */
    int buffer[ARGS];
    unsigned char value[ARGS][ARG_BYTES];
    char program[32]; /* the file, once it is written */
} kernel_args;

static cl_mem buffers[OBJECTS];
static kernel_args *kernels[OBJECTS];
static int n_buffers, n_kernels, n_files;
static FILE *events;
static pthread_t owner;

static void stop(const char *why)
{
    fprintf(stderr, "record: %s\n", why);
    abort();
}

static const char *folder(void)
{
    const char *name = getenv("CLATTN_RECORD");
    if (!name) {
        stop("CLATTN_RECORD is not set");
    }
    return name;
}

static FILE *file_of(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *file = fopen(path, "w");
    if (!file) {
        stop("a file of $CLATTN_RECORD cannot be made");
    }
    return file;
}

static FILE *out(void)
{
    if (!events) {
        events = file_of("events");
        owner = pthread_self();
    }
    if (!pthread_equal(owner, pthread_self())) {
        stop("a second thread uses OpenCL");
    }
    return events;
}

static void *next_of(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        stop(name);
    }
    return found;
}
#define REAL(name)                                                                                                     \
    __typeof__(&name) real;                                                                                            \
    {                                                                                                                  \
        void *found = next_of(#name);                                                                                  \
        memcpy(&real, &found, sizeof real);                                                                            \
    }

static int number_of(cl_mem mem)
{
    for (int i = n_buffers - 1; i >= 0; i--) {
        if (buffers[i] == mem) {
            return i;
        }
    }
    return -1;
}

static kernel_args *args_of(cl_kernel kernel)
{
    for (int i = n_kernels - 1; i >= 0; i--) {
        if (kernels[i]->kernel == kernel) {
            return kernels[i];
        }
    }
    stop("an unknown kernel");
    return NULL;
}

static void save(const char *kind, char *name, const void *data, size_t bytes)
{
    sprintf(name, "%s%d", kind, n_files++);
    FILE *file = file_of(name);
    if (fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        stop("a file cannot be written");
    }
}

static void save_program(kernel_args *k)
{
    cl_program program;
    cl_uint devices = 0;
    size_t bytes = 0;
    if (clGetKernelInfo(k->kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL) != CL_SUCCESS ||
        clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL) != CL_SUCCESS ||
        devices != 1 || clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS) {
        stop("a program for one device is expected");
    }
    unsigned char *binary = malloc(bytes + 1);
    if (!binary || clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) != CL_SUCCESS) {
        stop("a program cannot be read");
    }
    save("p", k->program, binary, bytes);
    free(binary);
}

static void note_write(cl_mem mem, size_t offset, size_t bytes, const void *data)
{
    char name[32];
    save("w", name, data, bytes);
    fprintf(out(), "write %d %zu %zu %s\n", number_of(mem), offset, bytes, name);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *data, cl_int *error)
{
    REAL(clCreateBuffer)
    if (data && !(flags & CL_MEM_COPY_HOST_PTR)) {
        stop("a buffer in the caller's memory");
    }
    cl_mem mem = real(context, flags, bytes, data, error);
    if (mem) {
        if (n_buffers == OBJECTS) {
            stop("too many buffers");
        }
        buffers[n_buffers] = mem;
        fprintf(out(), "buffer %d %zu\n", n_buffers++, bytes);
        if (data) {
            note_write(mem, 0, bytes, data);
        }
    }
    return mem;
}

cl_int clReleaseMemObject(cl_mem mem)
{
    REAL(clReleaseMemObject)
    cl_uint held = 0;
    const int number = number_of(mem);
    if (number >= 0 && clGetMemObjectInfo(mem, CL_MEM_REFERENCE_COUNT, sizeof held, &held, NULL) == CL_SUCCESS &&
        held == 1) {
        fprintf(out(), "free %d\n", number);
        buffers[number] = NULL;
    }
    return real(mem);
}

cl_kernel clCreateKernel(cl_program program, const char *name, cl_int *error)
{
    REAL(clCreateKernel)
    cl_kernel kernel = real(program, name, error);
    if (kernel) {
        kernel_args *k = calloc(1, sizeof *k);
        if (!k || n_kernels == OBJECTS) {
            stop("too many kernels");
        }
        k->kernel = kernel;
        kernels[n_kernels++] = k;
    }
    return kernel;
}

cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    REAL(clSetKernelArg)
    const cl_int code = real(kernel, index, bytes, value);
    if (code == CL_SUCCESS) {
        kernel_args *k = args_of(kernel);
        cl_mem mem = NULL;
        if (index >= ARGS || bytes > ARG_BYTES || (!value && bytes != sizeof mem)) {
            stop("an argument of too many bytes, or local memory");
        }
        value = value ? value : &mem; /* no buffer: a null pointer */
        if (bytes == sizeof mem) {
            memcpy(&mem, value, sizeof mem);
        }
        k->buffer[index] = mem ? number_of(mem) : -1;
        k->bytes[index] = k->buffer[index] >= 0 ? -1 : (int)bytes;
        memcpy(k->value[index], value, bytes);
        k->count = (int)index + 1 > k->count ? (int)index + 1 : k->count;
    }
    return code;
}

cl_int clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint index, const void *pointer)
{
    (void)kernel, (void)index, (void)pointer;
    stop("shared pointers are not recorded");
    return CL_INVALID_OPERATION;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *first,
                              const size_t *global, const size_t *local, cl_uint n_wait, const cl_event *wait,
                              cl_event *event)
{
    REAL(clEnqueueNDRangeKernel)
    kernel_args *k = args_of(kernel);
    char name[128] = "";
    if (!local || clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL) != CL_SUCCESS) {
        stop("a launch without a group's size");
    }
    if (!k->program[0]) {
        save_program(k);
    }
    fprintf(out(), "launch %s %s", name, k->program);
    for (cl_uint i = 0; i < 3; i++) {
        fprintf(out(), " %zu", i < dimensions ? global[i] / local[i] : 1);
    }
    for (cl_uint i = 0; i < 3; i++) {
        fprintf(out(), " %zu", i < dimensions ? local[i] : 1);
    }
    for (cl_uint i = 0; i < 3; i++) {
        fprintf(out(), " %zu", first && i < dimensions ? first[i] : 0);
    }
    fprintf(out(), " %d\n", k->count);
    for (int i = 0; i < k->count; i++) {
        if (k->bytes[i] == -1) {
            fprintf(out(), "arg buffer %d\n", k->buffer[i]);
            continue;
        }
        fprintf(out(), "arg bytes ");
        for (int b = 0; b < k->bytes[i]; b++) {
            fprintf(out(), "%02x", k->value[i][b]);
        }
        fprintf(out(), "\n");
    }
    return real(queue, kernel, dimensions, first, global, local, n_wait, wait, event);
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t bytes,
                            const void *data, cl_uint n_wait, const cl_event *wait, cl_event *event)
{
    REAL(clEnqueueWriteBuffer)
    note_write(mem, offset, bytes, data);
    return real(queue, mem, blocking, offset, bytes, data, n_wait, wait, event);
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem mem, const void *pattern, size_t size, size_t offset,
                           size_t bytes, cl_uint n_wait, const cl_event *wait, cl_event *event)
{
    REAL(clEnqueueFillBuffer)
    if (size != 1) {
        stop("a pattern of more than a byte");
    }
    fprintf(out(), "fill %d %zu %zu %d\n", number_of(mem), offset, bytes, *(const unsigned char *)pattern);
    return real(queue, mem, pattern, size, offset, bytes, n_wait, wait, event);
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t bytes,
                           void *data, cl_uint n_wait, const cl_event *wait, cl_event *event)
{
    REAL(clEnqueueReadBuffer)
    char name[32];
    const cl_int code = real(queue, mem, blocking, offset, bytes, data, n_wait, wait, event);
    if (code != CL_SUCCESS || (!blocking && clFinish(queue) != CL_SUCCESS)) {
        stop("a read failed");
    }
    save("r", name, data, bytes);
    fprintf(out(), "read %d %zu %zu %s\n", number_of(mem), offset, bytes, name);
    return code;
}

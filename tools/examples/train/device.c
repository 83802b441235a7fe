#include "device.h"

#include <clblast_c.h>
#include <stdio.h>
#include <stdlib.h>

void must(int status, const char *what)
{
    if (status != 0) {
        fprintf(stderr, "%s: error %d %s\n", what, status, clattn_error_detail());
        exit(1);
    }
}

static char *text_of(const char *path)
{
    static char text[1 << 16];
    FILE *file = fopen(path, "rb");
    const size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    must(length == 0, path);
    fclose(file);
    text[length] = '\0';
    return text;
}

device device_open(int platform, const char *kernels)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    cl_int error = 0;
    device d = {0};
    must(clGetPlatformIDs(16, platforms, &count), "clGetPlatformIDs");
    must(platform < 0 || (cl_uint)platform >= count, "no such platform");
    must(clGetDeviceIDs(platforms[platform], CL_DEVICE_TYPE_ALL, 1, &d.id, NULL), "clGetDeviceIDs");
    d.cl = clCreateContext(NULL, 1, &d.id, NULL, NULL, &error);
    must(error, "clCreateContext");
    d.queue = clCreateCommandQueueWithProperties(d.cl, d.id, NULL, &error);
    must(error, "clCreateCommandQueueWithProperties");
    const char *source = text_of(kernels);
    d.program = clCreateProgramWithSource(d.cl, 1, &source, NULL, &error);
    must(error, "clCreateProgramWithSource");
    must(clBuildProgram(d.program, 1, &d.id, "", NULL, NULL), "clBuildProgram of kernels.cl");
    must(clattn_context_create(&d.context, d.cl, d.id, NULL), "clattn_context_create");
    return d;
}

void device_close(device *d)
{
    clFinish(d->queue);
    if (d->workspace) {
        clReleaseMemObject(d->workspace);
    }
    clattn_context_release(d->context);
    clReleaseProgram(d->program);
    clReleaseCommandQueue(d->queue);
    clReleaseContext(d->cl);
}

cl_mem device_floats(device *d, size_t count)
{
    cl_int error = 0;
    const float zero = 0;
    cl_mem mem = clCreateBuffer(d->cl, CL_MEM_READ_WRITE, count * sizeof(float), NULL, &error);
    must(error, "clCreateBuffer");
    must(clEnqueueFillBuffer(d->queue, mem, &zero, sizeof zero, 0, count * sizeof zero, 0, NULL, NULL), "fill");
    return mem;
}

cl_mem device_copy(device *d, const void *data, size_t bytes)
{
    cl_int error = 0;
    cl_mem mem = clCreateBuffer(d->cl, CL_MEM_READ_WRITE, bytes, NULL, &error);
    must(error, "clCreateBuffer");
    device_write(d, mem, data, bytes);
    return mem;
}

void device_read(device *d, cl_mem from, void *to, size_t bytes)
{
    must(clEnqueueReadBuffer(d->queue, from, CL_TRUE, 0, bytes, to, 0, NULL, NULL), "clEnqueueReadBuffer");
}

void device_write(device *d, cl_mem to, const void *from, size_t bytes)
{
    must(clEnqueueWriteBuffer(d->queue, to, CL_TRUE, 0, bytes, from, 0, NULL, NULL), "clEnqueueWriteBuffer");
}

void device_run(device *d, const char *name, size_t items, const arguments *a)
{
    cl_int error = 0;
    cl_uint at = 0;
    cl_kernel kernel = clCreateKernel(d->program, name, &error);
    must(error, name);
    for (int i = 0; i < a->buffers; i++) {
        must(clSetKernelArg(kernel, at++, sizeof(cl_mem), &a->buffer[i]), name);
    }
    for (int i = 0; i < a->ints; i++) {
        must(clSetKernelArg(kernel, at++, sizeof(cl_int), &a->integer[i]), name);
    }
    for (int i = 0; i < a->floats; i++) {
        must(clSetKernelArg(kernel, at++, sizeof(cl_float), &a->number[i]), name);
    }
    must(clEnqueueNDRangeKernel(d->queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL), name);
    clReleaseKernel(kernel);
}

void device_product(device *d, char turned, size_t m, size_t n, size_t k, cl_mem a, cl_mem b, float beta, cl_mem c)
{
    const CLBlastTranspose a_is = turned == 'a' ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose b_is = turned == 'b' ? CLBlastTransposeYes : CLBlastTransposeNo;
    must(CLBlastSgemm(CLBlastLayoutRowMajor, a_is, b_is, m, n, k, 1.0f, a, 0, turned == 'a' ? m : k, b, 0,
                      turned == 'b' ? k : n, beta, c, 0, n, &d->queue, NULL),
         "CLBlastSgemm");
}

void device_reserve(device *d, const clattn_plan *plan)
{
    size_t bytes = 0;
    must(clattn_plan_workspace(plan, &bytes), "clattn_plan_workspace");
    if (bytes <= d->workspace_bytes) {
        return;
    }
    if (d->workspace) {
        clReleaseMemObject(d->workspace);
    }
    d->workspace = device_floats(d, bytes / sizeof(float) + 1);
    d->workspace_bytes = bytes;
}

void device_attend(device *d, clattn_plan *plan, const clattn_arg *args, int count)
{
    must(clattn_enqueue(d->queue, plan, args, count, clattn_buf_mem(d->workspace, 0), 0, NULL, NULL), "clattn_enqueue");
}

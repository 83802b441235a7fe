/* Host time of a planned enqueue over that of an empty kernel, and of making a plan: from nothing, from the disk cache, from memory.
 *   clattn_host_time [PROBLEM]      run twice: the second process finds the kernel on disk */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <clattn/clattn.h>

enum { ROUNDS = 2000, WARM = 200 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, order);
    return values[ROUNDS / 2];
}

static void must(int status, const char *what)
{
    if (status) {
        fprintf(stderr, "%s: %d %s\n", what, status, clattn_error_detail());
        exit(1);
    }
}

static double empty_kernel(cl_context cl, cl_device_id device, cl_command_queue queue, cl_mem mem)
{
    static const char text[] = "__kernel void nothing(__global float *p, long n) { if (n) p[0] = 1.0f; }";
    const char *source = text;
    static double times[ROUNDS];
    const size_t one = 1;
    const cl_long zero = 0;
    cl_int error = CL_SUCCESS;
    cl_program program = clCreateProgramWithSource(cl, 1, &source, NULL, &error);
    must(error || clBuildProgram(program, 1, &device, "", NULL, NULL), "empty kernel");
    cl_kernel kernel = clCreateKernel(program, "nothing", &error);
    for (int i = -WARM; i < ROUNDS; i++) {
        const double start = now_us();
        clSetKernelArg(kernel, 0, sizeof mem, &mem);
        clSetKernelArg(kernel, 1, sizeof zero, &zero);
        clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL);
        if (i >= 0) {
            times[i] = now_us() - start;
        }
        if (i % 50 == 0) {
            clFinish(queue);
        }
    }
    clFinish(queue);
    clReleaseKernel(kernel);
    clReleaseProgram(program);
    return median(times);
}

static clattn_plan *timed_plan(clattn_context *context, const clattn_problem *problem, const char *when)
{
    clattn_plan *plan = NULL;
    clattn_plan_info info = {.struct_size = sizeof info};
    const double start = now_us();
    must(clattn_plan_create(&plan, context, problem, NULL), "plan");
    const double end = now_us();
    clattn_plan_get_info(plan, &info);
    printf("plan, %-12s %8.2f ms (%s)\n", when, (end - start) / 1000,
           info.cache_built ? "built" : info.cache_disk ? "from disk" : "from memory");
    return plan;
}

int main(int argc, char **argv)
{
    cl_platform_id platform;
    cl_device_id device;
    clattn_context *context;
    clattn_problem problem;
    static double times[ROUNDS];
    cl_int error = CL_SUCCESS;
    must(clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "device");
    cl_context cl = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    cl_command_queue queue = clCreateCommandQueueWithProperties(cl, device, NULL, &error);
    cl_mem mem = clCreateBuffer(cl, CL_MEM_READ_WRITE, 1 << 20, NULL, &error);
    const float half = 0.5f;
    must(error || clEnqueueFillBuffer(queue, mem, &half, sizeof half, 0, 1 << 20, 0, NULL, NULL), "buffer");
    must(clattn_context_create(&context, cl, device, NULL), "context");
    must(clattn_problem_parse(&problem, argc > 1 ? argv[1] : "dense h=1 n=16 d=64"), "problem");
    clattn_plan *plan = timed_plan(context, &problem, "first");
    clattn_plan_release(timed_plan(context, &problem, "again"));
    const clattn_arg args[4] = {{CLATTN_Q, clattn_buf_mem(mem, 0)}, {CLATTN_K, clattn_buf_mem(mem, 4096)},
                                {CLATTN_V, clattn_buf_mem(mem, 8192)}, {CLATTN_O, clattn_buf_mem(mem, 16384)}};
    for (int i = -WARM; i < ROUNDS; i++) {
        const double start = now_us();
        must(clattn_enqueue(queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), "enqueue");
        if (i >= 0) {
            times[i] = now_us() - start;
        }
        if (i % 50 == 0) {
            clFinish(queue);
        }
    }
    clFinish(queue);
    const double ours = median(times), empty = empty_kernel(cl, device, queue, mem);
    printf("enqueue %.2f us, empty kernel %.2f us, difference %.2f us (host time, medians of %d)\n", ours, empty, ours - empty, ROUNDS);
    clattn_plan_release(plan);
    clattn_context_release(context);
    clReleaseMemObject(mem);
    clReleaseCommandQueue(queue);
    clReleaseContext(cl);
    return 0;
}

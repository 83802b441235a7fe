/* Uses an installed clattn: where every value row is the same, attention returns that row, whatever the scores are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <clattn/clattn.h>

#define COUNT (2 * 70 * 16) /* heads, tokens, width */

static void fill(float *q, float *v)
{
    for (int i = 0; i < COUNT; i++) {
        q[i] = (float)(i % 7) - 3.0f;
        v[i] = (float)(i % 16);
    }
}

static clattn_status attend(cl_context cl, cl_device_id device, cl_command_queue queue, float *q, float *v, float *o)
{
    clattn_context *context = NULL;
    clattn_problem problem;
    clattn_plan *plan = NULL;
    size_t workspace = 0;
    cl_mem m[4] = {0};
    clattn_status st = clattn_context_create(&context, cl, device, NULL);
    if (st == CLATTN_OK) {
        st = clattn_problem_parse(&problem, "dense h=2 n=70 d=16 causal=1");
    }
    if (st == CLATTN_OK) {
        st = clattn_plan_create(&plan, context, &problem, NULL);
    }
    if (st == CLATTN_OK) {
        st = clattn_plan_workspace(plan, &workspace);
    }
    if (st == CLATTN_OK) {
        m[0] = clCreateBuffer(cl, CL_MEM_COPY_HOST_PTR, COUNT * sizeof(float), q, NULL);
        m[1] = clCreateBuffer(cl, CL_MEM_COPY_HOST_PTR, COUNT * sizeof(float), v, NULL);
        m[2] = clCreateBuffer(cl, CL_MEM_COPY_HOST_PTR, COUNT * sizeof(float), o, NULL);
        m[3] = clCreateBuffer(cl, CL_MEM_READ_WRITE, workspace ? workspace : 1, NULL, NULL);
        const clattn_arg args[] = {{CLATTN_Q, clattn_buf_mem(m[0], 0)},
                                   {CLATTN_K, clattn_buf_mem(m[0], 0)},
                                   {CLATTN_V, clattn_buf_mem(m[1], 0)},
                                   {CLATTN_O, clattn_buf_mem(m[2], 0)}};
        st = clattn_enqueue(queue, plan, args, 4, clattn_buf_mem(m[3], 0), 0, NULL, NULL);
    }
    if (st == CLATTN_OK) {
        st = clEnqueueReadBuffer(queue, m[2], CL_TRUE, 0, COUNT * sizeof(float), o, 0, NULL, NULL);
    }
    if (st != CLATTN_OK) {
        fprintf(stderr, "consumer: %s: %s\n", clattn_status_name(st), clattn_error_detail());
    }
    for (int i = 0; i < 4; i++) {
        if (m[i]) {
            clReleaseMemObject(m[i]);
        }
    }
    clattn_plan_release(plan);
    clattn_context_release(context);
    return st;
}

static cl_device_id first_device(void)
{
    cl_platform_id platforms[16];
    cl_uint n = 0;
    cl_device_id device = NULL;
    clGetPlatformIDs(16, platforms, &n);
    for (cl_uint i = 0; i < n && i < 16; i++) {
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS) {
            return device;
        }
    }
    return NULL;
}

int main(void)
{
    static float q[COUNT], v[COUNT], o[COUNT];
    const cl_device_id device = first_device();
    if (!device) {
        fprintf(stderr, "consumer: no OpenCL device\n");
        return 1;
    }
    cl_context cl = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
    cl_command_queue queue = clCreateCommandQueue(cl, device, 0, NULL);
    fill(q, v);
    const clattn_status st = attend(cl, device, queue, q, v, o);
    clReleaseCommandQueue(queue);
    clReleaseContext(cl);
    for (int i = 0; st == CLATTN_OK && i < COUNT; i++) {
        if (!(fabsf(o[i] - v[i]) < 1e-4f)) {
            fprintf(stderr, "consumer: o[%d] is %g, expected %g\n", i, o[i], v[i]);
            return 1;
        }
    }
    printf("clattn %s\n", clattn_version_string());
    return st != CLATTN_OK;
}

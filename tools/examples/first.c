#include <clattn/clattn.h>
#include <stdio.h>

int main(void)
{
    cl_platform_id platform;
    cl_device_id device;
    size_t bytes = 0;
    float o[4] = {0};
    clGetPlatformIDs(1, &platform, NULL);
    clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL);
    cl_context cl = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
    cl_command_queue queue = clCreateCommandQueueWithProperties(cl, device, NULL, NULL);
    clattn_context *context;
    clattn_problem problem;
    clattn_plan *plan;
    clattn_arg args[4];
    const float seed = 0.25f;

    if (clattn_context_create(&context, cl, device, NULL) ||
        clattn_problem_parse(&problem, "block_sparse pattern=fixed local=4 block=64 h=8 n=1024 d=64 causal=1") ||
        clattn_plan_create(&plan, context, &problem, NULL) || clattn_plan_workspace(plan, &bytes))
        return fprintf(stderr, "%s\n", clattn_error_detail()), 1;
    for (int i = 0; i < 4; i++) { /* q, k, v, o: [b, h, n, d] */
        cl_mem mem = clCreateBuffer(cl, CL_MEM_READ_WRITE, 8 * 1024 * 64 * sizeof(float), NULL, NULL);
        clEnqueueFillBuffer(queue, mem, &seed, sizeof seed, 0, 8 * 1024 * 64 * sizeof(float), 0, NULL, NULL);
        args[i] = (clattn_arg){(clattn_slot)(CLATTN_Q + i), clattn_buf_mem(mem, 0)};
    }
    cl_mem workspace = bytes ? clCreateBuffer(cl, CL_MEM_READ_WRITE, bytes, NULL, NULL) : NULL;
    if (clattn_enqueue(queue, plan, args, 4, clattn_buf_mem(workspace, 0), 0, NULL, NULL))
        return fprintf(stderr, "%s\n", clattn_error_detail()), 1;
    clEnqueueReadBuffer(queue, args[CLATTN_O].buf.mem, CL_TRUE, 0, sizeof o, o, 0, NULL, NULL);
    printf("%s\no[0] = %g\n", clattn_plan_describe(plan), o[0]);
    clattn_plan_release(plan); /* buffers, queue, context: as in any OpenCL program */
    clattn_context_release(context);
    return o[0] == 0.25f ? 0 : 1; /* the mean of equal values */
}

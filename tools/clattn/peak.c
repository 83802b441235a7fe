#include "peak.h"

#include <stdio.h>
#include <string.h>

/* Chains of multiply-adds in registers: enough of them to hide the latency (CPU: 12 vectors, GPU: 16 numbers an item,
 * many items). copy: a CPU's group copies one stretch, a GPU's items stand beside each other. */
static const char source[] =
    "#if CPU\n"
    "typedef VECTOR number;\n"
    "#define CHAINS 12\n"
    "#else\n"
    "typedef float number;\n"
    "#define CHAINS 16\n"
    "#endif\n"
    "__kernel void fma_peak(__global float *sink, float start, int turns)\n"
    "{\n"
    "    const number a = (number)(0.999f), b = (number)(start);\n"
    "    number x0 = a, x1 = a + b, x2 = x1 + b, x3 = x2 + b, x4 = x3 + b, x5 = x4 + b, x6 = x5 + b, x7 = x6 + b;\n"
    "    number x8 = x7 + b, x9 = x8 + b, xa = x9 + b, xb = xa + b, xc = xb + b, xd = xc + b, xe = xd + b, xf = b;\n"
    "    for (int i = 0; i < turns; i++) {\n"
    "        x0 = fma(x0, a, b); x1 = fma(x1, a, b); x2 = fma(x2, a, b); x3 = fma(x3, a, b);\n"
    "        x4 = fma(x4, a, b); x5 = fma(x5, a, b); x6 = fma(x6, a, b); x7 = fma(x7, a, b);\n"
    "        x8 = fma(x8, a, b); x9 = fma(x9, a, b); xa = fma(xa, a, b); xb = fma(xb, a, b);\n"
    "#if CHAINS == 16\n"
    "        xc = fma(xc, a, b); xd = fma(xd, a, b); xe = fma(xe, a, b); xf = fma(xf, a, b);\n"
    "#endif\n"
    "    }\n"
    "    number s = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb + xc + xd + xe + xf;\n"
    "#if CPU\n"
    "#if WIDTH == 16\n"
    "    const float8 h = s.lo + s.hi;\n"
    "#else\n"
    "    const float8 h = s;\n"
    "#endif\n"
    "    sink[get_global_id(0)] = h.s0 + h.s1 + h.s2 + h.s3 + h.s4 + h.s5 + h.s6 + h.s7;\n"
    "#else\n"
    "    sink[get_global_id(0)] = s;\n"
    "#endif\n"
    "}\n"
    "__kernel void copy_peak(__global const float16 *from, __global float16 *to, int each)\n"
    "{\n"
    "#if CPU\n"
    "    const size_t first = get_global_id(0) * (size_t)each;\n"
    "    for (int i = 0; i < each; i++) to[first + i] = from[first + i];\n"
    "#else\n"
    "    __global const float4 *f = (__global const float4 *)from;\n"
    "    __global float4 *t = (__global float4 *)to;\n"
    "    for (int i = 0; i < each; i++) {\n"
    "        const size_t at = get_global_id(0) + i * get_global_size(0);\n"
    "        t[at] = f[at];\n"
    "    }\n"
    "#endif\n"
    "}\n";

enum { GPU_ITEMS = 256, GPU_GROUPS = 64, CPU_GROUPS = 4, GPU_EACH = 4 };

static clattn_status build(peak *p)
{
    clattn_status st = CLATTN_OK;
    cl_int code;
    char options[96];
    const char *text = source;
    const place *where = p->where;
    snprintf(options, sizeof options, "-cl-std=CL1.2 -DCPU=%d -DVECTOR=float%d -DWIDTH=%d", p->cpu, p->width, p->width);
    p->program = clCreateProgramWithSource(where->cl, 1, &text, NULL, &code);
    CT_TRYCL(code);
    CT_TRYCL(clBuildProgram(p->program, 1, &where->entry.device, options, NULL, NULL));
    p->fma = clCreateKernel(p->program, "fma_peak", &code);
    CT_TRYCL(code);
    p->copy = clCreateKernel(p->program, "copy_peak", &code);
    CT_TRYCL(code);
out:
    return st;
}

static clattn_status allocate(peak *p)
{
    clattn_status st = CLATTN_OK;
    cl_int code;
    cl_ulong largest = 0;
    const cl_uchar zero = 0;
    const place *where = p->where;
    CT_TRYCL(clGetDeviceInfo(where->entry.device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof largest, &largest, NULL));
    p->copy_bytes = p->cpu ? 128 << 20 : 512 << 20;
    p->copy_bytes = ct_min(p->copy_bytes, (int64_t)(largest / 4)) & ~(int64_t)0xfffff;
    p->from = clCreateBuffer(where->cl, CL_MEM_READ_WRITE, (size_t)p->copy_bytes, NULL, &code);
    CT_TRYCL(code);
    p->to = clCreateBuffer(where->cl, CL_MEM_READ_WRITE, (size_t)p->copy_bytes, NULL, &code);
    CT_TRYCL(code);
    p->sink = clCreateBuffer(where->cl, CL_MEM_READ_WRITE, (size_t)p->units * GPU_GROUPS * GPU_ITEMS * 4, NULL, &code);
    CT_TRYCL(code);
    CT_TRYCL(clEnqueueFillBuffer(where->queue, p->from, &zero, 1, 0, (size_t)p->copy_bytes, 0, NULL, NULL));
    CT_TRYCL(clEnqueueFillBuffer(where->queue, p->to, &zero, 1, 0, (size_t)p->copy_bytes, 0, NULL, NULL));
out:
    return st;
}

static clattn_status time_kernel(const peak *p, cl_kernel kernel, size_t items, size_t group, double *seconds)
{
    clattn_status st = CLATTN_OK;
    CT_TRYCL(clFinish(p->where->queue));
    const double start = seconds_now();
    CT_TRYCL(clEnqueueNDRangeKernel(p->where->queue, kernel, 1, NULL, &items, &group, 0, NULL, NULL));
    CT_TRYCL(clFinish(p->where->queue));
    *seconds = seconds_now() - start;
out:
    return st;
}

static clattn_status probe_fma(peak *p, double *seconds)
{
    clattn_status st = CLATTN_OK;
    const cl_float start = 0.001f;
    const cl_int turns = (cl_int)p->fma_turns;
    const size_t groups = (size_t)p->units * (p->cpu ? CPU_GROUPS : GPU_GROUPS), group = p->cpu ? 1 : GPU_ITEMS;
    CT_TRYCL(clSetKernelArg(p->fma, 0, sizeof p->sink, &p->sink));
    CT_TRYCL(clSetKernelArg(p->fma, 1, sizeof start, &start));
    CT_TRYCL(clSetKernelArg(p->fma, 2, sizeof turns, &turns));
    CT_TRY(time_kernel(p, p->fma, groups * group, group, seconds));
    const double flop = 2.0 * (p->cpu ? 12.0 * p->width : 16.0) * (double)turns * (double)(groups * group);
    if (flop / *seconds > p->flops) {
        p->flops = flop / *seconds;
    }
out:
    return st;
}

static clattn_status probe_copy(peak *p)
{
    clattn_status st = CLATTN_OK;
    double seconds = 0;
    const int64_t pieces = p->copy_bytes / (p->cpu ? 64 : 16);
    const cl_int each = (cl_int)(p->cpu ? pieces / ((int64_t)p->units * 8) : GPU_EACH);
    const size_t group = p->cpu ? 1 : GPU_ITEMS,
                 items = p->cpu ? (size_t)p->units * 8 : (size_t)(pieces / each) / group * group;
    CT_TRYCL(clSetKernelArg(p->copy, 0, sizeof p->from, &p->from));
    CT_TRYCL(clSetKernelArg(p->copy, 1, sizeof p->to, &p->to));
    CT_TRYCL(clSetKernelArg(p->copy, 2, sizeof each, &each));
    CT_TRY(time_kernel(p, p->copy, items, group, &seconds));
    const double rate = 2.0 * (double)each * (double)items * (p->cpu ? 64 : 16) / seconds;
    if (rate > p->bytes_per_second) {
        p->bytes_per_second = rate;
    }
out:
    return st;
}

clattn_status peak_probe(peak *p)
{
    clattn_status st = CLATTN_OK;
    double seconds;
    for (int i = 0; i < 6; i++) {
        CT_TRY(probe_fma(p, &seconds));
    }
    CT_TRY(probe_copy(p));
out:
    return st;
}

/* A probe takes a millisecond: launching does not count, and some fall between what else the machine does. */
static clattn_status calibrate(peak *p)
{
    clattn_status st = CLATTN_OK;
    for (double least = 0; least < 1e-3 && p->fma_turns < 1 << 24;) {
        least = 1;
        for (int i = 0; i < 3; i++) {
            double seconds = 0;
            CT_TRY(probe_fma(p, &seconds));
            least = seconds < least ? seconds : least;
        }
        p->fma_turns *= least < 1e-3 ? 2 : 1;
    }
out:
    return st;
}

clattn_status peak_open(peak *p, const place *where)
{
    clattn_status st = CLATTN_OK;
    cl_uint native = 0;
    peak made = {.where = where, .cpu = where->entry.type & CL_DEVICE_TYPE_CPU, .fma_turns = 256};
    CT_TRYCL(clGetDeviceInfo(where->entry.device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof made.units, &made.units, NULL));
    CT_TRYCL(clGetDeviceInfo(where->entry.device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof native, &native, NULL));
    made.width = native >= 16 ? 16 : 8;
    CT_TRY(build(&made));
    CT_TRY(allocate(&made));
    CT_TRY(calibrate(&made));
    CT_TRY(probe_copy(&made));
    CT_TRY(peak_probe(&made));
    *p = made;
    made = (peak){0};
out:
    peak_close(&made);
    return st;
}

void peak_close(peak *p)
{
    cl_mem buffers[] = {p->from, p->to, p->sink};
    for (size_t i = 0; i < CT_COUNT(buffers); i++) {
        if (buffers[i]) {
            clReleaseMemObject(buffers[i]);
        }
    }
    if (p->fma) {
        clReleaseKernel(p->fma);
    }
    if (p->copy) {
        clReleaseKernel(p->copy);
    }
    if (p->program) {
        clReleaseProgram(p->program);
    }
    *p = (peak){0};
}

/* What OpenCL programs do without a fused kernel: S = Q K^T by CLBlast, softmax of the rows, O = P V by CLBlast.
 *   clattn_unfused HEADS N D [REPEAT]      prints one JSON object: ms_median, gflops, error
 * Untuned CLBlast as installed, f32, full attention, the whole N x N scores in memory. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* clCreateCommandQueue is there on every platform, its successor is not */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <clblast_c.h>

#define MAX_REPEAT 64

/* One row a work-item group of one on CPUs: 16 lanes at a time; n is a multiple of 16. */
static const char *softmax_text =
    "#define E(x) exp2((x) * 1.44269504f)\n"
    "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
    "void softmax(__global float *s, int n)\n"
    "{\n"
    "    __global float16 *row = (__global float16 *)(s + (long)get_group_id(0) * n);\n"
    "    const int m = n / 16;\n"
    "    float16 top = row[0], sum = 0.0f;\n"
    "    for (int i = 1; i < m; i++) top = fmax(top, row[i]);\n"
    "    float8 t8 = fmax(top.lo, top.hi); float4 t4 = fmax(t8.lo, t8.hi); float2 t2 = fmax(t4.lo, t4.hi);\n"
    "    const float16 best = fmax(t2.x, t2.y);\n"
    "    for (int i = 0; i < m; i++) { const float16 p = E(row[i] - best); row[i] = p; sum += p; }\n"
    "    float8 s8 = sum.lo + sum.hi; float4 s4 = s8.lo + s8.hi; float2 s2 = s4.lo + s4.hi;\n"
    "    const float16 scale = 1.0f / (s2.x + s2.y);\n"
    "    for (int i = 0; i < m; i++) row[i] *= scale;\n"
    "}\n";

typedef struct machine {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_kernel softmax;
} machine;

typedef struct work {
    size_t heads, n, d;
    cl_mem q, k, v, s, o;
    float *host_q, *host_k, *host_v, *host_o;
} work;

static void need(int good, const char *what, int code)
{
    if (!good) {
        fprintf(stderr, "unfused: %s: %d\n", what, code);
        exit(1);
    }
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void machine_open(machine *m)
{
    cl_platform_id platforms[16];
    cl_uint n = 0;
    cl_int code = CL_DEVICE_NOT_FOUND;
    clGetPlatformIDs(16, platforms, &n);
    for (cl_uint i = 0; i < n && i < 16 && code != CL_SUCCESS; i++) {
        code = clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &m->device, NULL);
    }
    need(code == CL_SUCCESS, "no OpenCL device", code);
    m->context = clCreateContext(NULL, 1, &m->device, NULL, NULL, &code);
    need(code == CL_SUCCESS, "clCreateContext", code);
    m->queue = clCreateCommandQueue(m->context, m->device, 0, &code);
    need(code == CL_SUCCESS, "clCreateCommandQueue", code);
    cl_program program = clCreateProgramWithSource(m->context, 1, &softmax_text, NULL, &code);
    need(code == CL_SUCCESS, "clCreateProgramWithSource", code);
    code = clBuildProgram(program, 1, &m->device, "", NULL, NULL);
    need(code == CL_SUCCESS, "clBuildProgram", code);
    m->softmax = clCreateKernel(program, "softmax", &code);
    need(code == CL_SUCCESS, "clCreateKernel", code);
}

static float *random_floats(size_t count, unsigned seed)
{
    float *x = malloc(count * sizeof(float));
    need(x != NULL, "memory", 0);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return x;
}

static cl_mem buffer(const machine *m, size_t count, float *from)
{
    cl_int code;
    cl_mem mem = clCreateBuffer(m->context, CL_MEM_READ_WRITE | (from ? CL_MEM_COPY_HOST_PTR : 0),
                                count * sizeof(float), from, &code);
    need(code == CL_SUCCESS, "clCreateBuffer", code);
    return mem;
}

static void run(machine *m, work *w)
{
    const size_t n = w->n, d = w->d, rows = w->heads * n;
    const float scale = 1.0f / sqrtf((float)d);
    const int width = (int)n;
    int code =
        CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, n, n, d, scale, w->q,
                                   0, d, n * d, w->k, 0, d, n * d, 0.0f, w->s, 0, n, n * n, w->heads, &m->queue, NULL);
    need(code == 0, "Q K^T", code);
    clSetKernelArg(m->softmax, 0, sizeof(cl_mem), &w->s);
    clSetKernelArg(m->softmax, 1, sizeof(int), &width);
    code = clEnqueueNDRangeKernel(m->queue, m->softmax, 1, NULL, &rows, (const size_t[]){1}, 0, NULL, NULL);
    need(code == 0, "softmax", code);
    code =
        CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, n, d, n, 1.0f, w->s,
                                   0, n, n * n, w->v, 0, d, n * d, 0.0f, w->o, 0, d, n * d, w->heads, &m->queue, NULL);
    need(code == 0, "P V", code);
    clFinish(m->queue);
}

/* Largest difference from double arithmetic over some rows. */
static double error_of(const machine *m, work *w)
{
    const size_t n = w->n, d = w->d, count = w->heads * n * d;
    double worst = 0, *p = malloc(n * sizeof(double));
    need(p != NULL, "memory", 0);
    clEnqueueReadBuffer(m->queue, w->o, CL_TRUE, 0, count * sizeof(float), w->host_o, 0, NULL, NULL);
    for (size_t row = 0; row < w->heads * n; row += 977) {
        const float *q = w->host_q + row * d, *k = w->host_k + row / n * n * d, *v = w->host_v + row / n * n * d;
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            double x = 0;
            for (size_t c = 0; c < d; c++) {
                x += (double)q[c] * (double)k[j * d + c];
            }
            sum += p[j] = exp(x / sqrt((double)d));
        }
        for (size_t c = 0; c < d; c++) {
            double o = 0;
            for (size_t j = 0; j < n; j++) {
                o += p[j] * (double)v[j * d + c];
            }
            worst = fmax(worst, fabs(o / sum - (double)w->host_o[row * d + c]));
        }
    }
    free(p);
    return worst;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    machine m = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: clattn_unfused HEADS N D [REPEAT]   (N a multiple of 16)\n");
        return 2;
    }
    work w = {.heads = strtoul(argv[1], NULL, 10), .n = strtoul(argv[2], NULL, 10), .d = strtoul(argv[3], NULL, 10)};
    const long asked = argc > 4 ? strtol(argv[4], NULL, 10) : 3;
    const int repeat = asked < 1 ? 1 : asked > MAX_REPEAT ? MAX_REPEAT : (int)asked;
    need(w.heads > 0 && w.n > 0 && w.n % 16 == 0 && w.d > 0, "N must be a positive multiple of 16", (int)w.n);
    const size_t count = w.heads * w.n * w.d;
    machine_open(&m);
    w.host_q = random_floats(count, 1);
    w.host_k = random_floats(count, 2);
    w.host_v = random_floats(count, 3);
    w.host_o = random_floats(count, 4);
    w.q = buffer(&m, count, w.host_q);
    w.k = buffer(&m, count, w.host_k);
    w.v = buffer(&m, count, w.host_v);
    w.o = buffer(&m, count, NULL);
    w.s = buffer(&m, w.heads * w.n * w.n, NULL);

    double ms[MAX_REPEAT];
    run(&m, &w);
    for (int i = 0; i < repeat; i++) {
        const double start = now_ms();
        run(&m, &w);
        ms[i] = now_ms() - start;
    }
    qsort(ms, (size_t)repeat, sizeof(double), by_value);
    const double median = ms[repeat / 2];
    const double gflop = 4e-9 * (double)w.heads * (double)w.n * (double)w.n * (double)w.d;
    printf("{\"heads\": %zu, \"n\": %zu, \"d\": %zu, \"ms_median\": %.3f, \"gflops\": %.2f, \"error\": %.2e}\n",
           w.heads, w.n, w.d, median, gflop / median * 1e3, error_of(&m, &w));
    return 0;
}

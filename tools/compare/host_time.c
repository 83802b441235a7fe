/* What a call costs the host: the first result, a plan from memory, and an enqueue beside an empty kernel's.
 *   clattn_host_time PROBLEM      prints one JSON object; in a second process the plan comes from the disk cache
 * first_ms is what the library makes a program wait for: probes and plan, first launch to its end. open_ms, the
 * driver's context, comes before it. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "clattn/runner.h"
#include "clattn/tool.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 2000, WARM = 200, DEPTH = 50 };

typedef struct host_times {
    double open_ms, plan_ms, first_ms, again_ms, enqueue_us, empty_us;
} host_times;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median host time of call(what), in microseconds; the queue is emptied now and then. */
static clattn_status median_us(cl_command_queue queue, clattn_status (*call)(void *), void *what, double *us)
{
    static double times[ROUNDS];
    clattn_status st = CLATTN_OK;
    for (int i = -WARM; i < ROUNDS; i++) {
        const double start = seconds_now();
        CT_TRY(call(what));
        times[i < 0 ? 0 : i] = seconds_now() - start;
        if (i % DEPTH == 0) {
            CT_TRYCL(clFinish(queue));
        }
    }
    CT_TRYCL(clFinish(queue));
    qsort(times, ROUNDS, sizeof times[0], by_value);
    *us = times[ROUNDS / 2] * 1e6;
out:
    return st;
}

static clattn_status enqueue_plan(void *what)
{
    return runner_enqueue(what, NULL);
}

typedef struct empty_launch {
    cl_command_queue queue;
    cl_kernel kernel;
    cl_mem mem;
} empty_launch;

static clattn_status enqueue_empty(void *what)
{
    clattn_status st = CLATTN_OK;
    const empty_launch *e = what;
    const size_t one = 1;
    const cl_long zero = 0;
    CT_TRYCL(clSetKernelArg(e->kernel, 0, sizeof e->mem, &e->mem));
    CT_TRYCL(clSetKernelArg(e->kernel, 1, sizeof zero, &zero));
    CT_TRYCL(clEnqueueNDRangeKernel(e->queue, e->kernel, 1, NULL, &one, &one, 0, NULL, NULL));
out:
    return st;
}

static clattn_status time_empty(const place *where, cl_mem mem, double *us)
{
    static const char *const text = "__kernel void nothing(__global float *p, long n) { if (n) p[0] = 1.0f; }";
    clattn_status st = CLATTN_OK;
    cl_int code;
    const char *source = text;
    empty_launch e = {where->queue, NULL, mem};
    cl_program program = clCreateProgramWithSource(where->cl, 1, &source, NULL, &code);
    CT_TRYCL(code);
    CT_TRYCL(clBuildProgram(program, 1, &where->entry.device, "", NULL, NULL));
    e.kernel = clCreateKernel(program, "nothing", &code);
    CT_TRYCL(code);
    CT_TRY(median_us(where->queue, enqueue_empty, &e, us));
out:
    if (e.kernel) {
        clReleaseKernel(e.kernel);
    }
    if (program) {
        clReleaseProgram(program);
    }
    return st;
}

/* The tool's queue profiles; programs' queues seldom do. */
static clattn_status plain_queue(place *where)
{
    clattn_status st = CLATTN_OK;
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(where->cl, where->entry.device, 0, &code);
    CT_TRYCL(code);
    clReleaseCommandQueue(where->queue);
    where->queue = queue;
out:
    return st;
}

static clattn_status measure(const char *text, place *where, host_times *t, clattn_plan_info *info)
{
    clattn_status st = CLATTN_OK;
    const place_options options = {0};
    clattn_problem problem;
    runner r = {0}, again = {0};
    CT_TRY(clattn_problem_parse(&problem, text));
    const double start = seconds_now();
    CT_TRY(place_open(where, &options));
    CT_TRY(plain_queue(where));
    const double opened = seconds_now();
    CT_TRY(runner_open(&r, where, &problem, NULL));
    const double planned = seconds_now();
    CT_TRY(clattn_plan_get_info(r.plan, info));
    CT_TRY(runner_fill(&r, &problem, 1));
    CT_TRYCL(clFinish(where->queue));
    const double filled = seconds_now();
    CT_TRY(runner_run(&r));
    const double ran = seconds_now();
    CT_TRY(runner_open(&again, where, &problem, NULL));
    *t = (host_times){.open_ms = 1e3 * (opened - start),
                      .plan_ms = 1e3 * (planned - opened),
                      .first_ms = 1e3 * (planned - opened + ran - filled),
                      .again_ms = 1e3 * (seconds_now() - ran)};
    CT_TRY(median_us(where->queue, enqueue_plan, &r, &t->enqueue_us));
    CT_TRY(time_empty(where, r.mem[CLATTN_O], &t->empty_us));
out:
    runner_close(&again);
    runner_close(&r);
    return st;
}

int main(int argc, char **argv)
{
    place where = {0};
    host_times t;
    clattn_plan_info info = {.struct_size = sizeof info};
    if (argc != 2) {
        fprintf(stderr, "usage: clattn_host_time PROBLEM\n");
        return TOOL_USAGE;
    }
    const clattn_status st = measure(argv[1], &where, &t, &info);
    if (st != CLATTN_OK) {
        fprintf(stderr, "clattn_host_time: %s\n", clattn_error_detail());
    } else {
        const char *programs = info.cache_built ? "built" : info.cache_disk ? "disk" : "memory";
        printf("{\"problem\": \"%s\", \"device\": \"%s\", \"driver\": \"%s\", \"backend\": \"%s\", \"kernel\": \"%s\", "
               "\"launches\": %d, \"programs\": \"%s\", ",
               argv[1], where.entry.name, where.entry.driver, info.backend, info.kernel, info.launches, programs);
        printf("\"open_ms\": %.3f, \"plan_ms\": %.3f, \"first_ms\": %.3f, \"again_ms\": %.3f, \"enqueue_us\": %.3f, "
               "\"empty_us\": %.3f}\n",
               t.open_ms, t.plan_ms, t.first_ms, t.again_ms, t.enqueue_us, t.empty_us);
    }
    place_close(&where);
    return st == CLATTN_OK ? TOOL_DONE : TOOL_NOT_DONE;
}

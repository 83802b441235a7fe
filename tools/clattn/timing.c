#include "timing.h"

#include <stdlib.h>

enum { MOST_RUNS = 1000, PROBES = 6 };

static double event_time(cl_event event, cl_profiling_info what)
{
    cl_ulong value = 0;
    return clGetEventProfilingInfo(event, what, sizeof value, &value, NULL) == CL_SUCCESS ? (double)value * 1e-9 : 0;
}

/* A GPU's own time: from the end of one run to the end of the next, both enqueued together. The host's share is hidden
 * as it is in use. */
static clattn_status time_second(runner *r, double *seconds)
{
    clattn_status st = CLATTN_OK;
    cl_event before = NULL, after = NULL;
    CT_TRYCL(clFinish(r->where->queue));
    CT_TRY(runner_enqueue(r, &before));
    CT_TRY(runner_enqueue(r, &after));
    CT_TRYCL(clFinish(r->where->queue));
    *seconds = event_time(after, CL_PROFILING_COMMAND_END) - event_time(before, CL_PROFILING_COMMAND_END);
out:
    if (before) {
        clReleaseEvent(before);
    }
    if (after) {
        clReleaseEvent(after);
    }
    return st;
}

/* From a marker before the launches to the end of the last of them by the device's clock if that is plausible, which
 * leaves out the host's share; else by the host's. */
static clattn_status time_once(runner *r, double *seconds)
{
    clattn_status st = CLATTN_OK;
    cl_event before = NULL, after = NULL;
    if (r->where->entry.type & CL_DEVICE_TYPE_GPU) {
        CT_TRY(time_second(r, seconds));
        if (*seconds > 0) {
            goto out;
        }
    }
    CT_TRYCL(clFinish(r->where->queue));
    CT_TRYCL(clEnqueueMarkerWithWaitList(r->where->queue, 0, NULL, &before));
    const double start = seconds_now();
    CT_TRY(runner_enqueue(r, &after));
    CT_TRYCL(clFinish(r->where->queue));
    const double wall = seconds_now() - start;
    const double from = event_time(before, CL_PROFILING_COMMAND_END), to = event_time(after, CL_PROFILING_COMMAND_END);
    const double first = event_time(after, CL_PROFILING_COMMAND_START);
    const bool plausible =
        from > 0 && first >= from && to > first && to - from <= wall && (to - from > 0.5 * wall || wall < 2e-3);
    *seconds = plausible ? to - from : wall;
out:
    if (before) {
        clReleaseEvent(before);
    }
    if (after) {
        clReleaseEvent(after);
    }
    return st;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

clattn_status timing_measure(runner *r, int64_t repeat, double seconds, peak *limits, timing *out)
{
    clattn_status st = CLATTN_OK;
    double times[MOST_RUNS], estimate = 0;
    CT_TRY(time_once(r, &estimate));
    if (estimate < 0.1) {
        CT_TRY(time_once(r, &estimate));
    }
    const int64_t fit = estimate > 10 ? 1 : ct_max(5, (int64_t)(seconds / (estimate + 1e-6)));
    const int runs = (int)ct_min(repeat > 0 ? repeat : fit, repeat > 0 ? MOST_RUNS : 200);
    const int stride = runs > PROBES ? runs / PROBES : 1;
    for (int i = 0; i < runs; i++) {
        CT_TRY(time_once(r, &times[i]));
        if (limits && i % stride == 0) {
            CT_TRY(peak_probe(limits));
        }
    }
    qsort(times, (size_t)runs, sizeof times[0], compare);
    *out = (timing){runs % 2 ? times[runs / 2] : 0.5 * (times[runs / 2 - 1] + times[runs / 2]), times[0], runs};
out:
    return st;
}

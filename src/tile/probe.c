/* Probes: a ten-line kernel must build, run and give the right numbers before a tile is used. */
#include <stdio.h>
#include <string.h>

#include "tile/tiles.h"

#define RESULTS 34 /* 16 sums, 16 numbers, and of probe_dots two times */
/* times the rate of float multiply-adds, for what else they cost: V turned into pairs, P rounded */
#define DOTS_PAY 1.25

static clattn_status run_probe(clattn_context *context, const ct_tile *tile, float *result, size_t bytes)
{
    clattn_status st = CLATTN_OK;
    ct_program_spec spec = {.kernel = "probe",
                            .backend = tile->name,
                            .options = tile->options,
                            .ptx_target = tile->ptx_target,
                            .untried = tile->untried};
    const ct_program *program = NULL;
    ct_origin origin;
    cl_kernel kernel = NULL;
    cl_command_queue queue = NULL;
    cl_mem buffer = NULL;
    cl_int error = CL_SUCCESS;
    const cl_long offset = 0;
    const size_t items = (size_t)tile->probe_items;
    ct_spec_part(&spec, "tile/tile.cl");
    ct_spec_part(&spec, tile->probe);
    CT_TRY(ct_program_get(&context->env, &spec, &program, &origin));
    kernel = clCreateKernel(program->program, "probe", &error);
    CT_TRY(ct_check_cl(error, "clCreateKernel"));
    CT_TRY(ct_queue_create(&context->env, &queue));
    buffer = clCreateBuffer(context->env.cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, result, &error);
    CT_TRY(ct_check_cl(error, "clCreateBuffer"));
    CT_TRYCL(clSetKernelArg(kernel, 0, sizeof buffer, &buffer));
    CT_TRYCL(clSetKernelArg(kernel, 1, sizeof offset, &offset));
    CT_TRYCL(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL));
    CT_TRYCL(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, bytes, result, 0, NULL, NULL));
    ct_program_keep(&context->env, program);
out:
    if (buffer) {
        clReleaseMemObject(buffer);
    }
    if (queue) {
        clReleaseCommandQueue(queue);
    }
    if (kernel) {
        clReleaseKernel(kernel);
    }
    return st;
}

/* A probe that was refused, died or gave wrong numbers settles the question; one for which there was no memory may be
 * made again. */
static bool settles(clattn_status st)
{
    return st == CLATTN_OK || st == CLATTN_BUILD_FAILED || st == CLATTN_DEVICE_LACKS;
}

/* Of a tile that the device's facts do not rule out. */
static bool probe(clattn_context *context, const ct_tile *tile, float *result, char *why, size_t bytes, bool *settled)
{
    *settled = true;
    if (!tile->probe) {
        return true;
    }
    memset(result, 0xff, RESULTS * sizeof *result);
    const clattn_status st = run_probe(context, tile, result, RESULTS * sizeof *result);
    *settled = settles(st);
    if (st != CLATTN_OK) {
        snprintf(why, bytes, "its probe failed: %s", clattn_error_detail()); /* cut: the log has all of it */
        ct_log(&context->env, CLATTN_LOG_INFO, "probe of %s: %s", tile->name, clattn_error_detail());
        return false;
    }
    for (int i = 0; i < 16; i++) {
        if (result[i] != 3.0f * (float)i + 1.0f || result[16 + i] != (float)i) {
            snprintf(why, bytes, "its probe gave %g and %g for %g and %d", (double)result[i], (double)result[16 + i],
                     3.0 * i + 1.0, i);
            return false;
        }
    }
    return true;
}

/* The instruction would end the process where it is missing, so the processor's own word comes first. */
static bool accepts_dots(const ct_device_facts *facts, char *why, size_t bytes)
{
    snprintf(why, bytes, "this CPU has no AVX512-BF16");
    return facts->dots;
}

/* A dot product does the work of two multiply-adds. */
static double rate_of_dots(const float *result)
{
    return 2 * (double)result[32] / (double)result[33];
}

bool ct_dots_usable(clattn_context *context)
{
    float result[RESULTS];
    const ct_tile dots = {.name = "cpu", .probe = "tile/probe_dots.cl", .probe_items = 1};
    struct ct_tile_state *state = &context->dots;
    pthread_mutex_lock(&context->mutex);
    if (!state->probed) {
        state->probed = !accepts_dots(&context->env.facts, state->why, sizeof state->why);
        state->usable = !state->probed && probe(context, &dots, result, state->why, sizeof state->why, &state->probed);
        context->dots_rate = state->usable ? rate_of_dots(result) : 0;
        ct_log(&context->env, CLATTN_LOG_INFO, "tile_cpu_dots: %s, %.2f times the rate of float multiply-adds",
               state->usable ? "usable" : state->why, context->dots_rate);
    }
    const bool usable = state->usable;
    pthread_mutex_unlock(&context->mutex);
    return usable;
}

bool ct_dots_pay(clattn_context *context)
{
    return ct_dots_usable(context) && context->dots_rate >= DOTS_PAY;
}

/* What is known before anything runs: the caller's wish, and what the device says of itself. */
static void settle_by_facts(clattn_context *context, int index)
{
    const ct_tile *tile = &ct_tiles[index];
    struct ct_tile_state *state = &context->tiles[index];
    if (context->backend[0] && strcmp(context->backend, tile->name) != 0) {
        snprintf(state->why, sizeof state->why, "the context's options ask for '%s' only", context->backend);
        state->probed = true;
    } else {
        state->probed = !tile->accepts(&context->env.facts, state->why, sizeof state->why);
    }
}

/* A copy: a probe that settled nothing is made again, perhaps by another thread. Under the mutex. */
static void copy_why(const struct ct_tile_state *state, bool good, char why[CT_WHY_BYTES])
{
    snprintf(why, CT_WHY_BYTES, "%s", good ? "" : state->why);
}

bool ct_tile_possible(clattn_context *context, int index, char why[CT_WHY_BYTES])
{
    struct ct_tile_state *state = &context->tiles[index];
    pthread_mutex_lock(&context->mutex);
    if (!state->probed) {
        settle_by_facts(context, index);
    }
    const bool possible = !state->probed || state->usable;
    copy_why(state, possible, why);
    pthread_mutex_unlock(&context->mutex);
    return possible;
}

bool ct_tile_usable(clattn_context *context, int index, char why[CT_WHY_BYTES])
{
    float result[RESULTS];
    const ct_tile *tile = &ct_tiles[index];
    struct ct_tile_state *state = &context->tiles[index];
    pthread_mutex_lock(&context->mutex);
    if (!state->probed) {
        settle_by_facts(context, index);
    }
    if (!state->probed && tile->permitted) {
        state->probed = !tile->permitted(context, state->why, sizeof state->why);
    }
    if (!state->probed) {
        state->usable = probe(context, tile, result, state->why, sizeof state->why, &state->probed);
    }
    const bool usable = state->usable;
    copy_why(state, usable, why);
    pthread_mutex_unlock(&context->mutex);
    return usable;
}

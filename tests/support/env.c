#include "support/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "context/context.h"
#include "tile/tiles.h"

#define MAX_PLATFORMS 16
#define MAX_DEVICES   32
#define SKIPPED       77

static bool matches(const char *wanted, cl_device_id device, unsigned platform_at, unsigned device_at)
{
    char name[256] = "", place[32];
    if (!wanted) {
        return true;
    }
    clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(name), name, NULL);
    snprintf(place, sizeof(place), "%u:%u", platform_at, device_at);
    return strcmp(wanted, place) == 0 || strstr(name, wanted) != NULL;
}

static bool find_device(cl_device_type type, const char *wanted, cl_platform_id *platform, cl_device_id *device)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_device_id devices[MAX_DEVICES];
    cl_uint n_platforms = 0, n_devices = 0;
    if (clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms) != CL_SUCCESS) {
        return false;
    }
    for (cl_uint p = 0; p < n_platforms && p < MAX_PLATFORMS; p++) {
        if (clGetDeviceIDs(platforms[p], type, MAX_DEVICES, devices, &n_devices) != CL_SUCCESS) {
            continue;
        }
        for (cl_uint d = 0; d < n_devices && d < MAX_DEVICES; d++) {
            if (matches(wanted, devices[d], p, d)) {
                *platform = platforms[p];
                *device = devices[d];
                return true;
            }
        }
    }
    return false;
}

bool ct_env_device(cl_platform_id *platform, cl_device_id *device)
{
    const char *wanted = getenv("CLATTN_DEVICE");
    if (wanted && *wanted) {
        return find_device(CL_DEVICE_TYPE_ALL, wanted, platform, device);
    }
    return find_device(CL_DEVICE_TYPE_GPU, NULL, platform, device) ||
           find_device(CL_DEVICE_TYPE_ALL, NULL, platform, device);
}

void ct_env_need_device(cl_platform_id *platform, cl_device_id *device)
{
    if (!ct_env_device(platform, device)) {
        const char *wanted = getenv("CLATTN_DEVICE");
        fprintf(stderr, "skipped: no OpenCL device%s%s\n", wanted ? " matches CLATTN_DEVICE=" : "",
                wanted ? wanted : "");
        exit(SKIPPED);
    }
}

int ct_env_setup(void **state)
{
    static ct_env env;
    cl_int error = CL_SUCCESS;
    ct_env_need_device(&env.platform, &env.place.device);
    env.place.cl = clCreateContext(NULL, 1, &env.place.device, NULL, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    env.queue = clCreateCommandQueue(env.place.cl, env.place.device, 0, &error);
#pragma GCC diagnostic pop
    assert_int_equal(error, CL_SUCCESS);
    env.place.context = ct_env_context(&env, NULL);
    *state = &env;
    return 0;
}

int ct_env_teardown(void **state)
{
    ct_env *env = *state;
    clattn_context_release(env->place.context);
    clReleaseCommandQueue(env->queue);
    clReleaseContext(env->place.cl);
    memset(env, 0, sizeof(*env));
    return 0;
}

clattn_context *ct_env_context(const ct_env *env, const clattn_context_options *options)
{
    clattn_context *context = NULL;
    ct_assert_status(clattn_context_create(&context, env->place.cl, env->place.device, options), CLATTN_OK, NULL);
    return context;
}

bool ct_env_usable(clattn_context *context, const char *tile)
{
    char why[CT_WHY_BYTES];
    const int at = ct_tile_index(tile);
    if ((context->backend[0] && strcmp(context->backend, tile) != 0) ||
        !ct_tiles[at].accepts(&context->env.facts, why, sizeof why) ||
        (ct_tiles[at].permitted && !ct_tiles[at].permitted(context, why, sizeof why))) {
        return false;
    }
    if (!ct_tile_usable(context, at, why)) {
        fail_msg("%s was to run here: %s", tile, why);
    }
    return true;
}

static void judge_backend(const ct_env *env, const char *problem, const char *ran)
{
    const clattn_context *context = env->place.context;
    const char *wanted = context->backend[0] ? context->backend : context->env.facts.cpu ? "cpu" : NULL;
    const bool family = !context->backend[0] && strncmp(ran, "cpu", 3) == 0; /* cpu_amx where there is AMX */
    if (wanted ? strcmp(ran, wanted) != 0 && !family : strcmp(ran, "ref") == 0) {
        fail_msg("'%s' ran on %s, expected was %s", problem, ran, wanted ? wanted : "any but ref");
    }
}

static void judge(const ct_env *env, clattn_status st, const char *problem, uint64_t seed,
                  const ct_check_result *result)
{
    char figures[512];
    if (st != CLATTN_OK) {
        fail_msg("clattn check '%s' --seed %llu\n%s: %s", problem, (unsigned long long)seed, clattn_status_name(st),
                 clattn_error_detail());
    }
    if (!result->passed) {
        ct_check_format(result, figures, sizeof(figures));
        fail_msg("clattn check '%s' --seed %llu\n%s %s: %s\n%s", problem, (unsigned long long)seed, result->backend,
                 result->kernel, result->text, figures);
    }
    judge_backend(env, problem, result->backend);
}

void ct_assert_check(const ct_env *env, const char *problem, uint64_t seed)
{
    ct_check_result result;
    const clattn_status st = ct_check_text(&env->place, problem, seed, &result);
    judge(env, st, problem, seed, &result);
}

void ct_assert_checks(const ct_env *env, const char *const *problems, size_t count, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        ct_assert_check(env, problems[i], first + i);
    }
}

void ct_assert_check_layout(const ct_env *env, const clattn_problem *problem, clattn_layout *layout, uint64_t seed)
{
    ct_check_result result;
    char text[2048];
    ct_assert_status(clattn_problem_format(problem, text, sizeof(text)), CLATTN_OK, NULL);
    const clattn_status st = ct_check_run(&env->place, problem, layout, seed, &result);
    judge(env, st, text, seed, &result);
}

void ct_assert_status(clattn_status status, clattn_status expected, const char *word)
{
    if (status != expected) {
        fail_msg("status %s, expected %s: %s", clattn_status_name(status), clattn_status_name(expected),
                 clattn_error_detail());
    }
    if (word && !strstr(clattn_error_detail(), word)) {
        fail_msg("the detail '%s' does not name '%s'", clattn_error_detail(), word);
    }
}

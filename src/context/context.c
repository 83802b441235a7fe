/* The life of a context. */
#include "context/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/cache.h"
#include "program/trial.h"

static clattn_status check_device(cl_context cl, cl_device_id device, const clattn_allocator *allocator)
{
    clattn_status st = CLATTN_OK;
    cl_device_id *devices = NULL;
    size_t bytes = 0, at = 0;
    CT_TRYCL(clGetContextInfo(cl, CL_CONTEXT_DEVICES, 0, NULL, &bytes));
    devices = ct_alloc(allocator, bytes);
    if (!devices) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %zu devices of a cl_context", bytes / sizeof *devices);
    }
    CT_TRYCL(clGetContextInfo(cl, CL_CONTEXT_DEVICES, bytes, devices, NULL));
    while (at < bytes / sizeof *devices && devices[at] != device) {
        at++;
    }
    if (at == bytes / sizeof *devices) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_context_create: device %p is none of the context's %zu devices",
                (void *)device, at);
    }
out:
    ct_release(allocator, devices);
    return st;
}

static clattn_status check_options(const clattn_context_options *options)
{
    if (options->struct_size != sizeof *options) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "options.struct_size is %zu, this library's is %zu: use CLATTN_CONTEXT_OPTIONS_INIT",
                       options->struct_size, sizeof *options);
    }
    if (!options->allocator.allocate != !options->allocator.release) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "options.allocator: allocate and release must both be given, or neither");
    }
    if (options->cache_mode < CLATTN_CACHE_DEFAULT || options->cache_mode > CLATTN_CACHE_READ_WRITE) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.cache_mode is %d, must be 0 to %d", (int)options->cache_mode,
                       (int)CLATTN_CACHE_READ_WRITE);
    }
    if (options->cache_max_bytes < 0) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.cache_max_bytes is %lld, must be at least 0",
                       (long long)options->cache_max_bytes);
    }
    if (options->log_level < CLATTN_LOG_ERROR || options->log_level > CLATTN_LOG_TRACE) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.log_level is %d, must be 0 to %d", (int)options->log_level,
                       (int)CLATTN_LOG_TRACE);
    }
    if (options->trial < CLATTN_TRIAL_DEFAULT || options->trial > CLATTN_TRIAL_ALWAYS) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.trial is %d, must be 0 to %d", (int)options->trial,
                       (int)CLATTN_TRIAL_ALWAYS);
    }
    if (options->trial_seconds < 0 || options->trial_seconds > CT_TRIAL_MOST_SECONDS) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.trial_seconds is %d, must be 0 to %d", options->trial_seconds,
                       CT_TRIAL_MOST_SECONDS);
    }
    if (options->amx < CLATTN_AMX_DEFAULT || options->amx > CLATTN_AMX_OFF) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.amx is %d, must be 0 to %d", (int)options->amx,
                       (int)CLATTN_AMX_OFF);
    }
    return CLATTN_OK;
}

/* Text that is not known turns it off: whoever sets the variable most likely wants that. */
static bool amx_is_off(const ct_environment *env, clattn_amx_mode mode)
{
    const char *value = secure_getenv("CLATTN_AMX");
    if (mode != CLATTN_AMX_DEFAULT || !value || !*value) {
        return mode == CLATTN_AMX_OFF;
    }
    if (strcmp(value, "auto") != 0 && strcmp(value, "off") != 0) {
        ct_log(env, CLATTN_LOG_WARN, "CLATTN_AMX is '%s', must be auto or off; using off", value);
    }
    return strcmp(value, "auto") != 0;
}

clattn_status ct_context_create(clattn_context **out, cl_context cl, cl_device_id device,
                                const clattn_context_options *options)
{
    clattn_status st = CLATTN_OK;
    clattn_context *context = NULL;
    CT_TRY(check_options(options));
    CT_TRY(check_device(cl, device, &options->allocator));
    context = ct_alloc(&options->allocator, sizeof *context);
    if (!context) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a context (%zu bytes)", sizeof *context);
    }
    atomic_init(&context->references, 1);
    context->env.allocator = options->allocator;
    context->env.log = options->log;
    context->env.log_user = options->log_user;
    context->env.log_level = options->log_level;
    snprintf(context->backend, sizeof context->backend, "%s", options->backend ? options->backend : "");
    context->amx_off = amx_is_off(&context->env, options->amx);
    pthread_mutex_init(&context->mutex, NULL);
    CT_TRYCL(clRetainContext(cl));
    context->env.cl = cl;
    context->env.device = device;
    CT_TRY(ct_device_read(device, &context->env.facts));
    CT_TRY(ct_trial_settings(&context->env, options));
    CT_TRY(ct_cache_create(&context->env, options, &context->env.cache));
    *out = context;
    context = NULL;
out:
    clattn_context_release(context);
    return st;
}

void clattn_context_retain(clattn_context *context)
{
    if (context) {
        atomic_fetch_add(&context->references, 1);
    }
}

void clattn_context_release(clattn_context *context)
{
    if (!context || atomic_fetch_sub(&context->references, 1) != 1) {
        return;
    }
    ct_cache_release(context->env.cache);
    ct_release(&context->env.allocator, context->env.trial_program);
    ct_release(&context->env.allocator, context->describe);
    if (context->env.cl) {
        clReleaseContext(context->env.cl);
    }
    pthread_mutex_destroy(&context->mutex);
    const clattn_allocator allocator = context->env.allocator;
    ct_release(&allocator, context);
}

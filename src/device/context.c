/* The context: one device of one cl_context, its facts, its caches. */
#include "device/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/tiles.h"
#include "program/cache.h"
#include "program/trial.h"

void ct_log(clattn_context *context, clattn_log_level level, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    if (!context->log || level > context->log_level) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *line = text, *end; *line; line = end) { /* the callback gets one line a call */
        end = line + strcspn(line, "\n");
        if (*end) {
            *end++ = '\0';
        }
        if (*line) {
            context->log(level, line, context->log_user);
        }
    }
}

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
    if (options->backend && options->backend[0]) {
        for (int i = 0; i < ct_tile_count; i++) {
            if (strcmp(ct_tiles[i].name, options->backend) == 0) {
                return CLATTN_OK;
            }
        }
        return ct_fail(CLATTN_INVALID_ARGUMENT, "options.backend is '%s'; there are cpu, nv_wgmma, nv_mma, simt, ref",
                       options->backend);
    }
    return CLATTN_OK;
}

clattn_status clattn_context_create(clattn_context **out, cl_context cl, cl_device_id device,
                                    const clattn_context_options *options)
{
    clattn_status st = CLATTN_OK;
    clattn_context *context = NULL;
    const clattn_context_options defaults = CLATTN_CONTEXT_OPTIONS_INIT;
    if (!out || !cl || !device) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_context_create: %s is NULL",
                !out  ? "out"
                : !cl ? "context"
                      : "device");
    }
    options = options ? options : &defaults;
    CT_TRY(check_options(options));
    CT_TRY(check_device(cl, device, &options->allocator));
    context = ct_alloc(&options->allocator, sizeof *context);
    if (!context) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a context (%zu bytes)", sizeof *context);
    }
    atomic_init(&context->references, 1);
    context->allocator = options->allocator;
    context->log = options->log;
    context->log_user = options->log_user;
    context->log_level = options->log_level;
    snprintf(context->backend, sizeof context->backend, "%s", options->backend ? options->backend : "");
    pthread_mutex_init(&context->mutex, NULL);
    CT_TRYCL(clRetainContext(cl));
    context->cl = cl;
    context->device = device;
    CT_TRY(ct_device_read(device, &context->facts));
    CT_TRY(ct_trial_settings(context, options));
    CT_TRY(ct_cache_create(context, options, &context->cache));
    *out = context;
    context = NULL;
out:
    clattn_context_release(context);
    return st;
}

clattn_status ct_queue_create(clattn_context *context, cl_command_queue *out)
{
    cl_int error = CL_SUCCESS;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* the newer call is not in OpenCL 1.2 */
    *out = clCreateCommandQueue(context->cl, context->device, 0, &error);
#pragma GCC diagnostic pop
    return ct_check_cl(error, "clCreateCommandQueue");
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
    ct_cache_release(context->cache);
    ct_release(&context->allocator, context->trial_program);
    ct_release(&context->allocator, context->describe);
    if (context->cl) {
        clReleaseContext(context->cl);
    }
    pthread_mutex_destroy(&context->mutex);
    const clattn_allocator allocator = context->allocator;
    ct_release(&allocator, context);
}

static void add_json_string(ct_text *text, const char *name, const char *value)
{
    ct_text_add(text, "\"%s\": \"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\') {
            ct_text_add(text, "\\%c", *c);
        } else {
            ct_text_add(text, (unsigned char)*c < 0x20 ? "\\u%04x" : "%c", *c);
        }
    }
    ct_text_add(text, "\"");
}

static void describe(clattn_context *context, ct_text *text)
{
    const ct_device_facts *f = &context->facts;
    const struct {
        const char *name, *value;
    } strings[] = {{"name", f->name},     {"vendor", f->vendor},     {"version", f->version},
                   {"driver", f->driver}, {"platform", f->platform}, {"platform_version", f->platform_version}};
    ct_text_add(text, "{");
    for (size_t i = 0; i < CT_COUNT(strings); i++) {
        add_json_string(text, strings[i].name, strings[i].value);
        ct_text_add(text, ", ");
    }
    ct_text_add(text,
                "\"type\": \"%s\", \"compute_units\": %u, \"local_memory\": %llu, \"max_group\": %zu, \"fp16\": %s, "
                "\"subgroups\": %s, ",
                f->cpu ? "cpu" : "gpu", f->compute_units, (unsigned long long)f->local_memory, f->max_group,
                f->fp16 ? "true" : "false", f->subgroups ? "true" : "false");
    ct_text_add(text, "\"backends\": [");
    for (int i = 0; i < ct_tile_count; i++) {
        char why[CT_WHY_BYTES];
        const bool usable = ct_tile_usable(context, i, why);
        ct_text_add(text, "%s{\"name\": \"%s\", \"usable\": %s, ", i ? ", " : "", ct_tiles[i].name,
                    usable ? "true" : "false");
        add_json_string(text, "why_not", why);
        ct_text_add(text, "}");
    }
    ct_text_add(text, "]}");
}

const char *clattn_context_describe(clattn_context *context)
{
    if (!context) {
        return "";
    }
    ct_text text = {.allocator = &context->allocator};
    describe(context, &text);
    pthread_mutex_lock(&context->mutex);
    if (!context->describe && !text.failed) {
        context->describe = text.data;
        text.data = NULL;
    }
    const char *result = context->describe ? context->describe : "";
    pthread_mutex_unlock(&context->mutex);
    ct_text_release(&text);
    return result;
}

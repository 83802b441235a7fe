#include "support/small_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/guarded.h"
#include "harness/random.h"
#include "harness/storage.h"

#define MOST 32

static const char *const names[] = {"cpu", "simt", "ref", NULL};
static cl_context device_context;
static cl_command_queue device_queue;
static clattn_context *contexts[3];

const char *small_backend(int index)
{
    return names[index];
}

static int index_of(const char *backend)
{
    int i = 0;
    while (strcmp(names[i], backend) != 0) {
        i++;
    }
    return i;
}

static clattn_status open_backend(const char *backend, clattn_context **out)
{
    cl_platform_id platform = NULL;
    cl_device_id device = NULL;
    cl_int error = CL_SUCCESS;
    ct_env_need_device(&platform, &device);
    if (!device_context) {
        device_context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* the newer call is not in OpenCL 1.2 */
        device_queue = error ? NULL : clCreateCommandQueue(device_context, device, 0, &error);
#pragma GCC diagnostic pop
    }
    clattn_context **context = &contexts[index_of(backend)];
    if (!error && !*context) {
        clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
        options.backend = backend;
        error = clattn_context_create(context, device_context, device, &options);
    }
    *out = *context;
    return error;
}

static size_t count_of(const clattn_plan *plan, clattn_slot slot, clattn_dtype *dtype)
{
    int rank = 0;
    int64_t dims[5];
    size_t count = 1;
    clattn_plan_slot(plan, slot, NULL, dtype, &rank, dims);
    for (int i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    return count;
}

static clattn_status put_value(const clattn_plan *plan, const small_value *value, ct_guarded *buffer)
{
    clattn_dtype dtype = CLATTN_F32;
    const size_t count = count_of(plan, value->slot, &dtype), bytes = count * clattn_dtype_size(dtype);
    char *raw = malloc(bytes);
    for (size_t i = 0; value->in && i < count; i++) {
        ct_storage_write(dtype, raw, (int64_t)i, value->in[i]);
    }
    const clattn_status st = ct_guarded_make(buffer, device_context, device_queue, value->in ? raw : NULL, bytes, 0);
    free(raw);
    return st;
}

static clattn_status get_value(const clattn_plan *plan, const small_value *value, const ct_guarded *buffer)
{
    clattn_dtype dtype = CLATTN_F32;
    const size_t count = count_of(plan, value->slot, &dtype);
    clattn_status st = ct_guarded_verify(buffer, device_queue, clattn_slot_name(value->slot));
    char *raw = malloc(count * clattn_dtype_size(dtype));
    st = st ? st : ct_guarded_read(buffer, device_queue, raw);
    for (size_t i = 0; !st && value->out && i < count; i++) {
        value->out[i] = ct_storage_read(dtype, raw, (int64_t)i);
    }
    free(raw);
    return st;
}

static clattn_status run_plan(clattn_plan *plan, const small_value *values, int count)
{
    ct_guarded buffers[MOST] = {{0}}, work = {0};
    clattn_arg args[MOST];
    size_t bytes = 0;
    clattn_status st = clattn_plan_workspace(plan, &bytes);
    st = st || bytes == 0 ? st : ct_guarded_make(&work, device_context, device_queue, NULL, bytes, 0);
    for (int i = 0; !st && i < count; i++) {
        st = put_value(plan, &values[i], &buffers[i]);
        args[i] = (clattn_arg){values[i].slot, ct_guarded_buf(&buffers[i])};
    }
    st = st ? st
            : clattn_enqueue(device_queue, plan, args, (size_t)count, bytes ? ct_guarded_buf(&work) : clattn_buf_none(),
                             0, NULL, NULL);
    st = st ? st : clFinish(device_queue);
    for (int i = 0; !st && i < count; i++) {
        st = get_value(plan, &values[i], &buffers[i]);
    }
    st = st || bytes == 0 ? st : ct_guarded_verify(&work, device_queue, "workspace");
    for (int i = 0; i < count; i++) {
        ct_guarded_release(&buffers[i]);
    }
    ct_guarded_release(&work);
    return st;
}

bool small_usable(const char *backend)
{
    clattn_context *context = NULL;
    ct_assert_status(open_backend(backend, &context), CLATTN_OK, NULL);
    return ct_env_usable(context, backend);
}

clattn_status small_run(const char *backend, const clattn_problem *problem, clattn_layout *layout,
                        const small_value *values, int count)
{
    clattn_context *context;
    clattn_plan *plan = NULL;
    clattn_status st = open_backend(backend, &context);
    st = st ? st : clattn_plan_create(&plan, context, problem, layout);
    st = st ? st : run_plan(plan, values, count);
    clattn_plan_release(plan);
    return st;
}

clattn_status small_run_text(const char *backend, const char *text, const small_value *values, int count)
{
    clattn_problem problem;
    const clattn_status st = clattn_problem_parse(&problem, text);
    return st ? st : small_run(backend, &problem, NULL, values, count);
}

void small_refuse(const small_refusal *cases, int count)
{
    clattn_problem problem;
    for (int i = 0; i < count; i++) {
        const clattn_status st = clattn_problem_parse(&problem, cases[i].text);
        if (st != cases[i].code || !strstr(clattn_error_detail(), cases[i].word)) {
            fail_msg("%s: %s, %s", cases[i].text, clattn_status_name(st), clattn_error_detail());
        }
    }
}

void small_fill(double *to, size_t count, uint64_t seed, uint64_t stream)
{
    ct_random random = ct_random_of(seed, stream);
    for (size_t i = 0; i < count; i++) {
        to[i] = (double)(float)ct_random_normal(&random);
    }
}

int small_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        clattn_context_release(contexts[i]);
        contexts[i] = NULL;
    }
    if (device_context) {
        clReleaseCommandQueue(device_queue);
        clReleaseContext(device_context);
        device_context = NULL;
    }
    return 0;
}

void small_check(const ct_env *env, const char *problem, uint64_t seed)
{
    for (int i = 0; small_backend(i); i++) {
        clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
        ct_env one = *env;
        options.backend = small_backend(i);
        if (strcmp(options.backend, "simt") == 0 || !small_usable(options.backend)) {
            continue;
        }
        one.place.context = ct_env_context(env, &options);
        ct_assert_check(&one, problem, seed);
        clattn_context_release(one.place.context);
    }
}

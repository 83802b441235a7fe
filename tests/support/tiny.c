#include "support/tiny.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

bool tiny_usable(const tiny *t, int index)
{
    return ct_env_usable(t->env->place.context, ct_tiles[index].name);
}

void tiny_build(tiny *t, const char *const *parts, const ct_define *defines, size_t n_defines, const ct_define *more,
                size_t n_more, const char *text)
{
    static char log[1 << 16];
    char *source = NULL, *options = NULL;
    cl_int code;
    ct_program_spec spec = {.kernel = "words", .backend = t->tile->name};
    ct_spec_part(&spec, "tile/tile.cl");
    for (int i = 0; i < 3 && parts[i]; i++) {
        ct_spec_part(&spec, parts[i]);
    }
    for (size_t i = 0; i < n_defines; i++) {
        ct_spec_define(&spec, defines[i].name, defines[i].value);
    }
    for (size_t i = 0; i < n_more; i++) {
        ct_spec_define(&spec, more[i].name, more[i].value);
    }
    assert_int_equal(ct_program_source(NULL, &spec, &source, &options), CLATTN_OK);
    const char *texts[] = {source, "\n", text};
    t->program = clCreateProgramWithSource(t->env->place.cl, 3, texts, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    if (clBuildProgram(t->program, 1, &t->env->place.device, options, NULL, NULL) != CL_SUCCESS) {
        clGetProgramBuildInfo(t->program, t->env->place.device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
        fail_msg("%s, %s: %.4000s", t->tile->name, options, log);
    }
    t->kernel = clCreateKernel(t->program, "words", &code);
    assert_int_equal(code, CL_SUCCESS);
    free(source);
    free(options);
}

cl_mem tiny_buffer(const tiny *t, size_t bytes, void *data)
{
    cl_int code;
    cl_mem mem = clCreateBuffer(t->env->place.cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, data, &code);
    assert_int_equal(code, CL_SUCCESS);
    return mem;
}

void tiny_read(const tiny *t, cl_mem mem, size_t bytes, void *data)
{
    assert_int_equal(clEnqueueReadBuffer(t->env->queue, mem, CL_TRUE, 0, bytes, data, 0, NULL, NULL), CL_SUCCESS);
}

void tiny_run(const tiny *t, const cl_mem *mems, size_t n, const void *value, size_t bytes, size_t items, size_t x,
              size_t y, size_t z, bool folded)
{
    const size_t whole[3] = {x * items, y, z}, row[3] = {x * y * z * items, 1, 1}, local[3] = {items, 1, 1},
                 fold[3] = {0, x, y};
    const cl_long none = 0;
    cl_uint at = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(clSetKernelArg(t->kernel, at++, sizeof mems[i], mems[i] ? &mems[i] : NULL), CL_SUCCESS);
        assert_int_equal(clSetKernelArg(t->kernel, at++, sizeof none, &none), CL_SUCCESS);
    }
    assert_int_equal(clSetKernelArg(t->kernel, at, bytes, value), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(t->env->queue, t->kernel, 3, folded ? fold : NULL, folded ? row : whole,
                                            local, 0, NULL, NULL),
                     CL_SUCCESS);
    assert_int_equal(clFinish(t->env->queue), CL_SUCCESS);
}

void tiny_release(tiny *t, const cl_mem *mems, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (mems[i]) {
            clReleaseMemObject(mems[i]);
        }
    }
    clReleaseKernel(t->kernel);
    clReleaseProgram(t->program);
}

double tiny_number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / 8388608.0 - 1.0;
}

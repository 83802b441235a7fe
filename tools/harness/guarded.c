#include "harness/guarded.h"

#include <string.h>

#include "core/core.h"

#define CANARY 0xa5u

clattn_status ct_guarded_make(ct_guarded *out, cl_context context, cl_command_queue queue, const void *data,
                              size_t bytes, size_t skew)
{
    clattn_status st = CLATTN_OK;
    cl_int error = CL_SUCCESS;
    ct_guarded made = {.offset = CT_GUARD_BYTES + skew, .bytes = bytes, .total = bytes + skew + 2 * CT_GUARD_BYTES};
    unsigned char *image = ct_alloc(NULL, made.total);
    if (!image) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a guarded buffer of %zu bytes", made.total);
    }
    memset(image, CANARY, made.total);
    if (data) {
        memcpy(image + made.offset, data, bytes);
    } else {
        memset(image + made.offset, 0xff, bytes);
    }
    made.mem = clCreateBuffer(context, CL_MEM_READ_WRITE, made.total, NULL, &error);
    CT_TRYCL(error);
    CT_TRYCL(clEnqueueWriteBuffer(queue, made.mem, CL_TRUE, 0, made.total, image, 0, NULL, NULL));
    *out = made;
    made.mem = NULL;
out:
    if (made.mem) {
        clReleaseMemObject(made.mem);
    }
    ct_release(NULL, image);
    return st;
}

void ct_guarded_release(ct_guarded *buffer)
{
    if (buffer->mem) {
        clReleaseMemObject(buffer->mem);
    }
    memset(buffer, 0, sizeof(*buffer));
}

clattn_buf ct_guarded_buf(const ct_guarded *buffer)
{
    return clattn_buf_mem(buffer->mem, buffer->offset);
}

clattn_status ct_guarded_poison(const ct_guarded *buffer, cl_command_queue queue)
{
    clattn_status st = CLATTN_OK;
    const cl_uchar nan = 0xff;
    if (buffer->bytes) {
        CT_TRYCL(
            clEnqueueFillBuffer(queue, buffer->mem, &nan, sizeof(nan), buffer->offset, buffer->bytes, 0, NULL, NULL));
        CT_TRYCL(clFinish(queue));
    }
out:
    return st;
}

clattn_status ct_guarded_read(const ct_guarded *buffer, cl_command_queue queue, void *data)
{
    clattn_status st = CLATTN_OK;
    if (buffer->bytes) {
        CT_TRYCL(clEnqueueReadBuffer(queue, buffer->mem, CL_TRUE, buffer->offset, buffer->bytes, data, 0, NULL, NULL));
    }
out:
    return st;
}

clattn_status ct_guarded_verify(const ct_guarded *buffer, cl_command_queue queue, const char *name)
{
    clattn_status st = CLATTN_OK;
    unsigned char *image = ct_alloc(NULL, buffer->total);
    if (!image) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for a guarded buffer of %zu bytes", buffer->total);
    }
    CT_TRYCL(clEnqueueReadBuffer(queue, buffer->mem, CL_TRUE, 0, buffer->total, image, 0, NULL, NULL));
    for (size_t i = 0; i < buffer->total; i++) {
        const bool inside = i >= buffer->offset && i < buffer->offset + buffer->bytes;
        if (!inside && image[i] != CANARY) {
            CT_FAIL(CLATTN_INTERNAL, "%s: the byte at %lld of %zu was written, outside of the buffer", name,
                    (long long)i - (long long)buffer->offset, buffer->bytes);
        }
    }
out:
    ct_release(NULL, image);
    return st;
}

/* Tensors on the host, and the files they live in: .npy and .safetensors. */
#ifndef TENSOR_H
#define TENSOR_H

#include "core/core.h"

#define TENSOR_MAX_RANK 8

typedef struct tensor {
    clattn_dtype dtype;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    void *data; /* dense, the last dimension fastest */
} tensor;

int64_t tensor_count(const tensor *t);
size_t tensor_bytes(const tensor *t);
/* Zeros. CLATTN_INVALID_ARGUMENT if the size does not fit into memory's addresses. */
clattn_status tensor_make(tensor *t, clattn_dtype dtype, int rank, const int64_t *dims);
void tensor_release(tensor *t);
/* "[2, 8, 1024, 64] f32" */
void tensor_describe(const tensor *t, char *text, size_t bytes);
/* float types to each other, u8 to i32. */
clattn_status tensor_convert(tensor *t, clattn_dtype dtype);

/* Path by its ending: F.npy, F.safetensors, F.safetensors:NAME. `name`: what the tensor is called in a file that holds
 * several, unless the path says so. */
clattn_status tensor_load(const char *path, const char *name, tensor *out);
clattn_status tensor_save(const char *path, const char *name, const tensor *t);
/* Would tensor_save() know the path's format, and the format this type? To say so before a long run. */
clattn_status tensor_can_save(const char *path, clattn_dtype dtype);

/* For readers: room for a tensor whose elements take `file_size` bytes each and fill `bytes` bytes; checked against
 * overflow. */
clattn_status tensor_check_shape(int rank, const int64_t *dims, size_t file_size, size_t bytes);
/* int64 little endian to i32, CLATTN_INVALID_ARGUMENT with the first value that does not fit. */
clattn_status tensor_narrow(tensor *t, const uint8_t *from);
/* Writes bytes to a new file; CLATTN_IO names path and reason. The parts follow each other. */
clattn_status tensor_write_file(const char *path, const void *head, size_t head_bytes, const void *body,
                                size_t body_bytes);

#endif

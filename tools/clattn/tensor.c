#include "tensor.h"

#include "harness/storage.h"
#include "npy.h"
#include "safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int64_t tensor_count(const tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++) {
        count *= t->dims[i];
    }
    return count;
}

size_t tensor_bytes(const tensor *t)
{
    return (size_t)tensor_count(t) * clattn_dtype_size(t->dtype);
}

/* Elements of a shape, or -1 if their bytes do not fit. */
static int64_t checked_count(int rank, const int64_t *dims, size_t size)
{
    int64_t count = 1;
    const int64_t most = INT64_MAX / 16;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || (dims[i] > 0 && count > most / dims[i])) {
            return -1;
        }
        count *= dims[i];
    }
    return count > most / (int64_t)size ? -1 : count;
}

clattn_status tensor_check_shape(int rank, const int64_t *dims, size_t file_size, size_t bytes)
{
    const int64_t count = checked_count(rank, dims, file_size);
    if (count < 0) {
        return ct_fail(CLATTN_IO, "the shape has more elements than fit into memory");
    }
    if ((uint64_t)count * file_size != bytes) {
        return ct_fail(CLATTN_IO, "the shape needs %lld bytes of data, the file holds %zu",
                       (long long)count * (long long)file_size, bytes);
    }
    return CLATTN_OK;
}

clattn_status tensor_make(tensor *t, clattn_dtype dtype, int rank, const int64_t *dims)
{
    const int64_t count = checked_count(rank, dims, clattn_dtype_size(dtype));
    if (rank > TENSOR_MAX_RANK || count < 0) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "a tensor of rank %d with more elements than fit into memory", rank);
    }
    void *data = ct_alloc_array(NULL, (size_t)count, clattn_dtype_size(dtype));
    if (!data) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a tensor of %lld elements", (long long)count);
    }
    *t = (tensor){.dtype = dtype, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++) {
        t->dims[i] = dims[i];
    }
    return CLATTN_OK;
}

void tensor_release(tensor *t)
{
    ct_release(NULL, t->data);
    t->data = NULL;
}

void tensor_describe(const tensor *t, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "[");
    for (int i = 0; i < t->rank && used < bytes; i++) {
        used += (size_t)snprintf(text + used, bytes - used, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
    }
    if (used < bytes) {
        snprintf(text + used, bytes - used, "] %s", clattn_dtype_name(t->dtype));
    }
}

clattn_status tensor_convert(tensor *t, clattn_dtype dtype)
{
    tensor made;
    if (t->dtype == dtype) {
        return CLATTN_OK;
    }
    const bool from_float = t->dtype <= CLATTN_BF16, to_float = dtype <= CLATTN_BF16;
    if (from_float != to_float || dtype == CLATTN_U8) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "elements are %s, wanted are %s", clattn_dtype_name(t->dtype),
                       clattn_dtype_name(dtype));
    }
    const clattn_status st = tensor_make(&made, dtype, t->rank, t->dims);
    if (st != CLATTN_OK) {
        return st;
    }
    for (int64_t i = 0, count = tensor_count(t); i < count; i++) {
        ct_storage_write(dtype, made.data, i, ct_storage_read(t->dtype, t->data, i));
    }
    tensor_release(t);
    *t = made;
    return CLATTN_OK;
}

clattn_status tensor_narrow(tensor *t, const uint8_t *from)
{
    int32_t *to = t->data;
    for (int64_t i = 0, count = tensor_count(t); i < count; i++) {
        uint64_t bits = 0;
        for (int byte = 7; byte >= 0; byte--) {
            bits = bits << 8 | from[i * 8 + byte];
        }
        const int64_t value = (int64_t)bits;
        if (value < INT32_MIN || value > INT32_MAX) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "element %lld is %lld and does not fit into 32 bits", (long long)i,
                           (long long)value);
        }
        to[i] = (int32_t)value;
    }
    return CLATTN_OK;
}

typedef enum format { FORMAT_NONE, FORMAT_NPY, FORMAT_SAFETENSORS } format;

/* Splits F.safetensors:NAME; `file` is cut from `path`. */
static format split_path(const char *path, char *file, size_t bytes, const char **name)
{
    static const char ending[] = ".safetensors";
    const char *at = NULL;
    for (const char *next = strstr(path, ending); next; next = strstr(next + 1, ending)) {
        at = next;
    }
    const size_t length = strlen(path);
    const char *after = at ? at + sizeof ending - 1 : NULL;
    const bool safe = after && (*after == '\0' || (*after == ':' && after[1]));
    const size_t cut = safe ? (size_t)(after - path) : length;
    if (cut >= bytes) {
        return FORMAT_NONE;
    }
    memcpy(file, path, cut);
    file[cut] = '\0';
    if (safe) {
        *name = *after ? after + 1 : NULL;
        return FORMAT_SAFETENSORS;
    }
    return length > 4 && strcmp(path + length - 4, ".npy") == 0 ? FORMAT_NPY : FORMAT_NONE;
}

static clattn_status unknown_ending(const char *path)
{
    return ct_fail(CLATTN_INVALID_ARGUMENT, "%s: the name must end in .npy, .safetensors or .safetensors:NAME", path);
}

clattn_status tensor_load(const char *path, const char *name, tensor *out)
{
    clattn_status st = CLATTN_OK;
    char file[4096], reason[1024], *data = NULL;
    const char *own = NULL;
    size_t bytes = 0;
    const format kind = split_path(path, file, sizeof file, &own);
    if (kind == FORMAT_NONE) {
        return unknown_ending(path);
    }
    CT_TRY(ct_read_file(NULL, file, &data, &bytes));
    st = kind == FORMAT_NPY ? npy_parse(data, bytes, out) : safetensors_parse(data, bytes, own, name, out);
    if (st != CLATTN_OK) {
        snprintf(reason, sizeof reason, "%s", clattn_error_detail());
        CT_FAIL(st, "%s: %s", path, reason);
    }
out:
    ct_release(NULL, data);
    return st;
}

clattn_status tensor_can_save(const char *path, clattn_dtype dtype)
{
    char file[4096];
    const char *own = NULL;
    const format kind = split_path(path, file, sizeof file, &own);
    if (kind == FORMAT_NONE) {
        return unknown_ending(path);
    }
    return kind == FORMAT_NPY && dtype == CLATTN_BF16 ? npy_lacks_bf16(path) : CLATTN_OK;
}

clattn_status tensor_save(const char *path, const char *name, const tensor *t)
{
    char file[4096];
    const char *own = NULL;
    const format kind = split_path(path, file, sizeof file, &own);
    if (kind == FORMAT_NONE) {
        return unknown_ending(path);
    }
    return kind == FORMAT_NPY ? npy_save(file, t) : safetensors_save(file, own ? own : name, t);
}

clattn_status tensor_write_file(const char *path, const void *head, size_t head_bytes, const void *body,
                                size_t body_bytes)
{
    FILE *file = fopen(path, "wb");
    if (!file) {
        return ct_fail(CLATTN_IO, "%s: %s", path, strerror(errno));
    }
    bool good = fwrite(head, 1, head_bytes, file) == head_bytes;
    good = good && (body_bytes == 0 || fwrite(body, 1, body_bytes, file) == body_bytes);
    const int reason = errno;
    if (fclose(file) != 0 || !good) {
        const int last = good ? errno : reason;
        remove(path);
        return ct_fail(CLATTN_IO, "%s: %s", path, strerror(last));
    }
    return CLATTN_OK;
}

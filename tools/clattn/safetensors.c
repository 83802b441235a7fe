#include "safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER ((uint64_t)100 << 20) /* the format's own bound */

static const struct {
    const char *name;
    clattn_dtype dtype;
    size_t size;
} types[] = {
    {"F32", CLATTN_F32, 4}, {"F16", CLATTN_F16, 2}, {"BF16", CLATTN_BF16, 2}, {"I32", CLATTN_I32, 4},
    {"I64", CLATTN_I32, 8}, {"U8", CLATTN_U8, 1},   {"BOOL", CLATTN_U8, 1},
};

static clattn_status parse_header(const uint8_t *file, size_t bytes, json_t **out, size_t *data_at)
{
    uint64_t header = 0;
    json_error_t error;
    if (bytes < 8) {
        return ct_fail(CLATTN_IO, ".safetensors: %zu bytes are too few", bytes);
    }
    for (int i = 7; i >= 0; i--) {
        header = header << 8 | file[i];
    }
    if (header > MAX_HEADER || header > bytes - 8) {
        return ct_fail(CLATTN_IO, ".safetensors: a header of %llu bytes in a file of %zu", (unsigned long long)header,
                       bytes);
    }
    json_t *root = json_loadb((const char *)file + 8, (size_t)header, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        return ct_fail(CLATTN_IO, ".safetensors: the header is no JSON: %s", error.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return ct_fail(CLATTN_IO, ".safetensors: the header is not an object");
    }
    *out = root;
    *data_at = 8 + (size_t)header;
    return CLATTN_OK;
}

static clattn_status choose(json_t *root, const char *name, const char *hint, const char **chosen, json_t **entry)
{
    const char *key, *only = NULL;
    json_t *value;
    int count = 0;
    if (name) {
        *chosen = name;
        *entry = json_object_get(root, name);
        return *entry ? CLATTN_OK : ct_fail(CLATTN_INVALID_ARGUMENT, ".safetensors: no tensor '%s' in the file", name);
    }
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, "__metadata__") != 0) {
            only = key;
            count++;
        }
    }
    if (count > 1 && hint && json_object_get(root, hint)) {
        only = hint;
    } else if (count != 1) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       ".safetensors: %d tensors in the file; say which, FILE.safetensors:NAME", count);
    }
    *chosen = only;
    *entry = json_object_get(root, only);
    return CLATTN_OK;
}

static clattn_status parse_entry(json_t *entry, const char *name, size_t room, size_t *type, tensor *shape,
                                 size_t *begin)
{
    json_t *dtype = json_object_get(entry, "dtype"), *dims = json_object_get(entry, "shape");
    json_t *offsets = json_object_get(entry, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(dims) || !json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !json_is_integer(json_array_get(offsets, 0)) || !json_is_integer(json_array_get(offsets, 1))) {
        return ct_fail(CLATTN_IO, ".safetensors: tensor '%s' lacks dtype, shape or data_offsets", name);
    }
    for (*type = 0; *type < CT_COUNT(types) && strcmp(types[*type].name, json_string_value(dtype)) != 0;) {
        ++*type;
    }
    if (*type == CT_COUNT(types)) {
        return ct_fail(CLATTN_UNSUPPORTED,
                       ".safetensors: tensor '%s' has type %.16s; wanted is one of F32, F16, BF16, I32, I64, U8, BOOL",
                       name, json_string_value(dtype));
    }
    if (json_array_size(dims) > TENSOR_MAX_RANK) {
        return ct_fail(CLATTN_UNSUPPORTED, ".safetensors: tensor '%s' has %zu dimensions; at most %d", name,
                       json_array_size(dims), TENSOR_MAX_RANK);
    }
    shape->rank = (int)json_array_size(dims);
    for (int i = 0; i < shape->rank; i++) {
        json_t *dim = json_array_get(dims, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
            return ct_fail(CLATTN_IO, ".safetensors: tensor '%s': dimension %d is no size", name, i);
        }
        shape->dims[i] = json_integer_value(dim);
    }
    const json_int_t first = json_integer_value(json_array_get(offsets, 0)),
                     last = json_integer_value(json_array_get(offsets, 1));
    if (first < 0 || last < first || (uint64_t)last > room) {
        return ct_fail(CLATTN_IO, ".safetensors: tensor '%s': bytes %lld to %lld of %zu", name, (long long)first,
                       (long long)last, room);
    }
    *begin = (size_t)first;
    return tensor_check_shape(shape->rank, shape->dims, types[*type].size, (size_t)(last - first));
}

clattn_status safetensors_parse(const void *data, size_t bytes, const char *name, const char *hint, tensor *out)
{
    clattn_status st = CLATTN_OK;
    const uint8_t *file = data;
    json_t *root = NULL, *entry = NULL;
    const char *chosen = NULL;
    tensor shape = {0}, made = {0};
    size_t data_at = 0, begin = 0, type = 0;
    CT_TRY(parse_header(file, bytes, &root, &data_at));
    CT_TRY(choose(root, name, hint, &chosen, &entry));
    CT_TRY(parse_entry(entry, chosen, bytes - data_at, &type, &shape, &begin));
    CT_TRY(tensor_make(&made, types[type].dtype, shape.rank, shape.dims));
    if (types[type].size == 8) {
        CT_TRY(tensor_narrow(&made, file + data_at + begin));
    } else {
        memcpy(made.data, file + data_at + begin, tensor_bytes(&made));
    }
    *out = made;
    made = (tensor){0};
out:
    tensor_release(&made);
    json_decref(root);
    return st;
}

clattn_status safetensors_save(const char *path, const char *name, const tensor *t)
{
    static const char *const names[] = {
        [CLATTN_F32] = "F32", [CLATTN_F16] = "F16", [CLATTN_BF16] = "BF16", [CLATTN_I32] = "I32", [CLATTN_U8] = "U8"};
    clattn_status st = CLATTN_OK;
    ct_text head = {0};
    json_t *dims = json_array();
    for (int i = 0; i < t->rank; i++) {
        json_array_append_new(dims, json_integer(t->dims[i]));
    }
    json_t *root = json_pack("{s:{s:s, s:o, s:[I, I]}}", name, "dtype", names[t->dtype], "shape", dims, "data_offsets",
                             (json_int_t)0, (json_int_t)tensor_bytes(t));
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    ct_text_append(&head, "\0\0\0\0\0\0\0\0", 8);
    if (text) {
        ct_text_append(&head, text, strlen(text));
    }
    while (head.length % 8 != 0 && !head.failed) {
        ct_text_append(&head, " ", 1);
    }
    if (!text || head.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "%s: no memory for the header", path);
    }
    for (size_t i = 0, left = head.length - 8; i < 8; i++, left >>= 8) {
        head.data[i] = (char)(left & 255);
    }
    CT_TRY(tensor_write_file(path, head.data, head.length, t->data, tensor_bytes(t)));
out:
    free(text);
    json_decref(root);
    ct_text_release(&head);
    return st;
}

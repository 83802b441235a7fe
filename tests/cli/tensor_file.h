/* What the tests of file formats share: one file in a folder of its own, tensors with a pattern, and files that lie. */
#ifndef CLI_TENSOR_FILE_H
#define CLI_TENSOR_FILE_H

#include "clattn/tensor.h"
#include "cli/unit.h"
#include "harness/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/clattn-file-XXXXXX", path[128];

static inline int folder_make(const char *name)
{
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return 0;
}

static inline int folder_remove(void **state)
{
    (void)state;
    remove(path);
    return rmdir(folder);
}

static inline tensor patterned(clattn_dtype dtype, int rank, const int64_t *dims)
{
    tensor t;
    assert_int_equal(tensor_make(&t, dtype, rank, dims), CLATTN_OK);
    for (size_t b = 0; b < tensor_bytes(&t); b++) {
        ((uint8_t *)t.data)[b] = (uint8_t)(b * 37 + 11);
    }
    return t;
}

static inline void assert_same_tensor(const tensor *a, const tensor *b)
{
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(a->dims, b->dims, (size_t)b->rank * sizeof b->dims[0]);
    assert_memory_equal(a->data, b->data, tensor_bytes(b));
}

typedef clattn_status (*parse_fn)(const void *data, size_t bytes, tensor *out);

/* The parser gets a copy of exact length, so that a sanitizer sees every byte too many. */
static inline bool parses(parse_fn parse, const uint8_t *file, size_t length)
{
    tensor t = {0};
    uint8_t *copy = malloc(length ? length : 1);
    memcpy(copy, file, length);
    const bool good = parse(copy, length, &t) == CLATTN_OK;
    tensor_release(&t);
    free(copy);
    return good;
}

static inline void cut(parse_fn parse, const uint8_t *file, size_t length)
{
    assert_true(parses(parse, file, length));
    for (size_t i = 0; i < length; i++) {
        assert_false(parses(parse, file, i));
    }
}

static inline void flip(parse_fn parse, const uint8_t *file, size_t length)
{
    uint8_t hurt[1024];
    ct_random random = ct_random_of(5, 0);
    for (int turn = 0; turn < 20000; turn++) {
        memcpy(hurt, file, length);
        for (int64_t flips = ct_random_int(&random, 1, 4); flips > 0; flips--) {
            hurt[ct_random_int(&random, 0, (int64_t)length - 1)] ^= (uint8_t)(1 << ct_random_int(&random, 0, 7));
        }
        (void)parses(parse, hurt, length);
    }
}

#endif

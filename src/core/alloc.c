/* The only file that calls malloc. */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>

void *ct_alloc(const clattn_allocator *allocator, size_t bytes)
{
    void *pointer;
    if (bytes == 0) {
        bytes = 1;
    }
    if (allocator && allocator->allocate) {
        pointer = allocator->allocate(bytes, allocator->user);
    } else {
        pointer = malloc(bytes);
    }
    if (pointer) {
        memset(pointer, 0, bytes);
    }
    return pointer;
}

void ct_release(const clattn_allocator *allocator, void *pointer)
{
    if (!pointer) {
        return;
    }
    if (allocator && allocator->release) {
        allocator->release(pointer, allocator->user);
    } else {
        free(pointer);
    }
}

void *ct_alloc_array(const clattn_allocator *allocator, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        return NULL;
    }
    return ct_alloc(allocator, count * size);
}

char *ct_strdup(const clattn_allocator *allocator, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = ct_alloc(allocator, bytes);
    if (copy) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

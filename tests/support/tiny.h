/* One tiny kernel behind a tile's texts: built, run, read. */
#ifndef TEST_TINY_H
#define TEST_TINY_H

#include "tile/tiles.h"
#include "support/env.h"

typedef struct tiny {
    const ct_env *env;
    const ct_tile *tile;
    cl_program program;
    cl_kernel kernel; /* "words" */
} tiny;

bool tiny_usable(const tiny *t, int index);
/* tile.cl, `parts` (ended by NULL, at most three), `text`; fails the test with the compiler's log. */
void tiny_build(tiny *t, const char *const *parts, const ct_define *defines, size_t n_defines, const ct_define *more,
                size_t n_more, const char *text);
cl_mem tiny_buffer(const tiny *t, size_t bytes, void *data);
void tiny_read(const tiny *t, cl_mem mem, size_t bytes, void *data);
/* Every buffer with offset 0, then one value. `folded`: the kernel is built with FOLD (cl/tile/tile.cl). */
void tiny_run(const tiny *t, const cl_mem *mems, size_t n, const void *value, size_t bytes, size_t items, size_t x,
              size_t y, size_t z, bool folded);
/* Buffers, kernel and program. */
void tiny_release(tiny *t, const cl_mem *mems, size_t n);
/* Fixed numbers in [-1, 1). */
double tiny_number(uint32_t *seed);

#endif

/* NumPy's .npy, versions 1 and 2, C order, little endian: f4, f2, i4, i8 (if the values fit into 32 bits), u1, b1. */
#ifndef NPY_H
#define NPY_H

#include "tensor.h"

clattn_status npy_parse(const void *data, size_t bytes, tensor *out);
/* CLATTN_UNSUPPORTED, with a way out. */
clattn_status npy_lacks_bf16(const char *path);
/* The above for bf16. */
clattn_status npy_save(const char *path, const tensor *t);

#endif

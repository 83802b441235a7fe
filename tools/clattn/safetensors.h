/* The .safetensors format: 8 bytes of header length, a JSON header, raw data. F32, F16, BF16, I32, I64 (if it fits),
 * U8, BOOL. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "tensor.h"

/* `name` NULL: the only tensor of the file; else the tensor of that name. `hint` is tried if name is NULL and there are
 * several. */
clattn_status safetensors_parse(const void *data, size_t bytes, const char *name, const char *hint, tensor *out);
clattn_status safetensors_save(const char *path, const char *name, const tensor *t);

#endif

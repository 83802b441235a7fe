/* Types by name, and buffers. */
#include "core/core.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"f32", 4}, {"f16", 2}, {"bf16", 2}, {"i32", 4}, {"u8", 1}};

size_t clattn_dtype_size(clattn_dtype dtype)
{
    return (size_t)dtype < CT_COUNT(dtypes) ? dtypes[dtype].size : 0;
}

const char *clattn_dtype_name(clattn_dtype dtype)
{
    return (size_t)dtype < CT_COUNT(dtypes) ? dtypes[dtype].name : "unknown";
}

clattn_buf clattn_buf_mem(cl_mem mem, size_t offset)
{
    return (clattn_buf){mem, NULL, offset};
}

clattn_buf clattn_buf_svm(void *pointer)
{
    return (clattn_buf){NULL, pointer, 0};
}

clattn_buf clattn_buf_none(void)
{
    return (clattn_buf){NULL, NULL, 0};
}

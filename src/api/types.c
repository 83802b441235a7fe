/* Types, buffers and slots by name. */
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

static const char *const slots[CLATTN_SLOT_COUNT] = {
    [CLATTN_Q] = "q",
    [CLATTN_K] = "k",
    [CLATTN_V] = "v",
    [CLATTN_O] = "o",
    [CLATTN_LSE] = "lse",
    [CLATTN_STATE_IN] = "state-in",
    [CLATTN_STATE_OUT] = "state-out",
    [CLATTN_DECAY] = "decay",
    [CLATTN_GATE] = "gate",
    [CLATTN_GATE_WEIGHT] = "gate-weight",
    [CLATTN_GATE_BIAS] = "gate-bias",
    [CLATTN_BIAS] = "bias",
    [CLATTN_SINK] = "sink",
    [CLATTN_ALIBI_SLOPES] = "alibi-slopes",
    [CLATTN_KEY_PADDING] = "key-padding",
    [CLATTN_CU_SEQLENS] = "cu-seqlens",
    [CLATTN_CU_SEQLENS_K] = "cu-seqlens-k",
    [CLATTN_ROW_PTR] = "row-ptr",
    [CLATTN_COL_IDX] = "col-idx",
    [CLATTN_BLOCK_MASK] = "block-mask",
    [CLATTN_BLOCK_TABLE] = "block-table",
    [CLATTN_POSITIONS] = "positions",
    [CLATTN_TEXT_BUFFER] = "text-buffer",
    [CLATTN_O_PARTS] = "o-parts",
    [CLATTN_LSE_PARTS] = "lse-parts",
};

const char *clattn_slot_name(clattn_slot slot)
{
    return (size_t)slot < CT_COUNT(slots) && slots[slot] ? slots[slot] : "unknown";
}

#include "harness/tensor.h"

#include <string.h>

#include "harness/storage.h"
#include "plan/slots.h"

clattn_status ct_tensor_make(ct_tensor *out, const clattn_plan *plan, const clattn_problem *problem, clattn_slot slot,
                             int64_t open)
{
    clattn_status st = CLATTN_OK;
    int want = 0;
    ct_tensor t = {.slot = slot, .output = ct_slot_is(slot, problem->pass, CT_OUTPUT)};
    CT_TRY(clattn_plan_slot(plan, slot, &want, &t.dtype, &t.rank, t.dims));
    const bool choice = want && t.rank == 1 && t.dims[0] == 0;
    t.dims[0] = choice ? open : t.dims[0];
    *out = t;
    if (want == 0 || (choice && open == 0)) {
        goto out;
    }
    out->used = true;
    int64_t step = 1, last = 0;
    out->count = 1;
    for (int i = t.rank - 1; i >= 0; i--) {
        out->steps[i] = step;
        step *= t.dims[i];
        out->count *= t.dims[i];
    }
    if (ct_slots[slot].strides) {
        const clattn_strides s = ct_slot_strides(problem, slot);
        memcpy(out->steps, (const int64_t[4]){s.batch, s.head, s.row, 1}, 4 * sizeof(int64_t));
    }
    for (int i = 0; i < t.rank; i++) {
        last += (t.dims[i] - 1) * out->steps[i];
    }
    out->bytes = out->count > 0 ? (size_t)(last + 1) * clattn_dtype_size(t.dtype) : 0;
    out->values = ct_alloc_array(NULL, (size_t)out->count, sizeof(double));
    out->raw = ct_alloc(NULL, out->bytes);
    if (!out->values || !out->raw) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no host memory for slot '%s', %lld elements", clattn_slot_name(slot),
                (long long)out->count);
    }
    memset(out->raw, 0xff, out->bytes);
out:
    return st;
}

void ct_tensor_release(ct_tensor *tensor)
{
    ct_guarded_release(&tensor->device);
    ct_release(NULL, tensor->values);
    ct_release(NULL, tensor->raw);
    memset(tensor, 0, sizeof(*tensor));
}

/* Where dense element `index` lies in `raw`, in elements. */
static int64_t place(const ct_tensor *t, int64_t index)
{
    int64_t at = 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        at += index % t->dims[i] * t->steps[i];
        index /= t->dims[i];
    }
    return at;
}

void ct_tensor_pack(ct_tensor *tensor)
{
    memset(tensor->raw, 0xff, tensor->bytes);
    for (int64_t i = 0; i < tensor->count; i++) {
        const int64_t at = place(tensor, i);
        ct_storage_write(tensor->dtype, tensor->raw, at, tensor->values[i]);
        tensor->values[i] = ct_storage_read(tensor->dtype, tensor->raw, at);
    }
}

bool ct_tensor_unpack(ct_tensor *tensor)
{
    const size_t size = clattn_dtype_size(tensor->dtype);
    for (int64_t i = 0; i < tensor->count; i++) {
        const int64_t at = place(tensor, i);
        tensor->values[i] = ct_storage_read(tensor->dtype, tensor->raw, at);
        memset(tensor->raw + (size_t)at * size, 0xff, size);
    }
    for (size_t i = 0; i < tensor->bytes; i++) {
        if (tensor->raw[i] != 0xff) {
            return false;
        }
    }
    return true;
}

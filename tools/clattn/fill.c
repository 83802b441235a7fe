/* Contents for benchmarks: values of a normal distribution, drawn fast; everything else as checks draw it. */
#include "harness/inputs.h"
#include "harness/random.h"
#include "harness/storage.h"
#include "plan/slots.h"
#include "runner.h"

#define TABLE 65536

/* N(0, 1): a table of normal numbers at random places, with random signs. */
static void fill_normal(clattn_dtype dtype, void *data, int64_t count, uint64_t seed)
{
    static const uint64_t step = 6364136223846793005ull;
    uint16_t half[TABLE];
    float table[TABLE];
    ct_random random = ct_random_of(seed, 77);
    uint64_t state = seed * 2 + 1;
    for (int i = 0; i < TABLE; i++) {
        table[i] = (float)ct_random_normal(&random);
        half[i] = dtype == CLATTN_F16 ? ct_f16_from(table[i]) : ct_bf16_from(table[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        state = state * step + 1442695040888963407ull;
        const unsigned at = (unsigned)(state >> 40) % TABLE;
        const bool negative = state >> 63;
        if (dtype == CLATTN_F32) {
            ((float *)data)[i] = negative ? -table[at] : table[at];
        } else {
            ((uint16_t *)data)[i] = (uint16_t)(half[at] ^ (negative ? 0x8000 : 0));
        }
    }
}

static clattn_status fill_as_checks_do(const ct_fill *fill, clattn_slot slot, clattn_dtype dtype, int rank,
                                       const int64_t *dims, int64_t count, void *data)
{
    double *values = ct_alloc_array(NULL, (size_t)count, sizeof *values);
    if (!values) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %lld values of %s", (long long)count,
                       clattn_slot_name(slot));
    }
    ct_fill_slot(fill, slot, rank, dims, values);
    for (int64_t i = 0; i < count; i++) {
        ct_storage_write(dtype, data, i, values[i]);
    }
    ct_release(NULL, values);
    return CLATTN_OK;
}

static clattn_status fill_one(runner *r, const ct_fill *fill, clattn_slot slot, clattn_dtype dtype, int rank,
                              int64_t *dims)
{
    clattn_status st = CLATTN_OK;
    int64_t count = 1;
    if (slot == CLATTN_COL_IDX && fill->layout) { /* as long as the lists are: every block at most */
        dims[0] = (int64_t)fill->layout->heads * fill->layout->rows * fill->layout->cols;
    } else if (slot == CLATTN_TEXT_BUFFER && dims[0] == 0) { /* as long as the text likes */
        dims[0] = TABLE;
    }
    for (int i = 0; i < rank; i++) {
        count *= dims[i];
    }
    const size_t bytes = (size_t)count * clattn_dtype_size(dtype);
    if (ct_slot_is(slot, fill->problem->pass, CT_OUTPUT)) {
        return runner_give(r, slot, NULL, bytes);
    }
    void *data = ct_alloc(NULL, bytes);
    if (!data) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %zu bytes of %s", bytes, clattn_slot_name(slot));
    }
    const bool plain = ct_slots[slot].contents == CT_TOKENS || ct_slots[slot].contents == CT_BIASES;
    if (plain && dtype <= CLATTN_BF16) {
        fill_normal(dtype, data, count, fill->seed * 64 + (uint64_t)slot);
    } else {
        CT_TRY(fill_as_checks_do(fill, slot, dtype, rank, dims, count, data));
    }
    CT_TRY(runner_give(r, slot, data, bytes));
out:
    ct_release(NULL, data);
    return st;
}

clattn_status runner_fill(runner *r, const clattn_problem *problem, uint64_t seed)
{
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    if (problem->pattern.kind >= CLATTN_PATTERN_CSR) {
        CT_TRY(clattn_layout_from_problem(&layout, problem, NULL));
    }
    const ct_fill fill = {.problem = problem, .layout = layout, .inputs = CT_INPUTS_NORMAL, .seed = seed};
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        clattn_dtype dtype = CLATTN_F32;
        int want = 0, rank = 0;
        int64_t dims[5];
        CT_TRY(clattn_plan_slot(r->plan, (clattn_slot)slot, &want, &dtype, &rank, dims));
        /* gradients are optional: all of them are made */
        const bool gradient =
            want && problem->pass == CLATTN_BWD && ct_slot_is((clattn_slot)slot, CLATTN_BWD, CT_OUTPUT);
        const bool made_forward = problem->pass == CLATTN_BWD && (slot == CLATTN_O || slot == CLATTN_LSE);
        if ((want == 2 || gradient) && !made_forward && !r->mem[slot]) {
            CT_TRY(fill_one(r, &fill, (clattn_slot)slot, dtype, rank, dims));
        }
    }
    if (problem->pass == CLATTN_BWD) {
        CT_TRY(runner_forward(r, problem));
    }
out:
    clattn_layout_release(layout);
    return st;
}

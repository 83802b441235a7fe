#include "harness/inputs.h"

#include <float.h>
#include <math.h>

#include "plan/method.h"
#include "plan/slots.h"

static const double mask_constants[CT_MASK_CONSTANTS] = {-1e4,  -7.3e5, -1e9,  -1e10, -9e15,    -1e20,    -1e29,
                                                         -1e30, -1e32,  -3e38, 1e10,  -FLT_MAX, -INFINITY};

static int64_t count_of(int rank, const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        count *= dims[i];
    }
    return count;
}

/* How large q, k and v may be: a state sums products over all tokens and must fit the storage type. */
static double large_value(const clattn_problem *problem, clattn_slot slot)
{
    const bool sums = problem->feature || problem->decay || problem->state;
    if (slot != CLATTN_V) {
        return 3.0;
    }
    /* results are of dtype, whatever v is */
    const clattn_dtype stored = ct_slot_dtype(problem, slot), dtype = stored == CLATTN_F16 ? stored : problem->dtype;
    switch (dtype) {
    case CLATTN_F16:
        return sums ? 2.0 : 4000.0;
    case CLATTN_BF16:
        return 1e6;
    default:
        return 1e12;
    }
}

/* The unit of CT_INPUTS_WHOLE: scores as large as q and k can make them, but for sums over all tokens. */
static double whole_unit(const ct_fill *fill, ct_random *random)
{
    const ct_method *method = ct_method_find(fill->problem->method);
    const bool half = fill->problem->dtype == CLATTN_F16 || fill->problem->kv_dtype == CLATTN_AS_F16;
    const int64_t most = method->linear ? 0 : half ? 12 : 17;
    return ldexp(1.0, (int)ct_random_int(random, 0, most));
}

static void fill_tensor(const ct_fill *fill, clattn_slot slot, const int64_t *dims, double *values, ct_random *random)
{
    const int64_t count = count_of(4, dims), d = dims[3];
    const bool value = slot == CLATTN_V;
    ct_random whole = ct_random_of(fill->seed, 2000);
    const double unit = whole_unit(fill, &whole);
    const bool equal = ct_random_chance(&whole, 0.25);
    int64_t hot = 0;
    for (int64_t i = 0; i < count; i++) {
        switch (fill->inputs) {
        case CT_INPUTS_SHARP:
            values[i] = ct_random_normal(random) * (slot == CLATTN_Q ? 8.0 : 1.0);
            break;
        case CT_INPUTS_CONSTANT:
            /* were what arrives constant, too, the peer's gradients would be exactly the 0 that they are; so would
             * be what a norm leaves of a token */
            values[i] = slot == CLATTN_Q || slot == CLATTN_K ? 0.5
                        : value && !fill->problem->norm      ? 1.5
                                                             : ct_random_normal(random);
            break;
        case CT_INPUTS_ONE_HOT:
            /* not quite the same everywhere: exact scores would make the peer exact, too */
            hot = i % d == 0 ? ct_random_int(random, 0, d - 1) : hot;
            values[i] = value          ? ct_random_normal(random)
                        : i % d == hot ? (1.5 + ct_random_unit(random)) * sqrt((double)d)
                                       : 0.0;
            break;
        case CT_INPUTS_LARGE:
            values[i] = ct_random_normal(random) * large_value(fill->problem, slot);
            break;
        case CT_INPUTS_DENORMAL:
            values[i] = ct_random_normal(random) * (ct_slot_dtype(fill->problem, slot) == CLATTN_F16 ? 1e-6 : 1e-39);
            break;
        case CT_INPUTS_WHOLE:
            values[i] = value ? ct_random_normal(random) : unit * (equal ? 1.0 : (double)ct_random_int(random, -3, 3));
            break;
        default:
            values[i] = ct_random_normal(random);
        }
    }
}

static void fill_state(const ct_fill *fill, int64_t count, double *values, ct_random *random)
{
    const int64_t width = fill->problem->dv + (fill->problem->normalise ? 1 : 0);
    for (int64_t i = 0; i < count; i++) {
        values[i] = ct_random_normal(random);
        if (fill->problem->normalise && i % width == width - 1) {
            values[i] = fabs(values[i]) + 0.5; /* a normaliser is a sum of weights */
        }
    }
}

static void fill_decay(int64_t count, double *values, ct_random *random)
{
    for (int64_t i = 0; i < count; i++) {
        const double kind = ct_random_unit(random);
        values[i] = kind < 0.1 ? 0.0 : kind < 0.13 ? -30.0 : -0.3 * fabs(ct_random_normal(random));
    }
}

/* Lengths that sum to `total`, none above `longest`; some are 0 if that is possible. */
static void fill_cuts(int64_t sequences, int64_t total, int64_t longest, double *values, ct_random *random)
{
    int64_t at = 0;
    values[0] = 0;
    for (int64_t s = 0; s < sequences; s++) {
        const int64_t left = total - at, after = sequences - s - 1;
        const int64_t low = ct_max(0, left - after * longest), high = ct_min(longest, left);
        at += ct_random_chance(random, 0.15) ? low : ct_random_int(random, low, high);
        values[s + 1] = (double)at;
    }
}

/* One list of each row of the layout: ascending columns, sometimes none, sometimes all. Returns their number. */
static int draw_row(const clattn_layout *layout, int32_t *cols, ct_random *random)
{
    const double kind = ct_random_unit(random), density = kind < 0.1 ? 0.0 : kind < 0.2 ? 1.0 : 0.5;
    int n = 0;
    for (int c = 0; c < layout->cols; c++) {
        if (ct_random_chance(random, density)) {
            cols[n++] = c;
        }
    }
    return n;
}

/* Lists in the form of `slot`; ROW_PTR and COL_IDX draw the same numbers. */
static void fill_lists(const ct_fill *fill, clattn_slot slot, int64_t count, double *values)
{
    const clattn_layout *layout = fill->layout;
    ct_random random = ct_random_of(fill->seed, CLATTN_ROW_PTR);
    int32_t *cols = layout ? ct_alloc_array(NULL, (size_t)layout->cols, sizeof(int32_t)) : NULL;
    for (int64_t i = 0; i < count; i++) {
        values[i] = slot == CLATTN_COL_IDX || slot == CLATTN_BLOCK_TABLE ? -1 : 0;
    }
    int64_t at = 0;
    for (int64_t r = 0; cols && r < (int64_t)layout->heads * layout->rows; r++) {
        int n = draw_row(layout, cols, &random);
        if (slot == CLATTN_BLOCK_TABLE && n > layout->width) {
            n = layout->width;
        }
        for (int i = 0; i < n; i++) {
            if (slot == CLATTN_COL_IDX) {
                values[at + i] = cols[i];
            } else if (slot == CLATTN_BLOCK_TABLE) {
                values[r * layout->width + i] = cols[i];
            } else if (slot == CLATTN_BLOCK_MASK) {
                values[r * layout->cols + cols[i]] = 1;
            }
        }
        at += n;
        if (slot == CLATTN_ROW_PTR) {
            values[r + 1] = (double)at;
        }
    }
    ct_release(NULL, cols);
}

/* Ascending, distinct. */
static void fill_positions(int64_t count, int64_t nk, double *values, ct_random *random)
{
    int64_t next = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t slack = nk - next - (count - i);
        next += slack > 0 ? ct_random_int(random, 0, ct_min(slack, 2 * slack / (count - i) + 1)) : 0;
        values[i] = (double)next++;
    }
}

/* An additive bias: normal, and one of the constants that stand for "masked" over the first keys, over keys here and
 * there, or over whole rows. */
static void fill_bias(const ct_fill *fill, const int64_t *dims, double *values, ct_random *random)
{
    const int64_t count = count_of(4, dims), nk = dims[3];
    const double constant = fill->mask ? mask_constants[fill->mask - 1] : 0.0, kind = ct_random_unit(random);
    const int64_t leading = ct_random_int(random, 0, nk);
    bool whole = false;
    for (int64_t i = 0; i < count; i++) {
        values[i] = ct_random_normal(random);
        whole = i % nk ? whole : ct_random_chance(random, 0.3);
        const bool masked = kind < 0.4 ? i % nk < leading : kind < 0.7 ? ct_random_chance(random, 0.3) : whole;
        values[i] = fill->mask && masked ? constant : values[i];
    }
}

static void nan_row(double *tensor, const int64_t *dims, int64_t batch, int64_t row, ct_random *random)
{
    for (int64_t h = 0; h < dims[1]; h++) {
        tensor[((batch * dims[1] + h) * dims[2] + row) * dims[3] + ct_random_int(random, 0, dims[3] - 1)] = NAN;
    }
}

void ct_spread_nan(uint64_t seed, int64_t dims[3][4], double *const tensors[3], const double *padding, bool seen)
{
    ct_random random = ct_random_of(seed, 2001);
    const int64_t *q = dims[0], *k = dims[1], *v = dims[2];
    for (int64_t b = 0; padding && b < k[0]; b++) {
        for (int64_t j = 0; j < k[2]; j++) {
            if (padding[b * k[2] + j] == 0 && ct_random_chance(&random, 0.5)) {
                nan_row(tensors[1], k, b, j, &random);
                nan_row(tensors[2], v, b, j, &random);
            }
        }
    }
    if (!seen) {
        return;
    }
    nan_row(tensors[0], q, ct_random_int(&random, 0, q[0] - 1), ct_random_int(&random, 0, q[2] - 1), &random);
    nan_row(tensors[1], k, ct_random_int(&random, 0, k[0] - 1), ct_random_int(&random, 0, k[2] - 1), &random);
}

static void fill_gate(int64_t count, double *values, ct_random *random)
{
    for (int64_t i = 0; i < count; i++) {
        const double kind = ct_random_unit(random);
        values[i] = kind < 0.05 ? 0.0 : kind < 0.1 ? 1.0 : ct_random_unit(random);
    }
}

/* Hides a fifth of the keys; sometimes all of a batch entry. */
static void fill_padding(const int64_t *dims, double *values, ct_random *random)
{
    for (int64_t b = 0; b < dims[0]; b++) {
        const double shown = ct_random_chance(random, 0.1) ? 0.0 : 0.8;
        for (int64_t j = 0; j < dims[1]; j++) {
            values[b * dims[1] + j] = ct_random_chance(random, shown);
        }
    }
}

static void fill_numbers(int64_t count, double size, double *values, ct_random *random)
{
    for (int64_t i = 0; i < count; i++) {
        values[i] = size * ct_random_normal(random);
    }
}

static void fill_slopes(int64_t count, double *values, ct_random *random)
{
    for (int64_t i = 0; i < count; i++) {
        values[i] = fabs(0.2 * ct_random_normal(random));
    }
}

/* Ties, both zeros, NaN, infinities. */
static void fill_ranks(int64_t count, double *values, ct_random *random)
{
    static const double strange[] = {NAN, -INFINITY, INFINITY, -0.0, 0.0, 1e-42};
    const double step = ct_random_chance(random, 0.5) ? 0.5 : 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double x = ct_random_normal(random);
        values[i] = step > 0.0 ? step * floor(x / step) : x;
        values[i] = ct_random_chance(random, 0.15) ? strange[ct_random_int(random, 0, 5)] : values[i];
    }
}

/* Some parts saw no key. */
static void fill_log_sums(int64_t count, double *values, ct_random *random)
{
    for (int64_t i = 0; i < count; i++) {
        values[i] = ct_random_normal(random);
        values[i] = ct_random_chance(random, 0.1) ? -INFINITY : values[i];
    }
}

void ct_fill_slot(const ct_fill *fill, clattn_slot slot, int rank, const int64_t *dims, double *values)
{
    const clattn_problem *problem = fill->problem;
    const int64_t count = count_of(rank, dims);
    ct_random random = ct_random_of(fill->seed, (uint64_t)slot);
    const bool of_keys = slot == CLATTN_CU_SEQLENS_K;
    const int64_t tokens = of_keys ? problem->nk : problem->nq, longest = of_keys ? problem->max_k : problem->max_q;
    switch (ct_slots[slot].contents) {
    case CT_TOKENS:
        fill_tensor(fill, slot, dims, values, &random);
        break;
    case CT_STATES:
        fill_state(fill, count, values, &random);
        break;
    case CT_DECAYS:
        fill_decay(count, values, &random);
        break;
    case CT_BIASES:
        fill_bias(fill, dims, values, &random);
        break;
    case CT_GATES:
        fill_gate(count, values, &random);
        break;
    case CT_FLAGS:
        fill_padding(dims, values, &random);
        break;
    case CT_CUTS:
        fill_cuts(problem->sequences, tokens, longest ? longest : tokens, values, &random);
        break;
    case CT_LISTS:
        fill_lists(fill, slot, count, values);
        break;
    case CT_POSITIONS:
        fill_positions(count, problem->sequences && problem->max_k ? problem->max_k : problem->nk, values, &random);
        break;
    case CT_WEIGHTS:
        fill_numbers(count, 1.0 / sqrt((double)problem->dqk), values, &random);
        break;
    case CT_SLOPES:
        fill_slopes(count, values, &random);
        break;
    case CT_RANKS:
        fill_ranks(count, values, &random);
        break;
    case CT_LOG_SUMS:
        fill_log_sums(count, values, &random);
        break;
    case CT_NUMBERS:
    case CT_CHOICES:
        fill_numbers(count, 1.0, values, &random);
        break;
    }
}

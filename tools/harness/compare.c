#include "harness/compare.h"

#include <float.h>
#include <math.h>

#include "harness/storage.h"

static double rms_bound(const ct_comparison *c)
{
    const clattn_dtype narrowest = c->dtype == CLATTN_F32 ? c->operands : c->dtype;
    return narrowest == CLATTN_BF16 ? 3e-3 : narrowest == CLATTN_F16 ? 4e-4 : 5e-6;
}

/* One rounding to the storage or, where that is float, to an operand, which has float's range. */
static double rounding(const ct_comparison *c, double scale)
{
    return c->dtype != CLATTN_F32 || c->operands == CLATTN_F32 ? ct_storage_ulp(c->dtype, scale)
           : c->operands == CLATTN_BF16                        ? 0x1p-7 * scale
                                                               : 0x1p-10 * scale;
}

typedef struct sums {
    double error, peers[2], reference, count;
} sums;

/* What overflows the storage counts as its largest number, on both sides: there infinity is the right answer. */
static double saturated(clattn_dtype dtype, double x)
{
    const double most = dtype == CLATTN_F16 ? 65504.0 : dtype == CLATTN_BF16 ? 0x1.fep127 : FLT_MAX;
    return x > most ? most : x < -most ? -most : x;
}

static void add(const ct_comparison *c, int64_t i, ct_check_figure *figure, sums *sum)
{
    if (c->nan && isnan(c->reference[i])) {
        return;
    }
    if (c->log_sum && c->reference[i] == -INFINITY) {
        figure->bad += c->got[i] != -INFINITY;
        return;
    }
    const double want = saturated(c->dtype, c->reference[i]), got = saturated(c->dtype, c->got[i]);
    if (isnan(got) || !isfinite(c->reference[i]) || (c->log_sum && isinf(c->got[i]))) {
        figure->bad++;
        figure->worst = figure->bad == 1 ? i : figure->worst;
        return;
    }
    const double error = fabs(got - want);
    if (error > figure->max && figure->bad == 0) {
        figure->worst = i;
    }
    figure->max = fmax(figure->max, error);
    for (int p = 0; p < 2; p++) {
        const double peer = fabs(saturated(c->dtype, ct_storage_round(c->dtype, c->peers[p][i])) - want);
        figure->peer_max = fmax(figure->peer_max, peer);
        sum->peers[p] += peer * peer;
    }
    figure->scale = fmax(figure->scale, fabs(want));
    sum->error += error * error;
    sum->count++;
    sum->reference += want * want;
}

ct_check_figure ct_compare(const ct_comparison *c)
{
    ct_check_figure figure = {.present = true};
    sums sum = {0};
    const int64_t rows = c->rows ? c->n_rows : c->count / c->width;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t row = c->rows ? c->rows[r] : r;
        for (int64_t i = row * c->width; i < (row + 1) * c->width; i++) {
            add(c, i, &figure, &sum);
        }
    }
    /* devices may flush what is below the smallest normal float */
    const double floor = figure.scale < 1e3 * FLT_MIN ? figure.scale + FLT_MIN : FLT_MIN;
    /* and a few roundings of float where the peer is exact by luck (equal values, say) */
    const double ulp = rounding(c, figure.scale) + 3.0 * ct_storage_ulp(CLATTN_F32, figure.scale);
    /* the largest of a peer's few errors may be small by luck; their mean square is not */
    const double usual = 3.0 * sqrt(fmax(sum.peers[0], sum.peers[1]) / fmax(1.0, sum.count));
    figure.limit_max =
        c->times * fmax(figure.peer_max, usual) + (c->log_sum ? 1e-5 * fmax(1.0, figure.scale) : ulp) + floor;
    figure.passed = figure.bad == 0 && figure.max <= figure.limit_max;
    figure.limit_rms = INFINITY;
    if (sum.reference > 0) {
        figure.rms = sqrt(sum.error / sum.reference);
        figure.peer_rms = sqrt(fmax(sum.peers[0], sum.peers[1]) / sum.reference);
    }
    if (!c->log_sum && figure.scale > 1e3 * FLT_MIN) {
        /* inputs made to be hard may put the peer itself outside of the bound */
        figure.limit_rms = fmax(rms_bound(c), c->times * figure.peer_rms);
        figure.passed = figure.passed && figure.rms <= figure.limit_rms;
    }
    figure.passed = c->exact ? figure.bad == 0 && figure.max == 0 : figure.passed;
    return figure;
}

#include "core/core.h"

#include <math.h>

/* Slopes of a power of two of heads: 2^(-8 (h + 1) / heads). */
static double power_slope(int head, int heads)
{
    return exp2(-8.0 * (head + 1) / heads);
}

static double alibi_slope(int head, int heads)
{
    int power = 1;
    while (power <= heads / 2) {
        power *= 2;
    }
    if (head < power) {
        return power_slope(head, power);
    }
    /* the heads beyond a power of two take every other slope of the next one */
    return power_slope(2 * (head - power), 2 * power);
}

static double decay_slope(clattn_decay law, int layer, int layers, int head, int heads)
{
    switch (law) {
    case CLATTN_DECAY_ALIBI:
        return -alibi_slope(head, heads);
    case CLATTN_DECAY_MINIMAX: {
        const double depth = layers > 1 ? (double)layer / (layers - 1) : 0.0;
        return -alibi_slope(head, heads) * (1.0 - depth + 1e-5);
    }
    case CLATTN_DECAY_FLA:
        return -(8.0 / heads) * (1.0 - (double)layer / layers) * head;
    case CLATTN_DECAY_RETENTION:
        return log1p(-exp2(-5.0 - head));
    default:
        return 0.0;
    }
}

clattn_status clattn_alibi_slopes(int heads, float *slopes)
{
    if (heads < 1 || !slopes) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_alibi_slopes: %s is %d, must be %s",
                       slopes ? "heads" : "slopes", slopes ? heads : 0, slopes ? "at least 1" : "a pointer");
    }
    for (int h = 0; h < heads; h++) {
        slopes[h] = (float)alibi_slope(h, heads);
    }
    return CLATTN_OK;
}

clattn_status clattn_decay_slopes(clattn_decay law, int layer, int layers, int heads, float *slopes)
{
    if (!slopes) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_decay_slopes: slopes is NULL");
    }
    if (law < CLATTN_DECAY_ALIBI || law > CLATTN_DECAY_RETENTION) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_decay_slopes: law is %d, must be %d (alibi) to %d (retention)",
                       (int)law, (int)CLATTN_DECAY_ALIBI, (int)CLATTN_DECAY_RETENTION);
    }
    if (heads < 1) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_decay_slopes: heads is %d, must be at least 1", heads);
    }
    const bool layered = law == CLATTN_DECAY_MINIMAX || law == CLATTN_DECAY_FLA;
    if (layered && layers < 1) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_decay_slopes: layers is %d, must be at least 1", layers);
    }
    if (layered && (layer < 0 || layer >= layers)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_decay_slopes: layer is %d, must be 0 to %d", layer, layers - 1);
    }
    for (int h = 0; h < heads; h++) {
        slopes[h] = (float)decay_slope(law, layer, layers, h, heads);
    }
    return CLATTN_OK;
}

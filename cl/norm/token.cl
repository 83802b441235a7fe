/* What the kernels of this folder share. A token has the numbers of all its heads, one row of heads x width:
 *   s = residual + o,   u = (s - mean) rstd,
 * mean = 0 and rstd = 1 (NORM 0), the mean of s and 1 / sqrt(mean of (s - mean)^2 + eps) (NORM 1: Ba et al. 2016), or 0
 * and 1 / sqrt(mean of s^2 + eps) (NORM 2: Zhang and Sennrich 2019). */
#ifndef NORM
#define NORM 0
#endif
#include "norm/args.cl"
typedef struct {
    const __global elem *o, *residual; /* residual: NULL, there is none */
    long o_head, head;
    int heads, width;
} token;
typedef struct {
    float mean, rstd;
} statistics;
/* stats: [token][2] */
OP void statistics_put(line *t, __global float *stats, long token, statistics m) {
    if (ONCE(t)) {
        stats[2 * token] = m.mean;
        stats[2 * token + 1] = m.rstd;
    }
}
#define EACH_HEAD(h, s) for (int h = 0; h < (s)->heads; h++)

OP VF sum_of(const token *s, int h, int c) {
    VF x = get_elem(s->o + h * s->o_head, c, s->width);
    if (s->residual) x += get_elem(s->residual + h * s->head, c, s->width);
    return x;
}
/* x, where there is a number. */
OP VF inside(const token *s, int c, VF x) { return pick(COL(c) < (VI)(s->width), x, (VF)(0.0f)); }
OP statistics statistics_of(line *t, const token *s, float eps) {
    statistics m = {0.0f, 1.0f};
#if NORM
    const float share = 1.0f / ((float)s->heads * (float)s->width);
    VF sum = (VF)(0.0f);
#if NORM == 1
    EACH_HEAD(h, s) EACH_COL(c, s->width) sum += sum_of(s, h, c);
    m.mean = line_sum(t, sum) * share;
    sum = (VF)(0.0f);
#endif
    EACH_HEAD(h, s) EACH_COL(c, s->width) {
        const VF apart = inside(s, c, sum_of(s, h, c) - m.mean);
        sum += apart * apart;
    }
    m.rstd = 1.0f / sqrt(line_sum(t, sum) * share + eps);
#endif
    return m;
}

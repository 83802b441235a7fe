/* A row's softmax, tile by tile: m and l, the running maximum and sum of Milakov & Gimelshein 2018 / FlashAttention-2,
 * base 2; a tile may keep a maximum that has grown by little (row_keep). A weight is 2^(scale2 s - base), one fused
 * operation before the exponential, where base is the maximum times scale2, rounded. The best key's exponent is that
 * rounding: harmless up to BEYOND, more than every exponent a float has where masks of -1e10 stand in the scores. Such
 * rows (far_rows) subtract the maximum first, and their base is 0. A hidden key's score is -infinity, so any finite
 * score counts. */
#define BEYOND 1048576.0f /* 2^20: a base is rounded by at most 2^-5 */
/* Powers of 2 by which a tile that would rather not scale its sums may let weights grow: what they are beside each
 * other keeps all its digits, and the sums of any row stay far from the end of float. */
#define GROWTH 8.0f
typedef struct {
    row m, l, alpha; /* alpha: what turns what was summed before into today's base */
} softmax;

/* Rows whose base is beyond what rounds well: scores less the maximum, which is exact where they are near each other.
 */
OP void far_rows(softmax *x, acc_pair *s, const row *best, row *base, float scale2) {
    row from;
    EACH_ROW(r) {
        const VI far = vabs(base->x[r]) > (VF)(BEYOND);
        from.x[r] = pick(far, best->x[r], (VF)(0.0f));
        x->alpha.x[r] = pick(far, vexp2((x->m.x[r] - best->x[r]) * scale2), x->alpha.x[r]);
        base->x[r] = pick(far, (VF)(0.0f), base->x[r]);
    }
    EACH_PAIR(i) s->x[i] -= from.x[ROW_OF(i)];
}
/* Rounded the same way whenever it is asked for: a plain product may be fused with what is subtracted from it, even in
 * another statement. */
#define BASE(m) fma(m, (VF)(scale2), (VF)(0.0f))
/* What rounding took from the base that l counts from: up to 2^-5, thousands of a weight's last bits. */
OP VF base_error(VF m, float scale2) {
    const VF base = BASE(m);
    return pick(vabs(base) > (VF)(BEYOND), (VF)(0.0f), fma(m, (VF)(scale2), -base));
}
/* Scores become weights, of which convert_put makes the operand p; null: nothing is multiplied by them. m is kept in
 * units of s. */
OP void online_softmax(tile *t, softmax *x, acc_pair *s, op_pair *p, float scale2) {
    parts top, sum;
    row base, best = x->m;
    EACH_PART(k) {
        top.x[k] = -INFINITY;
        sum.x[k] = 0.0f;
    }
    EACH_PAIR(i) top.x[PART_OF(i)] = vmax(top.x[PART_OF(i)], s->x[i]);
    fold_max(t, &best, &top);
    row_keep(&best, &x->m, GROWTH / scale2);
    VI far = (VI)(0);
    EACH_ROW(r) {
        const VF before = BASE(x->m.x[r]);
        /* 0: a row that has seen nothing */
        base.x[r] = pick(best.x[r] > (VF)(-INFINITY), BASE(best.x[r]), (VF)(0.0f));
        x->alpha.x[r] = vexp2(before - base.x[r]);
        far |= vabs(base.x[r]) > (VF)(BEYOND);
    }
    if (any_lane(far)) far_rows(x, s, &best, &base, scale2);
    EACH_ROW(r) {
        x->m.x[r] = best.x[r];
        x->l.x[r] *= x->alpha.x[r];
    }
    EACH_PAIR_BESIDE(t, i) {
        const VF weight = vweight(fma(s->x[i], (VF)(scale2), -base.x[ROW_OF(i)]));
        pair_put(t, p, s, i, weight);
        sum.x[PART_OF(i)] += weight;
    }
    fold_sum(&x->l, &sum);
}

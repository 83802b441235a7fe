/* top_blocks:  entries[line][0 ... width-1] = the blocks of the `width` highest scores of a line, ascending, then -1.
 * Descending by score, then the lower index; NaN last, -infinity never. causal: the blocks that the row's causal edge
 * crosses are chosen whatever their score, those before them are candidates, those behind them are not.
 * A group makes the line of one row of blocks of one head of one batch. The score that the last choice has is found bit
 * by bit, by counting: that costs 32 passes over the columns, up to 2^24 (a float counts them), and nothing depends on
 * the order of workers. */
#include "select/args.cl"
#define NOTHING (-0x7f800000) /* the order of -infinity */
#define MOST 0x7f800000       /* of infinity; what is NaN lies outside of both */
/* Of a float's bits: ascends as floats do; both zeros are 0. */
#define ORDER(bits) ((((bits)&0x7fffffff) ^ ((bits) >> 31)) - ((bits) >> 31))

/* Columns 0 ... cols - 1 whose score's order is `least` or more. */
OP int count_from(line *t, const __global float *scores, int cols, int least) {
    VF sum = (VF)(0.0f);
    EACH_COL(c, cols) {
        const VI bits = BITS(get(scores, c, cols)), order = ORDER(bits);
        sum += pick((order >= (VI)(least)) & (order <= (VI)(MOST)) & (COL(c) < (VI)(cols)), 1.0f, 0.0f);
    }
    return (int)line_sum(t, sum);
}
/* The highest order that `wanted` of the columns reach, of which more have numbers. */
OP int least_of(line *t, const __global float *scores, int cols, int wanted) {
    long low = NOTHING + 1, high = (long)MOST + 1;
    while (high - low > 1) {
        const long middle = low + (high - low) / 2;
        if (count_from(t, scores, cols, (int)middle) >= wanted) low = middle;
        else high = middle;
    }
    return (int)low;
}

LINE_KERNEL void top_blocks(ARGUMENTS(TOP_BLOCKS) const top_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.rows == 0) return;
    const long line_index = (LINE_Z() * GROUPS(1) + LINE_Y()) * a.rows + LINE_X();
    const __global float *scores = AT(scores) + line_index * a.cols;
    const int q0 = (int)LINE_X() * a.block_q, shift = a.nk - a.nq;
    const int place0 = q0 + shift, place1 = min(q0 + a.block_q, a.nq) - 1 + shift;      /* of the row's queries */
    const int first = !a.causal ? a.cols : place1 < 0 ? 0 : max(place0, 0) / a.block_k; /* crossed: first ... last */
    const int last = !a.causal ? a.cols - 1 : place1 < 0 ? -1 : place1 / a.block_k;
    const int wanted = a.width - (last - first + 1), numbers = count_from(&t, scores, first, NOTHING + 1);
    const int least = wanted > 0 && numbers > wanted ? least_of(&t, scores, first, wanted) : NOTHING + 1;
    const int above = count_from(&t, scores, first, least + 1);
    if (!ONCE(&t)) return;
    __global int *entries = AT(entries) + line_index * a.width;
    int n = 0, equal = wanted - above,
        strange = wanted - numbers; /* those of order `least`, and NaN, that are chosen */
    for (int j = 0; j < first && n < wanted; j++) {
        const int bits = as_int(scores[j]), order = ORDER(bits);
        const int is_nan = (bits & 0x7fffffff) > MOST;
        if (is_nan ? strange-- > 0 : order > least || (order == least && equal-- > 0)) entries[n++] = j;
    }
    for (int j = first; j <= last && n < a.width; j++) entries[n++] = j;
    for (; n < a.width; n++) entries[n] = -1;
    if (lists_base)
        for (int i = 0; i < a.width; i++) AT(lists)[line_index * a.width + i] = entries[i];
}

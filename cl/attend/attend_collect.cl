/* dQ from the sums that attend_backward_kv has left:  dQ = scale sums, those of its parts from the first on.  A line is
 * the row of one (row, head, batch).
 * SHARES: a tile's sums lie as its workers left them, see share_at. With counts, a tile to which nobody has added holds
 * nothing: its dQ is 0. PACKED, with SHARES: every sequence has tiles of its own. */
#include "attend/args.cl"
#ifndef SHARES
#define SHARES 0
#define get_share(sums, row, c) ((VF)(0.0f))
#endif
#ifndef PACKED
#define PACKED 0
#endif

LINE_KERNEL void attend_collect(ARGUMENTS(ATTEND_COLLECT) const collect_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.width == 0 || !dq_base) { return; }
    const line_place place = LINE_PLACE(a.rows, a.heads);
    const long at = place.at, n = place.n, head = place.head, batch = place.batch;
    __global out_elem *to = AT(dq) + batch * a.dq.batch + head * a.dq.head + n * a.dq.row;
    int first = 0, first_sums = 0; /* row of its sequence, and of that one's sums */
    if (PACKED) {
        const int sequence = sequence_at(AT(cu_q), a.sequences, 0, (int)n);
        first = AT(cu_q)[sequence];
        if (n < first || n >= AT(cu_q)[sequence + 1]) { return; }
        first_sums = SEQUENCE_LINE(first, a.of_tile, sequence) * a.of_tile;
    }
    const int in_sequence = (int)n - first, row = in_sequence % a.of_tile;
    const float scale = counts_base && AT(counts)[(at - row) * COUNTS] == 0 ? 0.0f : a.scale;
    const __global float *sums =
        AT(sums) + (place.plane * a.sums_head + (SHARES ? first_sums + in_sequence - row : n)) * a.sums_row;
    EACH_COL(c, a.width) {
        VF x = SHARES ? get_share(sums, row, c) : get(sums, c, a.width);
        for (int part = 1; !SHARES && part < a.parts; part++) x += get(sums + part * a.sums_part, c, a.width);
        put_elem(to, c, a.width, scale == 0.0f ? (VF)(0.0f) : x * scale);
    }
}

/* lists: block lists on the device, for lengths or contents that only it knows (packed sequences; the caller's CSR,
 * mask or table there). A group makes one line: the tiles that block row `row` of one head of one sequence may see:
 * entries that ask the mask first, then the others.
 *   lines[4 line ...] = start, entries, entries that ask the mask, sequence;   list[start...] = first keys of tiles.
 * Packed sequences have their lines one after another, with at most one between two that is empty (SEQUENCE_LINE).
 * FORM 0: every block; 1: CSR; 2: mask; 3: table of `width` entries, -1 for none. Entries out of range are passed
 * over. SHARED (of FORM 0): `list` is made already, the first keys of all `cols` tiles from the last to the first,
 * and a line is a part of it. */
#include "layout/args.cl"
#include "layout/blocks.cl"
#include "layout/classify.cl"
#ifndef PACKED
#define PACKED 0
#endif
#ifndef SHARED
#define SHARED 0
#endif

/* Beyond every key is as good as far beyond. */
OP int key_place(long place) { return (int)max(min(place, 0x7ffffffeL), -1L); }

#if FORM == 0
/* A line without a layout: a run of tiles, part of the list that all lines share (SHARED), or written to `list`. */
OP int4 run_line(const lists_args *a, const window_places *keys, int nk, long start, __global int *list) {
    const tile_run run = tiles_of(keys, a->tile_cols, min(nk, a->nk), a->all_masked || a->tile_width > a->tile_cols);
    const int entries = run.seen1 - run.seen0;
#if SHARED
    return (int4)(a->cols - run.seen1, entries, masked_tiles(&run), 0);
#else
    const int n = min(entries, a->room);
    for (int i = 0; i < n; i++) list[start + i] = tile_at(&run, i) * a->tile_cols;
    return (int4)((int)start, n, min(masked_tiles(&run), n), 0);
#endif
}
#else
/* A line of row `row` of the block lists, whose tiles are asked one by one. */
OP int4 layout_line(const lists_args *a, const window_places *keys, int nk, const blocks *lists, long row, long start,
    __global int *list) {
    const int exist = nk / a->block_k + (nk % a->block_k > 0);
    int count = blocks_count(lists, row), n = 0, masked = 0;
    if (FORM == 2) count = min(count, exist);
    for (int pass = CT_PARTIAL; pass <= CT_FULL; pass++) {
        for (int i = 0, before = -1; i < count; i++) {
            const int block = blocks_at(lists, row, i);
            if (block <= before || block >= a->cols) continue;
            before = block;
            const int left = min(a->block_k, nk - block * a->block_k);
            for (int c = 0; c < left; c += a->tile_cols) {
                const int k0 = block * a->block_k + c, cols = min(a->tile_cols, left - c);
                int kind = classify(keys, k0, k0 + cols - 1);
                if (kind == CT_FULL && (a->all_masked || cols < a->tile_width)) kind = CT_PARTIAL;
                if (kind == pass && n < a->room) list[start + n++] = k0;
            }
        }
        if (pass == CT_PARTIAL) masked = n;
    }
    return (int4)((int)start, n, masked, 0);
}
#endif

LINE_KERNEL void lists(ARGUMENTS(LISTS) const lists_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.nq == 0) return;
    if (!ONCE(&t)) return;
    const long head = LINE_Z() * GROUPS(1) + LINE_Y(); /* of its batch */
    const int sequence = PACKED ? sequence_at(AT(cu_q), a.sequences, a.step, (int)LINE_X()) : 0;
    const int row = (int)LINE_X() - (PACKED ? SEQUENCE_LINE(AT(cu_q)[sequence], a.step, sequence) : 0);
    const int nq = PACKED ? AT(cu_q)[sequence + 1] - AT(cu_q)[sequence] : a.nq;
    const int nk = PACKED ? AT(cu_k)[sequence + 1] - AT(cu_k)[sequence] : a.nk;
    const long line_index = head * a.lines + LINE_X(), start = line_index * a.room;
    const long q0 = (long)row * a.step, q1 = min(q0 + a.step, (long)nq) - 1, shift = (long)nk - nq;
    const window_places places = {key_place(q0 + shift - a.left), key_place(q1 + shift + a.right),
        key_place(q1 + shift - a.left), key_place(q0 + shift + a.right)};
    int4 fields = (int4)(0, 0, 0, 0);
    if (q0 >= 0 && q0 < nq) {
#if FORM == 0
        fields = run_line(&a, &places, nk, start, AT(list));
#else
        const blocks listed = {AT(ends), AT(entries), AT(mask), a.cols, a.width};
        if (q0 / a.block_q < a.rows)
            fields = layout_line(&a, &places, nk, &listed, head * a.rows + q0 / a.block_q, start, AT(list));
#endif
    }
    fields.w = sequence;
    vstore4(fields, line_index, AT(lines));
}

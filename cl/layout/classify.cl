/* The rule by which lists are made, for the host (C) and for devices (OpenCL C): one text.
 * Queries stand at places p0 ... p1 (both inclusive, p = i + nk - nq) and see keys p - left ... p + right: some of them
 * sees a key of seen0 ... seen1 = p0 - left ... p1 + right, all of them see those of full0 ... full1 = p1 - left ... p0
 * + right. The keys of a tile stand at k0 ... k1. Returns 0 if the window hides every pair, 1 if it hides some, 2 if
 * none. */
#define CT_HIDDEN 0
#define CT_PARTIAL 1
#define CT_FULL 2
#ifndef PLACE
#define PLACE int
#endif
typedef struct {
    PLACE seen0, seen1, full0, full1;
} window_places;
OP int classify(const window_places *w, PLACE k0, PLACE k1) {
    if (k1 < w->seen0 || k0 > w->seen1) return CT_HIDDEN;
    return k0 < w->full0 || k1 > w->full1 ? CT_PARTIAL : CT_FULL;
}
/* Without a layout every line lists a run of tiles of `cols` keys: those it sees are seen0 ... seen1 - 1, those that
 * hide no pair full0 ... full1 - 1 among them. `keys` are window_places whose places are numbers of keys, of which
 * there are nk. A tile that they end in is not full. */
typedef struct {
    PLACE seen0, seen1, full0, full1;
} tile_run;
OP tile_run tiles_of(const window_places *keys, PLACE cols, PLACE nk, int all_masked) {
    const PLACE end = min(max(keys->seen1 + 1, (PLACE)0), nk), full_end = min(max(keys->full1 + 1, (PLACE)0), nk);
    const PLACE full = max(keys->full0, (PLACE)0);
    tile_run run;
    run.seen1 = end / cols + (end % cols > 0);
    run.seen0 = min(max(keys->seen0, (PLACE)0) / cols, run.seen1);
    run.full0 = min(max(full / cols + (full % cols > 0), run.seen0), run.seen1);
    run.full1 = all_masked ? run.full0 : min(max(full_end / cols, run.full0), run.seen1);
    return run;
}
/* Its tiles that ask the mask, on both sides of the full ones. */
OP PLACE masked_tiles(const tile_run *run) { return run->seen1 - run->seen0 - (run->full1 - run->full0); }
/* Entry i of its list: tiles that ask the mask first. */
OP PLACE tile_at(const tile_run *run, PLACE i) {
    const PLACE left = run->full0 - run->seen0, masked = masked_tiles(run);
    return i < left ? run->seen0 + i : i < masked ? run->full1 + (i - left) : run->full0 + (i - masked);
}

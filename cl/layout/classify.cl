/* The rule by which lists are made, for the host (C) and for devices (OpenCL C): one text.
 * Queries stand at places p0 ... p1 (both inclusive, p = i + nk - nq) and see keys p - left ... p + right: some of them sees a key of seen0 ... seen1
 * = p0 - left ... p1 + right, all of them see those of full0 ... full1 = p1 - left ... p0 + right. The keys of a tile stand at k0 ... k1. Returns 0
 * if the window hides every pair, 1 if it hides some, 2 if none. */
#define CT_HIDDEN 0
#define CT_PARTIAL 1
#define CT_FULL 2
#ifndef PLACE
#define PLACE int
#endif
typedef struct { PLACE seen0, seen1, full0, full1; } window_places;
OP int classify(const window_places *w, PLACE k0, PLACE k1) {
    if (k1 < w->seen0 || k0 > w->seen1) return CT_HIDDEN;
    return k0 < w->full0 || k1 > w->full1 ? CT_PARTIAL : CT_FULL;
}

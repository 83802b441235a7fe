/* The rule by which lists are made, for the host (C) and for devices (OpenCL C): one text.
 * Queries stand at places p0 ... p1 (both inclusive, p = i + nk - nq), the keys of a tile at k0 ... k1. Returns 0 if the window hides every pair,
 * 1 if it hides some, 2 if none. */
#define CT_HIDDEN 0
#define CT_PARTIAL 1
#define CT_FULL 2
OP int classify(long p0, long p1, long k0, long k1, long left, long right) {
    if (k1 < p0 - left || k0 > p1 + right) return CT_HIDDEN;
    return k0 < p1 - left || k1 > p0 + right ? CT_PARTIAL : CT_FULL;
}

/* The tile shape of cl/tile/tile_simt.cl for a problem on a device. */
#ifndef CT_SHAPE_SIMT_H
#define CT_SHAPE_SIMT_H

#include <stdbool.h>

#include "tile/tiles.h"

/* The lower-case members are the -D of tile_simt.cl. rows, cols: what of a layout's block one tile does (the kernel's
 * step * PACK, and COLS). */
struct ct_simt_shape {
    int bm, bn, mr, cx, ks, ps, deep;
    bool whole;
    int rows, cols;
    int items;  /* of a group */
    int places; /* as ct_shape.places; set for a pass backwards alone */
    size_t local_bytes;
};

/* The cheapest legal shape whose tile holds a whole block of block_q rows (tokens times PACK) and block_k keys; 0: free
 * to choose. false: none fits the device. */
bool ct_simt_shape(const ct_device_facts *facts, int block_q, int block_k, int dk, int dv, int causal,
                   struct ct_simt_shape *out);
/* The same where a block may be cut into equal parts, a tile each: block_q in tokens, rows a multiple of `pack`. */
bool ct_simt_shape_parts(const ct_device_facts *facts, int block_q, int block_k, int pack, int dk, int dv, int causal,
                         struct ct_simt_shape *out);
/* The same for a pass backwards, whose rows and columns are those of the wish: a shape of its own, else as above.
 * chains: the stage can make its pairs in two chains, of which one at a time is held, and groups may gather. */
bool ct_simt_shape_backward(const ct_device_facts *facts, const ct_shape_wish *wish, bool *chains,
                            struct ct_simt_shape *out);
/* Is this one legal on the device? Fills items and local_bytes from the rest. */
bool ct_simt_shape_legal(const ct_device_facts *facts, int dk, int dv, struct ct_simt_shape *shape);

/* What tile_simt_state.cl gets for a stage whose tokens stream past a state of dk x dv. The names in brackets are its
 * -D. */
struct ct_simt_state_shape {
    int tokens; /* of a chunk [BM, BN] */
    int mr, cx, ks, ps, deep;
    int columns, parts; /* of the state that a group does [SV]; groups beside each other */
    int items;
    size_t local_bytes;
};
/* The cheapest for chunks of about so many tokens. false: no state of that size fits the device. */
bool ct_simt_state_shape(const ct_device_facts *facts, int64_t tokens, int dk, int dv, struct ct_simt_state_shape *out);

#endif

/* The tile shape of cl/tile/tile_nv_wgmma.cl for a problem, and of tile_nv_wgmma_state.cl for a stage with a state. */
#ifndef CT_SHAPE_WGMMA_H
#define CT_SHAPE_WGMMA_H

#include "tile/tiles.h"

bool ct_wgmma_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes);
bool ct_wgmma_state_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why,
                          size_t bytes);

#endif

/* The tile shape of cl/tile/tile_nv_mma.cl for a problem. */
#ifndef CT_SHAPE_MMA_H
#define CT_SHAPE_MMA_H

#include "tile/tiles.h"

bool ct_mma_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes);

#endif

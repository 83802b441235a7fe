/* The host's side of tile_cpu_amx. */
#ifndef CT_SHAPE_AMX_H
#define CT_SHAPE_AMX_H

#include "tile/tiles.h"

bool ct_amx_accepts(const ct_device_facts *facts, char *why, size_t bytes);
/* Asks the system for this process's tile registers. */
bool ct_amx_permitted(const clattn_context *context, char *why, size_t bytes);
bool ct_amx_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes);

#endif

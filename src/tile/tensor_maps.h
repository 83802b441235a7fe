/* Tensors as the kernels of cl/tile/tile_nv_wgmma.cl get them. */
#ifndef CT_TENSORS_H
#define CT_TENSORS_H

#include "plan/builder.h"

struct ct_shape;

/* Tensor maps, made on the device by one launch. Declines rows that TMA cannot read. */
clattn_status ct_tensor_maps(ct_builder *b, ct_tensor_in *tensors, int n, int64_t sequences,
                             const struct ct_shape *shape);

#endif

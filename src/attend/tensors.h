/* The tensors of an attend stage, for tiles whose kernels get something else than a pointer. */
#ifndef CT_TENSORS_H
#define CT_TENSORS_H

#include "plan/builder.h"

struct ct_shape;

typedef struct ct_tensor {
    ct_ref ref;
    clattn_strides strides;
    clattn_dtype dtype;
    int64_t width, rows, heads, batches;
    int box;    /* rows that one load fetches */
    int pack;   /* heads of a group that follow each other as rows; 1: none */
    ct_ref cu;  /* where packed sequences begin, or nothing */
} ct_tensor;

/* Tensor maps of cl/tile/tile_nv_wgmma.cl, made on the device by one launch. Declines rows that TMA cannot read. */
clattn_status ct_tensor_maps(ct_builder *b, ct_tensor *tensors, int n, int64_t sequences, const struct ct_shape *shape);

#endif

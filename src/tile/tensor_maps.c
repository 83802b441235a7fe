#include "tile/tensor_maps.h"

#include "plan/arguments.h"
#include "tile/tiles.h"

#include "../../cl/tile/nv_tensor_maps_args.cl"

#define MAP_BYTES   128
#define STRIDES_END ((int64_t)1 << 40) /* bytes: a map's strides lie below */
#define MOST        4

/* The stride of a dimension; one of a single element has none, and any legal number will do. */
static clattn_status legal_stride(ct_builder *b, const ct_tensor_in *t, const char *name, int64_t extent,
                                  int64_t stride, int64_t *out)
{
    const int64_t end = STRIDES_END / (int64_t)clattn_dtype_size(t->dtype);
    *out = extent > 1 ? stride : 8;
    if (*out % 8 || *out <= 0 || *out >= end) {
        return ct_builder_decline(
            b, "%s: a %s stride of %lld elements; tensor copies take positive multiples of 8 below %lld", t->name, name,
            (long long)stride, (long long)end);
    }
    return CLATTN_OK;
}

static clattn_status describe(ct_builder *b, const ct_tensor_in *t, map_of *out)
{
    clattn_status st = CLATTN_OK;
    *out = (map_of){.width = (cl_int)t->width,
                    .rows = (cl_int)t->rows,
                    .heads = (cl_int)t->heads,
                    .batches = (cl_int)t->batches,
                    .box = t->box,
                    .pack = t->pack,
                    .lengths = !ct_is(t->cu) ? 0
                               : t->of_keys  ? 2
                                             : 1};
    CT_TRY(legal_stride(b, t, "row", t->rows, t->strides.row, &out->s.row));
    CT_TRY(legal_stride(b, t, "head", t->heads, t->strides.head, &out->s.head));
    CT_TRY(legal_stride(b, t, "batch", t->batches, t->strides.batch, &out->s.batch));
out:
    return st;
}

clattn_status ct_tensor_maps(ct_builder *b, ct_tensor_in *tensors, int n, int64_t sequences,
                             const struct ct_shape *shape)
{
    clattn_status st = CLATTN_OK;
    ct_launch *l = NULL;
    const int64_t each = ct_max(sequences, 1);
    map_args args = {.sequences = (cl_int)each};
    (void)shape;
    for (int i = 0; i < n && i < MOST; i++) {
        CT_TRY(describe(b, &tensors[i], &args.t[i]));
    }
    /* behind the counter of items */
    const ct_ref maps = ct_ref_at(ct_builder_zone(b, "tensor maps", 1 + n * each, MAP_BYTES), 1);
    CT_TRY(ct_builder_launch(b, "tensor_maps", &l));
    ct_program_spec *spec = ct_launch_spec(l);
    spec->ptx_target = ct_builder_tile(b)->ptx_target;
    ct_spec_part(spec, "tile/tile.cl");
    ct_spec_part(spec, "tile/nv_tensor_maps.cl");
    ct_launch_define(l, "STORE", tensors[0].dtype);
    const struct {
        CT_REFS(TENSOR_MAPS)
    } buffers = {.x0 = tensors[0].ref,
                 .x1 = n > 1 ? tensors[1].ref : ct_nothing(),
                 .x2 = n > 2 ? tensors[2].ref : ct_nothing(),
                 .x3 = n > 3 ? tensors[3].ref : ct_nothing(),
                 .maps = maps,
                 .cu_q = tensors[0].cu,
                 .cu_k = tensors[n - 1].cu};
    CT_ARGUMENTS(l, &buffers, &args);
    for (int i = 0; i < n; i++) {
        const ct_ref from = tensors[i].ref;
        tensors[i].ref = ct_ref_at(maps, i * each);
        tensors[i].ref.behind = from.where == CT_SLOT ? from.index + 1 : -1 - from.index;
    }
    ct_launch_groups(l, n, each, 1, 32);
out:
    return st;
}

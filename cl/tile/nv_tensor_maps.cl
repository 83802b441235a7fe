/* Tensor maps for tile_nv_wgmma: group (t, s) makes the map of sequence s of tensor t, or of the whole tensor.
 * A map is [batches][heads][rows][width] of any strides (a multiple of 8 elements each), read in boxes of `box` rows x
 * 64 columns with the 128-byte swizzle; what lies past an end is read as zeros. Before the maps lies the counter of
 * items, which begins at 0. With pack > 1 the order is [batches][rows][heads][width] and a box is
 * `box` rows x `pack` heads: the rows of a GQA group follow each other. */
#include "tile/nv_tensor_maps_args.cl"
#define SET32(f, v) asm volatile("tensormap.replace.tile." f ", %1;" ::"r"(a), "r"(v) : "memory")
#define SET64(f, v) asm volatile("tensormap.replace.tile." f ", %1;" ::"r"(a), "l"(v) : "memory")
#define SETI(f) asm volatile("tensormap.replace.tile." f ";" ::"r"(a) : "memory")
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void tensor_maps(ARGUMENTS(TENSOR_MAPS) const map_args g) {
    __local ulong m[16] __attribute__((aligned(1024)));
    const uint a = (uint)(ulong)m;
    const int which = (int)GROUP(0), sequence = (int)GROUP(1);
    if (g.sequences == 0) return;
    const map_of d = g.t[which];
    const __global elem *x = which == 0 ? AT(x0) : which == 1 ? AT(x1) : which == 2 ? AT(x2) : AT(x3);
    int rows = d.rows;
    if (d.lengths) {
        const __global int *cu = d.lengths == 1 ? AT(cu_q) : AT(cu_k);
        rows = max(cu[sequence + 1] - cu[sequence], 1);
        x += cu[sequence] * d.s.row;
    }
    if (get_local_id(0) < 16) m[get_local_id(0)] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) == 0) {
        if (which == 0 && sequence == 0) *(__global int *)(AT(maps) - 1) = 0;
        const int packed = d.pack > 1;
        SET64("global_address.shared::cta.b1024.b64 [%0]", (ulong)x);
        SETI("rank.shared::cta.b1024.b32 [%0], 3");
        SETI("box_dim.shared::cta.b1024.b32 [%0], 0, 64");
        SET32("box_dim.shared::cta.b1024.b32 [%0], 1", packed ? d.pack : d.box);
        SET32("box_dim.shared::cta.b1024.b32 [%0], 2", packed ? d.box : 1);
        SETI("box_dim.shared::cta.b1024.b32 [%0], 3, 1");
        SET32("global_dim.shared::cta.b1024.b32 [%0], 0", d.width);
        SET32("global_dim.shared::cta.b1024.b32 [%0], 1", packed ? d.heads : rows);
        SET32("global_dim.shared::cta.b1024.b32 [%0], 2", packed ? rows : d.heads);
        SET32("global_dim.shared::cta.b1024.b32 [%0], 3", d.batches);
        SET64("global_stride.shared::cta.b1024.b64 [%0], 0", (ulong)(packed ? d.s.head : d.s.row) * 2);
        SET64("global_stride.shared::cta.b1024.b64 [%0], 1", (ulong)(packed ? d.s.row : d.s.head) * 2);
        SET64("global_stride.shared::cta.b1024.b64 [%0], 2", (ulong)d.s.batch * 2);
        SETI("element_stride.shared::cta.b1024.b32 [%0], 0, 1");
        SETI("element_stride.shared::cta.b1024.b32 [%0], 1, 1");
        SETI("element_stride.shared::cta.b1024.b32 [%0], 2, 1");
        SETI("element_stride.shared::cta.b1024.b32 [%0], 3, 1");
#if STORE == 1
        SETI("elemtype.shared::cta.b1024.b32 [%0], 6");
#else
        SETI("elemtype.shared::cta.b1024.b32 [%0], 10");
#endif
        SETI("interleave_layout.shared::cta.b1024.b32 [%0], 0");
        SETI("swizzle_mode.shared::cta.b1024.b32 [%0], 3");
        SETI("fill_mode.shared::cta.b1024.b32 [%0], 0");
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) < 16)
        ((__global ulong *)(AT(maps) + which * g.sequences + sequence))[get_local_id(0)] = m[get_local_id(0)];
    asm volatile("fence.proxy.tensormap::generic.release.gpu;" ::: "memory");
}

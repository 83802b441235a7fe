/* Probe of tile_nv_mma: one product of 16 rows, 8 columns and 16 terms; its right operand goes through global memory,
 * cp.async, local memory and ldmatrix. Row i of the left one is (i, 1, 0, ...); column 0 of the right one is (3, 1, 0,
 * ...), column 1 is (1, 0, ...). out[i] = 3 i + 1 for i < 16, then i. */
#undef STORE
#define STORE 2
#define UNROLL
#include "tile/nv_warp.cl"
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void probe(BUFFER(float, out)) {
    __local uint4 mem_[32];
    warp w;
    WARP_BEGIN(&w);
    const int lane = w.lane, row = lane / 4;
    __global ushort *const b = (__global ushort *)AT(out);
    /* a matrix's row for each lane: row 0 is column 0 of the operand */
    const local_at at = LOCAL_AT(mem_) + lane * 16;
    for (int i = 0; i < 2; i++) b[lane * 2 + i] = 0;
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (lane == 0) {
        b[0] = (ushort)bf16_pair(3.0f, 0.0f);
        b[1] = b[8] = (ushort)bf16_pair(1.0f, 0.0f);
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (lane < 8) copy16(&w, at, (const __global elem *)(b + lane * 8));
    else put16(&w, at, (uint4)(0));
    copies_wait(&w);
    GROUP_BARRIER(&w);
    uint r[4];
    matrices(&w, r, at);
    const uint upper = lane % 4 ? 0 : bf16_pair((float)row, 1.0f),
               lower = lane % 4 ? 0 : bf16_pair((float)(row + 8), 1.0f);
    const uint a[4] = {upper, lower, 0, 0}, operand[2] = {r[0], r[1]};
    float c[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    mma(&w, c, a, operand);
    if (lane % 4 == 0) {
        AT(out)[row] = c[0];
        AT(out)[row + 8] = c[2];
        AT(out)[16 + row] = c[1];
        AT(out)[16 + row + 8] = c[3];
    }
}

/* Probe of tile_nv_wgmma: one product of 64 rows, 16 columns and 16 terms from swizzled local memory. Row i of A is (i,
 * 1, 0, ...); column 0 of B is (3, 1, 0, ...), column 1 is (1, 0, ...). out[i] = 3 i + 1 for i < 16, then i.
 * B lies at the end of 64 KiB: assemblers before CUDA 13 refuse more than 48 KiB of local memory that a text declares,
 * and the tile's kernels declare up to 227; such a driver must be found out here. */
#define TERMS (16 * 64)
#define ROOM (64 * 1024 / 2)
__kernel __attribute__((reqd_work_group_size(128, 1, 1))) void probe(BUFFER(float, out)) {
    __local ushort room[ROOM] __attribute__((aligned(1024)));
    __local ushort *b = room + ROOM - TERMS;
    float c[8];
    const int id = (int)get_local_id(0), lane = id & 31, row = (id >> 5) * 16 + lane / 4;
    const uint at = (uint)(ulong)b;
    const ulong where = (ulong)((at & 0x3FFFF) >> 4) | 1UL << 16 | 64UL << 32 | 1UL << 62;
    for (int i = id; i < TERMS; i += 128) b[i] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (id == 0) {
        b[0] = bf16_of(3.0f); /* column 0 lies in row 0: chunk 0 stays where it is */
        b[1] = bf16_of(1.0f);
        b[64 + 8] = bf16_of(1.0f); /* in row 1 chunk 0 is at chunk 1 */
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    const uint upper = lane % 4 == 0 ? (uint)bf16_of((float)row) | (uint)bf16_of(1.0f) << 16 : 0;
    const uint lower = lane % 4 == 0 ? (uint)bf16_of((float)(row + 8)) | (uint)bf16_of(1.0f) << 16 : 0;
    const uint none = 0;
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    asm volatile("wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%0,%1,%2,%3,%4,%5,%6,%7}, {%8,%9,%10,%11}, "
                 "%12, 0, 1, 1, 0;"
                 : "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3]), "=f"(c[4]), "=f"(c[5]), "=f"(c[6]), "=f"(c[7])
                 : "r"(upper), "r"(lower), "r"(none), "r"(none), "l"(where));
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    if (id < 32 && lane % 4 == 0) {
        AT(out)[row] = c[0];
        AT(out)[row + 8] = c[2];
        AT(out)[16 + row] = c[1];
        AT(out)[16 + row + 8] = c[3];
    }
}

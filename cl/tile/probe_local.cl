/* Probe of tile_simt: 64 items, local memory, barriers. out[i] = 3 i + 1 for i < 16, then i, read from the items that
 * mirror them. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void probe(BUFFER(float, out)) {
    __local float x[64];
    const uint i = (uint)get_local_id(0);
    x[63 - i] = (float)i;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < 16) AT(out)[i] = 3.0f * x[63 - i] + 1.0f;
    else if (i < 32) AT(out)[i] = x[63 - i] - 16.0f;
}

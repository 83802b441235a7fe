/* Probe of tile_cpu: vectors of 16 floats, private arrays of them, half storage, selects. out[i] = 3 i + 1 for i < 16,
 * then 16 halves of i. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void probe(BUFFER(float, out)) {
    float16 x[2];
    x[0] = (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    x[1] = fma(x[0], (float16)(3.0f), (float16)(1.0f));
    vstore16(x[1] > (float16)(-1.0f) ? x[1] : x[0], 0, AT(out));
    __global half *h = (__global half *)(AT(out) + 16);
    vstore_half16(x[0], 0, h);
    vstore16(vload_half16(0, h), 1, AT(out));
}

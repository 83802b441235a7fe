/* Probe of tile_cpu_dots: the dot product of bfloat16 pairs. out[i] = 3 i + 1 for i < 16, then i. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void probe(BUFFER(float, out)) {
    const int16 i = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint16 bits = as_uint16(convert_float16(i));
    float16 sum = (float16)(1.0f);
    /* lanes (i, i) . (1, 2) */
    int16 a = as_int16(bits >> 16 | (bits & 0xffff0000u)), b = (int16)(0x40003f80);
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    vstore16(sum, 0, AT(out));
    vstore16(convert_float16(i), 1, AT(out));
}

/* Probe of tile_cpu_dots: the dot product of bfloat16 pairs. out[i] = 3 i + 1 for i < 16, then i; then what CHAINS x
 * TURNS float multiply-adds and as many dot products take, in ticks of the processor's clock: on some processors a dot
 * product, twice the work, takes four times as long. */
#define CHAINS 12
#define TURNS 256
#define ROUNDS 8
#define UNROLL _Pragma("unroll")
OP ulong ticks(void) {
    uint low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (ulong)high << 32 | low;
}
#define TIME(least, INSTRUCTION)                                                                                       \
    {                                                                                                                  \
        const ulong start = ticks();                                                                                   \
        for (int t = 0; t < TURNS; t++) UNROLL                                                                         \
        for (int i = 0; i < CHAINS; i++) __asm__ volatile(INSTRUCTION " %2, %1, %0" : "+v"(x[i]) : "v"(a), "v"(b));    \
        least = min(least, ticks() - start);                                                                           \
    }
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void probe(BUFFER(float, out)) {
    const int16 i = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint16 bits = as_uint16(convert_float16(i));
    float16 sum = (float16)(1.0f), x[CHAINS];
    /* lanes (i, i) . (1, 2) */
    int16 a = as_int16(bits >> 16 | (bits & 0xffff0000u)), b = (int16)(0x40003f80);
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    vstore16(sum, 0, AT(out));
    vstore16(convert_float16(i), 1, AT(out));
    ulong sums = 1 << 30, dots = 1 << 30;
    a = b = (int16)(0);
    UNROLL
    for (int i = 0; i < CHAINS; i++) x[i] = 0.0f;
    for (int round = 0; round < ROUNDS; round++) {
        TIME(sums, "vfmadd231ps")
        TIME(dots, "vdpbf16ps")
    }
    UNROLL
    for (int i = 1; i < CHAINS; i++) x[0] += x[i];
    AT(out)[32] = (float)sums + x[0].s0;
    AT(out)[33] = (float)dots;
}

/* Sixteen halves at any even address. pocl 3.1 reads and writes the vectors of vload_half16 and vstore_half16 as if
 * they were aligned (its built-ins do so for n = 8 and 16), and faults where the compiler believes it; so the address
 * is left to vload16 of ushort, and the conversion works on a private, aligned vector, which stays in registers. */
OP float16 half16_load(const __global half *p) {
    const ushort16 bits = vload16(0, (const __global ushort *)p);
    return vload_half16(0, (const __private half *)&bits);
}
OP void half16_store(float16 x, __global half *p) {
    ushort16 bits;
    vstore_half16(x, 0, (__private half *)&bits);
    vstore16(bits, 0, (__global ushort *)p);
}

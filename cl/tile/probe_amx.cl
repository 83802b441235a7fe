/* Probe of tile_cpu_amx: one product of tile registers. out[i] = 3 i + 1 for i < 16, then i.
 * a[r][k] = r for k < 3, 1 for k = 31, else 0; b[k][c] = 1: every element of row r of the product is 3 r + 1. */
#include "tile/amx.cl"
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void probe(BUFFER(float, out)) {
    ushort a[16 * 32] __attribute__((aligned(64))), b[16 * 32] __attribute__((aligned(64)));
    float sums[16 * 16] __attribute__((aligned(64)));
    const long pitch = 64;
    amx_state x;
    for (int i = 0; i < 16 * 32; i++) {
        a[i] = bf16_of(i % 32 < 3 ? (float)(i / 32) : i % 32 == 31 ? 1.0f : 0.0f);
        b[i] = bf16_of(1.0f);
    }
    amx_begin(&x);
    AMX_ZERO(&x, 0);
    AMX_LOAD(&x, 4, (ulong)a, pitch);
    AMX_LOAD(&x, 6, (ulong)b, pitch);
    AMX_ADD(&x, 0, 4, 6);
    AMX_STORE(&x, 0, (ulong)sums, pitch);
    amx_end(&x);
    for (int i = 0; i < 16; i++) {
        AT(out)[i] = sums[i * 16 + i];
        AT(out)[16 + i] = (float)i;
    }
}

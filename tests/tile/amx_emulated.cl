/* cl/tile/amx.cl in plain OpenCL C, so that tile_cpu_amx runs on a CPU without AMX. What the hardware leaves open is
 * answered by the worst: registers hold NaN until they are written, and again behind amx_end. */
typedef struct {
    uint n[8][256]; /* words of 16 rows */
} amx_state;
OP void amx_end(amx_state *x)
{
    for (int i = 0; i < 8 * 256; i++)
        x->n[i / 256][i % 256] = 0x7fff7fffu;
}
OP void amx_begin(amx_state *x)
{
    amx_end(x);
}
OP void amx_zero(amx_state *x, int n)
{
    for (int i = 0; i < 256; i++)
        x->n[n][i] = 0;
}
OP void amx_load(amx_state *x, int n, ulong at, long pitch)
{
    for (int i = 0; i < 512; i++) /* in halves: rows may be anywhere */
        ((ushort *)x->n[n])[i] = ((const ushort *)(at + i / 32 * pitch))[i % 32];
}
OP void amx_store(amx_state *x, int n, ulong at, long pitch)
{
    for (int i = 0; i < 256; i++)
        ((uint *)(at + i / 16 * pitch))[i % 16] = x->n[n][i];
}
/* The hardware takes numbers below 2^-126 for 0. */
OP float amx_normal(uint bits)
{
    return (bits & 0x7f800000u) ? as_float(bits) : 0.0f;
}
OP void amx_add(amx_state *x, int sums, int left, int right)
{
    for (int i = 0; i < 256; i++) {
        float sum = as_float(x->n[sums][i]);
        for (int k = 0; k < 16; k++) {
            const uint a = x->n[left][i / 16 * 16 + k], b = x->n[right][k * 16 + i % 16];
            sum += amx_normal(a << 16) * amx_normal(b << 16);
            sum += amx_normal(a & 0xffff0000u) * amx_normal(b & 0xffff0000u);
        }
        x->n[sums][i] = as_uint(sum);
    }
}
#define AMX_ZERO(x, n)                amx_zero(x, n)
#define AMX_LOAD(x, n, at, pitch)     amx_load(x, n, at, pitch)
#define AMX_STORE(x, n, at, pitch)    amx_store(x, n, at, pitch)
#define AMX_ADD(x, sums, left, right) amx_add(x, sums, left, right)

OP float16 amx_fraction(float16 t)
{
    const int16 all = t == floor(t); /* infinity less itself is NaN; the instruction says 0 */
    return all ? (float16)(0.0f) : t - floor(t);
}
OP float16 amx_scale(float16 p, float16 t)
{
    return t >= (float16)(-150.0f) || t != t ? p * exp2(floor(t)) : (float16)(0.0f);
}
OP int16 amx_upper_halves(int16 low, int16 high)
{
    return as_int16((as_uint16(low) >> 16) | (as_uint16(high) & 0xffff0000u));
}
OP void amx_turn(ushort *y, const int step, ulong x, long pitch)
{
    for (int i = 0; i < 8 * 32; i++)
        y[i / 32 * step + i % 32] = ((const ushort *)(x + i % 32 * pitch))[i / 32];
}

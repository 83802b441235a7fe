/* cl/tile/nv_warp.cl in plain OpenCL C, so that tile_nv_mma runs on a CPU. Lanes exchange registers through local
 * memory and a barrier of the whole group: every word is met by all items alike. Loops stay loops, for the compiler's
 * sake. What hardware leaves open is answered by the worst: a copy arrives at copies_wait, and until then its place
 * holds NaN; what a warp reads that is not behind both a wait and a group barrier, or what it writes where another warp
 * may still read, becomes NaN, too. For that every 16 bytes have two marks: the group barriers that were passed when
 * they were last read, and when they were last written. */
#define MOST_COPIES 64
#define WORDS       8 /* exchanged by an item at once */
#define IN_FLIGHT   0x7fffffff
#undef UNROLL
#define UNROLL
#ifndef ITEMS
#    define ITEMS 32 /* the probe's */
#endif
typedef __local uchar *local_at;
typedef struct {
    int lane;
    uint item, turn;
    __local uint *words;
    local_at mem;
    __local int *was_read, *was_written;
    int passed, copies;
    local_at to[MOST_COPIES];
    const __global elem *from[MOST_COPIES];
} warp;
#define LOCAL_AT(p) ((local_at)(p))
#define WARP_BEGIN(w)                                                                                                  \
    __local uint words_[2 * ITEMS * WORDS];                                                                            \
    __local int was_read_[sizeof mem_ / 16], was_written_[sizeof mem_ / 16];                                           \
    warp_begin(w, words_, LOCAL_AT(mem_), was_read_, was_written_, sizeof mem_ / 16)
OP void warp_begin(warp *w, __local uint *words, local_at mem, __local int *was_read, __local int *was_written,
                   uint places)
{
    w->item = (uint)get_local_id(0);
    w->lane = (int)w->item & 31;
    w->words = words;
    w->mem = mem;
    w->was_read = was_read;
    w->was_written = was_written;
    w->turn = 0;
    w->passed = w->copies = 0;
    for (uint i = w->item; i < places; i += ITEMS) {
        was_read[i] = -1;
        was_written[i] = IN_FLIGHT;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}
#define GROUP_BARRIER(w)                                                                                               \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                      \
    (w)->passed++

/* Says n words; what lane l of this warp has said begins at l * WORDS. Two buffers, so one barrier is enough. */
OP __local uint *told(warp *w, const uint *x, const int n)
{
    __local uint *const here = w->words + (w->turn++ & 1) * ITEMS * WORDS;
    for (int i = 0; i < n; i++)
        here[w->item * WORDS + i] = x[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    return here + w->item / 32 * 32 * WORDS;
}
OP float xor_lane(warp *w, float x, int m)
{
    const uint mine = as_uint(x);
    return as_float(told(w, &mine, 1)[(w->lane ^ m) * WORDS]);
}
OP float vexp2(float x)
{
    return exp2(x);
}
OP float vtanh(float x)
{
    return tanh(x);
}
OP uint half_bits(float x)
{
    ushort bits;
    vstore_half(x, 0, (__private half *)&bits);
    return bits;
}
OP uint half_pair(float low, float high)
{
    return half_bits(low) | half_bits(high) << 16;
}
OP uint bf16_pair(float low, float high)
{
    return bf16_of(low) | (uint)bf16_of(high) << 16;
}

#if STORE == 0
#    define TERMS 8
OP uint operand(float x)
{
    return as_uint(x) + 0x1000u & 0xffffe000u;
}
/* hardware looks at no more */
OP float term(__local const uint *registers, int k)
{
    return as_float(registers[0] & 0xffffe000u);
}
#else
#    define TERMS 16
OP float term(__local const uint *registers, int k)
{
    const ushort bits = (ushort)(registers[0] >> k % 2 * 16);
    return STORE == 1 ? vload_half(0, (const __private half *)&bits) : as_float((uint)bits << 16);
}
#endif
OP void mma(warp *w, float *c, const uint *a, const uint *b)
{
    const uint x[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    __local const uint *const y = told(w, x, 6);
    const int middle = TERMS / 2;
    for (int i = 0; i < 4; i++) {
        const int row = w->lane / 4 + i / 2 * 8, col = w->lane % 4 * 2 + i % 2;
        for (int k = 0; k < TERMS; k++) {
            const int t = k % middle * 4 / middle;
            c[i] += term(y + (row % 8 * 4 + t) * WORDS + row / 8 + k / middle * 2, k) *
                    term(y + (col * 4 + t) * WORDS + 4 + k / middle, k);
        }
    }
}
/* A word of 16 bytes that one of the lanes has named. */
OP uint local_word(warp *w, local_at at, int i)
{
    const long place = (at - w->mem) / 16;
    w->was_read[place] = w->passed;
    return (at - w->mem) % 16 || w->was_written[place] >= w->passed ? 0x7fff7fffu : ((__local const uint *)at)[i];
}
OP uint operand_of(uint x)
{
#if STORE == 0
    return operand(as_float(x));
#else
    return x;
#endif
}
OP void matrices(warp *w, uint *r, local_at at)
{
    const uint x[2] = {(uint)(ulong)at, (uint)((ulong)at >> 32)};
    __local const uint *const y = told(w, x, 2);
    for (int m = 0; m < 4; m++) {
        __local const uint *const z = y + (8 * m + w->lane / 4) * WORDS;
        r[m] = operand_of(local_word(w, (local_at)((ulong)z[0] | (ulong)z[1] << 32), w->lane % 4));
    }
}
/* Word `column` of a row is float `column`, or that of two elements. */
OP void matrices_turned(warp *w, uint *r, local_at corner, const int pitch)
{
    const int t = w->lane % 4, g = w->lane / 4;
    for (int m = 0; m < 4; m++) {
#if STORE == 0
        r[m] = operand_of(local_word(w, corner + (2 * t + m % 2) * pitch + (m / 2 * 2 + g / 4) * 16, g % 4));
#else
        const local_at row = corner + (m % 2 * 8 + 2 * t) * pitch + m / 2 * 16;
        r[m] = (local_word(w, row, g / 2) >> g % 2 * 16 & 0xffffu) | local_word(w, row + pitch, g / 2) >> g % 2 * 16
                                                                                                              << 16;
#endif
    }
}
/* May these 16 bytes be written? */
OP int may_write(warp *w, local_at to)
{
    const long place = (to - w->mem) / 16;
    return (to - w->mem) % 16 == 0 && w->was_read[place] < w->passed;
}
OP void copy16(warp *w, local_at to, const __global elem *from)
{
    const int good = may_write(w, to) && (ulong)from % 16 == 0 && w->copies < MOST_COPIES;
    *(__local uint4 *)to = (uint4)(0x7fff7fffu);
    w->was_written[(to - w->mem) / 16] = IN_FLIGHT;
    if (good) {
        w->to[w->copies] = to;
        w->from[w->copies++] = from;
    }
}
OP void copies_wait(warp *w)
{
    for (int i = 0; i < w->copies; i++) {
        *(__local uint4 *)w->to[i] = *(const __global uint4 *)w->from[i];
        w->was_written[(w->to[i] - w->mem) / 16] = w->passed;
    }
    w->copies = 0;
}
OP void put16(warp *w, local_at to, uint4 x)
{
    *(__local uint4 *)to = may_write(w, to) ? x : (uint4)(0x7fff7fffu);
    w->was_written[(to - w->mem) / 16] = w->passed;
}

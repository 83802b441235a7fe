/* What tile_cpu_amx asks of x86 by an instruction's name: tile registers, and vectors of which a compiler would make
 * longer code. tests/tile/amx_emulated.cl says the same in plain C. There are eight tile registers, of 16 rows of 64
 * bytes: 32 bfloat16s or 16 floats a row; a register's number is part of an instruction's text. A line that its
 * assembler refuses is dropped by pocl 3.1 without a word (vmovdqu on xmm16 and beyond: so the EVEX forms), which only
 * results show. */
typedef struct {
    uchar none; /* the processor has it */
} amx_state;
typedef struct {
    uchar palette, start, reserved[14];
    ushort bytes[16];
    uchar rows[16];
} amx_shapes;
OP void amx_begin(amx_state *x) {
    amx_shapes y __attribute__((aligned(64)));
    for (int i = 0; i < 14; i++) y.reserved[i] = 0;
    for (int i = 0; i < 16; i++) {
        y.bytes[i] = i < 8 ? 64 : 0;
        y.rows[i] = i < 8 ? 16 : 0;
    }
    y.palette = 1;
    y.start = 0;
    __asm__ volatile("ldtilecfg (%0)" ::"r"(&y) : "memory");
}
OP void amx_end(amx_state *x) { __asm__ volatile("tilerelease" ::: "memory"); }
/* Addresses are numbers; rows are `pitch` bytes apart. */
#define AMX_ZERO(x, n) __asm__ volatile("tilezero %%tmm" #n ::: "memory")
#define AMX_LOAD(x, n, at, pitch) __asm__ volatile("tileloadd (%0,%1,1),%%tmm" #n ::"r"(at), "r"(pitch) : "memory")
#define AMX_STORE(x, n, at, pitch) __asm__ volatile("tilestored %%tmm" #n ",(%0,%1,1)" ::"r"(at), "r"(pitch) : "memory")
/* sums[r][c] += left[r][2 k] right[k][2 c] + left[r][2 k + 1] right[k][2 c + 1], k < 16 */
#define AMX_ADD(x, sums, left, right)                                                                                  \
    __asm__ volatile("tdpbf16ps %%tmm" #right ",%%tmm" #left ",%%tmm" #sums ::: "memory")

/* t less the next whole number below; p times 2 to that number: 0 far below. NaN stays NaN. */
OP float16 amx_fraction(float16 t) {
    float16 f;
    __asm__("vreduceps $9, %1, %0" : "=v"(f) : "v"(t));
    return f;
}
OP float16 amx_scale(float16 p, float16 t) {
    float16 y;
    __asm__("vscalefps %2, %1, %0" : "=v"(y) : "v"(p), "v"(t));
    return y;
}
/* Words of the upper halves of both. */
OP int16 amx_upper_halves(int16 low, int16 high) {
    int16 y;
    __asm__("vpsrld $16, %1, %0" : "=v"(y) : "v"(low));
    return y | (high & (int16)(0xffff0000));
}
/* 32 rows of 8 bfloat16s at x become 8 rows of 32 at y, which is aligned to 64 bytes, `step` elements apart. A quarter
 * of a register takes eight rows. */
#define AMX_TWO(op, y, a, b) __asm__(op " %2, %1, %0" : "=v"(y) : "v"(a), "v"(b))
#define AMX_UNROLL _Pragma("unroll")
OP void amx_turn(ushort *y, const int step, ulong x, long pitch) {
    int16 r[8], u[8];
    AMX_UNROLL
    for (int i = 0; i < 8; i++) {
        const ulong p = x + i * pitch;
        __asm__("vmovdqu32 (%1), %x0\n\tvinserti32x4 $1, (%1,%2,8), %0, %0"
                : "=&v"(r[i])
                : "r"(p), "r"(pitch)
                : "memory");
        __asm__("vinserti32x4 $2, (%1,%2,8), %0, %0" : "+v"(r[i]) : "r"(p + 8 * pitch), "r"(pitch) : "memory");
        __asm__("vinserti32x4 $3, (%1,%2,8), %0, %0" : "+v"(r[i]) : "r"(p + 16 * pitch), "r"(pitch) : "memory");
    }
    AMX_UNROLL
    for (int i = 0; i < 8; i += 2) {
        AMX_TWO("vpunpcklwd", u[i], r[i], r[i + 1]);
        AMX_TWO("vpunpckhwd", u[i + 1], r[i], r[i + 1]);
    }
    AMX_UNROLL
    for (int i = 0; i < 8; i += 4) { /* rows i to i + 3: columns 0 to 3 in r[0] to r[3], 4 to 7 in r[4] to r[7] */
        AMX_TWO("vpunpckldq", r[i / 2], u[i], u[i + 2]);
        AMX_TWO("vpunpckhdq", r[i / 2 + 1], u[i], u[i + 2]);
        AMX_TWO("vpunpckldq", r[i / 2 + 4], u[i + 1], u[i + 3]);
        AMX_TWO("vpunpckhdq", r[i / 2 + 5], u[i + 1], u[i + 3]);
    }
    AMX_UNROLL
    for (int i = 0; i < 4; i++) { /* columns 2 i and 2 i + 1 */
        const int at = i / 2 * 4 + i % 2;
        int16 low, high;
        AMX_TWO("vpunpcklqdq", low, r[at], r[at + 2]);
        AMX_TWO("vpunpckhqdq", high, r[at], r[at + 2]);
        *(int16 *)(y + 2 * i * step) = low;
        *(int16 *)(y + (2 * i + 1) * step) = high;
    }
}

/* What one NVIDIA warp does together, a word an instruction: all that tile_nv_mma says in PTX, and what tile_nv_wgmma
 * shares with it. The tests put a text in the place of this one that does the same in plain OpenCL C
 * (tests/tile/nv_warp_emulated.cl). g = lane / 4, t = lane % 4:
 *   warp, WARP_BEGIN(w)       who am I in it: .lane         local_at, LOCAL_AT(p)   a place in local memory, counted in
 *                             bytes
 *   xor_lane(w, x, m)         x of lane ^ m
 *   vexp2, vtanh              the short cuts of the special function unit: 2 ulp, and 2^-11 of the result
 *   half_pair, bf16_pair      two floats rounded to one operand register, the first one in its lower half
 *   mma(w, c, a, b)           c += a . b: 16 rows, 8 columns, TERMS terms, accumulators in float: c[0..3]: (row g, col
 *                             2t), (g, 2t + 1),
 *                             (g + 8, 2t), (g + 8, 2t + 1). TERMS is 16 where STORE has 16 bits, a pair to a register:
 *                             a[0..3]: (row g, k 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8)    b[0..1]: (k 2t, col
 *                                                          g), (2t + 8, g)
 *                             and 8 where it is float, which is read with 10 bits of mantissa (tf32), one to a
 *                             register:
 *                             a[0..3]: (row g, k t), (g + 8, t), (g, t + 4), (g + 8, t + 4)        b[0..1]: (k t, col
 *                                                          g), (t + 4, g)
 *   operand(x)                a float rounded to tf32, as a register
 *   matrices(w, r, at)        four matrices of 8 rows of 16 bytes: the lanes 8m ... 8m + 7 name the rows of matrix m;
 *                             r[m] is word t of row g,
 *                             as an operand: two times b for a product with the transpose
 *   matrices_turned(w, r, corner, pitch)     TERMS rows, `pitch` bytes apart, of 16 columns from `corner` on: two times
 *                                            b for a product with
 *                             them as they are: r[0..1] columns 0 to 7, r[2..3] columns 8 to 15. float: its k = t is
 *                             row 2t, t + 4 is 2t + 1
 *   copy16(w, to, from)       16 bytes from global memory, aligned on both sides; there after copies_wait(w) of who
 *                             copied and a barrier
 *   put16(w, to, x)           16 bytes, there after a barrier       GROUP_BARRIER(w)   all warps of the group */
#if STORE == 0
#define TERMS 8
#define MMA_OF "m16n8k8.row.col.f32.tf32.tf32.f32"
#elif STORE == 1
#define TERMS 16
#define MMA_OF "m16n8k16.row.col.f32.f16.f16.f32"
#else
#define TERMS 16
#define MMA_OF "m16n8k16.row.col.f32.bf16.bf16.f32"
#endif
typedef struct {
    int lane;
} warp;
typedef uint local_at;
#define GROUP_BARRIER(w) barrier(CLK_LOCAL_MEM_FENCE)
#define WARP_BEGIN(w) (w)->lane = (int)get_local_id(0) & 31
#define LOCAL_AT(p) ((uint)(ulong)(p))

OP float vexp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
OP float vtanh(float x) {
    float y;
    asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
OP uint half_pair(float low, float high) {
    uint y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
OP uint bf16_pair(float low, float high) {
    uint y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
OP float xor_lane(warp *w, float x, int m) {
    float y;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(y) : "f"(x), "r"(m));
    return y;
}
OP uint operand(float x) {
    uint y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}
OP void mma(warp *w, float *c, const uint *a, const uint *b) {
    asm volatile("mma.sync.aligned." MMA_OF " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
OP void matrices(warp *w, uint *r, local_at at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
#if STORE == 0
    UNROLL
    for (int i = 0; i < 4; i++) r[i] = operand(as_float(r[i]));
#endif
}
OP void matrices_turned(warp *w, uint *r, local_at corner, const int pitch) {
#if STORE == 0
    const local_at at = corner + w->lane % 4 * 2 * pitch + w->lane / 4 * 4;
    float x[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x[i]) : "r"(at + i % 2 * pitch + i / 2 * 32));
        r[i] = operand(x[i]);
    }
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(corner + w->lane % 16 * pitch + w->lane / 16 * 16));
#endif
}
OP void copy16(warp *w, local_at to, const __global elem *from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"((ulong)from) : "memory");
}
OP void copies_wait(warp *w) { asm volatile("cp.async.wait_all;" ::: "memory"); }
OP void put16(warp *w, local_at to, uint4 x) {
    asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(to), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w) : "memory");
}

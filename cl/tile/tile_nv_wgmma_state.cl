/* tile_nv_wgmma_state: the state words on tile_nv_wgmma. Workers share the columns of the values, 64 each, and all do
 * every row of a chunk:
 *   S[64][64] = Q[64][DK] . K[64][DK]^T (each worker the same)     O[64][64] = f Q[64][DK] . state[DK][64] + P[64][64]
 *                                                          . V[64][64]
 *   state[DK][64] += (w K)[64][DK]^T . V[64][64]
 * The state is an accumulator in registers: slices of 64 rows, laid out as every accumulator is. Published, it is
 * bfloat16 in local memory: a row of DK is 128 bytes, its 16-byte piece c at c ^ (row % 8), as TMA would have stored
 * it; a product reads it "turned", as it reads V. The keys' transpose comes from `ldmatrix.trans`: lane l of warp w
 * gets, of 16 keys, keys 2 (l % 4) + {0, 1} (and + 8) of column 16 w + l / 4 (and + 8): the fragment of a first operand
 * whose rows are columns of K. There it is weighted, rounded once. Q stays in its ring: LAST_READ is BACK.
 *   FLOAT_STATE   0: weighted keys are bfloat16, as P and the published state are: right for what leaves in 16 bits. 1:
 *                 for a state that leaves:
 *           three bfloat16 that sum up to a float, three products; and a chunk's share is a sum of its own, since the
 *           matrix unit's adding to a long sum truncates
 * bfloat16 alone: q.k and a state may leave the range of half. BM = BN = 64 and a chunk is the whole tile, for rows
 * that exist are stored. */
#if BM != 64 || BN != 64 || PACK != 1 || STORE != 2 || DK > 128 || DV > 64 * SPLIT
#error tile_nv_wgmma_state wants BM = BN = 64, no packed heads, bfloat16, a state of at most 128 x 128
#endif
#ifndef FLOAT_STATE
#define FLOAT_STATE 0
#endif
#define KEY_PARTS (FLOAT_STATE ? 3 : 1)
#define SLICES (DK64 / 64)

/* of keys 8 (i / 2) + 2 (lane % 4) + i % 2, as in an acc_pair */
typedef struct {
    float x[BN / 4], last;
} col;
typedef struct {
    float x[SLICES * 32];
} acc_state;
#define OP_KEYS (SLICES * BN / 4)
typedef struct {
    uint x[KEY_PARTS * OP_KEYS];
} op_keys;
#define EACH_KEY(i)                                                                                                    \
    UNROLL                                                                                                             \
    for (int i = 0; i < BN / 4; i++)
#define KEY_AT(t, i) (((i) >> 1) * 8 + ((i)&1) + (anew((t)->w.lane) & 3) * 2)
#define KEY_OF(i) (((i) >> 2) * 2 + ((i)&1))
#define EACH_LOWER(i) EACH_PAIR(i)
/* 32 registers; 32 exponentials a lane and chunk cost more */
#define PAIRS_STAY 1

/* The same number, as if found out anew: what is worked out from it is not kept from chunk to chunk, in registers that
 * the state needs. */
OP int anew(int x) {
    int y;
    asm volatile("mov.u32 %0, %1;" : "=r"(y) : "r"(x));
    return y;
}
OP float lane_at(float x, int lane) {
    float y;
    asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(y) : "f"(x), "r"(lane));
    return y;
}
OP float lane_before(float x, int reach) {
    float y;
    asm volatile("shfl.sync.up.b32 %0, %1, %2, 0x0, 0xffffffff;" : "=f"(y) : "f"(x), "r"(reach));
    return y;
}
/* (whole, part) += (w, p), the part kept within half a unit */
OP void sum_join(float *whole, float *part, float w, float p) {
    const float sum = *part + p, near = rint(sum);
    *whole += w + near;
    *part = sum - near;
}
/* Each warp for itself: lane l sums keys 2 l and 2 l + 1, then what the lanes before it have. Key 8 i + 2 (l % 4) is
 * lane 4 i + l % 4's. */
OP void col_sum(tile *t, col *whole, col *part, const __global float *p, int n) {
    float w[2], f[2];
    UNROLL
    for (int e = 0; e < 2; e++) {
        const int k = 2 * t->w.lane + e;
        const float x = k < n ? fmax(p[min(k, n - 1)] * LOG2E, -150.0f) : 0.0f;
        w[e] = rint(x);
        f[e] = x - w[e];
    }
    sum_join(&w[1], &f[1], w[0], f[0]);
    UNROLL
    for (int reach = 1; reach < 32; reach *= 2) {
        const float before_w = lane_before(w[1], reach), before_f = lane_before(f[1], reach);
        const int counts = t->w.lane >= reach;
        sum_join(&w[1], &f[1], counts ? before_w : 0.0f, counts ? before_f : 0.0f);
    }
    const float before_w = lane_before(w[1], 1), before_f = lane_before(f[1], 1);
    sum_join(&w[0], &f[0], t->w.lane ? before_w : 0.0f, t->w.lane ? before_f : 0.0f);
    UNROLL
    for (int i = 0; i < BN / 4; i++) {
        const int lane = (i >> 1) * 4 + (t->w.lane & 3);
        whole->x[i] = lane_at(w[i & 1], lane);
        part->x[i] = lane_at(f[i & 1], lane);
    }
    whole->last = lane_at(w[1], 31);
    part->last = lane_at(f[1], 31);
}
OP float col_last(tile *t, col *c) { return c->last; }
/* By bits: a choice between two elements may become one load from a chosen address, and keep the whole array in memory.
 */
OP float either(uint mask, float yes, float no) { return as_float((as_uint(yes) & mask) | (as_uint(no) & ~mask)); }
/* Row 16 w + l / 4 + 8 h is column 8 (2 w + h) + l / 4: element 4 w + 2 h + l / 4 % 2 of the lane of these four whose l
 * % 4 is l / 8. */
OP void row_of_col(tile *t, row *r, col *c) {
    const int warp = (t->row >> 4) & 3, lane = (t->w.lane & 28) | t->w.lane >> 3;
    const uint odd = -(uint)((t->w.lane >> 2) & 1), second = -(uint)(warp & 1), upper = -(uint)(warp >> 1);
    EACH_ROW(h) {
        float own[4];
        UNROLL
        for (int w = 0; w < 4; w++) own[w] = either(odd, c->x[4 * w + 2 * h + 1], c->x[4 * w + 2 * h]);
        r->x[h] = lane_at(either(upper, either(second, own[3], own[2]), either(second, own[1], own[0])), lane);
    }
}

#define WHOLE_STATE (DK == DK64 && DV == SPLIT * 64) /* no row or column of padding */
#define EACH_STATE(i)                                                                                                  \
    UNROLL                                                                                                             \
    for (int i = 0; i < SLICES * 32; i++)
#define STATE_ROW(t, i) (((i) >> 5) * 64 + (t)->row + (((i) >> 1) & 1) * 8)
#define STATE_COL(t, i) (OWN_COLUMNS((t)->worker) + (((i) >> 2) & 7) * 8 + ((i)&1) + ((t)->w.lane & 3) * 2)
/* where the worker's operand lies */
OP uint state_at(tile *t) { return (uint)anew((int)(t->mem - FRONT_BYTES + t->worker * DK64 * 128)); }
OP void state_load(tile *t, acc_state *st, const __global float *p, long pitch) {
    EACH_STATE(i) st->x[i] = 0.0f;
    if (!p) return;
    EACH_STATE(i) { /* no branches: the loads are to be under way together */
        const int d = STATE_ROW(t, i), c = STATE_COL(t, i);
        const float x = p[(WHOLE_STATE ? d : min(d, DK - 1)) * pitch + (WHOLE_STATE ? c : min(c, DV - 1))];
        st->x[i] = WHOLE_STATE || (d < DK && c < DV) ? x : 0.0f;
    }
}
OP void state_store(tile *t, __global float *p, long pitch, acc_state *st) {
    EACH_STATE(i) {
        const int d = STATE_ROW(t, i), c = STATE_COL(t, i);
        if (WHOLE_STATE || (d < DK && c < DV)) p[d * pitch + c] = st->x[i];
    }
}
OP void float_store(tile *t, __global float *p, float x) {
    if (t->worker == 0 && t->row == 0 && t->w.lane == 0) *p = x;
}
OP void state_scale(acc_state *st, float keep) { EACH_STATE(i) st->x[i] *= keep; }
/* A warp's products may end before another's, so nothing is overwritten before all four have waited for theirs. */
OP void state_publish(tile *t, acc_state *st) {
    const uint b = state_at(t) + t->row * 128 + (t->w.lane & 3) * 4;
    worker_meet(t);
    /* pieces; rows of slice h, + 8 e: row % 8 is the same for all */
    UNROLL
    for (int c = 0; c < 8; c++) {
        const uint at = b + ((c ^ (t->row & 7)) << 4);
        UNROLL
        for (int h = 0; h < SLICES; h++) UNROLL
        for (int e = 0; e < 2; e++) {
            const float *x = st->x + h * 32 + 4 * c + 2 * e;
            asm volatile("st.shared.b32 [%0], %1;" ::"r"(at + h * 8192 + e * 1024), "r"(bf16_pair(x[0], x[1]))
                         : "memory");
        }
    }
    /* wgmma reads through another path than st.shared writes */
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    worker_meet(t);
}

OP void rows_load(tile *t, held *q, int s, int j) { q->at = RING(t, s, j); }
OP void acc_bind(acc_head *o, tensor_out *y, int r0) {}
OP void mma_abt_lower(tile *t, acc_pair *out, held *q, int s, int j) { mma_abt(t, out, q, s, j); }
OP void mma_state(tile *t, acc_head *o, held *q, acc_state *st, row *f) {
    const uint a = q->at, b = state_at(t);
    mma_fence();
    LINES_PRODUCT("64", LIST64, NEW64_(o->x), "32", "33", "0", "0, 1", desc(a, 1), desc(b, 1));
    UNROLL
    for (int k = 1; k < ROUND(DK, 16) / 16; k++)
        LINES_PRODUCT("64", LIST64, OUT64_(o->x), "32", "33", "1", "0, 1",
            desc(a + (k >> 2) * BN * 128 + (k & 3) * 32, 1), desc(b + k * 2048, 1));
    mma_commit();
    mma_wait(t, 0);
    row_scale(o, f);
}
OP void mma_state_ab_lower(tile *t, acc_head *o, held *q, acc_state *st, row *f, op_pair *p, int s, int j) {
    mma_state(t, o, q, st, f);
    mma_ab(t, o, p, s, j);
}
/* Two keys a register, weighted: what is stored in part 0 is the product rounded once, in the parts after it what is
 * left. */
#if !FLOAT_STATE
/* in two parts, so that the product's rounding is the only one */
typedef struct {
    uint high[BN / 8], low[BN / 8];
} weights;
OP void weights_of(weights *w, const col *f) {
    UNROLL
    for (int i = 0; i < BN / 8; i++) {
        const float x = f->x[2 * i], y = f->x[2 * i + 1];
        w->high[i] = bf16_pair(x, y);
        w->low[i] = bf16_pair(x - as_float(w->high[i] << 16), y - as_float(w->high[i] & 0xffff0000u));
    }
}
OP void weigh(uint *y, const weights *w, int i, uint keys) {
    asm("{\n.reg .b32 rest;\nmul.rn.bf16x2 rest, %1, %3;\nfma.rn.bf16x2 %0, %1, %2, rest;\n}"
        : "=r"(y[0])
        : "r"(keys), "r"(w->high[i]), "r"(w->low[i]));
}
#else
typedef struct {
    const col *x;
} weights;
OP void weights_of(weights *w, const col *f) { w->x = f; }
OP void weigh(uint *y, const weights *w, int i, uint keys) {
    float a = as_float(keys << 16) * w->x->x[2 * i], b = as_float(keys & 0xffff0000u) * w->x->x[2 * i + 1];
    UNROLL
    for (int part = 0; part < KEY_PARTS; part++) {
        const uint x = bf16_pair(a, b);
        y[part * OP_KEYS] = x;
        a -= as_float(x << 16);
        b -= as_float(x & 0xffff0000u);
    }
}
#endif
OP void keys_load(tile *t, op_keys *a, int s, int j, col *f) {
    const int warp = (t->row >> 4) & 3, l = t->w.lane, r = (l & 7) + ((l >> 4) & 1) * 8,
              piece = warp * 2 + ((l >> 3) & 1);
    const uint at = RING(t, s, j) + r * 128 + ((piece ^ (r & 7)) << 4);
    weights w;
    weights_of(&w, f);
    UNROLL
    for (int h = 0; h < SLICES; h++) UNROLL
    for (int k = 0; k < BN / 16; k++) {
        uint x[4]; /* keys + 0, + 0, + 8, + 8; columns + 0, + 8, + 0, + 8 */
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                     : "r"(at + h * BN * 128 + k * 2048)
                     : "memory");
        UNROLL
        for (int e = 0; e < 4; e++) weigh(a->x + h * (BN / 4) + 4 * k + e, &w, 2 * k + (e >> 1), x[e]);
    }
}
/* c = a . b, a: four registers */
#define ABNEW64(c, a, b)                                                                                               \
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16." MMA_TYPES " {" LIST64                                       \
                 "}, {%32, %33, %34, %35}, %36, 0, 1, 1, 1;"                                                           \
                 : NEW64_(c)                                                                                           \
                 : "r"((a)[0]), "r"((a)[1]), "r"((a)[2]), "r"((a)[3]), "l"(b))
OP void mma_atb(tile *t, acc_state *st, op_keys *a, int s, int j) {
    const uint b = RING(t, s, j) + OWN_COLUMNS(t->worker) * BN * 2;
#if !FLOAT_STATE
    mma_fence();
    UNROLL
    for (int h = 0; h < SLICES; h++) UNROLL
    for (int k = 0; k < BN / 16; k++) AB64((st->x + h * 32), (a->x + h * (BN / 4) + 4 * k), desc(b + k * 2048, 1));
#else
    UNROLL
    for (int h = 0; h < SLICES; h++) {
        float share[32];
        mma_fence();
        ABNEW64(share, (a->x + (KEY_PARTS - 1) * OP_KEYS + h * (BN / 4)), desc(b, 1));
        UNROLL
        for (int i = 1; i < KEY_PARTS * BN / 16; i++) { /* the smallest parts first */
            const int part = KEY_PARTS - 1 - i / (BN / 16), k = i % (BN / 16);
            AB64(share, (a->x + part * OP_KEYS + h * (BN / 4) + 4 * k), desc(b + k * 2048, 1));
        }
        mma_commit();
        mma_wait(t, 0);
        UNROLL
        for (int i = 0; i < 32; i++) st->x[h * 32 + i] += share[i];
    }
    mma_fence(); /* for the schedule's group, which holds nothing */
#endif
}

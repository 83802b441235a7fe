/* tile_nv_wgmma: NVIDIA, sm_90a. TMA fills swizzled rings in local memory, wgmma reads them: one loading warpgroup, BM
 * / 64 computing ones.
 *   S[64][BN] = held[64][DK] . tile[BN][DK]^T  both from local memory       O[64][DV] += P[64][BN] . tile[BN][DV]  P
 *                                                          from registers
 * A warpgroup owns 64 rows; a warp 16 of them; a lane, for every 8 columns, two columns of row lane / 4 and two of row
 * lane / 4 + 8. A tensor is a tensor map (made by nv_tensor_maps.cl): rows past an end and columns past DK or DV arrive
 * as zeros, so products need no limits; only stores do. Local memory holds heads in slices of 64 columns (128-byte
 * swizzle); products run over DK and DV rounded up to 16.
 *
 * Parameters (src/tile/shape_wgmma.c chooses them), beside those of tile.cl: BM a multiple of 64, BN of 16, at most
 * 192 and 176;
 *   SLOTS   tiles of a stream's ring       PARTS   chains of a row's maximum and sum       TURNS   see
 *           schedule/roles.cl
 *   RESIDENT   1: groups stay and take items until none is left: the next item's loads hide behind the stores of the
 *              one before, which
 *           pays where items are short; long ones are better off with the registers that this costs
 *   ALIGNED   1: rows and offsets of what is written, and of what acc_add reads, are multiples of eight elements
 *   STAGED    1: pair_fetch brings what pair_scale_add adds into local memory
 *   SPLIT   0: workers share the rows; else so many share the columns of v and o, 64 each, and all do every row
 *           (tile_nv_wgmma_state.cl)
 * The PTX of a driver says sm_90: the host loads it again as sm_90a, with .minnctapersm, without which setmaxnreg has
 * no effect. */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef PARTS
#define PARTS 1
#endif
#ifndef ALIGNED
#define ALIGNED 0
#endif
#ifndef TURNS
#define TURNS 0
#endif
#ifndef RESIDENT
#define RESIDENT 0
#endif
#ifndef SPLIT
#define SPLIT 0
#endif
#ifndef STAGED
#define STAGED 0
#endif
#ifndef GATHER
#define GATHER 0
#endif
#define TENSORS_IN (GATHER ? 4 : 3)
#define ROUND(x, n) (((x) + (n)-1) / (n) * (n))
#define DK64 ROUND(DK, 64)
#define DV64 ROUND(DV, 64)
#define DV16 ROUND(DV, 16)
#define WIDEST (DK64 > DV64 ? DK64 : DV64)
#if SPLIT
#define WORKERS SPLIT
#define HEAD16 64 /* columns of o that a worker has */
#define OWN_ROWS(worker) 0
#define OWN_COLUMNS(worker) ((worker)*64)
#else
#define WORKERS (BM / 64)
#define HEAD16 DV16
#define OWN_ROWS(worker) ((worker)*64)
#define OWN_COLUMNS(worker) 0
#endif
#define ITEMS (128 + 128 * WORKERS)
#define UNROLL _Pragma("unroll")
#define BLOCKS 1 /* of 16 rows a warp */
#include "tile/nv_warp.cl"
typedef const __global ulong16 *tensor_in; /* a tensor map: 128 bytes */
typedef struct {
    uint at;
} held;
typedef struct {
    tensor_in map;
    int head, batch;
} tensor;
typedef struct {
    warp w;
    uint mem, ring, bar, ints, pairs;
    int worker, row, loads, base, helds, round, next;
#if GATHER
    uint left;     /* shares that left, or whose place was told */
    int met, owed; /* the step whose pairs were met last; shares whose places are not given back yet */
#endif
    tensor_in begun[TENSORS_IN];
} tile;
#define OWN_COLUMN(t) OWN_COLUMNS((t)->worker)
#define RAGGED(width) (SPLIT ? (width) < 64 * SPLIT : (width) % 8 != 0)
#include "tile/nv_fragments.cl"
/* behind: the memory that the map describes, so that the runtime keeps it for this kernel */
#define TENSOR(name) const __global ulong16 *name##_base, const long name##_from, const __global elem *name##_behind
#undef TENSOR_IN
#define TENSOR_IN(name) const __global ulong16 *name##_base, const long name##_from
#define TENSOR_AT(name) (name##_base + name##_from)
#undef TENSOR_OF
#define TENSOR_OF(name, sequence) (TENSOR_AT(name) + (sequence))
#define TILE_KERNEL __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1)))
/* STAGED: each warp brings its 16 rows of what is added to the pairs into local memory of its own, a step ahead; rows
 * lie apart by four floats more, so that eight of them are read without conflicts. What does not lie in sixteens of
 * bytes, or ends within the tile, is read in place. */
#define PAIR_PITCH (BN + 4)
OP int pairs_staged(const __global float *p, long pitch, int cols) {
    return STAGED && cols >= BN && !(((ulong)p | (ulong)pitch << 2) & 15);
}
OP uint pairs_at(tile *t, int h) { return t->pairs + (t->row + h * 8) * PAIR_PITCH * 4; } /* of a lane's row h */
OP void pair_fetch(tile *t, const __global float *p, long pitch, int rows, int cols) {
    if (!pairs_staged(p, pitch, cols)) return;
    const int quarter = (t->w.lane & 3) * 4;                /* four lanes a row, four columns each */
    asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); /* all lanes have read what lay there */
    EACH_ROW(h) {
        const __global float *from = p + min(ROW_NUMBER(t, h), rows - 1) * pitch + quarter;
        const uint to = pairs_at(t, h) + quarter * 4;
        UNROLL
        for (int i = 0; i < BN / 16; i++)
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + i * 64), "l"((ulong)(from + i * 16))
                         : "memory");
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
}
OP float2 pair_staged(uint at) {
    float2 x;
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(at) : "memory");
    return x;
}
OP void pair_scale_add(tile *t, acc_pair *s, float scale, const __global float *p, long pitch, int rows, int cols) {
    if (!pairs_staged(p, pitch, cols)) {
        pair_scale_add_direct(t, s, scale, p, pitch, rows, cols);
        return;
    }
    asm volatile("cp.async.wait_all;\nbar.warp.sync 0xffffffff;" ::: "memory");
    const uint at = pairs_at(t, 0) + COL_BASE(t) * 4;
    UNROLL
    for (int i = 0; i < PAIR_BLOCK; i += 2) {
        const float2 x = pair_staged(at + ROW_OF(i) * 8 * PAIR_PITCH * 4 + COL_STEP(i) * 4);
        s->x[i] = fma(s->x[i], scale, x.x);
        s->x[i + 1] = fma(s->x[i + 1], scale, x.y);
    }
}

#define BAR() asm volatile("bar.sync 0;" ::: "memory")
OP void mb_init(uint b, int n) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(b), "r"(n) : "memory"); }
OP void mb_arrive(uint b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(b) : "memory"); }
OP void mb_expect(uint b, int n) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(b), "r"(n) : "memory");
}
OP void mb_wait(uint b, uint parity) {
    int ok;
    do {
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.s32 %0, 1, 0, p;\n}"
                     : "=r"(ok)
                     : "r"(b), "r"(parity)
                     : "memory");
    } while (!ok);
}
/* One lane arrives for its warp: what the others read lies before that. racecheck orders only what a lane that arrives
 * did itself, so that ci/gpu.sh lets all of them arrive before it asks it. */
#define ARRIVING 1
OP void warp_arrive(tile *t, uint b) {
    asm volatile("bar.warp.sync 0xffffffff;" ::: "memory");
    if (t->w.lane < ARRIVING) mb_arrive(b);
}
OP void put_ints(uint at, int4 x) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w)
                 : "memory");
}
OP int4 get_ints(uint at) {
    int4 x;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "r"(at)
                 : "memory");
    return x;
}
OP void tma(uint to, tensor *x, int col, int c1, int c2, uint b) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, "
                 "%4, %5}], [%6];" ::"r"(to),
                 "l"((ulong)x->map), "r"(col), "r"(c1), "r"(c2), "r"(x->batch), "r"(b)
                 : "memory");
}

/* rings: stream s has SLOTS tiles of BN rows and for each a "full" and an "empty" barrier and its first row; before
 * them the barriers of the held tiles and of the item, and the item: its row, head (-1: there is none), part. base:
 * tiles of the items before, with GATHER a bit for each slot's phase; helds and round: held tiles and items before
 * (phases of the barriers). Groups that stay have two held tiles in turn: the next item's arrives while this one is
 * worked on; with GATHER there is room for one of each. A barrier's eight bytes hold the barrier and nothing else, from
 * mbarrier.init on: PTX leaves open what an ordinary access to them does. Ints that lay in words over which an init
 * went were read back as that barrier's bits on an H200 where a group was quick: an item that nobody had sent. */
#define HELD_TURNS (RESIDENT && !GATHER ? 2 : 1)
#define HELD_TURN(t) ((t)->helds & (HELD_TURNS - 1))
#define HELD_PHASE(t) ((t)->helds >> (HELD_TURNS - 1) & 1)
#define HELD_OFFSET(t) (HELD_TURN(t) * BM * DK64 * 2)
#define HELD_FULL(t) ((t)->bar + 16 * HELD_TURN(t))
#define HELD_EMPTY(t) (HELD_FULL(t) + 8)
#define ITEM_FULL(t) ((t)->bar + 32)
#define ITEM_EMPTY(t) ((t)->bar + 40)
#define TILE_BYTES (BN * WIDEST * 2)
#define ITEM_WARPS (4 * WORKERS + (GATHER ? WORKERS + 1 : 0)) /* who is told of an item */
/* before the held tiles: DK x 64 operands of each worker, or what nv_wgmma_pairs.cl keeps */
#if GATHER
#define PAIR_SLOTS 2 /* so that one meeting a step is enough */
#define PAIR_BYTES (BM * BN * 2)
#define SUMS_ROW DK64
#include "tile/nv_share.cl"
#define LEAVE_BYTES (SHARE_FLOATS * 4)
#ifndef LEAVES
#define LEAVES 1
#endif
#define TERMS_OF_COLUMN 3
#define PLACES 8
#define TERM_BYTES (SLOTS * TERMS_OF_COLUMN * BN * 4)
#define COLUMN_BYTES (TERM_BYTES + PLACES * 16)
#define FRONT_BYTES ROUND(PAIR_SLOTS *PAIR_BYTES + WORKERS * LEAVES * LEAVE_BYTES, 1024)
#define MORE_BARRIERS ROUND(2 * WORKERS * LEAVES + SLOTS + PLACES, 2)
#else
#define COLUMN_BYTES 0
#define FRONT_BYTES (SPLIT * DK64 * 128)
#define MORE_BARRIERS 0
#endif
/* With GATHER an item begins with slot 0: where tile j lies, j alone says, and addresses need no lane's registers. */
#if GATHER
#define SLOT_OF(t, j) ((uint)(j) % SLOTS)
#define PHASE_OF(t, j) (((uint)(j) / SLOTS + ((uint)(t)->base >> SLOT_OF(t, j))) & 1)
#else
#define SLOT_OF(t, j) ((uint)((t)->base + (j)) % SLOTS)
#define PHASE_OF(t, j) ((uint)((t)->base + (j)) / SLOTS & 1)
#endif
#define SLOT(t, s, j) ((s)*SLOTS + SLOT_OF(t, j))
#define RING(t, s, j) ((t)->ring + SLOT(t, s, j) * TILE_BYTES)
#define FULL(t, s, j) ((t)->bar + 48 + 8 * MORE_BARRIERS + 16 * SLOT(t, s, j))
#define EMPTY(t, s, j) (FULL(t, s, j) + 8)
#define ITEM(t) ((t)->ints)
#define FIRST(t, s, j) ((t)->ints + 16 + COLUMN_BYTES + 4 * SLOT(t, s, j))
#define TILE_BEGIN(tp)                                                                                                 \
    __local ushort mem_[FRONT_BYTES / 2 + HELD_TURNS * HELDS * BM * DK64 + STREAMS * SLOTS * BN * WIDEST]              \
        __attribute__((aligned(1024)));                                                                                \
    __local ulong bar_[6 + MORE_BARRIERS + 2 * STREAMS * SLOTS] __attribute__((aligned(16)));                          \
    __local int ints_[4 + COLUMN_BYTES / 4 + STREAMS * SLOTS] __attribute__((aligned(16)));                            \
    __local float pairs_[STAGED ? BM * (BN + 4) : 1] __attribute__((aligned(16)));                                     \
    (tp)->pairs = (uint)(ulong)pairs_;                                                                                 \
    (tp)->ints = (uint)(ulong)ints_;                                                                                   \
    tile_begin(tp, (uint)(ulong)mem_, (uint)(ulong)bar_, HELDS, STREAMS)
OP void barriers_begin(uint bar, int pairs, int full) {
    for (int i = 0; i < pairs; i++) {
        mb_init(bar + 16 * i, full);
        mb_init(bar + 16 * i + 8, 4 * WORKERS * ARRIVING);
    }
}
#if GATHER
OP void pairs_begin(uint bar);
#endif
/* As the assembler sees it, too: what follows from it needs no lane's registers. */
OP int same_for_warp(int x) {
    asm("shfl.sync.idx.b32 %0, %0, 0, 0x1f, 0xffffffff;" : "+r"(x));
    return x;
}
OP void tile_begin(tile *t, uint mem, uint bar, const int helds, const int streams) {
    const int id = (int)get_local_id(0), c = id - 128;
    t->mem = mem + FRONT_BYTES;
    t->ring = t->mem + HELD_TURNS * helds * BM * DK64 * 2;
    t->bar = bar;
    t->worker = same_for_warp(c >> 7);
    WARP_BEGIN(&t->w);
    t->loads = t->base = t->helds = t->round = 0;
    for (int i = 0; i < TENSORS_IN; i++) t->begun[i] = 0;
#if GATHER
    t->met = t->left = t->owed = 0;
#endif
    t->row = OWN_ROWS(t->worker) + ((id >> 5) & 3) * 16 + ((id & 31) >> 2);
    if (id == 0) {
        if (helds) barriers_begin(bar, HELD_TURNS, helds); /* none has a count of 0, which PTX does not allow */
        mb_init(ITEM_FULL(t), 1);
        mb_init(ITEM_EMPTY(t), ITEM_WARPS * ARRIVING);
        barriers_begin(bar + 48 + 8 * MORE_BARRIERS, streams * SLOTS, 1);
#if GATHER
        pairs_begin(bar);
#endif
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    BAR();
}
OP void turn_wait(tile *t) { asm volatile("bar.sync %0, 256;" ::"r"(t->worker + 1) : "memory"); }
OP void turn_pass(tile *t) { asm volatile("bar.arrive %0, 256;" ::"r"((t->worker + 1) % WORKERS + 1) : "memory"); }
/* Registers: what one group may hold, divided among the loading warpgroup and the computing ones. Who stays has an item
 * to work out besides; tiles of 128 columns leave it no room. */
#define ROOM_TO_LOAD (RESIDENT && !(GATHER && BN > 64))
#if WORKERS > 2
#define LOAD_REGISTERS "32"
#define COMPUTE_REGISTERS "160"
#elif WORKERS == 2 && !ROOM_TO_LOAD
#define LOAD_REGISTERS "24"
#define COMPUTE_REGISTERS "240"
#elif WORKERS == 2
#define LOAD_REGISTERS "40"
#define COMPUTE_REGISTERS "232"
#elif !ROOM_TO_LOAD
#define LOAD_REGISTERS "24"
#define COMPUTE_REGISTERS "232"
#else
#define LOAD_REGISTERS "40"
#define COMPUTE_REGISTERS "216"
#endif
OP int split_load(tile *t) {
    if (get_local_id(0) >= 128) return 0;
    asm volatile("setmaxnreg.dec.sync.aligned.u32 " LOAD_REGISTERS ";");
    return 1;
}
OP void split_compute(tile *t) { asm volatile("setmaxnreg.inc.sync.aligned.u32 " COMPUTE_REGISTERS ";"); }
OP int role_first(tile *t) { return get_local_id(0) == 0; } /* one item issues every copy */
OP void first_turn(tile *t) {
    if (TURNS && t->worker == WORKERS - 1) turn_pass(t);
}
OP void last_turn(tile *t) {
    if (TURNS && t->worker == 0) turn_wait(t);
}
#include "tile/nv_wgmma_items.cl"
/* Held tiles are read by products alone, whose end is the whole warp's: to agree once more cost 2 % of short rows. */
OP void held_release(tile *t) {
    if (RESIDENT && t->w.lane < ARRIVING) mb_arrive(HELD_EMPTY(t));
}
OP void role_done(tile *t, int n) {
    if (GATHER)
        for (int s = 0; s < SLOTS; s++) t->base ^= ((n + SLOTS - 1 - s) / SLOTS & 1) << s;
    else t->base += n;
    t->helds++;
}

/* A packed sequence has a map of its own, which begins at its first row. */
OP tensor tensor_view(const int storage, tensor_in map, const strides *s, int batch, int head, long first, int rows) {
    const tensor y = {map, head, batch};
    return y;
}
OP void tensor_ahead(tensor *x, int heads) { x->head += heads; }
/* A fence makes the copy engine read the map anew. An item begins TENSORS_IN tensors: groups that stay know the one
 * begun so many calls ago. */
OP void tensor_begin(tile *t, tensor *x) {
#if RESIDENT
    const tensor_in before = t->begun[0];
    for (int i = 1; i < TENSORS_IN; i++) t->begun[i - 1] = t->begun[i];
    t->begun[TENSORS_IN - 1] = x->map;
    if (before == x->map) return;
#endif
    asm volatile("fence.proxy.tensormap::generic.acquire.gpu [%0], 128;" ::"l"((ulong)x->map) : "memory");
}
#define held_at(tp, q, index) ((q)->at = (tp)->mem + (index)*HELD_TURNS * BM * DK64 * 2)
/* with PACK a map's order is columns, heads, rows: boxes of PACK heads */
#define HELD_ROWS (BM / PACK * PACK)
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    if (RESIDENT) mb_wait(HELD_EMPTY(t), HELD_PHASE(t) ^ 1);
    mb_expect(HELD_FULL(t), HELD_ROWS * DK64 * 2);
    UNROLL
    for (int i = 0; i < DK64 / 64; i++)
        tma(q->at + HELD_OFFSET(t) + i * BM * 128, x, i * 64, PACK > 1 ? x->head : r0, PACK > 1 ? r0 / PACK : x->head,
            HELD_FULL(t));
}
OP void held_wait(tile *t) { mb_wait(HELD_FULL(t), HELD_PHASE(t)); }
OP void stream_acquire(tile *t, int s, int j) { mb_wait(EMPTY(t, s, j), PHASE_OF(t, j) ^ 1); }
OP void load_rows(tile *t, int s, int j, tensor *x, int r0, const int width) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(FIRST(t, s, j)), "r"(r0) : "memory");
    mb_expect(FULL(t, s, j), BN * width * 2);
    UNROLL
    for (int i = 0; i < width / 64; i++) tma(RING(t, s, j) + i * BN * 128, x, i * 64, r0, x->head, FULL(t, s, j));
}
#define stream_load(tp, s, j, x, r0) load_rows(tp, s, j, x, r0, ROUND(WIDTH(s), 64))
OP void stream_wait(tile *t, int s, int j) { mb_wait(FULL(t, s, j), PHASE_OF(t, j)); }
#undef stream_first
OP int first_of(tile *t, int s, int j) {
    int r0;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(r0) : "r"(FIRST(t, s, j)) : "memory");
    return r0;
}
#define stream_first(tp, s, j, given) first_of(tp, s, j)
OP void stream_release(tile *t, int s, int j) { warp_arrive(t, EMPTY(t, s, j)); }

#include "tile/nv_products.cl"
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define mma_fence() asm volatile("wgmma.fence.sync.aligned;" ::: "memory")
#define mma_commit() asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory")
#define mma_wait(t, n) asm volatile("wgmma.wait_group.sync.aligned " #n ";" ::: "memory")
/* 128-byte swizzle: rows of 128 bytes, eight rows an atom of 1024 */
OP ulong desc(uint at, uint lbo) {
    ulong d = (ulong)((at & 0x3FFFF) >> 4) | (ulong)lbo << 16 | 64UL << 32 | 1UL << 62;
    if (GATHER) asm("mov.b64 %0, %0;" : "+l"(d)); /* else what is added to it is folded, and kept in registers each */
    return d;
}
/* That of what lies so many bytes behind. */
OP ulong ahead(ulong descriptor, const int bytes) { return descriptor + (bytes >> 4); }
OP void mma_abt(tile *t, acc_pair *out, held *q, int s, int j) {
    const ulong a = desc(q->at + HELD_OFFSET(t) + OWN_ROWS(t->worker) * 128, 1), b = desc(RING(t, s, j), 1);
    mma_fence();
    CAT(ABTNEW, BN)(out->x, a, b);
    UNROLL
    for (int k = 1; k < ROUND(DK, 16) / 16; k++) CAT(ABT, BN)
    (out->x, ahead(a, (k >> 2) * BM * 128 + (k & 3) * 32), ahead(b, (k >> 2) * BN * 128 + (k & 3) * 32));
}
/* The columns of O: up to 128 by one product, the others by a second. The preprocessor works the width out: CAT needs a
 * literal. */
#if HEAD16 > 128
#define LAST16 (HEAD16 - 128)
#else
#define LAST16 HEAD16
#endif
#if LAST16 == 16
#define AB_LAST AB16
#elif LAST16 == 32
#define AB_LAST AB32
#elif LAST16 == 48
#define AB_LAST AB48
#elif LAST16 == 64
#define AB_LAST AB64
#elif LAST16 == 80
#define AB_LAST AB80
#elif LAST16 == 96
#define AB_LAST AB96
#elif LAST16 == 112
#define AB_LAST AB112
#else
#define AB_LAST AB128
#endif
/* 1 to 3 are the turns' */
OP void worker_meet(tile *t) { asm volatile("bar.sync %0, 128;" ::"r"(t->worker + 4) : "memory"); }
/* Rows of a tile whose byte is 0 become zeros. Each worker does it for itself: zeros on zeros do no harm to who reads
 * already. */
OP void rows_hide(tile *t, uint at, const int rows, const __global uchar *bytes, int n) {
    for (int r = (int)get_local_id(0) & 127; r < rows; r += 128)
        if (is_hidden(bytes, n, r))
            for (int i = 0; i < DV64 / 64; i++)
                for (int c = 0; c < 128; c += 16) put_ints(at + i * rows * 128 + r * 128 + c, (int4)(0));
    /* wgmma and the copy engine see memory on another path than st.shared */
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    worker_meet(t);
}
OP void held_hide(tile *t, held *q, const __global uchar *bytes, int n) {
    if (bytes) rows_hide(t, q->at, BM, bytes, n);
}
OP void mma_ab_seen(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n) {
    const ulong b = desc(RING(t, s, j) + OWN_COLUMNS(t->worker) * BN * 2, (BN * 128) >> 4);
    if (bytes) rows_hide(t, RING(t, s, j), BN, bytes, n);
    mma_fence();
    UNROLL
    for (int k = 0; k < BN / 16; k++) {
#if HEAD16 > 128
        AB128(out->x, p->x + 4 * k, ahead(b, k * 2048));
        AB_LAST((out->x + 64), p->x + 4 * k, ahead(b, 2 * BN * 128 + k * 2048));
#else
        AB_LAST(out->x, p->x + 4 * k, ahead(b, k * 2048));
#endif
    }
}
#if GATHER
#include "tile/nv_wgmma_pairs.cl"
#endif

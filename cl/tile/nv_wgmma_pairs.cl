/* tile_nv_wgmma, continued: a pass backwards whose groups share the sums of a head (GATHER 2, schedule/chains.cl).
 *   share = pairs^T . held    both from local memory, both turned by their descriptors
 * A step's pairs are published in local memory, where all workers read them. A worker's share of the result, 64 rows,
 * is laid down in local memory as its registers have it (nv_share.cl); a warp of the loading group adds it to global
 * memory in one piece (row by row took longer than a step), and waits there for those whose turn is before, so that no
 * worker does. Another one brings what a tile's columns need.
 * BN a multiple of 64, of at most WORKERS of them. */
#define FRONT2 2
#define BACK2 3
#define SHARE_ROW(w) (BN > 64 ? (w)*64 : 0)
#define SHARE_COLUMN(w) (BN > 64 ? 0 : (w)*SHARE_COLUMNS)
typedef struct {
    float x[SHARE_COLUMNS / 2];
} acc_share;
typedef struct {
    int row, sum, rank; /* among counts, among sums; how many add before */
} share_place;
/* Steps whose additions are told of together. */
#define TELLS LEAVES
#define PAIR_SLOT(j) ((j) & (PAIR_SLOTS - 1))
#define PAIRS(t, j) ((t)->mem - FRONT_BYTES + PAIR_SLOT(j) * PAIR_BYTES)
#define LEAVE_SLOT(w, n) ((w)*LEAVES + (n) % LEAVES) /* of a worker's share n */
#define LEAVE_PHASE(n) ((n) / LEAVES & 1)
#define LEAVE(t, w, n) ((t)->mem - FRONT_BYTES + PAIR_SLOTS * PAIR_BYTES + LEAVE_SLOT(w, n) * LEAVE_BYTES)
#define COLUMNS_OF(t, j) ((t)->ints + 16 + SLOT_OF(t, j) * (TERMS_OF_COLUMN * BN * 4))
#define LEAVE_FULL(t, w, n) ((t)->bar + 48 + 16 * LEAVE_SLOT(w, n))
#define LEAVE_EMPTY(t, w, n) (LEAVE_FULL(t, w, n) + 8)
#define COLUMNS_BAR(bar, i) ((bar) + 48 + 16 * WORKERS * LEAVES + 8 * (i)) /* of columns; from SLOTS on, of places */
#define COLUMNS_FULL(t, j) COLUMNS_BAR((t)->bar, SLOT_OF(t, j))
#define PLACE(t) ((t)->ints + 16 + TERM_BYTES + 16 * ((t)->left % PLACES))
#define PLACE_FULL(t) COLUMNS_BAR((t)->bar, SLOTS + (t)->left % PLACES)
OP void pairs_begin(uint bar) {
    for (int w = 0; w < WORKERS * LEAVES; w++) {
        mb_init(bar + 48 + 16 * w, 4 * ARRIVING);
        mb_init(bar + 48 + 16 * w + 8, ARRIVING);
    }
    for (int i = 0; i < SLOTS + PLACES; i++) mb_init(COLUMNS_BAR(bar, i), ARRIVING);
}

/* A barrier for each worker's publication and slot: who has published goes on, and meets the other one only. Slots
 * begin anew with each item: its held tiles arrive when both workers are through with what the one before published. */
#define PUBLISHED(j, worker) (8 + PAIR_SLOT(j) * WORKERS + (worker))
/* No function: inlined, it cost the assembler 20 bytes of spills. */
#define TELL_PUBLISHED(t, j)                                                                                           \
    if (WORKERS > 1) asm volatile("bar.arrive %0, 256;" ::"r"(PUBLISHED(j, (t)->worker)) : "memory")
OP void publish(tile *t, op_pair *p, int j) {
    const int l = t->w.lane & 7, r = t->row - (t->w.lane >> 2) + ((t->w.lane >> 3) & 1) * 8 + l, up = t->w.lane >> 4;
    const uint a = PAIRS(t, j) + r * 128;
    UNROLL
    for (int k = 0; k < BN / 16; k++)
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                         a + (k >> 2) * BM * 128 + ((((k & 3) * 2 + up) ^ l) << 4)),
                     "r"(p->x[4 * k]), "r"(p->x[4 * k + 1]), "r"(p->x[4 * k + 2]), "r"(p->x[4 * k + 3])
                     : "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    TELL_PUBLISHED(t, j);
}
OP void publish_none(tile *t) { TELL_PUBLISHED(t, -1); }
OP void meet(tile *t, int j) {
    if (WORKERS > 1) asm volatile("bar.sync %0, 256;" ::"r"(PUBLISHED(j, t->worker ^ 1)) : "memory");
    else worker_meet(t);
    t->met = j;
}

#if SHARE_COLUMNS == 32
#define GATHER_FIRST(c, a, b) LINES_PRODUCT("32", LIST32, NEW32_(c), "16", "17", "0", "1, 1", a, b)
#define GATHER_NEXT(c, a, b) LINES_PRODUCT("32", LIST32, OUT32_(c), "16", "17", "1", "1, 1", a, b)
#else /* 64 */
#define GATHER_FIRST(c, a, b) LINES_PRODUCT("64", LIST64, NEW64_(c), "32", "33", "0", "1, 1", a, b)
#define GATHER_NEXT(c, a, b) LINES_PRODUCT("64", LIST64, OUT64_(c), "32", "33", "1", "1, 1", a, b)
#endif
/* The pairs met last; rows of `held` that do not exist are zeros. */
OP void mma_gather(tile *t, acc_share *out, op_pair *p, held *q, int rows) {
    const uint lbo = (BM * 128) >> 4, column = SHARE_COLUMN(t->worker);
    const ulong a = desc(PAIRS(t, t->met) + SHARE_ROW(t->worker) * BM * 2, lbo),
                b = desc(q->at + column / 64 * BM * 128 + column % 64 * 2, lbo);
    mma_fence();
    GATHER_FIRST(out->x, a, b);
    UNROLL
    for (int k = 1; k < BM / 16; k++) GATHER_NEXT(out->x, ahead(a, k * 2048), ahead(b, k * 2048));
}
OP void acc_leave(tile *t, acc_share *x, __global float *y, long pitch, int n) {
    const uint at = LEAVE(t, t->worker, t->left) + ((uint)get_local_id(0) & 127) * 16;
    mb_wait(LEAVE_EMPTY(t, t->worker, t->left), LEAVE_PHASE(t->left) ^ 1);
    UNROLL
    for (int i = 0; i < SHARE_COLUMNS / 2; i += 4)
        asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(at + i * 512), "f"(x->x[i]), "f"(x->x[i + 1]),
                     "f"(x->x[i + 2]), "f"(x->x[i + 3])
                     : "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    warp_arrive(t, LEAVE_FULL(t, t->worker, t->left));
    t->left++;
}
/* The loading group's warps: 0 tiles, 1 and 2 what the workers leave, 3 the columns. */
OP int role_take(tile *t) { return get_local_id(0) >= 32 && get_local_id(0) < 32 + 32 * WORKERS; }
OP int role_columns(tile *t) { return get_local_id(0) >= 96; }
/* Lanes go on together: one that arrived for its warp is behind the others, which it may be waited for by. */
OP void lanes_meet(void) { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
OP int taken_worker(void) { return ((int)get_local_id(0) >> 5) - 1; }
/* A count for each worker. What was added when a count is incremented, behind the fence, is in memory before anything
 * is added behind the load that sees it. The fence (membar) waits for what the whole multiprocessor adds: at every step
 * it cost 5 to 8 % at D 128. */
OP void order_close(tile *t) {
    if (t->w.lane == 0) asm volatile("fence.acq_rel.gpu;" ::: "memory");
}
OP void order_pass(tile *t, __global int *counts) {
    if (t->w.lane == 0)
        asm volatile("red.relaxed.gpu.global.add.u32 [%0], 1;" ::"l"((ulong)(counts + taken_worker())) : "memory");
}
/* Where a share goes, from the columns' warp to those who take it: told before it is needed, it costs them no way to
 * memory. Columns of a step come when the workers have let go of that two before, so that the warp is at most four
 * places ahead of the one that was read last. */
OP void leave_place(tile *t, int row, int sum, int rank) {
    if (t->w.lane == 0) put_ints(PLACE(t), (int4)(row, sum, rank, 0));
    warp_arrive(t, PLACE_FULL(t));
    t->left++;
}
OP share_place leave_where(tile *t) {
    mb_wait(PLACE_FULL(t), t->left / PLACES & 1);
    const int4 x = get_ints(PLACE(t));
    return (share_place){x.x, x.y, x.z};
}
OP void leave_take(tile *t, __global float *y, int begins) {
    const int w = taken_worker();
    lanes_meet();
    mb_wait(LEAVE_FULL(t, w, t->left), LEAVE_PHASE(t->left));
    if (t->w.lane == 0) {
        const ulong to = (ulong)(y + w * SHARE_FLOATS);
        if (begins)
            asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to),
                         "r"(LEAVE(t, w, t->left)), "r"(SHARE_FLOATS * 4)
                         : "memory");
        else
            asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(to),
                         "r"(LEAVE(t, w, t->left)), "r"(SHARE_FLOATS * 4)
                         : "memory");
        asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
}
OP void leave_give(tile *t) {
    warp_arrive(t, LEAVE_EMPTY(t, taken_worker(), t->left - t->owed));
    t->owed--;
}
/* With two places, one is given back when the next share is on its way: nobody waits until memory has read it. */
OP void leave_taken(tile *t) {
    t->left++;
    t->owed++;
    if (t->owed < LEAVES) return;
#if LEAVES == 1
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
#else
    asm volatile("cp.async.bulk.wait_group.read 1;" ::: "memory");
#endif
    leave_give(t);
}
OP void leave_flush(tile *t) {
    asm volatile("cp.async.bulk.wait_group 0;\nfence.proxy.async.global;\nbar.warp.sync 0xffffffff;" ::: "memory");
    if (t->owed) leave_give(t);
}
/* The same for all lanes: what lane 0 sees. */
OP int order_count(const __global int *counts) {
    int n;
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];\nshfl.sync.idx.b32 %0, %0, 0, 0x1f, 0xffffffff;"
                 : "=r"(n)
                 : "l"((ulong)(counts + taken_worker()))
                 : "memory");
    return n;
}
OP int order_is(tile *t, const __global int *counts, int rank) {
    lanes_meet();
    return !rank || order_count(counts) >= rank;
}
OP void order_wait(tile *t, const __global int *counts, int rank, int is) {
    while (!is) is = order_count(counts) >= rank;
    asm volatile("bar.warp.sync 0xffffffff;\nfence.proxy.async.global;" ::: "memory");
}

/* TERMS_OF_COLUMN floats a column of a tile, which come when the tile's slot is free; columns from n on are as the last
 * one. */
typedef const __local float *columns_in;
OP void columns_load(tile *t, int j, const int k, const __global float *x, int n) {
    if (k == 0) {
        lanes_meet();
        stream_acquire(t, 0, j);
    }
    for (int c = t->w.lane; c < BN; c += 32)
        asm volatile("st.shared.f32 [%0], %1;" ::"r"(COLUMNS_OF(t, j) + (k * BN + c) * 4), "f"(x[min(c, n - 1)])
                     : "memory");
}
OP void columns_send(tile *t, int j) { warp_arrive(t, COLUMNS_FULL(t, j)); }
OP columns_in columns_wait(tile *t, int j) {
    mb_wait(COLUMNS_FULL(t, j), PHASE_OF(t, j));
    return (columns_in)(ulong)(COLUMNS_OF(t, j)) + COL_BASE(t);
}
#define column_of(t, columns, k, i) ((columns)[(k)*BN + COL_STEP(i)])

/* tile_nv_wgmma, continued: who does which item. RESIDENT: groups stay and take items until none is left; else a group
 * has one. */
#if RESIDENT
/* The next item: the loader takes its number from a counter that nv_tensor_maps.cl has set to 0, works out what it is,
 * and tells the others. Groups stay until the numbers are used up; the loader is one item ahead of those who still
 * store. The turns go on from item to item. Whoever takes the last number, none, says so like the others. AHEAD: a
 * number is taken an item before it is asked for; not where groups wait for each other, and for an item that nobody
 * has begun though its number is taken. */
#define AHEAD !GATHER
#if GATHER
OP int role_take(tile *t);
OP int role_columns(tile *t);
OP int role_stays(tile *t) { return role_first(t) || role_take(t) || role_columns(t); }
#else
OP int role_stays(tile *t) { return role_first(t); }
#endif
OP int role_load(tile *t) { return t->loads; }
OP void role_compute(tile *t) {}
OP void turns_begin(tile *t) {}
OP void turns_end(tile *t) {}
OP void leave(void) { asm volatile("exit;"); }
OP item_place item_numbered(int n, int rows, int heads, int crowd) {
    const int across = HEAVY_LAST || GATHER ? crowd : rows, down = HEAVY_LAST || GATHER ? rows : heads,
              rest = n / across, x = n - rest * across, y = rest % down, z = rest / down;
    return GATHER ? (item_place){y, z * across + x, 0} : item_of(x, y, z, across, rows);
}
OP item_place item_next(tile *t, const __global ulong16 *first_map, int rows, int heads, int parts, int crowd) {
    int4 x;
    if (t->loads && (!GATHER || role_first(t))) {
        const int n = AHEAD && t->round ? t->next : atomic_inc((volatile __global int *)(first_map - 1));
        const item_place at = item_numbered(n, rows, heads, crowd);
        if (AHEAD) t->next = atomic_inc((volatile __global int *)(first_map - 1)); /* there when it is asked for */
        mb_wait(ITEM_EMPTY(t), (t->round & 1) ^ 1);
        x = (int4)(at.row, n < rows * heads * parts ? at.head : -1, at.part, 0);
        put_ints(ITEM(t), x);
        mb_arrive(ITEM_FULL(t));
    } else {
        mb_wait(ITEM_FULL(t), t->round & 1);
        x = get_ints(ITEM(t));
        warp_arrive(t, ITEM_EMPTY(t));
        if (GATHER) x = (int4)(same_for_warp(x.x), same_for_warp(x.y), x.z, 0);
    }
    t->round++;
    if (x.y < 0) {
        if (!t->loads) last_turn(t);
        leave();
    }
    return (item_place){x.x, x.y, x.z};
}
#undef EACH_ITEM
#define EACH_ITEM(t, at, tensor, rows, heads, parts, crowd, call)                                                      \
    if (split_load(t)) {                                                                                               \
        if (!role_stays(t)) leave();                                                                                   \
        (t)->loads = 1;                                                                                                \
        for (;;) {                                                                                                     \
            const item_place at = item_next(t, tensor, rows, heads, parts, crowd);                                     \
            call;                                                                                                      \
        }                                                                                                              \
    } else {                                                                                                           \
        split_compute(t);                                                                                              \
        first_turn(t);                                                                                                 \
        for (;;) {                                                                                                     \
            const item_place at = item_next(t, tensor, rows, heads, parts, crowd);                                     \
            call;                                                                                                      \
        }                                                                                                              \
    }
#else
OP int role_load(tile *t) { return split_load(t); }
OP void role_compute(tile *t) { split_compute(t); }
OP void turns_begin(tile *t) { first_turn(t); }
OP void turns_end(tile *t) { last_turn(t); }
#endif

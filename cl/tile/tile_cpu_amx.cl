/* tile_cpu_amx: x86 CPUs with AMX, bfloat16 storage. As in tile_cpu_dots lanes are query rows and everything is held
 * transposed; the products run on tile registers:
 *   S^T = K Q^T       K as it lies, Q^T in words of two columns            sums of 16 keys x 16 rows
 *   O^T += V^T P^T    V turned once a tile, P^T in words of two keys       sums of 16 columns x 16 rows
 * Sums are float, and stay in memory between products. The instructions of the first product leave the vector units
 * alone, so V is turned between them (stream_turn); the second product goes on between the exponentials
 * (EACH_PAIR_BESIDE). BM, BN: multiples of 16. */
#include "tile/amx.cl"
#define ROUND(x, n) (((x) + (n)-1) / (n) * (n))
#define DV4 ROUND(DV, 16) /* rows of the transposed result */
#define BNP ROUND(BN, 32) /* a step of the second product is 32 keys */
/* A product in pieces: its operands and sums, the next piece, and of how many. */
typedef struct {
    ulong sums, left, right;
    int next, all;
} work;
/* turned: tiles of V, by the parity of j. turns, turns_of: what stream_turn asked for; -1: nothing. put: the half of an
 * op_pair that no product reads. */
#define TILE_MORE                                                                                                      \
    ushort turned[2][DV4 * BNP] __attribute__((aligned(64)));                                                          \
    int is_turned[2], turns, turns_of, put;                                                                            \
    work todo;                                                                                                         \
    amx_state amx;
/* An odd number of lines: with 512 bytes between them the columns of a row would share eight sets of a cache. */
#define ROW_STEP (BM / 16 | 1)
#define OWN_PAIRS
#include "tile/cpu_rows.cl"
#if STORE != 2 || BN % 16
#error tile_cpu_amx reads bfloat16 only, and wants BN a multiple of 16
#endif
#define STEPS ((DK + 31) / 32) /* of the first product; the last one ends at DK: what it reads twice meets zeros */
#define STEP_AT(k) ((k) + 1 < STEPS ? (k)*32 : DK > 32 ? DK - 32 : 0)
#define KP (DK < 32 ? 32 : DK)                     /* columns of a copy of K */
#define VP ROUND(DV, 8)                            /* of one of V */
#define IN_EIGHTS (DV % 8 == 0 && BN % 32 == 0)    /* V can be turned where it lies */
#define S_PITCH (ROW_STEP * 64L)                   /* bytes between rows of sums, and of what lanes hold */
#define ODD(c) (ROW_LEN % 2 && (c) == ROW_LEN - 1) /* vectors of rows are taken two by two; one is left */
#define EACH_TWO(c) for (int c = 0; c < ROW_LEN; c += 2)
typedef struct {
    VI x[STEPS * 16 * ROW_STEP];
} held;
typedef struct {
    VI x[2][BNP / 2 * ROW_STEP], low; /* low: of two keys the first, until the second is put */
    int at;                           /* the half that is the operand */
} op_pair;
#define stream_wait(tp, s, j)

/* Four maxima a row: one would wait for the one before. */
#define PARTS 4
typedef struct {
    VF x[ROW_LEN * PARTS];
} parts;
#define VISITS(i)                                                                                                      \
    UNROLL                                                                                                             \
    for (int i##_u = 0; i##_u < PARTS; i##_u++)                                                                        \
        for (int i = (i##_k + i##_u) * ROW_STEP + i##_r, i##_on = 1; i##_on; i##_on = 0)
#define EACH_PAIR(i)                                                                                                   \
    for (int i##_r = 0; i##_r < ROW_LEN; i##_r++) ROLLED for (int i##_k = 0; i##_k < BN; i##_k += PARTS) VISITS(i)
#define ROW_OF(i) i##_r
#define EACH_PART(k) for (int k = 0; k < ROW_LEN * PARTS; k++)
#define PART_OF(i) (i##_r * PARTS + i##_u)
#define COL_STEP(i) ((VI)(i##_k + i##_u))
OP void fold_max(tile *t, row *r, parts *p) {
    EACH_ROW(i) {
        const VF *x = p->x + i * PARTS;
        r->x[i] = vmax(r->x[i], vmax(vmax(x[0], x[1]), vmax(x[2], x[3])));
    }
}
OP void fold_sum(row *r, parts *p) {
    EACH_ROW(i) {
        const VF *x = p->x + i * PARTS;
        r->x[i] += (x[0] + x[1]) + (x[2] + x[3]);
    }
}
#undef row_keep
OP void row_keep(row *best, const row *m, float slack) {
    EACH_ROW(r) best->x[r] = pick(best->x[r] > m->x[r] + slack, best->x[r], m->x[r]);
}
/* By a polynomial of degree 4, to 3e-6: weights are rounded to 8 bits, and the sum of them errs by less than LSE may.
 */
#undef vweight
OP VF vweight(VF t) {
    const VF f = amx_fraction(t);
    VF p = (VF)(1.342668384e-2f);
    p = fma(p, f, (VF)(5.224247277e-2f));
    p = fma(p, f, (VF)(2.412801981e-1f));
    p = fma(p, f, (VF)(6.930448413e-1f));
    p = fma(p, f, (VF)(1.0f));
    return amx_scale(p, t);
}

/* ---- blocks of sums: R x C tile registers, R, C <= 2: 0 and 1 the upper row of them, 2 and 3 the lower one ------- */
OP void sums_load(tile *t, ulong p, const int R, const int C) {
    AMX_LOAD(&t->amx, 0, p, S_PITCH);
    if (C > 1) AMX_LOAD(&t->amx, 1, p + 64, S_PITCH);
    if (R > 1) AMX_LOAD(&t->amx, 2, p + 16 * S_PITCH, S_PITCH);
    if (R > 1 && C > 1) AMX_LOAD(&t->amx, 3, p + 16 * S_PITCH + 64, S_PITCH);
}
OP void sums_store(tile *t, ulong p, const int R, const int C) {
    AMX_STORE(&t->amx, 0, p, S_PITCH);
    if (C > 1) AMX_STORE(&t->amx, 1, p + 64, S_PITCH);
    if (R > 1) AMX_STORE(&t->amx, 2, p + 16 * S_PITCH, S_PITCH);
    if (R > 1 && C > 1) AMX_STORE(&t->amx, 3, p + 16 * S_PITCH + 64, S_PITCH);
}
OP void sums_zero(tile *t, const int R, const int C) {
    AMX_ZERO(&t->amx, 0);
    if (C > 1) AMX_ZERO(&t->amx, 1);
    if (R > 1) AMX_ZERO(&t->amx, 2);
    if (R > 1 && C > 1) AMX_ZERO(&t->amx, 3);
}
/* Operands of one step: 4 and 5 the left one, in rows `down` bytes apart, 6 and 7 the right one. */
OP void operands_load(tile *t, ulong a, long down, ulong b, const int R, const int C) {
    AMX_LOAD(&t->amx, 4, a, down);
    AMX_LOAD(&t->amx, 6, b, S_PITCH);
    if (R > 1) AMX_LOAD(&t->amx, 5, a + 16 * down, down);
    if (C > 1) AMX_LOAD(&t->amx, 7, b + 64, S_PITCH);
}
OP void operands_add(tile *t, const int R, const int C) {
    AMX_ADD(&t->amx, 0, 4, 6);
    if (R > 1) AMX_ADD(&t->amx, 2, 5, 6);
    if (C > 1) AMX_ADD(&t->amx, 1, 4, 7);
    if (R > 1 && C > 1) AMX_ADD(&t->amx, 3, 5, 7);
}
/* Of one row of sums and up to two steps: the right operand stays in 4 to 7 while rows of the left one pass through 2
 * and 3. */
OP void right_load(tile *t, ulong b, ulong next, const int steps, const int C) {
    AMX_LOAD(&t->amx, 4, b, S_PITCH);
    if (C > 1) AMX_LOAD(&t->amx, 5, b + 64, S_PITCH);
    if (steps > 1) AMX_LOAD(&t->amx, 6, next, S_PITCH);
    if (steps > 1 && C > 1) AMX_LOAD(&t->amx, 7, next + 64, S_PITCH);
}
OP void left_load(tile *t, ulong a, ulong next, long down, const int steps) {
    AMX_LOAD(&t->amx, 2, a, down);
    if (steps > 1) AMX_LOAD(&t->amx, 3, next, down);
}
OP void rows_add(tile *t, const int steps, const int C) {
    AMX_ADD(&t->amx, 0, 2, 4);
    if (C > 1) AMX_ADD(&t->amx, 1, 2, 5);
    if (steps > 1) AMX_ADD(&t->amx, 0, 3, 6);
    if (steps > 1 && C > 1) AMX_ADD(&t->amx, 1, 3, 7);
}

/* ---- operands --------------------------------------------------------------------------------------------------- */
typedef struct {
    VI x;
} __attribute__((packed, aligned(2))) words_at;
OP VI words_of(gptr p) { return ((const __global words_at *)p)->x; }
#define HALVES(p) ((const __global ushort *)(p))
OP int word_at(gptr p, int d, int from, int width) {
    return (d < width && d >= from ? (int)HALVES(p)[d] : 0) |
           (d + 1 < width && d + 1 >= from ? (int)HALVES(p)[d + 1] << 16 : 0);
}
/* Words of two columns, a row of BM of them for each. Columns that the last step reads a second time are 0. */
OP void held_load(tile *t, held *q, tensor *x, int r0, const int width) {
    for (int c = 0; c < ROW_LEN; c++) {
        gptr p[16];
        sixteen_rows(p, x, r0 + c * 16);
        int k = 0;
        for (; 32 * (k + 1) <= width; k++) {
            VF r[16];
            UNROLL
            for (int i = 0; i < 16; i++) r[i] = as_float16(words_of(p[i] + 64 * k));
            transpose16(r);
            UNROLL
            for (int i = 0; i < 16; i++) q->x[(k * 16 + i) * ROW_STEP + c] = as_int16(r[i]);
        }
        for (; k < STEPS; k++)
            for (int w = 0; w < 16; w++)
                for (int i = 0; i < 16; i++)
                    ((int *)q->x)[((k * 16 + w) * ROW_STEP + c) * 16 + i] =
                        word_at(p[i], STEP_AT(k) + 2 * w, 32 * k, width);
    }
}
/* To nearest; P is not negative, so half a unit added to the bits is enough. */
OP VI two_keys(VF first, VF second) { return amx_upper_halves(as_int16(first) + 0x8000, as_int16(second) + 0x8000); }
OP void operand_is(op_pair *p, int at) { /* keys that make up a step are zeros */
    for (int k = BN / 2 * ROW_STEP; k < BNP / 2 * ROW_STEP; k++) p->x[at][k] = 0;
    p->at = at;
}
OP void convert(op_pair *p, acc_pair *s) {
    for (int k = 0; k < BN; k += 2) UNROLL
    for (int r = 0; r < ROW_LEN; r++)
        p->x[0][k / 2 * ROW_STEP + r] = two_keys(s->x[k * ROW_STEP + r], s->x[(k + 1) * ROW_STEP + r]);
    operand_is(p, 0);
}
#undef pair_put
#define pair_put(t, p, s, i, value) put_key(t, p, i##_k, i##_u, i##_r, value)
OP void put_key(tile *t, op_pair *p, int k, const int u, int r, VF value) {
    if (p && u % 2) p->x[t->put][(k + u) / 2 * ROW_STEP + r] = two_keys(as_float16(p->low), value);
    if (p && u % 2 == 0) p->low = as_int16(value);
}
#undef convert_put
OP void convert_put(tile *t, op_pair *p, acc_pair *s) {
    operand_is(p, t->put);
    t->put ^= 1;
}
/* A copy of tile j's rows, for tiles of which some do not exist, or that are too narrow to be read where they lie;
 * zeros behind `width` columns and behind the last row. */
OP void copy_halves(tile *t, int s, int j, ushort *y, const int width, const int pitch, const int rows) {
    const int left = min(t->left[s][j & 1], BN);
    for (int r = 0; r < rows; r++) {
        gptr p = t->tile[s][j & 1] + r * t->pitch[s];
        int d = 0;
        for (; r < left && d + 16 <= width; d += 16) vstore16(vload16(0, HALVES(p) + d), 0, y + r * pitch + d);
        for (; d < pitch; d++) y[r * pitch + d] = r < left && d < width ? HALVES(p)[d] : (ushort)0;
    }
}

/* ---- V turned, 32 keys and 8 columns at a time ------------------------------------------------------------------ */
#define TURNS_ACROSS (VP / 8)
#define TURNS (BNP / 32 * TURNS_ACROSS)
typedef struct {
    ushort *to;
    ulong from;
    long pitch;
    int next;
} turning;
OP turning turn_begin(tile *t, int s, int j, ushort *copy) {
    const int whole = IN_EIGHTS && t->left[s][j & 1] >= BN;
    if (!whole) copy_halves(t, s, j, copy, DV, VP, BNP);
    t->is_turned[j & 1] = 1;
    return (turning){t->turned[j & 1], whole ? (ulong)t->tile[s][j & 1] : (ulong)copy, whole ? t->pitch[s] : 2 * VP, 0};
}
OP void turn_to(turning *x, int until) {
    for (; x->next < until; x->next++) {
        const int k = x->next / TURNS_ACROSS * 32, d = x->next % TURNS_ACROSS * 8;
        amx_turn(x->to + d * BNP + k, BNP, x->from + k * x->pitch + d * 2, x->pitch);
    }
}
#undef stream_turn
OP void stream_turn(tile *t, int s, int j) {
    t->turns = s;
    t->turns_of = j;
}

/* ---- the first product ------------------------------------------------------------------------------------------ */
/* `done`: the block of R x C sums that was made last. It is stored when the next one's operands are on their way: a
 * store waits for its sums, and a load that follows it to the same place in another page waits for both. */
typedef struct {
    ulong keys, rows, sums;
    long down;
    ulong done;
    int R, C;
    int piece;
    turning v;
} front;
OP void done_store(tile *t, front *f) {
    if (f->R > 1) {
        if (f->C > 1) sums_store(t, f->done, 2, 2);
        else sums_store(t, f->done, 2, 1);
    } else {
        if (f->C > 1) sums_store(t, f->done, 1, 2);
        else sums_store(t, f->done, 1, 1);
    }
}
/* Behind each piece of the product a share of V is turned. */
OP void piece_end(front *f, const int pieces) {
    f->piece++;
    if (f->v.to) turn_to(&f->v, f->piece * TURNS / pieces);
}
#if STEPS <= 2 /* Q of two vectors of rows stays in registers while K passes, 16 keys a piece */
#define PIECES_FRONT (BN / 16 * ((ROW_LEN + 1) / 2))
OP void front_rows(tile *t, front *f, int c, const int C) {
    right_load(t, f->rows + c * 64, f->rows + 16 * S_PITCH + c * 64, STEPS, C);
    for (int i = 0; i < BN; i += 16) {
        const ulong a = f->keys + i * f->down;
        left_load(t, a, a + STEP_AT(1) * 2, f->down, STEPS);
        if (f->piece) done_store(t, f);
        sums_zero(t, 1, C);
        rows_add(t, STEPS, C);
        f->done = f->sums + i * S_PITCH + c * 64;
        f->R = 1;
        f->C = C;
        piece_end(f, PIECES_FRONT);
    }
}
#else
#define PIECES_FRONT ((BN + 31) / 32 * ((ROW_LEN + 1) / 2) * STEPS)
OP void front_block(tile *t, front *f, int i, int c, const int R, const int C) {
    const ulong a = f->keys + i * f->down, b = f->rows + c * 64;
    for (int k = 0; k < STEPS; k++) {
        operands_load(t, a + STEP_AT(k) * 2, f->down, b + k * 16 * S_PITCH, R, C);
        if (k == 0) {
            if (f->piece) done_store(t, f);
            sums_zero(t, R, C);
        }
        operands_add(t, R, C);
        piece_end(f, PIECES_FRONT);
    }
    f->done = f->sums + i * S_PITCH + c * 64;
    f->R = R;
    f->C = C;
}
OP void front_rows(tile *t, front *f, int c, const int C) { /* these rows stay near while all keys pass */
    for (int i = 0; i + 32 <= BN; i += 32) front_block(t, f, i, c, 2, C);
    if (BN % 32) front_block(t, f, BN - 16, c, 1, C);
}
#endif
OP void front_all(tile *t, front *f) {
    EACH_TWO(c) {
        if (ODD(c)) front_rows(t, f, c, 1);
        else front_rows(t, f, c, 2);
    }
}
OP void mma_abt(tile *t, acc_pair *out, held *q, int s, int j) {
    ushort keys[BN * KP] __attribute__((aligned(64))), values[BNP * VP] __attribute__((aligned(64)));
    front f = {(ulong)t->tile[s][j & 1], (ulong)q->x, (ulong)out->x, t->pitch[s]};
    if (DK < 32 || t->left[s][j & 1] < BN) {
        copy_halves(t, s, j, keys, DK, KP, BN);
        f.keys = (ulong)keys;
        f.down = 2 * KP;
    }
    f.piece = 0;
    f.v.to = 0;
    if (t->turns >= 0) f.v = turn_begin(t, t->turns, t->turns_of, values);
    t->turns = -1;
    front_all(t, &f);
    done_store(t, &f);
}

/* ---- the second product: in pieces, beside EACH_PAIR_BESIDE as far as that comes, the rest at mma_wait(t, 0) ----- */
#define ACROSS ((ROW_LEN + 1) / 2)
#define KEY_STEPS (BNP / 32)
OP ulong sums_at(const work *w, int d, int c) { return w->sums + d * S_PITCH + c * 64; }
#if KEY_STEPS <= 2 /* P of two vectors of rows stays in registers while V^T passes, 16 columns a piece */
#define DOWN (DV4 / 16)
#define PIECES (DOWN * ACROSS)
OP void piece_store(tile *t, const work *w, int n) {
    const int d = n % DOWN * 16, c = n / DOWN * 2;
    if (ODD(c)) sums_store(t, sums_at(w, d, c), 1, 1);
    else sums_store(t, sums_at(w, d, c), 1, 2);
}
OP void piece_of(tile *t, const work *w, int n, int d, int c, const int C) {
    const ulong a = w->left + d * BNP * 2, b = w->right + c * 64;
    if (d == 0) right_load(t, b, b + 16 * S_PITCH, KEY_STEPS, C);
    left_load(t, a, a + 64, 2 * BNP, KEY_STEPS);
    if (n) piece_store(t, w, n - 1);
    sums_load(t, sums_at(w, d, c), 1, C);
    rows_add(t, KEY_STEPS, C);
}
OP void piece(tile *t, const work *w, int n) {
    const int d = n % DOWN * 16, c = n / DOWN * 2;
    if (ODD(c)) piece_of(t, w, n, d, c, 1);
    else piece_of(t, w, n, d, c, 2);
}
#else
#error tile_cpu_amx wants BN of 64 or less
#endif
OP void work_to(tile *t, work *w, int until) {
    for (; w->next < until; w->next++) piece(t, w, w->next);
}
OP void work_end(tile *t, work *w) {
    if (w->all == 0) return;
    work_to(t, w, w->all);
    piece_store(t, w, w->all - 1);
    w->next = w->all = 0;
}
/* Rows that a byte hides are columns of the turned tile. */
OP void hide_turned(ushort *y, const __global uchar *bytes, int n) {
    for (int k = 0; k < BN; k++)
        for (int d = 0; d < DV4 && is_hidden(bytes, n, k); d++) y[d * BNP + k] = 0;
}
/* after the pending row scale */
OP void mma_ab_seen(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n) {
    ushort *y = t->turned[j & 1];
    if (!t->is_turned[j & 1]) {
        ushort values[BNP * VP] __attribute__((aligned(64)));
        turning all = turn_begin(t, s, j, values);
        turn_to(&all, TURNS);
    }
    t->is_turned[j & 1] = 0;
    if (any_hidden(bytes, n)) hide_turned(y, bytes, n);
    for (int c = 0; c < ROW_LEN; c++) {
        const VF f = out->pending.x[c];
        if (any_lane(f != (VF)(1.0f))) _Pragma("unroll 4") for (int d = 0; d < DV4; d++) out->x[d * ROW_STEP + c] *= f;
        out->pending.x[c] = 1.0f;
    }
    t->todo = (work){(ulong)out->x, (ulong)y, (ulong)p->x[p->at], 0, PIECES};
}
#undef mma_wait
#define mma_wait(t, n)                                                                                                 \
    if ((n) == 0) work_end(t, &(t)->todo)
#define CHUNKS (ROW_LEN * (BN / 16))
OP int work_some(tile *t, int chunk, int at) {
    if (t->todo.all) work_to(t, &t->todo, chunk * PIECES / CHUNKS);
    return at;
}
#undef EACH_PAIR_BESIDE
#define EACH_PAIR_BESIDE(t, i)                                                                                         \
    for (int i##_r = 0; i##_r < ROW_LEN; i##_r++)                                                                      \
        for (int i##_b = 0; i##_b < BN; i##_b += 16)                                                                   \
    ROLLED for (int i##_k = work_some(t, i##_r * (BN / 16) + i##_b / 16 + 1, i##_b); i##_k < i##_b + 16;               \
                i##_k += PARTS) VISITS(i)

#undef TILE_BEGIN
OP void tile_begin(tile *t) { /* no product in flight, nothing turned */
    t->todo.next = t->todo.all = 0;
    t->turns = -1;
    t->put = 0;
    t->is_turned[0] = t->is_turned[1] = 0;
    amx_begin(&t->amx);
}
#define TILE_BEGIN(tp) tile_begin(tp)
/* A thread that holds tile registers has 8 KiB more to save at every switch. */
#undef EACH_ITEM
#define EACH_ITEM(t, at, tensor, rows, heads, parts, crowd, call)                                                      \
    {                                                                                                                  \
        const item_place at = item_of((int)GROUP(0), (int)GROUP(1), (int)GROUP(2), (int)GROUPS(0), rows);              \
        call;                                                                                                          \
        amx_end(&(t)->amx);                                                                                            \
    }

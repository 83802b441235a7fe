/* tile_simt_state: the state words on tile_simt. State and results are spread over the group's registers, operands pass
 * through local memory.
 *   S[DK][SV] += (w K)[BN][DK]^T . V[BN][SV]        O[BM][SV] = f Q[BM][DK] . S[DK][SV] + P . V
 * An item owns SR rows of the state, in fours 4 * RY apart, and its OC columns of O: so the state's columns are cut
 * between groups as O's are, and every product's lines are the tile's. A slice of Q . S is KS head columns of Q, stored
 * turned, beside the same rows of the state, which the items that own them publish. A slice of K^T . V is PS keys of
 * both, as stored, each key weighted on its way. Scaling the state waits for its next product: what Q met before stays
 * what was published. Values of keys go between columns and rows, and are summed, in local memory. BM = BN; a chunk is
 * the whole tile, for rows that exist are stored. */
#define SR ROUND_UP((DK + RY - 1) / RY, 4)
#define DKS (SR * RY) /* rows of the state, padded */
#define APPLY_BUF (KS * (RPITCH + DVP))
#define GROW_BUF (PS * (DKS + DVP))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#undef BUF /* of the frame; a product's two buffers lie as it needs them */
#define BUF MAX_OF(MAX_OF(ABT_BUF, AB_BUF), MAX_OF(APPLY_BUF, GROW_BUF))
#undef FOLD_LEN
#define FOLD_LEN (6 * BN) /* weights, a turned column, running sums twice */
#define WEIGHTS(t) ((t)->fold)
#define TURNED(t) ((t)->fold + BN)
#define SUMS(t, i) ((t)->fold + (2 + (i)*2) * BN)
#if BM != BN || PACK != 1
#error the state words want BM = BN and no packed heads
#endif

typedef struct {
    float x[NC], last;
} col;
typedef struct {
    float x[SR * OC], keep;
} acc_state;
typedef struct {
    rows_in keys;
} op_keys;
#define EACH_KEY(i)                                                                                                    \
    UNROLL                                                                                                             \
    for (int i = 0; i < NC; i++)
#define KEY_AT(t, i) COL_AT(t, i)
#define KEY_OF(i) ((i) % NC)
#define EACH_LOWER(i) EACH_PAIR(i)
#define PAIRS_STAY 0

/* Each item's columns, from one row of items, where all read them after a barrier. */
OP void cols_put(lptr y, tile *t, const col *c) {
    if (t->ry == 0) UNROLL
    for (int i = 0; i < NC; i += 4)
        AT4(y + FOURS(t->cx, CX, i)) = (float4)(c->x[i], c->x[i + 1], c->x[i + 2], c->x[i + 3]);
}
OP void cols_get(col *c, const lptr y, tile *t) {
    UNROLL
    for (int i = 0; i < NC; i += 4) {
        const float4 v = AT4(y + FOURS(t->cx, CX, i));
        c->x[i] = v.x;
        c->x[i + 1] = v.y;
        c->x[i + 2] = v.z;
        c->x[i + 3] = v.w;
    }
    c->last = y[BN - 1];
}
/* In log2(BN) passes, from one pair of arrays to the other: key k gets the sum of what ends `reach` before it. */
OP void col_sum(tile *t, col *whole, col *part, const __global float *p, int n) {
    lptr from = SUMS(t, 0), to = SUMS(t, 1);
    for (int k = (int)t->item; k < BN; k += ITEMS) {
        const float x = k < n ? fmax(p[min(k, n - 1)] * LOG2E, -150.0f) : 0.0f, near = rint(x);
        from[k] = near;
        from[BN + k] = x - near;
    }
    BARRIER();
    for (int reach = 1; reach < BN; reach *= 2) {
        for (int k = (int)t->item; k < BN; k += ITEMS) {
            const float sum = from[BN + k] + (k < reach ? 0.0f : from[BN + k - reach]), near = rint(sum);
            to[k] = from[k] + (k < reach ? 0.0f : from[k - reach]) + near;
            to[BN + k] = sum - near;
        }
        BARRIER();
        const lptr old = from;
        from = to;
        to = old;
    }
    cols_get(whole, from, t);
    cols_get(part, from + BN, t);
    BARRIER();
}
OP float col_last(tile *t, col *c) { return c->last; }
OP void row_of_col(tile *t, row *r, col *c) {
    cols_put(TURNED(t), t, c);
    BARRIER();
    EACH_ROW(i) r->x[i] = TURNED(t)[FOURS(t->ry, RY, i)];
    BARRIER();
}

#define EACH_STATE(i)                                                                                                  \
    UNROLL                                                                                                             \
    for (int i = 0; i < SR * OC; i++)
#define STATE_ROW(t, i) FOURS((t)->ry, RY, (i) / OC)
#define STATE_COL(t, i) (FIRST_COLUMN + FOURS((t)->cx, CX, (i) % OC))
OP void state_load(tile *t, acc_state *st, const __global float *p, long pitch) {
    st->keep = 1.0f;
    EACH_STATE(i) st->x[i] = 0.0f;
    if (!p) return;
    EACH_STATE(i) {
        const int d = STATE_ROW(t, i), c = STATE_COL(t, i);
        if (d < DK && c < DV) st->x[i] = p[d * pitch + c];
    }
}
OP void state_store(tile *t, __global float *p, long pitch, acc_state *st) {
    EACH_STATE(i) {
        const int d = STATE_ROW(t, i), c = STATE_COL(t, i);
        if (d < DK && c < DV) p[d * pitch + c] = st->x[i] * st->keep;
    }
}
OP void float_store(tile *t, __global float *p, float x) {
    if (t->item == 0 && FIRST_COLUMN == 0) *p = x;
}
OP void state_publish(tile *t, acc_state *st) {}
OP void state_scale(acc_state *st, float keep) { st->keep *= keep; }
OP void rows_load(tile *t, held *q, int s, int j) {
    const rows_in b = stream_at(t, s, j);
    const held y = {b.x, 0, b.row, b.last};
    *q = y;
}
OP void keys_load(tile *t, op_keys *a, int s, int j, col *f) {
    a->keys = stream_at(t, s, j);
    cols_put(WEIGHTS(t), t, f);
    BARRIER();
}
OP void mma_abt_lower(tile *t, acc_pair *out, held *q, int s, int j) { abt_of(t, out, q, s, j, DK); }
OP void acc_bind(acc_head *o, tensor_out *y, int r0) {}

/* KS rows of the state from d on: the items that own them. No loop in the condition, and none around the barriers of
 * mma_state: pocl would take minutes. */
OP void publish_state(tile *t, lptr y, const acc_state *st, int d) {
    UNROLL
    for (int i = 0; i < SR * OC; i += 4) {
        const int r = STATE_ROW(t, i) - d;
        const float *x = st->x + i;
        if ((uint)r < KS) AT4(y + r * DVP + FOURS(t->cx, CX, i % OC)) = (float4)(x[0], x[1], x[2], x[3]);
    }
}
OP void mma_state(tile *t, acc_head *o, held *q, acc_state *st, row *f) {
    float4 v[HELD_F];
    gptr p[HELD_F];
    acc_zero(o);
    UNROLL
    for (int i = 0; i < HELD_F; i++) p[i] = row_at(q->x, FETCHED_ROW(t, i, q->last), q->row);
    fetch_columns(HELD_STORED, v, HELD_F, t, p, 0, DK);
    put_turned(t->mem, HELD_F, BM, t, v, 0, DK);
    publish_state(t, t->mem + KS * RPITCH, st, 0);
    BARRIER();
    UNROLL_BY(1) for (int d = 0; d < DKP; d += KS) {
        const lptr now = t->mem + (d / KS & 1) * APPLY_BUF, then = t->mem + ((d / KS + 1) & 1) * APPLY_BUF;
        if (d + KS < DKP) fetch_columns(HELD_STORED, v, HELD_F, t, p, d + KS, DK);
        product(o->x, OC, KS, now + t->ry * 4, now + KS * RPITCH + t->cx * 4, DVP);
        if (d + KS < DKP) put_turned(then, HELD_F, BM, t, v, d + KS, DK);
        publish_state(t, then + KS * RPITCH, st, d + KS);
        BARRIER();
    }
    row_scale(o, f);
}
OP void mma_state_ab_lower(tile *t, acc_head *o, held *q, acc_state *st, row *f, op_pair *p, int s, int j) {
    mma_state(t, o, q, st, f);
    ab_of(t, o, p, s, j, 0, 0, DV);
}

/* Keys of a slice: `width` columns from `first` on of PS rows from row k on, four a fetch; lines as stored. */
#define SLICE_F(width) ((PS * (width) / 4 + ITEMS - 1) / ITEMS)
#define SLICE_LINE(t, i, width) (((t)->item + (i)*ITEMS) / ((width) / 4))
#define SLICE_COL(t, i, width) ((int)(((t)->item + (i)*ITEMS) % ((width) / 4) * 4))
#define SLICE_ENDS(i, width) (PS * (width) / 4 % ITEMS == 0 || (i) + 1 < SLICE_F(width)) /* no item has too many */
OP void fetch_slice(const int storage, float4 *v, tile *t, const rows_in *b, int k, int first, const int width,
    const int real, const int fetched) {
    UNROLL
    for (int i = 0; i < SLICE_F(width); i++)
        v[i] = load4(storage, row_at(b->x, min(k + (int)SLICE_LINE(t, i, width), b->last), b->row),
            first + SLICE_COL(t, i, width), real, fetched);
}
OP void put_slice(lptr y, tile *t, const float4 *v, const int width) {
    UNROLL
    for (int i = 0; i < SLICE_F(width); i++)
        if (SLICE_ENDS(i, width) || t->item + i * ITEMS < PS * width / 4) AT4(y + (t->item + i * ITEMS) * 4) = v[i];
}
OP void weigh(float4 *v, tile *t, int k) {
    UNROLL
    for (int i = 0; i < SLICE_F(DKS); i++) v[i] *= WEIGHTS(t)[min(k + (int)SLICE_LINE(t, i, DKS), BN - 1)];
}
/* state[SR][OC] += lines of keys' columns x lines of values, PS of them */
OP void grow(acc_state *st, lptr x, lptr y){OUTER_PRODUCT(SR, OC, PS, st->x, x, DKS, y, DVP)}
#define FETCH_KEYS(k) fetch_slice(KEYS_STORED, fk, t, &a->keys, k, 0, DKS, DK, DKS)
#define FETCH_VALUES(k) fetch_slice(STORED(s), fv, t, &b, k, FIRST_COLUMN, DVP, DV, DV_FETCHED)
OP void mma_atb(tile *t, acc_state *st, op_keys *a, int s, int j) {
    const rows_in b = stream_at(t, s, j);
    float4 fk[SLICE_F(DKS)], fv[SLICE_F(DVP)];
    EACH_STATE(i) st->x[i] *= st->keep;
    st->keep = 1.0f;
    FETCH_KEYS(0);
    FETCH_VALUES(0);
    weigh(fk, t, 0);
    put_slice(t->mem, t, fk, DKS);
    put_slice(t->mem + PS * DKS, t, fv, DVP);
    BARRIER();
    UNROLL_BY(1) for (int k = 0; k < BN; k += PS) {
        const lptr now = t->mem + (k / PS & 1) * GROW_BUF, then = t->mem + ((k / PS + 1) & 1) * GROW_BUF;
        if (k + PS < BN) {
            FETCH_KEYS(k + PS);
            FETCH_VALUES(k + PS);
        }
        grow(st, now + t->ry * 4, now + PS * DKS + t->cx * 4);
        if (k + PS < BN) {
            weigh(fk, t, k + PS);
            put_slice(then, t, fk, DKS);
            put_slice(then + PS * DKS, t, fv, DVP);
        }
        BARRIER();
    }
}

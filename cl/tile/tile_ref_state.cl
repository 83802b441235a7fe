/* tile_ref_state: the state words on tile_ref. Plain loops; operands are copies. */
#if BM != BN
#error the state words want BM = BN
#endif
typedef struct {
    float x[BN];
} col;
typedef struct {
    float x[DK * DV], published[DK * DV];
} acc_state;
typedef struct {
    float x[BN * DK];
} op_keys;
#define EACH_KEY(i) for (int i = 0; i < BN; i++)
#define KEY_AT(t, i) (i)
#define KEY_OF(i) ((i) % BN)
#define EACH_LOWER(i) EACH_PAIR(i)
#define PAIRS_STAY 0
OP void col_sum(tile *t, col *whole, col *part, const __global float *p, int n) {
    float above = 0.0f, below = 0.0f;
    EACH_KEY(k) {
        if (k < n) {
            const float sum = below + fmax(p[k] * LOG2E, -150.0f), near = rint(sum);
            above += near;
            below = sum - near;
        }
        whole->x[k] = above;
        part->x[k] = below;
    }
}
OP float col_last(tile *t, col *c) { return c->x[BN - 1]; }
OP void row_of_col(tile *t, row *r, col *c) {
    EACH_KEY(k) r->x[k] = c->x[k];
}
OP void state_load(tile *t, acc_state *st, const __global float *p, long pitch) {
    for (int i = 0; i < DK * DV; i++) st->x[i] = p ? p[i / DV * pitch + i % DV] : 0.0f;
}
OP void state_store(tile *t, __global float *p, long pitch, acc_state *st) {
    for (int i = 0; i < DK * DV; i++) p[i / DV * pitch + i % DV] = st->x[i];
}
OP void float_store(tile *t, __global float *p, float x) { *p = x; }
OP void state_publish(tile *t, acc_state *st) {
    for (int i = 0; i < DK * DV; i++) st->published[i] = st->x[i];
}
OP void state_scale(acc_state *st, float keep) {
    for (int i = 0; i < DK * DV; i++) st->x[i] *= keep;
}
OP void rows_load(tile *t, held *q, int s, int j) {
    for (int i = 0; i < BM * DK; i++) q->x[i] = tensor_at(STORED(s), &t->tile[s][j & 1], i / DK, i % DK, DK);
}
OP void keys_load(tile *t, op_keys *a, int s, int j, col *f) {
    for (int i = 0; i < BN * DK; i++)
        a->x[i] = tensor_at(STORED(s), &t->tile[s][j & 1], i / DK, i % DK, DK) * f->x[i / DK];
}
OP void mma_abt_lower(tile *t, acc_pair *out, held *q, int s, int j) { abt_of(t, out, q, s, j, DK); }
OP void mma_state(tile *t, acc_head *o, held *q, acc_state *st, row *f) {
    for (int i = 0; i < BM * DV; i++) {
        float a = 0.0f;
        for (int d = 0; d < DK; d++) a = fma(q->x[i / DV * DK + d], st->published[d * DV + i % DV], a);
        o->x[i] = a * f->x[i / DV];
    }
}
OP void mma_state_ab_lower(tile *t, acc_head *o, held *q, acc_state *st, row *f, op_pair *p, int s, int j) {
    const tensor *b = &t->tile[s][j & 1];
    mma_state(t, o, q, st, f);
    for (int i = 0; i < BM * DV; i++)
        for (int k = REVERSED ? i / DV : 0; k <= (REVERSED ? BN - 1 : i / DV); k++)
            o->x[i] = fma(p->x[i / DV * BN + k], tensor_at(STORED(s), b, k, i % DV, DV), o->x[i]);
}
OP void mma_atb(tile *t, acc_state *st, op_keys *a, int s, int j) {
    const tensor *b = &t->tile[s][j & 1];
    for (int i = 0; i < DK * DV; i++)
        for (int k = 0; k < BN; k++)
            st->x[i] = fma(a->x[k * DK + i / DV], tensor_at(STORED(s), b, k, i % DV, DV), st->x[i]);
}
OP void acc_bind(acc_head *o, tensor_out *y, int r0) {}

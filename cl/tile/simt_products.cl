/* tile_simt: what its products are made of: fetches, slices, the micro-kernel. Part of tile_simt.cl. */
/* Row r of a tile: within one, offsets have 32 bits and count bytes. */
OP gptr row_at(gptr x, int r, int row) { return x + (uint)(r * row); }
/* Four elements of a row from column d on; past its end the last ones again, as with rows: no branch and no wait stands
 * between the loads and their use a slice later. */
OP float4 load4(const int storage, gptr p, int d, const int width, const int padded) {
#define LAST_OF(n, d) (padded == width ? (d) : min(d, width - (n)))
#define ONE(d) stored_at(storage, p, LAST_OF(1, d))
    if (!ALIGNED) return (float4)(ONE(d), ONE(d + 1), ONE(d + 2), ONE(d + 3));
    if (storage == 0) return *(const __global float4 *)(p + 4 * LAST_OF(4, d));
    const ushort4 u = *(const __global ushort4 *)(p + 2 * LAST_OF(4, d));
    return storage == 1 ? vload_half4(0, (const half *)&u) : as_float4(convert_uint4(u) << 16);
}
/* A slice of KS columns from d on, of a tile or of the held rows: stored turned, zeros past the width. The rows'
 * addresses are worked out once a product: left in the loop they cost an H200 6 % at DK 128. */
#define SLICE_AT(t, d) ((d) + (int)((t)->item % ACROSS * 4))
#define FETCHED_ROW(t, i, last) min((int)((t)->item / ACROSS) + (i)*DOWN, last)
OP void fetch_columns(const int storage, float4 *v, const int n, tile *t, const gptr *p, int d, const int width) {
    UNROLL
    for (int i = 0; i < n; i++) v[i] = load4(storage, p[i], SLICE_AT(t, d), width, DKP);
}
OP void put_turned(lptr y, const int n, const int rows, tile *t, const float4 *v, int d, const int width) {
    const uint r0 = t->item / ACROSS;
    const int pitch = rows + 4, at = SLICE_AT(t, d);
    const uint across = t->item % ACROSS;
    const lptr p = y + across * 4 * pitch + (r0 ^ (SWAPPED ? across / 2 * 8 : 0));
#define KEEP(d, x) (DKP == width || (d) < width ? (x) : 0.0f)
    UNROLL
    for (int i = 0; i < n; i++)
        if (rows % DOWN == 0 || r0 + i * DOWN < (uint)rows) {
            const lptr z = p + i * DOWN;
            z[0] = KEEP(at, v[i].x);
            z[pitch] = KEEP(at + 1, v[i].y);
            z[2 * pitch] = KEEP(at + 2, v[i].z);
            z[3 * pitch] = KEEP(at + 3, v[i].w);
        }
}
/* a slice of PS rows: line c * CX + cx is the key that item column cx publishes as its c-th; WHOLE: as they come */
OP void fetch_rows(const int storage, float4 *v, tile *t, const rows_in *b, const int slice,
    const __global uchar *bytes, int n, const int width) {
    const uint l0 = t->item / WIDE;
    UNROLL
    for (int i = 0; i < ROWS_F; i++) {
        const uint line = l0 + i * LINES;
        const uint cx = CX % LINES == 0 ? l0 + i * LINES % CX : line % CX;
        const uint c = slice * (PS / CX) + (CX % LINES == 0 ? i * LINES / CX : line / CX);
        const int r = min((int)(WHOLE ? slice * PS + line : c / 4 * 4 * CX + cx * 4 + c % 4), b->last);
        v[i] = load4(storage, row_at(b->x, r, b->row), FIRST_COLUMN + (int)(t->item % WIDE * 4), width,
            width == DV ? DV_FETCHED : -1);
        if (is_hidden(bytes, n, r)) v[i] = (float4)(0.0f);
    }
}
OP void put_rows(lptr y, tile *t, const float4 *v) {
    UNROLL
    for (int i = 0; i < ROWS_F; i++)
        if ((ITEMS % WIDE == 0 || t->item < LINES * WIDE) && (PS % LINES == 0 || t->item / WIDE + i * LINES < PS))
            AT4(y + t->item * 4 + i * LINES * DVP) = v[i];
}
OP void publish(tile *t, lptr y, const op_pair *p, const int slice) { /* PS keys of P, each a line of rows */
    UNROLL
    for (int c = 0; c < PS / CX; c++) UNROLL
    for (int r = 0; r < MR; r += 4) {
        const int i = slice * (PS / CX) + c;
        AT4(y + (c * CX + t->cx) * RPITCH + FOURS(t->ry, RY, r)) =
            (float4)(p->x[r * NC + i], p->x[(r + 1) * NC + i], p->x[(r + 2) * NC + i], p->x[(r + 3) * NC + i]);
    }
}
/* out[rows][n] += lines of rows x lines of columns, `deep` of them: the one micro-kernel */
#define OUTER_PRODUCT(rows, n, deep, out, x, x_pitch, y, y_pitch)                                                      \
    UNROLL_BY(DEEP) for (int k = 0; k < deep; k++) {                                                                   \
        float v[rows];                                                                                                 \
        UNROLL                                                                                                         \
        for (int r = 0; r < rows; r += 4) {                                                                            \
            const float4 u = AT4(x + k * x_pitch + r * RY);                                                            \
            v[r] = u.x;                                                                                                \
            v[r + 1] = u.y;                                                                                            \
            v[r + 2] = u.z;                                                                                            \
            v[r + 3] = u.w;                                                                                            \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (int c = 0; c < n; c += 4) {                                                                               \
            const float4 w = AT4(y + k * y_pitch + c * CX);                                                            \
            UNROLL                                                                                                     \
            for (int r = 0; r < rows; r++) {                                                                           \
                float *o = out + r * n + c;                                                                            \
                o[0] = fma(v[r], w.x, o[0]);                                                                           \
                o[1] = fma(v[r], w.y, o[1]);                                                                           \
                o[2] = fma(v[r], w.z, o[2]);                                                                           \
                o[3] = fma(v[r], w.w, o[3]);                                                                           \
            }                                                                                                          \
        }                                                                                                              \
    }
OP void product(float *out, const int n, const int deep, lptr x, lptr y, const int pitch){OUTER_PRODUCT(MR, n, deep,
    out, x, RPITCH, y, pitch)} /* out += lines of held rows x lines of the tile's, as put_turned leaves them */
OP void product_turned(tile *t, acc_pair *out, lptr x) {
    const lptr y = x + KS * RPITCH;
#if SWAPPED
    product(out->x, NC, 8, x + t->ry * 4, y + t->cx * 4, CPITCH);
    product(out->x, NC, 8, x + 8 * RPITCH + (t->ry * 4 ^ 8), y + 8 * CPITCH + (t->cx * 4 ^ 8), CPITCH);
#else
    product(out->x, NC, KS, x + t->ry * 4, y + t->cx * 4, CPITCH);
#endif
}
OP void abt_of(tile *t, acc_pair *out, held *q, int s, int j, const int width) { /* out = held . tile^T */
    const rows_in b = stream_at(t, s, j);
    float4 fa[HELD_F], fb[TILE_F];
    gptr pa[HELD_F], pb[TILE_F];
    EACH_PAIR(i) out->x[i] = 0.0f;
    UNROLL
    for (int i = 0; i < HELD_F; i++) {
        const int r = FETCHED_ROW(t, i, q->last);
        pa[i] = row_at(q->x + (PACK > 1 ? r % PACK * q->pack : 0), r / PACK, q->row);
    }
    UNROLL
    for (int i = 0; i < TILE_F; i++) pb[i] = row_at(b.x, FETCHED_ROW(t, i, b.last), b.row);
    fetch_columns(HELD_STORED, fa, HELD_F, t, pa, 0, width);
    fetch_columns(STORED(s), fb, TILE_F, t, pb, 0, width);
    put_turned(t->mem, HELD_F, BM, t, fa, 0, width);
    put_turned(t->mem + KS * RPITCH, TILE_F, BN, t, fb, 0, width);
    BARRIER();
    UNROLL_BY(1) for (int d = 0; d < DKP; d += KS) {
        const lptr now = t->mem + (d / KS & 1) * BUF, then = t->mem + ((d / KS + 1) & 1) * BUF;
        if (d + KS < DKP) {
            fetch_columns(HELD_STORED, fa, HELD_F, t, pa, d + KS, width);
            fetch_columns(STORED(s), fb, TILE_F, t, pb, d + KS, width);
        }
        product_turned(t, out, now);
        if (d + KS < DKP) {
            put_turned(then, HELD_F, BM, t, fa, d + KS, width);
            put_turned(then + KS * RPITCH, TILE_F, BN, t, fb, d + KS, width);
        }
        BARRIER();
    }
}
#if WHOLE
#undef pair_again
/* Pairs leave whole, each column a line of rows, and their item may have them again (pair_again). */
OP lptr pairs_at(tile *t, const int column, const int row) {
    return t->fold + FOURS(t->cx, CX, column) * RPITCH + FOURS(t->ry, RY, row);
}
OP void publish_whole(tile *t, const op_pair *p) {
    UNROLL
    for (int c = 0; c < NC; c++) UNROLL
    for (int r = 0; r < MR; r += 4)
        AT4(pairs_at(t, c, r)) =
            (float4)(p->x[r * NC + c], p->x[(r + 1) * NC + c], p->x[(r + 2) * NC + c], p->x[(r + 3) * NC + c]);
}
OP void pair_again(tile *t, acc_pair *p) {
    UNROLL
    for (int c = 0; c < NC; c++) UNROLL
    for (int r = 0; r < MR; r += 4) {
        const float4 v = AT4(pairs_at(t, c, r));
        p->x[r * NC + c] = v.x;
        p->x[(r + 1) * NC + c] = v.y;
        p->x[(r + 2) * NC + c] = v.z;
        p->x[(r + 3) * NC + c] = v.w;
    }
}
OP void ab_of(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n, const int width) {
    const rows_in b = stream_at(t, s, j);
    float4 f[ROWS_F];
    fetch_rows(STORED(s), f, t, &b, 0, bytes, n, width);
    publish_whole(t, p);
    put_rows(t->mem, t, f);
    BARRIER();
    UNROLL_BY(1) for (int i = 0; i < BN / PS; i++) {
        const lptr now = t->mem + (i & 1) * BUF, then = t->mem + ((i + 1) & 1) * BUF;
        if (i + 1 < BN / PS) fetch_rows(STORED(s), f, t, &b, i + 1, bytes, n, width);
        product(out->x, OC, PS, t->fold + i * PS * RPITCH + t->ry * 4, now + t->cx * 4, DVP);
        if (i + 1 < BN / PS) put_rows(then, t, f);
        BARRIER();
    }
}
#if GATHER
OP void held_hide(tile *t, held *q, const __global uchar *bytes, int n) {
    q->bytes = bytes;
    q->n = n;
}
/* Pairs leave turned, each row a line of columns: behind mma_ab, whose last barrier says that nobody reads them as that
 * had them. */
OP void publish_turned(tile *t, const op_pair *p) {
    EACH_ROW(r) UNROLL
    for (int c = 0; c < NC; c += 4) {
        const float *x = p->x + r * NC + c;
        AT4(t->fold + FOURS(t->ry, RY, r) * CPITCH + FOURS(t->cx, CX, c)) = (float4)(x[0], x[1], x[2], x[3]);
    }
}
/* A slice of PS held rows, zeros from `rows` on. */
OP void fetch_held(float4 *v, tile *t, const held *q, const int slice, int rows) {
    const rows_in b = {q->x, q->row, rows - 1};
    fetch_rows(HELD_STORED, v, t, &b, slice, q->bytes, q->n, WIDTH_K);
    UNROLL
    for (int i = 0; i < ROWS_F; i++)
        if (slice * PS + (int)(t->item / WIDE) + i * LINES >= rows) v[i] = (float4)(0.0f);
}
OP void mma_gather(tile *t, acc_share *out, op_pair *p, held *q, int rows) {
    publish_turned(t, p);
    out->q = *q;
    out->rows = rows;
}
#define EACH_SUM(call)                                                                                                 \
    UNROLL                                                                                                             \
    for (int r = 0; r < GR; r++) UNROLL                                                                                \
    for (int c = 0; c < OC; c += 4) {                                                                                  \
        __global float4 *at = (__global float4 *)(first + FOURS(0, RY, r) * (int)pitch + FOURS(0, CX, c));             \
        float *v = sums + r * OC + c;                                                                                  \
        const int exists = FOURS(t->ry, RY, r) < n && (DVP == DV || FOURS(t->cx, CX, c) < DV);                         \
        call                                                                                                           \
    }
/* The product, which begins with what the sums are: so they take no registers beside it. A row of them is always the
 * same item's: tiles of queries begin at multiples of their height. */
OP void acc_leave(tile *t, acc_share *s, __global float *to, long pitch, int n) {
    float4 f[ROWS_F];
    float sums[GR * OC];
    __global float *first = to + t->ry * 4 * (uint)pitch + t->cx * 4;
    EACH_SUM(const float4 a = exists ? *at : (float4)(0.0f); v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w;)
    fetch_held(f, t, &s->q, 0, s->rows);
    put_rows(t->mem, t, f);
    BARRIER();
    UNROLL_BY(1) for (int i = 0; i < BM / PS; i++) {
        const lptr now = t->mem + (i & 1) * BUF, then = t->mem + ((i + 1) & 1) * BUF;
        const lptr x = t->fold + i * PS * CPITCH + t->ry * 4, y = now + t->cx * 4;
        if (i + 1 < BM / PS) fetch_held(f, t, &s->q, i + 1, s->rows);
        OUTER_PRODUCT(GR, OC, PS, sums, x, CPITCH, y, DVP)
        if (i + 1 < BM / PS) put_rows(then, t, f);
        BARRIER();
    }
    EACH_SUM(if (exists) *at = (float4)(v[0], v[1], v[2], v[3]);)
}
#endif
#else
OP void ab_of(tile *t, acc_head *out, op_pair *p, int s, int j, const __global uchar *bytes, int n, const int width) {
    const rows_in b = stream_at(t, s, j);
    float4 f[ROWS_F];
    fetch_rows(STORED(s), f, t, &b, 0, bytes, n, width);
    publish(t, t->mem, p, 0);
    put_rows(t->mem + PS * RPITCH, t, f);
    BARRIER();
    UNROLL
    for (int i = 0; i < BN / PS; i++) { /* unrolled: p is in registers */
        const lptr now = t->mem + (i & 1) * BUF, then = t->mem + ((i + 1) & 1) * BUF;
        if (i + 1 < BN / PS) fetch_rows(STORED(s), f, t, &b, i + 1, bytes, n, width);
        product(out->x, OC, PS, now + t->ry * 4, now + PS * RPITCH + t->cx * 4, DVP);
        if (i + 1 < BN / PS) {
            publish(t, then, p, i + 1);
            put_rows(then + PS * RPITCH, t, f);
        }
        BARRIER();
    }
}
#endif
#define mma_abt(t, out, q, s, j) abt_of(t, out, q, s, j, COLUMNS(s))
#define mma_ab_seen(t, out, p, s, j, bytes, n) ab_of(t, out, p, s, j, bytes, n, COLUMNS(s))

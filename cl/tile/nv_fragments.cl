/* Accumulators of NVIDIA's matrix units as words of tile.cl, for tile_nv_mma and tile_nv_wgmma. A warp owns BLOCKS
 * blocks of 16 rows. Of each block a lane holds, for every 8 columns, four elements: two columns of row lane / 4, then
 * the same two of row lane / 4 + 8. A tile that includes this has defined: BLOCKS, PARTS (chains of a row's maximum and
 * sum), ALIGNED, HEAD16 (columns of O that a warp has), OWN_COLUMN(t) (the first of them), RAGGED(width) (not all of
 * those that are stored are among the first `width`), and `tile` with the members w (warp) and row (the lane's first
 * row). pair_scale_add is its own: pair_scale_add_direct, or something that falls back to it. */
#define ROW_LEN (2 * BLOCKS)
#define PAIR_BLOCK (BN / 2) /* a lane's elements of a block of S, of O */
#define HEAD_BLOCK (HEAD16 / 2)
#define STORED8(width) (ROUND((width) < HEAD16 ? (width) : HEAD16, 8) / 8)
typedef float VF;
typedef int VI;
typedef struct {
    float x[ROW_LEN];
} row;
typedef struct {
    float x[ROW_LEN * PARTS];
} parts; /* running maxima or sums of a row, PARTS to a lane */
typedef struct {
    float x[BLOCKS * PAIR_BLOCK];
} acc_pair;
typedef struct {
    float x[BLOCKS * HEAD_BLOCK];
} acc_head;
typedef struct {
    uint x[BLOCKS * PAIR_BLOCK * sizeof(elem) / 4];
} op_pair;
typedef struct {
    __global out_elem *x;
    long row, pack;
    int rows;
} tensor_out;
#define EACH_ROW(r)                                                                                                    \
    UNROLL                                                                                                             \
    for (int r = 0; r < ROW_LEN; r++)
#define EACH_PAIR(i)                                                                                                   \
    UNROLL                                                                                                             \
    for (int i = 0; i < BLOCKS * PAIR_BLOCK; i++)
#define EACH_PART(k)                                                                                                   \
    UNROLL                                                                                                             \
    for (int k = 0; k < ROW_LEN * PARTS; k++)
#define ROW_OF(i) ((i) / PAIR_BLOCK * 2 + (((i) >> 1) & 1))
#define ROW_OF_HEAD(i) ((i) / HEAD_BLOCK * 2 + (((i) >> 1) & 1))
#define PART_OF(i) (ROW_OF(i) + ROW_LEN * (((i) ^ ((i) >> 2) << 1 ^ ((i)&2)) % PARTS))
#define ROW_NUMBER(t, r) ((t)->row + (r)*8)
#define COL_BASE(t) (((t)->w.lane & 3) * 2)
#define COL_STEP(i) (((i) % PAIR_BLOCK >> 2) * 8 + ((i)&1))
#define at_column(t, p, i, n) ((p)[min(COL_AT(t, i), (n)-1)])
PAIR_LEAVE_BY_ELEMENT

OP float vmax(float a, float b) { return fmax(a, b); }
OP float vabs(float a) { return fabs(a); }
OP float vlog(float a) { return log(a); }
#define TO_VF(x) ((float)(x))
OP float pick(int choose, float yes, float no) { return choose ? yes : no; }
OP int any_lane(int choose) { return choose; }
OP float gather(const __global float *p, int r, long pitch, int c) { return p[r * pitch + c]; }
OP int gather_byte(const __global uchar *p, int r, long pitch, int c) { return p[r * pitch + c]; }
OP int gather_int(const __global int *p, int r, long pitch, int c) { return p[r * pitch + c]; }
/* Whole tiles: pairs of columns at constant distances; else element by element, what does not exist gets its last
 * neighbour's. */
OP void pair_scale_add_direct(
    tile *t, acc_pair *s, float scale, const __global float *p, long pitch, int rows, int cols) {
    UNROLL
    for (int b = 0; b < BLOCKS; b++) {
        float *x = s->x + b * PAIR_BLOCK;
        const int r = t->row + b * 16;
        const __global float *upper = p + min(r, rows - 1) * pitch + (t->w.lane & 3) * 2,
                             *lower = p + min(r + 8, rows - 1) * pitch + (t->w.lane & 3) * 2;
        if (cols >= BN && (((ulong)p | (ulong)pitch << 2) & 7) == 0) {
            UNROLL
            for (int i = 0; i < PAIR_BLOCK; i += 4) {
                const float2 u = *(const __global float2 *)(upper + i * 2),
                             l = *(const __global float2 *)(lower + i * 2);
                x[i] = fma(x[i], scale, u.x);
                x[i + 1] = fma(x[i + 1], scale, u.y);
                x[i + 2] = fma(x[i + 2], scale, l.x);
                x[i + 3] = fma(x[i + 3], scale, l.y);
            }
        } else {
            UNROLL
            for (int i = 0; i < PAIR_BLOCK; i++)
                x[i] =
                    fma(x[i], scale, gather(p, min(r + ROW_OF(i) * 8, rows - 1), pitch, min(COL_AT(t, i), cols - 1)));
        }
    }
}
/* Registers 4k ... 4k + 3 of a block become the left operand of TERMS columns: pairs of 16 bits as they lie; floats one
 * by one, in an order that has column 2t as term t and column 2t + 1 as term t + 4 (a sum has no order; matrices_turned
 * agrees). */
OP void convert(op_pair *p, acc_pair *s) {
#if STORE == 0
    UNROLL
    for (int i = 0; i < BLOCKS * PAIR_BLOCK; i += 4) {
        p->x[i] = operand(s->x[i]);
        p->x[i + 1] = operand(s->x[i + 2]);
        p->x[i + 2] = operand(s->x[i + 1]);
        p->x[i + 3] = operand(s->x[i + 3]);
    }
#else
    UNROLL
    for (int i = 0; i < BLOCKS * PAIR_BLOCK / 2; i++)
        p->x[i] = STORE == 1 ? half_pair(s->x[2 * i], s->x[2 * i + 1]) : bf16_pair(s->x[2 * i], s->x[2 * i + 1]);
#endif
}
OP void row_scale(acc_head *o, row *f) {
    UNROLL
    for (int i = 0; i < BLOCKS * HEAD_BLOCK; i++) o->x[i] *= f->x[ROW_OF_HEAD(i)];
}
OP void acc_zero(acc_head *o) {
    UNROLL
    for (int i = 0; i < BLOCKS * HEAD_BLOCK; i++) o->x[i] = 0.0f;
}
OP void fold_max(tile *t, row *r, parts *p) {
    EACH_ROW(i) {
        UNROLL
        for (int k = 0; k < PARTS; k++) r->x[i] = vmax(r->x[i], p->x[i + ROW_LEN * k]);
        r->x[i] = vmax(r->x[i], xor_lane(&t->w, r->x[i], 1));
        r->x[i] = vmax(r->x[i], xor_lane(&t->w, r->x[i], 2));
    }
}
OP void fold_sum(row *r, parts *p) {
    EACH_ROW(i) UNROLL
    for (int k = 0; k < PARTS; k++) r->x[i] += p->x[i + ROW_LEN * k];
}
OP void row_join_sum(tile *t, row *r) {
    EACH_ROW(i) {
        r->x[i] += xor_lane(&t->w, r->x[i], 1);
        r->x[i] += xor_lane(&t->w, r->x[i], 2);
    }
}
/* a row's sum is shared by four lanes until row_join_sum */
OP float row_once(tile *t, float x) { return (t->w.lane & 3) == 0 ? x : 0.0f; }

OP tensor_out out_view(__global out_elem *x, const strides *s, int batch, int head, long first, int rows) {
    const tensor_out y = {x + batch * s->batch + head * s->head + first * s->row, s->row, s->head, rows};
    return y;
}
OP void put_pair(__global out_elem *p, int d, float a, float b, const int width) {
#if !ALIGNED
    if (d < width) out_put(p, d, a);
    if (d + 1 < width) out_put(p, d + 1, b);
#else
    if (RAGGED(width) && d >= width) return;
#if OUT == 0
    *(__global float2 *)(p + d) = (float2)(a, b);
#elif OUT == 1
    *(__global uint *)(p + d) = half_pair(a, b);
#else
    *(__global uint *)(p + d) = bf16_pair(a, b);
#endif
#endif
}
/* Four lanes have a row's pairs of columns; x[g] is a lane's pair of the g-th eight columns. Turned, a lane has eight
 * columns beside each other, x[k] the k-th pair of them, which is one access of 16 bytes; turned again, what it was.
 * TURNED: how many eights go that way. */
#define TURNED(width) (ALIGNED && OUT && (width) % 8 == 0 ? STORED8(width) / 4 * 4 : 0)
OP void quad_swap(warp *w, uint *a, uint *b, int d) {
    const uint low = *a, high = *b;
    const int upper = w->lane & d;
    const uint got = as_uint(xor_lane(w, as_float(upper ? low : high), d));
    *a = upper ? got : low;
    *b = upper ? high : got;
}
OP void quad_turn(warp *w, uint *x) {
    quad_swap(w, x, x + 1, 1);
    quad_swap(w, x + 2, x + 3, 1);
    quad_swap(w, x, x + 2, 2);
    quad_swap(w, x + 1, x + 3, 2);
}
OP void acc_store(tile *t, tensor_out *y, int row0, acc_head *o, const int width) {
    EACH_ROW(h) {
        const int r = row0 + t->row + h * 8, quarter = t->w.lane & 3;
        __global out_elem *p = y->x + r / PACK * y->row + (PACK > 1 ? r % PACK * y->pack : 0) + OWN_COLUMN(t);
        const float *x = o->x + h / 2 * HEAD_BLOCK + h % 2 * 2;
        UNROLL
        for (int i = 0; i < TURNED(width); i += 4) {
            uint z[4];
            UNROLL
            for (int g = 0; g < 4; g++)
                z[g] = OUT == 1 ? half_pair(x[4 * (i + g)], x[4 * (i + g) + 1])
                                : bf16_pair(x[4 * (i + g)], x[4 * (i + g) + 1]);
            quad_turn(&t->w, z);
            if (r < y->rows && (!RAGGED(width) || OWN_COLUMN(t) + (i + quarter) * 8 < width))
                *(__global uint4 *)(p + (i + quarter) * 8) = (uint4)(z[0], z[1], z[2], z[3]);
        }
        if (r < y->rows) UNROLL
        for (int i = TURNED(width); i < STORED8(width); i++)
            put_pair(p - OWN_COLUMN(t), OWN_COLUMN(t) + i * 8 + quarter * 2, x[4 * i], x[4 * i + 1], width);
    }
}
/* A pair's two columns; one in memory, aligned as a pair is. */
OP float2 pair_of(uint pair) {
#if OUT == 1
    return vload_half2(0, (const half *)&pair);
#else
    return (float2)(as_float(pair << 16), as_float(pair & 0xffff0000u));
#endif
}
OP float2 get_pair(const __global out_elem *p) {
#if OUT == 0
    return *(const __global float2 *)p;
#else
    return pair_of(*(const __global uint *)p);
#endif
}
OP void acc_add(tile *t, acc_head *o, row *f, const __global out_elem *y, long row_stride, long pack_stride, int rows) {
    EACH_ROW(h) {
        const int r = min(t->row + h * 8, rows - 1), quarter = t->w.lane & 3, first = OWN_COLUMN(t) + quarter * 2;
        const __global out_elem *p = y + r / PACK * row_stride + (PACK > 1 ? r % PACK * pack_stride : 0);
        float *x = o->x + h / 2 * HEAD_BLOCK + h % 2 * 2;
        UNROLL
        for (int i = 0; i < TURNED(DV); i += 4) {
            const int from = OWN_COLUMN(t) + (i + quarter) * 8;
            uint4 four = (uint4)(0);
            if (!RAGGED(DV) || from < DV) four = *(const __global uint4 *)(p + from);
            uint z[4] = {four.x, four.y, four.z, four.w};
            quad_turn(&t->w, z);
            UNROLL
            for (int g = 0; g < 4; g++) {
                const float2 pair = pair_of(z[g]);
                x[4 * (i + g)] = fma(f->x[h], pair.x, x[4 * (i + g)]);
                x[4 * (i + g) + 1] = fma(f->x[h], pair.y, x[4 * (i + g) + 1]);
            }
        }
        UNROLL
        for (int i = TURNED(DV); i < STORED8(DV); i++) {
            const int left = DV - first - i * 8; /* columns that exist from here */
            float2 z = (float2)(0.0f);
            if (DV % 2 == 0) {
                if (!RAGGED(DV) || left > 0) z = get_pair(p + first + i * 8);
            } else {
                if (left > 0) z.x = out_at(p, first + i * 8);
                if (left > 1) z.y = out_at(p, first + i * 8 + 1);
            }
            x[4 * i] = fma(f->x[h], z.x, x[4 * i]);
            x[4 * i + 1] = fma(f->x[h], z.y, x[4 * i + 1]);
        }
    }
}
OP void row_load(tile *t, row *r, const __global float *y, long row_stride, long pack_stride, int rows) {
    EACH_ROW(h) {
        const int at = min(t->row + h * 8, rows - 1);
        r->x[h] = y[at / PACK * row_stride + at % PACK * pack_stride];
    }
}
OP void row_store(tile *t, __global float *y, long row_stride, long pack_stride, int rows, row *r) {
    if ((t->w.lane & 3) == 0)
        EACH_ROW(h) {
            const int at = t->row + h * 8;
            if (at < rows) y[at / PACK * row_stride + at % PACK * pack_stride] = r->x[h];
        }
}

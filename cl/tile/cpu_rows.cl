/* What tile_cpu, tile_cpu_dots and tile_cpu_amx share: lanes are query rows; everything is held transposed:
 * x[column * ROW_LEN + r], r counting vectors of 16 rows. A tile file that uses MICRO says before it what an operand's
 * vector is (OPERAND) and how one is multiplied and added (MULTIPLY_ADD). */
#define SLOTS 2 /* streams a stage may have */
#define UNIT 4  /* widths are rounded up to it */
#include "tile/cpu_words.cl"
#define ROW_LEN (BM / 16)
#ifndef ROW_STEP /* vectors from a column of what is held to the next */
#define ROW_STEP ROW_LEN
#endif
#ifndef DV4
#define DV4 ROUND(DV, 4)
#endif
#if BM % 16 || BN % 4
#error the CPU tiles want BM a multiple of 16 and BN of 4
#endif
typedef struct {
    VF x[ROW_LEN];
} row;
typedef struct {
    VF x[BN * ROW_STEP];
} acc_pair;
typedef struct {
    VF x[DV4 * ROW_STEP];
    row pending;
} acc_head;
#define EACH_ROW(r)                                                                                                    \
    UNROLL                                                                                                             \
    for (int r = 0; r < ROW_LEN; r++)
#define ROW_NUMBER(t, r) (LANES + (r)*16)
#define COL_BASE(t) ((VI)(0))
#ifndef OWN_PAIRS /* how pairs are visited, and into how many parts of a row; a tile file may say so itself */
typedef row parts;
#define EACH_PAIR(i)                                                                                                   \
    for (int i##_r = 0; i##_r < ROW_LEN; i##_r++)                                                                      \
    _Pragma("unroll 4") for (int i = i##_r; i < BN * ROW_STEP; i += ROW_STEP)
#define ROW_OF(i) i##_r
#define EACH_PART(k) EACH_ROW(k)
#define PART_OF(i) i##_r
#define COL_STEP(i) ((VI)(i / ROW_STEP))
OP void fold_max(tile *t, row *r, parts *p) {
    EACH_ROW(i) r->x[i] = vmax(r->x[i], p->x[i]);
}
OP void fold_sum(row *r, parts *p) {
    EACH_ROW(i) r->x[i] += p->x[i];
}
#endif
#define at_column(t, p, i, n) ((VF)((p)[min(i / ROW_STEP, (n)-1)]))

OP float row_once(tile *t, float x) { return x; }
OP void row_join_sum(tile *t, row *r) {}

#define held_at(tp, q, index)
OP void held_wait(tile *t) {}
/* Where sixteen rows from r0 on lie; rows past the end repeat the last one: finite, and never stored. */
OP void sixteen_rows(gptr *p, const tensor *x, int r0) {
    UNROLL
    for (int i = 0; i < 16; i++) {
        const int r = min(r0 + i, x->rows - 1);
        p[i] = x->x + PACKED_AT(x, r);
    }
}

#define FETCH(p) __builtin_prefetch((const void *)(p), 0, 2) /* to the second cache */
OP void fetch_rows(const int storage, gptr p, long pitch, int from, const int rows, const int width) {
    UNROLL
    for (int r = 0; r < rows; r++) {
        const ulong a = (ulong)(p + (from + r) * pitch);
        UNROLL
        for (int b = 0; b < width * STORED_SIZE(storage); b += 64) FETCH(a + b);
    }
}

/* out[i][lane] = INIT + sum_k A(i, k) * B[k][lane]: the one micro-kernel, R rows x C vectors, B has ROW_LEN vectors a
 * row. 16 accumulators hide the latency of the multiply-add; fewer vectors of rows take more rows of the other operand.
 */
#if NATIVE < 16
#define MC 1
#elif ROW_LEN % 4 == 0
#define MC 4
#elif ROW_LEN % 3 == 0
#define MC 3
#elif ROW_LEN % 2 == 0
#define MC 2
#else
#define MC 1
#endif
#define MR_FOR(n) (MC >= 3 || NATIVE < 16 ? 4 : MC == 1 && (n) % 16 == 0 ? 16 : (n) % 8 == 0 ? 8 : 4)
#define MICRO(R, rows_, len_, INIT, A, STORE_TO, EXTRA)                                                                \
    for (int c0 = 0; c0 < ROW_LEN; c0 += MC)                                                                           \
        for (int i = 0; i < (rows_); i += R) {                                                                         \
            VF a[R][MC];                                                                                               \
            UNROLL                                                                                                     \
            for (int r = 0; r < R; r++) UNROLL                                                                         \
            for (int v = 0; v < MC; v++) a[r][v] = INIT;                                                               \
            EXTRA;                                                                                                     \
            _Pragma("unroll 8") for (int k = 0; k < (len_); k++) {                                                     \
                OPERAND b[MC];                                                                                         \
                UNROLL                                                                                                 \
                for (int v = 0; v < MC; v++) b[v] = m[k * ROW_LEN + c0 + v];                                           \
                UNROLL                                                                                                 \
                for (int r = 0; r < R; r++) {                                                                          \
                    const OPERAND s_ = (OPERAND)(A);                                                                   \
                    UNROLL                                                                                             \
                    for (int v = 0; v < MC; v++) MULTIPLY_ADD(a[r][v], s_, b[v]);                                      \
                }                                                                                                      \
            }                                                                                                          \
            UNROLL                                                                                                     \
            for (int r = 0; r < R; r++) UNROLL                                                                         \
            for (int v = 0; v < MC; v++) { STORE_TO = a[r][v]; }                                                       \
        }
OP void row_scale(acc_head *o, row *f) {
    EACH_ROW(r) o->pending.x[r] *= f->x[r];
}
OP void acc_zero(acc_head *o) {
    for (int i = 0; i < DV4 * ROW_STEP; i++) o->x[i] = 0.0f;
    EACH_ROW(r) o->pending.x[r] = 1.0f;
}

/* 16 rows of 16 columns at a time, turned in registers. */
OP void pair_fetch(tile *t, const __global float *p, long pitch, int rows, int cols) {
    for (int r = 0; r < min(BM, rows); r++)
        for (int c = 0; c < min(BN, cols); c += 16) FETCH((ulong)(p + r * pitch + c));
}
OP void pair_scale_add(tile *t, acc_pair *s, float scale, const __global float *p, long pitch, int rows, int cols) {
    for (int c = 0; c < ROW_LEN; c++) {
        const __global float *x[16];
        UNROLL
        for (int i = 0; i < 16; i++) x[i] = p + min(c * 16 + i, rows - 1) * pitch;
        int k = 0;
        for (; k + 16 <= min(cols, BN); k += 16) {
            VF r[16];
            UNROLL
            for (int i = 0; i < 16; i++) r[i] = vload16(0, x[i] + k);
            transpose16(r);
            UNROLL
            for (int i = 0; i < 16; i++) {
                VF *y = s->x + (k + i) * ROW_STEP + c;
                *y = fma(*y, (VF)(scale), r[i]);
            }
        }
        for (; k < BN; k++) {
            VF r = (VF)(0.0f);
            for (int i = 0; i < 16; i++) ((float *)&r)[i] = x[i][min(k, cols - 1)];
            s->x[k * ROW_STEP + c] = fma(s->x[k * ROW_STEP + c], (VF)(scale), r);
        }
    }
}
OP void pair_leave(tile *t, acc_pair *s, __global float *p, long pitch, int rows, int cols) {
    for (int k = 0; k < min(cols, BN); k++)
        for (int r = 0; r < min(rows, BM); r++) p[r * pitch + k] += ((const float *)s->x)[k * 16 * ROW_STEP + r];
}
OP void acc_store(tile *t, tensor_out *y, int r0, acc_head *o, const int width) {
    for (int c = 0; c < ROW_LEN; c++) {
        const int from = r0 + c * 16, rows = min(16, y->rows - from);
        int d = 0;
        for (; d + 16 <= width; d += 16) {
            VF r[16];
            UNROLL
            for (int i = 0; i < 16; i++) r[i] = o->x[(d + i) * ROW_STEP + c] * o->pending.x[c];
            transpose16(r);
            UNROLL
            for (int i = 0; i < 16; i++)
                if (i < rows) put16(y->x + PACKED_AT(y, from + i) + d, r[i]);
        }
        for (; d < width; d++) {
            float z[16];
            vstore16(o->x[d * ROW_STEP + c] * o->pending.x[c], 0, z);
            for (int i = 0; i < rows; i++) out_put(y->x + PACKED_AT(y, from + i), d, z[i]);
        }
    }
}
OP void acc_add(tile *t, acc_head *o, row *f, const __global out_elem *y, long step, long pack, int rows) {
    for (int c = 0; c < ROW_LEN; c++) {
        const __global out_elem *p[16];
        UNROLL
        for (int i = 0; i < 16; i++) {
            const int at = min(c * 16 + i, rows - 1);
            p[i] = y + at / PACK * step + at % PACK * pack;
        }
        for (int d = 0; d < DV; d += 16) {
            VF r[16];
            const int width = min(16, DV - d);
            if (width == 16) {
                UNROLL
                for (int i = 0; i < 16; i++) r[i] = get16(p[i] + d);
            } else
                for (int i = 0; i < 16; i++)
                    for (int k = 0; k < width; k++) ((float *)&r[i])[k] = out_at(p[i], d + k);
            transpose16(r);
            for (int k = 0; k < width; k++) {
                VF *x = o->x + (d + k) * ROW_STEP + c;
                *x = fma(f->x[c], r[k], *x * o->pending.x[c]);
            }
        }
    }
    EACH_ROW(r) o->pending.x[r] = 1.0f;
}
OP void row_load(tile *t, row *r, const __global float *y, long step, long pack, int rows) {
    for (int i = 0; i < ROW_LEN; i++) {
        float z[16];
        for (int k = 0; k < 16; k++) {
            const int at = min(i * 16 + k, rows - 1);
            z[k] = y[at / PACK * step + at % PACK * pack];
        }
        r->x[i] = vload16(0, z);
    }
}
OP void row_store(tile *t, __global float *y, long step, long pack, int rows, row *r) {
    for (int i = 0; i < ROW_LEN; i++) {
        float z[16];
        vstore16(r->x[i], 0, z);
        for (int k = 0; k < min(16, rows - i * 16); k++)
            y[(i * 16 + k) / PACK * step + (i * 16 + k) % PACK * pack] = z[k];
    }
}

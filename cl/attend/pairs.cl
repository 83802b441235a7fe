/* What attend's kernels share: where an item stands, and what becomes of the scores of a tile of pairs. BY_KEYS: the
 * rows of a tile are keys, its columns queries. */
#include "attend/args.cl"
#ifndef BY_KEYS
#define BY_KEYS 0
#endif
#ifndef COLS
/* columns of a block: fewer than a tile's where a block is no tile */
#define COLS BN
#endif
#ifndef PARTIAL
#define PARTIAL 1 /* 0: the host promises that no block needs a mask */
#endif
#ifndef PACKED
#define PACKED 0 /* sequences one after another: lengths from cu_seqlens */
#endif
#define QUERY_AT(t, i) (BY_KEYS ? COL_AT(t, i) : ROW_AT(t, i) / PACK)
#define KEY_AT(t, i) (BY_KEYS ? ROW_AT(t, i) : COL_AT(t, i))
/* Is a row's first, or last, column a matter of its place? */
#define BEGINS (!KEYED && (WINDOW || (BY_KEYS && CAUSAL)))
#define ENDS (!KEYED && (WINDOW || (!BY_KEYS && CAUSAL)))

/* A sequence: its number, the batch of the tensors that it lies in, its first query and key there, and how many. */
typedef struct {
    int number, in, q0, nq, k0, nk;
} span;
OP span span_of(int batch, BUFFER_IN(const int, cu_q), BUFFER_IN(const int, cu_k), const attend_args *a) {
    if (!PACKED) return (span){batch, batch, 0, a->nq, 0, a->nk};
    const int q0 = AT(cu_q)[batch], k0 = AT(cu_k)[batch];
    return (span){batch, 0, q0, AT(cu_q)[batch + 1] - q0, k0, AT(cu_k)[batch + 1] - k0};
}
/* What score texts ask of a query head. */
OP score_args score_args_of(const span *at, int head, ARGUMENTS_IN(ATTEND_SCORES) const attend_args *a) {
    score_args x;
    x.shift = (KEYED ? a->places : at->nk) - at->nq;
    x.nq = at->nq;
    x.nk = at->nk;
    x.left = a->left;
    x.right = a->right;
    x.cap = a->cap;
    x.batch = at->number;
    x.head = head;
    if (ALIBI) x.slope = AT(slopes)[head];
    if (BIAS) {
        x.bias = AT(bias) + at->number * a->bias_batch + head * a->bias_head;
        x.bias_row = a->bias_row;
    }
    if (PADDING) x.padding = AT(padding) + (PACKED ? at->k0 : at->number * a->padding_batch);
    if (KEYED) x.positions = AT(positions);
    if (PATTERN) {
        x.rule = AT(rules)[a->list_head ? head : 0];
        x.flags = AT(flags);
    }
    if (SCORE_TEXT || MASK_TEXT) {
        x.buffer = AT(text_buffer);
        for (int i = 0; i < 8; i++) x.p[i] = a->p[i];
    }
    return x;
}

/* The texts that change a score, of the tile whose first query and key these are. */
OP void score_pairs(tile *t, acc_pair *s, float scale_in, int query0, int key0, const score_args *a) {
    EACH_PAIR(i) {
        VI query = QUERY_AT(t, i) + query0, key = KEY_AT(t, i) + key0;
        if (GATHERS) {
            query = min(query, (VI)(a->nq - 1));
            key = min(key, (VI)(a->nk - 1));
        }
        s->x[i] = score_text(s->x[i] * scale_in, query, key, a);
    }
}
/* s = s * scale_in + bias, where it was not fetched ahead. */
OP void add_bias(tile *t, acc_pair *s, float scale_in, int query0, int key0, const score_args *a) {
    EACH_PAIR(i) {
        const VI query = min(QUERY_AT(t, i) + query0, (VI)(a->nq - 1)), key = min(KEY_AT(t, i) + key0, (VI)(a->nk - 1));
        s->x[i] = fma(s->x[i], (VF)(scale_in), gather(a->bias, query, a->bias_row, key));
    }
}
/* Both: all that changes a score. */
OP void score_tile(tile *t, acc_pair *s, float scale_in, int query0, int key0, const score_args *a) {
    if (BIAS) add_bias(t, s, scale_in, query0, key0, a);
    if (TEXTS) score_pairs(t, s, BIAS ? 1.0f : scale_in, query0, key0, a);
}
/* -infinity where a query does not see a key, and in columns that do not exist. */
OP void mask_pairs(tile *t, acc_pair *s, int query0, int key0, const score_args *a) {
    const int row0 = BY_KEYS ? key0 : query0, col0 = BY_KEYS ? query0 : key0;
    const int cols = min(COLS, (BY_KEYS ? a->nq : a->nk) - col0);
    VI first[ROW_LEN], last[ROW_LEN]; /* columns that a row meets, less COL_BASE */
    EACH_ROW(r) {
        const VI at = ROW_NUMBER(t, r) / PACK + row0 + (BY_KEYS ? -a->shift : a->shift);
        const VI from = BY_KEYS ? first_seer(at, a) : first_seen(at, a),
                 to = BY_KEYS ? last_seer(at, a) : last_seen(at, a);
        first[r] = (BEGINS ? from - col0 : (VI)(0)) - COL_BASE(t);
        last[r] = (ENDS ? min(to - col0, (VI)(cols - 1)) : (VI)(cols - 1)) - COL_BASE(t);
    }
    EACH_PAIR(i) {
        VI hidden = COL_STEP(i) > last[ROW_OF(i)];
        if (BEGINS) hidden |= COL_STEP(i) < first[ROW_OF(i)];
        if (GATHERS) hidden |= hidden_text(min(QUERY_AT(t, i) + query0, (VI)(a->nq - 1)), KEY_AT(t, i) + key0, a);
        s->x[i] = pick(hidden, (VF)(-INFINITY), s->x[i]);
    }
}

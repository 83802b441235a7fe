/* What the accumulate kernels share: their parameters, and which tokens a group does. */
#include "accumulate/args.cl"
#ifndef DECAY
/* 0: none; 1: a number a head, [heads]; 2: a number a token, [batch, heads, n]; both ln(decay) */
#define DECAY 0
#endif
#ifndef PACKED
#define PACKED 0 /* sequences one after another: lengths from cu_seqlens */
#endif
#ifndef INITIAL
#define INITIAL 0 /* a state comes in, if its buffer is there */
#endif
#ifndef FINAL
#define FINAL 0 /* a state goes out */
#endif

/* What a group does: tokens `from` on of a head whose sequence begins at token `first` of batch `in`; index: of its
 * state. */
typedef struct {
    int batch, head, in, sequence, first, from, tokens;
    long index;
} portion;

/* The chunk that is j-th of n. */
#define CHUNK(j, n) (REVERSED ? (n)-1 - (j) : (j))

OP portion portion_of(const accumulate_args *a, const __global int *cu, int all, int item, int segment) {
    portion p;
    p.batch = item / a->heads;
    p.head = item % a->heads;
    p.in = PACKED ? 0 : p.batch; /* sequences lie in one batch */
    p.sequence = PACKED ? p.batch : 0;
    p.first = PACKED ? cu[p.batch] : 0;
    const int n = PACKED ? cu[p.batch + 1] - p.first : all;
    p.from = min((long)(REVERSED ? a->segments - 1 - segment : segment) * a->segment, (long)n);
    p.tokens = min(a->segment, n - p.from);
    p.index = ((long)p.batch * a->state_heads + p.head * a->state_step) * a->segments + segment;
    return p;
}

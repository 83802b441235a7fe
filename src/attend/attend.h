/* Attend forward: softmax attention over block lists; decode; split keys. */
#ifndef CT_ATTEND_H
#define CT_ATTEND_H

#include "layout/blocks.h"
#include "tile/tiles.h"

/* What another branch has left, joined with this one's:  o = (1 - g) before + g this.  A row in which one branch saw no
 * key is the other's. */
typedef struct ct_blend {
    /* [b, hq, nq, dv] of the result's type, float [b, hq, nq]; before nothing: no blending */
    ct_ref before, lse;
    ct_ref gate;    /* float [b, hq, nq]; nothing: 1/2 */
    bool of_before; /* the gate is the other branch's:  o = g before + (1 - g) this */
} ct_blend;

/* All that one softmax branch is. ct_attend_of() fills it from a problem and declares the slots; a method may then
 * change it. */
typedef struct ct_attend {
    ct_ref q, k, v, o, lse; /* lse: nothing, or float [b, hq, nq] */
    clattn_strides qs, ks, vs, os;
    ct_types types;   /* of q, k, v */
    clattn_dtype out; /* of o */
    int64_t b, hq, hk, nq, nk, dqk, dv;
    int64_t sequences, max_q, max_k; /* packed; 0: not */
    ct_ref cu_q, cu_k;
    double scale, softcap;
    bool tf32; /* float operands of products may be rounded */
    bool causal;
    int64_t left, right;                             /* -1: unlimited */
    ct_ref slopes, sink, bias, padding, text_buffer; /* nothing: not in it */
    int64_t bias_b, bias_h;
    /* keys stand at positions[key] (int32 [nk], ascending): sampled keys, gathered before */
    ct_ref positions;
    const int32_t *positions_host; /* the same if the host knows them; NULL: it does not */
    int64_t places;                /* with positions: keys before the choice */
    ct_caller_text texts[CT_TEXT_ROLES];
    double p[8];
    const clattn_layout *layout; /* NULL: every key */
    ct_blocks blocks;            /* of the layout: what rows of blocks see */
    ct_blend blend;
} ct_attend;

clattn_status ct_attend_of(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout, ct_attend *out);
/* Where keys are cut into parts, each part's result is to be merged: float [parts][b][hq][nq][dv], and
 * [parts][b][hq][nq][2], the maximum of a row's scores and the sum of its weights. One part: nothing is left to do. */
typedef struct ct_partials {
    int parts;
    ct_ref o, lse;
} ct_partials;
clattn_status ct_attend_add(ct_builder *b, const ct_attend *attend, ct_partials *partials);

#endif

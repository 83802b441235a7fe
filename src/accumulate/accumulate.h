/* The linear half: launches that carry a state past keys and values. */
#ifndef CT_ACCUMULATE_H
#define CT_ACCUMULATE_H

#include "plan/blocks.h"
#include "tile/tiles.h"

typedef enum ct_fading { CT_FADE_NONE = 0, CT_FADE_HEAD = 1, CT_FADE_TOKEN = 2 } ct_fading; /* DECAY in cl/accumulate */

/* to[b][state head][token] = w_i . o_i for each token of each member's o, which is float, before they are summed;
 * w is of q's heads and tokens. */
typedef struct ct_dots {
    ct_ref w, to; /* to: nothing, if not wanted */
    clattn_strides strides;
    clattn_dtype type;
} ct_dots;

/* The states that enter the segments of a problem's tokens: float [states][segments][dk][dv]; nothing: it needed
 * none. */
typedef struct ct_entering {
    ct_ref states;
    int64_t segment; /* tokens */
    int segments;
} ct_entering;

/* Heads of k may be more than those of q: then the heads of k that share one of q ("members") each have a state,
 * and o is the sum over them.
 * S_t = decay_t S_(t-1) + phi(k_t) v_t^T,  o_t = scale S_t^T phi(q_t), or with one S for all queries if not causal.
 * Normalised: S has one column more, the sum of phi(k), and o is divided by (scale z.phi(q) + 1e-10). */
typedef struct ct_accumulate {
    int64_t batch, heads, kv_heads, nq, nk, dk, dv;
    int64_t sequences;            /* 0: not packed; else batch is 1 and cu_q, cu_k hold the limits */
    int64_t longest_q, longest_k; /* packed */
    ct_ref q, k, v, o;
    clattn_strides q_strides, k_strides, v_strides, o_strides;
    ct_types types; /* of q, k, v */
    clattn_dtype o_dtype;
    ct_ref cu_q, cu_k; /* int32 [sequences + 1] */
    ct_ref decay;      /* ln(decay) <= 0: float [heads] or [batch, heads, nk] */
    ct_fading fading;
    ct_ref padding;             /* uint8 [batch, nk], 0 hides a key; or nothing */
    ct_ref state_in, state_out; /* float [batch or sequences, heads, dk, dv (+1)], or nothing */
    double scale;
    double weight; /* of what a key adds to a state: S_t = decay_t S_(t-1) + weight phi(k_t) v_t^T */
    bool causal;   /* nq = nk, and the same sequences */
    /* causal: from the last token to the first, S_t = decay_(t+1) S_(t+1) + weight phi(k_t) v_t^T; state_in stands
     * behind the last token, state_out is decay_0 S_0 */
    bool reversed;
    bool steps; /* token by token, for a few tokens; causal only */
    clattn_feature feature;
    bool normalise;
    int chunk;  /* tokens; 0: chosen */
    bool exact; /* products of floats, whatever the storage */
    ct_dots dots;
    ct_entering *left;             /* causal: gets what entered; or NULL */
    const ct_entering *given;      /* what entered a problem of the same tokens with k and v exchanged; or NULL */
    uint64_t serves, serves_state; /* see ct_builder_serves: of o, of state_out */
    /* not causal: a block of queries sees only the key blocks that its list lacks; NULL: every key */
    const ct_blocks *left_out;
} ct_accumulate;

/* Adds the launches; *o is written whole. Counts no work: the method does. */
clattn_status ct_accumulate_add(ct_builder *b, const ct_accumulate *accumulate);

/* What a problem of a linear method asks for, with its slots declared. */
clattn_status ct_accumulate_of(ct_builder *b, const clattn_problem *problem, ct_accumulate *accumulate);
/* What no linear method can do. */
clattn_status ct_accumulate_check(const clattn_problem *problem);
/* The work of it: useful operations, least traffic. */
ct_work ct_accumulate_work(const ct_accumulate *accumulate);

#endif

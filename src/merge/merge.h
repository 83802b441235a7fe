/* Merging of branches: partial softmaxes by their LSE, and gated sums. Each call adds one launch. */
#ifndef CT_MERGE_H
#define CT_MERGE_H

#include "plan/builder.h"

/* O = sum_p exp(L_p - L) O_p, L = ln(sum_p exp(L_p)). The identity is (0, -infinity); parts with L_p = -infinity are
 * not read. summed: L_p = m_p + ln l_p in two numbers, for rows where masks of -1e10 would swallow the second. */
typedef struct ct_merge_lse {
    int parts;
    int64_t batch, heads, rows, dv;
    ct_ref o_parts;   /* float [parts][batch][heads][rows][dv] */
    ct_ref lse_parts; /* float [parts][batch][heads][rows]; summed: [parts][batch][heads][rows][2], m and l */
    bool summed;
    ct_ref o;
    clattn_strides o_strides;
    clattn_dtype o_dtype;
    ct_ref lse; /* float [batch][heads][rows], or nothing */
} ct_merge_lse;
clattn_status ct_merge_lse_add(ct_builder *b, const ct_merge_lse *merge);

/* o = g a + (1 - g) b */
typedef struct ct_merge_gate {
    int64_t batch, heads, rows, dv;
    ct_ref o_a, o_b; /* float [batch][heads][rows][dv] */
    /* float [batch][heads][rows], or nothing: g becomes 1 where b saw no key, 0 where a saw none */
    ct_ref lse_a, lse_b;
    ct_ref gate; /* float [batch][heads][rows]; nothing: 1/2 of each, or */
    bool sum;    /* o = a + b */
    ct_ref o;
    clattn_strides o_strides;
    clattn_dtype o_dtype;
} ct_merge_gate;
clattn_status ct_merge_gate_add(ct_builder *b, const ct_merge_gate *merge);

/* Gradients of ct_merge_lse: of o_parts and of lse_parts, or nothing. o and lse are read. */
typedef struct ct_merge_lse_gradient {
    ct_ref g, dlse; /* of o, as that lies and of its type; of lse, or nothing */
    ct_ref do_parts, dlse_parts;
} ct_merge_lse_gradient;
clattn_status ct_merge_lse_backward_add(ct_builder *b, const ct_merge_lse *merge,
                                        const ct_merge_lse_gradient *gradient);

/* Gradients of ct_merge_gate; each but g may be nothing. */
typedef struct ct_merge_gate_gradient {
    ct_ref g;                            /* of o, as that lies and of its type */
    clattn_strides a_strides, b_strides; /* of o_a and o_b, which need not be dense here */
    ct_ref share_a, share_b;             /* float [batch][heads][rows]: what the branches' gradients are times */
    bool linear;                         /* dgate is of the logit, whose sigmoid the gate is */
    ct_ref dgate;                        /* float [batch][heads][rows] */
    ct_ref da, db;                       /* float [batch][heads][rows][dv] */
} ct_merge_gate_gradient;
clattn_status ct_merge_gate_backward_add(ct_builder *b, const ct_merge_gate *merge,
                                         const ct_merge_gate_gradient *gradient);

#endif

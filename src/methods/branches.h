/* Gradients of methods that join two branches: the branches are made again, in the workspace. */
#ifndef CT_BRANCHES_H
#define CT_BRANCHES_H

#include "attend/attend.h"
#include "attend/backward.h"

/* Makes the branch; o, float and at o's strides, and lse become zones. */
clattn_status ct_branch_forward(ct_builder *b, ct_attend *branch);
/* Its gradients of q, k and v: zones, float and dense, which *made names. g: of the joined o; weight: the branch's
 * share of it, or nothing. dsink, dslopes, dbias: where, or nothing. */
clattn_status ct_branch_backward(ct_builder *b, const ct_attend *branch, ct_ref g, ct_ref weight, ct_ref dsink,
                                 ct_ref dslopes, ct_ref dbias, ct_attend_gradient *made);
/* One of the slots DQ, DK, DV: x + y, and what the gate gives to q by dlogit; each may be nothing. */
clattn_status ct_branch_result(ct_builder *b, clattn_slot slot, ct_ref x, ct_ref y, ct_ref dlogit);
/* Slots DQ, DK, DV from one branch's gradients, and another's, if its refs are something; and what the gate gives to q,
 * dlogit, if that is. */
clattn_status ct_branch_results(ct_builder *b, const ct_attend_gradient *x, const ct_attend_gradient *y, ct_ref dlogit);

#endif

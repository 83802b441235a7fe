/* A softmax branch as methods have it, and the method that is one branch and nothing else. */
#ifndef CT_SOFTMAX_H
#define CT_SOFTMAX_H

#include "attend/attend.h"
#include "plan/method.h"

/* What a problem asks for, with its slots declared and its blocks chosen where it wants them chosen. */
clattn_status ct_softmax_of(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout,
                            ct_attend *attend);
/* Adds the branch: attend, and the merge of its parts where keys are cut into several. */
clattn_status ct_softmax_add(ct_builder *b, const ct_attend *attend);
/* The tree of stages and the reference of a method that is one branch. */
clattn_status ct_softmax_build(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
clattn_status ct_softmax_build_backward(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
clattn_status ct_softmax_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                   const clattn_allocator *allocator);

#endif

/* A method that is one softmax branch and nothing else: its tree of stages and its reference. */
#ifndef CT_SOFTMAX_H
#define CT_SOFTMAX_H

#include "methods/method.h"

clattn_status ct_softmax_build(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
clattn_status ct_softmax_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                   const clattn_allocator *allocator);

#endif

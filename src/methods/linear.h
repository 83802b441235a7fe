/* What the linear methods share. */
#ifndef CT_LINEAR_H
#define CT_LINEAR_H

#include "plan/method.h"

/* Chunk by chunk. */
clattn_status ct_linear_build(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
/* Token by token: the recurrent form. */
clattn_status ct_linear_steps(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
clattn_status ct_linear_build_backward(ct_builder *b, const clattn_problem *problem, const clattn_layout *layout);
clattn_status ct_linear_reference(const clattn_problem *problem, const clattn_layout *layout, ct_reference_io *io,
                                  const clattn_allocator *allocator);

#endif

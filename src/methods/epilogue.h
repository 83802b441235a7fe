/* What comes behind a method's o: y = norm(residual + o), where the problem asks for it. */
#ifndef CT_EPILOGUE_H
#define CT_EPILOGUE_H

#include "plan/method.h"

bool ct_problem_has_epilogue(const clattn_problem *problem);
double ct_problem_eps(const clattn_problem *problem);
/* The method's stages of the problem's pass, and the epilogue's. Backwards o is made again, in the workspace: it is
 * nowhere else, slot O being y. */
clattn_status ct_epilogue_build(ct_builder *b, const ct_method *method, const clattn_layout *layout);
/* The method's reference, and the epilogue's. io->rows: every head of a token, or none. */
clattn_status ct_epilogue_reference(const ct_method *method, const clattn_problem *problem, const clattn_layout *layout,
                                    ct_reference_io *io, const clattn_allocator *allocator);

#endif

/* Kernel arguments in C: the texts cl/<stage>/args.cl say once which buffers a kernel gets, in which order, and the
 * record that it gets by value. Include this, then such a text. In a list of buffers T(name) is a tensor, B(type, name)
 * a buffer, S(type, name) a buffer that may be where another one is; cl/tile/tile.cl makes parameters of them. */
#ifndef CT_ARGUMENTS_H
#define CT_ARGUMENTS_H

#include "plan/builder.h"

typedef cl_long i64;
typedef cl_int i32;
typedef cl_float f32;
typedef clattn_strides strides;

#define CT_REF_T(name)       ct_ref name;
#define CT_REF_B(type, name) ct_ref name;
/* The members of a struct of refs, one for each buffer of a list: those that are not set stand for nothing. */
#define CT_REFS(list) list(CT_REF_T, CT_REF_B, CT_REF_B)

/* Gives a launch its buffers, a struct of CT_REFS, and its record, which holds zeros in the warm-up. */
#define CT_ARGUMENTS(launch, buffers, record)                                                                          \
    ct_launch_arguments(launch, (const ct_ref *)(buffers), sizeof *(buffers) / sizeof(ct_ref), record, sizeof *(record))
void ct_launch_arguments(ct_launch *l, const ct_ref *buffers, size_t n, const void *record, size_t bytes);

#endif

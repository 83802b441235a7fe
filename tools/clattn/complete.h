/* A problem's text completed by what its tensors say. */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "tensor.h"

/* Tensors that were given, by slot: data NULL is none. wants: results that were asked for. */
typedef struct given_tensors {
    tensor of[CLATTN_SLOT_COUNT];
    bool wants[CLATTN_SLOT_COUNT];
} given_tensors;

/* Appends keys for which the text is silent, parses the whole, and checks the tensors where the text speaks.
 * *full is the completed text, for messages; the caller releases it. */
clattn_status complete_problem(const char *text, const given_tensors *given, clattn_problem *problem, char **full);
/* Contents that a kernel trusts: cu_seqlens, block lists, positions. */
clattn_status check_contents(const clattn_problem *problem, const given_tensors *given);

#endif

/* What a problem must be to have a pass backwards. */
#include "plan/problem.h"

#include <string.h>

#include "plan/slots.h"

/* Gradients lie as their tensors do: rows that overlap would be written by several. */
static clattn_status check_apart(const clattn_problem *p, clattn_slot slot)
{
    int64_t dims[CT_MOST_DIMS], steps[3], counts[3];
    const clattn_strides s = ct_slot_strides(p, slot);
    ct_slot_shape(p, NULL, slot, dims);
    memcpy(steps, (const int64_t[3]){s.batch, s.head, s.row}, sizeof steps);
    memcpy(counts, dims, sizeof counts);
    int64_t reach = dims[3];
    for (int done = 0; done < 3; done++) { /* from the smallest stride up each must reach beyond all below it */
        int least = -1;
        for (int i = 0; i < 3; i++) {
            least = counts[i] > 1 && (least < 0 || steps[i] < steps[least]) ? i : least;
        }
        if (least < 0) {
            break;
        }
        if (steps[least] < reach) {
            return ct_fail(CLATTN_UNSUPPORTED,
                           "pass=bwd: %s strides %lld, %lld, %lld let rows overlap, and its gradient lies as it does",
                           clattn_slot_name(slot), (long long)s.batch, (long long)s.head, (long long)s.row);
        }
        reach += (counts[least] - 1) * steps[least];
        counts[least] = 1;
    }
    return CLATTN_OK;
}

clattn_status ct_problem_check_backward(const clattn_problem *p)
{
    clattn_status st = CLATTN_OK;
    for (int slot = CLATTN_Q; p->pass == CLATTN_BWD && slot <= CLATTN_V; slot++) {
        CT_TRY(check_apart(p, (clattn_slot)slot));
    }
out:
    return st;
}

/* Gradients in one pass whose groups do blocks of keys one after another: how many groups share out a head's. */
#ifndef CT_ATTEND_PARTS_H
#define CT_ATTEND_PARTS_H

#include "core/core.h"

/* Of `heads` with `blocks` of keys each, on a device that runs so many groups at once; at most `most`, for each of them
 * has sums of dQ of its own. 0: two passes take less time. */
int64_t ct_backward_parts(int64_t heads, int64_t blocks, int64_t places, int64_t most);

#endif

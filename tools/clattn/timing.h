/* How long a plan takes. */
#ifndef TIMING_H
#define TIMING_H

#include "peak.h"
#include "runner.h"

typedef struct timing {
    double median, least; /* seconds */
    int runs;
} timing;

/* After one launch that does not count. repeat 0: as many as fit into `seconds`, at least 5 (1 if each takes longer
 * than 10 s). `limits` (may be NULL) is probed between the runs. */
clattn_status timing_measure(runner *r, int64_t repeat, double seconds, peak *limits, timing *out);

#endif

/* What the device can do at most, probed: fused multiply-adds and copies. */
#ifndef PEAK_H
#define PEAK_H

#include "device.h"

typedef struct peak {
    const place *where;
    cl_program program;
    cl_kernel fma, copy;
    cl_mem from, to, sink;
    bool cpu;
    cl_uint units;
    int width; /* floats of a register of the CPU */
    int64_t fma_turns, copy_bytes;
    double flops, bytes_per_second; /* the largest of all probes */
} peak;

clattn_status peak_open(peak *p, const place *where);
/* Some milliseconds of each; call it between timings: clocks and neighbours change. */
clattn_status peak_probe(peak *p);
void peak_close(peak *p);

#endif

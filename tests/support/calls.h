/* OpenCL calls that fail on purpose, and a count of the objects that are held. For a program that is linked with --wrap
 * for each call of calls.def (tests/CMakeLists.txt). */
#ifndef CT_CALLS_H
#define CT_CALLS_H

#include <clattn/clattn.h>

typedef struct ct_calls {
    /* this call (from 1) returns `code` and does nothing, but release what it was to release; 0: none */
    long fail_at;
    cl_int code;
    long made, held;    /* calls so far; objects that they left, less those that they took back */
    const char *failed; /* the name of the one that failed, or NULL */
} ct_calls;

/* From now on calls are counted here; NULL: they go through, uncounted. One thread only. */
void ct_calls_count(ct_calls *calls);

#endif

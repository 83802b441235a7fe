/* A program run in a process of its own: what it is given, what it answers, how it ended. It knows no OpenCL. */
#ifndef CT_CHILD_H
#define CT_CHILD_H

#include "core/core.h"

#define CT_CHILD_ANSWER 3 /* the descriptor on which the program answers; it reads its standard input */

typedef enum ct_child_end { CT_CHILD_EXITED, CT_CHILD_SIGNALED, CT_CHILD_TIMED_OUT, CT_CHILD_UNKNOWN } ct_child_end;

typedef struct ct_child {
    ct_child_end end;
    int code;       /* exit status, or the signal's number */
    ct_text answer; /* to be released */
    int printed;    /* a file of what it wrote to standard output and error, at its beginning; to be closed, -1: none */
} ct_child;

/* Runs `path` with `input` and waits for its end, `seconds` at most. It inherits the environment and no descriptor, and
 * every signal works as if by default. Safe beside other threads and other children: nobody's signal handlers are
 * touched and nobody else's children are awaited. CLATTN_IO: it was not started, the detail says why. `child` may be
 * released in every case. */
clattn_status ct_child_run(const clattn_allocator *allocator, const char *path, const ct_text *input, int seconds,
                           ct_child *child);
void ct_child_release(ct_child *child);

#endif

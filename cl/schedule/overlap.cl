/* overlap: one worker; products of neighbouring steps are in flight together: front(j) beside back(j-1). */
#include "schedule/streams.cl"
#if !MAY_OVERLAP
#error this stage does not allow front(j) beside back(j-1)
#endif
OP void run(stage *c) {
    const int n = c->n;
    step_hold(c);
    step_begin(c);
    for (int j = 0; j <= n && n; j++) {
        if (j < n) {
            for (int s = 0; s < STREAMS; s++) step_load(c, s, j);
            READY(FRONT, j);
            step_front(c, j);
            mma_commit();
        }
        if (j) {
            READY(BACK, j - 1);
            step_back(c, j - 1);
            mma_commit();
        }
        if (j < n) {
            if (j) {
                mma_wait(&c->t, 1);
            } else {
                mma_wait(&c->t, 0);
            }
            RELEASE(FRONT, j);
            step_middle(c, j);
        }
        if (j) {
            mma_wait(&c->t, 0);
            RELEASE(BACK, j - 1);
            step_done(c, j - 1);
        }
        if (j < n) step_settle(c, j);
    }
    step_finish(c);
}

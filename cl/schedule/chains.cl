/* chains: roles, for a stage of two chains whose third result leaves every step.
 *   front -> middle -> settle -> back                  the first chain
 *   front2 -> middle2 -> settle2 -> publish, back2     the second one; what it published is gathered, and leaves
 * LAG   1: what a step has published is gathered in the next one: until then the other workers have time to publish
 *           theirs, so that workers need not keep step, and the products of one run beside the arithmetic of another.
 *           The first step gathers what nobody has published, and nothing leaves: a branch around products in flight
 *           costs registers. 0: in the step itself, where there are no registers for both steps' results
 * Beside those who load tiles, some bring the values of their columns, and some take what leaves away: they may wait
 * for other groups while the workers go on. No product is in flight at the loop's edge, where the compiler moves
 * registers. Without effect, or worse: the next step's front beside this one's back2, which puts it before the other
 * worker's products in the matrix units' queue. */
#include "schedule/streams.cl"
OP void bring(stage *c, int n) {
    step_hold(c);
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int s = 0; s < STREAMS; s++) {
            stream_acquire(&c->t, s, j);
            step_load(c, s, j);
        }
    }
}
OP void gather_met(stage *c, int j) {
    meet(&c->t, j);
    step_gather(c, j);
}
OP void load(stage *c) {
    const int n = c->n;
    if (role_first(&c->t)) {
        bring(c, n);
    } else if (role_columns(&c->t)) {
        for (int j = 0; j < n; j++) step_columns(c, j);
    } else if (role_take(&c->t)) {
        for (int j = 0; j < n; j++) step_take(c);
        step_tell(c);
    }
    role_done(&c->t, n);
}
OP void run(stage *c) {
    if (role_load(&c->t)) {
        load(c);
        return;
    }
    const int n = same_for_warp(c->n);
    role_compute(&c->t);
    step_begin(c);
    if (LAG && n) publish_none(&c->t);
    for (int i = 0; i < n; i++) {
        const int j = same_for_warp(i);
        READY(FRONT, j);
        step_front(c, j);
        mma_commit();
        READY(FRONT2, j);
        step_front2(c, j);
        mma_commit();
        mma_wait(&c->t, 1);
        step_middle(c, j);
        step_settle(c, j);
        step_back(c, j);
        mma_commit();
        mma_wait(&c->t, 1);
        step_middle2(c, j);
        step_settle2(c, j);
        if (!LAG) step_publish(c, j);
        gather_met(c, j - LAG);
        mma_commit();
        step_back2(c, j);
        mma_commit();
        mma_wait(&c->t, 2);
        RELEASE(BACK, j);
        mma_wait(&c->t, 1);
        if (LAG) step_publish(c, j);
        if (j >= LAG) step_leave(c, j - LAG);
        mma_wait(&c->t, 0);
        RELEASE(BACK2, j);
    }
    if (LAG && n) {
        gather_met(c, n - 1);
        mma_commit();
        mma_wait(&c->t, 0);
        step_leave(c, n - 1);
    }
    held_release(&c->t);
    role_done(&c->t, n);
    step_finish(c);
}

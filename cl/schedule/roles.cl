/* roles: one worker loads through rings, the others compute; matrix products of neighbouring steps overlap the element
 * work.
 *   OVERLAP   1: front(j) is in flight beside back(j-1)      TURNS   1: computing workers issue their products one
 *             after another
 * Asks of a stage: with OVERLAP, middle(j) touches nothing that back(j-1) reads or writes. Once split, the roles never
 * meet again: a tile whose groups stay for several items has split them before. held_release: no product to come reads
 * what is held, so another may arrive in its place while this item's last step goes on; role_done: the item's tiles are
 * through. */
#include "schedule/streams.cl"
#ifndef OVERLAP
#define OVERLAP 1
#endif
/* of a stage: 0 where step_front issues none, so there is nothing to wait for */
#ifndef FRONT_PRODUCTS
#define FRONT_PRODUCTS 1
#endif
#ifndef TURNS
#define TURNS 0
#endif
#if OVERLAP && !MAY_OVERLAP
#error this stage does not allow front(j) beside back(j-1)
#endif
#define RELEASE_HELD(j)                                                                                                \
    if ((j) + 1 == n) held_release(&c->t)
#if TURNS
#define TURN_WAIT() turn_wait(&c->t)
#define TURN_PASS() turn_pass(&c->t)
#else
#define TURN_WAIT()
#define TURN_PASS()
#endif
OP void bring(stage *c, const int when, int j) {
    UNROLL
    for (int s = 0; s < STREAMS; s++)
        if (FIRST_READ(s) == when) {
            stream_acquire(&c->t, s, j);
            step_load(c, s, j);
        }
}
OP void run(stage *c) {
    const int n = c->n;
    if (role_load(&c->t)) {
        if (role_first(&c->t)) {
            step_hold(c);
            /* in the order of the reads, which is that of the releases */
            for (int j = 0; j < n + OVERLAP; j++) {
                if (j < n) bring(c, FRONT, j);
                if (j >= OVERLAP) bring(c, BACK, j - OVERLAP);
            }
            role_done(&c->t, n);
        }
        return;
    }
    role_compute(&c->t);
    step_begin(c);
    if (n == 0) {
        held_release(&c->t);
        role_done(&c->t, n);
        step_finish(c);
        return;
    }
#if !OVERLAP
    for (int j = 0; j < n; j++) {
        READY(FRONT, j);
        step_front(c, j);
        if (FRONT_PRODUCTS) {
            mma_commit();
            mma_wait(&c->t, 0);
        }
        RELEASE(FRONT, j);
        RELEASE_HELD(j);
        step_middle(c, j);
        step_settle(c, j);
        READY(BACK, j);
        step_back(c, j);
        mma_commit();
        mma_wait(&c->t, 0);
        RELEASE(BACK, j);
        step_done(c, j);
    }
#else
    turns_begin(&c->t);
    READY(FRONT, 0);
    TURN_WAIT();
    step_front(c, 0);
    mma_commit();
    mma_wait(&c->t, 0);
    RELEASE(FRONT, 0);
    RELEASE_HELD(0);
    TURN_PASS();
    step_middle(c, 0);
    step_settle(c, 0);
    for (int j = 1; j < n; j++) {
        READY(FRONT, j);
        TURN_WAIT();
        step_front(c, j);
        mma_commit();
        READY(BACK, j - 1);
        step_back(c, j - 1);
        mma_commit();
        TURN_PASS();
        mma_wait(&c->t, 1);
        RELEASE(FRONT, j);
        RELEASE_HELD(j);
        step_middle(c, j);
        mma_wait(&c->t, 0);
        RELEASE(BACK, j - 1);
        step_done(c, j - 1);
        step_settle(c, j);
    }
    turns_end(&c->t);
    READY(BACK, n - 1);
    step_back(c, n - 1);
    mma_commit();
    mma_wait(&c->t, 0);
    RELEASE(BACK, n - 1);
    step_done(c, n - 1);
#endif
    role_done(&c->t, n);
    step_finish(c);
}

/* serial: one worker, one step after another. The loads run one step ahead, as a hint or as a copy. Of a stage of two
 * chains (CHAINS), the first one's pairs have left before the second one's are made: no more than one tile of them
 * stays beside the results. */
OP void run(stage *c) {
    const int n = c->n;
    step_hold(c);
    step_begin(c);
    if (n)
        for (int s = 0; s < STREAMS; s++) step_load(c, s, 0);
    for (int j = 0; j < n; j++) {
        for (int s = 0; s < STREAMS; s++) step_load(c, s, j + 1 < n ? j + 1 : j);
        for (int s = 0; s < STREAMS; s++) stream_wait(&c->t, s, j);
        step_front(c, j);
        step_middle(c, j);
        step_settle(c, j);
        step_back(c, j);
#if CHAINS
        step_front2(c, j);
        step_middle2(c, j);
        step_settle2(c, j);
        step_back2(c, j);
#endif
        step_done(c, j);
    }
    step_finish(c);
}

/* Streams as schedules see them whose products are under way while others wait: those that a stage reads at a time of
 * its step arrive, are waited for, and are given back. */
#define READY(when, j)                                                                                                 \
    UNROLL                                                                                                             \
    for (int s = 0; s < STREAMS; s++)                                                                                  \
        if (FIRST_READ(s) == when) stream_wait(&c->t, s, j)
#define RELEASE(when, j)                                                                                               \
    UNROLL                                                                                                             \
    for (int s = 0; s < STREAMS; s++)                                                                                  \
        if (LAST_READ(s) == when) stream_release(&c->t, s, j)

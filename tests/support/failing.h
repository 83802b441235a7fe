/* An allocator that fails on purpose, and counts what is still held. */
#ifndef CT_FAILING_H
#define CT_FAILING_H

#include <stdatomic.h>

#include <clattn/clattn.h>

typedef struct ct_failing {
    atomic_long made;  /* allocations so far */
    atomic_long held;  /* not yet released */
    long fail_at;      /* this one (from 1) returns NULL; 0: none */
    int from_there_on; /* 1: every later one, too */
} ct_failing;

/* The allocator; `failing` must outlive what uses it. */
clattn_allocator ct_failing_allocator(ct_failing *failing);

/* Calls run(user, allocator) with the 1st, 2nd, ... allocation failing, once and for good, until it succeeds. Each
 * failure must be CLATTN_OUT_OF_HOST_MEMORY and leave nothing held: run releases what it got. Returns how many failed.
 */
long ct_fail_every_allocation(clattn_status (*run)(void *user, const clattn_allocator *allocator), void *user);

#endif

#include "support/failing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/core.h"

#define MOST 100000

static void *allocate(size_t bytes, void *user)
{
    ct_failing *failing = user;
    const long at = atomic_fetch_add(&failing->made, 1) + 1;
    if (failing->fail_at && (at == failing->fail_at || (failing->from_there_on && at > failing->fail_at))) {
        return NULL;
    }
    void *pointer = ct_alloc(NULL, bytes);
    if (pointer) {
        atomic_fetch_add(&failing->held, 1);
    }
    return pointer;
}

static void release(void *pointer, void *user)
{
    ct_failing *failing = user;
    if (pointer) {
        atomic_fetch_sub(&failing->held, 1);
    }
    ct_release(NULL, pointer);
}

clattn_allocator ct_failing_allocator(ct_failing *failing)
{
    return (clattn_allocator){allocate, release, failing};
}

static long fail_one_after_the_other(clattn_status (*run)(void *, const clattn_allocator *), void *user,
                                     int from_there_on)
{
    for (long n = 1; n < MOST; n++) {
        ct_failing failing = {.fail_at = n, .from_there_on = from_there_on};
        const clattn_allocator allocator = ct_failing_allocator(&failing);
        const clattn_status st = run(user, &allocator);
        const long held = atomic_load(&failing.held);
        if (held != 0) {
            fail_msg("allocation %ld failed, and %ld are still held (%s)", n, held, clattn_status_name(st));
        }
        if (atomic_load(&failing.made) < n) {
            if (st != CLATTN_OK) {
                fail_msg("no allocation failed, but %s: %s", clattn_status_name(st), clattn_error_detail());
            }
            return n - 1;
        }
        if (st != CLATTN_OK && st != CLATTN_OUT_OF_HOST_MEMORY) {
            fail_msg("allocation %ld failed: %s: %s", n, clattn_status_name(st), clattn_error_detail());
        }
    }
    fail_msg("more than %d allocations", MOST);
    return 0;
}

long ct_fail_every_allocation(clattn_status (*run)(void *user, const clattn_allocator *allocator), void *user)
{
    const long once = fail_one_after_the_other(run, user, 0);
    const long on = fail_one_after_the_other(run, user, 1);
    return once + on;
}

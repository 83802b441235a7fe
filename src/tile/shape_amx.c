#include "tile/shape_amx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tile/block_part.h"

#if defined(__linux__) && defined(__x86_64__)
#    include <sys/syscall.h>
#    include <unistd.h>
#endif

#define MOST_COLS  64  /* of a tile: two steps of the second product */
#define MOST_ROWS  128 /* they share what it costs to turn V */
#define FEW_ROWS   96  /* up to which a tile of 128 would be half empty */
#define LEAST_ROWS 6   /* fewer are the business of tile_cpu_few */

bool ct_amx_accepts(const ct_device_facts *facts, char *why, size_t bytes)
{
    snprintf(why, bytes, "%s", facts->cpu ? "this CPU has no AMX for bfloat16" : "the device is no CPU");
    return facts->amx;
}

/* Linux gives a process its tile registers only when it asks (its Documentation/arch/x86/xstate.rst). The answer holds
 * for every thread of the process, also for those of the OpenCL implementation that run already; a thread's room for
 * them is made when it first uses one. */
#define ASK_XCOMP_PERM 0x1023
#define XTILEDATA      18
bool ct_amx_permitted(const clattn_context *context, char *why, size_t bytes)
{
    if (context->amx_off) {
        snprintf(why, bytes, "AMX is off, by the context's options or $CLATTN_AMX");
        return false;
    }
#if defined(__linux__) && defined(__x86_64__)
    if (syscall(SYS_arch_prctl, ASK_XCOMP_PERM, XTILEDATA) != 0) {
        snprintf(why, bytes, "the system does not let this process use AMX: %s%s", strerror(errno),
                 errno == ENOSPC ? " (a thread's alternate signal stack is too small for 8 KiB of tile registers)"
                                 : "");
        return false;
    }
    return true;
#else
    snprintf(why, bytes, "how a process asks for AMX is known on Linux for x86-64 only");
    return false;
#endif
}

bool ct_amx_shape(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes)
{
    const int64_t all = wish->nq * wish->pack;
    const int rows = all > FEW_ROWS ? MOST_ROWS : MOST_ROWS / 2, most = rows / wish->pack > 0 ? rows / wish->pack : 1;
    (void)facts;
    if (wish->dtype != CLATTN_BF16) {
        snprintf(why, bytes, "it reads bf16 only");
        return false;
    }
    if (all < LEAST_ROWS && wish->block_q == 0) {
        snprintf(why, bytes, "%lld rows of queries do not fill its tiles; at least %d", (long long)all, LEAST_ROWS);
        return false;
    }
    out->step = ct_block_share(wish->block_q, (int)ct_min(most, wish->nq), wish->pack >= 16 ? 1 : 16 / wish->pack);
    out->cols = ct_block_share(wish->block_k, MOST_COLS, 16);
    if (!out->step || !out->cols || out->cols > MOST_COLS) {
        snprintf(why, bytes, "block %dx%d: its keys must have a divisor of up to %d of which tiles of 16 waste little",
                 wish->block_q, wish->block_k, MOST_COLS);
        return false;
    }
    out->bm = (int)ct_round_up(out->step * wish->pack, 16);
    out->bn = (int)ct_round_up(out->cols, 16);
    out->items = 1;
    return true;
}

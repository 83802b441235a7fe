/* A plan with device buffers for its slots. */
#ifndef RUNNER_H
#define RUNNER_H

#include "device.h"

typedef struct runner {
    const place *where;
    clattn_plan *plan;
    cl_mem mem[CLATTN_SLOT_COUNT], workspace;
    size_t bytes[CLATTN_SLOT_COUNT], workspace_bytes;
} runner;

clattn_status runner_open(runner *r, const place *where, const clattn_problem *problem, clattn_layout *layout);
void runner_close(runner *r);
/* Gives a slot a buffer of `bytes`; data NULL: zeros. */
clattn_status runner_give(runner *r, clattn_slot slot, const void *data, size_t bytes);
/* Bytes of the slot's tensor; *want as in clattn_plan_slot. */
clattn_status runner_size(const runner *r, clattn_slot slot, int *want, size_t *bytes);
clattn_status runner_enqueue(runner *r, cl_event *event);
/* Backwards, O and LSE are inputs: runs the forward pass on the inputs that are there, and gives them. */
clattn_status runner_forward(runner *r, const clattn_problem *problem);
/* Enqueues and waits. */
clattn_status runner_run(runner *r);
/* Waits for everything, then copies `bytes` bytes of the slot from `offset` on. */
clattn_status runner_read(const runner *r, clattn_slot slot, size_t offset, void *data, size_t bytes);
/* All buffers and the workspace. */
size_t runner_memory(const runner *r);
/* Every needed slot without a buffer gets one: outputs, and inputs of random contents that are legal for the problem.
 */
clattn_status runner_fill(runner *r, const clattn_problem *problem, uint64_t seed);

#endif

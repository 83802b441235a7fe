#include "runner.h"

#include <string.h>

#include "plan/slots.h"

clattn_status runner_open(runner *r, const place *where, const clattn_problem *problem, clattn_layout *layout)
{
    clattn_status st = CLATTN_OK;
    cl_int code;
    runner made = {.where = where};
    CT_TRY(clattn_plan_create(&made.plan, where->context, problem, layout));
    CT_TRY(clattn_plan_workspace(made.plan, &made.workspace_bytes));
    if (made.workspace_bytes > 0) {
        made.workspace = clCreateBuffer(where->cl, CL_MEM_READ_WRITE, made.workspace_bytes, NULL, &code);
        CT_TRYCL(code);
    }
    *r = made;
    made = (runner){0};
out:
    runner_close(&made);
    return st;
}

void runner_close(runner *r)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (r->mem[slot]) {
            clReleaseMemObject(r->mem[slot]);
        }
    }
    if (r->workspace) {
        clReleaseMemObject(r->workspace);
    }
    clattn_plan_release(r->plan);
    *r = (runner){0};
}

clattn_status runner_give(runner *r, clattn_slot slot, const void *data, size_t bytes)
{
    clattn_status st = CLATTN_OK;
    cl_int code;
    /* no buffer is empty: OpenCL refuses size 0 */
    const size_t room = bytes ? bytes : 4;
    cl_mem mem = clCreateBuffer(r->where->cl, CL_MEM_READ_WRITE, room, NULL, &code);
    CT_TRYCL(code);
    if (data && bytes) {
        CT_TRYCL(clEnqueueWriteBuffer(r->where->queue, mem, CL_TRUE, 0, bytes, data, 0, NULL, NULL));
    } else {
        const cl_uchar zero = 0;
        CT_TRYCL(clEnqueueFillBuffer(r->where->queue, mem, &zero, 1, 0, room, 0, NULL, NULL));
    }
    if (r->mem[slot]) {
        clReleaseMemObject(r->mem[slot]);
    }
    r->mem[slot] = mem;
    r->bytes[slot] = bytes;
    mem = NULL;
out:
    if (mem) {
        clReleaseMemObject(mem);
    }
    return st;
}

clattn_status runner_size(const runner *r, clattn_slot slot, int *want, size_t *bytes)
{
    clattn_dtype dtype = CLATTN_F32;
    int rank = 0;
    int64_t dims[5] = {0}, count = 1;
    const clattn_status st = clattn_plan_slot(r->plan, slot, want, &dtype, &rank, dims);
    if (st != CLATTN_OK) {
        return st;
    }
    for (int i = 0; i < rank; i++) {
        count *= dims[i];
    }
    *bytes = *want ? (size_t)count * clattn_dtype_size(dtype) : 0;
    return CLATTN_OK;
}

clattn_status runner_enqueue(runner *r, cl_event *event)
{
    clattn_arg args[CLATTN_SLOT_COUNT];
    size_t n = 0;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (r->mem[slot]) {
            args[n++] = (clattn_arg){(clattn_slot)slot, clattn_buf_mem(r->mem[slot], 0)};
        }
    }
    const clattn_buf workspace = r->workspace ? clattn_buf_mem(r->workspace, 0) : clattn_buf_none();
    return clattn_enqueue(r->where->queue, r->plan, args, n, workspace, 0, NULL, event);
}

clattn_status runner_run(runner *r)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(runner_enqueue(r, NULL));
    CT_TRYCL(clFinish(r->where->queue));
out:
    return st;
}

/* What the forward pass reads is shared with it. */
static clattn_status share_inputs(const runner *r, runner *forward)
{
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        int want = 0;
        const clattn_status st = clattn_plan_slot(forward->plan, (clattn_slot)slot, &want, NULL, NULL, NULL);
        if (st != CLATTN_OK) {
            return st;
        }
        if (want && r->mem[slot] && ct_slot_is((clattn_slot)slot, CLATTN_FWD, CT_INPUT)) {
            clRetainMemObject(r->mem[slot]);
            forward->mem[slot] = r->mem[slot];
        }
    }
    return CLATTN_OK;
}

clattn_status runner_forward(runner *r, const clattn_problem *problem)
{
    static const clattn_slot results[] = {CLATTN_O, CLATTN_LSE};
    clattn_status st = CLATTN_OK;
    clattn_problem same = *problem;
    runner forward = {0};
    bool wanted = false;
    for (size_t i = 0; i < CT_COUNT(results); i++) {
        int want = 0;
        size_t bytes = 0;
        CT_TRY(runner_size(r, results[i], &want, &bytes));
        wanted |= want > 0;
    }
    if (!wanted) { /* the pass backwards asks for neither */
        goto out;
    }
    same.pass = CLATTN_FWD;
    CT_TRY(runner_open(&forward, r->where, &same, NULL));
    CT_TRY(share_inputs(r, &forward));
    for (size_t i = 0; i < CT_COUNT(results); i++) {
        int want = 0;
        size_t bytes = 0;
        CT_TRY(runner_size(&forward, results[i], &want, &bytes));
        CT_TRY(runner_give(&forward, results[i], NULL, bytes));
    }
    CT_TRY(runner_run(&forward));
    for (size_t i = 0; i < CT_COUNT(results); i++) {
        r->mem[results[i]] = forward.mem[results[i]];
        r->bytes[results[i]] = forward.bytes[results[i]];
        forward.mem[results[i]] = NULL;
    }
out:
    runner_close(&forward);
    return st;
}

clattn_status runner_read(const runner *r, clattn_slot slot, size_t offset, void *data, size_t bytes)
{
    clattn_status st = CLATTN_OK;
    if (bytes > 0) {
        CT_TRYCL(clEnqueueReadBuffer(r->where->queue, r->mem[slot], CL_TRUE, offset, bytes, data, 0, NULL, NULL));
    }
out:
    return st;
}

size_t runner_memory(const runner *r)
{
    size_t sum = r->workspace_bytes;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        sum += r->bytes[slot];
    }
    return sum;
}

/* Enqueue: checks, kernel arguments, launches. It never compiles, allocates device memory or waits. */
#include <string.h>

#include "plan/plan_parts.h"
#include "plan/slots.h"

static clattn_status check_room(const char *what, const clattn_buf *buf, int64_t bytes, clattn_status code)
{
    size_t size = 0;
    if (!buf->mem) {
        return CLATTN_OK; /* the size behind a shared pointer is not known */
    }
    const cl_int error = clGetMemObjectInfo(buf->mem, CL_MEM_SIZE, sizeof size, &size, NULL);
    if (error != CL_SUCCESS) {
        return ct_fail(error, "clattn_enqueue: %s is no memory object: clGetMemObjectInfo returned %s", what,
                       clattn_status_name(error));
    }
    if (buf->offset > size || (int64_t)(size - buf->offset) < bytes) {
        return ct_fail(code, "clattn_enqueue: %s has %zu bytes behind offset %zu, needed are %lld", what,
                       buf->offset > size ? (size_t)0 : size - buf->offset, buf->offset, (long long)bytes);
    }
    return CLATTN_OK;
}

/* A result goes out where that input came in, or where nothing of it came in. */
static clattn_status check_in_place(const clattn_plan *plan, clattn_slot slot, const clattn_buf *by_slot)
{
    const clattn_slot source = (clattn_slot)(ct_slots[slot].in_place_of - 1);
    const clattn_buf *in = &by_slot[source], *out = &by_slot[slot];
    const bool one_memory = in->mem ? in->mem == out->mem : in->svm && out->svm;
    const uintptr_t a = (uintptr_t)in->svm + in->offset, b = (uintptr_t)out->svm + out->offset,
                    between = a > b ? a - b : b - a;
    if (!one_memory || between == 0 || between >= (uintptr_t)plan->slots[slot].bytes) {
        return CLATTN_OK;
    }
    return ct_fail(CLATTN_INVALID_ARGUMENT,
                   "clattn_enqueue: slots '%s' and '%s' begin %llu bytes apart; 0, or at least their %lld",
                   clattn_slot_name(source), clattn_slot_name(slot), (unsigned long long)between,
                   (long long)plan->slots[slot].bytes);
}

static clattn_status sort_args(const clattn_plan *plan, const clattn_arg *args, size_t n_args, clattn_buf *by_slot)
{
    clattn_status st = CLATTN_OK;
    bool seen[CLATTN_SLOT_COUNT] = {false};
    for (size_t i = 0; i < n_args; i++) {
        const clattn_slot slot = args[i].slot;
        if (slot < 0 || slot >= CLATTN_SLOT_COUNT) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: args[%zu].slot is %d, must be 0 to %d", i, (int)slot,
                    CLATTN_SLOT_COUNT - 1);
        }
        const ct_plan_slot *want = &plan->slots[slot];
        const size_t element =
            clattn_dtype_size(want->dtype) * (size_t)(plan->aligned && ct_slots[slot].strides ? plan->aligned : 1);
        if (!want->want) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: this plan has no slot '%s'", clattn_slot_name(slot));
        }
        if (seen[slot]) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: slot '%s' is given twice", clattn_slot_name(slot));
        }
        if (args[i].buf.mem && args[i].buf.svm) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: slot '%s' has a cl_mem and a pointer",
                    clattn_slot_name(slot));
        }
        if (args[i].buf.offset % element) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT,
                    "clattn_enqueue: slot '%s' has offset %zu; this plan wants a multiple of %zu bytes",
                    clattn_slot_name(slot), args[i].buf.offset, element);
        }
        CT_TRY(check_room(clattn_slot_name(slot), &args[i].buf, want->bytes, CLATTN_BUFFER_TOO_SMALL));
        seen[slot] = args[i].buf.mem || args[i].buf.svm;
        by_slot[slot] = args[i].buf;
    }
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (plan->slots[slot].want == 2 && !seen[slot]) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: slot '%s' is missing",
                    clattn_slot_name((clattn_slot)slot));
        }
    }
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (ct_slots[slot].in_place_of) {
            CT_TRY(check_in_place(plan, (clattn_slot)slot, by_slot));
        }
    }
    if (plan->slots[CLATTN_CU_SEQLENS_K].want && !seen[CLATTN_CU_SEQLENS_K]) {
        by_slot[CLATTN_CU_SEQLENS_K] = by_slot[CLATTN_CU_SEQLENS]; /* ct_builder_cuts */
    }
out:
    return st;
}

static clattn_status check_queue(const clattn_plan *plan, cl_command_queue queue, bool *in_order)
{
    clattn_status st = CLATTN_OK;
    cl_context context = NULL;
    cl_device_id device = NULL;
    cl_command_queue_properties properties = 0;
    CT_TRYCL(clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL));
    CT_TRYCL(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL));
    CT_TRYCL(clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL));
    if (context != plan->context->env.cl || device != plan->context->env.device) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: the queue belongs to another %s than the plan",
                context != plan->context->env.cl ? "cl_context" : "device");
    }
    *in_order = !(properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
out:
    return st;
}

cl_int ct_launch_enqueue(const ct_launch *l, cl_command_queue queue, cl_uint n_wait, const cl_event *wait_list,
                         cl_event *event)
{
    const size_t local[3] = {l->items, 1, 1};
    const size_t global[3] = {l->groups[0] * l->items, l->groups[1], l->groups[2]};
    return clEnqueueNDRangeKernel(queue, l->kernel, 3, l->offset[1] ? l->offset : NULL, global, local, n_wait,
                                  wait_list, event);
}

/* The set of slots that are given. */
static uint64_t given_slots(const clattn_buf *by_slot)
{
    uint64_t given = 0;
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        given |= by_slot[slot].mem || by_slot[slot].svm ? CT_ONE_SLOT(slot) : 0;
    }
    return given;
}

/* Whether anybody gets what it makes. */
static bool is_asked(const ct_launch *l, uint64_t given)
{
    return !l->serves || l->serves & given;
}

/* The events that a launch waits for, and those it leaves. In order: the queue itself keeps the sequence. Out of order:
 * each launch waits for the one before it. */
static clattn_status launch_all(clattn_plan *plan, cl_command_queue queue, bool in_order, const clattn_buf *by_slot,
                                clattn_buf workspace, cl_uint n_wait, const cl_event *wait_list, cl_event *event)
{
    clattn_status st = CLATTN_OK;
    cl_event before = NULL, after = NULL;
    const uint64_t given = given_slots(by_slot);
    int end = plan->n_launches;
    bool first = true;
    while (end > 0 && !is_asked(plan->launches[end - 1], given)) {
        end--;
    }
    if (!end) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: none of the plan's results is given");
    }
    for (int i = 0; i < end; i++) {
        ct_launch *l = plan->launches[i];
        const bool last = i == end - 1;
        const cl_uint n = first ? n_wait : before ? 1 : 0;
        const cl_event *list = first ? wait_list : &before;
        if (!is_asked(l, given)) {
            continue;
        }
        first = false;
        const bool wants = last ? event != NULL : !in_order;
        CT_TRY(ct_launch_set(plan, l, by_slot, workspace, NULL));
        const cl_int error = ct_launch_enqueue(l, queue, n, n ? list : NULL, wants ? &after : NULL);
        if (error != CL_SUCCESS) {
            CT_FAIL(error, "clEnqueueNDRangeKernel of %s returned %s", l->program->name, clattn_status_name(error));
        }
        if (before) {
            clReleaseEvent(before);
        }
        before = after;
        after = NULL;
    }
    if (event) {
        *event = before;
        before = NULL;
    }
out:
    if (before) {
        clReleaseEvent(before);
    }
    return st;
}

clattn_status clattn_enqueue(cl_command_queue queue, clattn_plan *plan, const clattn_arg *args, size_t n_args,
                             clattn_buf workspace, cl_uint n_wait, const cl_event *wait_list, cl_event *event)
{
    clattn_status st = CLATTN_OK;
    clattn_buf by_slot[CLATTN_SLOT_COUNT] = {{0}};
    bool in_order = true;
    if (!queue || !plan || (!args && n_args)) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: %s is NULL", !queue ? "queue" : !plan ? "plan" : "args");
    }
    if (!n_wait != !wait_list) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: n_wait is %u and wait_list is %s", n_wait,
                wait_list ? "given" : "NULL");
    }
    CT_TRY(check_queue(plan, queue, &in_order));
    CT_TRY(sort_args(plan, args, n_args, by_slot));
    if (plan->workspace) {
        if (!workspace.mem && !workspace.svm) {
            CT_FAIL(CLATTN_WORKSPACE_TOO_SMALL, "clattn_enqueue: no workspace, needed are %lld bytes",
                    (long long)plan->workspace);
        }
        if (workspace.mem && workspace.svm) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: the workspace has a cl_mem and a pointer");
        }
        if (workspace.offset % 256) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_enqueue: the workspace's offset %zu is no multiple of 256",
                    workspace.offset);
        }
        CT_TRY(check_room("workspace", &workspace, plan->workspace, CLATTN_WORKSPACE_TOO_SMALL));
    }
    pthread_mutex_lock(&plan->mutex);
    st = launch_all(plan, queue, in_order, by_slot, workspace, n_wait, wait_list, event);
    pthread_mutex_unlock(&plan->mutex);
out:
    return st;
}

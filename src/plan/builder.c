/* Launches, slots, zones and constants of a plan under construction. */
#include <stdio.h>
#include <string.h>

#include "plan/arguments.h"
#include "plan/plan_parts.h"
#include "plan/slots.h"

clattn_context *ct_builder_context(ct_builder *b)
{
    return b->plan->context;
}
const struct ct_tile *ct_builder_tile(ct_builder *b)
{
    return b->plan->tile;
}
const clattn_problem *ct_builder_problem(ct_builder *b)
{
    return &b->plan->problem;
}
const clattn_allocator *ct_builder_allocator(ct_builder *b)
{
    return &b->plan->allocator;
}

/* Bytes from the slot's offset to the end of the tensor. */
static int64_t slot_bytes(const clattn_problem *problem, clattn_slot slot, const ct_plan_slot *s)
{
    int64_t elements = 1;
    if (ct_slots[slot].strides) {
        const clattn_strides at = ct_slot_strides(problem, slot);
        elements = (s->dims[0] - 1) * at.batch + (s->dims[1] - 1) * at.head + (s->dims[2] - 1) * at.row + s->dims[3];
    } else {
        for (int i = 0; i < s->rank; i++) {
            elements *= s->dims[i];
        }
    }
    return elements * (int64_t)clattn_dtype_size(s->dtype);
}

ct_ref ct_builder_slot(ct_builder *b, clattn_slot slot, int want)
{
    const clattn_problem *problem = &b->plan->problem;
    ct_plan_slot *s = &b->plan->slots[slot];
    if (b->replaced & CT_ONE_SLOT(slot)) {
        return b->instead[slot];
    }
    s->want = want > s->want ? want : s->want;
    s->dtype = ct_slot_dtype(problem, slot);
    s->rank = ct_slot_shape(problem, b->plan->layout, slot, s->dims);
    s->bytes = slot_bytes(problem, slot, s);
    return (ct_ref){CT_SLOT, (int)slot, 0, (int)clattn_dtype_size(s->dtype), 0};
}

void ct_builder_replace(ct_builder *b, clattn_slot slot, ct_ref by)
{
    b->replaced |= CT_ONE_SLOT(slot);
    b->instead[slot] = by;
}

void ct_builder_give_back(ct_builder *b)
{
    b->replaced = 0;
}

ct_ref ct_builder_cuts(ct_builder *b, clattn_slot slot)
{
    const clattn_problem *p = &b->plan->problem;
    return ct_builder_slot(b, slot, slot == CLATTN_CU_SEQLENS || p->nk != p->nq ? 2 : 1);
}

void ct_builder_drop(ct_builder *b, clattn_slot slot)
{
    b->plan->slots[slot].want = 0;
}

ct_ref ct_builder_zone(ct_builder *b, const char *name, int64_t elements, int element)
{
    clattn_plan *plan = b->plan;
    if (plan->n_zones == CT_MAX_ZONES) {
        snprintf(b->declined, sizeof b->declined, "more than %d workspace zones", CT_MAX_ZONES);
        return ct_nothing();
    }
    ct_zone *zone = &plan->zones[plan->n_zones];
    *zone = (ct_zone){name, plan->workspace, elements * element, element};
    plan->workspace += ct_round_up(ct_max(zone->bytes, 1), 256);
    return (ct_ref){CT_ZONE, plan->n_zones++, 0, element, 0};
}

clattn_status ct_builder_constant(ct_builder *b, const char *name, const void *data, int64_t elements, int element,
                                  ct_ref *out)
{
    clattn_status st = CLATTN_OK;
    clattn_plan *plan = b->plan;
    cl_int error = CL_SUCCESS;
    const unsigned char nothing[16] = {0};
    const size_t bytes = (size_t)elements * (size_t)element;
    if (plan->n_constants == CT_MAX_CONSTANTS) {
        CT_FAIL(CLATTN_INTERNAL, "constant '%s': more than %d", name, CT_MAX_CONSTANTS);
    }
    /* COPY_HOST_PTR does not write through the pointer */
    cl_mem mem =
        clCreateBuffer(plan->context->env.cl, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, bytes ? bytes : sizeof nothing,
                       bytes ? (void *)(uintptr_t)data : (void *)(uintptr_t)nothing, &error);
    if (error != CL_SUCCESS) {
        CT_FAIL(error, "clCreateBuffer of the %zu bytes of '%s' returned %s", bytes, name, clattn_status_name(error));
    }
    plan->constants[plan->n_constants].name = name;
    plan->constants[plan->n_constants].mem = mem;
    plan->constants[plan->n_constants].element = element;
    *out = (ct_ref){CT_CONSTANT, plan->n_constants++, 0, element, 0};
out:
    return st;
}

ct_ref ct_ref_at(ct_ref ref, int64_t offset_elements)
{
    ref.offset += offset_elements;
    return ref;
}

/* Room for twice as many launches. */
static clattn_status grow(clattn_plan *plan)
{
    const int room = plan->room ? 2 * plan->room : 16;
    ct_launch **launches = ct_alloc_array(&plan->allocator, (size_t)room, sizeof(ct_launch *));
    if (!launches) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %d launches", room);
    }
    if (plan->n_launches) {
        memcpy(launches, plan->launches, (size_t)plan->n_launches * sizeof(ct_launch *));
    }
    ct_release(&plan->allocator, plan->launches);
    plan->launches = launches;
    plan->room = room;
    return CLATTN_OK;
}

clattn_status ct_builder_launch(ct_builder *b, const char *kernel, ct_launch **out)
{
    clattn_status st = CLATTN_OK;
    clattn_plan *plan = b->plan;
    if (plan->n_launches == plan->room) {
        CT_TRY(grow(plan));
    }
    ct_launch *launch = ct_alloc(&plan->allocator, sizeof *launch);
    if (!launch) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a launch (%zu bytes)", sizeof *launch);
    }
    launch->spec.kernel = kernel;
    launch->spec.backend = plan->backend;
    launch->spec.options = plan->options;
    launch->warm = -1;
    launch->items = 1;
    launch->serves = b->serves;
    plan->launches[plan->n_launches++] = launch;
    *out = launch;
out:
    return st;
}

ct_program_spec *ct_launch_spec(ct_launch *l)
{
    return &l->spec;
}
void ct_launch_define(ct_launch *l, const char *name, long value)
{
    ct_spec_define(&l->spec, name, value);
}

static ct_kernel_arg *next_arg(ct_launch *l)
{
    if (l->n_args == CT_MAX_ARGS) {
        l->overflow = true;
        return NULL;
    }
    return &l->args[l->n_args++];
}

void ct_launch_buffer(ct_launch *l, ct_ref ref)
{
    ct_kernel_arg *arg = next_arg(l);
    if (arg) {
        arg->buffer = true;
        arg->ref = ref;
    }
    arg = ref.behind ? next_arg(l) : NULL;
    if (arg) {
        arg->buffer = arg->alone = true;
        arg->ref =
            ref.behind > 0 ? (ct_ref){CT_SLOT, ref.behind - 1, 0, 1, 0} : (ct_ref){CT_ZONE, -1 - ref.behind, 0, 1, 0};
    }
}

void ct_launch_value(ct_launch *l, const void *value, size_t bytes)
{
    ct_kernel_arg *arg = bytes <= CT_VALUE_BYTES ? next_arg(l) : NULL;
    if (!arg) {
        l->overflow = true;
        return;
    }
    memcpy(arg->value, value, bytes);
    arg->bytes = bytes;
    l->n_values++;
}

void ct_launch_arguments(ct_launch *l, const ct_ref *buffers, size_t n, const void *record, size_t bytes)
{
    for (size_t i = 0; i < n; i++) {
        ct_launch_buffer(l, buffers[i]);
    }
    ct_launch_value(l, record, bytes);
    ct_launch_warm(l, l->n_values - 1);
}

void ct_launch_groups(ct_launch *l, int64_t x, int64_t y, int64_t z, int items)
{
    l->offset[1] = l->offset[2] = 0;
    /* their numbers are no part of the program: any batch has the same */
    if (y > CT_MOST_GROUPS || z > CT_MOST_GROUPS) {
        ct_launch_define(l, "FOLD", 1);
        l->offset[1] = (size_t)x;
        l->offset[2] = (size_t)y;
        x *= y * z;
        y = z = 1;
    }
    l->too_many = x > INT32_MAX;
    l->groups[0] = (size_t)x;
    l->groups[1] = (size_t)y;
    l->groups[2] = (size_t)z;
    l->items = (size_t)items;
}

void ct_launch_warm(ct_launch *l, int value_index)
{
    l->warm = value_index;
}
void ct_launch_main(ct_launch *l)
{
    l->main = true;
}

_Static_assert(CLATTN_SLOT_COUNT <= 64, "a set of slots has 64 bits");
void ct_builder_serves(ct_builder *b, uint64_t slots)
{
    b->serves = slots;
}

void ct_builder_align(ct_builder *b, int elements)
{
    b->plan->aligned = elements > b->plan->aligned ? elements : b->plan->aligned;
}

void ct_builder_again(ct_builder *b, bool again)
{
    b->again = again;
}

void ct_builder_work(ct_builder *b, ct_work work)
{
    if (b->again) {
        return;
    }
    b->plan->work.flop += work.flop;
    b->plan->work.bytes += work.bytes;
    b->plan->work.exps += work.exps;
    b->plan->work.pairs += work.pairs;
    b->plan->work.softmax |= work.softmax;
}

void ct_builder_note(ct_builder *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->plan->note, sizeof b->plan->note, format, arguments);
    va_end(arguments);
}

void ct_builder_any_order(ct_builder *b)
{
    b->plan->any_order = true;
}

clattn_status ct_builder_decline(ct_builder *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->declined, sizeof b->declined, format, arguments);
    va_end(arguments);
    return ct_fail(CLATTN_DEVICE_LACKS, "%s", b->declined);
}

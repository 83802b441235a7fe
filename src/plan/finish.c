/* The slow part of making a plan: programs, kernels and the first launch, so that enqueue never compiles. */
#include <stdio.h>
#include <string.h>

#include "plan/plan_parts.h"

static clattn_status set_arg(const ct_launch *l, cl_uint index, const void *value, size_t bytes)
{
    const cl_int error = clSetKernelArg(l->kernel, index, bytes, value);
    return error == CL_SUCCESS ? CLATTN_OK
                               : ct_fail(error, "clSetKernelArg(%s, %u, %zu bytes) returned %s", l->spec.kernel, index,
                                         bytes, clattn_status_name(error));
}

/* What a buffer argument names, and where it begins, in elements. */
static clattn_buf buffer_of(const clattn_plan *plan, const ct_ref *ref, const clattn_buf *args, clattn_buf workspace,
                            cl_mem scratch, cl_long *offset)
{
    clattn_buf buf = {0};
    *offset = ref->offset;
    if (ref->where == CT_CONSTANT) {
        buf.mem = plan->constants[ref->index].mem;
    } else if (ref->where == CT_ZONE && args) {
        buf = workspace;
        *offset += ((int64_t)buf.offset + plan->zones[ref->index].offset) / ref->element;
    } else if (ref->where == CT_SLOT && args) {
        buf = args[ref->index];
        *offset += (int64_t)buf.offset / ref->element;
    } else if (!args) {
        buf.mem = scratch;
        *offset = 0;
    }
    return buf;
}

static clattn_status set_pointer(const ct_launch *l, cl_uint index, const void *pointer)
{
    const cl_int error = clSetKernelArgSVMPointer(l->kernel, index, pointer);
    return error == CL_SUCCESS ? CLATTN_OK
                               : ct_fail(error, "clSetKernelArgSVMPointer(%s, %u) returned %s", l->spec.kernel, index,
                                         clattn_status_name(error));
}

static clattn_status set_base(const ct_launch *l, cl_uint index, ct_kernel_arg *arg, const clattn_buf *buf)
{
    const bool none = !buf->svm && !buf->mem;
    const ct_holds wanted = none                            ? CT_HOLDS_NOTHING
                            : arg->ref.where == CT_CONSTANT ? CT_HOLDS_CONSTANT
                                                            : CT_HOLDS_UNKNOWN;
    if (wanted != CT_HOLDS_UNKNOWN && arg->holds == wanted) {
        return CLATTN_OK;
    }
    arg->holds = CT_HOLDS_UNKNOWN;
    const clattn_status st =
        buf->svm ? set_pointer(l, index, buf->svm) : set_arg(l, index, none ? NULL : &buf->mem, sizeof buf->mem);
    if (st == CLATTN_OK) {
        arg->pointer = buf->svm != NULL;
        arg->holds = wanted;
    }
    return st;
}

static clattn_status set_offset(const ct_launch *l, cl_uint index, ct_kernel_arg *arg, cl_long offset)
{
    if (arg->holds_offset && arg->offset == offset) {
        return CLATTN_OK;
    }
    const clattn_status st = set_arg(l, index, &offset, sizeof offset);
    arg->holds_offset = st == CLATTN_OK;
    arg->offset = offset;
    return st;
}

/* `zero`: zeros in its place, for the warm-up. */
static clattn_status set_value(const ct_launch *l, cl_uint index, ct_kernel_arg *arg, bool zero)
{
    static const unsigned char zeros[CT_VALUE_BYTES];
    if (!zero && arg->holds == CT_HOLDS_VALUE) {
        return CLATTN_OK;
    }
    const clattn_status st = set_arg(l, index, zero ? zeros : arg->value, arg->bytes);
    arg->holds = st == CLATTN_OK && !zero ? CT_HOLDS_VALUE : CT_HOLDS_UNKNOWN;
    return st;
}

static clattn_status create_kernel(ct_launch *l, cl_kernel *out)
{
    cl_int error = CL_SUCCESS;
    *out = clCreateKernel(l->program->program, l->spec.kernel, &error);
    return error == CL_SUCCESS ? CLATTN_OK
                               : ct_fail(error, "kernel %s: clCreateKernel returned %s (%d)", l->program->name,
                                         clattn_status_name(error), (int)error);
}

/* A buffer in the place of a shared pointer: NVIDIA's driver goes on looking for the pointer, and refuses the launch
 * once that is freed. */
static clattn_status renew_kernel(ct_launch *l)
{
    cl_kernel fresh = NULL;
    const clattn_status st = create_kernel(l, &fresh);
    if (st == CLATTN_OK) {
        clReleaseKernel(l->kernel);
        l->kernel = fresh;
        for (int i = 0; i < l->n_args; i++) {
            l->args[i].holds = CT_HOLDS_UNKNOWN;
            l->args[i].pointer = l->args[i].holds_offset = false;
        }
    }
    return st;
}

/* In a kernel's list a buffer is a base pointer and, unless it stands alone, a long behind it: the offset in elements.
 */
clattn_status ct_launch_set(clattn_plan *plan, ct_launch *l, const clattn_buf *args, clattn_buf workspace,
                            cl_mem scratch)
{
    clattn_status st = CLATTN_OK;
    clattn_buf bufs[CT_MAX_ARGS];
    cl_long offsets[CT_MAX_ARGS];
    cl_uint index = 0;
    int values = 0;
    bool stale = false;
    for (int i = 0; i < l->n_args; i++) {
        if (l->args[i].buffer) {
            bufs[i] = buffer_of(plan, &l->args[i].ref, args, workspace, scratch, &offsets[i]);
            stale |= l->args[i].pointer && !bufs[i].svm;
        }
    }
    if (stale) {
        CT_TRY(renew_kernel(l));
    }
    for (int i = 0; i < l->n_args; i++) {
        ct_kernel_arg *arg = &l->args[i];
        if (!arg->buffer) {
            CT_TRY(set_value(l, index++, arg, !args && values++ == l->warm));
            continue;
        }
        CT_TRY(set_base(l, index++, arg, &bufs[i]));
        if (!arg->alone) {
            CT_TRY(set_offset(l, index++, arg, offsets[i]));
        }
    }
out:
    return st;
}

/* What the stage marked, all of a tile that nobody has run, and the caller's texts where they become machine code of
 * ours or where a compiler has died of one. */
static bool untried(const clattn_plan *plan, const ct_program_spec *spec)
{
    const bool text = ct_has_texts(spec->texts);
    return spec->untried || plan->untried || (text && (spec->ptx_target || plan->died));
}

static clattn_status make_kernel(clattn_plan *plan, ct_launch *l)
{
    clattn_status st = CLATTN_OK;
    ct_origin origin = CT_FROM_MEMORY;
    if (l->overflow) {
        CT_FAIL(CLATTN_INTERNAL, "kernel '%s': too many arguments, or a value over %d bytes", l->spec.kernel,
                CT_VALUE_BYTES);
    }
    if (l->too_many) {
        CT_FAIL(CLATTN_UNSUPPORTED, "kernel '%s': %zu groups; at most %d", l->spec.kernel, l->groups[0], INT32_MAX);
    }
    l->spec.untried = untried(plan, &l->spec);
    st = ct_program_get(&plan->context->env, &l->spec, &l->program, &origin);
    plan->died |= origin == CT_DIED;
    plan->blames_text |= st == CLATTN_BUILD_FAILED && ct_places_blame_text(&l->spec, clattn_error_detail());
    CT_TRY(st);
    plan->origins[origin]++;
    if (origin == CT_BUILT) {
        plan->compile_ms += l->program->compile_ms;
    }
    CT_TRY(create_kernel(l, &l->kernel));
out:
    return st;
}

/* Why a launch may have been refused: registers and local memory bound a kernel's groups, whatever the device allows
 * others. Asked only then: drivers answer too little of kernels that require larger groups and run in them (NVIDIA: 256
 * of 512; Mesa's llvmpipe: 32 of 64). */
static void name_bound(const clattn_plan *plan, const ct_launch *l, char *text, size_t bytes)
{
    size_t most = 0;
    const cl_int error = clGetKernelWorkGroupInfo(l->kernel, plan->context->env.device, CL_KERNEL_WORK_GROUP_SIZE,
                                                  sizeof most, &most, NULL);
    text[0] = '\0';
    if (error == CL_SUCCESS && l->items > most) {
        snprintf(text, bytes, "; the driver says that it runs this kernel in groups of at most %zu", most);
    }
}

/* Some drivers finish compiling at the first launch: it is made here, with an argument that lets every group return at
 * once. */
static clattn_status warm_up(clattn_plan *plan, ct_launch *l, cl_command_queue queue, cl_mem scratch)
{
    clattn_status st = CLATTN_OK;
    CT_TRY(ct_launch_set(plan, l, NULL, clattn_buf_none(), scratch));
    const char *call = "clEnqueueNDRangeKernel";
    cl_int error = ct_launch_enqueue(l, queue, 0, NULL, NULL);
    if (error == CL_SUCCESS) {
        call = "clFinish";
        error = clFinish(queue);
    }
    if (error != CL_SUCCESS) {
        char bound[96];
        name_bound(plan, l, bound, sizeof bound);
        CT_FAIL(error, "kernel %s: its first launch, %zux%zux%zu groups of %zu work-items: %s returned %s (%d)%s",
                l->program->name, l->groups[0], l->groups[1], l->groups[2], l->items, call, clattn_status_name(error),
                (int)error, bound);
    }
    ct_program_keep(&plan->context->env, l->program);
out:
    return st;
}

clattn_status ct_plan_finish(clattn_plan *plan)
{
    clattn_status st = CLATTN_OK;
    cl_command_queue queue = NULL;
    cl_mem scratch = NULL;
    cl_int error = CL_SUCCESS;
    for (int i = 0; i < plan->n_launches; i++) {
        CT_TRY(make_kernel(plan, plan->launches[i]));
    }
    CT_TRY(ct_queue_create(&plan->context->env, &queue));
    scratch = clCreateBuffer(plan->context->env.cl, CL_MEM_READ_WRITE, 4096, NULL, &error);
    CT_TRY(ct_check_cl(error, "clCreateBuffer"));
    for (int i = 0; i < plan->n_launches; i++) {
        if (plan->launches[i]->warm >= 0) {
            CT_TRY(warm_up(plan, plan->launches[i], queue, scratch));
        }
    }
out:
    if (scratch) {
        clReleaseMemObject(scratch);
    }
    if (queue) {
        clReleaseCommandQueue(queue);
    }
    return st;
}

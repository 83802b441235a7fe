/* The life of a plan, and the questions asked of it. Made in api/plan.c. */
#include "plan/plan_parts.h"

#include <string.h>

void ct_plan_clear(clattn_plan *plan)
{
    for (int i = 0; i < plan->n_launches; i++) {
        if (plan->launches[i]->kernel) {
            clReleaseKernel(plan->launches[i]->kernel);
        }
        ct_release(&plan->allocator, plan->launches[i]);
    }
    ct_release(&plan->allocator, plan->launches);
    plan->launches = NULL;
    for (int i = 0; i < plan->n_constants; i++) {
        clReleaseMemObject(plan->constants[i].mem);
    }
    memset(plan->slots, 0, sizeof plan->slots);
    memset(plan->origins, 0, sizeof plan->origins);
    plan->n_launches = plan->room = plan->n_constants = plan->n_zones = 0;
    plan->workspace = 0;
    plan->aligned = 0;
    plan->work = (ct_work){0};
    plan->density = 1;
    plan->compile_ms = 0;
    plan->note[0] = '\0';
    plan->any_order = false;
}

void clattn_plan_retain(clattn_plan *plan)
{
    if (plan) {
        atomic_fetch_add(&plan->references, 1);
    }
}

void clattn_plan_release(clattn_plan *plan)
{
    if (!plan || atomic_fetch_sub(&plan->references, 1) != 1) {
        return;
    }
    ct_plan_clear(plan);
    clattn_layout_release(plan->layout);
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        ct_release(&plan->allocator, plan->texts[role]);
    }
    ct_text_release(&plan->describe);
    ct_text_release(&plan->explain);
    pthread_mutex_destroy(&plan->mutex);
    clattn_context *context = plan->context;
    const clattn_allocator allocator = plan->allocator;
    ct_release(&allocator, plan);
    clattn_context_release(context);
}

clattn_status clattn_plan_workspace(const clattn_plan *plan, size_t *bytes)
{
    if (!plan || !bytes) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_plan_workspace: %s is NULL", plan ? "bytes" : "plan");
    }
    *bytes = (size_t)plan->workspace;
    return CLATTN_OK;
}

const char *clattn_plan_describe(const clattn_plan *plan)
{
    return plan && plan->describe.data ? plan->describe.data : "";
}
const char *clattn_plan_explain(const clattn_plan *plan)
{
    return plan && plan->explain.data ? plan->explain.data : "";
}

clattn_status clattn_plan_get_info(const clattn_plan *plan, clattn_plan_info *info)
{
    if (!plan || !info) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_plan_get_info: %s is NULL", plan ? "info" : "plan");
    }
    if (info->struct_size != sizeof *info) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "info.struct_size is %zu, this library's is %zu", info->struct_size,
                       sizeof *info);
    }
    const char *kernel = plan->n_launches ? plan->launches[plan->n_launches - 1]->program->name : "none";
    for (int i = 0; i < plan->n_launches; i++) {
        kernel = plan->launches[i]->main ? plan->launches[i]->program->name : kernel;
    }
    *info = (clattn_plan_info){.struct_size = sizeof *info,
                               .backend = plan->backend,
                               .kernel = kernel,
                               .launches = plan->n_launches,
                               .workspace = (size_t)plan->workspace,
                               .flop = plan->work.flop,
                               .bytes = plan->work.bytes,
                               .exps = plan->work.exps,
                               .density = plan->density,
                               .compile_ms = plan->compile_ms,
                               .cache_memory = plan->origins[CT_FROM_MEMORY],
                               .cache_disk = plan->origins[CT_FROM_DISK],
                               .cache_built = plan->origins[CT_BUILT],
                               .instead_of = plan->instead_of};
    return CLATTN_OK;
}

clattn_status clattn_plan_slot(const clattn_plan *plan, clattn_slot slot, int *want, clattn_dtype *dtype, int *rank,
                               int64_t dims[5])
{
    if (!plan || slot < 0 || slot >= CLATTN_SLOT_COUNT) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_plan_slot: %sslot is %d, must be 0 to %d",
                       plan ? "" : "plan is NULL; ", (int)slot, CLATTN_SLOT_COUNT - 1);
    }
    const ct_plan_slot *s = &plan->slots[slot];
    if (want) {
        *want = s->want;
    }
    if (dtype) {
        *dtype = s->dtype;
    }
    if (rank) {
        *rank = s->rank;
    }
    if (dims) {
        memcpy(dims, s->dims, sizeof s->dims);
    }
    return CLATTN_OK;
}

/* The public view of the program cache. */
#include "context/context.h"
#include "program/memory.h"

const char *clattn_cache_dir(clattn_context *context)
{
    return context && context->env.cache && context->env.cache->disk ? ct_disk_dir(context->env.cache->disk) : "";
}

clattn_status clattn_cache_get_stats(clattn_context *context, clattn_cache_stats *stats)
{
    if (!context) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "context is NULL");
    }
    if (!stats) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "stats is NULL");
    }
    if (stats->struct_size != sizeof *stats) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "stats->struct_size is %zu, must be %zu", stats->struct_size,
                       sizeof *stats);
    }
    ct_cache *cache = context->env.cache;
    clattn_cache_stats found = {.struct_size = sizeof found};
    if (cache->disk) {
        ct_disk_stats(cache->disk, &found.files, &found.bytes, &found.max_bytes, &found.rejected);
    }
    pthread_mutex_lock(&cache->mutex);
    found.memory_hits = cache->memory_hits;
    found.disk_hits = cache->disk_hits;
    found.builds = cache->builds;
    found.rejected += cache->refused;
    pthread_mutex_unlock(&cache->mutex);
    *stats = found;
    return CLATTN_OK;
}

clattn_status clattn_cache_clear(clattn_context *context)
{
    if (!context) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "context is NULL");
    }
    ct_memory_forget(context->env.cache);
    return context->env.cache->disk ? ct_disk_clear(context->env.cache->disk) : CLATTN_OK;
}

/* Programs in memory, by key. */
#include "program/memory.h"

#include <string.h>

#include "device/environment.h"

static ct_entry **bucket_of(ct_cache *cache, const char *key)
{
    unsigned sum = 0;
    for (const char *at = key; *at; at++) {
        sum = sum * 31u + (unsigned char)*at;
    }
    return &cache->buckets[sum % CT_BUCKETS];
}

static ct_entry *find(ct_cache *cache, const char *key)
{
    ct_entry *entry = *bucket_of(cache, key);
    while (entry && strcmp(entry->program.key, key) != 0) {
        entry = entry->next;
    }
    return entry;
}

static void entry_release(ct_cache *cache, ct_entry *entry)
{
    if (entry->program.program) {
        clReleaseProgram(entry->program.program);
    }
    ct_release(&cache->env->allocator, entry->binary);
    ct_release(&cache->env->allocator, entry->detail);
    ct_release(&cache->env->allocator, entry);
}

static void list_release(ct_cache *cache, ct_entry *entry)
{
    while (entry) {
        ct_entry *next = entry->next;
        entry_release(cache, entry);
        entry = next;
    }
}

static ct_entry *add(ct_cache *cache, const char *key)
{
    ct_entry *entry = ct_alloc(&cache->env->allocator, sizeof *entry);
    if (entry) {
        ct_entry **bucket = bucket_of(cache, key);
        memcpy(entry->program.key, key, strlen(key) + 1);
        entry->state = CT_ENTRY_MAKING;
        entry->next = *bucket;
        *bucket = entry;
    }
    return entry;
}

/* Waits for another thread's build. *again: it failed in a way that may not repeat, so the caller tries itself. */
static clattn_status await(ct_cache *cache, ct_entry *entry, bool *again)
{
    clattn_status st = CLATTN_OK;
    *again = false;
    entry->waiters++;
    while (entry->state == CT_ENTRY_MAKING) {
        pthread_cond_wait(&cache->changed, &cache->mutex);
    }
    entry->waiters--;
    if (entry->state == CT_ENTRY_FAILED) {
        *again = !entry->detail;
        if (!*again) {
            st = ct_fail(entry->status, "%s", entry->detail);
        }
        if (entry->waiters == 0 && !entry->died) {
            entry_release(cache, entry);
        }
    }
    return st;
}

clattn_status ct_memory_claim(ct_cache *cache, const char *key, ct_entry **entry, bool *mine)
{
    clattn_status st = CLATTN_OK;
    bool again = true;
    pthread_mutex_lock(&cache->mutex);
    while (again) {
        ct_entry *known = find(cache, key);
        again = false;
        *mine = !known;
        if (!known) {
            known = add(cache, key);
            if (!known) {
                st = ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a program cache entry of %zu bytes",
                             sizeof *known);
            }
        } else {
            st = await(cache, known, &again);
            cache->memory_hits += st == CLATTN_OK && !again;
        }
        *entry = known;
    }
    pthread_mutex_unlock(&cache->mutex);
    return st;
}

static void detach(ct_cache *cache, const ct_entry *entry)
{
    ct_entry **link = bucket_of(cache, entry->program.key);
    while (*link && *link != entry) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = entry->next;
    }
}

/* A failed entry leaves the table, so that the next call tries again, unless its compiler died. */
static void fail(ct_cache *cache, ct_entry *entry, clattn_status status)
{
    entry->state = CT_ENTRY_FAILED;
    entry->status = status;
    if (entry->died || (entry->waiters && status == CLATTN_BUILD_FAILED)) {
        entry->detail = ct_strdup(&cache->env->allocator, clattn_error_detail());
    }
    entry->died = entry->died && entry->detail;
    if (!entry->died) {
        detach(cache, entry);
        if (entry->waiters == 0) {
            entry_release(cache, entry);
        }
    }
}

void ct_memory_publish(ct_cache *cache, ct_entry *entry, clattn_status status)
{
    pthread_mutex_lock(&cache->mutex);
    if (status == CLATTN_OK) {
        entry->state = CT_ENTRY_READY;
    } else {
        fail(cache, entry, status);
    }
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->mutex);
}

void ct_memory_forget(ct_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    for (int i = 0; i < CT_BUCKETS; i++) {
        ct_entry **link = &cache->buckets[i];
        while (*link) {
            ct_entry *entry = *link;
            if (entry->state == CT_ENTRY_MAKING) {
                link = &entry->next;
                continue;
            }
            *link = entry->next;
            entry->next = cache->retired;
            cache->retired = entry;
        }
    }
    pthread_mutex_unlock(&cache->mutex);
}

static void log_line(void *user, const char *line)
{
    ct_log(user, CLATTN_LOG_WARN, "%s", line);
}

clattn_status ct_cache_create(ct_environment *env, const clattn_context_options *options, ct_cache **out)
{
    clattn_status st = CLATTN_OK;
    const ct_disk_options disk_options = {
        .dir = options ? options->cache_dir : NULL,
        .mode = options ? options->cache_mode : CLATTN_CACHE_DEFAULT,
        .max_bytes = options ? options->cache_max_bytes : 0,
        .log = log_line,
        .log_user = env,
    };
    ct_cache *cache = ct_alloc(&env->allocator, sizeof *cache);
    if (!cache) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the program cache (%zu bytes)", sizeof *cache);
    }
    cache->env = env;
    CT_TRY(ct_disk_open(&env->allocator, &disk_options, &cache->disk));
    pthread_mutex_init(&cache->mutex, NULL);
    pthread_cond_init(&cache->changed, NULL);
    *out = cache;
    cache = NULL;
out:
    if (cache) {
        ct_release(&env->allocator, cache);
    }
    return st;
}

void ct_cache_release(ct_cache *cache)
{
    if (!cache) {
        return;
    }
    for (int i = 0; i < CT_BUCKETS; i++) {
        list_release(cache, cache->buckets[i]);
    }
    list_release(cache, cache->retired);
    ct_disk_close(cache->disk);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->mutex);
    ct_release(&cache->env->allocator, cache->fingerprint);
    ct_release(&cache->env->allocator, cache);
}

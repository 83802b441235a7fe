/* Finds a program in memory, on disk, or has the driver build it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "device/environment.h"
#include "program/memory.h"
#include "program/nv_ptx.h"
#include "program/trial.h"

/* What a binary on disk means; a new number leaves the old entries alone. */
#define KEY_FORMAT "1"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void add_hash(ct_text *text, const void *data, size_t bytes)
{
    const XXH128_hash_t hash = XXH3_128bits(data, bytes);
    ct_text_add(text, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

static clattn_status add_extensions(ct_text *text, cl_device_id device)
{
    clattn_status st = CLATTN_OK;
    size_t bytes = 0;
    char *names = NULL;
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes));
    names = ct_alloc(text->allocator, bytes + 1);
    if (!names) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the device's extension names (%zu bytes)", bytes);
    }
    CT_TRYCL(clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, bytes, names, NULL));
    add_hash(text, names, strlen(names));
out:
    ct_release(text->allocator, names);
    return st;
}

/* A CPU's name does not say which instructions a virtual machine lets through: two hosts with one home directory must
 * not exchange programs that the other cannot run. The first flags line is enough. */
static void add_cpu_flags(ct_text *text)
{
    char head[16384];
    FILE *file = fopen("/proc/cpuinfo", "rb");
    if (!file) {
        return;
    }
    head[fread(head, 1, sizeof head - 1, file)] = '\0';
    fclose(file);
    const char *flags = strstr(head, "\nflags");
    if (!flags) {
        flags = strstr(head, "\nFeatures");
    }
    if (flags) {
        add_hash(text, flags, 1 + strcspn(flags + 1, "\n"));
    }
}

clattn_status ct_program_fingerprint(ct_environment *env, const char **out)
{
    clattn_status st = CLATTN_OK;
    ct_cache *cache = env->cache;
    const ct_device_facts *facts = &env->facts;
    ct_text text = {.allocator = &env->allocator};
    pthread_mutex_lock(&cache->mutex);
    if (!cache->fingerprint) {
        const char *const fields[] = {KEY_FORMAT,      clattn_version_string(), facts->name,
                                      facts->vendor,   facts->version,          facts->driver,
                                      facts->platform, facts->platform_version};
        for (size_t i = 0; i < CT_COUNT(fields); i++) {
            ct_text_field(&text, fields[i], strlen(fields[i]));
        }
        CT_TRY(add_extensions(&text, env->device));
        if (facts->cpu) {
            add_cpu_flags(&text);
        }
        if (text.failed) {
            CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the device's fingerprint");
        }
        cache->fingerprint = text.data;
        text.data = NULL;
    }
    *out = cache->fingerprint;
out:
    pthread_mutex_unlock(&cache->mutex);
    ct_text_release(&text);
    return st;
}

static clattn_status make_key(ct_environment *env, const ct_program_spec *spec, const char *source, const char *options,
                              char key[33])
{
    clattn_status st = CLATTN_OK;
    const char *device = NULL;
    ct_text text = {.allocator = &env->allocator}, hash = {.allocator = &env->allocator};
    CT_TRY(ct_program_fingerprint(env, &device));
    const char *const fields[] = {device, spec->kernel, spec->backend, options, source};
    for (size_t i = 0; i < CT_COUNT(fields); i++) {
        ct_text_field(&text, fields[i], strlen(fields[i]));
    }
    if (spec->ptx_target) {
        ct_text_field(&text, spec->ptx_target, strlen(spec->ptx_target));
        ct_text_add(&text, "%d", spec->ptx_groups);
    }
    if (!text.failed) {
        add_hash(&hash, text.data, text.length);
    }
    if (text.failed || hash.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the cache key of kernel '%s'", spec->kernel);
    }
    memcpy(key, hash.data, 33);
out:
    ct_text_release(&text);
    ct_text_release(&hash);
    return st;
}

/* "attend_forward.cpu.BM64.BN64", cut where it does not fit. */
static void write_names(ct_program *program, const ct_program_spec *spec)
{
    snprintf(program->kernel, sizeof program->kernel, "%s", spec->kernel);
    snprintf(program->name, sizeof program->name, "%s.%s", spec->kernel, spec->backend);
    for (int i = 0; i < spec->n_defines; i++) {
        const size_t length = strlen(program->name);
        snprintf(program->name + length, sizeof program->name - length, ".%s%ld", spec->defines[i].name,
                 spec->defines[i].value);
    }
}

cl_int ct_program_check(cl_program program, const char *name)
{
    cl_int code;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    if (kernel) {
        clReleaseKernel(kernel);
    }
    return code;
}

/* A driver's own cache of machine code has the options in its key: a text that is loaded for another target says
 * "verbose" each time. */
cl_int ct_program_load(ct_environment *env, const ct_program_spec *spec, const unsigned char *data, size_t bytes,
                       const char *options, cl_program *made)
{
    cl_int code = CL_SUCCESS, status = CL_SUCCESS;
    ct_text all = {.allocator = &env->allocator};
    *made = NULL;
    ct_text_add(&all, "%s%s", options, spec->ptx_target ? " -cl-nv-verbose" : "");
    if (all.failed) {
        return CL_OUT_OF_HOST_MEMORY;
    }
    *made = clCreateProgramWithBinary(env->cl, 1, &env->device, &bytes, &data, &status, &code);
    code = code != CL_SUCCESS ? code : status;
    code = code == CL_SUCCESS ? clBuildProgram(*made, 1, &env->device, all.data, NULL, NULL) : code;
    ct_text_release(&all);
    return code;
}

/* false: not on disk, or the driver refuses it (then the entry goes, and the source is built). */
static bool load_binary(ct_environment *env, const ct_program_spec *spec, ct_program *program, const char *options)
{
    ct_cache *cache = env->cache;
    unsigned char *data = NULL;
    size_t bytes = 0;
    cl_program made = NULL;
    if (!cache->disk || !ct_disk_get(cache->disk, program->key, &data, &bytes)) {
        return false;
    }
    cl_int code = ct_program_load(env, spec, data, bytes, options, &made);
    if (code == CL_SUCCESS) {
        code = ct_program_check(made, program->kernel);
    }
    ct_release(&env->allocator, data);
    if (code == CL_SUCCESS) {
        program->program = made;
        return true;
    }
    if (made) {
        clReleaseProgram(made);
    }
    ct_disk_remove(cache->disk, program->key);
    pthread_mutex_lock(&cache->mutex);
    cache->refused++;
    pthread_mutex_unlock(&cache->mutex);
    ct_log(env, CLATTN_LOG_WARN, "cache: the driver refused the binary of %s (%s); building from source", program->name,
           clattn_status_name(code));
    return false;
}

static clattn_status fail_build(ct_environment *env, const ct_program *program, cl_program made, const char *source,
                                const char *options, const char *why)
{
    size_t bytes = 0;
    char *log = NULL, *placed = NULL, none[96] = "(none)";
    cl_int code = clGetProgramBuildInfo(made, env->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    if (code == CL_SUCCESS) {
        log = ct_alloc(&env->allocator, bytes + 1);
    }
    if (log) {
        code = clGetProgramBuildInfo(made, env->device, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
    }
    if (code != CL_SUCCESS) {
        snprintf(none, sizeof none, "(none: clGetProgramBuildInfo returned %s (%d))", clattn_status_name(code),
                 (int)code);
    }
    placed = log && code == CL_SUCCESS ? ct_program_places(&env->allocator, source, log) : NULL;
    const clattn_status st = ct_fail(CLATTN_BUILD_FAILED, "kernel %s: %s with options '%s'; the compiler's log:\n%s",
                                     program->name, why, options, placed && *placed ? placed : none);
    ct_release(&env->allocator, placed);
    ct_release(&env->allocator, log);
    return st;
}

static bool refused_by_compiler(cl_int code)
{
    return code == CL_BUILD_PROGRAM_FAILURE || code == CL_INVALID_BUILD_OPTIONS;
}

/* What the compiler said, with `behind` it; nothing if it was content. */
static void say_refusal(char *text, size_t bytes, cl_int code, const char *behind)
{
    text[0] = '\0';
    if (code != CL_SUCCESS) {
        snprintf(text, bytes, "clBuildProgram returned %s (%d)%s", clattn_status_name(code), (int)code, behind);
    }
}

static clattn_status fail_compile(ct_environment *env, const ct_program *program, cl_program made, const char *source,
                                  const char *options, cl_int code)
{
    char why[96];
    say_refusal(why, sizeof why, code, "");
    return fail_build(env, program, made, source, options, why);
}

/* The program for another target, in place of `made`, of which the compiler said `code`. */
static clattn_status retarget(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, cl_program *made,
                              const char *source, const char *options, cl_int code)
{
    cl_program loaded = NULL;
    clattn_status st = ct_nv_retarget(env, spec, *made, options, &loaded, &entry->binary, &entry->binary_bytes);
    if (st == CLATTN_BUILD_FAILED) {
        char first[96], why[sizeof first + 256];
        say_refusal(first, sizeof first, code, "; ");
        snprintf(why, sizeof why, "%s%s", first, clattn_error_detail());
        st = fail_build(env, &entry->program, loaded ? loaded : *made, source, options, why);
    }
    if (loaded) {
        clReleaseProgram(*made);
        *made = loaded;
    }
    return st;
}

clattn_status ct_program_build(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const char *source,
                               const char *options)
{
    clattn_status st = CLATTN_OK;
    ct_program *program = &entry->program;
    cl_int code;
    cl_program made = clCreateProgramWithSource(env->cl, 1, &source, NULL, &code);
    if (code != CL_SUCCESS) {
        st = ct_fail_cl(code, "clCreateProgramWithSource");
        goto out;
    }
    code = clBuildProgram(made, 1, &env->device, options, NULL, NULL);
    if (spec->ptx_target && (code == CL_SUCCESS || refused_by_compiler(code))) {
        CT_TRY(retarget(env, entry, spec, &made, source, options, code));
        code = CL_SUCCESS;
    }
    if (refused_by_compiler(code)) {
        st = fail_compile(env, program, made, source, options, code);
        goto out;
    }
    if (code != CL_SUCCESS) {
        st = ct_fail_cl(code, "clBuildProgram");
        goto out;
    }
    code = ct_program_check(made, program->kernel);
    if (code != CL_SUCCESS) {
        CT_FAIL(code, "kernel %s: clCreateKernel(\"%s\") returned %s (%d)", program->name, program->kernel,
                clattn_status_name(code), (int)code);
    }
    program->program = made;
    made = NULL;
out:
    if (made) {
        clReleaseProgram(made);
    }
    return st;
}

/* In a process of its own first, where the policy wants that: what comes back from there is loaded, not compiled again.
 */
static clattn_status compile(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const char *source,
                             const char *options)
{
    clattn_status st = CLATTN_OK;
    if (ct_trial_wanted(env, spec)) {
        CT_TRY(ct_trial_build(env, entry, spec, source, options));
    }
    if (!entry->program.program) {
        CT_TRY(ct_program_build(env, entry, spec, source, options));
    }
out:
    return st;
}

static clattn_status make_program(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const char *source,
                                  const char *options, ct_origin *origin)
{
    ct_cache *cache = env->cache;
    const double start = now_ms();
    write_names(&entry->program, spec);
    *origin = CT_FROM_DISK;
    if (!load_binary(env, spec, &entry->program, options)) {
        const clattn_status st = compile(env, entry, spec, source, options);
        if (st != CLATTN_OK) {
            return st;
        }
        *origin = CT_BUILT;
        entry->built = true;
    }
    entry->program.compile_ms = now_ms() - start;
    pthread_mutex_lock(&cache->mutex);
    cache->disk_hits += *origin == CT_FROM_DISK;
    cache->builds += *origin == CT_BUILT;
    pthread_mutex_unlock(&cache->mutex);
    ct_log(env, CLATTN_LOG_INFO, "%s: %s in %.1f ms", entry->program.name, *origin == CT_BUILT ? "built" : "from disk",
           entry->program.compile_ms);
    return CLATTN_OK;
}

clattn_status ct_program_get(ct_environment *env, const ct_program_spec *spec, const ct_program **out,
                             ct_origin *origin)
{
    clattn_status st = CLATTN_OK;
    char *source = NULL, *options = NULL;
    char key[33];
    ct_entry *entry = NULL;
    bool mine = false;
    ct_origin from = CT_FROM_MEMORY;
    CT_TRY(ct_program_source(&env->allocator, spec, &source, &options));
    CT_TRY(make_key(env, spec, source, options, key));
    st = ct_memory_claim(env->cache, key, &entry, &mine);
    if (st != CLATTN_OK) {
        from = st == CLATTN_DEVICE_LACKS ? CT_DIED : from;
        goto out;
    }
    if (mine) {
        ct_program_dump(env, spec->kernel, key, source, options);
        st = make_program(env, entry, spec, source, options, &from);
        from = entry->died ? CT_DIED : from;
        ct_memory_publish(env->cache, entry, st);
        if (st != CLATTN_OK) {
            goto out;
        }
    }
    *out = &entry->program;
out:
    if (origin) {
        *origin = from;
    }
    ct_release(&env->allocator, source);
    ct_release(&env->allocator, options);
    return st;
}

#include "program/trial.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/environment.h"
#include "program/child.h"

#define DEFAULT_SECONDS 60
#define PROGRAM         "clattn-try"
#define VERDICT_KEY     "verdict:" /* and the program's key: no binary is ever found under it */

/* ---- settings -------------------------------------------------------------------------------------------------- */

static clattn_trial_mode mode_of(ct_environment *env, const clattn_context_options *options)
{
    static const struct {
        const char *text;
        clattn_trial_mode mode;
    } modes[] = {{"auto", CLATTN_TRIAL_AUTO}, {"off", CLATTN_TRIAL_OFF}, {"always", CLATTN_TRIAL_ALWAYS}};
    const char *value = secure_getenv("CLATTN_TRIAL");
    if (options->trial != CLATTN_TRIAL_DEFAULT) {
        return options->trial;
    }
    for (size_t i = 0; value && *value && i < CT_COUNT(modes); i++) {
        if (strcmp(modes[i].text, value) == 0) {
            return modes[i].mode;
        }
    }
    if (value && *value) {
        ct_log(env, CLATTN_LOG_WARN, "CLATTN_TRIAL is '%s', must be auto, off or always; using auto", value);
    }
    return CLATTN_TRIAL_AUTO;
}

static int seconds_of(ct_environment *env, const clattn_context_options *options)
{
    const char *value = secure_getenv("CLATTN_TRIAL_SECONDS");
    int64_t seconds = DEFAULT_SECONDS;
    if (options->trial_seconds) {
        return options->trial_seconds;
    }
    if (value && *value && (!ct_parse_int(value, &seconds) || seconds < 1 || seconds > CT_TRIAL_MOST_SECONDS)) {
        ct_log(env, CLATTN_LOG_WARN, "CLATTN_TRIAL_SECONDS is '%s', must be 1 to %d; using %d", value,
               CT_TRIAL_MOST_SECONDS, DEFAULT_SECONDS);
        seconds = DEFAULT_SECONDS;
    }
    return (int)seconds;
}

clattn_status ct_trial_settings(ct_environment *env, const clattn_context_options *options)
{
    const char *program = options->trial_program ? options->trial_program : secure_getenv("CLATTN_TRY");
    env->trial = mode_of(env, options);
    env->trial_seconds = seconds_of(env, options);
    if (program && *program) {
        env->trial_program = ct_strdup(&env->allocator, program);
        if (!env->trial_program) {
            return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the path '%s'", program);
        }
    }
    return CLATTN_OK;
}

bool ct_trial_wanted(const ct_environment *env, const ct_program_spec *spec)
{
    return env->trial == CLATTN_TRIAL_ALWAYS || (env->trial == CLATTN_TRIAL_AUTO && spec->untried);
}

/* The folder of the shared library, with a slash; empty in a program that holds the archive. */
static void add_library_folder(ct_text *path)
{
    Dl_info info;
    const char *file = dladdr(CT_TRIAL_PROTOCOL, &info) ? info.dli_fname : NULL,
               *slash = file ? strrchr(file, '/') : NULL;
    if (slash && *file == '/' && strstr(slash, ".so")) {
        ct_text_append(path, file, (size_t)(slash + 1 - file));
    }
}

/* As named, else beside the library (build tree), where it lies from the library's folder (an installed tree, moved or
 * not), or where it was to be installed. */
static clattn_status find_program(ct_environment *env, ct_text *path)
{
    static const char *const beside[] = {PROGRAM, CLATTN_LIB_TO_TRY};
    bool found = false;
    if (env->trial_program) {
        ct_text_add(path, "%s", env->trial_program);
        found = true;
    }
    for (size_t i = 0; !found && i < CT_COUNT(beside); i++) {
        path->length = 0;
        ct_text_append(path, "", 0);
        add_library_folder(path);
        found = path->length > 0;
        ct_text_add(path, "%s", beside[i]);
        found = found && !path->failed && access(path->data, X_OK) == 0;
    }
    if (!found) {
        path->length = 0;
        ct_text_add(path, "%s", CLATTN_TRY_PATH);
    }
    return path->failed ? ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the path of " PROGRAM) : CLATTN_OK;
}

/* ---- question and answer --------------------------------------------------------------------------------------- */

static clattn_status add_question(ct_environment *env, const ct_entry *entry, const ct_program_spec *spec,
                                  const char *source, const char *options, ct_text *text)
{
    clattn_status st = CLATTN_OK;
    const char *fingerprint = NULL;
    int64_t platform_index, device_index;
    char platform[24], device[24], groups[16];
    CT_TRY(ct_program_fingerprint(env, &fingerprint));
    if (!ct_device_place(env->device, &platform_index, &device_index)) {
        CT_FAIL(CLATTN_IO, "the platforms do not list this device");
    }
    snprintf(platform, sizeof platform, "%" PRId64, platform_index);
    snprintf(device, sizeof device, "%" PRId64, device_index);
    snprintf(groups, sizeof groups, "%d", spec->ptx_groups);
    const char *const fields[CT_ASK_COUNT] = {[CT_ASK_PROTOCOL] = CT_TRIAL_PROTOCOL,
                                              [CT_ASK_FINGERPRINT] = fingerprint,
                                              [CT_ASK_PLATFORM] = platform,
                                              [CT_ASK_DEVICE] = device,
                                              [CT_ASK_KERNEL] = spec->kernel,
                                              [CT_ASK_BACKEND] = spec->backend,
                                              [CT_ASK_PTX_TARGET] = spec->ptx_target ? spec->ptx_target : "",
                                              [CT_ASK_PTX_GROUPS] = groups,
                                              [CT_ASK_NAME] = entry->program.name,
                                              [CT_ASK_OPTIONS] = options,
                                              [CT_ASK_SOURCE] = source};
    for (size_t i = 0; i < CT_COUNT(fields); i++) {
        ct_text_field(text, fields[i], strlen(fields[i]));
    }
    if (text->failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the trial of %s", entry->program.name);
    }
out:
    return st;
}

typedef struct reply {
    int count; /* fields that came in full */
    clattn_status status;
    const char *detail, *binary;
    size_t detail_bytes, binary_bytes;
} reply;

static reply read_reply(const ct_text *answer)
{
    reply r = {0};
    char number[16] = "";
    const char *at = answer->data, *end = answer->data ? answer->data + answer->length : NULL, *fields[CT_REPLY_COUNT];
    size_t lengths[CT_REPLY_COUNT];
    int64_t status = 0;
    while (r.count < CT_REPLY_COUNT && ct_field_next(&at, end, &fields[r.count], &lengths[r.count])) {
        r.count++;
    }
    if (r.count == CT_REPLY_COUNT) {
        snprintf(number, sizeof number, "%.*s", (int)lengths[CT_REPLY_STATUS], fields[CT_REPLY_STATUS]);
        r.count = ct_parse_int(number, &status) ? r.count : 0;
        r.status = (clattn_status)status;
        r.detail = fields[CT_REPLY_DETAIL];
        r.detail_bytes = lengths[CT_REPLY_DETAIL];
        r.binary = fields[CT_REPLY_BINARY];
        r.binary_bytes = lengths[CT_REPLY_BINARY];
    }
    return r;
}

/* What drivers and compilers print, and what the helper logs. */
static void log_printed(ct_environment *env, const ct_entry *entry, ct_child *child)
{
    char line[512];
    FILE *file = env->log && env->log_level >= CLATTN_LOG_INFO ? fdopen(child->printed, "r") : NULL;
    if (!file) {
        return;
    }
    child->printed = -1; /* the file's now */
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        ct_log(env, CLATTN_LOG_INFO, "trial of %s: %s", entry->program.kernel, line);
    }
    fclose(file);
}

/* ---- verdicts -------------------------------------------------------------------------------------------------- */

static void verdict_key(const ct_entry *entry, char key[64])
{
    snprintf(key, 64, VERDICT_KEY "%s", entry->program.key);
}

/* Two fields: the seconds that it was given, 0 if more would not have helped, and the reason. */
static void remember(ct_environment *env, const ct_entry *entry, int seconds)
{
    ct_text text = {.allocator = &env->allocator};
    char key[64], number[16];
    if (!env->cache->disk) {
        return;
    }
    verdict_key(entry, key);
    snprintf(number, sizeof number, "%d", seconds);
    ct_text_field(&text, number, strlen(number));
    ct_text_field(&text, clattn_error_detail(), strlen(clattn_error_detail()));
    if (!text.failed) {
        (void)ct_disk_put(env->cache->disk, key, entry->program.name, (const unsigned char *)text.data, text.length);
    }
    ct_text_release(&text);
}

/* CLATTN_DEVICE_LACKS: an earlier trial died, and this one would be given no more time. */
static clattn_status recall(ct_environment *env, ct_entry *entry)
{
    unsigned char *data = NULL;
    char key[64], number[16] = "";
    size_t bytes = 0, lengths[2];
    const char *fields[2];
    int64_t seconds = 0;
    verdict_key(entry, key);
    if (!env->cache->disk || !ct_disk_get(env->cache->disk, key, &data, &bytes)) {
        return CLATTN_OK;
    }
    const char *at = (const char *)data, *end = at + bytes;
    if (ct_field_next(&at, end, &fields[0], &lengths[0]) && ct_field_next(&at, end, &fields[1], &lengths[1])) {
        snprintf(number, sizeof number, "%.*s", (int)lengths[0], fields[0]);
        entry->died = ct_parse_int(number, &seconds) && (seconds == 0 || seconds >= env->trial_seconds);
    }
    const clattn_status st =
        entry->died ? ct_fail(CLATTN_DEVICE_LACKS, "%.*s (known from an earlier trial)", (int)lengths[1], fields[1])
                    : CLATTN_OK;
    ct_release(&env->allocator, data);
    return st;
}

static bool from_outside(const ct_child *child)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; child->end == CT_CHILD_SIGNALED && i < CT_COUNT(signals); i++) {
        if (child->code == signals[i]) {
            return true;
        }
    }
    return false;
}

static void describe_end(const ct_child *child, int seconds, char *text, size_t bytes)
{
    switch (child->end) {
    case CT_CHILD_EXITED:
        snprintf(text, bytes, "ended the process with exit status %d", child->code);
        break;
    case CT_CHILD_SIGNALED:
        snprintf(text, bytes, "died (signal %d)", child->code);
        break;
    case CT_CHILD_TIMED_OUT:
        snprintf(text, bytes, "was not done after %d s", seconds);
        break;
    case CT_CHILD_UNKNOWN:
        snprintf(text, bytes, "ended the process, and how is not known here (SIGCHLD ignored?)");
        break;
    }
}

static clattn_status fail_unable(const ct_entry *entry, const char *why, size_t length)
{
    char copy[768]; /* it may be the last failure's detail */
    snprintf(copy, sizeof copy, "%.*s", (int)length, why);
    return ct_fail(CLATTN_DEVICE_LACKS,
                   "kernel %s must be tried in a process of its own, which was not possible: %s; CLATTN_TRIAL=off "
                   "builds it unguarded",
                   entry->program.name, copy);
}

/* The compiler was called and gave no answer. */
static clattn_status fail_died(ct_environment *env, ct_entry *entry, const ct_child *child)
{
    char how[96];
    describe_end(child, env->trial_seconds, how, sizeof how);
    const clattn_status st = ct_fail(CLATTN_DEVICE_LACKS,
                                     "kernel %s: the driver's compiler %s on this variant in a trial; "
                                     "src/program/README.md tells of them",
                                     entry->program.name, how);
    if (!from_outside(child)) {
        entry->died = true;
        remember(env, entry, child->end == CT_CHILD_TIMED_OUT ? env->trial_seconds : 0);
    }
    return st;
}

static clattn_status fail_before(ct_environment *env, const ct_entry *entry, const ct_child *child, const char *path)
{
    char how[96], why[512];
    describe_end(child, env->trial_seconds, how, sizeof how);
    snprintf(why, sizeof why, "'%.300s' %s before it called the compiler", path, how);
    return fail_unable(entry, why, strlen(why));
}

/* A driver may refuse its own binary, or give none: then the source is built here, as the compiler has survived it. */
static clattn_status load(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const reply *r,
                          const char *options)
{
    clattn_status st = CLATTN_OK;
    cl_program made = NULL;
    const unsigned char *data = (const unsigned char *)r->binary;
    cl_int code =
        r->binary_bytes ? ct_program_load(env, spec, data, r->binary_bytes, options, &made) : CL_INVALID_BINARY;
    code = code == CL_SUCCESS ? ct_program_check(made, entry->program.kernel) : code;
    if (code != CL_SUCCESS) {
        ct_log(env, CLATTN_LOG_INFO, "trial of %s: its binary is refused (%s); building from source",
               entry->program.name, clattn_status_name(code));
        goto out;
    }
    if (spec->ptx_target) { /* the driver would not give this text back */
        entry->binary = ct_alloc(&env->allocator, r->binary_bytes);
        if (!entry->binary) {
            CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the %zu bytes of %s", r->binary_bytes,
                    entry->program.name);
        }
        memcpy(entry->binary, data, r->binary_bytes);
        entry->binary_bytes = r->binary_bytes;
    }
    ct_log(env, CLATTN_LOG_INFO, "trial of %s: done, %zu bytes", entry->program.name, r->binary_bytes);
    entry->program.program = made;
    made = NULL;
out:
    if (made) {
        clReleaseProgram(made);
    }
    return st;
}

static clattn_status judge(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const ct_child *child,
                           const char *path, const char *options)
{
    const reply r = read_reply(&child->answer);
    if (r.count == CT_REPLY_BEGUN) {
        return fail_before(env, entry, child, path);
    }
    if (r.count < CT_REPLY_COUNT) {
        return fail_died(env, entry, child);
    }
    if (r.status == CLATTN_OK) {
        return load(env, entry, spec, &r, options);
    }
    return r.status == CLATTN_BUILD_FAILED ? ct_fail(r.status, "%.*s", (int)r.detail_bytes, r.detail)
                                           : fail_unable(entry, r.detail, r.detail_bytes);
}

clattn_status ct_trial_build(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const char *source,
                             const char *options)
{
    clattn_status st = CLATTN_OK;
    ct_text question = {.allocator = &env->allocator}, path = {.allocator = &env->allocator};
    ct_child child = {.printed = -1};
    CT_TRY(recall(env, entry));
    CT_TRY(find_program(env, &path));
    st = add_question(env, entry, spec, source, options, &question);
    st = st == CLATTN_OK ? ct_child_run(&env->allocator, path.data, &question, env->trial_seconds, &child) : st;
    if (st == CLATTN_IO) {
        st = fail_unable(entry, clattn_error_detail(), strlen(clattn_error_detail()));
    }
    CT_TRY(st);
    log_printed(env, entry, &child);
    st = judge(env, entry, spec, &child, path.data, options);
out:
    ct_child_release(&child);
    ct_text_release(&question);
    ct_text_release(&path);
    return st;
}

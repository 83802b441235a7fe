/* clattn-try: compiles one program for the library, so that a compiler that crashes ends this process and not the
 * library's. src/program/trial.h says what is read from standard input and answered on descriptor 3; it is not meant to
 * be run by hand. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "context/context.h"
#include "program/child.h"
#include "program/trial.h"

#define STEP 65536

typedef struct job {
    const char *fields[CT_ASK_COUNT]; /* each with a NUL behind it; they stay until the process ends */
    cl_context cl;
    clattn_context *context;
    ct_entry entry;
} job;

/* Ends with the library's process, leaves no core, and no program that the compiler starts holds the answer open. */
static bool prepare(void)
{
    const struct rlimit none = {0, 0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &none);
    return fcntl(CT_CHILD_ANSWER, F_SETFD, FD_CLOEXEC) == 0;
}

static bool read_question(ct_text *text)
{
    static char part[STEP];
    ssize_t got;
    while ((got = read(STDIN_FILENO, part, sizeof part)) > 0) {
        ct_text_append(text, part, (size_t)got);
    }
    return got == 0 && !text->failed && text->length > 0;
}

static bool read_fields(const ct_text *text, job *j)
{
    const char *at = text->data, *end = text->data + text->length, *data;
    size_t length;
    for (int i = 0; i < CT_ASK_COUNT; i++) {
        if (!ct_field_next(&at, end, &data, &length)) {
            return false;
        }
        char *copy = strndup(data, length);
        if (!copy) {
            return false;
        }
        j->fields[i] = copy;
    }
    return strcmp(j->fields[CT_ASK_PROTOCOL], CT_TRIAL_PROTOCOL) == 0;
}

static void log_line(clattn_log_level level, const char *line, void *user)
{
    (void)level, (void)user;
    fprintf(stderr, "%s\n", line);
}

static clattn_status find_device(const job *j, cl_device_id *device)
{
    int64_t platform_index = -1, device_index = -1;
    *device = NULL;
    if (ct_parse_int(j->fields[CT_ASK_PLATFORM], &platform_index) &&
        ct_parse_int(j->fields[CT_ASK_DEVICE], &device_index)) {
        *device = ct_device_at(platform_index, device_index);
    }
    return *device ? CLATTN_OK
                   : ct_fail(CLATTN_INVALID_ARGUMENT, "clattn-try finds no device %s:%s", j->fields[CT_ASK_PLATFORM],
                             j->fields[CT_ASK_DEVICE]);
}

static clattn_status open_context(job *j)
{
    clattn_status st = CLATTN_OK;
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    cl_device_id device;
    cl_int code = CL_SUCCESS;
    const char *fingerprint = NULL;
    CT_TRY(find_device(j, &device));
    j->cl = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    CT_TRYCL(code);
    options.cache_mode = CLATTN_CACHE_OFF;
    options.trial = CLATTN_TRIAL_OFF;
    options.log = log_line;
    options.log_level = CLATTN_LOG_INFO;
    CT_TRY(clattn_context_create(&j->context, j->cl, device, &options));
    CT_TRY(ct_program_fingerprint(&j->context->env, &fingerprint));
    if (strcmp(fingerprint, j->fields[CT_ASK_FINGERPRINT]) != 0) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT,
                "clattn-try %s sees another device or driver at %s:%s, or the library has another version",
                clattn_version_string(), j->fields[CT_ASK_PLATFORM], j->fields[CT_ASK_DEVICE]);
    }
out:
    return st;
}

static clattn_status compile(job *j)
{
    int64_t groups = 0;
    ct_program *program = &j->entry.program;
    const char *target = j->fields[CT_ASK_PTX_TARGET];
    if (!ct_parse_int(j->fields[CT_ASK_PTX_GROUPS], &groups)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn-try: ptx_groups is '%s'", j->fields[CT_ASK_PTX_GROUPS]);
    }
    const ct_program_spec spec = {.kernel = j->fields[CT_ASK_KERNEL],
                                  .backend = j->fields[CT_ASK_BACKEND],
                                  .ptx_target = *target ? target : NULL,
                                  .ptx_groups = (int)groups};
    snprintf(program->kernel, sizeof program->kernel, "%s", spec.kernel);
    snprintf(program->name, sizeof program->name, "%s", j->fields[CT_ASK_NAME]);
    return ct_program_build(&j->context->env, &j->entry, &spec, j->fields[CT_ASK_SOURCE], j->fields[CT_ASK_OPTIONS]);
}

/* The driver's binary where there is no text of ours: some drivers compile only when they are asked for it. */
static void take_binary(job *j)
{
    if (!j->entry.binary) {
        j->entry.binary = ct_program_binary(&j->context->env, j->entry.program.program, &j->entry.binary_bytes);
    }
}

static bool answer(const ct_text *text)
{
    size_t put = 0;
    while (!text->failed && put < text->length) {
        const ssize_t more = write(CT_CHILD_ANSWER, text->data + put, text->length - put);
        if (more <= 0) {
            return false;
        }
        put += (size_t)more;
    }
    return !text->failed;
}

static bool answer_begun(void)
{
    ct_text text = {0};
    ct_text_field(&text, "", 0);
    const bool good = answer(&text);
    ct_text_release(&text);
    return good;
}

static bool answer_rest(const job *j, clattn_status st)
{
    ct_text text = {0};
    char number[16];
    const char *detail = st == CLATTN_OK ? "" : clattn_error_detail(), *binary = (const char *)j->entry.binary;
    snprintf(number, sizeof number, "%d", (int)st);
    ct_text_field(&text, number, strlen(number));
    ct_text_field(&text, detail, strlen(detail));
    ct_text_field(&text, binary ? binary : "", binary ? j->entry.binary_bytes : 0);
    return answer(&text);
}

int main(void)
{
    static job j;
    ct_text question = {0};
    if (!prepare() || !read_question(&question) || !read_fields(&question, &j)) {
        fprintf(stderr,
                "clattn-try compiles programs for the library clattn %s, which runs it: see src/program/README.md, "
                "CLATTN_TRIAL\n",
                clattn_version_string());
        return 2;
    }
    clattn_status st = open_context(&j);
    bool good = answer_begun();
    if (st == CLATTN_OK) {
        st = compile(&j);
    }
    if (st == CLATTN_OK) {
        take_binary(&j);
    }
    good = good && answer_rest(&j, st);
    (void)fflush(NULL);
    _exit(good ? 0 : 3); /* what drivers do at the end of a process is no part of the trial */
}

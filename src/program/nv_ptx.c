#include "program/nv_ptx.h"

#include <string.h>

#include "device/environment.h"

static bool begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

bool ct_nv_edit(const ct_program_spec *spec, const char *ptx, ct_text *out)
{
    bool found = false; /* the groups a compute unit must hold go behind the group's size */
    for (const char *line = ptx; *line;) {
        const size_t length = strcspn(line, "\n");
        if (begins(line, ".target ")) {
            ct_text_add(out, ".target %s%.*s", spec->ptx_target, (int)(length - strcspn(line, ",\n")),
                        line + strcspn(line, ",\n"));
            found = true;
        } else {
            ct_text_append(out, line, length);
        }
        ct_text_append(out, "\n", 1);
        if (begins(line, ".reqntid") && spec->ptx_groups) {
            ct_text_add(out, ".minnctapersm %d\n", spec->ptx_groups);
        }
        line += line[length] ? length + 1 : length;
    }
    return found && !out->failed;
}

/* What the assembler says of registers. Local memory and products one after another cost half the speed: a warning. */
static void report(ct_environment *env, const ct_program_spec *spec, cl_program program)
{
    size_t bytes = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(program, env->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) == CL_SUCCESS) {
        log = ct_alloc(&env->allocator, bytes + 1);
    }
    if (log && clGetProgramBuildInfo(program, env->device, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) == CL_SUCCESS) {
        for (char *line = log, *next; line && *line; line = next) {
            next = strchr(line, '\n');
            if (next) {
                *next++ = '\0';
            }
            const bool spills = strstr(line, "spill") && !strstr(line, " 0 bytes spill stores, 0 bytes spill loads");
            const bool serial = strstr(line, "serialized") || strstr(line, "injected");
            if (spills || serial) {
                ct_log(env, CLATTN_LOG_WARN, "assembler, %s: %s", spec->kernel, line);
            } else if (strstr(line, "Used ")) {
                ct_log(env, CLATTN_LOG_INFO, "assembler, %s: %s", spec->kernel, line);
            }
        }
    }
    ct_release(&env->allocator, log);
}

clattn_status ct_nv_retarget(ct_environment *env, const ct_program_spec *spec, cl_program made, const char *options,
                             cl_program *loaded, unsigned char **ptx, size_t *bytes)
{
    clattn_status st = CLATTN_OK;
    ct_text text = {.allocator = &env->allocator};
    size_t size = 0;
    unsigned char *given = ct_program_binary(env, made, &size);
    const bool edited = given && ct_nv_edit(spec, (const char *)given, &text);
    *loaded = NULL;
    *ptx = NULL;
    if (text.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the PTX of kernel %s", spec->kernel);
    }
    if (!edited) {
        CT_FAIL(CLATTN_BUILD_FAILED, "the driver gives no PTX to retarget to %s (clGetProgramInfo)", spec->ptx_target);
    }
    *bytes = text.length + 1;
    const cl_int code = ct_program_load(env, spec, (const unsigned char *)text.data, *bytes, options, loaded);
    if (code != CL_SUCCESS) {
        const bool refused = code == CL_BUILD_PROGRAM_FAILURE || code == CL_INVALID_BINARY;
        CT_FAIL(refused ? CLATTN_BUILD_FAILED : code,
                "loading the PTX of %s for %s (clCreateProgramWithBinary, clBuildProgram) returned %s (%d)",
                spec->kernel, spec->ptx_target, clattn_status_name(code), (int)code);
    }
    report(env, spec, *loaded);
    *ptx = (unsigned char *)text.data;
    text.data = NULL;
out:
    ct_release(&env->allocator, given);
    ct_text_release(&text);
    return st;
}

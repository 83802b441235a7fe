#include "device/environment.h"

#include <stdio.h>
#include <string.h>

void ct_log(const ct_environment *env, clattn_log_level level, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    if (!env->log || level > env->log_level) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *line = text, *end; *line; line = end) { /* the callback gets one line a call */
        end = line + strcspn(line, "\n");
        if (*end) {
            *end++ = '\0';
        }
        if (*line) {
            env->log(level, line, env->log_user);
        }
    }
}

clattn_status ct_queue_create(const ct_environment *env, cl_command_queue *out)
{
    cl_int error = CL_SUCCESS;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* the newer call is not in OpenCL 1.2 */
    *out = clCreateCommandQueue(env->cl, env->device, 0, &error);
#pragma GCC diagnostic pop
    return ct_check_cl(error, "clCreateCommandQueue");
}

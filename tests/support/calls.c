#include "support/calls.h"

#include <stddef.h>

static ct_calls *counting;

void ct_calls_count(ct_calls *calls)
{
    counting = calls;
}

static int fails(const char *name)
{
    if (!counting || ++counting->made != counting->fail_at) {
        return 0;
    }
    counting->failed = name;
    return 1;
}

static void hold(int change)
{
    if (counting) {
        counting->held += change;
    }
}

#define CALL(name, parameters, arguments, left)                                                                        \
    cl_int __real_##name parameters;                                                                                   \
    cl_int __wrap_##name parameters;                                                                                   \
    cl_int __wrap_##name parameters                                                                                    \
    {                                                                                                                  \
        if (fails(#name)) {                                                                                            \
            return counting->code;                                                                                     \
        }                                                                                                              \
        const cl_int made = __real_##name arguments;                                                                   \
        hold(made == CL_SUCCESS && (left) != NULL);                                                                    \
        return made;                                                                                                   \
    }
#define MAKE(name, type, parameters, arguments)                                                                        \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        if (fails(#name)) {                                                                                            \
            *error = counting->code;                                                                                   \
            return NULL;                                                                                               \
        }                                                                                                              \
        type made = __real_##name arguments;                                                                           \
        hold(made != NULL);                                                                                            \
        return made;                                                                                                   \
    }
#define END(name, type)                                                                                                \
    cl_int __real_##name(type);                                                                                        \
    cl_int __wrap_##name(type);                                                                                        \
    cl_int __wrap_##name(type object)                                                                                  \
    {                                                                                                                  \
        hold(-1);                                                                                                      \
        const cl_int made = __real_##name(object);                                                                     \
        return fails(#name) ? counting->code : made;                                                                   \
    }
#include "support/calls.def"

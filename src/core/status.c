/* Status codes, their texts, and the thread's sentence on its last failure. */
#include "core/core.h"

#include <pthread.h>
#include <stdio.h>

#define MOST_BYTES 65536

/* A pointer, since what lies in a thread's own storage is taken from the stack of every thread of the program. The text
 * is on the heap: the key releases it when its thread ends. */
static _Thread_local const char *detail = "";
static pthread_key_t key;
static bool key_made;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void release_text(void *text)
{
    ct_release(NULL, text);
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, release_text) == 0;
}

/* A library that is unloaded leaves no address behind that threads would call when they end. */
__attribute__((destructor)) static void drop_key(void)
{
    if (key_made) {
        release_text(pthread_getspecific(key));
        detail = "";
        key_made = pthread_key_delete(key) != 0;
    }
}

/* Takes a text for this thread, in place of the one before. NULL: there was no memory for it. */
static void keep_text(char *text)
{
    void *before = key_made ? pthread_getspecific(key) : NULL;
    if (text && (!key_made || pthread_setspecific(key, text) != 0)) {
        release_text(text);
        text = NULL;
    }
    detail = text ? text : "no memory for the sentence on this failure";
    if (text) {
        release_text(before);
    }
}

typedef struct status_row {
    clattn_status code;
    const char *name;
    const char *text;
} status_row;

#define OWN(name, text)                                                                                                \
    {                                                                                                                  \
        name, #name, text                                                                                              \
    }
#define CL(name, text)                                                                                                 \
    {                                                                                                                  \
        name, #name, text                                                                                              \
    }

static const status_row rows[] = {
    OWN(CLATTN_OK, "Done."),
    OWN(CLATTN_INVALID_ARGUMENT, "An argument is outside its bounds."),
    OWN(CLATTN_UNSUPPORTED, "clattn does not offer this combination."),
    OWN(CLATTN_OUT_OF_HOST_MEMORY, "The allocator returned NULL."),
    OWN(CLATTN_WORKSPACE_TOO_SMALL, "The workspace is smaller than the plan needs."),
    OWN(CLATTN_BUFFER_TOO_SMALL, "A buffer ends before its tensor does."),
    OWN(CLATTN_BAD_LAYOUT, "Block lists must be ascending, unique and in range."),
    OWN(CLATTN_BUILD_FAILED, "The device's compiler refused the caller's text, or the only backend asked for."),
    OWN(CLATTN_DEVICE_LACKS, "No backend accepts the problem on this device."),
    OWN(CLATTN_IO, "A file could not be read or written."),
    OWN(CLATTN_INTERNAL, "A defect of clattn."),
    CL(CL_DEVICE_NOT_FOUND, "OpenCL: no such device."),
    CL(CL_DEVICE_NOT_AVAILABLE, "OpenCL: the device is not available."),
    CL(CL_COMPILER_NOT_AVAILABLE, "OpenCL: the device has no compiler."),
    CL(CL_MEM_OBJECT_ALLOCATION_FAILURE, "OpenCL: no memory for a buffer."),
    CL(CL_OUT_OF_RESOURCES, "OpenCL: the device is out of resources."),
    CL(CL_OUT_OF_HOST_MEMORY, "OpenCL: out of host memory."),
    CL(CL_PROFILING_INFO_NOT_AVAILABLE, "OpenCL: no profiling information."),
    CL(CL_MEM_COPY_OVERLAP, "OpenCL: a copy overlaps itself."),
    CL(CL_BUILD_PROGRAM_FAILURE, "OpenCL: a program did not build."),
    CL(CL_MAP_FAILURE, "OpenCL: a buffer could not be mapped."),
    CL(CL_MISALIGNED_SUB_BUFFER_OFFSET, "OpenCL: a sub-buffer is not aligned."),
    CL(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "OpenCL: a command that was waited for failed."),
    CL(CL_COMPILE_PROGRAM_FAILURE, "OpenCL: a program did not compile."),
    CL(CL_LINKER_NOT_AVAILABLE, "OpenCL: the device has no linker."),
    CL(CL_LINK_PROGRAM_FAILURE, "OpenCL: a program did not link."),
    CL(CL_KERNEL_ARG_INFO_NOT_AVAILABLE, "OpenCL: nothing is known of a kernel's arguments."),
    CL(CL_INVALID_DEVICE_TYPE, "OpenCL: an invalid device type."),
    CL(CL_INVALID_QUEUE_PROPERTIES, "OpenCL: invalid properties of a queue."),
    CL(CL_INVALID_HOST_PTR, "OpenCL: an invalid host pointer."),
    CL(CL_INVALID_KERNEL_DEFINITION, "OpenCL: kernels of one name differ between devices."),
    CL(CL_INVALID_GL_OBJECT, "OpenCL: an invalid OpenGL object."),
    CL(CL_INVALID_PROPERTY, "OpenCL: an invalid property."),
    CL(CL_INVALID_COMPILER_OPTIONS, "OpenCL: invalid compiler options."),
    CL(CL_INVALID_LINKER_OPTIONS, "OpenCL: invalid linker options."),
    CL(CL_INVALID_DEVICE_PARTITION_COUNT, "OpenCL: an invalid number of sub-devices."),
    CL(CL_INVALID_VALUE, "OpenCL: an invalid value."),
    CL(CL_INVALID_PLATFORM, "OpenCL: an invalid platform."),
    CL(CL_INVALID_DEVICE, "OpenCL: an invalid device."),
    CL(CL_INVALID_CONTEXT, "OpenCL: an invalid context."),
    CL(CL_INVALID_COMMAND_QUEUE, "OpenCL: an invalid command queue."),
    CL(CL_INVALID_MEM_OBJECT, "OpenCL: an invalid memory object."),
    CL(CL_INVALID_BINARY, "OpenCL: an invalid program binary."),
    CL(CL_INVALID_BUILD_OPTIONS, "OpenCL: invalid build options."),
    CL(CL_INVALID_PROGRAM, "OpenCL: an invalid program."),
    CL(CL_INVALID_PROGRAM_EXECUTABLE, "OpenCL: the program has no executable."),
    CL(CL_INVALID_KERNEL_NAME, "OpenCL: no kernel of this name."),
    CL(CL_INVALID_KERNEL, "OpenCL: an invalid kernel."),
    CL(CL_INVALID_ARG_INDEX, "OpenCL: an invalid argument index."),
    CL(CL_INVALID_ARG_VALUE, "OpenCL: an invalid argument value."),
    CL(CL_INVALID_ARG_SIZE, "OpenCL: an invalid argument size."),
    CL(CL_INVALID_KERNEL_ARGS, "OpenCL: kernel arguments are missing."),
    CL(CL_INVALID_WORK_DIMENSION, "OpenCL: an invalid work dimension."),
    CL(CL_INVALID_WORK_GROUP_SIZE, "OpenCL: an invalid work-group size."),
    CL(CL_INVALID_WORK_ITEM_SIZE, "OpenCL: an invalid work-item size."),
    CL(CL_INVALID_GLOBAL_OFFSET, "OpenCL: an invalid global offset."),
    CL(CL_INVALID_EVENT_WAIT_LIST, "OpenCL: an invalid event wait list."),
    CL(CL_INVALID_EVENT, "OpenCL: an invalid event."),
    CL(CL_INVALID_OPERATION, "OpenCL: an invalid operation."),
    CL(CL_INVALID_BUFFER_SIZE, "OpenCL: an invalid buffer size."),
    CL(CL_INVALID_GLOBAL_WORK_SIZE, "OpenCL: an invalid global work size."),
};

static const status_row *find(clattn_status status)
{
    for (size_t i = 0; i < CT_COUNT(rows); i++) {
        if (rows[i].code == status) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *clattn_status_name(clattn_status status)
{
    const status_row *row = find(status);
    return row ? row->name : "unknown status";
}

const char *clattn_status_text(clattn_status status)
{
    const status_row *row = find(status);
    return row ? row->text : "A code that clattn does not know.";
}

const char *clattn_error_detail(void)
{
    return detail;
}

clattn_status ct_fail(clattn_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    const size_t bytes = (size_t)ct_min(ct_max(length, 0) + 1, MOST_BYTES);
    char *text = ct_alloc(NULL, bytes);
    if (text) { /* an argument may be the old text itself: it is released later */
        va_start(arguments, format);
        vsnprintf(text, bytes, format, arguments);
        va_end(arguments);
    }
    pthread_once(&key_once, make_key);
    keep_text(text);
    return code;
}

clattn_status ct_fail_cl(cl_int code, const char *call)
{
    return ct_fail(code, "%s returned %s (%d): %s", call, clattn_status_name(code), (int)code,
                   clattn_status_text(code));
}

clattn_status ct_check_cl(cl_int code, const char *call)
{
    return code == CL_SUCCESS ? CLATTN_OK : ct_fail_cl(code, call);
}

int clattn_version(void)
{
    return CLATTN_VERSION;
}

#define TEXT_OF(x)            #x
#define VERSION_TEXT(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *clattn_version_string(void)
{
    return VERSION_TEXT(CLATTN_VERSION_MAJOR, CLATTN_VERSION_MINOR, CLATTN_VERSION_PATCH);
}

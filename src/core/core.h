/* What every part needs and what knows no OpenCL calls: status, host memory, text. */
#ifndef CT_CORE_H
#define CT_CORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <clattn/clattn.h>

/* clang has no macro for most of what gcc names here; CMakeLists.txt takes all of it back */
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) ||                         \
    defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#    error "no -ffast-math, -Ofast or their parts for clattn: NaN, infinities and the order of sums mean something"
#endif

#if defined(__GNUC__)
#    define CT_PRINTF(text_at, first) __attribute__((format(printf, text_at, first)))
#else
#    define CT_PRINTF(text_at, first)
#endif

#define CT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Single exit: resources NULL at the top, `st` set, `goto out`, release in reverse. */
#define CT_TRY(call)                                                                                                   \
    do {                                                                                                               \
        st = (call);                                                                                                   \
        if (st != CLATTN_OK) {                                                                                         \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)
#define CT_TRYCL(call)                                                                                                 \
    do {                                                                                                               \
        const cl_int cl_ = (call);                                                                                     \
        if (cl_ != CL_SUCCESS) {                                                                                       \
            st = ct_fail_cl(cl_, #call);                                                                               \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)
#define CT_FAIL(...)                                                                                                   \
    do {                                                                                                               \
        st = ct_fail(__VA_ARGS__);                                                                                     \
        goto out;                                                                                                      \
    } while (0)

/* Fills the thread's error detail (any length; cut at 64 KiB) and returns `code`. */
clattn_status ct_fail(clattn_status code, const char *format, ...) CT_PRINTF(2, 3);
/* The same for a failed OpenCL call; `call` is its text. Returns the OpenCL code. */
clattn_status ct_fail_cl(cl_int code, const char *call);
/* The same, or CLATTN_OK: for calls that return their code through a pointer. */
clattn_status ct_check_cl(cl_int code, const char *call);

/* Host memory. ct_alloc zeroes; size 0 gives a pointer, too. NULL `allocator` or an all-zero one: malloc and free. */
void *ct_alloc(const clattn_allocator *allocator, size_t bytes);
void ct_release(const clattn_allocator *allocator, void *pointer);
char *ct_strdup(const clattn_allocator *allocator, const char *text);
/* count * size, checked. */
void *ct_alloc_array(const clattn_allocator *allocator, size_t count, size_t size);

/* A text that grows. After a failed allocation it stays as it is and `failed` is set: check once, at the end. */
typedef struct ct_text {
    const clattn_allocator *allocator;
    char *data; /* NUL-terminated once something was added, else NULL */
    size_t length, room;
    bool failed;
} ct_text;
void ct_text_add(ct_text *text, const char *format, ...) CT_PRINTF(2, 3);
void ct_text_append(ct_text *text, const char *data, size_t length);
void ct_text_release(ct_text *text);
/* Adds a field as "length:bytes", so that no two lists of fields give the same text. */
void ct_text_field(ct_text *text, const char *data, size_t length);
/* The field at *at, which moves behind it. false: none is there in full. */
bool ct_field_next(const char **at, const char *end, const char **data, size_t *length);

/* Numbers with a point, whatever the locale. ct_parse_* return false unless the whole text is one number. */
bool ct_parse_double(const char *text, double *value);
bool ct_parse_int(const char *text, int64_t *value);
/* Shortest text that reads back to the same double; room of 32 is enough. */
void ct_format_double(double value, char *text, size_t bytes);

/* A whole file as text with a NUL behind it. CLATTN_IO names the path and the reason. */
clattn_status ct_read_file(const clattn_allocator *allocator, const char *path, char **data, size_t *length);

static inline int64_t ct_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline int64_t ct_round_up(int64_t a, int64_t b)
{
    return ct_ceil_div(a, b) * b;
}
/* The largest divisor of n up to `most`; both at least 1. */
static inline int64_t ct_divisor_to(int64_t n, int64_t most)
{
    while (n % most) {
        most--;
    }
    return most;
}
static inline int64_t ct_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t ct_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif

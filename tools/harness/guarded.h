/* Device buffers for tests: canaries on both sides, NaN wherever nothing was written. */
#ifndef CT_GUARDED_H
#define CT_GUARDED_H

#include <stdbool.h>

#include <clattn/clattn.h>

#define CT_GUARD_BYTES 512 /* on each side; a multiple of 256 */

typedef struct ct_guarded {
    cl_mem mem;
    size_t offset, bytes; /* the part that belongs to the user */
    size_t total;
} ct_guarded;

/* A buffer of `bytes` between canaries; its offset is CT_GUARD_BYTES + `skew` bytes. `data` NULL: filled with 0xff,
 * which is NaN in every floating type. Waits. */
clattn_status ct_guarded_make(ct_guarded *out, cl_context context, cl_command_queue queue, const void *data,
                              size_t bytes, size_t skew);
void ct_guarded_release(ct_guarded *buffer);
clattn_buf ct_guarded_buf(const ct_guarded *buffer);
/* Makes the user's part NaN again. Waits. */
clattn_status ct_guarded_poison(const ct_guarded *buffer, cl_command_queue queue);
/* Reads the user's part. Waits. */
clattn_status ct_guarded_read(const ct_guarded *buffer, cl_command_queue queue, void *data);
/* Are both canaries as they were? CLATTN_INTERNAL with the first bad byte in the error detail. Waits. */
clattn_status ct_guarded_verify(const ct_guarded *buffer, cl_command_queue queue, const char *name);

#endif

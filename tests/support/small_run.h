/* Runs one problem on small arrays of doubles, on one backend of the default device, and reads the results back. */
#ifndef SMALL_RUN_H
#define SMALL_RUN_H

#include <stdbool.h>

#include <clattn/clattn.h>

#include "support/env.h"

/* Dense, in the order of the plan's dims. One of `in` and `out`. */
typedef struct small_value {
    clattn_slot slot;
    const double *in;
    double *out;
} small_value;

/* "cpu", "simt", "ref"; NULL past the end. */
const char *small_backend(int index);
/* False if the device says that it cannot use this backend; see ct_env_usable(). */
bool small_usable(const char *backend);
/* Outputs start as NaN, as does the workspace; guards around every buffer are verified. Returns the first error. */
clattn_status small_run(const char *backend, const clattn_problem *problem, clattn_layout *layout,
                        const small_value *values, int count);
clattn_status small_run_text(const char *backend, const char *text, const small_value *values, int count);
/* ct_assert_check() on every backend that the device can use, each in a context of its own; simt's kernels take minutes
 * to compile with pocl: they have ci/problems.txt and ci/gpu_check.txt. */
void small_check(const ct_env *env, const char *problem, uint64_t seed);
/* Texts that clattn_problem_parse must refuse, and a word of the reason. */
typedef struct small_refusal {
    const char *text, *word;
    clattn_status code;
} small_refusal;
void small_refuse(const small_refusal *cases, int count);
/* Normal numbers as floats hold them: stream `stream` of this seed. */
void small_fill(double *to, size_t count, uint64_t seed, uint64_t stream);
/* Releases the contexts: a group's teardown. */
int small_teardown(void **state);

#endif

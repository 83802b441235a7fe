/* The device of a test, and whole problems checked on it. */
#ifndef CT_ENV_H
#define CT_ENV_H

#include "harness/check.h"

/* The device that $CLATTN_DEVICE names (part of its name, or P:D), else the first GPU, else the first CPU; false: none.
 */
bool ct_env_device(cl_platform_id *platform, cl_device_id *device);

/* The same, but without one the whole program ends with status 77, which ctest counts as skipped, after a line that
 * says why. */
void ct_env_need_device(cl_platform_id *platform, cl_device_id *device);

/* That device with what a test needs. */
typedef struct ct_env {
    ct_check_place place; /* cl, device, context */
    cl_command_queue queue;
    cl_platform_id platform;
} ct_env;

/* Group setup and teardown of cmocka: *state becomes the ct_env. */
int ct_env_setup(void **state);
int ct_env_teardown(void **state);
/* A further context with other options on the same device; NULL fails the test. Yours to release. */
clattn_context *ct_env_context(const ct_env *env, const clattn_context_options *options);

/* May tests of this tile run here? False if the device's own words rule it out, the context's options, or the system; a
 * tile that its probe rules out fails the test: else a broken probe would leave the tile untested, and nobody would
 * know. */
bool ct_env_usable(clattn_context *context, const char *tile);

/* Fails unless the check of this problem passes on the tile that is to run it: the one that the context's options name,
 * else "cpu" (or "cpu_amx") on a CPU, and none but "ref" on a GPU. Prints the line that repeats it. */
void ct_assert_check(const ct_env *env, const char *problem, uint64_t seed);
/* The same with a layout of one's own. */
void ct_assert_check_layout(const ct_env *env, const clattn_problem *problem, clattn_layout *layout, uint64_t seed);
/* Of `count` problems: the first with seed `first`, the next with the next. */
void ct_assert_checks(const ct_env *env, const char *const *problems, size_t count, uint64_t first);
/* Fails unless `status` is `expected` and, if `word` is not NULL, the error's detail contains it. */
void ct_assert_status(clattn_status status, clattn_status expected, const char *word);

#endif

/* Contexts of many devices, and why a tile is not used. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tile/tiles.h"
#include "support/env.h"
#include "support/failing.h"

#define MOST_DEVICES 1000

static cl_device_id many[MOST_DEVICES]; /* of a made-up cl_context */
static size_t device_count;             /* 0: the true ones */

/* Stands before the loader's function of this name. */
cl_int clGetContextInfo(cl_context context, cl_context_info what, size_t room, void *value, size_t *needed)
{
    typedef cl_int (*function)(cl_context, cl_context_info, size_t, void *, size_t *);
    static function real;
    if (what == CL_CONTEXT_DEVICES && device_count) {
        const size_t bytes = device_count * sizeof many[0];
        if (value && room < bytes) {
            return CL_INVALID_VALUE;
        }
        if (value) {
            memcpy(value, many, bytes);
        }
        if (needed) {
            *needed = bytes;
        }
        return CL_SUCCESS;
    }
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "clGetContextInfo");
        memcpy(&real, &found, sizeof real);
    }
    return real(context, what, room, value, needed);
}

/* The context's device is `at`, of `count`; from count on: none of them. */
static clattn_status create_among(const ct_env *env, size_t count, size_t at)
{
    clattn_context *context = NULL;
    for (size_t i = 0; i < count; i++) {
        many[i] = i == at ? env->place.device : (cl_device_id)(uintptr_t)(16 * (i + 1));
    }
    device_count = count;
    const clattn_status st = clattn_context_create(&context, env->place.cl, env->place.device, NULL);
    device_count = 0;
    clattn_context_release(context);
    return st;
}

static void any_number_of_devices(void **state)
{
    static const size_t counts[] = {1, 63, 64, 65, 128, MOST_DEVICES};
    for (size_t i = 0; i < CT_COUNT(counts); i++) {
        ct_assert_status(create_among(*state, counts[i], 0), CLATTN_OK, NULL);
        ct_assert_status(create_among(*state, counts[i], counts[i] - 1), CLATTN_OK, NULL);
        ct_assert_status(create_among(*state, counts[i], counts[i]), CLATTN_INVALID_ARGUMENT,
                         "is none of the context's");
    }
}

/* The device could run it, and the system and the caller let it. */
static bool has_probe(clattn_context *context, int tile)
{
    char why[CT_WHY_BYTES];
    const ct_tile *t = &ct_tiles[tile];
    return ct_tile_possible(context, tile, why) && t->probe &&
           (!t->permitted || t->permitted(context, why, sizeof why));
}

/* A probe for which there is no memory is made again: what the first one said stays with whoever asked. */
static void reasons_are_copies(void **state)
{
    ct_failing failing = {0};
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.allocator = ct_failing_allocator(&failing);
    clattn_context *context = ct_env_context(*state, &options);
    for (int i = 0; i < ct_tile_count; i++) {
        char before[CT_WHY_BYTES], after[CT_WHY_BYTES];
        if (!has_probe(context, i)) {
            continue;
        }
        failing.fail_at = failing.made + 1;
        failing.from_there_on = 1;
        assert_false(ct_tile_usable(context, i, before));
        failing.fail_at = 0;
        assert_non_null(strstr(before, "its probe failed: "));
        const bool usable = ct_tile_usable(context, i, after);
        assert_true(usable == (after[0] == '\0'));
        assert_non_null(strstr(before, "its probe failed: "));
    }
    clattn_context_release(context);
    assert_int_equal(failing.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_number_of_devices), cmocka_unit_test(reasons_are_copies)};
    return cmocka_run_group_tests_name("context", tests, ct_env_setup, ct_env_teardown);
}

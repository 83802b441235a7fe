/* What devices say of themselves, however long. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "context/context.h"
#include "support/env.h"

static size_t version_bytes; /* of a made-up CL_PLATFORM_VERSION; 0: the true one */

/* Stands before the loader's function of this name. */
cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t room, void *value, size_t *needed)
{
    typedef cl_int (*function)(cl_platform_id, cl_platform_info, size_t, void *, size_t *);
    static function real;
    if (what == CL_PLATFORM_VERSION && version_bytes) {
        if (value && room < version_bytes) {
            return CL_INVALID_VALUE;
        }
        if (value) {
            memset(value, 'v', version_bytes - 1);
            ((char *)value)[version_bytes - 1] = '\0';
        }
        if (needed) {
            *needed = version_bytes;
        }
        return CL_SUCCESS;
    }
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "clGetPlatformInfo");
        memcpy(&real, &found, sizeof real);
    }
    return real(platform, what, room, value, needed);
}

static void long_versions(void **state)
{
    const ct_env *env = *state;
    static const size_t lengths[] = {2, 128, 129, 400, 4000};
    for (size_t i = 0; i < CT_COUNT(lengths); i++) {
        ct_device_facts facts = {0};
        version_bytes = lengths[i];
        const clattn_status st = ct_device_read(env->place.device, &facts);
        version_bytes = 0;
        ct_assert_status(st, CLATTN_OK, NULL);
        assert_int_equal(strlen(facts.platform_version),
                         ct_min((int64_t)lengths[i], sizeof facts.platform_version) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_versions)};
    return cmocka_run_group_tests_name("facts", tests, ct_env_setup, ct_env_teardown);
}

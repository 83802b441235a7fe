/* Programs from memory, disk, driver: built once, right whatever lies on disk, errors with the caller's lines. */
#include "program/scratch.h"

#include <pthread.h>

#include "context/context.h"
#include "program/disk.h"
#include "program/memory.h"
#include "program/program.h"
#include "support/env.h"
#include "support/failing.h"

#define THREADS 16
#define ITEMS   8

static cl_context cl;
static cl_device_id device;
static cl_command_queue queue;

static const char kernel_text[] = "int score(int i);\n"
                                  "int score(int i) {\n"
                                  "  return 0\n"
                                  "#include \"caller_score\"\n"
                                  "  ;\n"
                                  "}\n"
                                  "__kernel void k(__global int *restrict x) {\n"
                                  "  const int i = (int)get_global_id(0);\n"
                                  "  x[i] = score(i) * SCALE;\n"
                                  "}\n";

static int group_setup(void **state)
{
    (void)state;
    cl_platform_id platform;
    cl_int code;
    if (!ct_env_device(&platform, &device)) {
        return -1;
    }
    cl = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    queue = clCreateCommandQueueWithProperties(cl, device, NULL, &code);
    return code;
}

static int group_teardown(void **state)
{
    (void)state;
    clReleaseCommandQueue(queue);
    return clReleaseContext(cl);
}

static int setup(void **state)
{
    if (scratch_setup(state) != 0) {
        return -1;
    }
    const scratch *s = *state;
    scratch_text(s, "k.cl", kernel_text);
    return setenv("CLATTN_CL_DIR", s->dir, 1);
}

static int teardown(void **state)
{
    unsetenv("CLATTN_CL_DIR");
    return scratch_teardown(state);
}

static clattn_context *open_context(const scratch *s, clattn_cache_mode mode, ct_failing *c)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_context *context = NULL;
    char path[512];
    scratch_path(s, "c", path);
    options.cache_mode = mode;
    options.cache_dir = path;
    if (c) {
        options.allocator = ct_failing_allocator(c);
    }
    assert_int_equal(clattn_context_create(&context, cl, device, &options), CLATTN_OK);
    return context;
}

static ct_program_spec spec_of(const char *score, long scale)
{
    ct_program_spec spec = {
        .kernel = "k", .backend = "ref", .texts[CT_TEXT_SCORE].text = score, .texts[CT_TEXT_SCORE].name = "mine.cl"};
    ct_spec_part(&spec, "k.cl");
    ct_spec_define(&spec, "SCALE", scale);
    return spec;
}

static const ct_program *get(clattn_context *context, const ct_program_spec *spec, ct_origin want)
{
    const ct_program *program = NULL;
    ct_origin origin;
    assert_int_equal(ct_program_get(&context->env, spec, &program, &origin), CLATTN_OK);
    assert_int_equal(origin, want);
    return program;
}

/* The score text of the tests is "+ i": x[i] = i * scale. */
static void must_run(const ct_program *program, int scale)
{
    cl_int code, values[ITEMS] = {0};
    const size_t items = ITEMS;
    cl_kernel kernel = clCreateKernel(program->program, program->kernel, &code);
    cl_mem buffer = clCreateBuffer(cl, CL_MEM_READ_WRITE, sizeof values, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(clSetKernelArg(kernel, 0, sizeof buffer, &buffer), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL), CL_SUCCESS);
    assert_int_equal(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof values, values, 0, NULL, NULL), CL_SUCCESS);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(values[i], i * scale);
    }
    clReleaseMemObject(buffer);
    clReleaseKernel(kernel);
}

static clattn_cache_stats stats_of(clattn_context *context)
{
    clattn_cache_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(clattn_cache_get_stats(context, &stats), CLATTN_OK);
    return stats;
}

/* Leaves the program of `spec` on disk. */
static void fill(const scratch *s, const ct_program_spec *spec, char key[33])
{
    clattn_context *context = open_context(s, CLATTN_CACHE_READ_WRITE, NULL);
    const ct_program *program = get(context, spec, CT_BUILT);
    must_run(program, (int)spec->defines[0].value);
    assert_int_equal(stats_of(context).files, 0);
    ct_program_keep(&context->env, program);
    ct_program_keep(&context->env, program);
    assert_int_equal(stats_of(context).files, 1);
    assert_ptr_equal(get(context, spec, CT_FROM_MEMORY), program);
    memcpy(key, program->key, 33);
    clattn_context_release(context);
}

static void from_disk(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 3), other = spec_of("+ i", 4);
    char key[33];
    fill(*state, &spec, key);
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    const ct_program *program = get(context, &spec, CT_FROM_DISK);
    assert_string_equal(program->name, "k.ref.SCALE3");
    must_run(program, 3);
    ct_program_keep(&context->env, program);
    must_run(get(context, &other, CT_BUILT), 4);
    const clattn_cache_stats stats = stats_of(context);
    assert_int_equal(stats.files, 1);
    assert_int_equal(stats.disk_hits, 1);
    assert_int_equal(stats.builds, 1);
    assert_int_equal(stats.rejected, 0);
    clattn_context_release(context);
}

/* Taking a binary may cost a compilation: once, and never for a program that came from there. */
static void kept_once(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 3);
    char key[33];
    fill(*state, &spec, key);
    for (int i = 0; i < 2; i++) {
        clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
        const ct_program *program = get(context, &spec, i ? CT_BUILT : CT_FROM_DISK);
        if (i) {
            ct_program_keep(&context->env, program);
            assert_int_equal(stats_of(context).files, 1);
        }
        ct_disk_remove(context->env.cache->disk, key);
        ct_program_keep(&context->env, program);
        assert_int_equal(stats_of(context).files, 0);
        clattn_context_release(context);
    }
}

static void key_tells_apart(void **state)
{
    const ct_program_spec base = spec_of("+ i", 3);
    char key[33];
    fill(*state, &base, key);
    ct_program_spec others[] = {spec_of("+ i", 5), spec_of("+  i", 3), base, base};
    others[2].backend = "cpu";
    others[3].texts[CT_TEXT_SCORE].name = "yours.cl";
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_ONLY, NULL);
    for (size_t i = 0; i < CT_COUNT(others); i++) {
        get(context, &others[i], CT_BUILT);
    }
    get(context, &base, CT_FROM_DISK);
    clattn_context_release(context);
    /* each string that names driver and device */
    for (int i = 0; i < 6; i++) {
        context = open_context(*state, CLATTN_CACHE_READ_ONLY, NULL);
        ct_device_facts *facts = &context->env.facts;
        char *const fields[] = {facts->name,   facts->vendor,   facts->version,
                                facts->driver, facts->platform, facts->platform_version};
        fields[i][0] ^= 1;
        get(context, &base, CT_BUILT);
        clattn_context_release(context);
    }
}

static void corrupted_entry(void **state)
{
    static unsigned char entry[4 << 20];
    const scratch *s = *state;
    const ct_program_spec spec = spec_of("+ i", 3);
    char key[33], name[128];
    fill(s, &spec, key);
    snprintf(name, sizeof name, "c/v1/%.2s/%s.clb", key, key);
    const size_t bytes = scratch_read(s, name, entry, sizeof entry);
    const size_t damage[] = {0, 100, CT_DISK_HEADER, CT_DISK_HEADER + 500, bytes - 1};
    for (size_t i = 0; i < CT_COUNT(damage); i++) {
        entry[damage[i]] ^= 0x10;
        scratch_write(s, name, entry, bytes);
        entry[damage[i]] ^= 0x10;
        clattn_context *context = open_context(s, CLATTN_CACHE_READ_WRITE, NULL);
        const ct_program *program = get(context, &spec, CT_BUILT);
        must_run(program, 3);
        assert_int_equal(stats_of(context).rejected, 1);
        assert_int_equal(stats_of(context).files, 0);
        ct_program_keep(&context->env, program);
        clattn_context_release(context);
        context = open_context(s, CLATTN_CACHE_READ_WRITE, NULL);
        must_run(get(context, &spec, CT_FROM_DISK), 3);
        clattn_context_release(context);
    }
}

/* A whole entry that the driver does not want. */
static void refused_binary(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 3);
    static const unsigned char nonsense[64] = "this was never a program";
    char key[33];
    fill(*state, &spec, key);
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    assert_true(ct_disk_put(context->env.cache->disk, key, "k", nonsense, sizeof nonsense));
    must_run(get(context, &spec, CT_BUILT), 3);
    assert_int_equal(stats_of(context).rejected, 1);
    assert_int_equal(stats_of(context).files, 0);
    clattn_context_release(context);
}

static void compile_errors(void **state)
{
    const ct_program_spec spec = spec_of("+ i\n  + 2\n  + no_such_name\n", 3);
    ct_program_spec wrong = spec_of("+ i", 3);
    const ct_program *program = (const ct_program *)1;
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_BUILD_FAILED);
        assert_ptr_equal(program, (const ct_program *)1);
        if (!strstr(clattn_error_detail(), "mine.cl:3:") || !strstr(clattn_error_detail(), "k.ref.SCALE3")) {
            fail_msg("the caller's line is not in: %s", clattn_error_detail());
        }
    }
    wrong.kernel = "missing";
    assert_int_equal(ct_program_get(&context->env, &wrong, &program, NULL), CL_INVALID_KERNEL_NAME);
    assert_non_null(strstr(clattn_error_detail(), "missing"));
    assert_int_equal(stats_of(context).builds, 0);
    clattn_context_release(context);
}

/* A program for another target says what was refused: the text, or what the driver gave for it. */
static void retargeting_errors(void **state)
{
    ct_program_spec spec = spec_of("+ i\n  + no_such_name\n", 3);
    const ct_program *program = NULL;
    clattn_context *context = open_context(*state, CLATTN_CACHE_OFF, NULL);
    spec.ptx_target = "sm_90a";
    assert_int_equal(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_BUILD_FAILED);
    assert_non_null(strstr(clattn_error_detail(), "mine.cl:2:"));
    spec.texts[CT_TEXT_SCORE].text = "+ i";
    if (ct_program_get(&context->env, &spec, &program, NULL) != CLATTN_OK) { /* no driver of that vendor's */
        assert_non_null(
            strstr(clattn_error_detail(), "kernel k.ref.SCALE3: the driver gives no PTX to retarget to sm_90a"));
        assert_null(strstr(clattn_error_detail(), "clBuildProgram"));
    }
    clattn_context_release(context);
}

typedef struct job {
    clattn_context *context;
    const ct_program_spec *specs;
    int n_specs;
    const ct_program *programs[8];
    clattn_status status;
    char detail[512];
} job;

static void *get_all(void *user)
{
    job *j = user;
    for (int i = 0; i < j->n_specs && j->status == CLATTN_OK; i++) {
        j->status = ct_program_get(&j->context->env, &j->specs[i], &j->programs[i], NULL);
        if (j->status == CLATTN_OK) {
            ct_program_keep(&j->context->env, j->programs[i]);
        }
    }
    snprintf(j->detail, sizeof j->detail, "%s", clattn_error_detail());
    return NULL;
}

static void in_threads(clattn_context *context, const ct_program_spec *specs, int n_specs, job jobs[THREADS])
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){.context = context, .specs = specs, .n_specs = n_specs};
        assert_int_equal(pthread_create(&threads[i], NULL, get_all, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void threads_build_once(void **state)
{
    const ct_program_spec specs[] = {spec_of("+ i", 1), spec_of("+ i", 2), spec_of("+ i", 3)};
    job jobs[THREADS];
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    in_threads(context, specs, 3, jobs);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(jobs[i].status, CLATTN_OK);
        for (int k = 0; k < 3; k++) {
            assert_ptr_equal(jobs[i].programs[k], jobs[0].programs[k]);
        }
    }
    const clattn_cache_stats stats = stats_of(context);
    assert_int_equal(stats.builds, 3);
    assert_int_equal(stats.memory_hits, 3 * (THREADS - 1));
    assert_int_equal(stats.files, 3);
    must_run(jobs[0].programs[1], 2);
    clattn_context_release(context);
}

static void threads_fail_alike(void **state)
{
    const ct_program_spec spec = spec_of("+ no_such_name", 1), good = spec_of("+ i", 1);
    job jobs[THREADS];
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    in_threads(context, &spec, 1, jobs);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(jobs[i].status, CLATTN_BUILD_FAILED);
        assert_non_null(strstr(jobs[i].detail, "k.ref.SCALE1"));
    }
    get(context, &good, CT_BUILT);
    clattn_context_release(context);
}

static void clear_forgets(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 3);
    char key[33], path[512];
    fill(*state, &spec, key);
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    scratch_path(*state, "c", path);
    assert_string_equal(clattn_cache_dir(context), path);
    const ct_program *old = get(context, &spec, CT_FROM_DISK);
    assert_int_equal(clattn_cache_clear(context), CLATTN_OK);
    assert_int_equal(stats_of(context).files, 0);
    const ct_program *again = get(context, &spec, CT_BUILT);
    assert_ptr_not_equal(old, again);
    must_run(old, 3); /* a plan may still hold it */
    must_run(again, 3);
    clattn_context_release(context);
}

static void modes(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 3);
    clattn_context *context = open_context(*state, CLATTN_CACHE_OFF, NULL);
    assert_string_equal(clattn_cache_dir(context), "");
    ct_program_keep(&context->env, get(context, &spec, CT_BUILT));
    assert_int_equal(stats_of(context).max_bytes, 0);
    assert_int_equal(clattn_cache_clear(context), CLATTN_OK);
    clattn_context_release(context);
    char key[33];
    fill(*state, &spec, key);
    const ct_program_spec other = spec_of("+ i", 4);
    context = open_context(*state, CLATTN_CACHE_READ_ONLY, NULL);
    get(context, &spec, CT_FROM_DISK);
    ct_program_keep(&context->env, get(context, &other, CT_BUILT));
    assert_int_equal(stats_of(context).files, 1);
    assert_int_equal(clattn_cache_clear(context), CLATTN_UNSUPPORTED);
    clattn_context_release(context);
}

static void bad_arguments(void **state)
{
    clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, NULL);
    clattn_cache_stats stats = {.struct_size = 1};
    assert_string_equal(clattn_cache_dir(NULL), "");
    assert_int_equal(clattn_cache_clear(NULL), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_cache_get_stats(NULL, &stats), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_cache_get_stats(context, NULL), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_cache_get_stats(context, &stats), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "struct_size is 1"));
    clattn_context_release(context);
}

static void every_allocation_may_fail(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 3);
    clattn_status st = CLATTN_OUT_OF_HOST_MEMORY;
    for (long n = 1; st != CLATTN_OK; n++) {
        ct_failing c = {.from_there_on = 1};
        const ct_program *program;
        clattn_context *context = open_context(*state, CLATTN_CACHE_READ_WRITE, &c);
        c.fail_at = c.made + n;
        st = ct_program_get(&context->env, &spec, &program, NULL);
        if (st == CLATTN_OK) {
            assert_true(n > 8);
            c.fail_at = c.made + 1 + n % 4;
            ct_program_keep(&context->env, program);
            c.fail_at = 0;
        } else {
            assert_int_equal(st, CLATTN_OUT_OF_HOST_MEMORY);
            c.fail_at = 0;
            if (n % 8 == 0) {
                assert_int_equal(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_OK);
            }
        }
        assert_int_equal(stats_of(context).rejected, 0);
        clattn_context_release(context);
        assert_int_equal(atomic_load(&c.held), 0);
    }
}

/* A retargeted program keeps its own binary for the disk: it goes with the program where no disk takes it. */
static void a_binary_is_released(void **state)
{
    const ct_program_spec spec = spec_of("+ i", 5);
    for (int keep = 0; keep < 2; keep++) {
        ct_failing c = {0};
        clattn_context *context = open_context(*state, CLATTN_CACHE_OFF, &c);
        const ct_program *program = get(context, &spec, CT_BUILT);
        ((ct_entry *)(uintptr_t)program)->binary = ct_alloc(&context->env.allocator, 8);
        if (keep) {
            ct_program_keep(&context->env, program);
        }
        clattn_context_release(context);
        assert_int_equal(atomic_load(&c.held), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_disk),
        TEST(kept_once),
        TEST(key_tells_apart),
        TEST(corrupted_entry),
        TEST(refused_binary),
        TEST(compile_errors),
        TEST(clear_forgets),
        TEST(modes),
        TEST(threads_build_once),
        TEST(threads_fail_alike),
        TEST(bad_arguments),
        TEST(every_allocation_may_fail),
        TEST(a_binary_is_released),
        TEST(retargeting_errors),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

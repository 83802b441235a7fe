/* Rows that lie gigabytes apart: a tile whose offsets cannot reach them declines, with the tensor, its stride and the
 * bound; every other one is right. The memory between the rows is never touched, so it costs nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tile/tensor_maps.h"
#include "tile/tiles.h"
#include "harness/random.h"
#include "plan/plan_parts.h"
#include "support/env.h"
#include "support/small_run.h"

#define LARGEST ((int64_t)INT32_MAX)
enum { N = 17, D = 16, COUNT = N * D };
#define AT_BOUND ((int64_t)(1 << 25) - 4) /* N rows of floats span 2^31 - 256 bytes */

static ct_shape_wish wish_of(clattn_dtype dtype, int tensor, int64_t rows, int64_t stride)
{
    static const char *const names[] = {"q", "k", "v"};
    ct_shape_wish w = {
        .dk = 64, .dv = 64, .nq = 4096, .nk = 4096, .pack = 1, .aligned = 8, .dtype = dtype, .streams = 3};
    for (int i = 0; i < 3; i++) {
        w.tensors[i] = (ct_rows){names[i], rows, i == tensor ? stride : 64};
    }
    return w;
}

typedef bool (*shape_fn)(const ct_device_facts *, const ct_shape_wish *, ct_shape *, char *, size_t);

/* Takes `most` and not `most + 1`, whichever tensor it is; one row alone has no stride. */
static void assert_bound(shape_fn shape, clattn_dtype dtype, int64_t most)
{
    ct_device_facts facts = {
        .cpu = true, .nv_capability = 90, .local_memory = 48 << 10, .max_group = 256, .vendor = "NVIDIA"};
    for (int i = 0; i < 3; i++) {
        const ct_shape_wish fits = wish_of(dtype, i, 4096, most), far = wish_of(dtype, i, 4096, most + 1),
                            alone = wish_of(dtype, i, 1, (int64_t)1 << 40);
        char why[256] = "", number[32];
        ct_shape s = {0};
        assert_true(shape(&facts, &fits, &s, why, sizeof why));
        assert_true(shape(&facts, &alone, &s, why, sizeof why));
        assert_false(shape(&facts, &far, &s, why, sizeof why));
        snprintf(number, sizeof number, "at most %lld", (long long)most);
        assert_true(why[0] == "qkv"[i] && strstr(why, number));
        snprintf(number, sizeof number, "stride of %lld", (long long)most + 1);
        assert_non_null(strstr(why, number));
    }
}

static int rows_of(shape_fn shape, clattn_dtype dtype)
{
    ct_device_facts facts = {
        .cpu = true, .nv_capability = 90, .local_memory = 48 << 10, .max_group = 256, .vendor = "NVIDIA"};
    const ct_shape_wish w = wish_of(dtype, 0, 4096, 64);
    char why[256] = "";
    ct_shape s = {0};
    assert_true(shape(&facts, &w, &s, why, sizeof why));
    return s.bm > s.bn ? s.bm : s.bn;
}

static void tiles_say_how_far_they_reach(void **state)
{
    static const clattn_dtype types[] = {CLATTN_F32, CLATTN_BF16};
    (void)state;
    for (int i = 0; i < ct_tile_count * 2; i++) {
        const ct_tile *tile = &ct_tiles[i / 2];
        const clattn_dtype dtype = types[i % 2];
        const shape_fn shapes[] = {tile->shape, tile->state_shape};
        for (int k = 0; k < 2 && shapes[k]; k++) {
            ct_device_facts facts = {.cpu = true, .nv_capability = 90, .local_memory = 48 << 10, .max_group = 256};
            const ct_shape_wish far = wish_of(dtype, 1, 4096, (int64_t)1 << 36);
            char why[256] = "";
            ct_shape s = {0};
            if (dtype == CLATTN_F32 && strcmp(tile->name, "cpu_amx") == 0) {
                continue; /* reads bf16 only */
            }
            if (strcmp(tile->name, "simt") == 0) {
                assert_bound(shapes[k], dtype,
                             LARGEST / (int64_t)clattn_dtype_size(dtype) / (rows_of(shapes[k], dtype) - 1));
            } else if (strcmp(tile->name, "nv_mma") == 0 && dtype == CLATTN_BF16) {
                assert_bound(shapes[k], dtype, LARGEST);
            } else if (dtype == CLATTN_F32 ? strncmp(tile->name, "nv", 2) != 0 : strcmp(tile->name, "nv_mma") != 0) {
                assert_true(shapes[k](&facts, &far, &s, why, sizeof why)); /* 64 bits, or tensor maps: below */
            }
        }
    }
}

/* Tensor maps hold strides below 2^40 bytes. */
static void tensor_maps_say_so_too(void **state)
{
    static const int64_t strides[] = {((int64_t)1 << 39) - 8, (int64_t)1 << 39};
    (void)state;
    for (int i = 0; i < 6; i++) {
        clattn_plan *plan = ct_alloc(NULL, sizeof *plan);
        ct_builder b = {.plan = plan};
        ct_tensor_in t[] = {{.name = "q"}, {.name = "k"}, {.name = "v"}};
        for (int k = 0; k < 3; k++) {
            t[k].dtype = CLATTN_BF16;
            t[k].width = t[k].rows = t[k].heads = t[k].batches = 64;
            t[k].strides = (clattn_strides){64, 64, 64};
        }
        int64_t *const one[] = {&t[1].strides.row, &t[1].strides.head, &t[1].strides.batch};
        *one[i / 2] = strides[i % 2];
        plan->tile = &ct_tiles[0];
        ct_assert_status(ct_tensor_maps(&b, t, 3, 0, NULL), i % 2 ? CLATTN_DEVICE_LACKS : CLATTN_OK, NULL);
        assert_true(i % 2 == 0 || (strncmp(b.declined, "k: ", 3) == 0 && strstr(b.declined, "stride of 549755813888") &&
                                   strstr(b.declined, "below 549755813888")));
        ct_plan_clear(plan);
        ct_release(NULL, plan);
    }
}

/* Shared memory of which a driver made the beginning only, the rest being ours: a driver may lend less than what an
 * index of 32 bits cannot reach. NULL where the driver's part does not come to lie before ours. */
typedef struct far_memory {
    char *shared, *rest;
    size_t bytes;
} far_memory;

static bool far_open(const ct_env *env, size_t bytes, far_memory *out)
{
    const size_t head = (size_t)1 << 28;
    char *all = mmap(NULL, head + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(all != MAP_FAILED);
    assert_int_equal(munmap(all, head), 0);
    *out = (far_memory){clSVMAlloc(env->place.cl, CL_MEM_READ_WRITE, head - (1 << 20), 0), all + head, bytes};
    if (!out->shared || out->shared < all || out->shared + head - (1 << 20) > out->rest) {
        return false;
    }
    char *gap = (char *)(((uintptr_t)out->shared + head - (1 << 20)) & ~(uintptr_t)4095); /* between the two */
    for (; gap < out->rest; gap += 4096) {
        mmap(gap, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    }
    return true;
}

static void far_close(const ct_env *env, far_memory *far)
{
    clSVMFree(env->place.cl, far->shared);
    munmap(far->rest, far->bytes);
}

/* o of one problem; `at`: where k lies, NULL for densely. */
static void run(const ct_env *env, clattn_context *context, const clattn_problem *problem, void *at, const float *data,
                float *o)
{
    clattn_plan *plan = NULL;
    cl_mem mems[4];
    clattn_arg args[4];
    size_t bytes = 0;
    ct_assert_status(clattn_plan_create(&plan, context, problem, NULL), CLATTN_OK, NULL);
    clattn_plan_workspace(plan, &bytes);
    cl_mem work = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE, bytes + 256, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        mems[i] = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, COUNT * sizeof(float),
                                 (void *)(uintptr_t)(data + i * COUNT), NULL);
        args[i] = (clattn_arg){(clattn_slot)i, clattn_buf_mem(mems[i], 0)};
    }
    args[1].buf = at ? clattn_buf_svm(at) : args[1].buf;
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_mem(work, 0), 0, NULL, NULL), CLATTN_OK,
                     NULL);
    assert_int_equal(clEnqueueReadBuffer(env->queue, mems[3], CL_TRUE, 0, COUNT * sizeof(float), o, 0, NULL, NULL),
                     CL_SUCCESS);
    for (int i = 0; i < 4; i++) {
        clReleaseMemObject(mems[i]);
    }
    clReleaseMemObject(work);
    clattn_plan_release(plan);
}

static void right_or_declined(const ct_env *env, const char *backend, const char *text, int64_t stride,
                              const far_memory *far)
{
    static float data[4 * COUNT], want[COUNT], got[COUNT];
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_problem problem;
    clattn_plan *plan = NULL;
    char number[64];
    options.backend = backend;
    clattn_context *context = ct_env_context(env, &options);
    ct_random random = ct_random_of(5, 1);
    for (int i = 0; i < 4 * COUNT; i++) {
        data[i] = (float)ct_random_normal(&random);
    }
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    run(env, context, &problem, NULL, data, want);
    problem.k = (clattn_strides){0, 0, stride};
    const clattn_status st = clattn_plan_create(&plan, context, &problem, NULL);
    clattn_plan_release(plan);
    if (st != CLATTN_OK) {
        snprintf(number, sizeof number, "k: a row stride of %lld elements", (long long)stride);
        ct_assert_status(st, CLATTN_DEVICE_LACKS, number);
        assert_true(strcmp(backend, "simt") == 0 && stride > AT_BOUND);
    } else if (far) {
        for (int i = 0; i < N; i++) {
            memcpy(far->shared + (size_t)i * (size_t)stride * sizeof(float), data + COUNT + i * D, D * sizeof(float));
        }
        run(env, context, &problem, far->shared, data, got);
        for (int i = 0; i < COUNT; i++) {
            if (!(fabsf(got[i] - want[i]) <= 1e-5f)) {
                fail_msg("%s on %s, row stride %lld: o[%d] is %g instead of %g", text, backend, (long long)stride, i,
                         (double)got[i], (double)want[i]);
            }
        }
    }
    clattn_context_release(context);
}

static void right_or_declined_on_every_backend(void **state)
{
    static const char *const texts[] = {"dense h=1 n=17 d=16", "linear h=1 n=17 d=16", "linear h=1 n=17 d=16 causal=0",
                                        "linear h=1 n=17 d=16 pass=decode"};
    static const int64_t strides[] = {(int64_t)1 << 20, AT_BOUND, (int64_t)1 << 26};
    const ct_env *env = *state;
    far_memory far;
    const bool opened = far_open(env, (size_t)(N + 1) << 28, &far);
    if (!opened) {
        print_message("the driver's memory does not lie before ours: plans only\n");
    }
    for (int b = 0; small_backend(b); b++) {
        for (size_t i = 0; small_usable(small_backend(b)) && i < CT_COUNT(strides) * CT_COUNT(texts); i++) {
            right_or_declined(env, small_backend(b), texts[i / CT_COUNT(strides)], strides[i % CT_COUNT(strides)],
                              opened ? &far : NULL);
        }
    }
    far_close(env, &far);
}

static int teardown(void **state)
{
    small_teardown(state);
    return ct_env_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles_say_how_far_they_reach),
                                       cmocka_unit_test(tensor_maps_say_so_too),
                                       cmocka_unit_test(right_or_declined_on_every_backend)};
    return cmocka_run_group_tests_name("far rows", tests, ct_env_setup, teardown);
}

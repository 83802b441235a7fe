/* Plans and enqueues: error paths of every function, events, both kinds of queues, offsets, pointers, many threads on
 * one plan. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/random.h"
#include "support/env.h"
#include "support/failing.h"

enum { H = 2, N = 48, D = 16, COUNT = H * N * D, BYTES = COUNT * 4 };

static float q[COUNT], k[COUNT], v[COUNT], want[COUNT];
static clattn_plan *plan;
static cl_mem buffers[4];

static cl_mem buffer(const ct_env *env, size_t bytes, const void *data)
{
    cl_int error = CL_SUCCESS;
    cl_mem mem = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE | (data ? CL_MEM_COPY_HOST_PTR : 0), bytes,
                                (void *)(uintptr_t)data, &error);
    assert_int_equal(error, CL_SUCCESS);
    return mem;
}

static clattn_plan *plan_of(const ct_env *env, const char *text)
{
    clattn_problem problem;
    clattn_plan *made = NULL;
    assert_int_equal(clattn_problem_parse(&problem, text), CLATTN_OK);
    if (clattn_plan_create(&made, env->place.context, &problem, NULL) != CLATTN_OK) {
        fail_msg("%s: %s", text, clattn_error_detail());
    }
    return made;
}

static void args_of(clattn_arg *args, const cl_mem *mems)
{
    static const clattn_slot slots[4] = {CLATTN_Q, CLATTN_K, CLATTN_V, CLATTN_O};
    for (int i = 0; i < 4; i++) {
        args[i] = (clattn_arg){slots[i], clattn_buf_mem(mems[i], 0)};
    }
}

static int setup(void **state)
{
    const int st = ct_env_setup(state);
    const ct_env *env = *state;
    ct_random random = ct_random_of(3, 1);
    for (int i = 0; i < COUNT; i++) {
        q[i] = (float)ct_random_normal(&random);
        k[i] = (float)ct_random_normal(&random);
        v[i] = (float)ct_random_normal(&random);
    }
    const float *const data[4] = {q, k, v, NULL};
    for (int i = 0; i < 4; i++) {
        buffers[i] = buffer(env, BYTES, data[i]);
    }
    plan = plan_of(env, "dense h=2 n=48 d=16");
    clattn_arg args[4];
    args_of(args, buffers);
    assert_int_equal(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), CLATTN_OK);
    assert_int_equal(clEnqueueReadBuffer(env->queue, buffers[3], CL_TRUE, 0, BYTES, want, 0, NULL, NULL), CL_SUCCESS);
    for (int i = 0; i < COUNT; i++) {
        assert_true(isfinite(want[i]));
    }
    return st;
}

static int teardown(void **state)
{
    for (int i = 0; i < 4; i++) {
        clReleaseMemObject(buffers[i]);
    }
    clattn_plan_release(plan);
    return ct_env_teardown(state);
}

static void read_and_compare(const ct_env *env, cl_command_queue queue, cl_mem mem, size_t offset)
{
    static float got[COUNT];
    (void)env;
    assert_int_equal(clEnqueueReadBuffer(queue, mem, CL_TRUE, offset, BYTES, got, 0, NULL, NULL), CL_SUCCESS);
    assert_memory_equal(got, want, BYTES);
}

static void arguments_are_checked(void **state)
{
    const ct_env *env = *state;
    clattn_arg args[5];
    const clattn_buf none = clattn_buf_none();
    cl_event event = NULL;
    args_of(args, buffers);
    ct_assert_status(clattn_enqueue(NULL, plan, args, 4, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT, "queue");
    ct_assert_status(clattn_enqueue(env->queue, NULL, args, 4, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT, "plan");
    ct_assert_status(clattn_enqueue(env->queue, plan, NULL, 4, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT, "args");
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, none, 1, NULL, NULL), CLATTN_INVALID_ARGUMENT, "n_wait");
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, none, 0, &event, NULL), CLATTN_INVALID_ARGUMENT,
                     "wait_list");
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 3, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                     "'o' is missing");
    args[4] = args[0];
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 5, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                     "'q' is given twice");
    args[4].slot = CLATTN_BIAS;
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 5, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                     "no slot 'bias'");
    args[4].slot = (clattn_slot)99;
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 5, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT, "99");
    args[0].buf.offset = 2;
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                     "offset 2");
    args[0].buf.offset = 16;
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, none, 0, NULL, NULL), CLATTN_BUFFER_TOO_SMALL,
                     "behind offset 16");
    args[0].buf.offset = 1 << 30;
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, none, 0, NULL, NULL), CLATTN_BUFFER_TOO_SMALL,
                     "has 0 bytes");
    args[0].buf = (clattn_buf){buffers[0], q, 0};
    ct_assert_status(clattn_enqueue(env->queue, plan, args, 4, none, 0, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                     "a cl_mem and a pointer");
}

static void foreign_queues(void **state)
{
    const ct_env *env = *state;
    cl_int error = CL_SUCCESS;
    clattn_arg args[4];
    cl_device_id device = env->place.device;
    cl_context other = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    cl_command_queue queue = clCreateCommandQueueWithProperties(other, device, NULL, &error);
    assert_int_equal(error, CL_SUCCESS);
    args_of(args, buffers);
    ct_assert_status(clattn_enqueue(queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), CLATTN_INVALID_ARGUMENT,
                     "another cl_context");
    clReleaseCommandQueue(queue);
    clReleaseContext(other);
}

static void plans_are_checked(void **state)
{
    const ct_env *env = *state;
    clattn_problem problem;
    clattn_plan *made = NULL;
    clattn_layout *layout = NULL;
    size_t bytes;
    clattn_plan_info info = {.struct_size = 1};
    clattn_problem_init(&problem);
    ct_assert_status(clattn_plan_create(NULL, env->place.context, &problem, NULL), CLATTN_INVALID_ARGUMENT, "out");
    ct_assert_status(clattn_plan_create(&made, NULL, &problem, NULL), CLATTN_INVALID_ARGUMENT, "context");
    ct_assert_status(clattn_plan_create(&made, env->place.context, NULL, NULL), CLATTN_INVALID_ARGUMENT, "problem");
    problem.pass = CLATTN_DECODE;
    strcpy(problem.method, "sparse_linear");
    ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, NULL), CLATTN_UNSUPPORTED, "pass=decode");
    strcpy(problem.method, "dense");
    problem.pass = CLATTN_FWD;
    const int32_t row_ptr[] = {0, 1}, col[] = {0};
    assert_int_equal(clattn_layout_from_csr(&layout, 1, 64, 64, 64, 64, row_ptr, col, NULL), CLATTN_OK);
    ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, layout), CLATTN_INVALID_ARGUMENT,
                     "takes no layout");
    strcpy(problem.method, "block_sparse");
    ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, layout), CLATTN_BAD_LAYOUT, "64 x 64");
    clattn_layout_release(layout);
    clattn_layout *turned = NULL;
    ct_assert_status(
        clattn_problem_parse(&problem, "block_sparse pattern=longformer window=8,8 indices=3 block=16 n=64"), CLATTN_OK,
        NULL);
    ct_assert_status(clattn_layout_from_problem(&layout, &problem, NULL), CLATTN_OK, NULL);
    ct_assert_status(clattn_layout_transpose(&turned, layout), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, turned), CLATTN_UNSUPPORTED, "transpose");
    clattn_layout_release(turned);
    clattn_layout_release(layout);
    clattn_problem_init(&problem);
    strcpy(problem.score_file, "/no/such/text.cl");
    ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, NULL), CLATTN_IO, "/no/such/text.cl");
    assert_null(made);
    ct_assert_status(clattn_plan_workspace(NULL, &bytes), CLATTN_INVALID_ARGUMENT, "plan");
    ct_assert_status(clattn_plan_workspace(plan, NULL), CLATTN_INVALID_ARGUMENT, "bytes");
    ct_assert_status(clattn_plan_get_info(plan, NULL), CLATTN_INVALID_ARGUMENT, "info");
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_INVALID_ARGUMENT, "struct_size");
    ct_assert_status(clattn_plan_slot(plan, (clattn_slot)-1, NULL, NULL, NULL, NULL), CLATTN_INVALID_ARGUMENT, "slot");
    ct_assert_status(clattn_plan_slot(NULL, CLATTN_Q, NULL, NULL, NULL, NULL), CLATTN_INVALID_ARGUMENT, "plan");
    assert_string_equal(clattn_plan_describe(NULL), "");
    clattn_plan_release(NULL);
    clattn_plan_retain(NULL);
}

/* Work and density count what is visible, head by head, and nothing else. */
static void work_is_counted(void **state)
{
    const ct_env *env = *state;
    static const struct {
        const char *text;
        double density;
    } cases[] = {
        {"dense n=64 h=2 d=16", 1},
        {"dense n=64 h=2 d=16 causal=1", 65.0 / 128},
        {"block_sparse pattern=fixed per_head=1 patterns=2 block=16 h=4 n=256 d=16", -1}, /* as the lists say */
        {"linear feature=elu h=2 n=64 d=16", 1},
        {"merge n=64 h=2 d=16", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clattn_problem problem;
        clattn_plan *made = NULL;
        clattn_plan_info info = {.struct_size = sizeof info};
        double expected = cases[i].density;
        ct_assert_status(clattn_problem_parse(&problem, cases[i].text), CLATTN_OK, NULL);
        if (expected < 0) {
            clattn_layout *layout = NULL;
            clattn_layout_info lists = {.struct_size = sizeof lists};
            ct_assert_status(clattn_layout_from_problem(&layout, &problem, NULL), CLATTN_OK, NULL);
            ct_assert_status(clattn_layout_get_info(layout, &lists), CLATTN_OK, NULL);
            assert_int_equal(lists.heads, 4);
            expected = lists.density;
            clattn_layout_release(layout);
        }
        ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, NULL), CLATTN_OK, NULL);
        ct_assert_status(clattn_plan_get_info(made, &info), CLATTN_OK, NULL);
        if (fabs(info.density - expected) > 1e-9) {
            fail_msg("%s: density %g, expected %g", cases[i].text, info.density, expected);
        }
        clattn_plan_release(made);
    }
}

static void a_text_that_does_not_compile(void **state)
{
    const ct_env *env = *state;
    clattn_problem problem;
    clattn_plan *made = NULL;
    clattn_problem_init(&problem);
    problem.score_text = "score +\n\n  no_such_name";
    ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, NULL), CLATTN_BUILD_FAILED,
                     "no_such_name");
    assert_non_null(strstr(clattn_error_detail(), "score text:3"));
}

static clattn_status with_text(const ct_env *env, clattn_plan *made, size_t floats)
{
    clattn_arg args[5];
    args_of(args, buffers);
    cl_mem numbers = floats ? buffer(env, floats * 4, NULL) : NULL;
    args[4] = (clattn_arg){CLATTN_TEXT_BUFFER, clattn_buf_mem(numbers, 0)};
    const clattn_status st = clattn_enqueue(env->queue, made, args, floats ? 5 : 4, clattn_buf_none(), 0, NULL, NULL);
    clFinish(env->queue);
    if (numbers) {
        clReleaseMemObject(numbers);
    }
    return st;
}

/* A text that reads a buffer asks for it, and a size that was declared is looked at. */
static void the_buffer_of_a_text(void **state)
{
    const ct_env *env = *state;
    static const struct {
        const char *score, *mask;
        int64_t declared;
        int want;
    } cases[] = {
        {"score + gather(buffer, (VI)(0), 0, key)", NULL, 0, 2},
        {NULL, "gather(buffer, (VI)(0), 0, key) == 0.0f", 0, 2},
        {"score /* buffer */ * 2.0f // buffer", NULL, 0, 1},
        {"score + gather(buffer, (VI)(0), 0, key)", NULL, 48, 2},
        {"score", NULL, 48, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clattn_problem problem;
        clattn_plan *made = NULL;
        int asked = 0, rank = 0;
        int64_t dims[5] = {-1};
        ct_assert_status(clattn_problem_parse(&problem, "dense h=2 n=48 d=16"), CLATTN_OK, NULL);
        problem.score_text = cases[i].score;
        problem.mask_text = cases[i].mask;
        problem.text_buffer = cases[i].declared;
        ct_assert_status(clattn_plan_create(&made, env->place.context, &problem, NULL), CLATTN_OK, NULL);
        ct_assert_status(clattn_plan_slot(made, CLATTN_TEXT_BUFFER, &asked, NULL, &rank, dims), CLATTN_OK, NULL);
        assert_true(asked == cases[i].want && rank == 1 && dims[0] == cases[i].declared);
        ct_assert_status(with_text(env, made, 0), asked == 2 ? CLATTN_INVALID_ARGUMENT : CLATTN_OK,
                         asked == 2 ? "'text-buffer' is missing" : NULL);
        if (cases[i].declared) {
            ct_assert_status(with_text(env, made, 47), CLATTN_BUFFER_TOO_SMALL, "text-buffer has 188 bytes");
        }
        ct_assert_status(with_text(env, made, 48), CLATTN_OK, NULL);
        clattn_plan_release(made);
    }
}

static void the_workspace_is_checked(void **state)
{
    const ct_env *env = *state;
    size_t bytes = 0;
    clattn_plan *split = plan_of(env, "dense h=1 nq=1 nk=4096 d=16 pass=decode");
    clattn_arg args[4];
    cl_mem mems[4] = {buffer(env, 16 * 4, NULL), buffer(env, 4096 * 16 * 4, NULL), buffer(env, 4096 * 16 * 4, NULL),
                      buffer(env, 16 * 4, NULL)};
    assert_int_equal(clattn_plan_workspace(split, &bytes), CLATTN_OK);
    if (bytes) {
        cl_mem work = buffer(env, bytes + 255, NULL);
        args_of(args, mems);
        ct_assert_status(clattn_enqueue(env->queue, split, args, 4, clattn_buf_none(), 0, NULL, NULL),
                         CLATTN_WORKSPACE_TOO_SMALL, "no workspace");
        ct_assert_status(clattn_enqueue(env->queue, split, args, 4, clattn_buf_mem(work, 8), 0, NULL, NULL),
                         CLATTN_INVALID_ARGUMENT, "256");
        ct_assert_status(clattn_enqueue(env->queue, split, args, 4, clattn_buf_mem(work, 256), 0, NULL, NULL),
                         CLATTN_WORKSPACE_TOO_SMALL, "needed are");
        assert_int_equal(clattn_enqueue(env->queue, split, args, 4, clattn_buf_mem(work, 0), 0, NULL, NULL), CLATTN_OK);
        assert_int_equal(clFinish(env->queue), CL_SUCCESS);
        clReleaseMemObject(work);
    }
    for (int i = 0; i < 4; i++) {
        clReleaseMemObject(mems[i]);
    }
    clattn_plan_release(split);
}

static void offsets_pointers_and_events(void **state)
{
    const ct_env *env = *state;
    clattn_arg args[4];
    cl_int error = CL_SUCCESS;
    cl_mem large = buffer(env, 2 * BYTES, NULL);
    cl_event gate = clCreateUserEvent(env->place.cl, &error), done = NULL;
    args_of(args, buffers);
    args[3].buf = clattn_buf_mem(large, 160);
    assert_int_equal(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_none(), 1, &gate, &done), CLATTN_OK);
    cl_int status = CL_COMPLETE;
    assert_int_equal(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL), CL_SUCCESS);
    assert_int_not_equal(status, CL_COMPLETE); /* enqueue returned although its wait list is open */
    clSetUserEventStatus(gate, CL_COMPLETE);
    assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
    read_and_compare(env, env->queue, large, 160);
    clReleaseEvent(done);
    clReleaseEvent(gate);
    clReleaseMemObject(large);

    float *shared = clSVMAlloc(env->place.cl, CL_MEM_READ_WRITE, BYTES, 0);
    if (shared) {
        args[3].buf = clattn_buf_svm(shared);
        assert_int_equal(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), CLATTN_OK);
        assert_int_equal(clFinish(env->queue), CL_SUCCESS);
        clEnqueueSVMMap(env->queue, CL_TRUE, CL_MAP_READ, shared, BYTES, 0, NULL, NULL);
        assert_memory_equal(shared, want, BYTES);
        clEnqueueSVMUnmap(env->queue, shared, 0, NULL, NULL);
        clFinish(env->queue);
        clSVMFree(env->place.cl, shared);
    }
}

/* Y4: one buffer for q, k and v; tensors in sub-buffers. */
static void shared_and_sub_buffers(void **state)
{
    const ct_env *env = *state;
    static float apart[COUNT], together[COUNT];
    cl_mem same[2] = {buffer(env, BYTES, q), buffer(env, BYTES, q)}, parent = buffer(env, 3 * 4096 + 3 * BYTES, NULL),
           out = buffer(env, BYTES, NULL);
    clattn_arg args[4];
    args_of(args, (const cl_mem[]){buffers[0], same[0], same[1], out});
    assert_int_equal(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), CLATTN_OK);
    assert_int_equal(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, BYTES, apart, 0, NULL, NULL), CL_SUCCESS);
    args_of(args, (const cl_mem[]){same[0], same[0], same[0], out});
    assert_int_equal(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), CLATTN_OK);
    assert_int_equal(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, BYTES, together, 0, NULL, NULL), CL_SUCCESS);
    assert_memory_equal(together, apart, BYTES);
    const float *const data[3] = {q, k, v};
    cl_mem subs[4] = {NULL, NULL, NULL, out};
    for (int i = 0; i < 3; i++) {
        cl_int error = CL_SUCCESS;
        const size_t step = (BYTES + 4095) / 4096 * 4096;
        subs[i] = clCreateSubBuffer(parent, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                    &(cl_buffer_region){(size_t)i * step, BYTES}, &error);
        assert_int_equal(error, CL_SUCCESS);
        assert_int_equal(clEnqueueWriteBuffer(env->queue, subs[i], CL_TRUE, 0, BYTES, data[i], 0, NULL, NULL),
                         CL_SUCCESS);
    }
    args_of(args, subs);
    assert_int_equal(clattn_enqueue(env->queue, plan, args, 4, clattn_buf_none(), 0, NULL, NULL), CLATTN_OK);
    read_and_compare(env, env->queue, out, 0);
    cl_mem all[] = {subs[0], subs[1], subs[2], same[0], same[1], parent, out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        clReleaseMemObject(all[i]);
    }
}

/* A kernel keeps what was set for the launch before: what is given now, left out or elsewhere must count now. */
static void optional_slots_come_and_go(void **state)
{
    enum { ROWS = H * N };
    const ct_env *env = *state;
    static float lse[2 * ROWS], first[ROWS], poison[2 * ROWS];
    memset(poison, 0xff, sizeof poison);
    cl_mem places[2] = {buffer(env, sizeof poison, poison), buffer(env, sizeof poison, poison)};
    clattn_arg args[5];
    args_of(args, buffers);
    for (int turn = 0; turn < 6; turn++) { /* without; here; there, behind; without; there again; here, behind */
        const int at = (const int[]){-1, 0, 1, -1, 1, 0}[turn], behind = turn == 2 || turn == 5 ? ROWS : 0;
        if (at >= 0) {
            args[4] = (clattn_arg){CLATTN_LSE, clattn_buf_mem(places[at], (size_t)behind * 4)};
        }
        for (int i = 0; i < 2; i++) {
            clEnqueueWriteBuffer(env->queue, places[i], CL_TRUE, 0, sizeof poison, poison, 0, NULL, NULL);
        }
        assert_int_equal(clattn_enqueue(env->queue, plan, args, at < 0 ? 4 : 5, clattn_buf_none(), 0, NULL, NULL),
                         CLATTN_OK);
        read_and_compare(env, env->queue, buffers[3], 0);
        for (int i = 0; i < 2; i++) {
            clEnqueueReadBuffer(env->queue, places[i], CL_TRUE, 0, sizeof lse, lse, 0, NULL, NULL);
            if (turn == 1 && i == 0) {
                memcpy(first, lse, sizeof first);
                assert_true(isfinite(first[0]) && isfinite(first[ROWS - 1]));
            }
            assert_memory_equal(lse + behind, i == at ? first : poison, sizeof first);
            assert_memory_equal(lse + ROWS - behind, poison, sizeof first);
        }
    }
    clReleaseMemObject(places[0]);
    clReleaseMemObject(places[1]);
}

/* The plan and its context may go while their launches still wait. */
static void released_at_once(void **state)
{
    const ct_env *env = *state;
    ct_env mine = *env;
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_arg args[4];
    cl_int error = CL_SUCCESS;
    cl_mem out = buffer(env, BYTES, NULL);
    cl_event gate = clCreateUserEvent(env->place.cl, &error);
    args_of(args, buffers);
    args[3].buf = clattn_buf_mem(out, 0);
    mine.place.context = ct_env_context(env, &options);
    clattn_plan *short_lived = plan_of(&mine, "dense h=2 n=48 d=16");
    assert_int_equal(clattn_enqueue(env->queue, short_lived, args, 4, clattn_buf_none(), 1, &gate, NULL), CLATTN_OK);
    clattn_plan_release(short_lived);
    clattn_context_release(mine.place.context);
    clSetUserEventStatus(gate, CL_COMPLETE);
    read_and_compare(env, env->queue, out, 0);
    clReleaseEvent(gate);
    clReleaseMemObject(out);
}

/* Several launches that depend on each other, on a queue that keeps no order. */
static void out_of_order(void **state)
{
    const ct_env *env = *state;
    cl_int error = CL_SUCCESS;
    const cl_queue_properties properties[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, 0};
    cl_command_queue queue = clCreateCommandQueueWithProperties(env->place.cl, env->place.device, properties, &error);
    clattn_plan *split = plan_of(env, "dense h=1 nq=1 nk=768 d=16 pass=decode");
    clattn_arg args[4];
    float got[2][16];
    size_t bytes = 0;
    cl_mem mems[4] = {buffers[0], buffer(env, 768 * 64, NULL), buffer(env, 768 * 64, NULL), buffer(env, 64, NULL)};
    assert_int_equal(error, CL_SUCCESS);
    clEnqueueWriteBuffer(queue, mems[1], CL_TRUE, 0, BYTES, k, 0, NULL, NULL);
    clEnqueueWriteBuffer(queue, mems[2], CL_TRUE, 0, BYTES, v, 0, NULL, NULL);
    clattn_plan_workspace(split, &bytes);
    cl_mem work = buffer(env, bytes + 256, NULL);
    args_of(args, mems);
    for (int i = 0; i < 2; i++) {
        cl_event done = NULL;
        assert_int_equal(
            clattn_enqueue(i ? queue : env->queue, split, args, 4, clattn_buf_mem(work, 0), 0, NULL, &done), CLATTN_OK);
        assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
        clEnqueueReadBuffer(queue, mems[3], CL_TRUE, 0, sizeof got[i], got[i], 0, NULL, NULL);
        clReleaseEvent(done);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    for (int i = 1; i < 4; i++) {
        clReleaseMemObject(mems[i]);
    }
    clReleaseMemObject(work);
    clReleaseCommandQueue(queue);
    clattn_plan_release(split);
}

/* What one of many does, and what became of it: how often each step failed, and how at first. */
enum { CROWD = 16, ROUNDS = 20, BURST = 8 };
enum { MAKE_QUEUE, MAKE_BUFFER, FILL, ENQUEUE, READ, COMPARE, FINISH, STEPS };
static const char *const step_names[STEPS] = {"clCreateCommandQueueWithProperties",
                                              "clCreateBuffer",
                                              "clEnqueueFillBuffer",
                                              "clattn_enqueue",
                                              "clEnqueueReadBuffer",
                                              "comparing",
                                              "clFinish"};
typedef struct job {
    const ct_env *env;
    clattn_plan *plan;
    cl_command_queue queue;
    cl_mem mine;
    struct {
        int calls, failed, round, code;
        char detail[256];
    } steps[STEPS];
} job;

static bool note(job *j, int step, int round, int code)
{
    j->steps[step].calls++;
    if (code != 0 && j->steps[step].failed++ == 0) {
        j->steps[step].round = round;
        j->steps[step].code = code;
        snprintf(j->steps[step].detail, sizeof j->steps[step].detail, "%s",
                 step == ENQUEUE ? clattn_error_detail() : clattn_status_text(code));
    }
    return code == 0;
}

static void job_open(job *j)
{
    cl_int error = CL_SUCCESS;
    j->queue = clCreateCommandQueueWithProperties(j->env->place.cl, j->env->place.device, NULL, &error);
    note(j, MAKE_QUEUE, 0, error);
    j->mine = clCreateBuffer(j->env->place.cl, CL_MEM_READ_WRITE, BURST * BYTES, NULL, &error);
    note(j, MAKE_BUFFER, 0, error);
}

/* Several launches at once, each to a place of its own: one that got another job's argument leaves NaN. */
static void job_round(job *j, int round)
{
    const float poison = NAN;
    float got[BURST][COUNT];
    bool launched[BURST];
    clattn_arg args[4];
    if (!j->queue || !j->mine) {
        return;
    }
    args_of(args, buffers);
    note(j, FILL, round, clEnqueueFillBuffer(j->queue, j->mine, &poison, sizeof poison, 0, sizeof got, 0, NULL, NULL));
    for (int i = 0; i < BURST; i++) {
        args[3].buf = clattn_buf_mem(j->mine, (size_t)i * BYTES);
        launched[i] =
            note(j, ENQUEUE, round, clattn_enqueue(j->queue, j->plan, args, 4, clattn_buf_none(), 0, NULL, NULL));
    }
    const bool read =
        note(j, READ, round, clEnqueueReadBuffer(j->queue, j->mine, CL_TRUE, 0, sizeof got, got, 0, NULL, NULL));
    for (int i = 0; i < BURST; i++) {
        if (launched[i] && read) {
            note(j, COMPARE, round, memcmp(got[i], want, BYTES) == 0 ? 0 : CLATTN_INTERNAL);
        }
    }
}

static void job_close(job *j)
{
    if (j->queue) {
        note(j, FINISH, ROUNDS, clFinish(j->queue));
        clReleaseCommandQueue(j->queue);
    }
    if (j->mine) {
        clReleaseMemObject(j->mine);
    }
}

/* One line for each job that failed, with every step that did. */
static void judge(const char *what, const job *jobs)
{
    int failed = 0;
    for (int i = 0; i < CROWD; i++) {
        char line[2048] = "";
        size_t length = 0;
        for (int step = 0; step < STEPS && length < sizeof line; step++) {
            if (jobs[i].steps[step].failed) {
                length += (size_t)snprintf(
                    line + length, sizeof line - length, "; %s failed %d of %d times, first in round %d: %s (%d): %s",
                    step_names[step], jobs[i].steps[step].failed, jobs[i].steps[step].calls, jobs[i].steps[step].round,
                    step == COMPARE ? "wrong result" : clattn_status_name(jobs[i].steps[step].code),
                    jobs[i].steps[step].code, step == COMPARE ? "" : jobs[i].steps[step].detail);
            }
        }
        failed += length > 0;
        if (length > 0) {
            print_error("%s, number %d%s\n", what, i, line);
        }
    }
    if (failed) {
        fail_msg("%s: %d of %d failed", what, failed, CROWD);
    }
}

static void *job_run(void *argument)
{
    job_open(argument);
    for (int i = 0; i < ROUNDS; i++) {
        job_round(argument, i);
    }
    job_close(argument);
    return NULL;
}

static void run_threads(job *jobs)
{
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, job_run, &jobs[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) { /* all of them, before a check may leave: they write to the caller's frame */
        pthread_join(threads[i], NULL);
    }
}

/* Sixteen threads with queues of their own on one plan and one context. */
static void many_threads(void **state)
{
    job jobs[CROWD] = {{0}};
    for (int i = 0; i < CROWD; i++) {
        jobs[i] = (job){.env = *state, .plan = plan};
    }
    run_threads(jobs);
    judge("many threads on one plan", jobs);
}

/* The same with a plan each, which shares its program only: tells a plan's own state from the driver's. */
static void many_threads_and_plans(void **state)
{
    job jobs[CROWD] = {{0}};
    for (int i = 0; i < CROWD; i++) {
        jobs[i] = (job){.env = *state, .plan = plan_of(*state, "dense h=2 n=48 d=16")};
    }
    run_threads(jobs);
    for (int i = 0; i < CROWD; i++) {
        clattn_plan_release(jobs[i].plan);
    }
    judge("many threads, a plan each", jobs);
}

/* The same queues in turn from one thread: tells their number from what happens at once. */
static void many_queues(void **state)
{
    job jobs[CROWD] = {{0}};
    for (int i = 0; i < CROWD; i++) {
        jobs[i] = (job){.env = *state, .plan = plan};
        job_open(&jobs[i]);
    }
    for (int i = 0; i < CROWD * ROUNDS; i++) {
        job_round(&jobs[i % CROWD], i / CROWD);
    }
    for (int i = 0; i < CROWD; i++) {
        job_close(&jobs[i]);
    }
    judge("many queues of one thread", jobs);
}

typedef struct wanted_plan {
    const ct_env *env;
    const char *text;
} wanted_plan;

static clattn_status make_context_and_plan(void *user, const clattn_allocator *allocator)
{
    const wanted_plan *of = user;
    const ct_env *env = of->env;
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_context *context = NULL;
    clattn_plan *made = NULL;
    clattn_problem problem;
    options.allocator = *allocator;
    options.cache_mode = CLATTN_CACHE_OFF;
    options.backend = "ref";
    clattn_problem_parse(&problem, of->text);
    clattn_status st = clattn_context_create(&context, env->place.cl, env->place.device, &options);
    st = st ? st : clattn_plan_create(&made, context, &problem, NULL);
    clattn_plan_release(made);
    clattn_context_release(context);
    return st;
}

/* The n-th host allocation fails, for every n, once and for good. */
static void allocations_fail(void **state)
{
    static const char *const texts[] = {
        "block_sparse h=1 n=48 d=16 pattern=window window=20,0 block=16",
        "block_sparse h=1 n=48 d=16 pattern=csr block=16 alibi=1",
        "lightning h=1 n=48 d=16 decay=minimax:1/3 state=1",
        "sparse_linear h=1 n=48 d=16 pattern=sliding block=16 sliding=1 remaining=1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        wanted_plan of = {*state, texts[i]};
        assert_true(ct_fail_every_allocation(make_context_and_plan, &of) >= 8);
    }
}

static void contexts_are_checked(void **state)
{
    const ct_env *env = *state;
    clattn_context *made = NULL;
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    ct_assert_status(clattn_context_create(NULL, env->place.cl, env->place.device, NULL), CLATTN_INVALID_ARGUMENT,
                     "out");
    ct_assert_status(clattn_context_create(&made, NULL, env->place.device, NULL), CLATTN_INVALID_ARGUMENT, "context");
    ct_assert_status(clattn_context_create(&made, env->place.cl, NULL, NULL), CLATTN_INVALID_ARGUMENT, "device");
    options.backend = "triton";
    ct_assert_status(clattn_context_create(&made, env->place.cl, env->place.device, &options), CLATTN_INVALID_ARGUMENT,
                     "triton");
    options.backend = NULL;
    options.cache_mode = (clattn_cache_mode)9;
    ct_assert_status(clattn_context_create(&made, env->place.cl, env->place.device, &options), CLATTN_INVALID_ARGUMENT,
                     "cache_mode is 9");
    options.cache_mode = CLATTN_CACHE_OFF;
    options.cache_max_bytes = -5;
    ct_assert_status(clattn_context_create(&made, env->place.cl, env->place.device, &options), CLATTN_INVALID_ARGUMENT,
                     "-5");
    options.cache_max_bytes = 0;
    options.struct_size = 8;
    ct_assert_status(clattn_context_create(&made, env->place.cl, env->place.device, &options), CLATTN_INVALID_ARGUMENT,
                     "struct_size");
    options.struct_size = sizeof options;
    options.allocator.allocate = (void *(*)(size_t, void *))(uintptr_t)1;
    ct_assert_status(clattn_context_create(&made, env->place.cl, env->place.device, &options), CLATTN_INVALID_ARGUMENT,
                     "allocator");
    assert_null(made);
    assert_non_null(strstr(clattn_context_describe(env->place.context), "\"backends\""));
    assert_ptr_equal(clattn_context_describe(env->place.context), clattn_context_describe(env->place.context));
    clattn_context_release(NULL);
    clattn_context_retain(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(foreign_queues),
        cmocka_unit_test(plans_are_checked),
        cmocka_unit_test(a_text_that_does_not_compile),
        cmocka_unit_test(the_buffer_of_a_text),
        cmocka_unit_test(the_workspace_is_checked),
        cmocka_unit_test(work_is_counted),
        cmocka_unit_test(offsets_pointers_and_events),
        cmocka_unit_test(shared_and_sub_buffers),
        cmocka_unit_test(optional_slots_come_and_go),
        cmocka_unit_test(released_at_once),
        cmocka_unit_test(out_of_order),
        cmocka_unit_test(many_queues),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(many_threads_and_plans),
        cmocka_unit_test(allocations_fail),
        cmocka_unit_test(contexts_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* The binary $CLATTN_TOOL: exit statuses, messages, formats, and `run` against the reference. */
#include "clattn/tensor.h"
#include "cli/unit.h"
#include "harness/random.h"
#include "harness/storage.h"
#include "plan/method.h"
#include "support/texts.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/clattn-tool-XXXXXX";
static char out[65536], err[65536];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    char line[128];
    (void)state;
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    return chdir("/") == 0 ? system(line) : -1;
}

static void slurp(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "r");
    const size_t got = file ? fread(text, 1, bytes - 1, file) : 0;
    text[got] = '\0';
    if (file) {
        fclose(file);
    }
}

/* Runs `clattn ARGUMENTS` in the folder; stdout and stderr go to `out` and `err`. Returns the exit status. */
static int tool(const char *arguments)
{
    char line[4096];
    snprintf(line, sizeof line, "\"$CLATTN_TOOL\" %s >out.txt 2>err.txt", arguments);
    const int status = system(line);
    slurp("out.txt", out, sizeof out);
    slurp("err.txt", err, sizeof err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static void expect(int status, const char *arguments, const char *on_out, const char *on_err)
{
    const int got = tool(arguments);
    if (got != status || (on_out && !strstr(out, on_out)) || (on_err && !strstr(err, on_err))) {
        fail_msg("clattn %s\nexit status %d, wanted %d\nstdout: %s\nwanted: %s\nstderr: %s\nwanted: %s", arguments, got,
                 status, out, on_out ? on_out : "", err, on_err ? on_err : "");
    }
}

static void help_everywhere(void **state)
{
    static const char *const commands[] = {"devices", "run", "check", "bench", "plan", "layout", "cache", "demo"};
    char line[64];
    (void)state;
    expect(0, "--help", "devices", NULL);
    expect(0, "--version", "clattn ", NULL);
    for (size_t i = 0; i < CT_COUNT(commands); i++) {
        snprintf(line, sizeof line, "%s --help", commands[i]);
        expect(0, line, "usage: clattn ", NULL);
        assert_string_equal(err, "");
    }
    expect(0, "run --help", "--cu-seqlens-k", NULL);
    expect(0, "bench --help", "softcap", NULL);
}

static void wrong_usage(void **state)
{
    (void)state;
    expect(2, "", NULL, "usage");
    expect(2, "bogus", NULL, "'bogus'");
    expect(2, "bench", NULL, "missing");
    expect(2, "plan dense linear", NULL, "too many");
    expect(2, "check", NULL, "--random");
    expect(2, "bench dense --repeat x", NULL, "from 1 to 1000");
    expect(2, "bench dense --no-such", NULL, "usage");
    expect(2, "bench dense --json --csv", NULL, "exclude");
    expect(2, "cache", NULL, "usage");
    expect(2, "cache dust", NULL, "dust");
    expect(2, "cache warm", NULL, "words");
    assert_string_equal(out, "");
}

static void wrong_problems(void **state)
{
    (void)state;
    expect(1, "plan 'dense foo=1'", NULL, "unknown key 'foo'");
    expect(1, "plan dense foo=1", NULL, "unknown key 'foo'");
    expect(1, "plan magic", NULL, "'magic'");
    expect(1, "plan 'dense d=300'", NULL, "from 1 to 256");
    expect(1, "check 'dense causal=2'", NULL, "from 0 to 1");
    expect(1, "bench 'dense hq=6 hk=4'", NULL, "multiple of hk=4");
    expect(1, "layout 'block_sparse pattern=fixd'", NULL, "pattern=fixd");
    expect(1, "layout 'block_sparse pattern=csr'", NULL, "nothing to draw");
}

static void wrong_device(void **state)
{
    (void)state;
    expect(1, "plan dense --device 99:0", NULL, "99:0");
    expect(1, "plan dense --device no-such-device", NULL, "no-such-device");
    expect(1, "plan dense --backend no-such-backend", NULL, "no-such-backend");
    setenv("CLATTN_DEVICE", "no-such-device", 1);
    expect(1, "plan dense", NULL, "CLATTN_DEVICE");
    unsetenv("CLATTN_DEVICE");
}

static void devices_as_json(void **state)
{
    (void)state;
    expect(0, "devices --json", "backends", NULL);
    json_t *all = json_loads(out, 0, NULL);
    assert_true(json_is_array(all) && json_array_size(all) > 0);
    json_t *first = json_array_get(all, 0);
    assert_true(json_is_string(json_object_get(first, "name")));
    assert_true(json_is_array(json_object_get(first, "backends")));
    json_decref(all);
    expect(0, "devices", "backend ref", NULL);
}

static void bench_fields(void **state)
{
    static const char *const fields[] = {"problem",   "device",       "driver",    "backend",     "kernel",
                                         "ms_median", "ms_min",       "gflop",     "gflops",      "bytes",
                                         "gbps",      "roof_percent", "roof_term", "peak_gflops", "peak_percent",
                                         "density",   "compile_ms",   "cache"};
    (void)state;
    expect(0, "bench 'dense n=64 h=1' --json --repeat 3", NULL, NULL);
    json_t *one = json_loads(out, 0, NULL);
    assert_true(json_is_object(one));
    for (size_t i = 0; i < CT_COUNT(fields); i++) {
        assert_non_null(json_object_get(one, fields[i]));
    }
    /* 4 n^2 d flop */
    assert_true(fabs(json_number_value(json_object_get(one, "gflop")) - 4.0 * 64 * 64 * 64 * 1e-9) < 1e-12);
    assert_true(json_number_value(json_object_get(one, "ms_min")) <=
                json_number_value(json_object_get(one, "ms_median")));
    json_decref(one);
    expect(0, "bench 'dense n=64 h=1' dense n=64 h=1 --json --repeat 1", NULL, NULL);
    json_t *two = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(two), 2);
    json_decref(two);
    expect(0, "bench dense n=64 h=1 --csv --repeat 1", "problem,device,driver,backend,kernel,ms_median,", NULL);
}

/* A kernel that the driver refuses: another backend serves, and nobody can overlook it. */
static void bench_of_another_backend(void **state)
{
    (void)state;
    ct_texts_make();
    ct_texts_break("tile/tile_cpu.cl");
    expect(0, "plan dense n=48 h=1 d=8", NULL, NULL);
    const bool cpu = strstr(out, "\nbackend    cpu\n") != NULL;
    ct_texts_use(true);
    if (cpu) {
        expect(0, "bench dense n=48 h=1 d=8 --repeat 1", " INSTEAD OF cpu: ", " SERVES INSTEAD OF cpu");
        expect(0, "bench dense n=48 h=1 d=8 --repeat 1 --json", "\"instead_of\": \"cpu\"", " SERVES INSTEAD OF cpu");
        expect(0, "plan dense n=48 h=1 d=8 --explain", ", instead of cpu\n",
               "backend cpu declines: kernel attend_forward.cpu");
        assert_non_null(strstr(out, "\ncpu: kernel attend_forward.cpu"));
        assert_non_null(strstr(out, "refused on purpose"));
        expect(1, "plan dense n=48 h=1 d=8 --backend cpu", NULL, "CLATTN_BUILD_FAILED");
    }
    ct_texts_use(false);
    assert_int_equal(ct_texts_remove(), 0);
}

static void plan_cache_check(void **state)
{
    (void)state;
    expect(0, "plan dense n=64 h=1 --explain", "workspace", NULL);
    assert_non_null(strstr(out, "simt"));
    expect(0, "cache warm 'dense n=64 h=1'", "built", NULL);
    expect(0, "cache stat", "files", NULL);
    expect(0, "check 'dense n=64 h=1' --seed 3", "1 of 1 passed", NULL);
}

static void layout_of_a_window(void **state)
{
    tensor t = {0};
    (void)state;
    /* W: three blocks wide, both directions */
    expect(0, "layout 'block_sparse pattern=sliding sliding=3 attention=bi block=16 n=64 h=2' --npy l.npy --png l.png",
           "##..\n###.\n.###\n..##\n", NULL);
    assert_non_null(strstr(out, "longest_row  3"));
    assert_non_null(strstr(out, "density      0.625"));
    assert_int_equal(tensor_load("l.npy", "x", &t), CLATTN_OK);
    assert_int_equal(t.dtype, CLATTN_U8);
    assert_int_equal(t.rank, 3);
    assert_int_equal(t.dims[0], 2);
    assert_int_equal(t.dims[2], 4);
    assert_memory_equal(t.data, "\1\1\0\0\1\1\1\0\0\1\1\1\0\0\1\1", 16);
    tensor_release(&t);
    slurp("l.png", out, 8);
    assert_memory_equal(out, "\x89PNG", 4);
    expect(1, "layout 'block_sparse pattern=sliding n=1024' --head 8", NULL, "hq=8");
}

/* A tensor of random normal numbers in a file, and as doubles. */
static double *random_file(const char *path, clattn_dtype dtype, int rank, const int64_t *dims, uint64_t seed)
{
    tensor t;
    ct_random random = ct_random_of(seed, 0);
    assert_int_equal(tensor_make(&t, dtype, rank, dims), CLATTN_OK);
    const int64_t count = tensor_count(&t);
    double *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        ct_storage_write(dtype, t.data, i, ct_random_normal(&random));
        values[i] = ct_storage_read(dtype, t.data, i);
    }
    assert_int_equal(tensor_save(path, "x", &t), CLATTN_OK);
    tensor_release(&t);
    return values;
}

static void near_file(const char *path, const double *want, clattn_dtype dtype, int rank, const int64_t *dims,
                      double tolerance)
{
    tensor t = {0};
    assert_int_equal(tensor_load(path, "x", &t), CLATTN_OK);
    assert_int_equal(t.dtype, dtype);
    assert_int_equal(t.rank, rank);
    assert_memory_equal(t.dims, dims, (size_t)rank * sizeof *dims);
    for (int64_t i = 0, count = tensor_count(&t); i < count; i++) {
        const double got = ct_storage_read(dtype, t.data, i);
        if (!(fabs(got - want[i]) <= tolerance * (1 + fabs(want[i])))) {
            fail_msg("%s: element %lld is %g, wanted %g", path, (long long)i, got, want[i]);
        }
    }
    tensor_release(&t);
}

static void reference(const char *text, ct_reference_io *io)
{
    clattn_problem problem;
    assert_int_equal(clattn_problem_parse(&problem, text), CLATTN_OK);
    assert_int_equal(ct_method_find(problem.method)->reference(&problem, NULL, io, NULL), CLATTN_OK);
}

static void same_files(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    assert_int_equal(ct_read_file(NULL, a, &x, &n), CLATTN_OK);
    assert_int_equal(ct_read_file(NULL, b, &y, &m), CLATTN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    ct_release(NULL, x);
    ct_release(NULL, y);
}

static void run_dense(void **state)
{
    const int64_t q[4] = {2, 4, 37, 20}, k[4] = {2, 2, 53, 20}, bias[4] = {1, 4, 37, 53}, sink[1] = {4},
                  lse[3] = {2, 4, 37};
    double o[2 * 4 * 37 * 20], l[2 * 4 * 37];
    double *in[] = {random_file("q.npy", CLATTN_F32, 4, q, 1), random_file("k.npy", CLATTN_F32, 4, k, 2),
                    random_file("v.safetensors", CLATTN_F32, 4, k, 3), random_file("bias.npy", CLATTN_F32, 4, bias, 4),
                    random_file("sink.npy", CLATTN_F16, 1, sink, 5)};
    ct_reference_io io = {
        .in =
            {[CLATTN_Q] = in[0], [CLATTN_K] = in[1], [CLATTN_V] = in[2], [CLATTN_BIAS] = in[3], [CLATTN_SINK] = in[4]},
        .out = {[CLATTN_O] = o, [CLATTN_LSE] = l}};
    (void)state;
    reference("dense causal=1 b=2 hq=4 hk=2 nq=37 nk=53 d=20 bias=1 bias_b=1 bias_h=4 sink=1", &io);
    expect(0,
           "run 'dense causal=1' --q q.npy --k k.npy --v v.safetensors --bias bias.npy --sink sink.npy --out o.npy "
           "--lse lse.safetensors:L",
           "o.npy", NULL);
    near_file("o.npy", o, CLATTN_F32, 4, q, 1e-5);
    near_file("lse.safetensors:L", l, CLATTN_F32, 3, lse, 1e-5);
    /* Y1: what was loaded from the disk gives the bits of what was just built */
    expect(
        0,
        "run 'dense causal=1' --q q.npy --k k.npy --v v.safetensors --bias bias.npy --sink sink.npy --out cached.npy",
        "cached.npy", NULL);
    setenv("CLATTN_CACHE", "off", 1);
    expect(0,
           "run 'dense causal=1' --q q.npy --k k.npy --v v.safetensors --bias bias.npy --sink sink.npy --out fresh.npy",
           "fresh.npy", NULL);
    setenv("CLATTN_CACHE", "rw", 1);
    same_files("cached.npy", "fresh.npy");
    expect(1, "run dense --q q.npy --k k.npy", NULL, "--v is missing");
    expect(1, "run dense hk=4 --q q.npy --k k.npy --v v.safetensors", NULL, "h=2");
    expect(1, "run dense --q q.npy --k k.npy --v v.safetensors --state-in q.npy", NULL, "state=1");
    expect(1, "run dense causal=1 sink=1 --q q.npy --k k.npy --v v.safetensors --bias bias.npy", NULL,
           "--sink is missing");
    expect(1, "run dense causal=1 --q q.npy --k k.npy --v v.safetensors --bias bias.npy --sink bias.npy", NULL,
           "--sink: [1, 4, 37, 53] f32; wanted is [4] f32");
    expect(1, "run dense --q q.npy --k k.npy --v gone.npy", NULL, "gone.npy");
    expect(1, "run dense --q q.npy --k k.npy --v v.safetensors --out o.txt", NULL, "o.txt");
    expect(1, "run dense --q q.npy --k k.npy --v v.safetensors --out r.npy --lse r.npy", NULL, "both name r.npy");
    expect(1, "layout 'linear n=64'", NULL, "no block pattern");
    expect(1, "devices --device 77:0", NULL, "none of the");
    for (size_t i = 0; i < CT_COUNT(in); i++) {
        free(in[i]);
    }
}

static void run_linear_state(void **state)
{
    const int64_t q[4] = {1, 2, 45, 16}, v[4] = {1, 2, 45, 24}, s[4] = {1, 2, 16, 24};
    double o[2 * 45 * 24], end[2 * 16 * 24];
    double *in[] = {random_file("q.npy", CLATTN_F32, 4, q, 11), random_file("k.npy", CLATTN_F32, 4, q, 12),
                    random_file("v.npy", CLATTN_F32, 4, v, 13), random_file("s.npy", CLATTN_F32, 4, s, 14)};
    ct_reference_io io = {.in = {[CLATTN_Q] = in[0], [CLATTN_K] = in[1], [CLATTN_V] = in[2], [CLATTN_STATE_IN] = in[3]},
                          .out = {[CLATTN_O] = o, [CLATTN_STATE_OUT] = end}};
    (void)state;
    reference("linear decay=-0.1 h=2 n=45 dqk=16 dv=24 state=1", &io);
    expect(0, "run linear decay=-0.1 --q q.npy --k k.npy --v v.npy --state-in s.npy --out o.npy --state-out e.npy",
           "e.npy", NULL);
    near_file("o.npy", o, CLATTN_F32, 4, v, 1e-4);
    near_file("e.npy", end, CLATTN_F32, 4, s, 1e-4);
    /* without a state in: from zeros */
    io.in[CLATTN_STATE_IN] = NULL;
    memset(in[3], 0, sizeof(double) * 2 * 16 * 24);
    io.in[CLATTN_STATE_IN] = in[3];
    reference("linear decay=-0.1 h=2 n=45 dqk=16 dv=24 state=1", &io);
    expect(0, "run linear decay=-0.1 --q q.npy --k k.npy --v v.npy --state-out e.npy", "e.npy", NULL);
    near_file("e.npy", end, CLATTN_F32, 4, s, 1e-4);
    for (size_t i = 0; i < CT_COUNT(in); i++) {
        free(in[i]);
    }
}

/* The caller's lists: the same as the pattern they were taken from. */
static void run_lists(void **state)
{
    const int64_t q[4] = {1, 2, 48, 16}, three[1] = {4}, five[1] = {5};
    static const int32_t row_ptr[] = {0, 1, 3, 5}, col[] = {0, 0, 1, 1, 2};
    tensor t, o = {0}, again = {0};
    (void)state;
    free(random_file("q.npy", CLATTN_F32, 4, q, 31));
    assert_int_equal(tensor_make(&t, CLATTN_I32, 1, three), CLATTN_OK);
    memcpy(t.data, row_ptr, sizeof row_ptr);
    assert_int_equal(tensor_save("row.npy", "x", &t), CLATTN_OK);
    tensor_release(&t);
    assert_int_equal(tensor_make(&t, CLATTN_I32, 1, five), CLATTN_OK);
    memcpy(t.data, col, sizeof col);
    assert_int_equal(tensor_save("col.npy", "x", &t), CLATTN_OK);
    tensor_release(&t);
    expect(0, "run block_sparse block=16 --q q.npy --k q.npy --v q.npy --row-ptr row.npy --col-idx col.npy --out a.npy",
           "a.npy", NULL);
    expect(
        0,
        "run block_sparse block=16 pattern=sliding sliding=3 attention=uni --q q.npy --k q.npy --v q.npy --out b.npy",
        "b.npy", NULL);
    assert_int_equal(tensor_load("a.npy", "x", &o), CLATTN_OK);
    assert_int_equal(tensor_load("b.npy", "x", &again), CLATTN_OK);
    for (int64_t i = 0; i < tensor_count(&o); i++) {
        assert_true(fabsf(((float *)o.data)[i] - ((float *)again.data)[i]) < 1e-5f);
    }
    tensor_release(&o);
    tensor_release(&again);
    expect(1, "run block_sparse block=16 --q q.npy --k q.npy --v q.npy --row-ptr col.npy --col-idx col.npy", NULL,
           "--row-ptr");
}

/* Block masks have no batch; a file's shape says whether it holds one. */
static void run_masks(void **state)
{
    const int64_t q[4] = {2, 2, 48, 16}, by_batch[4] = {2, 1, 3, 3}, by_head[3] = {2, 3, 3};
    tensor t;
    (void)state;
    free(random_file("q.npy", CLATTN_F32, 4, q, 41));
    assert_int_equal(tensor_make(&t, CLATTN_U8, 4, by_batch), CLATTN_OK);
    memset(t.data, 1, tensor_bytes(&t));
    assert_int_equal(tensor_save("batch.npy", "x", &t), CLATTN_OK);
    t.rank = 3;
    memcpy(t.dims, by_head, sizeof by_head);
    assert_int_equal(tensor_save("head.npy", "x", &t), CLATTN_OK);
    tensor_release(&t);
    expect(1, "run block_sparse block=16 per_head=1 --q q.npy --k q.npy --v q.npy --block-mask batch.npy", NULL,
           "which must be 1");
    expect(1, "run block_sparse block=16 --q q.npy --k q.npy --v q.npy --block-mask head.npy", NULL, "per_head=1");
    expect(0, "run block_sparse block=16 per_head=1 --q q.npy --k q.npy --v q.npy --block-mask head.npy", "rms", NULL);
    expect(1, "run dense --q q.npy --k q.npy --v q.npy --bias head.npy", NULL, "--key-padding");
}

static void run_bf16(void **state)
{
    const int64_t q[4] = {1, 40, 3, 16};
    (void)state;
    free(random_file("q.safetensors", CLATTN_BF16, 4, q, 21));
    expect(0, "run dense layout=bnhd --q q.safetensors --k q.safetensors --v q.safetensors --out o.safetensors",
           "[1, 40, 3, 16] bf16", NULL);
    tensor t = {0};
    assert_int_equal(tensor_load("o.safetensors:o", "x", &t), CLATTN_OK);
    assert_int_equal(t.dtype, CLATTN_BF16);
    tensor_release(&t);
    expect(1, "run dense layout=bnhd --q q.safetensors --k q.safetensors --v q.safetensors --out o.npy", NULL,
           ".safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_everywhere),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(wrong_problems),
        cmocka_unit_test(wrong_device),
        cmocka_unit_test(devices_as_json),
        cmocka_unit_test(bench_fields),
        cmocka_unit_test(bench_of_another_backend),
        cmocka_unit_test(plan_cache_check),
        cmocka_unit_test(layout_of_a_window),
        cmocka_unit_test(run_dense),
        cmocka_unit_test(run_linear_state),
        cmocka_unit_test(run_lists),
        cmocka_unit_test(run_bf16),
        cmocka_unit_test(run_masks),
    };
    if (!getenv("CLATTN_TOOL") || !*getenv("CLATTN_TOOL")) {
        return 77; /* built without the tool */
    }
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

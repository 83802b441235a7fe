/* Trials: what is compiled in a process of its own, what becomes of a compiler that dies there, and what the caller
 * hears of it. Where a driver cannot be made to crash, this program itself stands in for the helper: see stand_in(). */
#include "program/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "tile/tiles.h"
#include "plan/plan_parts.h"
#include "program/child.h"
#include "program/trial.h"
#include "support/env.h"
#include "support/failing.h"

#define THREADS 6
#define SELF    "/proc/self/exe"
#define MODE    "CLATTN_TEST_STAND_IN"
#define RUNS    "CLATTN_TEST_RUNS"

static const char kernel_text[] = "int score(int i);\n"
                                  "int score(int i) {\n"
                                  "  return i\n"
                                  "#include \"caller_score\"\n"
                                  "  ;\n"
                                  "}\n"
                                  "__kernel void k(__global int *restrict x) {\n"
                                  "  const int i = (int)get_global_id(0);\n"
                                  "  x[i] = score(i) * SCALE;\n"
                                  "}\n";

/* ---- the helper's stand-in ------------------------------------------------------------------------------------- */

static void say(const char *answer)
{
    if (write(CT_CHILD_ANSWER, answer, strlen(answer)) < 0) {
        _exit(99);
    }
}

static void die(int number)
{
    signal(number, SIG_DFL); /* a sanitizer's handler would make an exit of it */
    raise(number);
}

static void print_inherited(void)
{
    sigset_t blocked;
    struct sigaction action;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    sigaction(SIGPIPE, NULL, &action);
    printf("blocked %d ignored %d open:", sigismember(&blocked, SIGUSR1), action.sa_handler == SIG_IGN);
    for (int fd = 0; fd < 256; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            printf(" %d", fd);
        }
    }
    printf(" end\n");
    fflush(stdout);
}

static int stand_in(const char *mode)
{
    const int runs = open(getenv(RUNS), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (runs < 0 || write(runs, "x", 1) != 1 || close(runs) != 0) {
        return 99;
    }
    if (strcmp(mode, "early") == 0) {
        die(SIGSEGV);
    } else if (strcmp(mode, "garbage") == 0) {
        say("hello");
    } else if (strcmp(mode, "inherited") == 0) {
        print_inherited();
    } else if (strcmp(mode, "unable") == 0) {
        say("0:5:-700015:no such device.0:");
    } else if (strcmp(mode, "no binary") == 0) {
        say("0:1:00:0:");
    } else {
        say("0:");
    }
    if (strcmp(mode, "crash") == 0) {
        die(SIGSEGV);
    } else if (strcmp(mode, "killed") == 0) {
        die(SIGTERM);
    } else if (strcmp(mode, "hang") == 0) {
        pause();
    }
    return strcmp(mode, "exit") == 0 ? 7 : 0;
}

/* ---- contexts and programs ------------------------------------------------------------------------------------- */

typedef struct heard {
    pthread_mutex_t mutex;
    char text[65536];
} heard;

static void hear(clattn_log_level level, const char *line, void *user)
{
    heard *h = user;
    (void)level;
    pthread_mutex_lock(&h->mutex);
    const size_t length = strlen(h->text);
    snprintf(h->text + length, sizeof h->text - length, "%s\n", line);
    pthread_mutex_unlock(&h->mutex);
}

static heard log_heard = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static ct_env *env;

static clattn_context *open_context(const scratch *s, clattn_trial_mode mode, const char *program, int seconds)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    char path[512];
    scratch_path(s, "c", path);
    log_heard.text[0] = '\0';
    options.log = hear;
    options.log_user = &log_heard;
    options.log_level = CLATTN_LOG_INFO;
    options.cache_dir = path;
    options.cache_mode = CLATTN_CACHE_READ_WRITE;
    options.trial = mode;
    options.trial_program = program;
    options.trial_seconds = seconds;
    return ct_env_context(env, &options);
}

static ct_program_spec spec_of(long scale, bool untried)
{
    ct_program_spec spec = {.kernel = "k", .backend = "ref", .untried = untried};
    ct_spec_part(&spec, "k.cl");
    ct_spec_define(&spec, "SCALE", scale);
    return spec;
}

static void must_give(clattn_context *context, const ct_program_spec *spec, ct_origin want)
{
    const ct_program *program = NULL;
    ct_origin origin = CT_DIED;
    ct_assert_status(ct_program_get(&context->env, spec, &program, &origin), CLATTN_OK, NULL);
    assert_int_equal(origin, want);
}

static void must_run(const ct_program *program, int scale)
{
    cl_int code, values[8] = {0};
    const size_t items = 8;
    cl_kernel kernel = clCreateKernel(program->program, program->kernel, &code);
    cl_mem buffer = clCreateBuffer(env->place.cl, CL_MEM_READ_WRITE, sizeof values, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    assert_int_equal(clSetKernelArg(kernel, 0, sizeof buffer, &buffer), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL), CL_SUCCESS);
    assert_int_equal(clEnqueueReadBuffer(env->queue, buffer, CL_TRUE, 0, sizeof values, values, 0, NULL, NULL),
                     CL_SUCCESS);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(values[i], i * scale);
    }
    clReleaseMemObject(buffer);
    clReleaseKernel(kernel);
}

/* Declined with these words; `origin` tells a dead compiler from a trial that could not be made. */
static void must_decline(clattn_context *context, const ct_program_spec *spec, bool died, const char *word)
{
    const ct_program *program = NULL;
    ct_origin origin = CT_BUILT;
    ct_assert_status(ct_program_get(&context->env, spec, &program, &origin), CLATTN_DEVICE_LACKS, word);
    assert_int_equal(origin == CT_DIED, died);
    assert_null(program);
}

static void use_stand_in(const scratch *s, const char *mode)
{
    char path[512];
    scratch_path(s, "runs", path);
    setenv(RUNS, path, 1);
    setenv(MODE, mode, 1);
}

static int runs_of(const scratch *s)
{
    char path[512];
    struct stat info;
    scratch_path(s, "runs", path);
    return stat(path, &info) == 0 ? (int)info.st_size : 0;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int setup(void **state)
{
    if (scratch_setup(state) != 0) {
        return -1;
    }
    scratch_text(*state, "k.cl", kernel_text);
    return setenv("CLATTN_CL_DIR", ((scratch *)*state)->dir, 1);
}

static int teardown(void **state)
{
    unsetenv("CLATTN_CL_DIR");
    unsetenv(MODE);
    return scratch_teardown(state);
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */

static void policy(void **state)
{
    const struct {
        clattn_trial_mode mode;
        bool untried, tried;
    } cases[] = {{CLATTN_TRIAL_DEFAULT, true, true}, {CLATTN_TRIAL_DEFAULT, false, false},
                 {CLATTN_TRIAL_AUTO, true, true},    {CLATTN_TRIAL_AUTO, false, false},
                 {CLATTN_TRIAL_OFF, true, false},    {CLATTN_TRIAL_OFF, false, false},
                 {CLATTN_TRIAL_ALWAYS, true, true},  {CLATTN_TRIAL_ALWAYS, false, true}};
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_context *context = open_context(*state, cases[i].mode, NULL, 0);
        const ct_program_spec spec = spec_of(2 + (long)i, cases[i].untried);
        const ct_program *program = NULL;
        ct_assert_status(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_OK, NULL);
        must_run(program, 2 + (int)i);
        assert_int_equal(strstr(log_heard.text, "trial of k") != NULL, cases[i].tried);
        clattn_context_release(context);
    }
}

/* What a plan marks, and that what lies in a cache is not tried again. */
static void a_plan_marks(void **state)
{
    const ct_tile *ref = &ct_tiles[ct_tile_count - 1];
    const struct {
        bool tile, spec, text, died, tried;
    } cases[] = {{false, false, false, false, false}, {true, false, false, false, true},
                 {false, true, false, false, true},   {false, false, true, false, false},
                 {false, false, true, true, true},    {false, false, false, true, false}};
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, NULL, 0);
        ct_launch *launch = NULL;
        clattn_plan plan = {
            .context = context, .tile = ref, .backend = ref->name, .untried = cases[i].tile, .died = cases[i].died};
        ct_builder builder = {.plan = &plan};
        assert_int_equal(ct_builder_launch(&builder, "k", &launch), CLATTN_OK);
        ct_program_spec spec = spec_of(20 + (long)i, cases[i].spec);
        spec.texts[CT_TEXT_SCORE].text = cases[i].text ? "+ 0" : NULL;
        *ct_launch_spec(launch) = spec;
        ct_assert_status(ct_plan_finish(&plan), CLATTN_OK, NULL);
        assert_int_equal(strstr(log_heard.text, "trial of k") != NULL, cases[i].tried);
        must_run(launch->program, 20 + (int)i);
        ct_program_keep(&context->env, launch->program);
        ct_plan_clear(&plan);
        must_give(context, &spec, CT_FROM_MEMORY);
        clattn_context_release(context);
    }
}

static void caches_come_first(void **state)
{
    clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, NULL, 0);
    const ct_program_spec spec = spec_of(3, true);
    const ct_program *program = NULL;
    ct_assert_status(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_OK, NULL);
    must_run(program, 3);
    ct_program_keep(&context->env, program);
    must_give(context, &spec, CT_FROM_MEMORY);
    clattn_context_release(context);
    use_stand_in(*state, "crash");
    context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, 0);
    must_give(context, &spec, CT_FROM_DISK);
    assert_int_equal(runs_of(*state), 0);
    clattn_context_release(context);
}

/* How a helper may end, what the caller is told, and whether that is remembered. */
static void ends(void **state)
{
    static const struct {
        const char *mode, *word;
        bool died, remembered;
    } cases[] = {{"crash", "died (signal 11)", true, true},
                 {"exit", "exit status 7", true, true},
                 {"silent", "exit status 0", true, true},
                 {"killed", "died (signal 15)", false, false},
                 {"early", "before it called the compiler", false, false},
                 {"garbage", "before it called the compiler", false, false},
                 {"unable", "no such device.", false, false}};
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const int before = runs_of(*state);
        const ct_program_spec spec = spec_of(30 + (long)i, true);
        use_stand_in(*state, cases[i].mode);
        clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, 0);
        must_decline(context, &spec, cases[i].died, cases[i].word);
        must_decline(context, &spec, cases[i].died, cases[i].word);
        assert_int_equal(runs_of(*state) - before, cases[i].remembered ? 1 : 2);
        clattn_context_release(context);
        context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, 0);
        must_decline(context, &spec, cases[i].died,
                     cases[i].remembered ? "known from an earlier trial" : cases[i].word);
        must_decline(context, &spec, cases[i].died, cases[i].word);
        assert_int_equal(runs_of(*state) - before, cases[i].remembered ? 1 : 4);
        assert_int_equal(clattn_cache_clear(context), CLATTN_OK);
        must_decline(context, &spec, cases[i].died, cases[i].word);
        assert_int_equal(runs_of(*state) - before, cases[i].remembered ? 2 : 5);
        clattn_context_release(context);
    }
}

static void a_driver_without_binaries(void **state)
{
    const ct_program_spec spec = spec_of(5, true);
    const ct_program *program = NULL;
    use_stand_in(*state, "no binary");
    clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, 0);
    ct_assert_status(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_OK, NULL);
    must_run(program, 5);
    assert_int_equal(runs_of(*state), 1);
    clattn_context_release(context);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A longer limit tries again, a shorter one does not. */
static void time_runs_out(void **state)
{
    const ct_program_spec spec = spec_of(6, true);
    const int limits[] = {1, 1, 2, 1}, runs[] = {1, 1, 2, 2};
    use_stand_in(*state, "hang");
    for (size_t i = 0; i < CT_COUNT(limits); i++) {
        clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, limits[i]);
        const double start = now_s();
        must_decline(context, &spec, true, i < 2 ? "after 1 s" : "after 2 s");
        assert_true(now_s() - start < 20);
        assert_int_equal(runs_of(*state), runs[i]);
        clattn_context_release(context);
    }
}

static void no_helper(void **state)
{
    const ct_program_spec untried = spec_of(7, true), tried = spec_of(8, false);
    clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, "/nonexistent/clattn-try", 0);
    must_decline(context, &untried, false, "cannot start '/nonexistent/clattn-try': ");
    must_decline(context, &untried, false, "CLATTN_TRIAL=off");
    must_give(context, &tried, CT_BUILT);
    clattn_context_release(context);
    context = open_context(*state, CLATTN_TRIAL_OFF, "/nonexistent/clattn-try", 0);
    must_give(context, &untried, CT_BUILT);
    clattn_context_release(context);
}

static void no_cache(void **state)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    const ct_program_spec spec = spec_of(9, true), bad = spec_of(10, true);
    const ct_program *program = NULL;
    (void)state;
    options.cache_mode = CLATTN_CACHE_OFF;
    clattn_context *context = ct_env_context(env, &options);
    ct_assert_status(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_OK, NULL);
    must_run(program, 9);
    clattn_context_release(context);
    use_stand_in(*state, "crash");
    options.trial_program = SELF;
    context = ct_env_context(env, &options);
    must_decline(context, &bad, true, "signal 11");
    must_decline(context, &bad, true, "signal 11");
    assert_int_equal(runs_of(*state), 1); /* memory remembers */
    clattn_context_release(context);
}

/* The compiler's log is the same, with the caller's lines, whoever compiles. */
static void compile_errors(void **state)
{
    char here[4096];
    const clattn_trial_mode modes[] = {CLATTN_TRIAL_OFF, CLATTN_TRIAL_ALWAYS};
    ct_program_spec spec = spec_of(11, false);
    spec.texts[CT_TEXT_SCORE].text = "+ 1\n+ nothing";
    spec.texts[CT_TEXT_SCORE].name = "mine.cl";
    for (size_t i = 0; i < CT_COUNT(modes); i++) {
        const ct_program *program = NULL;
        clattn_context *context = open_context(*state, modes[i], NULL, 0);
        ct_assert_status(ct_program_get(&context->env, &spec, &program, NULL), CLATTN_BUILD_FAILED, "mine.cl:2");
        if (i == 0) {
            snprintf(here, sizeof here, "%s", clattn_error_detail());
        } else {
            assert_memory_equal(here, clattn_error_detail(), 60);
            assert_non_null(strstr(clattn_error_detail(), "nothing"));
        }
        clattn_context_release(context);
    }
}

/* The child gets four descriptors whatever the host has open, and signals as by default; the host keeps what it had. */
static void inheritance(void **state)
{
    void (*const old)(int) = signal(SIGPIPE, SIG_IGN);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    const ct_program_spec spec = spec_of(12, true), good = spec_of(13, true);
    const int stray = fcntl(STDERR_FILENO, F_DUPFD, 100); /* inherited unless someone closes it */
    assert_true(stray >= 100);
    use_stand_in(*state, "inherited");
    clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, 0);
    const int before = open_descriptors();
    must_decline(context, &spec, false, "before it called the compiler");
    assert_non_null(strstr(log_heard.text, "trial of k: blocked 0 ignored 0 open: 0 1 2 3 end"));
    assert_int_equal(open_descriptors(), before);
    clattn_context_release(context);
    context = open_context(*state, CLATTN_TRIAL_AUTO, NULL, 0);
    must_give(context, &good, CT_BUILT);
    assert_int_equal(open_descriptors(), before);
    clattn_context_release(context);
    close(stray);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    signal(SIGPIPE, old);
}

/* A host that ignores SIGCHLD never learns how its children end. */
static void ignored_children(void **state)
{
    void (*const old)(int) = signal(SIGCHLD, SIG_IGN);
    const ct_program_spec spec = spec_of(14, true), bad = spec_of(15, true);
    clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, NULL, 0);
    must_give(context, &spec, CT_BUILT);
    clattn_context_release(context);
    use_stand_in(*state, "crash");
    context = open_context(*state, CLATTN_TRIAL_AUTO, SELF, 0);
    must_decline(context, &bad, true, "SIGCHLD");
    clattn_context_release(context);
    signal(SIGCHLD, old);
}

typedef struct work {
    clattn_context *context;
    long scale;
    clattn_status st;
    ct_origin origin;
    const ct_program *program;
} work;

static void *get_one(void *user)
{
    work *w = user;
    const ct_program_spec spec = spec_of(w->scale, true);
    w->st = ct_program_get(&w->context->env, &spec, &w->program, &w->origin);
    return NULL;
}

/* Two threads for every program: one tries it, the other waits. */
static void threads(void **state)
{
    pthread_t ids[THREADS];
    work works[THREADS];
    clattn_context *context = open_context(*state, CLATTN_TRIAL_AUTO, NULL, 0);
    const int before = open_descriptors();
    for (int i = 0; i < THREADS; i++) {
        works[i] = (work){.context = context, .scale = 40 + i / 2};
        assert_int_equal(pthread_create(&ids[i], NULL, get_one, &works[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(works[i].st, CLATTN_OK);
        must_run(works[i].program, 40 + i / 2);
    }
    for (int i = 0; i < THREADS; i += 2) {
        assert_int_equal((works[i].origin == CT_BUILT) + (works[i + 1].origin == CT_BUILT), 1);
    }
    assert_int_equal(open_descriptors(), before);
    clattn_context_release(context);
}

static clattn_status get_with(void *user, const clattn_allocator *allocator)
{
    const char *path = user;
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_context *context = NULL;
    const ct_program *program = NULL;
    const ct_program_spec spec = spec_of(16, true);
    options.allocator = *allocator;
    options.cache_mode = CLATTN_CACHE_OFF;
    options.trial_program = path;
    clattn_status st = clattn_context_create(&context, env->place.cl, env->place.device, &options);
    st = st ? st : ct_program_get(&context->env, &spec, &program, NULL);
    clattn_context_release(context);
    return st == CLATTN_DEVICE_LACKS && strstr(clattn_error_detail(), "signal 11") ? CLATTN_OK : st;
}

/* The n-th host allocation fails, for every n: with a helper that is done, and with one that dies. */
static void allocations_fail(void **state)
{
    assert_true(ct_fail_every_allocation(get_with, NULL) >= 8);
    use_stand_in(*state, "crash");
    assert_true(ct_fail_every_allocation(get_with, SELF) >= 8);
}

static void settings(void **state)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    clattn_context *context = NULL;
    options.trial = (clattn_trial_mode)9;
    ct_assert_status(clattn_context_create(&context, env->place.cl, env->place.device, &options),
                     CLATTN_INVALID_ARGUMENT, "trial is 9");
    options.trial = CLATTN_TRIAL_DEFAULT;
    options.trial_seconds = -1;
    ct_assert_status(clattn_context_create(&context, env->place.cl, env->place.device, &options),
                     CLATTN_INVALID_ARGUMENT, "trial_seconds");
    setenv("CLATTN_TRIAL", "always", 1);
    setenv("CLATTN_TRIAL_SECONDS", "7", 1);
    context = open_context(*state, CLATTN_TRIAL_DEFAULT, "/x", 0);
    assert_true(context->env.trial == CLATTN_TRIAL_ALWAYS && context->env.trial_seconds == 7 &&
                strcmp(context->env.trial_program, "/x") == 0);
    clattn_context_release(context);
    context = open_context(*state, CLATTN_TRIAL_OFF, NULL, 3);
    assert_true(context->env.trial == CLATTN_TRIAL_OFF && context->env.trial_seconds == 3);
    clattn_context_release(context);
    setenv("CLATTN_TRIAL", "sometimes", 1);
    setenv("CLATTN_TRIAL_SECONDS", "0", 1);
    context = open_context(*state, CLATTN_TRIAL_DEFAULT, NULL, 0);
    assert_true(context->env.trial == CLATTN_TRIAL_AUTO && context->env.trial_seconds == 60);
    assert_non_null(strstr(log_heard.text, "'sometimes'"));
    assert_non_null(strstr(log_heard.text, "'0'"));
    clattn_context_release(context);
    unsetenv("CLATTN_TRIAL");
    unsetenv("CLATTN_TRIAL_SECONDS");
}

/* ---- whole plans ----------------------------------------------------------------------------------------------- */

static clattn_plan_info make_plan(clattn_context *context, const char *text)
{
    clattn_problem problem;
    clattn_plan *plan = NULL;
    clattn_plan_info info = {.struct_size = sizeof info};
    ct_assert_status(clattn_problem_parse(&problem, text), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_get_info(plan, &info), CLATTN_OK, NULL);
    clattn_plan_release(plan);
    return info;
}

/* Tried, right, on disk for the next process, and not tried there. */
static void a_problem(void **state)
{
    static const char text[] = "dense h=2 n=100 d=16 causal=1";
    unsetenv("CLATTN_CL_DIR");
    clattn_context *context = open_context(*state, CLATTN_TRIAL_ALWAYS, NULL, 0), *standard = env->place.context;
    env->place.context = context;
    ct_assert_check(env, text, 1);
    env->place.context = standard;
    assert_non_null(strstr(log_heard.text, "trial of attend_forward"));
    clattn_context_release(context);
    context = open_context(*state, CLATTN_TRIAL_ALWAYS, NULL, 0);
    const clattn_plan_info info = make_plan(context, text);
    assert_int_equal(info.cache_disk, info.launches);
    assert_null(strstr(log_heard.text, "trial of"));
    clattn_context_release(context);
}

static char *long_sum(int terms)
{
    static const char term[] = "+ 1.0f";
    ct_text text = {0};
    ct_text_add(&text, "score");
    for (int i = 0; i < terms; i++) {
        ct_text_append(&text, term, sizeof term - 1);
    }
    return text.data;
}

/* A caller's text that overflows the stack of a compiler (pocl's; others may survive it): every tile declines, nobody
 * dies, and the next process does not even try. */
static void a_text_that_kills(void **state)
{
    clattn_problem problem;
    clattn_plan *plan = NULL;
    char *text = long_sum(200000);
    unsetenv("CLATTN_CL_DIR");
    ct_assert_status(clattn_problem_parse(&problem, "dense h=1 n=64 d=16"), CLATTN_OK, NULL);
    problem.score_text = text;
    for (int i = 0; i < 2; i++) {
        clattn_context *context = open_context(*state, CLATTN_TRIAL_ALWAYS, NULL, 0);
        const clattn_status st = clattn_plan_create(&plan, context, &problem, NULL);
        if (st != CLATTN_OK) {
            ct_assert_status(st, CLATTN_DEVICE_LACKS, "ref: kernel attend_forward");
            assert_non_null(strstr(clattn_error_detail(), "the driver's compiler"));
            assert_int_equal(strstr(clattn_error_detail(), "known from an earlier trial") != NULL, i);
        }
        clattn_plan_release(plan);
        plan = NULL;
        clattn_context_release(context);
    }
    ct_release(NULL, text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* As ctest does; by hand: the helper of the build tree, which lies a folder above. */
static void find_helper(void)
{
    char path[4096];
    const ssize_t length = readlink(SELF, path, sizeof path - 32);
    if (!getenv("CLATTN_TRY") && length > 0) {
        path[length] = '\0';
        *strrchr(path, '/') = '\0';
        snprintf(strrchr(path, '/'), 32, "/clattn-try");
        setenv("CLATTN_TRY", path, 1);
    }
}

static int group_setup(void **state)
{
    const int result = ct_env_setup(state);
    env = *state;
    return result;
}

static int group_teardown(void **state)
{
    *state = env;
    return ct_env_teardown(state);
}

int main(void)
{
    const char *mode = getenv(MODE);
    if (mode) {
        return stand_in(mode);
    }
    find_helper();
    const struct CMUnitTest tests[] = {
        TEST(policy),
        TEST(a_plan_marks),
        TEST(caches_come_first),
        TEST(ends),
        TEST(a_driver_without_binaries),
        TEST(time_runs_out),
        TEST(no_helper),
        TEST(no_cache),
        TEST(compile_errors),
        TEST(inheritance),
        TEST(ignored_children),
        TEST(threads),
        TEST(allocations_fail),
        TEST(settings),
        TEST(a_problem),
        TEST(a_text_that_kills),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

#include "program/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* our descriptors lie above those that the child gets, even where the host has closed its standard ones */
#define FIRST_FREE 10
/* the answer's end may be held open by a process that someone else forked: look at the child, too */
#define LOOK_MS 100
#define LAST_MS 2

extern char **environ;

typedef struct ends {
    int input, printed, answer[2];
} ends;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void shut(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static int move_up(int fd)
{
    const int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
    const int reason = errno;
    shut(&fd);
    errno = reason;
    return moved;
}

static bool open_ends(ends *e, const ct_text *input)
{
    int raw[2] = {-1, -1};
    size_t put = 0;
    e->input = move_up(memfd_create("clattn-trial", MFD_CLOEXEC));
    e->printed = move_up(memfd_create("clattn-trial-printed", MFD_CLOEXEC));
    if (e->input < 0 || e->printed < 0 || pipe2(raw, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    e->answer[0] = move_up(raw[0]);
    e->answer[1] = move_up(raw[1]);
    while (put < input->length) {
        const ssize_t more = pwrite(e->input, input->data + put, input->length - put, (off_t)put);
        if (more < 0 && errno != EINTR) {
            return false;
        }
        put += more > 0 ? (size_t)more : 0;
    }
    /* the child writes and may wait for that; only our end must not */
    return e->answer[0] >= 0 && e->answer[1] >= 0 && fcntl(e->answer[1], F_SETFL, 0) == 0;
}

static int fill_actions(posix_spawn_file_actions_t *actions, const ends *e)
{
    int error = posix_spawn_file_actions_adddup2(actions, e->input, STDIN_FILENO);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, e->printed, STDOUT_FILENO);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, e->printed, STDERR_FILENO);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, e->answer[1], CT_CHILD_ANSWER);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    error = error ? error : posix_spawn_file_actions_addclosefrom_np(actions, CT_CHILD_ANSWER + 1); /* the host's */
#endif
    return error;
}

/* What the host blocks or ignores is its own affair; ignored SIGCHLD would break compilers that start a linker. */
static int fill_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    error = error ? error : posix_spawnattr_setsigdefault(attributes, &all);
    return error ? error : posix_spawnattr_setsigmask(attributes, &none);
}

/* 0, or an errno. */
static int start(const char *path, const ends *e, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const words[] = {(char *)(uintptr_t)path, NULL};
    int error = posix_spawn_file_actions_init(&actions);
    if (error) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = fill_actions(&actions, e);
        error = error ? error : fill_attributes(&attributes);
        error = error ? error : posix_spawn(pid, path, &actions, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Takes what is there; true: there will be no more. */
static bool drain(int fd, ct_text *answer)
{
    char part[16384];
    for (;;) {
        const ssize_t got = read(fd, part, sizeof part);
        if (got > 0) {
            ct_text_append(answer, part, (size_t)got);
        } else if (got == 0 || errno != EINTR) {
            return got == 0 || errno != EAGAIN;
        }
    }
}

static void note_end(ct_child *child, int status)
{
    child->end = WIFSIGNALED(status) ? CT_CHILD_SIGNALED : CT_CHILD_EXITED;
    child->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Does not rely on SIGCHLD: a host may ignore it, or await every child; then the status is lost, the answer is not. */
static void await(ct_child *child, pid_t pid, int fd, int seconds)
{
    const double end = now_s() + seconds;
    bool open = true;
    for (;;) {
        int status = 0;
        struct pollfd ready = {fd, POLLIN, 0};
        (void)poll(open ? &ready : NULL, open, open ? LOOK_MS : LAST_MS);
        open = open && !drain(fd, &child->answer);
        const pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) {
            note_end(child, status);
            break;
        }
        if (ended < 0 && errno != EINTR) {
            child->end = CT_CHILD_UNKNOWN;
            break;
        }
        if (now_s() >= end) { /* still ours, as it was just not there to be awaited: the number is no other process's */
            child->end = CT_CHILD_TIMED_OUT;
            (void)kill(pid, SIGKILL);
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
            }
            break;
        }
    }
    if (open) {
        (void)drain(fd, &child->answer);
    }
}

clattn_status ct_child_run(const clattn_allocator *allocator, const char *path, const ct_text *input, int seconds,
                           ct_child *child)
{
    clattn_status st = CLATTN_OK;
    ends e = {-1, -1, {-1, -1}};
    pid_t pid = -1;
    *child = (ct_child){.end = CT_CHILD_UNKNOWN, .answer = {.allocator = allocator}, .printed = -1};
    if (!open_ends(&e, input)) {
        CT_FAIL(CLATTN_IO, "no descriptors for '%s': %s", path, strerror(errno));
    }
    const int error = start(path, &e, &pid);
    if (error) {
        CT_FAIL(CLATTN_IO, "cannot start '%s': %s", path, strerror(error));
    }
    shut(&e.answer[1]);
    await(child, pid, e.answer[0], seconds);
    if (child->answer.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the answer of '%s'", path);
    }
    child->printed = e.printed;
    e.printed = -1;
    (void)lseek(child->printed, 0, SEEK_SET);
out:
    shut(&e.input);
    shut(&e.printed);
    shut(&e.answer[0]);
    shut(&e.answer[1]);
    return st;
}

void ct_child_release(ct_child *child)
{
    ct_text_release(&child->answer);
    shut(&child->printed);
}

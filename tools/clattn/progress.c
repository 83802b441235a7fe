#include "progress.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* The work may sit in one long call (a compiler, a kernel), so a thread of its own writes the line. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stop;
    char text[160];
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *write_lines(void *unused)
{
    struct timespec start, until;
    bool shown = false;
    (void)unused;
    clock_gettime(CLOCK_REALTIME, &start);
    until = start;
    until.tv_sec += 2;
    pthread_mutex_lock(&state.mutex);
    while (!state.stop) {
        if (pthread_cond_timedwait(&state.wake, &state.mutex, &until) == 0 || state.stop) {
            continue;
        }
        fprintf(stderr, "\r\033[K%s (%lld s)", state.text, (long long)(until.tv_sec - start.tv_sec));
        fflush(stderr);
        shown = true;
        until.tv_sec += 1;
    }
    if (shown) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    pthread_mutex_unlock(&state.mutex);
    return NULL;
}

static void set_text(const char *format, va_list list)
{
    pthread_mutex_lock(&state.mutex);
    vsnprintf(state.text, sizeof state.text, format, list);
    pthread_mutex_unlock(&state.mutex);
}

void progress_begin(const char *format, ...)
{
    va_list list;
    progress_end();
    va_start(list, format);
    set_text(format, list);
    va_end(list);
    if (isatty(STDERR_FILENO)) {
        state.stop = false;
        state.running = pthread_create(&state.thread, NULL, write_lines, NULL) == 0;
    }
}

void progress_say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    set_text(format, list);
    va_end(list);
}

void progress_end(void)
{
    if (state.running) {
        pthread_mutex_lock(&state.mutex);
        state.stop = true;
        pthread_cond_signal(&state.wake);
        pthread_mutex_unlock(&state.mutex);
        pthread_join(state.thread, NULL);
        state.running = false;
    }
}

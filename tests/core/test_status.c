/* The thread's sentence on its last failure: what it costs threads, and that each has its own. */
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/core.h"

#define LONG_TEXT 60000
#define MOST_TEXT 65535

static int add_tls(struct dl_phdr_info *info, size_t bytes, void *sum)
{
    (void)bytes;
    if (info->dlpi_name[0] == '\0') { /* the program, the library in it */
        for (int i = 0; i < info->dlpi_phnum; i++) {
            *(size_t *)sum += info->dlpi_phdr[i].p_type == PT_TLS ? info->dlpi_phdr[i].p_memsz : 0;
        }
    }
    return 0;
}

/* What every thread of a program pays that is linked with the library. */
static void few_bytes_a_thread(void **state)
{
    size_t bytes = 0;
    (void)state;
    ct_fail(CLATTN_IO, "so that it is linked");
    dl_iterate_phdr(add_tls, &bytes);
    assert_in_range(bytes, 0, 256);
}

static void *fail_in_a_thread(void *text)
{
    ct_fail(CLATTN_IO, "%s", (const char *)text);
    return strcmp(clattn_error_detail(), text) == 0 ? text : NULL;
}

static void run_thread(size_t stack, char *text)
{
    pthread_t thread;
    pthread_attr_t attributes;
    void *result = NULL;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, stack), 0);
    assert_int_equal(pthread_create(&thread, &attributes, fail_in_a_thread, text), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    pthread_attr_destroy(&attributes);
    assert_ptr_equal(result, text);
}

static void small_stacks(void **state)
{
    char text[] = "q=3 is above 2";
    (void)state;
    ct_fail(CLATTN_IO, "the main thread's");
    for (size_t stack = (size_t)sysconf(_SC_THREAD_STACK_MIN); stack <= 65536; stack += 8192) {
        run_thread(stack, text);
    }
    assert_string_equal(clattn_error_detail(), "the main thread's");
}

static char *long_text(size_t length)
{
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

static void texts_of_any_length(void **state)
{
    static const size_t lengths[] = {0, 1, 1023, 1024, 5000, MOST_TEXT, MOST_TEXT + 1, 200000};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(lengths); i++) {
        char *text = long_text(lengths[i]);
        assert_int_equal(ct_fail(CLATTN_IO, "%s", text), CLATTN_IO);
        assert_int_equal(strlen(clattn_error_detail()), ct_min((int64_t)lengths[i], MOST_TEXT));
        free(text);
    }
    ct_fail(CLATTN_IO, "first");
    ct_fail(CLATTN_IO, "second, after %s", clattn_error_detail()); /* the old sentence as an argument */
    assert_string_equal(clattn_error_detail(), "second, after first");
}

/* they find leaks by themselves, and want memory of their own */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define OWN_MEMORY 0
#else
#    define OWN_MEMORY 1
#endif

#if OWN_MEMORY
static void threads_leave_nothing(void **state)
{
    struct rusage before, after;
    char *text = long_text(LONG_TEXT);
    (void)state;
    run_thread(1 << 18, text);
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 1000; i++) { /* 60 MB, if they stayed */
        run_thread(1 << 18, text);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 20000);
    free(text);
}

/* In a process of its own, whose memory is used up. */
static int fail_without_memory(char *text)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_AS, &none);
    for (size_t bytes = 65536; bytes >= 16; bytes /= 2) {
        while (malloc(bytes)) {
        }
    }
    const clattn_status st = ct_fail(CLATTN_IO, "%s", text);
    return st == CLATTN_IO && strstr(clattn_error_detail(), "no memory") ? 0 : 1;
}

static void without_memory_a_fixed_sentence(void **state)
{
    char *text = long_text(LONG_TEXT);
    int status = -1;
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        _exit(fail_without_memory(text));
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(text);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bytes_a_thread),
        cmocka_unit_test(small_stacks),
        cmocka_unit_test(texts_of_any_length),
#if OWN_MEMORY
        cmocka_unit_test(threads_leave_nothing),
        cmocka_unit_test(without_memory_a_fixed_sentence),
#endif
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}

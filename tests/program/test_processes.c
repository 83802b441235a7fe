/* Many processes on one cache directory, some of them killed: an entry is whole or not there. */
#include "program/scratch.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "program/disk.h"

#define PROCESSES 8
#define KEYS      24
#define ROUNDS    60
#define KILLS     40

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* What key number `index` holds; `writer` makes versions of several lengths that are all right. */
static size_t content(unsigned index, unsigned writer, unsigned char *data)
{
    uint32_t state = 1 + index * 77 + writer * 1000003;
    const size_t bytes = 64 + next(&state) % 20000;
    memcpy(data, &index, sizeof index);
    memcpy(data + 4, &writer, sizeof writer);
    for (size_t i = 8; i < bytes; i++) {
        data[i] = (unsigned char)next(&state);
    }
    return bytes;
}

static void name_key(unsigned index, char key[33])
{
    snprintf(key, 33, "%02x%030x", index * 11 % 256, index);
}

static ct_disk *open_c(const scratch *s, int64_t max_bytes)
{
    char path[512];
    ct_disk *disk = NULL;
    scratch_path(s, "c", path);
    const ct_disk_options options = {.dir = path, .mode = CLATTN_CACHE_READ_WRITE, .max_bytes = max_bytes};
    return ct_disk_open(NULL, &options, &disk) == CLATTN_OK ? disk : NULL;
}

static bool put(ct_disk *disk, unsigned index, unsigned writer)
{
    unsigned char data[20100];
    char key[33];
    name_key(index, key);
    return ct_disk_put(disk, key, "test", data, content(index, writer, data));
}

/* A miss is fine, a wrong byte is not. */
static bool get_is_right(ct_disk *disk, unsigned index, bool *hit)
{
    unsigned char want[20100], *data = NULL;
    char key[33];
    size_t bytes;
    unsigned in_index, writer;
    name_key(index, key);
    *hit = ct_disk_get(disk, key, &data, &bytes);
    if (!*hit) {
        return true;
    }
    memcpy(&in_index, data, sizeof in_index);
    memcpy(&writer, data + 4, sizeof writer);
    const bool right = in_index == index && content(index, writer, want) == bytes && memcmp(want, data, bytes) == 0;
    free(data);
    return right;
}

static bool work(const scratch *s, unsigned me, int64_t max_bytes)
{
    uint32_t state = 12345 + me;
    ct_disk *disk = open_c(s, max_bytes);
    bool right = disk != NULL, hit;
    for (int i = 0; right && i < ROUNDS; i++) {
        const unsigned index = next(&state) % KEYS;
        right =
            get_is_right(disk, index, &hit) && put(disk, index, me) && get_is_right(disk, next(&state) % KEYS, &hit);
        if (next(&state) % 16 == 0) {
            char key[33];
            name_key(index, key);
            ct_disk_remove(disk, key);
        }
    }
    right = right && atomic_load(&disk->rejected) == 0;
    ct_disk_close(disk);
    return right;
}

static void run_processes(const scratch *s, int64_t max_bytes)
{
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(work(s, i, max_bytes) ? 0 : 1);
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

static void eight_processes(void **state)
{
    bool hit;
    run_processes(*state, 64 << 20);
    ct_disk *disk = open_c(*state, 64 << 20);
    for (unsigned i = 0; i < KEYS; i++) {
        assert_true(get_is_right(disk, i, &hit));
    }
    ct_disk_close(disk);
}

/* The limit holds a third of the keys: everyone removes what others are about to read. */
static void eight_processes_and_eviction(void **state)
{
    int64_t files, bytes, max_bytes, rejected;
    run_processes(*state, 80000);
    ct_disk *disk = open_c(*state, 80000);
    assert_true(put(disk, 0, 0));
    ct_disk_stats(disk, &files, &bytes, &max_bytes, &rejected);
    assert_true(bytes <= max_bytes);
    ct_disk_close(disk);
}

static void write_forever(const scratch *s, unsigned me)
{
    ct_disk *disk = open_c(s, 64 << 20);
    for (unsigned i = 0;; i++) {
        (void)put(disk, i % KEYS, me);
    }
}

static void killed_writers(void **state)
{
    const scratch *s = *state;
    uint32_t random = 99;
    int hits = 0;
    bool hit;
    ct_disk *disk = open_c(s, 64 << 20);
    for (unsigned i = 0; i < KILLS; i++) {
        const pid_t child = fork();
        if (child == 0) {
            write_forever(s, i);
        }
        const struct timespec pause = {0, 1000000 + (long)(next(&random) % 12000000)};
        nanosleep(&pause, NULL);
        int status;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        for (unsigned k = 0; k < KEYS; k++) {
            assert_true(get_is_right(disk, k, &hit));
            hits += hit;
        }
    }
    assert_true(hits > 0);
    assert_int_equal(atomic_load(&disk->rejected), 0);
    assert_true(put(disk, 0, 0));
    assert_int_equal(ct_disk_clear(disk), CLATTN_OK);
    ct_disk_close(disk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(eight_processes),
        TEST(eight_processes_and_eviction),
        TEST(killed_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The disk cache's files: what is broken is never handed out; what others could have written is never read. */
#include "program/scratch.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "program/disk.h"
#include "support/failing.h"

#define KEY         "00112233445566778899aabbccddeeff"
#define OTHER       "ff112233445566778899aabbccddeeff"
#define ENTRY       "c/v1/00/" KEY ".clb"
#define OTHER_ENTRY "c/v1/ff/" OTHER ".clb"
#define NOBODY      65534

static char said[4096];

static void hear(void *user, const char *line)
{
    (void)user;
    snprintf(said, sizeof said, "%s", line);
}

static ct_disk *open_disk(const char *dir, clattn_cache_mode mode, int64_t max_bytes)
{
    const ct_disk_options options = {.dir = dir, .mode = mode, .max_bytes = max_bytes, .log = hear};
    ct_disk *disk = (ct_disk *)1;
    said[0] = '\0';
    assert_int_equal(ct_disk_open(NULL, &options, &disk), CLATTN_OK);
    return disk;
}

static ct_disk *open_c(const scratch *s, clattn_cache_mode mode, int64_t max_bytes)
{
    char path[512];
    scratch_path(s, "c", path);
    return open_disk(path, mode, max_bytes);
}

static bool has(ct_disk *disk, const char *key, const void *want, size_t want_bytes)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    if (!ct_disk_get(disk, key, &data, &bytes)) {
        return false;
    }
    assert_int_equal(bytes, want_bytes);
    assert_memory_equal(data, want, bytes);
    free(data);
    return true;
}

static int64_t rejected(ct_disk *disk)
{
    int64_t files, bytes, max_bytes, count;
    ct_disk_stats(disk, &files, &bytes, &max_bytes, &count);
    return count;
}

static bool exists(const scratch *s, const char *name)
{
    char path[512];
    struct stat info;
    scratch_path(s, name, path);
    return lstat(path, &info) == 0;
}

static unsigned mode_of(const scratch *s, const char *name)
{
    char path[512];
    struct stat info;
    scratch_path(s, name, path);
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 0777;
}

static const unsigned char payload[40] = "forty bytes that a driver would believe";

static void puts_and_gets(void **state)
{
    const scratch *s = *state;
    static unsigned char big[300000];
    char long_key[CT_DISK_KEY + 1];
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (unsigned char)(i * 2654435761u >> 13);
    }
    assert_false(has(disk, KEY, "", 0));
    assert_true(ct_disk_put(disk, KEY, "name", payload, sizeof payload));
    assert_true(ct_disk_put(disk, OTHER, "", big, sizeof big));
    assert_true(ct_disk_put(disk, "probe: any text", "probe", payload, 1));
    assert_true(ct_disk_put(disk, "empty", "empty", payload, 0));
    assert_true(has(disk, KEY, payload, sizeof payload));
    assert_true(has(disk, OTHER, big, sizeof big));
    assert_true(has(disk, "probe: any text", payload, 1));
    assert_true(has(disk, "empty", payload, 0));
    assert_true(ct_disk_put(disk, KEY, "again", big, 7));
    assert_true(has(disk, KEY, big, 7));
    memset(long_key, 'a', sizeof long_key);
    long_key[CT_DISK_KEY] = '\0';
    assert_false(ct_disk_put(disk, long_key, "", payload, 1));
    assert_false(ct_disk_put(disk, "", "", payload, 1));
    assert_false(has(disk, long_key, "", 0));
    ct_disk_remove(disk, KEY);
    assert_false(has(disk, KEY, "", 0));
    assert_int_equal(rejected(disk), 0);
    assert_int_equal(mode_of(s, "c"), 0700);
    assert_int_equal(mode_of(s, "c/v1"), 0700);
    assert_int_equal(mode_of(s, "c/v1/ff"), 0700);
    assert_int_equal(mode_of(s, OTHER_ENTRY), 0600);
    ct_disk_close(disk);
}

/* Writes `bytes` of `entry` as KEY's file: it must be refused, removed and counted. */
static void must_reject(const scratch *s, ct_disk *disk, const unsigned char *entry, size_t bytes)
{
    const int64_t before = atomic_load(&disk->rejected);
    scratch_write(s, ENTRY, entry, bytes);
    assert_false(has(disk, KEY, "", 0));
    assert_false(exists(s, ENTRY));
    assert_int_equal(atomic_load(&disk->rejected), before + 1);
}

static void broken_entries(void **state)
{
    const scratch *s = *state;
    unsigned char entry[CT_DISK_HEADER + sizeof payload + 1] = {0};
    const size_t bytes = sizeof entry - 1;
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "name", payload, sizeof payload));
    assert_int_equal(scratch_read(s, ENTRY, entry, sizeof entry), bytes);
    for (size_t length = 0; length < bytes; length++) {
        must_reject(s, disk, entry, length);
    }
    must_reject(s, disk, entry, bytes + 1);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        entry[bit / 8] ^= (unsigned char)(1u << bit % 8);
        must_reject(s, disk, entry, bytes);
        entry[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    scratch_write(s, ENTRY, entry, bytes);
    assert_true(has(disk, KEY, payload, sizeof payload));
    ct_disk_close(disk);
}

static void swapped_entries(void **state)
{
    const scratch *s = *state;
    unsigned char a[1024], b[1024];
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    assert_true(ct_disk_put(disk, OTHER, "b", payload, 10));
    const size_t a_bytes = scratch_read(s, ENTRY, a, sizeof a), b_bytes = scratch_read(s, OTHER_ENTRY, b, sizeof b);
    scratch_write(s, ENTRY, b, b_bytes);
    scratch_write(s, OTHER_ENTRY, a, a_bytes);
    assert_false(has(disk, KEY, "", 0));
    assert_non_null(strstr(said, "another key"));
    assert_false(has(disk, OTHER, "", 0));
    assert_int_equal(rejected(disk), 2);
    ct_disk_close(disk);
}

/* Whole and honest, but of another format: refused; a directory of another format is left alone. */
static void two_versions(void **state)
{
    const scratch *s = *state;
    unsigned char entry[1024];
    char path[512];
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    const size_t bytes = scratch_read(s, ENTRY, entry, sizeof entry);
    entry[8]++;
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(entry, CT_DISK_HEADER - 16));
    memcpy(entry + CT_DISK_HEADER - 16, sum.digest, 16);
    must_reject(s, disk, entry, bytes);
    assert_non_null(strstr(said, "another format"));
    scratch_path(s, "c/v2", path);
    assert_int_equal(mkdir(path, 0700), 0);
    scratch_text(s, "c/v2/" KEY ".clb", "of the next version");
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    assert_int_equal(ct_disk_clear(disk), CLATTN_OK);
    assert_false(exists(s, ENTRY));
    assert_true(exists(s, "c/v2/" KEY ".clb"));
    ct_disk_close(disk);
}

static void read_only_mode(void **state)
{
    const scratch *s = *state;
    const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    char path[512];
    struct stat info;
    assert_null(open_c(s, CLATTN_CACHE_READ_ONLY, 0));
    assert_false(exists(s, "c"));
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    assert_true(ct_disk_put(disk, OTHER, "b", payload, 10));
    ct_disk_close(disk);
    scratch_path(s, ENTRY, path);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    scratch_text(s, OTHER_ENTRY, "broken");
    disk = open_c(s, CLATTN_CACHE_READ_ONLY, 0);
    assert_non_null(disk);
    assert_true(has(disk, KEY, payload, 10));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mtim.tv_sec, 1000);
    assert_false(has(disk, OTHER, "", 0));
    assert_true(exists(s, OTHER_ENTRY));
    assert_false(ct_disk_put(disk, "new", "new", payload, 10));
    ct_disk_remove(disk, KEY);
    assert_true(exists(s, ENTRY));
    assert_int_equal(ct_disk_clear(disk), CLATTN_UNSUPPORTED);
    ct_disk_close(disk);
}

/* Runs `body` as a user who owns nothing; root can write everywhere. 0: it returned true. */
static int as_nobody(const scratch *s, bool (*body)(const scratch *))
{
    const pid_t child = fork();
    if (child == 0) {
        const bool changed =
            geteuid() != 0 || (setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
        _exit(changed && body(s) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void give_to_nobody(const scratch *s, const char *name)
{
    char path[512];
    scratch_path(s, name, path);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    }
}

static bool use_read_only_directory(const scratch *s)
{
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    if (!disk || !has(disk, KEY, payload, 10)) {
        return false;
    }
    const bool put = ct_disk_put(disk, OTHER, "b", payload, 10);
    const bool spoke = strstr(said, "cannot write") != NULL;
    said[0] = '\0';
    const bool again = ct_disk_put(disk, OTHER, "b", payload, 10);
    const bool still = has(disk, KEY, payload, 10);
    ct_disk_close(disk);
    return !put && spoke && !again && !said[0] && still;
}

static void read_only_directory(void **state)
{
    const scratch *s = *state;
    char path[512];
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    ct_disk_close(disk);
    static const char *const names[] = {"", "c", "c/v1", "c/v1/00", ENTRY};
    for (size_t i = 0; i < CT_COUNT(names); i++) {
        give_to_nobody(s, names[i]);
    }
    scratch_path(s, "c/v1", path);
    assert_int_equal(chmod(path, 0500), 0);
    assert_int_equal(as_nobody(s, use_read_only_directory), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

/* The path and the system's reason, in the language of the locale. */
static bool says_denied(const char *path)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s': %s", path, strerror(EACCES));
    return strstr(said, "cannot make") && strstr(said, wanted);
}

static bool cannot_be_made(const scratch *s)
{
    return !open_c(s, CLATTN_CACHE_READ_WRITE, 0) && says_denied("/c");
}

static bool version_cannot_be_made(const scratch *s)
{
    return !open_c(s, CLATTN_CACHE_READ_WRITE, 0) && says_denied("/c/v1");
}

/* What lies in an entry's place and does not go is not said to be removed. */
static void a_directory_for_an_entry(void **state)
{
    const scratch *s = *state;
    char path[512];
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    ct_disk_remove(disk, KEY);
    scratch_path(s, ENTRY, path);
    assert_int_equal(mkdir(path, 0700), 0);
    said[0] = '\0';
    assert_false(has(disk, KEY, "", 0));
    assert_true(exists(s, ENTRY));
    assert_null(strstr(said, "; removed"));
    assert_non_null(strstr(said, "is no file of this user; cannot be removed: "));
    assert_int_equal(rejected(disk), 1);
    assert_false(ct_disk_put(disk, KEY, "a", payload, 10));
    assert_non_null(strstr(said, "cannot write"));
    ct_disk_close(disk);
}

static void directory_cannot_be_made(void **state)
{
    const scratch *s = *state;
    give_to_nobody(s, "");
    assert_int_equal(chmod(s->dir, 0500), 0);
    assert_int_equal(as_nobody(s, cannot_be_made), 0);
    assert_int_equal(chmod(s->dir, 0700), 0);
    char path[512];
    scratch_path(s, "c", path);
    assert_int_equal(mkdir(path, 0500), 0);
    give_to_nobody(s, "c");
    assert_int_equal(as_nobody(s, version_cannot_be_made), 0);
    scratch_path(s, "none", path);
    assert_null(open_disk(path, CLATTN_CACHE_READ_ONLY, 0)); /* nothing was to be made */
    assert_non_null(strstr(said, "cannot open"));
}

static void must_refuse(const scratch *s, const char *name, const char *word)
{
    char path[512];
    scratch_path(s, name, path);
    assert_null(open_disk(path, CLATTN_CACHE_READ_WRITE, 0));
    if (!strstr(said, word)) {
        fail_msg("'%s' is not in '%s'", word, said);
    }
}

static void untrusted_directories(void **state)
{
    const scratch *s = *state;
    static const mode_t modes[] = {0777, 0770, 0720, 0702};
    char path[512], link[512];
    scratch_path(s, "real", path);
    assert_int_equal(mkdir(path, 0700), 0);
    scratch_path(s, "link", link);
    assert_int_equal(symlink(path, link), 0);
    must_refuse(s, "link", "symbolic link");
    must_refuse(s, "link///", "symbolic link");
    for (size_t i = 0; i < CT_COUNT(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        must_refuse(s, "real", "others may write");
    }
    assert_int_equal(chmod(path, 0700), 0);
    scratch_path(s, "real/v1", path);
    assert_int_equal(symlink("/tmp", path), 0);
    must_refuse(s, "real", "symbolic link");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0777), 0);
    must_refuse(s, "real", "others may write");
    scratch_text(s, "file", "");
    must_refuse(s, "file", "no directory");
    if (geteuid() == 0) {
        scratch_path(s, "foreign", path);
        assert_int_equal(mkdir(path, 0700), 0);
        give_to_nobody(s, "foreign");
        must_refuse(s, "foreign", "belongs to user 65534");
    }
}

static bool borrowed_rights(const scratch *s)
{
    char path[512];
    scratch_path(s, "c", path);
    return !open_disk(path, CLATTN_CACHE_READ_WRITE, 0) && strstr(said, "another user");
}

static void set_user_id(void **state)
{
    if (geteuid() != 0) {
        skip();
    }
    const pid_t child = fork();
    if (child == 0) {
        _exit(seteuid(NOBODY) == 0 && borrowed_rights(*state) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void untrusted_entries(void **state)
{
    const scratch *s = *state;
    char path[512];
    unsigned char *data;
    size_t bytes;
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    scratch_path(s, ENTRY, path);
    char aside[512];
    scratch_path(s, "aside", aside);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(symlink(aside, path), 0);
    assert_false(ct_disk_get(disk, KEY, &data, &bytes));
    assert_non_null(strstr(said, "symbolic link"));
    assert_true(exists(s, "aside"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(ct_disk_get(disk, KEY, &data, &bytes)); /* and it does not wait for a writer */
    if (geteuid() == 0) {
        assert_int_equal(rename(aside, path), 0);
        give_to_nobody(s, ENTRY);
        assert_false(ct_disk_get(disk, KEY, &data, &bytes));
        assert_int_equal(rejected(disk), 3);
    }
    ct_disk_close(disk);
}

static void environment(void **state)
{
    const scratch *s = *state;
    char own[512], xdg[512], home[512], want[600];
    static const char *const names[] = {"CLATTN_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
    scratch_path(s, "own/deep/er", own);
    scratch_path(s, "xdg", xdg);
    scratch_path(s, "home", home);
    setenv(names[0], own, 1);
    setenv(names[1], xdg, 1);
    setenv(names[2], home, 1);
    static const char *const below[] = {"", "/clattn", "/.cache/clattn"};
    const char *const values[] = {own, xdg, home};
    for (size_t i = 0; i < 3; i++) {
        ct_disk *disk = open_disk(NULL, CLATTN_CACHE_DEFAULT, 0);
        assert_non_null(disk);
        snprintf(want, sizeof want, "%s%s", values[i], below[i]);
        assert_string_equal(ct_disk_dir(disk), want);
        assert_int_equal(disk->max_bytes, 256 << 20);
        ct_disk_close(disk);
        if (i == 0) {
            unsetenv(names[0]);
        } else {
            setenv(names[i], i == 1 ? "relative" : "", 1);
        }
    }
    assert_null(open_disk(NULL, CLATTN_CACHE_DEFAULT, 0));
    unsetenv("HOME");
    assert_null(open_disk(NULL, CLATTN_CACHE_DEFAULT, 0));
    assert_non_null(strstr(said, "HOME"));
}

static void modes_and_limits(void **state)
{
    const scratch *s = *state;
    setenv("CLATTN_CACHE", "off", 1);
    assert_null(open_c(s, CLATTN_CACHE_DEFAULT, 0));
    assert_false(exists(s, "c"));
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0); /* the caller's word counts more */
    assert_non_null(disk);
    ct_disk_close(disk);
    setenv("CLATTN_CACHE", "ro", 1);
    disk = open_c(s, CLATTN_CACHE_DEFAULT, 0);
    assert_false(disk->writable);
    ct_disk_close(disk);
    setenv("CLATTN_CACHE", "of", 1);
    assert_null(open_c(s, CLATTN_CACHE_DEFAULT, 0));
    assert_non_null(strstr(said, "'of'"));
    setenv("CLATTN_CACHE", "rw", 1);
    static const struct {
        const char *text;
        int64_t bytes;
    } limits[] = {{"3", 3 << 20},    {"", 256 << 20},    {"0", 256 << 20},
                  {"-1", 256 << 20}, {"1.5", 256 << 20}, {"99999999999999", 256 << 20}};
    for (size_t i = 0; i < CT_COUNT(limits); i++) {
        setenv("CLATTN_CACHE_MAX_MB", limits[i].text, 1);
        disk = open_c(s, CLATTN_CACHE_DEFAULT, 0);
        assert_int_equal(disk->max_bytes, limits[i].bytes);
        ct_disk_close(disk);
    }
    disk = open_c(s, CLATTN_CACHE_DEFAULT, 12345);
    assert_int_equal(disk->max_bytes, 12345);
    ct_disk_close(disk);
    unsetenv("CLATTN_CACHE");
    unsetenv("CLATTN_CACHE_MAX_MB");
    assert_null(open_c(s, CLATTN_CACHE_OFF, 0));
}

static void eviction(void **state)
{
    const scratch *s = *state;
    static unsigned char block[1024 - CT_DISK_HEADER];
    char key[33], name[64], path[512];
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 8 * 1024);
    for (int i = 0; i < 8; i++) {
        const struct timespec used[2] = {{1000 + i, 0}, {1000 + i, 0}};
        snprintf(key, sizeof key, "%02x0000000000000000000000000000ab", i);
        assert_true(ct_disk_put(disk, key, "", block, sizeof block));
        snprintf(name, sizeof name, "c/v1/%02x/%s.clb", i, key);
        scratch_path(s, name, path);
        assert_int_equal(utimensat(AT_FDCWD, path, used, 0), 0);
    }
    assert_true(has(disk, "000000000000000000000000000000ab", block, sizeof block)); /* now the one used last */
    scratch_text(s, "c/v1/00/.tmp-1-old", "of a writer that was killed");
    scratch_text(s, "c/v1/00/.tmp-1-new", "of a writer at work");
    scratch_path(s, "c/v1/00/.tmp-1-old", path);
    const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_true(ct_disk_put(disk, KEY, "", block, sizeof block)); /* 9 KiB: down to 7 */
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "c/v1/%02x/%02x0000000000000000000000000000ab.clb", i, i);
        assert_int_equal(exists(s, name), i == 0 || i >= 3);
    }
    assert_true(exists(s, ENTRY));
    assert_false(exists(s, "c/v1/00/.tmp-1-old"));
    assert_true(exists(s, "c/v1/00/.tmp-1-new"));
    static unsigned char large[8 * 1024 - CT_DISK_HEADER + 1];
    assert_false(ct_disk_put(disk, OTHER, "large", large, sizeof large));
    assert_non_null(strstr(said, "limit"));
    assert_true(ct_disk_put(disk, OTHER, "large", large, sizeof large - 1));
    int64_t files, bytes, max_bytes, broken;
    ct_disk_stats(disk, &files, &bytes, &max_bytes, &broken);
    assert_true(bytes <= max_bytes && files == 1);
    assert_int_equal(broken, 0);
    assert_int_equal(ct_disk_clear(disk), CLATTN_OK);
    ct_disk_stats(disk, &files, &bytes, &max_bytes, &broken);
    assert_int_equal(files, 0);
    ct_disk_close(disk);
}

/* Memory that runs out is a miss or CLATTN_OUT_OF_HOST_MEMORY; the entry stays. */
static void allocations_fail(void **state)
{
    const scratch *s = *state;
    char path[512];
    scratch_path(s, "c", path);
    const ct_disk_options options = {.dir = path, .mode = CLATTN_CACHE_READ_WRITE, .log = hear};
    bool done = false;
    ct_disk *disk = open_c(s, CLATTN_CACHE_READ_WRITE, 0);
    assert_true(ct_disk_put(disk, KEY, "a", payload, 10));
    ct_disk_close(disk);
    for (long n = 1; !done; n++) {
        ct_failing c = {.fail_at = n, .from_there_on = 1};
        const clattn_allocator allocator = ct_failing_allocator(&c);
        unsigned char *data = NULL;
        size_t bytes;
        const clattn_status st = ct_disk_open(&allocator, &options, &disk);
        assert_true(st == CLATTN_OK || (st == CLATTN_OUT_OF_HOST_MEMORY && !disk));
        if (disk) {
            done = ct_disk_get(disk, KEY, &data, &bytes);
            (void)ct_disk_put(disk, OTHER, "b", payload, 10);
            assert_int_equal(atomic_load(&disk->rejected), 0);
            ct_release(&allocator, data);
            ct_disk_close(disk);
        }
        assert_int_equal(atomic_load(&c.held), 0);
        assert_true(exists(s, ENTRY));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    static const char *const names[] = {"CLATTN_CACHE", "CLATTN_CACHE_DIR", "CLATTN_CACHE_MAX_MB"};
    for (size_t i = 0; i < CT_COUNT(names); i++) {
        unsetenv(names[i]);
    }
    umask(0);
    const struct CMUnitTest tests[] = {
        TEST(puts_and_gets),
        TEST(broken_entries),
        TEST(swapped_entries),
        TEST(two_versions),
        TEST(read_only_mode),
        TEST(read_only_directory),
        TEST(untrusted_entries),
        TEST(directory_cannot_be_made),
        TEST(untrusted_directories),
        TEST(set_user_id),
        TEST(modes_and_limits),
        TEST(eviction),
        TEST(allocations_fail),
        TEST(environment),
        TEST(a_directory_for_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* .npy files: round trips, what is refused and why, and files that lie. */
#include "clattn/npy.h"
#include "cli/unit.h"
#include "harness/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/clattn-npy-XXXXXX", path[128];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/t.npy", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove(path);
    return rmdir(folder);
}

/* A file with this header text, version and `bytes` bytes of data 1, 2, 3 ... */
static size_t build(uint8_t *file, int version, const char *header, size_t bytes)
{
    const size_t length = strlen(header), first = version == 1 ? 10 : 12;
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    memset(file + 7, 0, 5);
    file[8] = (uint8_t)(length & 255);
    file[9] = (uint8_t)(length >> 8);
    memcpy(file + first, header, length);
    for (size_t i = 0; i < bytes; i++) {
        file[first + length + i] = (uint8_t)(i + 1);
    }
    return first + length + bytes;
}

/* Must fail with this status, and say this. */
static void refuse(const char *header, size_t bytes, clattn_status status, const char *says)
{
    uint8_t file[1024];
    tensor t = {0};
    const size_t length = build(file, 1, header, bytes);
    assert_int_equal(npy_parse(file, length, &t), status);
    assert_non_null(strstr(clattn_error_detail(), says));
    assert_null(t.data);
}

static void round_trips(void **state)
{
    static const clattn_dtype types[] = {CLATTN_F32, CLATTN_F16, CLATTN_I32, CLATTN_U8};
    const int64_t dims[4] = {2, 3, 1, 5};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(types); i++) {
        for (int rank = 0; rank <= 4; rank++) {
            tensor t, back = {0};
            assert_int_equal(tensor_make(&t, types[i], rank, dims), CLATTN_OK);
            for (size_t b = 0; b < tensor_bytes(&t); b++) {
                ((uint8_t *)t.data)[b] = (uint8_t)(b * 37 + 11);
            }
            assert_int_equal(tensor_save(path, "x", &t), CLATTN_OK);
            assert_int_equal(tensor_load(path, "x", &back), CLATTN_OK);
            assert_int_equal(back.dtype, t.dtype);
            assert_int_equal(back.rank, rank);
            assert_memory_equal(back.dims, dims, (size_t)rank * sizeof *dims);
            assert_memory_equal(back.data, t.data, tensor_bytes(&t));
            tensor_release(&t);
            tensor_release(&back);
        }
    }
}

static void empty_and_version_two(void **state)
{
    uint8_t file[1024];
    tensor t = {0};
    (void)state;
    size_t length = build(file, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 7), }\n", 0);
    assert_int_equal(npy_parse(file, length, &t), CLATTN_OK);
    assert_int_equal(t.dims[1], 7);
    tensor_release(&t);
    length = build(file, 2, "{\"shape\": (2,), \"fortran_order\": False, \"descr\": \"|u1\"}", 2);
    assert_int_equal(npy_parse(file, length, &t), CLATTN_OK);
    assert_int_equal(((uint8_t *)t.data)[1], 2);
    tensor_release(&t);
}

static void wide_integers_are_narrowed(void **state)
{
    uint8_t file[1024];
    tensor t = {0};
    (void)state;
    const char *header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }";
    const size_t length = build(file, 1, header, 16);
    uint8_t *data = file + length - 16;
    memset(data, 0xff, 16); /* -1, -1 */
    memset(data, 0, 8);
    data[0] = 200;
    assert_int_equal(npy_parse(file, length, &t), CLATTN_OK);
    assert_int_equal(t.dtype, CLATTN_I32);
    assert_int_equal(((int32_t *)t.data)[0], 200);
    assert_int_equal(((int32_t *)t.data)[1], -1);
    tensor_release(&t);
    data[4] = 1;
    assert_int_equal(npy_parse(file, length, &t), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "4294967496"));
}

static void refusals_say_why(void **state)
{
    (void)state;
    refuse("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, CLATTN_UNSUPPORTED, "big endian");
    refuse("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 16, CLATTN_UNSUPPORTED, "astype('f4')");
    refuse("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", 16, CLATTN_UNSUPPORTED, "fortran_order");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, CLATTN_IO, "needs 12 bytes");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, CLATTN_IO, "holds 9");
    refuse("{'descr': '<f4', 'shape': (2,), }", 8, CLATTN_IO, "lacks");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, CLATTN_IO, "cannot be read");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, CLATTN_IO, "at most 8");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0, CLATTN_IO, "elements");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0, CLATTN_IO,
           "cannot be read");
    refuse("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, CLATTN_IO, "structured");
}

static void bf16_wants_another_format(void **state)
{
    const int64_t dims[1] = {2};
    tensor t;
    (void)state;
    assert_int_equal(tensor_make(&t, CLATTN_BF16, 1, dims), CLATTN_OK);
    assert_int_equal(tensor_save(path, "x", &t), CLATTN_UNSUPPORTED);
    assert_non_null(strstr(clattn_error_detail(), ".safetensors"));
    tensor_release(&t);
}

/* The parser gets a copy of exact length, so that a sanitizer sees every byte too many. */
static bool parses(const uint8_t *file, size_t length)
{
    tensor t = {0};
    uint8_t *copy = malloc(length ? length : 1);
    memcpy(copy, file, length);
    const bool good = npy_parse(copy, length, &t) == CLATTN_OK;
    tensor_release(&t);
    free(copy);
    return good;
}

static void cut_anywhere(void **state)
{
    uint8_t file[1024];
    (void)state;
    const size_t length = build(file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
    assert_true(parses(file, length));
    for (size_t i = 0; i < length; i++) {
        assert_false(parses(file, i));
    }
}

static void flipped_bits(void **state)
{
    uint8_t file[1024], hurt[1024];
    ct_random random = ct_random_of(5, 0);
    (void)state;
    const size_t length = build(file, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }", 48);
    for (int turn = 0; turn < 20000; turn++) {
        memcpy(hurt, file, length);
        for (int64_t flips = ct_random_int(&random, 1, 4); flips > 0; flips--) {
            hurt[ct_random_int(&random, 0, (int64_t)length - 1)] ^= (uint8_t)(1 << ct_random_int(&random, 0, 7));
        }
        (void)parses(hurt, length);
    }
}

static void bad_paths(void **state)
{
    tensor t = {0};
    (void)state;
    assert_int_equal(tensor_load("/nonexistent/x.npy", "x", &t), CLATTN_IO);
    assert_int_equal(tensor_load("x.txt", "x", &t), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), ".safetensors"));
    const int64_t one[1] = {1};
    assert_int_equal(tensor_make(&t, CLATTN_U8, 1, one), CLATTN_OK);
    assert_int_equal(tensor_save("/nonexistent/x.npy", "x", &t), CLATTN_IO);
    tensor_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(empty_and_version_two),
        cmocka_unit_test(wide_integers_are_narrowed),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(bf16_wants_another_format),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(bad_paths),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

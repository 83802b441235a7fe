/* .npy files: round trips, what is refused and why, and files that lie. */
#include "clattn/npy.h"
#include "cli/tensor_file.h"

static int make_folder(void **state)
{
    (void)state;
    return folder_make("t.npy");
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
            tensor t = patterned(types[i], rank, dims), back = {0};
            assert_int_equal(tensor_save(path, "x", &t), CLATTN_OK);
            assert_int_equal(tensor_load(path, "x", &back), CLATTN_OK);
            assert_same_tensor(&back, &t);
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

static void cut_anywhere(void **state)
{
    uint8_t file[1024];
    (void)state;
    const size_t length = build(file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
    cut(npy_parse, file, length);
}

static void flipped_bits(void **state)
{
    uint8_t file[1024];
    (void)state;
    const size_t length = build(file, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }", 48);
    flip(npy_parse, file, length);
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
    return cmocka_run_group_tests(tests, make_folder, folder_remove);
}

/* .safetensors files: round trips, several tensors in one, and files that lie. */
#include "clattn/safetensors.h"
#include "cli/tensor_file.h"

static int make_folder(void **state)
{
    (void)state;
    return folder_make("t.safetensors");
}

static size_t build(uint8_t *file, const char *header, size_t bytes)
{
    const size_t length = strlen(header);
    memset(file, 0, 8);
    file[0] = (uint8_t)(length & 255);
    file[1] = (uint8_t)(length >> 8);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < bytes; i++) {
        file[8 + length + i] = (uint8_t)(i + 1);
    }
    return 8 + length + bytes;
}

static void refuse(const char *header, size_t bytes, const char *name, clattn_status status, const char *says)
{
    uint8_t file[1024];
    tensor t = {0};
    const size_t length = build(file, header, bytes);
    assert_int_equal(safetensors_parse(file, length, name, NULL, &t), status);
    assert_non_null(strstr(clattn_error_detail(), says));
    assert_null(t.data);
}

static void round_trips(void **state)
{
    static const clattn_dtype types[] = {CLATTN_F32, CLATTN_F16, CLATTN_BF16, CLATTN_I32, CLATTN_U8};
    const int64_t dims[4] = {2, 3, 1, 5};
    char named[160];
    (void)state;
    snprintf(named, sizeof named, "%s:a \"name\"", path);
    for (size_t i = 0; i < CT_COUNT(types); i++) {
        tensor t = patterned(types[i], 4, dims), back = {0};
        assert_int_equal(tensor_save(named, "x", &t), CLATTN_OK);
        assert_int_equal(tensor_load(path, "other", &back), CLATTN_OK); /* the only one */
        assert_same_tensor(&back, &t);
        tensor_release(&back);
        assert_int_equal(tensor_load(named, "other", &back), CLATTN_OK);
        tensor_release(&back);
        tensor_release(&t);
    }
}

static const char two[] =
    "{\"__metadata__\":{\"by\":\"hand\"},\"k\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
    "\"q\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[2,6]}}";

static void chosen_by_name(void **state)
{
    uint8_t file[1024];
    tensor t = {0};
    (void)state;
    const size_t length = build(file, two, 6);
    assert_int_equal(safetensors_parse(file, length, "q", NULL, &t), CLATTN_OK);
    assert_int_equal(t.dtype, CLATTN_BF16);
    assert_int_equal(((uint8_t *)t.data)[0], 3);
    tensor_release(&t);
    assert_int_equal(safetensors_parse(file, length, NULL, "k", &t), CLATTN_OK); /* the slot's name decides */
    assert_int_equal(t.dtype, CLATTN_U8);
    tensor_release(&t);
    refuse(two, 6, NULL, CLATTN_INVALID_ARGUMENT, "2 tensors");
    refuse(two, 6, "v", CLATTN_INVALID_ARGUMENT, "'v'");
    refuse(two, 5, "q", CLATTN_IO, "bytes 2 to 6 of 5");
}

static void refusals_say_why(void **state)
{
    (void)state;
    refuse("{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, NULL, CLATTN_UNSUPPORTED, "F64");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, NULL, CLATTN_IO, "needs 12 bytes");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 8, NULL, CLATTN_IO, "dimension 0");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, NULL, CLATTN_IO, "bytes 8 to 0");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,8]}}", 8, NULL, CLATTN_IO,
           "elements");
    refuse("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, NULL, CLATTN_IO, "lacks dtype");
    refuse("{\"a\":3}", 8, NULL, CLATTN_IO, "lacks dtype");
    refuse("[1]", 0, NULL, CLATTN_IO, "not an object");
    refuse("{\"a\":", 0, NULL, CLATTN_IO, "no JSON");
    refuse("{}", 0, NULL, CLATTN_INVALID_ARGUMENT, "0 tensors");
}

static clattn_status parse_q(const void *data, size_t bytes, tensor *out)
{
    return safetensors_parse(data, bytes, "q", NULL, out);
}

static void cut_anywhere(void **state)
{
    uint8_t file[1024];
    (void)state;
    const size_t length = build(file, two, 6);
    cut(parse_q, file, length);
}

static void flipped_bits(void **state)
{
    uint8_t file[1024];
    (void)state;
    flip(parse_q, file, build(file, two, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),  cmocka_unit_test(chosen_by_name), cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(cut_anywhere), cmocka_unit_test(flipped_bits),
    };
    return cmocka_run_group_tests(tests, make_folder, folder_remove);
}

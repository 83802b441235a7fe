/* Numbers without a locale, texts that grow, files, status codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

static void numbers(void **state)
{
    static const double values[] = {0, 1, -1, 0.1, 1.0 / 3, 1e-30, -2.5e300, 12345678.9, 0.088388347648318447};
    char text[32];
    double back;
    int64_t whole;
    (void)state;
    for (size_t i = 0; i < CT_COUNT(values); i++) {
        ct_format_double(values[i], text, sizeof text);
        assert_null(strchr(text, ','));
        assert_true(ct_parse_double(text, &back));
        assert_true(back == values[i]);
    }
    static const char *const bad[] = {"", " 1", "1,5", "1.5x", "x", "1.5 "};
    for (size_t i = 0; i < CT_COUNT(bad); i++) {
        assert_false(ct_parse_double(bad[i], &back));
        assert_false(ct_parse_int(bad[i], &whole));
    }
    assert_false(ct_parse_int("99999999999999999999", &whole));
    assert_true(ct_parse_int("-42", &whole) && whole == -42);
}

static void numbers_under_a_comma(void **state)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        print_message("de_DE.UTF-8 is not installed: ci/locale.sh runs this with it\n");
        skip();
    }
    numbers(state);
    setlocale(LC_ALL, "C");
}

static void texts(void **state)
{
    ct_text text = {0};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        ct_text_add(&text, "%d,", i % 10);
    }
    assert_int_equal(text.length, 2000);
    ct_text_append(&text, "abc", 2);
    assert_string_equal(text.data + 1998, "9,ab");
    assert_false(text.failed);
    ct_text_release(&text);
    assert_null(text.data);
}

static void files(void **state)
{
    char *data = NULL;
    size_t length = 0;
    (void)state;
    assert_int_equal(ct_read_file(NULL, "/no/such/file", &data, &length), CLATTN_IO);
    assert_non_null(strstr(clattn_error_detail(), "/no/such/file"));
    assert_int_equal(ct_read_file(NULL, __FILE__, &data, &length), CLATTN_OK);
    assert_true(length > 100 && strlen(data) == length);
    ct_release(NULL, data);
    assert_int_equal(ct_read_file(NULL, "/", &data, &length), CLATTN_IO);
    assert_non_null(strstr(clattn_error_detail(), "directory"));
    assert_int_equal(ct_read_file(NULL, "/dev/null", &data, &length), CLATTN_OK);
    assert_true(length == 0 && data[0] == '\0');
    ct_release(NULL, data);
}

static void statuses(void **state)
{
    (void)state;
    assert_string_equal(clattn_status_name(CLATTN_OK), "CLATTN_OK");
    assert_string_equal(clattn_status_name(CLATTN_BAD_LAYOUT), "CLATTN_BAD_LAYOUT");
    assert_string_equal(clattn_status_name(CL_OUT_OF_RESOURCES), "CL_OUT_OF_RESOURCES");
    assert_string_equal(clattn_status_name(-424242), "unknown status");
    assert_true(strlen(clattn_status_text(-424242)) > 0);
    assert_int_equal(ct_fail(-5, "n=%d: at most %d", 7, 3), -5);
    assert_string_equal(clattn_error_detail(), "n=7: at most 3");
    char *large = malloc(200000);
    memset(large, 'y', 199999);
    large[199999] = '\0';
    ct_fail(-5, "%s", large);
    assert_int_equal(strlen(clattn_error_detail()), 65535);
    free(large);
    assert_int_equal(clattn_version(), CLATTN_VERSION);
    assert_string_equal(clattn_version_string(), "0.1.0");
}

static void sizes(void **state)
{
    (void)state;
    assert_null(ct_alloc_array(NULL, SIZE_MAX / 2, 3));
    assert_int_equal(ct_ceil_div(65, 64), 2);
    assert_int_equal(ct_round_up(65, 64), 128);
    assert_int_equal(clattn_dtype_size(CLATTN_BF16), 2);
    assert_string_equal(clattn_dtype_name(CLATTN_U8), "u8");
    assert_int_equal(clattn_dtype_size((clattn_dtype)99), 0);
    for (int i = 0; i < CLATTN_SLOT_COUNT; i++) {
        assert_string_not_equal(clattn_slot_name((clattn_slot)i), "unknown");
    }
    assert_string_equal(clattn_slot_name((clattn_slot)-1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),  cmocka_unit_test(numbers_under_a_comma),
        cmocka_unit_test(texts),    cmocka_unit_test(files),
        cmocka_unit_test(statuses), cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

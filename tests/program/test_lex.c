/* Which identifiers a caller's text mentions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "program/lex.h"

static const char *const with[] = {
    "buffer",
    "score + buffer[0]",
    "return gather(buffer, query, 1, key);",
    "/* a */buffer// b",
    "x=\"a\"buffer",
    "'\"'+buffer",
    "\"\\\"\" buffer",
    "#define B buffer\nB[0]",
    "a->buffer",
    "buf\\\nfer[0]",
    "buf\\\r\nfer",
    "score // one\nbuffer",
    "/**/ buffer",
    "/***/buffer",
    "1.0f*buffer",
    "x/buffer/y",
    "'a\nbuffer",
    "// \\\\\nbuffer\n+ buffer",
};
static const char *const without[] = {
    "",
    "score",
    "my_buffer",
    "buffers",
    "buffer0",
    "_buffer",
    "Buffer",
    "0xbuffer",
    "1buffer",
    "// buffer",
    "/* buffer */ score",
    "/* * buffer",
    "\"buffer\"",
    "'buffer'",
    "\"\\\"buffer\"",
    "// a \\\nbuffer",
    "/\\\n/ buffer",
    "/\\\n* buffer *\\\n/",
    "buff er",
    "buff",
    "buffer_",
    "/*/ buffer */",
    "\"a\\",
    "\\",
    "/",
    "/*",
    "'",
};

static void found_where_it_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < CT_COUNT(with); i++) {
        if (!ct_lex_finds(with[i], "buffer")) {
            fail_msg("not found in: %s", with[i]);
        }
    }
    for (size_t i = 0; i < CT_COUNT(without); i++) {
        if (ct_lex_finds(without[i], "buffer")) {
            fail_msg("found in: %s", without[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(found_where_it_counts)};
    return cmocka_run_group_tests_name("lex", tests, NULL, NULL);
}

/* A log that goes by lines of the joined text names the files they came from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/memory.h"

static const char source[] =
    "#line 1 \"a.cl\"\nint a;\nint b;\n#line 7 \"score text\"\nx +\n y\n#line 4 \"a.cl\"\nint c;\n";

static void check(const char *log, const char *want)
{
    char *got = ct_program_places(NULL, source, log);
    assert_non_null(got);
    assert_string_equal(got, want);
    free(got);
}

static void test_lines(void **state)
{
    (void)state;
    check("<kernel>:2:5: error: p\n", "a.cl:1:5: error: p\n");
    check("<kernel>:3:1: e\n<kernel>:6:2: f\n", "a.cl:2:1: e\nscore text:8:2: f\n");
    check("at <kernel>:8:9", "at a.cl:4:9");
}

static void test_others(void **state)
{
    (void)state;
    check("", "");
    check("mine.cl:3: error\n", "mine.cl:3: error\n");
    check("<kernel>:x", "<kernel>:x");
    check("<kernel>:1:1: e", "<kernel>:1:1: e"); /* before any #line */
}

/* The lines of a real program: what NVIDIA's compiler calls line 8 is line 3 of the text. */
static void test_program(void **state)
{
    ct_program_spec spec = {.kernel = "attend_forward",
                            .backend = "ref",
                            .texts[CT_TEXT_SCORE].text = "score\n\n+ no_such_name\n",
                            .texts[CT_TEXT_SCORE].name = "mine.cl"};
    char *text = NULL, *options = NULL, log[64];
    (void)state;
    ct_spec_part(&spec, "tile/tile.cl");
    ct_spec_part(&spec, "variant/score.cl");
    assert_int_equal(ct_program_source(NULL, &spec, &text, &options), CLATTN_OK);
    int line = 1;
    for (const char *at = text; at < strstr(text, "no_such_name"); at++) {
        line += *at == '\n';
    }
    snprintf(log, sizeof log, "<kernel>:%d:3: error", line);
    char *got = ct_program_places(NULL, text, log);
    assert_string_equal(got, "mine.cl:3:3: error");
    free(got);
    free(text);
    free(options);
}

/* An error in a line of the caller's text, not one that only has a name like it. */
static void test_blame(void **state)
{
    static const struct {
        const char *log;
        bool blames;
    } cases[] = {
        {"kernel k: clBuildProgram returned x; the compiler's log:\nerror: score.cl:3:2: use of undeclared identifier "
         "'x'\n",
         true},
        {"score.cl:3:2: error: expected expression", true},
        {"mask text:12: error: expected expression", true},
        {"warning: a\nerror in \"mask text:1\": b", true},
        {"error: variant/score.cl:3:2: use of undeclared identifier 'x'\n", false}, /* ours */
        {"error: tile/tile_cpu.cl:1:2: refused\nnote: score.cl:3:2: here\n", false},
        {"error: score.clx:3", false},
        {"error: score.cl: 3", false},
        {"error\nscore.cl:3", false},
        {"score.cl:3\nerror", false},
        {"", false},
    };
    ct_program_spec spec = {.texts = {[CT_TEXT_SCORE] = {"x", "score.cl"}, [CT_TEXT_MASK] = {"y", "mask text"}}};
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        assert_int_equal(ct_places_blame_text(&spec, cases[i].log), cases[i].blames);
    }
    spec.texts[CT_TEXT_SCORE].text = spec.texts[CT_TEXT_MASK].text = NULL;
    assert_false(ct_places_blame_text(&spec, cases[1].log));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_others),
                                       cmocka_unit_test(test_program), cmocka_unit_test(test_blame)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Parts, includes, the caller's texts, and where each line says it comes from. */
#include "program/scratch.h"

#include "program/program.h"
#include "support/failing.h"

static ct_program_spec spec_of(const char *first, const char *second)
{
    ct_program_spec spec = {.kernel = "k", .backend = "ref"};
    ct_spec_part(&spec, first);
    if (second) {
        ct_spec_part(&spec, second);
    }
    return spec;
}

static char *expand(const ct_program_spec *spec)
{
    char *source = NULL, *options = NULL;
    assert_int_equal(ct_program_source(NULL, spec, &source, &options), CLATTN_OK);
    free(options);
    return source;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word)) {
        n++;
    }
    return n;
}

/* Every line that carries a tag @file:number@ must be where the compiler will say it is. Returns the number of tags. */
static int check_marks(const char *text)
{
    char file[128] = "";
    long number = 0;
    int tags = 0;
    for (const char *line = text; *line;) {
        const char *end = line + strcspn(line, "\n");
        char copy[512], tag_file[128];
        long tag_number;
        assert_true((size_t)(end - line) < sizeof copy);
        memcpy(copy, line, (size_t)(end - line));
        copy[end - line] = '\0';
        if (sscanf(copy, "#line %ld \"%127[^\"]\"", &number, file) != 2) {
            const char *tag = strchr(copy, '@');
            if (tag && sscanf(tag, "@%127[^:]:%ld@", tag_file, &tag_number) == 2) {
                assert_string_equal(tag_file, file);
                assert_int_equal(tag_number, number);
                tags++;
            }
            number++;
        }
        line = *end ? end + 1 : end;
    }
    return tags;
}

static int setup(void **state)
{
    if (scratch_setup(state) != 0) {
        return -1;
    }
    const scratch *s = *state;
    char path[512];
    scratch_path(s, "sub", path);
    mkdir(path, 0700);
    scratch_text(s, "a.cl",
                 "// @a.cl:1@\n  #  include  \"sub/b.cl\"  // twice\n// @a.cl:3@\n"
                 "#include \"sub/b.cl\"\n// @a.cl:5@\n");
    scratch_text(s, "sub/b.cl", "// @sub/b.cl:1@\n#include \"c.cl\"\n// @sub/b.cl:3@"); /* no newline at the end */
    scratch_text(s, "c.cl", "#include \"a.cl\"\n// @c.cl:2@\n");                        /* a circle */
    scratch_text(s, "d.cl", "// @d.cl:1@\n#include \"sub/b.cl\"\n// @d.cl:3@\n");
    scratch_text(s, "score.cl",
                 "// @score.cl:1@\n#include \"caller_score\"\n// @score.cl:3@\n#include \"caller_mask\"\n"
                 "// @score.cl:5@\n#include \"caller_score\"\n// @score.cl:7@\n");
    return setenv("CLATTN_CL_DIR", s->dir, 1);
}

static int teardown(void **state)
{
    unsetenv("CLATTN_CL_DIR");
    return scratch_teardown(state);
}

static void includes_once(void **state)
{
    (void)state;
    const ct_program_spec spec = spec_of("a.cl", "d.cl");
    char *text = expand(&spec);
    assert_int_equal(count(text, "#include"), 0);
    assert_int_equal(count(text, "@sub/b.cl:1@"), 1);
    assert_int_equal(count(text, "@a.cl:1@"), 1);
    assert_int_equal(check_marks(text), 8);
    free(text);
}

static void caller_texts(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("score.cl", NULL);
    spec.texts[CT_TEXT_SCORE].text = "// @my score.cl:1@\n\nscore // @my score.cl:3@\\";
    spec.texts[CT_TEXT_SCORE].name = "my score.cl";
    spec.texts[CT_TEXT_MASK].text = "mask // @mask text:1@";
    char *text = expand(&spec);
    assert_int_equal(count(text, "score // "), 2);
    assert_int_equal(count(text, "@mask text:1@"), 1);
    assert_int_equal(check_marks(text), 4 + 2 * 2 + 1);
    /* the backslash must not swallow the #line behind it */
    assert_non_null(strstr(text, "@\\\n\n#line 3 \"score.cl\"\n"));
    free(text);
    spec.texts[CT_TEXT_SCORE].text = spec.texts[CT_TEXT_MASK].text = NULL;
    text = expand(&spec);
    assert_int_equal(count(text, "#include"), 0);
    assert_int_equal(check_marks(text), 4);
    free(text);
}

static void odd_names(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("score.cl", NULL);
    spec.texts[CT_TEXT_SCORE].text = "x";
    spec.texts[CT_TEXT_SCORE].name = "a\"b\\c\nd";
    char *text = expand(&spec);
    assert_non_null(strstr(text, "#line 1 \"a\\\"b\\\\c?d\"\nx\n"));
    free(text);
}

static void refused(const ct_program_spec *spec, clattn_status status, const char *word)
{
    char *source = NULL, *options = NULL;
    assert_int_equal(ct_program_source(NULL, spec, &source, &options), status);
    assert_null(source);
    assert_null(options);
    if (!strstr(clattn_error_detail(), word)) {
        fail_msg("'%s' is not in '%s'", word, clattn_error_detail());
    }
}

static void errors(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("missing.cl", NULL);
    refused(&spec, CLATTN_IO, "missing.cl");
    spec = spec_of("score.cl", NULL);
    spec.texts[CT_TEXT_MASK].text = "int a;\n \t# include <x.h>\n";
    spec.texts[CT_TEXT_MASK].name = "m.cl";
    refused(&spec, CLATTN_INVALID_ARGUMENT, "m.cl, line 2");
    spec = spec_of("a.cl", NULL);
    spec.n_parts = 0;
    refused(&spec, CLATTN_INTERNAL, "0 parts");
    for (int i = 0; i < CT_MAX_PARTS + 1; i++) {
        ct_spec_part(&spec, "a.cl");
    }
    refused(&spec, CLATTN_INTERNAL, "13 parts");
    spec = spec_of("a.cl", NULL);
    static char names[CT_MAX_DEFINES + 1][8];
    for (int i = 0; i < CT_MAX_DEFINES + 1; i++) {
        snprintf(names[i], sizeof names[i], "N%d", i);
        ct_spec_define(&spec, names[i], i);
    }
    refused(&spec, CLATTN_INTERNAL, "65 defines");
    unsetenv("CLATTN_CL_DIR");
    spec = spec_of("missing.cl", NULL);
    refused(&spec, CLATTN_INTERNAL, "missing.cl");
}

static ct_program_spec score_of(const char *text)
{
    ct_program_spec spec = spec_of("score.cl", NULL);
    spec.texts[CT_TEXT_SCORE].text = text;
    spec.texts[CT_TEXT_SCORE].name = "s.cl";
    return spec;
}

/* Whatever a preprocessor takes for a directive that opens a file, and whatever it may take for one. */
static void texts_read_no_file(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"#include \"x.h\"\nscore", "s.cl, line 1: #include "},
        {"/**/#include \"x.h\"\nscore", "s.cl, line 1: #include "},
        {"score /*\n*/\n/* a\n b */ # /* c */ include <x.h>\n", "s.cl, line 4: #include "},
        {"score\n\\\n#include \"x.h\"\n", "s.cl, line 3: #include "},
        {"score\n#inc\\ \t\nlude \"x.h\"\n", "s.cl, line 2: #include "},
        {"score\r\n#inc\\\r\nlude \"x.h\"\r\n", "s.cl, line 2: #include "},
        {"score\r#include \"x.h\"\r", "s.cl, line 2: #include "},
        {"/\\\n*\n*\\\n/ #include \"x.h\"", "s.cl, line 4: #include "},
        {"// a comment \\\n goes on\n#include \"x.h\"", "s.cl, line 3: #include "},
        {"\f\v#include \"x.h\"", "#include "},
        {"\xc2\xa0#include \"x.h\"", "#include "}, /* a blank to some */
        {"\\u00a0#include \"x.h\"", "#include "},
        {"\xef\xbb\xbf#include \"x.h\"", "#include "},
        {"%:include \"x.h\"", "#include "},
        {"%\\\n:include \"x.h\"", "#include "},
        {"score\n?\?=include \"x.h\"", "s.cl, line 2: trigraphs"},
        {"score // ?\?/\n\"\n#include \"x.h\"", "s.cl, line 1: trigraphs"},
        {"char quote = '\"';\n#include \"x.h\"", "line 2: #include "},
        {"char *no_end = \"\n#include \"x.h\"", "line 2: #include "},
        {"char *end = \"\\\"\";\n#include \"x.h\"", "line 2: #include "},
        {"char *end = \"\\\\\";\n#include \"x.h\"", "line 2: #include "},
        {"#include_next <x.h>", "#include_next "},
        {"#import \"x.h\"", "#import "},
        {"#embed \"x.h\"", "#embed "},
        {"#__include_macros \"x.h\"", "#__include_macros "},
        {"# 1 \"x.h\"", "# is not offered"},
        {"#pragma GCC dependency \"x.h\"", "#pragma GCC "},
        {"#pragma clang module import x", "#pragma clang module "},
        {"#pragma \\\n push_macro(\"K\")", "#pragma push_macro "},
        {"_Pragma(\"GCC dependency \\\"x.h\\\"\") score", "_Pragma "},
        {"#if __has_include(\"x.h\")\n#endif", "__has_include "},
        {"#ifdef __has_embed\n#endif", "__has_embed "},
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const ct_program_spec spec = score_of(cases[i].text);
        refused(&spec, CLATTN_INVALID_ARGUMENT, cases[i].word);
    }
}

static void texts_may_say(void **state)
{
    static const char *const cases[] = {
        "// #include \"x.h\"\nscore",
        "/* \n#include \"x.h\"\n*/ score",
        "// a \\\n#include \"x.h\"\nscore",
        "\"\\\n#include\"",
        "float include = 1; return include;",
        "#define S(x) #x\n",
        "#define J(a, b) a ## b\n",
        "#\n",
        "#pragma unroll 4\n",
        "# pragma clang loop unroll(full)\n",
        "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n",
        "#if 0\n#elif 1\n#else\n#endif\n",
        "#ifndef A\n#error no A\n#endif",
        "#line 7\n",
        "a ? b : c ?: d",
        "don't\n",
        "1.5e+3f .5 0x1p-3",
        "",
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        const ct_program_spec spec = score_of(cases[i]);
        char *text = expand(&spec);
        assert_non_null(strstr(text, cases[i]));
        free(text);
    }
}

/* A macro of ours is none in a caller's text that uses its name, and one again behind it; the caller's are none behind
 * it. */
static void macros_keep_apart(void **state)
{
    (void)state;
    scratch_text(
        *state, "macros.cl",
        "#define LOW 1\n  # define \\\n AT(x) x\n#define pick(a, b, c) a\n#define UNUSED 2\n/*\n#define query\n*/\n"
        "#include \"score.cl\"\n#define LATER 3\n");
    ct_program_spec spec = spec_of("macros.cl", NULL);
    ct_spec_define(&spec, "BM", 64);
    ct_spec_define(&spec, "BN", 64);
    spec.texts[CT_TEXT_SCORE].name = "s.cl";
    spec.texts[CT_TEXT_SCORE].text = "int LOW = BM + AT; pick(LOW, query, LATER) /* UNUSED */ \"BN\" xBN 1BN s.BM";
    spec.texts[CT_TEXT_MASK].text = "\n#define own(K) K\n#define BN 2\n#undef pick\nmask";
    char *text = expand(&spec);
    const char *push = "#pragma push_macro(\"LOW\")\n#pragma push_macro(\"BM\")\n#pragma push_macro(\"AT\")\n#undef "
                       "LOW\n#undef BM\n#undef AT\n#line 1 \"s.cl\"\nint LOW";
    const char *pop = "s.BM\n\n#pragma pop_macro(\"LOW\")\n#pragma pop_macro(\"BM\")\n#pragma pop_macro(\"AT\")\n#line "
                      "3 \"score.cl\"";
    assert_int_equal(count(text, push), 2);
    assert_int_equal(count(text, pop), 1);
    assert_int_equal(count(text, "#pragma push_macro(\"own\")\n#pragma push_macro(\"BN\")\n#pragma "
                                 "push_macro(\"pick\")\n#pragma push_macro(\"BN\")\n#undef BN\n#line 1"),
                     1);
    assert_int_equal(count(text, "#pragma pop_macro(\"BN\")\n#pragma pop_macro(\"own\")\n#pragma "
                                 "pop_macro(\"BN\")\n#pragma pop_macro(\"pick\")\n"),
                     1);
    assert_int_equal(count(text, "#undef "), 2 * 3 + 1 + 1);
    assert_int_equal(check_marks(text), 4);
    free(text);
}

static void options_are_integers(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("c.cl", NULL);
    char *source, *options;
    ct_spec_define(&spec, "BM", 64);
    ct_spec_define(&spec, "LOW", -5);
    ct_spec_define(&spec, "BM", 32); /* the last one counts, the first place stays */
    assert_int_equal(ct_program_source(NULL, &spec, &source, &options), CLATTN_OK);
    assert_non_null(strstr(options, " -D BM=32 -D LOW=-5"));
    assert_null(strstr(options, "64"));
    assert_null(strstr(options, "-cl-std"));
    assert_null(strstr(options, "relaxed"));
    free(source);
    free(options);
}

static void options_of_the_environment(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("a.cl", NULL);
    char *source = NULL, *options = NULL;
    ct_spec_define(&spec, "BM", 64);
    setenv("CLATTN_BUILD_OPTIONS", "-cl-opt-disable", 1);
    assert_int_equal(ct_program_source(NULL, &spec, &source, &options), CLATTN_OK);
    unsetenv("CLATTN_BUILD_OPTIONS");
    assert_string_equal(options, CT_USUAL_OPTIONS " -D BM=64 -cl-opt-disable");
    free(source);
    free(options);
}

static void embedded_texts(void **state)
{
    (void)state;
    unsetenv("CLATTN_CL_DIR");
    assert_true(ct_cl_file_count > 0);
    for (size_t i = 0; i < ct_cl_file_count; i++) {
        assert_int_equal(strlen((const char *)ct_cl_files[i].text), ct_cl_files[i].length);
        const ct_program_spec spec = spec_of(ct_cl_files[i].path, NULL);
        char *text = expand(&spec);
        assert_int_equal(count(text, "#include \""), 0);
        free(text);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("a.cl", "score.cl");
    ct_spec_define(&spec, "BM", 64);
    spec.texts[CT_TEXT_SCORE].text = "\n#define own 1\nscore + BM";
    for (long n = 1;; n++) {
        ct_failing c = {.fail_at = n, .from_there_on = 1};
        const clattn_allocator allocator = ct_failing_allocator(&c);
        char *source = NULL, *options = NULL;
        const clattn_status st = ct_program_source(&allocator, &spec, &source, &options);
        if (st == CLATTN_OK) {
            assert_true(n > 8);
            ct_release(&allocator, source);
            ct_release(&allocator, options);
        } else {
            assert_true(st == CLATTN_OUT_OF_HOST_MEMORY);
        }
        assert_int_equal(atomic_load(&c.held), 0);
        if (st == CLATTN_OK) {
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(includes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(caller_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_names, setup, teardown),
        cmocka_unit_test_setup_teardown(errors, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_read_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_may_say, setup, teardown),
        cmocka_unit_test_setup_teardown(macros_keep_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(options_are_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(options_of_the_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(embedded_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

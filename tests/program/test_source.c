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
    scratch_text(s, "c.cl", "#include \"a.cl\"\n// @c.cl:2@\n");                         /* a circle */
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
    spec.score_text = "// @my score.cl:1@\n\nscore // @my score.cl:3@\\";
    spec.score_name = "my score.cl";
    spec.mask_text = "mask // @mask text:1@";
    char *text = expand(&spec);
    assert_int_equal(count(text, "score // "), 2);
    assert_int_equal(count(text, "@mask text:1@"), 1);
    assert_int_equal(check_marks(text), 4 + 2 * 2 + 1);
    /* the backslash must not swallow the #line behind it */
    assert_non_null(strstr(text, "@\\\n\n#line 3 \"score.cl\"\n"));
    free(text);
    spec.score_text = spec.mask_text = NULL;
    text = expand(&spec);
    assert_int_equal(count(text, "#include"), 0);
    assert_int_equal(check_marks(text), 4);
    free(text);
}

static void odd_names(void **state)
{
    (void)state;
    ct_program_spec spec = spec_of("score.cl", NULL);
    spec.score_text = "x";
    spec.score_name = "a\"b\\c\nd";
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
    spec.mask_text = "int a;\n \t# include <x.h>\n";
    spec.mask_name = "m.cl";
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
    spec.score_text = "score";
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
        cmocka_unit_test_setup_teardown(options_are_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(embedded_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

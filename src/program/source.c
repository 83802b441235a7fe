/* The text that the driver gets: parts joined, includes expanded, the caller's texts with their own line numbers. */
#include <stdlib.h>
#include <string.h>

#include "program/caller.h"

const struct ct_text_words ct_text_words[CT_TEXT_ROLES] = {
    [CT_TEXT_SCORE] = {"score", "caller_score", "score text"},
    [CT_TEXT_DSCORE] = {"dscore", "caller_dscore", "dscore text"},
    [CT_TEXT_MASK] = {"mask", "caller_mask", "mask text"},
};

#define MAX_DEPTH 8
#define MAX_FILES 64

typedef struct expander {
    const clattn_allocator *allocator;
    const ct_program_spec *spec;
    ct_text text;
    char *seen[MAX_FILES]; /* owned copies */
    int n_seen;
} expander;

void ct_spec_part(ct_program_spec *spec, const char *path)
{
    if (spec->n_parts < CT_MAX_PARTS) {
        spec->parts[spec->n_parts] = path;
    }
    spec->n_parts++; /* past the bound: ct_program_source says so */
}

void ct_spec_define(ct_program_spec *spec, const char *name, long value)
{
    const int known = spec->n_defines < CT_MAX_DEFINES ? spec->n_defines : CT_MAX_DEFINES;
    for (int i = 0; i < known; i++) {
        if (strcmp(spec->defines[i].name, name) == 0) {
            spec->defines[i].value = value;
            return;
        }
    }
    if (spec->n_defines < CT_MAX_DEFINES) {
        spec->defines[spec->n_defines].name = name;
        spec->defines[spec->n_defines].value = value;
    }
    spec->n_defines++;
}

static void add_line_mark(ct_text *text, long line, const char *name)
{
    ct_text_add(text, "#line %ld \"", line);
    for (const char *at = name; *at; at++) {
        const unsigned char letter = (unsigned char)*at;
        if (letter < ' ') {
            ct_text_append(text, "?", 1);
            continue;
        }
        if (letter == '"' || letter == '\\') {
            ct_text_append(text, "\\", 1);
        }
        ct_text_append(text, at, 1);
    }
    ct_text_append(text, "\"\n", 2);
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Behind `#include` in a line that is one, else NULL. */
static const char *after_include(const char *line, const char *end)
{
    static const char word[] = "include";
    const char *at = skip_blanks(line, end);
    if (at == end || *at != '#') {
        return NULL;
    }
    at = skip_blanks(at + 1, end);
    if ((size_t)(end - at) < sizeof word - 1 || memcmp(at, word, sizeof word - 1) != 0) {
        return NULL;
    }
    return at + sizeof word - 1;
}

/* true: the line is `#include "path"`, and path is in `name`. */
static bool include_name(const char *line, const char *end, char *name, size_t bytes)
{
    const char *at = after_include(line, end);
    if (!at) {
        return false;
    }
    at = skip_blanks(at, end);
    if (at == end || *at != '"') {
        return false;
    }
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (!close || close == at + 1 || (size_t)(close - at) > bytes) {
        return false;
    }
    const size_t length = (size_t)(close - at - 1);
    memcpy(name, at + 1, length);
    name[length] = '\0';
    return true;
}

static clattn_status add_caller(expander *e, const char *text, const char *name, const char *fallback)
{
    clattn_status st = CLATTN_OK;
    ct_caller caller = {.defined = {.allocator = e->allocator}, .hidden = {.allocator = e->allocator}};
    if (!text) {
        return CLATTN_OK;
    }
    if (!name || !*name) {
        name = fallback;
    }
    CT_TRY(ct_caller_check(text, name));
    ct_caller_names(&caller, text, e->spec, e->text.data);
    ct_caller_begin(&caller, &e->text);
    add_line_mark(&e->text, 1, name);
    ct_text_append(&e->text, text, strlen(text));
    ct_text_append(&e->text, "\n\n", 2); /* two: the text may end in a backslash */
    ct_caller_end(&caller, &e->text);
out:
    ct_text_release(&caller.defined);
    ct_text_release(&caller.hidden);
    return st;
}

/* *owned is to be released; *text may be embedded. */
static clattn_status load_part(expander *e, const char *path, const char **text, size_t *length, char **owned)
{
    const char *dir = secure_getenv("CLATTN_CL_DIR");
    if (dir && *dir) {
        ct_text full = {.allocator = e->allocator};
        ct_text_add(&full, "%s/%s", dir, path);
        const clattn_status st = full.failed
                                     ? ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the path of '%s'", path)
                                     : ct_read_file(e->allocator, full.data, owned, length);
        ct_text_release(&full);
        *text = *owned;
        return st;
    }
    for (size_t i = 0; i < ct_cl_file_count; i++) {
        if (strcmp(ct_cl_files[i].path, path) == 0) {
            *text = (const char *)ct_cl_files[i].text;
            *length = ct_cl_files[i].length;
            return CLATTN_OK;
        }
    }
    return ct_fail(CLATTN_INTERNAL, "kernel '%s' names the part '%s', which is not embedded", e->spec->kernel, path);
}

/* false: the part was there before. Each is expanded once. */
static clattn_status note_part(expander *e, const char *path, bool *first)
{
    *first = false;
    for (int i = 0; i < e->n_seen; i++) {
        if (strcmp(e->seen[i], path) == 0) {
            return CLATTN_OK;
        }
    }
    if (e->n_seen == MAX_FILES) {
        return ct_fail(CLATTN_INTERNAL, "kernel '%s' has more than %d parts", e->spec->kernel, MAX_FILES);
    }
    char *copy = ct_strdup(e->allocator, path);
    if (!copy) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the part name '%s'", path);
    }
    e->seen[e->n_seen++] = copy;
    *first = true;
    return CLATTN_OK;
}

static clattn_status expand_part(expander *e, const char *path, int depth);

static clattn_status expand_include(expander *e, const char *name, int depth)
{
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        if (strcmp(name, ct_text_words[role].include) == 0) {
            return add_caller(e, e->spec->texts[role].text, e->spec->texts[role].name, ct_text_words[role].name);
        }
    }
    return expand_part(e, name, depth + 1);
}

static clattn_status expand_lines(expander *e, const char *path, const char *text, size_t length, int depth)
{
    const char *const last = text + length;
    long number = 1;
    char name[256];
    add_line_mark(&e->text, 1, path);
    for (const char *line = text; line < last; number++) {
        const char *newline = memchr(line, '\n', (size_t)(last - line));
        const char *end = newline ? newline : last;
        if (include_name(line, end, name, sizeof name)) {
            const clattn_status st = expand_include(e, name, depth);
            if (st != CLATTN_OK) {
                return st;
            }
            add_line_mark(&e->text, number + 1, path);
        } else {
            ct_text_append(&e->text, line, (size_t)(end - line));
            ct_text_append(&e->text, "\n", 1);
        }
        line = newline ? newline + 1 : last;
    }
    return CLATTN_OK;
}

static clattn_status expand_part(expander *e, const char *path, int depth)
{
    clattn_status st = CLATTN_OK;
    const char *text = NULL;
    char *owned = NULL;
    size_t length = 0;
    bool first;
    if (depth > MAX_DEPTH) {
        CT_FAIL(CLATTN_INTERNAL, "kernel part '%s' is included more than %d deep", path, MAX_DEPTH);
    }
    CT_TRY(note_part(e, path, &first));
    if (first) {
        CT_TRY(load_part(e, path, &text, &length, &owned));
        CT_TRY(expand_lines(e, path, text, length, depth));
    }
out:
    ct_release(e->allocator, owned);
    return st;
}

static void add_options(ct_text *options, const ct_program_spec *spec)
{
    const char *more = secure_getenv("CLATTN_BUILD_OPTIONS");
    ct_text_add(options, "%s", spec->options ? spec->options : CT_USUAL_OPTIONS);
    for (int i = 0; i < spec->n_defines; i++) {
        ct_text_add(options, " -D %s=%ld", spec->defines[i].name, spec->defines[i].value);
    }
    if (more && *more) {
        ct_text_add(options, " %s", more);
    }
}

clattn_status ct_program_source(const clattn_allocator *allocator, const ct_program_spec *spec, char **source,
                                char **options)
{
    clattn_status st = CLATTN_OK;
    expander e = {.allocator = allocator, .spec = spec, .text = {.allocator = allocator}};
    ct_text flags = {.allocator = allocator};
    if (spec->n_parts < 1 || spec->n_parts > CT_MAX_PARTS) {
        CT_FAIL(CLATTN_INTERNAL, "kernel '%s' has %d parts, must be 1 to %d", spec->kernel, spec->n_parts,
                CT_MAX_PARTS);
    }
    if (spec->n_defines > CT_MAX_DEFINES) {
        CT_FAIL(CLATTN_INTERNAL, "kernel '%s' has %d defines, at most %d", spec->kernel, spec->n_defines,
                CT_MAX_DEFINES);
    }
    for (int i = 0; i < spec->n_parts; i++) {
        CT_TRY(expand_part(&e, spec->parts[i], 0));
    }
    add_options(&flags, spec);
    if (e.text.failed || flags.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the source of kernel '%s'", spec->kernel);
    }
    *source = e.text.data;
    *options = flags.data;
    e.text.data = flags.data = NULL;
out:
    for (int i = 0; i < e.n_seen; i++) {
        ct_release(allocator, e.seen[i]);
    }
    ct_text_release(&e.text);
    ct_text_release(&flags);
    return st;
}

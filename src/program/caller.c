#include "program/caller.h"

#include <stdio.h>
#include <string.h>

#include "program/lex.h"

/* As lists of names. No directive but these is offered, so that none is forgotten that opens a file. */
static const char directives[] =
    " define undef if ifdef ifndef elif elifdef elifndef else endif error warning line pragma ";
static const char pragmas[] = " OPENCL STDC unroll nounroll clang ";
static const char clang_pragmas[] = " loop fp ";
static const char words[] = " __has_include __has_include_next __has_embed _Pragma __pragma ";
/* cl/variant/README.md: what a text may use, macro or not. */
static const char offered[] = " VF VI TO_VF pick gather gather_byte gather_int vexp2 vlog vtanh vmax vabs score dscore "
                              "query key batch head shift buffer "
                              "p0 p1 p2 p3 p4 p5 p6 p7 ";

static bool is_one(const char *list, const ct_token *token)
{
    return token->kind == CT_TOKEN_NAME && ct_names_have(list, token->name);
}

/* The token behind a directive's hash or word, if it is on the same line. */
static ct_token next_on_line(ct_lexer *l)
{
    ct_lexer ahead = *l;
    ct_token token = ct_lexer_next(&ahead);
    if (token.first) {
        return (ct_token){.kind = CT_TOKEN_END, .line = token.line};
    }
    *l = ahead;
    return token;
}

/* Behind a hash: a null directive, or one that is offered. `what` gets its words. */
static bool may_stand(ct_lexer *l, char *what, size_t bytes)
{
    static const struct {
        const char *list, *word, *then;
    } follows[] = {{directives, "pragma", pragmas}, {pragmas, "clang", clang_pragmas}};
    const char *list = directives;
    what[0] = '\0';
    while (list) {
        const ct_token token = next_on_line(l);
        const char *const here = list;
        const size_t length = strlen(what);
        snprintf(what + length, bytes - length, "%s%s", length ? " " : "", token.name);
        if (!is_one(list, &token)) {
            return list == directives && token.kind == CT_TOKEN_END;
        }
        list = NULL;
        for (size_t i = 0; i < CT_COUNT(follows); i++) {
            list = here == follows[i].list && strcmp(token.name, follows[i].word) == 0 ? follows[i].then : list;
        }
    }
    return true;
}

clattn_status ct_caller_check(const char *text, const char *name)
{
    char what[3 * sizeof((ct_token){0}.name)];
    ct_lexer l = ct_lexer_of(text);
    const long trigraph = ct_lex_trigraph(text);
    if (trigraph) {
        return ct_fail(CLATTN_INVALID_ARGUMENT,
                       "%s, line %ld: trigraphs of = and / are not offered in a score or mask text", name, trigraph);
    }
    for (ct_token t = ct_lexer_next(&l); t.kind != CT_TOKEN_END; t = ct_lexer_next(&l)) {
        if (t.kind == CT_TOKEN_HASH && t.first && !may_stand(&l, what, sizeof what)) {
            return ct_fail(
                CLATTN_INVALID_ARGUMENT,
                "%s, line %ld: #%s is not offered in a score or mask text; directives are%s, pragmas%s(clang:%s)", name,
                t.line, what, directives, pragmas, clang_pragmas);
        }
        if (is_one(words, &t)) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s, line %ld: %s is not offered in a score or mask text", name,
                           t.line, t.name);
        }
    }
    return CLATTN_OK;
}

/* The name that a directive at this token defines (or forgets). */
static bool defines(const ct_token *token, ct_lexer *l, const char *directive, ct_token *name)
{
    if (token->kind != CT_TOKEN_HASH || !token->first) {
        return false;
    }
    ct_lexer ahead = *l;
    *name = next_on_line(&ahead);
    if (!is_one(directive, name)) {
        return false;
    }
    *name = next_on_line(&ahead);
    return name->kind == CT_TOKEN_NAME;
}

static void add_defined(const char *text, const char *directive, ct_text *names)
{
    ct_lexer l = ct_lexer_of(text);
    for (ct_token t = ct_lexer_next(&l), name; t.kind != CT_TOKEN_END; t = ct_lexer_next(&l)) {
        if (defines(&t, &l, directive, &name)) {
            ct_names_add(names, name.name);
        }
    }
}

void ct_caller_names(ct_caller *caller, const char *text, const ct_program_spec *spec, const char *before)
{
    ct_text ours = {.allocator = caller->hidden.allocator};
    ct_lexer l = ct_lexer_of(text);
    for (int i = 0; i < spec->n_defines; i++) {
        ct_names_add(&ours, spec->defines[i].name);
    }
    if (before) {
        add_defined(before, " define ", &ours);
    }
    add_defined(text, " define undef ", &caller->defined);
    for (ct_token t = ct_lexer_next(&l); t.kind != CT_TOKEN_END; t = ct_lexer_next(&l)) {
        if (t.kind == CT_TOKEN_NAME && ct_names_have(ours.data, t.name) && !is_one(offered, &t)) {
            ct_names_add(&caller->hidden, t.name);
        }
    }
    caller->hidden.failed |= ours.failed;
    ct_text_release(&ours);
}

/* `before` NAME `behind`, a line for each name of the list. */
static void add_lines(const ct_text *names, const char *before, const char *behind, ct_text *out)
{
    const char *at = names->data ? names->data + 1 : "";
    for (size_t n; (n = strcspn(at, " ")) > 0; at += n + 1) {
        ct_text_add(out, "%s%.*s%s\n", before, (int)n, at, behind);
    }
    out->failed |= names->failed;
}

/* A name may be in both lists: it is pushed twice and popped twice. */
void ct_caller_begin(const ct_caller *caller, ct_text *out)
{
    add_lines(&caller->defined, "#pragma push_macro(\"", "\")", out);
    add_lines(&caller->hidden, "#pragma push_macro(\"", "\")", out);
    add_lines(&caller->hidden, "#undef ", "", out);
}

void ct_caller_end(const ct_caller *caller, ct_text *out)
{
    add_lines(&caller->hidden, "#pragma pop_macro(\"", "\")", out);
    add_lines(&caller->defined, "#pragma pop_macro(\"", "\")", out);
}

#include "program/lex.h"

#include <string.h>

static bool is_newline(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

/* Bytes of the end of a line: CR and LF in either order are one. */
static size_t newline_bytes(const char *at)
{
    return is_newline(at[1]) && at[1] != at[0] ? 2 : 1;
}

/* Bytes of a backslash, blanks and the end of a line (or of the text); 0: it is no splice. */
static size_t splice_bytes(const char *at)
{
    size_t n = 1;
    if (at[0] != '\\') {
        return 0;
    }
    while (is_blank(at[n])) {
        n++;
    }
    return is_newline(at[n]) ? n + newline_bytes(at + n) : at[n] ? 0 : n;
}

/* The next character, behind splices. */
static char peek(ct_lexer *l)
{
    for (size_t n; (n = splice_bytes(l->at)) > 0; l->at += n) {
        l->line += is_newline(l->at[n - 1]);
    }
    return *l->at;
}

static char peek_second(const ct_lexer *l)
{
    ct_lexer ahead = *l;
    if (peek(&ahead)) {
        ahead.at++;
    }
    return peek(&ahead);
}

/* Takes a character that is there. */
static void take(ct_lexer *l)
{
    const size_t n = is_newline(peek(l)) ? newline_bytes(l->at) : 1;
    if (is_newline(*l->at)) {
        l->line++;
        l->fresh = true;
    }
    l->at += n;
}

static void skip_block_comment(ct_lexer *l)
{
    const bool fresh = l->fresh; /* a comment is a blank, however many lines it has */
    take(l);
    take(l);
    while (peek(l) && !(peek(l) == '*' && peek_second(l) == '/')) {
        take(l);
    }
    for (int i = 0; i < 2 && peek(l); i++) {
        take(l);
    }
    l->fresh = fresh;
}

static void skip_line_comment(ct_lexer *l)
{
    while (peek(l) && !is_newline(peek(l))) {
        take(l);
    }
}

static void skip_blanks(ct_lexer *l)
{
    for (char c; (c = peek(l)) != '\0';) {
        const char second = c == '/' ? peek_second(l) : '\0';
        if (second == '*') {
            skip_block_comment(l);
        } else if (second == '/') {
            skip_line_comment(l);
        } else if (is_blank(c) || is_newline(c)) {
            take(l);
        } else {
            return;
        }
    }
}

static void take_name(ct_lexer *l, ct_token *token)
{
    size_t n = 0;
    for (char c; is_letter(c = peek(l)) || is_digit(c); take(l)) {
        if (n < sizeof token->name - 1) {
            token->name[n++] = c;
        }
    }
}

static void take_number(ct_lexer *l)
{
    bool sign = false; /* of an exponent */
    for (char c; is_letter(c = peek(l)) || is_digit(c) || c == '.' || (sign && (c == '+' || c == '-')); take(l)) {
        sign = c == 'e' || c == 'E' || c == 'p' || c == 'P';
    }
}

/* One that nobody closes ends with its line. */
static void take_literal(ct_lexer *l)
{
    const char quote = peek(l);
    take(l);
    for (char c; (c = peek(l)) != '\0' && !is_newline(c);) {
        take(l);
        if (c == quote) {
            return;
        }
        if (c == '\\' && peek(l) && !is_newline(peek(l))) {
            take(l);
        }
    }
}

/* A character outside ASCII, or \u and its digits. */
static void take_odd(ct_lexer *l)
{
    const bool escape = peek(l) == '\\';
    take(l);
    while (escape && (is_letter(peek(l)) || is_digit(peek(l)))) {
        take(l);
    }
}

ct_lexer ct_lexer_of(const char *text)
{
    return (ct_lexer){.at = text, .line = 1, .fresh = true};
}

ct_token ct_lexer_next(ct_lexer *l)
{
    ct_token token = {.kind = CT_TOKEN_OTHER};
    skip_blanks(l);
    const char c = peek(l);
    token.first = l->fresh;
    token.line = l->line;
    l->fresh = l->fresh && (c == '\\' || (unsigned char)c >= 0x80);
    if (c == '\0') {
        token.kind = CT_TOKEN_END;
    } else if (is_letter(c)) {
        token.kind = CT_TOKEN_NAME;
        take_name(l, &token);
    } else if (is_digit(c) || (c == '.' && is_digit(peek_second(l)))) {
        token.kind = CT_TOKEN_NUMBER;
        take_number(l);
    } else if (c == '"' || c == '\'') {
        token.kind = CT_TOKEN_LITERAL;
        take_literal(l);
    } else if (c == '\\' || (unsigned char)c >= 0x80) {
        token.kind = CT_TOKEN_ODD;
        take_odd(l);
    } else if (c == '#' || (c == '%' && peek_second(l) == ':')) {
        token.kind = CT_TOKEN_HASH;
        take(l);
        if (c == '%') {
            take(l);
        }
    } else {
        take(l);
    }
    return token;
}

bool ct_lex_finds(const char *text, const char *name)
{
    ct_lexer l = ct_lexer_of(text);
    for (ct_token t = ct_lexer_next(&l); t.kind != CT_TOKEN_END; t = ct_lexer_next(&l)) {
        if (t.kind == CT_TOKEN_NAME && strcmp(t.name, name) == 0) {
            return true;
        }
    }
    return false;
}

long ct_lex_trigraph(const char *text)
{
    long line = 1;
    for (const char *at = text; *at; at++) {
        if (at[0] == '?' && at[1] == '?' && (at[2] == '=' || at[2] == '/')) {
            return line;
        }
        if (is_newline(*at)) {
            line++;
            at += newline_bytes(at) - 1;
        }
    }
    return 0;
}

bool ct_names_have(const char *names, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = names; at && (at = strstr(at, name)) != NULL; at++) {
        if (at[-1] == ' ' && at[length] == ' ') {
            return true;
        }
    }
    return false;
}

void ct_names_add(ct_text *names, const char *name)
{
    if (!ct_names_have(names->data, name)) {
        ct_text_add(names, names->length ? "%s " : " %s ", name);
    }
}

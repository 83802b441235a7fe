/* OpenCL C as its preprocessor reads it: comments, literals and spliced lines are what they are there. */
#ifndef CT_LEX_H
#define CT_LEX_H

#include "core/core.h"

typedef enum ct_token_kind {
    CT_TOKEN_END,
    CT_TOKEN_NAME,
    CT_TOKEN_NUMBER,
    CT_TOKEN_LITERAL, /* a string or a character */
    CT_TOKEN_HASH,    /* # or %: */
    CT_TOKEN_ODD,     /* no letter of C's: a compiler may take it for a blank */
    CT_TOKEN_OTHER    /* one character */
} ct_token_kind;

typedef struct ct_token {
    ct_token_kind kind;
    bool first;    /* of its line: a hash that is begins a directive */
    long line;     /* of its first character, from 1 */
    char name[64]; /* of CT_TOKEN_NAME, without splices, cut where it does not fit */
} ct_token;

/* The text ends with a NUL and must outlive the lexer. Trigraphs are not read: ct_lex_trigraph finds the two that
 * matter. */
typedef struct ct_lexer {
    const char *at;
    long line;
    bool fresh; /* nothing yet on this line */
} ct_lexer;

ct_lexer ct_lexer_of(const char *text);
ct_token ct_lexer_next(ct_lexer *l);
/* Does it say this name, outside of comments and literals? */
bool ct_lex_finds(const char *text, const char *name);
/* The line of the first ??= or ??/, which compilers take for # and \ or not; 0: none. */
long ct_lex_trigraph(const char *text);

/* A list of names, each with a blank before and behind it; NULL: none. */
bool ct_names_have(const char *names, const char *name);
void ct_names_add(ct_text *names, const char *name);

#endif

#include "plan/text_names.h"

#include <string.h>

/* Past the lines' ends that a backslash takes back: none of them ends an identifier. */
static const char *unspliced(const char *at)
{
    while (at[0] == '\\' && (at[1] == '\n' || (at[1] == '\r' && at[2] == '\n'))) {
        at += at[1] == '\n' ? 2 : 3;
    }
    return at;
}

static const char *next(const char *at)
{
    return *at ? unspliced(at + 1) : at;
}

static bool in_name(char c) /* whatever the locale; a number goes on like an identifier */
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind the comment or the quotes that begin here; `at` itself where none does. */
static const char *skipped(const char *at)
{
    const char first = *at, second = *at ? *next(at) : '\0';
    if (first == '/' && second == '/') {
        while (*at && *at != '\n') {
            at = next(at);
        }
    } else if (first == '/' && second == '*') {
        for (at = next(next(at)); *at && !(*at == '*' && *next(at) == '/');) {
            at = next(at);
        }
        at = next(next(at));
    } else if (first == '"' || first == '\'') {
        for (at = next(at); *at && *at != first && *at != '\n';) {
            at = next(*at == '\\' ? next(at) : at);
        }
        at = next(at);
    }
    return at;
}

/* Behind the identifier or the number that begins here; *same: it is `name`. */
static const char *compared(const char *at, const char *name, bool *same)
{
    *same = true;
    for (; in_name(*at); at = next(at)) {
        *same = *same && *at == *name;
        name += *same;
    }
    *same = *same && !*name;
    return at;
}

bool ct_text_names(const char *text, const char *name)
{
    for (const char *at = unspliced(text); *at;) {
        const char *behind = skipped(at);
        bool same = false;
        if (behind == at) {
            behind = in_name(*at) ? compared(at, name, &same) : next(at);
        }
        if (same) {
            return true;
        }
        at = behind;
    }
    return false;
}

/* Where the lines of a compiler's log are in the texts that were given. NVIDIA's compiler goes by lines of the joined
 * text, whatever its #line say, and calls it "<kernel>". */
#include <stdlib.h>
#include <string.h>

#include "program/memory.h"

#define JOINED "<kernel>:"

/* The name and the number that #line gives to a line of the source; false: none does. */
static bool find_place(const char *source, long wanted, const char **name, size_t *length, long *number)
{
    bool found = false;
    long at = 1;
    for (const char *line = source; *line && at < wanted; at++) {
        const char *end = line + strcspn(line, "\n");
        char *quote = NULL;
        if (strncmp(line, "#line ", 6) == 0) {
            *number = strtol(line + 6, &quote, 10);
            quote += strspn(quote, " \"");
            *name = quote;
            *length = strcspn(quote, "\"\n");
            found = true;
        } else {
            *number += 1;
        }
        line = *end ? end + 1 : end;
    }
    return found;
}

/* A word of the line, and a number behind it: "NAME:3:5: error: ..." or "error: NAME:3:5: ...". */
static bool names(const char *line, size_t length, const char *name)
{
    const size_t bytes = strlen(name);
    for (const char *at = line; (at = strstr(at, name)) != NULL && at + bytes < line + length; at++) {
        const bool word = at == line || at[-1] == ' ' || at[-1] == '"';
        if (word && at[bytes] == ':' && at[bytes + 1] >= '0' && at[bytes + 1] <= '9') {
            return true;
        }
    }
    return false;
}

bool ct_places_blame_text(const ct_program_spec *spec, const char *log)
{
    for (const char *line = log; *line;
         line += line[strcspn(line, "\n")] ? strcspn(line, "\n") + 1 : strcspn(line, "\n")) {
        const size_t length = strcspn(line, "\n");
        const char *error = strstr(line, "error");
        for (size_t i = 0; error && error < line + length && i < CT_TEXT_ROLES; i++) {
            const ct_caller_text *t = &spec->texts[i];
            if (t->text && t->name && *t->name && names(line, length, t->name)) {
                return true;
            }
        }
    }
    return false;
}

char *ct_program_places(const clattn_allocator *allocator, const char *source, const char *log)
{
    ct_text out = {.allocator = allocator};
    ct_text_append(&out, "", 0);
    for (const char *mark; (mark = strstr(log, JOINED)) != NULL;) {
        const char *name = NULL;
        char *end = NULL;
        size_t length = 0;
        long number = 0;
        const long line = strtol(mark + sizeof JOINED - 1, &end, 10);
        ct_text_append(&out, log, (size_t)(mark - log));
        if (line > 0 && find_place(source, line, &name, &length, &number)) {
            ct_text_add(&out, "%.*s:%ld", (int)length, name, number);
        } else {
            ct_text_append(&out, mark, (size_t)(end - mark));
        }
        log = end;
    }
    ct_text_append(&out, log, strlen(log));
    if (out.failed) {
        ct_text_release(&out);
        return NULL;
    }
    return out.data;
}

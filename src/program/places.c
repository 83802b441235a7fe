/* Where the lines of a compiler's log are in the texts that were given. NVIDIA's compiler goes by lines of the joined text, whatever its
 * #line say, and calls it "<kernel>". */
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

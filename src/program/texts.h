/* The caller's texts: OpenCL C put into attend's kernels, cl/variant/README.md. */
#ifndef CT_TEXTS_OF_CALLER_H
#define CT_TEXTS_OF_CALLER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum ct_text_role { CT_TEXT_SCORE, CT_TEXT_DSCORE, CT_TEXT_MASK, CT_TEXT_ROLES } ct_text_role;

typedef struct ct_caller_text {
    const char *text; /* NULL: none */
    const char *name; /* for #line: what compile errors show; NULL: "score text" and its like */
} ct_caller_text;

/* The role's key; what a part says in `#include "..."` where the text is to stand; the name of one that has none. */
extern const struct ct_text_words {
    const char *key, *include, *name;
} ct_text_words[CT_TEXT_ROLES];

/* Is there one that changes or hides a score? */
static inline bool ct_has_texts(const ct_caller_text texts[CT_TEXT_ROLES])
{
    return texts[CT_TEXT_SCORE].text || texts[CT_TEXT_MASK].text;
}

#endif

/* The caller's texts among ours: what they may say to the preprocessor, and whose macros are whose. */
#ifndef CT_CALLER_H
#define CT_CALLER_H

#include "program/program.h"

/* Macros of ours whose names the text uses for things of its own, and macros that it defines: none of them is known on
 * the other side of its ends. */
typedef struct ct_caller {
    ct_text hidden, defined; /* lists of names (program/lex.h); the caller's to ct_text_release */
} ct_caller;

/* CLATTN_INVALID_ARGUMENT: the text could read a file, which the driver would open and the cache key not see: a changed
 * file would find the old program. `name` is the text's, for the detail. */
clattn_status ct_caller_check(const char *text, const char *name);
/* `before`: the program's text up to here, or NULL. A list that found no memory has `failed`, and so will have what
 * ct_caller_begin adds to. */
void ct_caller_names(ct_caller *caller, const char *text, const ct_program_spec *spec, const char *before);
/* What stands before the text, and behind it. */
void ct_caller_begin(const ct_caller *caller, ct_text *out);
void ct_caller_end(const ct_caller *caller, ct_text *out);

#endif

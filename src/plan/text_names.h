/* What a caller's text mentions. */
#ifndef CT_TEXT_NAMES_H
#define CT_TEXT_NAMES_H

#include <stdbool.h>

/* Is `name` an identifier of this OpenCL C, outside of comments and of what stands between quotes? Lines that a
 * backslash joins are one. Macros are not expanded, and what #if leaves out counts. */
bool ct_text_names(const char *text, const char *name);

#endif

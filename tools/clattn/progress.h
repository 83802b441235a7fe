/* One line on stderr that says what is under way, if stderr is a terminal and it takes longer than two seconds. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "core/core.h"

void progress_begin(const char *format, ...) CT_PRINTF(1, 2);
/* Changes the line's text. */
void progress_say(const char *format, ...) CT_PRINTF(1, 2);
/* Removes the line. */
void progress_end(void);

#endif

/* Command lines: a table of options a command, --help made from it, and problem texts among the words. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "tool.h"

typedef enum option_kind {
    OPTION_FLAG, /* bool */
    OPTION_TEXT, /* const char * */
    OPTION_INT   /* int64_t, low ... high */
} option_kind;

typedef struct option_row {
    const char *name;
    option_kind kind;
    void *target;
    const char *value, *help;
    int64_t low, high;
} option_row;

/* Options of every command that needs a device. */
typedef struct place_options {
    const char *device, *backend;
    bool verbose;
} place_options;

typedef struct command_line {
    const char *usage; /* behind "usage: clattn " */
    const char *text;  /* a paragraph */
    const option_row *rows;
    int n_rows;
    place_options *place; /* NULL: no device needed */
    bool problems;        /* words are problem texts; --help lists the keys */
    int least, most;      /* words wanted; most < 0: any number */
    char **words;         /* out: points into argv, or made (problems) */
    int n_words;
} command_line;

/* False: the command is over, with *result; help was printed, or what is wrong was said on stderr.
 * Problem texts need no quotes: a word that is key=value belongs to the problem before it. */
bool command_line_parse(command_line *line, int argc, char **argv, int *result);
/* Once the words are no longer needed. */
void command_line_release(command_line *line);

#endif

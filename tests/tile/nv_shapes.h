/* What the tests of tiles' shapes ask in turn, and what a shape hands to its kernel. */
#ifndef CT_TEST_SHAPES_H
#define CT_TEST_SHAPES_H

#include <string.h>

#include "tile/tiles.h"

static const int widths[] = {1, 16, 40, 64, 65, 80, 96, 128, 129, 192, 200, 256};
static const int blocks[] = {0, 1, 16, 32, 48, 64, 96, 100, 128, 192, 256};

/* The value that a shape's -D gives to `name`; -1: none. */
static inline int64_t defined_by(const ct_shape *s, const char *name)
{
    for (int i = 0; i < s->n_extra; i++) {
        if (strcmp(s->extra[i].name, name) == 0) {
            return s->extra[i].value;
        }
    }
    return -1;
}

#endif

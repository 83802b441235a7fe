/* cmocka, behind what it wants to be included before. */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif

/* Preloaded by locale.sh: puts a process into the locale of its environment before main; not ctest, which reads its own
 * files. */
#define _GNU_SOURCE
#include <errno.h>
#include <locale.h>
#include <string.h>

__attribute__((constructor)) static void enter_locale(void)
{
    if (strcmp(program_invocation_short_name, "ctest") != 0) {
        setlocale(LC_ALL, "");
    }
}

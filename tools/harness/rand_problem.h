/* Random legal problems over every key, and the seed of their check (ct_check_run). */
#ifndef CT_RAND_PROBLEM_H
#define CT_RAND_PROBLEM_H

#include <clattn/clattn.h>

/* Problem `index` of `seed`: its text (CLATTN_BUFFER_TOO_SMALL if it does not fit) and the seed of its check. Small:
 * the double reference takes well below a second; one in twenty is long, and takes some. */
clattn_status ct_rand_problem(uint64_t seed, uint64_t index, char *text, size_t bytes, uint64_t *check_seed);

#endif

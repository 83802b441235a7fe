/* Counter-based random numbers: value n of stream s of a seed is a pure function, so every failure repeats. */
#ifndef CT_RANDOM_H
#define CT_RANDOM_H

#include <stdint.h>

typedef struct ct_random {
    uint64_t seed, stream, counter;
} ct_random;

ct_random ct_random_of(uint64_t seed, uint64_t stream);
uint64_t ct_random_bits(ct_random *random);
/* Uniform in [0, 1). */
double ct_random_unit(ct_random *random);
/* Normal, mean 0, deviation 1. */
double ct_random_normal(ct_random *random);
/* Uniform in low ... high, both included. */
int64_t ct_random_int(ct_random *random, int64_t low, int64_t high);
/* True with this probability. */
int ct_random_chance(ct_random *random, double probability);

#endif

#include "harness/random.h"

#include <math.h>

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

ct_random ct_random_of(uint64_t seed, uint64_t stream)
{
    return (ct_random){seed, stream, 0};
}

uint64_t ct_random_bits(ct_random *random)
{
    const uint64_t key = mix(random->seed + 0x9e3779b97f4a7c15u) ^ mix(random->stream * 0xd1342543de82ef95u + 1);
    return mix(key + ++random->counter * 0x9e3779b97f4a7c15u);
}

double ct_random_unit(ct_random *random)
{
    return (double)(ct_random_bits(random) >> 11) * 0x1p-53;
}

double ct_random_normal(ct_random *random)
{
    const double radius = sqrt(-2.0 * log(1.0 - ct_random_unit(random)));
    return radius * cos(6.283185307179586 * ct_random_unit(random));
}

int64_t ct_random_int(ct_random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(ct_random_bits(random) % (uint64_t)(high - low + 1));
}

int ct_random_chance(ct_random *random, double probability)
{
    return ct_random_unit(random) < probability;
}

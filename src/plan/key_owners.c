/* Which methods and patterns read which key: the others refuse it. */
#include <string.h>

#include "plan/keys.h"

#define BIT(kind) (1u << CLATTN_PATTERN_##kind)
#define LISTED    (BIT(CSR) | BIT(MASK) | BIT(TABLE))
#define DEEPSPEED (BIT(FIXED) | BIT(VARIABLE) | BIT(BIGBIRD) | BIT(BSLONGFORMER) | BIT(SLIDING))

static const struct {
    const char *key;
    unsigned patterns;
} of_patterns[] = {
    {"local", BIT(FIXED)},
    {"global", BIT(FIXED) | BIT(BIGBIRD) | BIT(STRIDED)},
    {"attention", DEEPSPEED | BIT(STRIDED)},
    {"horizontal", BIT(FIXED) | BIT(VARIABLE)},
    {"patterns", BIT(FIXED)},
    {"per_head", DEEPSPEED | BIT(DENSE) | LISTED},
    {"random", BIT(VARIABLE) | BIT(BIGBIRD)},
    {"windows", BIT(VARIABLE)},
    {"indices", BIT(VARIABLE) | BIT(BSLONGFORMER) | BIT(LONGFORMER) | BIT(SAMPLES)},
    {"ends", BIT(VARIABLE) | BIT(BSLONGFORMER)},
    {"sliding", BIT(BIGBIRD) | BIT(BSLONGFORMER) | BIT(SLIDING)},
    {"seed", DEEPSPEED},
    {"stride", BIT(STRIDED)},
    {"dilation", BIT(LONGFORMER)},
    {"radius", BIT(IMAGE)},
    {"tiles", BIT(IMAGE)},
    {"width", BIT(TABLE)},
    {"topk", BIT(SCORES)},
};

unsigned ct_key_patterns(const ct_key *key)
{
    for (size_t i = 0; i < CT_COUNT(of_patterns); i++) {
        if (strcmp(of_patterns[i].key, key->name) == 0) {
            return of_patterns[i].patterns;
        }
    }
    return 0;
}

int ct_method_owns(const ct_method *method)
{
    return (method->softmax ? CT_FOR_SOFTMAX : 0) | (method->linear ? CT_FOR_LINEAR : 0) |
           (method->patterned ? CT_FOR_BLOCKS : 0) | (method->gated ? CT_FOR_GATE : 0) |
           (method->sampled ? CT_FOR_SAMPLES : 0) | (method->linear && method->patterned ? CT_FOR_BOTH : 0) |
           (method->merges ? CT_FOR_PARTS : 0) | (method->mapped ? CT_FOR_MAPS : 0);
}

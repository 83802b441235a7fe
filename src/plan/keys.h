/* The table of problem keys: one row serves parsing, formatting, checking and --help. */
#ifndef CT_KEYS_H
#define CT_KEYS_H

#include "core/core.h"
#include "plan/method.h"

typedef enum ct_key_kind {
    CT_KEY_INT,
    CT_KEY_LONG,
    CT_KEY_DOUBLE,
    CT_KEY_CHOICE,
    CT_KEY_TEXT,
    CT_KEY_LIST,
    CT_KEY_OWN
} ct_key_kind;

/* Which methods a key belongs to: those with one of these traits. */
enum {
    CT_FOR_ALL = 0,
    CT_FOR_SOFTMAX = 1,
    CT_FOR_LINEAR = 2,
    CT_FOR_BLOCKS = 4,
    CT_FOR_GATE = 8,
    CT_FOR_SAMPLES = 16,
    CT_FOR_BOTH = 32,
    CT_FOR_PARTS = 64,
    CT_FOR_MAPS = 128
};

typedef struct ct_key {
    const char *name;
    ct_key_kind kind;
    size_t offset;  /* in clattn_problem */
    size_t offset2; /* LIST: of the count; OWN keys n, h, d: the second field; else 0 */
    double low, high;
    const char *choices; /* CHOICE: "a|b|c", the value is the index */
    int owners;          /* CT_FOR_* bits */
    const char *values, *help;
    /* OWN: reads `value`, writes the text if the value is not its default (returns false if it is) */
    clattn_status (*read)(clattn_problem *problem, const struct ct_key *key, const char *value);
    bool (*write)(const clattn_problem *problem, const struct ct_key *key, char *text, size_t bytes);
} ct_key;

extern const ct_key ct_keys[];
extern const int ct_key_count;
const ct_key *ct_key_find(const char *name, size_t length);
clattn_status ct_key_read(clattn_problem *problem, const ct_key *key, const char *value);
/* False if the field has its default. */
bool ct_key_write(const clattn_problem *problem, const clattn_problem *defaults, const ct_key *key, char *text,
                  size_t bytes);
/* A value outside of the key's row of the table that is not the field's default; only structs filled by hand can hold
 * one. */
clattn_status ct_key_check(const clattn_problem *problem, const clattn_problem *defaults, const ct_key *key);
/* Is `one` the key of a field that `pair` sets together with another: nq of n? */
bool ct_key_is_half(const ct_key *one, const ct_key *pair);
/* A bit for each clattn_pattern_kind that reads the key; 0: it belongs to no pattern. */
unsigned ct_key_patterns(const ct_key *key);
int ct_method_owns(const ct_method *method);

#endif

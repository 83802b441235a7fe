/* What keys of a kind of their own (plan/keys.c) share with the others. */
#ifndef CT_KEY_VALUES_H
#define CT_KEY_VALUES_H

#include "plan/keys.h"

/* "key=value: the value must be ..." */
clattn_status ct_key_bad_value(const ct_key *key, const char *value);
/* An integer within the key's bounds. */
clattn_status ct_key_read_bounded(const ct_key *key, const char *value, int64_t *number);
void *ct_key_field(clattn_problem *problem, size_t offset);

#endif

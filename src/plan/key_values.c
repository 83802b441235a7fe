/* The kinds of values that keys have: reading, writing, checking. */
#include "plan/key_values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

clattn_status ct_key_bad_value(const ct_key *key, const char *value)
{
    return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: the value must be %s", key->name, value, key->values);
}

clattn_status ct_key_read_bounded(const ct_key *key, const char *value, int64_t *number)
{
    if (!ct_parse_int(value, number)) {
        return ct_key_bad_value(key, value);
    }
    if ((double)*number < key->low || (double)*number > key->high) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: the value must be from %.0f to %.0f", key->name, value,
                       key->low, key->high);
    }
    return CLATTN_OK;
}

void *ct_key_field(clattn_problem *problem, size_t offset)
{
    return (char *)problem + offset;
}

static const void *field_const(const clattn_problem *problem, size_t offset)
{
    return (const char *)problem + offset;
}

static clattn_status read_choice(clattn_problem *problem, const ct_key *key, const char *value)
{
    int index = 0;
    const size_t length = strlen(value);
    for (const char *at = key->choices; *at; index++) {
        const size_t here = strcspn(at, "|");
        if (here == length && memcmp(at, value, here) == 0) {
            /* every choice field is an enum */
            *(int *)ct_key_field(problem, key->offset) = index;
            return CLATTN_OK;
        }
        at += here + (at[here] == '|');
    }
    return ct_key_bad_value(key, value);
}

static clattn_status read_list(clattn_problem *problem, const ct_key *key, const char *value)
{
    int *list = ct_key_field(problem, key->offset), count = 0;
    char item[32];
    for (const char *at = value; *at;) {
        const size_t length = strcspn(at, ",");
        int64_t number;
        if (length == 0 || length >= sizeof item) {
            return ct_key_bad_value(key, value);
        }
        memcpy(item, at, length);
        item[length] = '\0';
        if (!ct_parse_int(item, &number)) {
            return ct_key_bad_value(key, value);
        }
        if (number < 0 || (double)number > key->high) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: each number must be from 0 to %.0f", key->name, value,
                           key->high);
        }
        if (count == CLATTN_PATTERN_LIST) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: at most %d entries", key->name, value, CLATTN_PATTERN_LIST);
        }
        list[count++] = (int)number;
        at += length + (at[length] == ',');
    }
    if (count == 0 || value[strlen(value) - 1] == ',') {
        return ct_key_bad_value(key, value);
    }
    *(int *)ct_key_field(problem, key->offset2) = count;
    return CLATTN_OK;
}

static clattn_status read_double(clattn_problem *problem, const ct_key *key, const char *value)
{
    double number;
    if (!ct_parse_double(value, &number) || isnan(number)) {
        return ct_key_bad_value(key, value);
    }
    if (number < key->low || number > key->high) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: the value must be from %g to %g", key->name, value, key->low,
                       key->high);
    }
    *(double *)ct_key_field(problem, key->offset) = number;
    return CLATTN_OK;
}

static clattn_status read_text(clattn_problem *problem, const ct_key *key, const char *value)
{
    if (!*value) {
        return ct_key_bad_value(key, value);
    }
    if (strlen(value) >= sizeof problem->score_file) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s: a path of %zu characters; at most %zu", key->name, strlen(value),
                       sizeof problem->score_file - 1);
    }
    strcpy(ct_key_field(problem, key->offset), value);
    return CLATTN_OK;
}

clattn_status ct_key_read(clattn_problem *problem, const ct_key *key, const char *value)
{
    int64_t number;
    clattn_status st;
    switch (key->kind) {
    case CT_KEY_INT:
    case CT_KEY_LONG:
        st = ct_key_read_bounded(key, value, &number);
        if (st == CLATTN_OK && key->kind == CT_KEY_INT) {
            *(int *)ct_key_field(problem, key->offset) = (int)number;
        } else if (st == CLATTN_OK) {
            *(int64_t *)ct_key_field(problem, key->offset) = number;
        }
        return st;
    case CT_KEY_DOUBLE:
        return read_double(problem, key, value);
    case CT_KEY_CHOICE:
        return read_choice(problem, key, value);
    case CT_KEY_TEXT:
        return read_text(problem, key, value);
    case CT_KEY_LIST:
        return read_list(problem, key, value);
    case CT_KEY_OWN:
        break;
    }
    return key->read(problem, key, value);
}

static bool write_list(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    const int *list = field_const(problem, key->offset);
    const int count = *(const int *)field_const(problem, key->offset2);
    size_t used = 0;
    for (int i = 0; i < count && used < bytes; i++) {
        used += (size_t)snprintf(text + used, bytes - used, "%s%d", i ? "," : "", list[i]);
    }
    return count > 0;
}

static void write_choice(int index, const ct_key *key, char *text, size_t bytes)
{
    const char *at = key->choices;
    for (; index > 0; index--) {
        at += strcspn(at, "|") + 1;
    }
    snprintf(text, bytes, "%.*s", (int)strcspn(at, "|"), at);
}

bool ct_key_write(const clattn_problem *problem, const clattn_problem *defaults, const ct_key *key, char *text,
                  size_t bytes)
{
    const void *now = field_const(problem, key->offset), *then = field_const(defaults, key->offset);
    switch (key->kind) {
    case CT_KEY_INT:
        snprintf(text, bytes, "%d", *(const int *)now);
        return *(const int *)now != *(const int *)then;
    case CT_KEY_LONG:
        snprintf(text, bytes, "%lld", (long long)*(const int64_t *)now);
        return *(const int64_t *)now != *(const int64_t *)then;
    case CT_KEY_DOUBLE:
        ct_format_double(*(const double *)now, text, bytes);
        return !(*(const double *)now == *(const double *)then ||
                 (isnan(*(const double *)now) && isnan(*(const double *)then)));
    case CT_KEY_CHOICE:
        write_choice(*(const int *)now, key, text, bytes);
        return *(const int *)now != *(const int *)then;
    case CT_KEY_TEXT:
        snprintf(text, bytes, "%s", (const char *)now);
        return *(const char *)now != '\0';
    case CT_KEY_LIST:
        return write_list(problem, key, text, bytes);
    case CT_KEY_OWN:
        break;
    }
    return key->write(problem, key, text, bytes);
}

static int choices_of(const ct_key *key)
{
    int count = 1;
    for (const char *at = key->choices; *at; at++) {
        count += *at == '|';
    }
    return count;
}

clattn_status ct_key_check(const clattn_problem *problem, const clattn_problem *defaults, const ct_key *key)
{
    const void *now = field_const(problem, key->offset), *then = field_const(defaults, key->offset);
    double value = 0, usual = 0, low = key->low, high = key->high;
    char text[40];
    switch (key->kind) {
    case CT_KEY_INT:
        value = *(const int *)now, usual = *(const int *)then;
        break;
    case CT_KEY_LONG:
        value = (double)*(const int64_t *)now, usual = (double)*(const int64_t *)then;
        break;
    case CT_KEY_DOUBLE:
        value = *(const double *)now, usual = *(const double *)then;
        break;
    case CT_KEY_CHOICE:
        value = *(const int *)now, low = 0, high = choices_of(key) - 1;
        break;
    case CT_KEY_TEXT:
    case CT_KEY_LIST:
    case CT_KEY_OWN: /* checked where they are read or used */
        return CLATTN_OK;
    }
    if ((value >= low && value <= high) || value == usual || (isnan(value) && isnan(usual))) {
        return CLATTN_OK;
    }
    ct_format_double(value, text, sizeof text);
    return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: the value must be from %.10g to %.10g", key->name, text, low, high);
}

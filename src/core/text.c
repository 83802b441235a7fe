/* Texts that grow, and numbers that do not know the locale. */
#include "core/core.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(ct_text *text, size_t more)
{
    if (text->failed) {
        return false;
    }
    const size_t need = text->length + more + 1;
    if (need <= text->room) {
        return true;
    }
    const size_t room = need < 256 ? 256 : need * 2;
    char *data = ct_alloc(text->allocator, room);
    if (!data) {
        text->failed = true;
        return false;
    }
    if (text->data) {
        memcpy(data, text->data, text->length);
    }
    ct_release(text->allocator, text->data);
    text->data = data;
    text->room = room;
    return true;
}

void ct_text_append(ct_text *text, const char *data, size_t length)
{
    if (reserve(text, length)) {
        memcpy(text->data + text->length, data, length);
        text->length += length;
        text->data[text->length] = '\0';
    }
}

void ct_text_add(ct_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void ct_text_release(ct_text *text)
{
    ct_release(text->allocator, text->data);
    text->data = NULL;
    text->length = text->room = 0;
}

void ct_text_field(ct_text *text, const char *data, size_t length)
{
    ct_text_add(text, "%zu:", length);
    ct_text_append(text, data, length);
}

bool ct_field_next(const char **at, const char *end, const char **data, size_t *length)
{
    const char *digit = *at;
    size_t bytes = 0;
    for (; digit < end && *digit >= '0' && *digit <= '9' && bytes < SIZE_MAX / 16; digit++) {
        bytes = 10 * bytes + (size_t)(*digit - '0');
    }
    if (digit == *at || digit == end || *digit != ':' || (size_t)(end - digit - 1) < bytes) {
        return false;
    }
    *data = digit + 1;
    *length = bytes;
    *at = *data + bytes;
    return true;
}

/* The C library reads and writes the locale's decimal separator; texts of clattn hold a point. */
static const char *separator(void)
{
    const struct lconv *conventions = localeconv();
    return conventions && conventions->decimal_point && *conventions->decimal_point ? conventions->decimal_point : ".";
}

bool ct_parse_double(const char *text, double *value)
{
    char copy[96];
    const size_t length = strlen(text);
    const char *point = strchr(text, '.'), *local = separator();
    const size_t local_length = strlen(local);
    if (length == 0 || length + local_length >= sizeof copy || strchr(text, ',') || *text == ' ') {
        return false;
    }
    if (point) {
        const size_t before = (size_t)(point - text);
        memcpy(copy, text, before);
        memcpy(copy + before, local, local_length);
        memcpy(copy + before + local_length, point + 1, length - before);
    } else {
        memcpy(copy, text, length + 1);
    }
    char *end = NULL;
    const double number = strtod(copy, &end);
    if (end == copy || *end) {
        return false;
    }
    *value = number;
    return true;
}

bool ct_parse_int(const char *text, int64_t *value)
{
    char *end = NULL;
    errno = 0;
    if (*text == '\0' || *text == ' ') {
        return false;
    }
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno) {
        return false;
    }
    *value = number;
    return true;
}

void ct_format_double(double value, char *text, size_t bytes)
{
    char draft[64];
    for (int digits = 6; digits <= 17; digits++) {
        double back;
        snprintf(draft, sizeof draft, "%.*g", digits, value);
        const char *local = separator();
        char *at = strstr(draft, local);
        if (at && strcmp(local, ".") != 0) {
            const size_t length = strlen(local);
            *at = '.';
            memmove(at + 1, at + length, strlen(at + length) + 1);
        }
        if (isnan(value) || (ct_parse_double(draft, &back) && back == value)) {
            break;
        }
    }
    snprintf(text, bytes, "%s", draft);
}

/* To the end, however long: a pipe has no size, and a folder's is nonsense. */
clattn_status ct_read_file(const clattn_allocator *allocator, const char *path, char **data, size_t *length)
{
    clattn_status st = CLATTN_OK;
    ct_text text = {.allocator = allocator};
    char block[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file) {
        CT_FAIL(CLATTN_IO, "cannot open '%s': %s", path, strerror(errno));
    }
    ct_text_append(&text, "", 0);
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        ct_text_append(&text, block, got);
    }
    if (ferror(file)) {
        CT_FAIL(CLATTN_IO, "cannot read '%s': %s", path, strerror(errno));
    }
    if (text.failed) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for the contents of '%s'", path);
    }
    *data = text.data;
    *length = text.length;
    text.data = NULL;
out:
    if (file) {
        fclose(file);
    }
    ct_text_release(&text);
    return st;
}

#include "npy.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *descr;
    clattn_dtype dtype;
    size_t size;
} types[] = {
    {"<f4", CLATTN_F32, 4}, {"<f2", CLATTN_F16, 2}, {"<i4", CLATTN_I32, 4}, {"<i8", CLATTN_I32, 8},
    {"|u1", CLATTN_U8, 1},  {"<u1", CLATTN_U8, 1},  {"|b1", CLATTN_U8, 1},
};

/* The header is a Python literal, {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }; `at` moves over it. */
typedef struct reader {
    const char *at, *end;
} reader;

static void skip_spaces(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t')) {
        r->at++;
    }
}

static bool take(reader *r, char wanted)
{
    skip_spaces(r);
    if (r->at < r->end && *r->at == wanted) {
        r->at++;
        return true;
    }
    return false;
}

static bool take_word(reader *r, const char *word)
{
    const size_t length = strlen(word);
    skip_spaces(r);
    if ((size_t)(r->end - r->at) >= length && memcmp(r->at, word, length) == 0) {
        r->at += length;
        return true;
    }
    return false;
}

static bool take_string(reader *r, char *text, size_t bytes)
{
    skip_spaces(r);
    const char quote = r->at < r->end ? *r->at : '\0';
    if (quote != '\'' && quote != '"') {
        return false;
    }
    const char *first = ++r->at;
    while (r->at < r->end && *r->at != quote) {
        r->at++;
    }
    const size_t length = (size_t)(r->at - first);
    if (r->at == r->end || length >= bytes) {
        return false;
    }
    memcpy(text, first, length);
    text[length] = '\0';
    r->at++;
    return true;
}

static bool take_shape(reader *r, tensor *out)
{
    out->rank = 0;
    if (!take(r, '(')) {
        return false;
    }
    while (!take(r, ')')) {
        int64_t value = 0;
        skip_spaces(r);
        const char *first = r->at;
        for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
            if (value > INT64_MAX / 10 - 1) {
                return false;
            }
            value = value * 10 + (*r->at - '0');
        }
        if (r->at == first || out->rank == TENSOR_MAX_RANK) {
            return false;
        }
        out->dims[out->rank++] = value;
        if (!take(r, ',') && !(r->at < r->end && *r->at == ')')) {
            return false;
        }
    }
    return true;
}

static clattn_status parse_fields(reader r, char descr[16], bool *fortran, tensor *out)
{
    unsigned seen = 0;
    char key[32];
    if (!take(&r, '{')) {
        return ct_fail(CLATTN_IO, ".npy: the header is not a dictionary");
    }
    while (!take(&r, '}')) {
        bool good = take_string(&r, key, sizeof key) && take(&r, ':');
        if (good && strcmp(key, "descr") == 0) {
            good = take_string(&r, descr, 16);
            seen |= 1;
        } else if (good && strcmp(key, "fortran_order") == 0) {
            *fortran = take_word(&r, "True");
            good = *fortran || take_word(&r, "False");
            seen |= 2;
        } else if (good && strcmp(key, "shape") == 0) {
            good = take_shape(&r, out);
            seen |= 4;
        } else {
            good = false;
        }
        if (!good) {
            return ct_fail(
                CLATTN_IO,
                ".npy: the header cannot be read (structured types have no meaning here; at most %d dimensions)",
                TENSOR_MAX_RANK);
        }
        take(&r, ',');
    }
    if (seen != 7) {
        return ct_fail(CLATTN_IO, ".npy: the header lacks descr, fortran_order or shape");
    }
    return CLATTN_OK;
}

static clattn_status find_type(const char *descr, size_t *index)
{
    for (size_t i = 0; i < CT_COUNT(types); i++) {
        if (strcmp(descr, types[i].descr) == 0) {
            *index = i;
            return CLATTN_OK;
        }
    }
    if (descr[0] == '>') {
        return ct_fail(CLATTN_UNSUPPORTED, ".npy: type '%s' is big endian; little endian is wanted (a.astype('<%s'))",
                       descr, descr + 1);
    }
    return ct_fail(CLATTN_UNSUPPORTED, ".npy: type '%s'; wanted is one of f4, f2, i4, i8, u1, b1%s", descr,
                   strcmp(descr, "<f8") == 0 ? " (a.astype('f4'))" : "");
}

/* The header's place in the file. */
static clattn_status find_header(const uint8_t *bytes, size_t length, size_t *first, size_t *header)
{
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (length < 10 || memcmp(bytes, magic, sizeof magic) != 0) {
        return ct_fail(CLATTN_IO, ".npy: %zu bytes that do not begin like a NumPy array", length);
    }
    const int version = bytes[6];
    if (version != 1 && version != 2) {
        return ct_fail(CLATTN_UNSUPPORTED, ".npy: format version %d; 1 and 2 are known", version);
    }
    *first = version == 1 ? 10 : 12;
    *header = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (version == 2 && length >= 12) {
        *header |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (length < *first || length - *first < *header) {
        return ct_fail(CLATTN_IO, ".npy: the file ends inside its header (%zu bytes)", length);
    }
    return CLATTN_OK;
}

clattn_status npy_parse(const void *data, size_t bytes, tensor *out)
{
    clattn_status st = CLATTN_OK;
    const uint8_t *file = data;
    char descr[16] = "";
    bool fortran = false;
    size_t first = 0, header = 0, type = 0;
    tensor shape = {0}, made = {0};
    CT_TRY(find_header(file, bytes, &first, &header));
    const char *text = (const char *)file + first;
    CT_TRY(parse_fields((reader){text, text + header}, descr, &fortran, &shape));
    CT_TRY(find_type(descr, &type));
    if (fortran && shape.rank > 1) {
        CT_FAIL(CLATTN_UNSUPPORTED, ".npy: fortran_order is True; C order is wanted (numpy.ascontiguousarray)");
    }
    const size_t left = bytes - first - header;
    CT_TRY(tensor_check_shape(shape.rank, shape.dims, types[type].size, left));
    CT_TRY(tensor_make(&made, types[type].dtype, shape.rank, shape.dims));
    if (types[type].size == 8) {
        CT_TRY(tensor_narrow(&made, file + first + header));
    } else {
        memcpy(made.data, file + first + header, tensor_bytes(&made));
    }
    *out = made;
    made = (tensor){0};
out:
    tensor_release(&made);
    return st;
}

clattn_status npy_lacks_bf16(const char *path)
{
    return ct_fail(CLATTN_UNSUPPORTED, "%s: .npy has no bf16; write a .safetensors file", path);
}

clattn_status npy_save(const char *path, const tensor *t)
{
    static const char *const descr[] = {
        [CLATTN_F32] = "<f4", [CLATTN_F16] = "<f2", [CLATTN_I32] = "<i4", [CLATTN_U8] = "|u1"};
    char head[512] = "\x93NUMPY\x01";
    size_t used = 10;
    if (t->dtype == CLATTN_BF16) {
        return npy_lacks_bf16(path);
    }
    used += (size_t)snprintf(head + used, sizeof head - used, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                             descr[t->dtype]);
    for (int i = 0; i < t->rank; i++) {
        used += (size_t)snprintf(head + used, sizeof head - used, "%lld,%s", (long long)t->dims[i],
                                 i + 1 < t->rank ? " " : "");
    }
    used += (size_t)snprintf(head + used, sizeof head - used, "), }");
    /* data starts at a multiple of 64 bytes, behind a newline */
    while ((used + 1) % 64 != 0) {
        head[used++] = ' ';
    }
    head[used++] = '\n';
    head[7] = 0;
    head[8] = (char)((used - 10) & 255);
    head[9] = (char)((used - 10) >> 8);
    return tensor_write_file(path, head, used, t->data, tensor_bytes(t));
}

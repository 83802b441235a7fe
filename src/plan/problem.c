/* Problems: defaults, text in both directions, checks. */
#include "plan/problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/method.h"
#include "plan/keys.h"
#include "plan/slots.h"

void clattn_problem_init(clattn_problem *problem)
{
    memset(problem, 0, sizeof *problem);
    problem->struct_size = sizeof *problem;
    strcpy(problem->method, "dense");
    problem->b = 1;
    problem->hq = problem->hk = 8;
    problem->nq = problem->nk = 1024;
    problem->dqk = problem->dv = 64;
    problem->scale = problem->eps = NAN;
    problem->causal = -1;
    problem->window_left = problem->window_right = -1;
    problem->block_q = problem->block_k = 64;
    problem->deterministic = 1;
    clattn_pattern *p = &problem->pattern;
    p->local = p->global = p->bidirectional = p->horizontal = p->patterns = p->per_head = p->random = p->sliding = -1;
    p->stride = p->dilation = p->radius = p->tiles_y = p->tiles_x = p->width = p->topk = -1;
}

static clattn_status unknown_method(const char *name, int length)
{
    char known[256] = "";
    for (int i = 0; i < ct_method_count; i++) {
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", ct_methods[i]->name);
    }
    return ct_fail(CLATTN_INVALID_ARGUMENT, "unknown method '%.*s'; there are %s", length, name, known);
}

#define BLANKS " \t\n"

/* What a blank within a path looks like: its other half stands alone. `before`: the word in front. */
static clattn_status unknown_key(const char *word, const char *before)
{
    const ct_key *path = ct_key_find(before, strcspn(before, "="));
    const char *hint =
        path && path->kind == CT_KEY_TEXT
            ? "; a path in a problem's text holds no blanks (the fields score_file, dscore_file, mask_file do)"
            : "";
    return ct_fail(CLATTN_INVALID_ARGUMENT, "unknown key '%.*s' in '%s'%s%s%s", (int)strcspn(word, "="), word, word,
                   *hint ? ", behind " : "", *hint ? before : "", hint);
}

/* "n= 5": the value stands behind a blank. `rest`: what follows the word. */
static clattn_status check_value(const ct_key *key, const char *value, const char *rest)
{
    rest += strspn(rest, BLANKS);
    const int length = (int)strcspn(rest, BLANKS);
    if (*value || !length || memchr(rest, '=', (size_t)length)) {
        return CLATTN_OK;
    }
    return ct_fail(CLATTN_INVALID_ARGUMENT, "%s= %.*s: a blank ends the value; write %s=%.*s", key->name, length, rest,
                   key->name, length, rest);
}

clattn_status clattn_problem_parse(clattn_problem *out, const char *text)
{
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    char word[512], before[512] = "", seen[128] = "";
    if (!out || !text) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_problem_parse: %s is NULL", out ? "text" : "out");
    }
    clattn_problem_init(&problem);
    int words = 0;
    for (const char *at = text + strspn(text, BLANKS); *at; at += strspn(at, BLANKS)) {
        const size_t length = strcspn(at, BLANKS);
        if (length >= sizeof word) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "problem text: a word of %zu characters, at most %zu", length,
                    sizeof word - 1);
        }
        memcpy(word, at, length);
        word[length] = '\0';
        at += length;
        if (words++ == 0) {
            if (!ct_method_find(word)) {
                st = unknown_method(word, (int)length);
                goto out;
            }
            strcpy(problem.method, word);
            if (strcmp(word, "lightning") == 0) {
                problem.decay = CLATTN_DECAY_ALIBI;
            }
            continue;
        }
        const char *equals = strchr(word, '=');
        const ct_key *key = equals ? ct_key_find(word, (size_t)(equals - word)) : NULL;
        if (!key) {
            st = unknown_key(word, before);
            goto out;
        }
        const size_t index = (size_t)(key - ct_keys);
        if (seen[index]) {
            CT_FAIL(CLATTN_INVALID_ARGUMENT, "key '%s' is given twice", key->name);
        }
        seen[index] = 1;
        const clattn_problem last = problem;
        CT_TRY(check_value(key, equals + 1, at));
        CT_TRY(ct_key_read(&problem, key, equals + 1));
        for (int i = 0; i < ct_key_count; i++) { /* hq beside h: the single key counts, whichever comes first */
            if (seen[i] && ct_key_is_half(&ct_keys[i], key)) {
                memcpy((char *)&problem + ct_keys[i].offset, (const char *)&last + ct_keys[i].offset, sizeof(int64_t));
            }
        }
        strcpy(before, word);
    }
    if (words == 0) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "the problem text is empty; its first word is a method");
    }
    CT_TRY(clattn_problem_check(&problem));
    *out = problem;
out:
    return st;
}

/* h, n, d stand for two keys that are equal. */
static bool folded(const clattn_problem *p, const char *name, bool *short_form)
{
    static const struct {
        const char *both, *first, *second;
        size_t a, b;
    } pairs[] = {
        {"h", "hq", "hk", offsetof(clattn_problem, hq), offsetof(clattn_problem, hk)},
        {"n", "nq", "nk", offsetof(clattn_problem, nq), offsetof(clattn_problem, nk)},
        {"d", "dqk", "dv", offsetof(clattn_problem, dqk), offsetof(clattn_problem, dv)},
    };
    for (size_t i = 0; i < CT_COUNT(pairs); i++) {
        const bool equal =
            *(const int64_t *)((const char *)p + pairs[i].a) == *(const int64_t *)((const char *)p + pairs[i].b);
        *short_form = strcmp(name, pairs[i].both) == 0;
        if (*short_form || strcmp(name, pairs[i].first) == 0 || strcmp(name, pairs[i].second) == 0) {
            return *short_form ? !equal : equal;
        }
    }
    *short_form = false;
    return false;
}

clattn_status clattn_problem_format(const clattn_problem *problem, char *text, size_t bytes)
{
    char value[1024];
    size_t used;
    clattn_problem defaults;
    if (!problem || !text) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_problem_format: %s is NULL", problem ? "text" : "problem");
    }
    const clattn_status st = clattn_problem_check(problem);
    if (st != CLATTN_OK) { /* a value outside its table has no text */
        return st;
    }
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        const char *file = ct_problem_text_file(problem, (ct_text_role)role);
        if (strpbrk(file, BLANKS)) {
            return ct_fail(CLATTN_UNSUPPORTED,
                           "clattn_problem_format: %s_file '%s': a name with blanks has no text form",
                           ct_text_words[role].key, file);
        }
    }
    clattn_problem_init(&defaults);
    used = (size_t)snprintf(text, bytes, "%s", problem->method);
    for (int i = 0; i < ct_key_count; i++) {
        const ct_key *key = &ct_keys[i];
        bool both = false;
        if (folded(problem, key->name, &both)) {
            continue;
        }
        if (both) { /* the table's row for h, n, d has no text of its own */
            const int64_t now = *(const int64_t *)((const char *)problem + key->offset);
            const int64_t then = *(const int64_t *)((const char *)&defaults + key->offset);
            if (now == then) {
                continue;
            }
            snprintf(value, sizeof value, "%lld", (long long)now);
        } else if (!ct_key_write(problem, &defaults, key, value, sizeof value)) {
            continue;
        }
        if (used < bytes) {
            used += (size_t)snprintf(text + used, bytes - used, " %s=%s", key->name, value);
        }
    }
    if (used >= bytes) {
        if (bytes) {
            text[0] = '\0';
        }
        return ct_fail(CLATTN_BUFFER_TOO_SMALL, "clattn_problem_format: bytes = %zu, the text needs %zu or more", bytes,
                       used + 1);
    }
    return CLATTN_OK;
}

/* A key that belongs to other methods or patterns must have its default. */
static clattn_status check_owners(const clattn_problem *problem, const ct_method *method)
{
    clattn_problem defaults;
    char value[1024], name[64];
    const int owns = ct_method_owns(method);
    const ct_key *kind = ct_key_find("pattern", strlen("pattern"));
    clattn_problem_init(&defaults);
    for (int i = 0; i < ct_key_count; i++) {
        const ct_key *key = &ct_keys[i];
        if (key->owners && !(key->owners & owns) && ct_key_write(problem, &defaults, key, value, sizeof value)) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: the method '%s' has no such key", key->name, value,
                           problem->method);
        }
        if (ct_key_patterns(key) && !(ct_key_patterns(key) >> problem->pattern.kind & 1) &&
            ct_key_write(problem, &defaults, key, value, sizeof value)) {
            ct_key_write(problem, &defaults, kind, name, sizeof name);
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%s: the pattern '%s' has no such key", key->name, value, name);
        }
    }
    return CLATTN_OK;
}

typedef struct bound {
    const char *name;
    int64_t value, low, high;
} bound;

static clattn_status check_bounds(const clattn_problem *p)
{
    const int64_t largest = 1000000000;
    clattn_problem defaults;
    clattn_problem_init(&defaults);
    for (int i = 0; i < ct_key_count; i++) {
        const clattn_status st = ct_key_check(p, &defaults, &ct_keys[i]);
        if (st != CLATTN_OK) {
            return st;
        }
    }
    const bound bounds[] = {
        /* what the table of keys does not know */
        {"max_q", p->max_q, 0, p->nq},
        {"max_k", p->max_k, 0, p->nk},
        {"window (left)", p->window_left, -1, largest},
        {"window (right)", p->window_right, -1, largest},
        {"block (query)", p->block_q, 16, 65536},
        {"block (key)", p->block_k, 16, 65536},
        {"decay", p->decay, 0, CLATTN_DECAY_TOKEN},
        {"samples", p->samples, 0, p->nk},
        {"windows (count)", p->pattern.n_windows, 0, CLATTN_PATTERN_LIST},
        {"indices (count)", p->pattern.n_indices, 0, CLATTN_PATTERN_LIST},
        {"ends (count)", p->pattern.n_ends, 0, CLATTN_PATTERN_LIST},
    };
    for (size_t i = 0; i < CT_COUNT(bounds); i++) {
        if (bounds[i].value < bounds[i].low || bounds[i].value > bounds[i].high) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s=%lld: the value must be from %lld to %lld", bounds[i].name,
                           (long long)bounds[i].value, (long long)bounds[i].low, (long long)bounds[i].high);
        }
    }
    return CLATTN_OK;
}

/* Elements up to 2^53: byte offsets and products of a few sizes stay in 64 bits. */
static clattn_status check_elements(const char *what, double elements)
{
    const double most = 9007199254740992.0;
    char number[40], limit[40];
    ct_format_double(elements, number, sizeof number);
    ct_format_double(most, limit, sizeof limit);
    return elements <= most ? CLATTN_OK
                            : ct_fail(CLATTN_INVALID_ARGUMENT, "%s spans %s elements; at most %s", what, number, limit);
}

static clattn_status check_tensor(const clattn_problem *p, clattn_slot slot)
{
    int64_t dims[CT_MOST_DIMS];
    clattn_strides given;
    const char *name = clattn_slot_name(slot);
    memcpy(&given, (const char *)p + ct_slots[slot].strides, sizeof given);
    ct_slot_shape(p, NULL, slot, dims);
    if (given.batch < 0 || given.head < 0 || given.row < 0) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "%s strides %lld, %lld, %lld: at least 0", name, (long long)given.batch,
                       (long long)given.head, (long long)given.row);
    }
    const bool strided = given.batch || given.head || given.row;
    const double dense = (double)dims[0] * (double)dims[1] * (double)dims[2] * (double)dims[3];
    const double spread = (double)(dims[0] - 1) * (double)given.batch + (double)(dims[1] - 1) * (double)given.head +
                          (double)(dims[2] - 1) * (double)given.row;
    const clattn_status st = check_elements(name, dense);
    return st == CLATTN_OK && strided ? check_elements(name, spread) : st;
}

static clattn_status check_sizes(const clattn_problem *p)
{
    clattn_status st = CLATTN_OK;
    const int64_t batches = ct_problem_batches(p); /* up to 1e9 of up to 65536 heads: no overflow */
    const double rows = (double)p->b * (double)p->hq, nq = (double)p->nq, nk = (double)p->nk;
    if (batches * p->hq > INT32_MAX) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "hq=%lld: heads of all %lld %s are more than %d", (long long)p->hq,
                (long long)batches, p->sequences ? "sequences" : "batches", INT32_MAX);
    }
    for (int slot = 0; slot < CLATTN_SLOT_COUNT; slot++) {
        if (ct_slots[slot].strides) {
            CT_TRY(check_tensor(p, (clattn_slot)slot));
        }
    }
    CT_TRY(check_elements("b x hq x nk", rows * nk));
    CT_TRY(check_elements("the scores of blocks", p->pattern.kind == CLATTN_PATTERN_SCORES
                                                      ? rows * ceil(nq / p->block_q) * ceil(nk / p->block_k)
                                                      : 0));
    CT_TRY(check_elements("the bias", p->bias ? rows * nq * nk : 0));
    CT_TRY(check_elements("o of all parts", rows * nq * (double)p->dv * p->parts));
out:
    return st;
}

static clattn_status check_together(const clattn_problem *p)
{
    if (p->hq % p->hk) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "hq=%lld: must be a multiple of hk=%lld", (long long)p->hq,
                       (long long)p->hk);
    }
    if (!isnan(p->eps) && p->norm == CLATTN_NORM_NONE) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "eps=%g: of a norm, and there is none (norm=none)", p->eps);
    }
    if (p->sequences && p->b != 1) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "b=%lld: packed sequences (sequences=%lld) want b=1", (long long)p->b,
                       (long long)p->sequences);
    }
    if (!p->sequences && (p->max_q || p->max_k)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "max_q=%lld, max_k=%lld: only with sequences", (long long)p->max_q,
                       (long long)p->max_k);
    }
    if ((p->bias_b && p->bias_b != 1 && p->bias_b != p->b) || (p->bias_h && p->bias_h != 1 && p->bias_h != p->hq)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "bias_b=%lld, bias_h=%lld: must be 1 or b=%lld, 1 or hq=%lld",
                       (long long)p->bias_b, (long long)p->bias_h, (long long)p->b, (long long)p->hq);
    }
    if ((p->bias_b || p->bias_h) && !p->bias) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "bias_b=%lld, bias_h=%lld: only with bias=1", (long long)p->bias_b,
                       (long long)p->bias_h);
    }
    if (p->bias && p->sequences) {
        return ct_fail(CLATTN_UNSUPPORTED,
                       "bias=1: not for packed sequences (sequences=%lld); pass it as a score text's buffer",
                       (long long)p->sequences);
    }
    if (p->decay == CLATTN_DECAY_NUMBER && !(p->decay_value <= 0)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "decay=%g: g = ln(decay) must be at most 0", p->decay_value);
    }
    if ((p->decay == CLATTN_DECAY_MINIMAX || p->decay == CLATTN_DECAY_FLA) &&
        (p->decay_layers < 1 || p->decay_layers > 100000 || p->decay_layer < 0 || p->decay_layer >= p->decay_layers)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "decay: layer %d of %d: wants 0 <= layer < layers <= 100000",
                       p->decay_layer, p->decay_layers);
    }
    return CLATTN_OK;
}

static clattn_status check_pass(const clattn_problem *problem, const ct_method *method)
{
    const ct_key *key = ct_key_find("pass", strlen("pass"));
    char asked[16], one[16], all[64] = "";
    clattn_problem other = *problem, defaults;
    if (method->build[problem->pass]) {
        return CLATTN_OK;
    }
    clattn_problem_init(&defaults);
    ct_key_write(problem, &defaults, key, asked, sizeof asked);
    for (int pass = 0; pass < (int)CT_COUNT(method->build); pass++) {
        const size_t used = strlen(all);
        other.pass = (clattn_pass)pass;
        ct_key_write(&other, &defaults, key, one, sizeof one);
        snprintf(all + used, sizeof all - used, "%s%s", used && method->build[pass] ? ", " : "",
                 method->build[pass] ? one : "");
    }
    return ct_fail(CLATTN_UNSUPPORTED, "pass=%s: the method '%s' has no such pass; it has %s", asked, problem->method,
                   all);
}

clattn_status clattn_problem_check(const clattn_problem *problem)
{
    clattn_status st = CLATTN_OK;
    if (!problem) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "clattn_problem_check: problem is NULL");
    }
    if (problem->struct_size != sizeof *problem) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT,
                "problem.struct_size is %zu, this library's is %zu: call clattn_problem_init()", problem->struct_size,
                sizeof *problem);
    }
    const ct_method *method =
        memchr(problem->method, 0, sizeof problem->method) ? ct_method_find(problem->method) : NULL;
    if (!method) {
        st = unknown_method(problem->method, (int)sizeof problem->method);
        goto out;
    }
    CT_TRY(ct_problem_check_texts(problem));
    CT_TRY(check_bounds(problem));
    CT_TRY(check_pass(problem, method));
    CT_TRY(check_owners(problem, method));
    CT_TRY(check_together(problem));
    CT_TRY(check_sizes(problem));
    CT_TRY(ct_problem_check_backward(problem));
    if (method->check) {
        CT_TRY(method->check(problem));
    }
out:
    return st;
}

double ct_problem_scale(const clattn_problem *p)
{
    const ct_method *method = ct_method_find(p->method);
    return !isnan(p->scale) ? p->scale : method && method->softmax ? 1.0 / sqrt((double)p->dqk) : 1.0;
}

bool ct_problem_causal(const clattn_problem *p)
{
    const ct_method *method = ct_method_find(p->method);
    return p->causal >= 0 ? p->causal != 0 : method && method->linear && !method->softmax;
}

int64_t ct_problem_batches(const clattn_problem *p)
{
    return p->sequences ? p->sequences : p->b;
}
int64_t ct_problem_max_q(const clattn_problem *p)
{
    return p->max_q ? p->max_q : p->nq;
}
int64_t ct_problem_max_k(const clattn_problem *p)
{
    return p->max_k ? p->max_k : p->nk;
}

bool ct_problem_key(int index, ct_key_help *help)
{
    if (index < 0 || index >= ct_key_count) {
        return false;
    }
    *help = (ct_key_help){ct_keys[index].name, ct_keys[index].values, ct_keys[index].help, ct_keys[index].low,
                          ct_keys[index].high};
    return true;
}

static void add_name(char *text, size_t bytes, const char *first, const char *name)
{
    const size_t used = strlen(text);
    snprintf(text + used, bytes - used, "%s%s", used ? ", " : first, name);
}

void ct_problem_key_readers(int index, char *text, size_t bytes)
{
    const ct_key *key = &ct_keys[index], *kind = ct_key_find("pattern", strlen("pattern"));
    const unsigned patterns = ct_key_patterns(key);
    clattn_problem named, defaults;
    char value[32];
    text[0] = '\0';
    clattn_problem_init(&defaults);
    named = defaults;
    for (int i = 0; i < 31; i++) {
        if (patterns >> i & 1) {
            named.pattern.kind = (clattn_pattern_kind)i;
            ct_key_write(&named, &defaults, kind, value, sizeof value);
            add_name(text, bytes, "pattern=", value);
        }
    }
    for (int i = 0; !patterns && key->owners && i < ct_method_count; i++) {
        if (ct_method_owns(ct_methods[i]) & key->owners) {
            add_name(text, bytes, "", ct_methods[i]->name);
        }
    }
    if (!text[0]) {
        snprintf(text, bytes, "every method");
    }
}

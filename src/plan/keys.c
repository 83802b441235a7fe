/* The table of keys, and how those of a kind of their own are read and written. */
#include "plan/key_values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define AT(field)  offsetof(clattn_problem, field)
#define LARGEST    1000000000.0
#define MOST_TILES 1000000
#define PAIR(name, a, b, low, high, owners, help)                                                                      \
    {                                                                                                                  \
        name, CT_KEY_OWN, AT(a), AT(b), low, high, NULL, owners, "integer", help, read_pair, write_none                \
    }
#define LONG(name, field, low, high, owners, help)                                                                     \
    {                                                                                                                  \
        name, CT_KEY_LONG, AT(field), 0, low, high, NULL, owners, "integer", help, NULL, NULL                          \
    }
#define INT(name, field, low, high, owners, help)                                                                      \
    {                                                                                                                  \
        name, CT_KEY_INT, AT(field), 0, low, high, NULL, owners, "integer", help, NULL, NULL                           \
    }
#define FLAG(name, field, owners, help)                                                                                \
    {                                                                                                                  \
        name, CT_KEY_INT, AT(field), 0, 0, 1, NULL, owners, "0|1", help, NULL, NULL                                    \
    }
#define DOUBLE(name, field, low, high, owners, help)                                                                   \
    {                                                                                                                  \
        name, CT_KEY_DOUBLE, AT(field), 0, low, high, NULL, owners, "number", help, NULL, NULL                         \
    }
#define CHOICE(name, field, choices, owners, help)                                                                     \
    {                                                                                                                  \
        name, CT_KEY_CHOICE, AT(field), 0, 0, 0, choices, owners, choices, help, NULL, NULL                            \
    }
#define TEXT(name, field, owners, help)                                                                                \
    {                                                                                                                  \
        name, CT_KEY_TEXT, AT(field), 0, 0, 0, NULL, owners, "the path of a file", help, NULL, NULL                    \
    }
#define LIST(name, field, count, owners, help)                                                                         \
    {                                                                                                                  \
        name, CT_KEY_LIST, AT(pattern.field), AT(pattern.count), 0, LARGEST, NULL, owners, "a,b,...", help, NULL, NULL \
    }
#define OWN(name, values, owners, help, read, write)                                                                   \
    {                                                                                                                  \
        name, CT_KEY_OWN, 0, 0, 0, 0, NULL, owners, values, help, read, write                                          \
    }

/* n, h, d set two fields; they are written by the single keys. */
static clattn_status read_pair(clattn_problem *problem, const ct_key *key, const char *value)
{
    int64_t number;
    const clattn_status st = ct_key_read_bounded(key, value, &number);
    if (st == CLATTN_OK) {
        *(int64_t *)ct_key_field(problem, key->offset) = number;
        *(int64_t *)ct_key_field(problem, key->offset2) = number;
    }
    return st;
}

static bool write_none(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    (void)problem, (void)key, (void)text, (void)bytes;
    return false;
}

/* Two integers with a character between, "a,b"; the second may be left out if `alone`. */
static bool read_two(const char *value, char between, bool alone, int64_t *a, int64_t *b)
{
    char copy[64];
    const char *cut = strchr(value, between);
    if (!cut) {
        *b = alone && ct_parse_int(value, a) ? *a : 0;
        return alone && ct_parse_int(value, a);
    }
    if ((size_t)(cut - value) >= sizeof copy) {
        return false;
    }
    memcpy(copy, value, (size_t)(cut - value));
    copy[cut - value] = '\0';
    return ct_parse_int(copy, a) && ct_parse_int(cut + 1, b);
}

static clattn_status read_window(clattn_problem *problem, const ct_key *key, const char *value)
{
    int64_t left, right;
    if (!read_two(value, ',', false, &left, &right)) {
        return ct_key_bad_value(key, value);
    }
    if (left < -1 || right < -1 || left > (int64_t)LARGEST || right > (int64_t)LARGEST) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "window=%s: each side must be from -1 to %.0f", value, LARGEST);
    }
    problem->window_left = left;
    problem->window_right = right;
    return CLATTN_OK;
}

static bool write_window(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    (void)key;
    snprintf(text, bytes, "%lld,%lld", (long long)problem->window_left, (long long)problem->window_right);
    return problem->window_left != -1 || problem->window_right != -1;
}

static clattn_status read_block(clattn_problem *problem, const ct_key *key, const char *value)
{
    int64_t q, k;
    if (!read_two(value, 'x', true, &q, &k)) {
        return ct_key_bad_value(key, value);
    }
    if (q < 16 || k < 16 || q > 65536 || k > 65536) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "block=%s: block sizes must be from 16 to 65536", value);
    }
    problem->block_q = (int)q;
    problem->block_k = (int)k;
    return CLATTN_OK;
}

static bool write_block(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    (void)key;
    if (problem->block_q == problem->block_k) {
        snprintf(text, bytes, "%d", problem->block_q);
    } else {
        snprintf(text, bytes, "%dx%d", problem->block_q, problem->block_k);
    }
    return problem->block_q != 64 || problem->block_k != 64;
}

static clattn_status read_tiles(clattn_problem *problem, const ct_key *key, const char *value)
{
    int64_t y, x;
    if (!read_two(value, 'x', false, &y, &x)) {
        return ct_key_bad_value(key, value);
    }
    if (y < 1 || x < 1 || y > MOST_TILES || x > MOST_TILES) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "tiles=%s: each number must be from 1 to %d", value, MOST_TILES);
    }
    problem->pattern.tiles_y = (int)y;
    problem->pattern.tiles_x = (int)x;
    return CLATTN_OK;
}

static bool write_tiles(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    (void)key;
    snprintf(text, bytes, "%dx%d", problem->pattern.tiles_y, problem->pattern.tiles_x);
    return problem->pattern.tiles_y != -1;
}

static clattn_status read_attention(clattn_problem *problem, const ct_key *key, const char *value)
{
    if (strcmp(value, "uni") != 0 && strcmp(value, "bi") != 0) {
        return ct_key_bad_value(key, value);
    }
    problem->pattern.bidirectional = value[0] == 'b';
    return CLATTN_OK;
}

static bool write_attention(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    (void)key;
    snprintf(text, bytes, "%s", problem->pattern.bidirectional ? "bi" : "uni");
    return problem->pattern.bidirectional != -1;
}

static const struct {
    const char *name;
    clattn_decay law;
    bool layered;
} decays[] = {
    {"none", CLATTN_DECAY_NONE, false},           {"alibi", CLATTN_DECAY_ALIBI, false},
    {"minimax", CLATTN_DECAY_MINIMAX, true},      {"fla", CLATTN_DECAY_FLA, true},
    {"retention", CLATTN_DECAY_RETENTION, false}, {"head", CLATTN_DECAY_HEAD, false},
    {"token", CLATTN_DECAY_TOKEN, false},
};

static clattn_status read_decay(clattn_problem *problem, const ct_key *key, const char *value)
{
    double number;
    for (size_t i = 0; i < CT_COUNT(decays); i++) {
        const size_t length = strlen(decays[i].name);
        if (strncmp(value, decays[i].name, length) != 0 || value[length] != (decays[i].layered ? ':' : '\0')) {
            continue;
        }
        if (decays[i].layered) {
            int64_t layer, layers;
            if (!read_two(value + length + 1, '/', false, &layer, &layers) || layers < 1 || layers > 100000 ||
                layer < 0 || layer >= layers) {
                return ct_fail(CLATTN_INVALID_ARGUMENT, "decay=%s: wants LAYER/LAYERS with 0 <= LAYER < LAYERS", value);
            }
            problem->decay_layer = (int)layer;
            problem->decay_layers = (int)layers;
        }
        problem->decay = decays[i].law;
        return CLATTN_OK;
    }
    if (!ct_parse_double(value, &number)) {
        return ct_key_bad_value(key, value);
    }
    if (!(number <= 0)) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "decay=%s: a number is g = ln(decay) and must be at most 0", value);
    }
    problem->decay = CLATTN_DECAY_NUMBER;
    problem->decay_value = number;
    return CLATTN_OK;
}

static bool write_decay(const clattn_problem *problem, const ct_key *key, char *text, size_t bytes)
{
    (void)key;
    if (problem->decay == CLATTN_DECAY_NUMBER) {
        ct_format_double(problem->decay_value, text, bytes);
        return true;
    }
    for (size_t i = 0; i < CT_COUNT(decays); i++) {
        if (decays[i].law == problem->decay && decays[i].layered) {
            snprintf(text, bytes, "%s:%d/%d", decays[i].name, problem->decay_layer, problem->decay_layers);
        } else if (decays[i].law == problem->decay) {
            snprintf(text, bytes, "%s", decays[i].name);
        }
    }
    return problem->decay != CLATTN_DECAY_NONE || strcmp(problem->method, "lightning") == 0;
}

#define S CT_FOR_SOFTMAX
#define L CT_FOR_LINEAR
#define P CT_FOR_BLOCKS

const ct_key ct_keys[] = {
    LONG("b", b, 1, LARGEST, 0, "batches"),
    LONG("hq", hq, 1, 65536, 0, "query heads"),
    LONG("hk", hk, 1, 65536, 0, "key and value heads; divides hq"),
    PAIR("h", hq, hk, 1, 65536, 0, "hq and hk, where they are not given"),
    LONG("nq", nq, 1, LARGEST, 0, "queries"),
    LONG("nk", nk, 1, LARGEST, 0, "keys"),
    PAIR("n", nq, nk, 1, LARGEST, 0, "nq and nk, where they are not given"),
    LONG("dqk", dqk, 1, 256, 0, "width of queries and keys"),
    LONG("dv", dv, 1, 256, 0, "width of values and outputs"),
    PAIR("d", dqk, dv, 1, 256, 0, "dqk and dv, where they are not given"),
    CHOICE("dtype", dtype, "f32|f16|bf16", 0, "element type of q, k, v, o"),
    CHOICE("kv_dtype", kv_dtype, "same|f32|f16|bf16", 0, "of k and v, where it is another"),
    CHOICE("pass", pass, "fwd|bwd|decode", 0, "what is computed"),
    CHOICE("layout", layout, "bhnd|bnhd", 0, "order of dimensions of q, k, v, o"),
    LONG("sequences", sequences, 0, 10000000, 0, "packed variable length: how many (b = 1, slot cu-seqlens)"),
    LONG("max_q", max_q, 0, LARGEST, 0, "packed: longest sequence of queries; 0: nq"),
    LONG("max_k", max_k, 0, LARGEST, 0, "packed: longest sequence of keys; 0: nk"),
    DOUBLE("scale", scale, -1e30, 1e30, 0, "of q.k; default 1/sqrt(dqk), linear 1"),
    FLAG("causal", causal, 0, "bottom-right; default 0, linear 1"),
    OWN("window", "LEFT,RIGHT (-1: unlimited)", S, "inclusive, around i + nk - nq", read_window, write_window),
    FLAG("tf32", tf32, S, "f32: products may round to 10 bits of mantissa; exact where no unit does"),
    FLAG("deterministic", deterministic, 0, "0: sums may take any order, and bits differ from run to run (1)"),
    DOUBLE("softcap", softcap, 0, 1e30, S, "c of c*tanh(x/c); 0: none"),
    INT("alibi", alibi, 0, 2, S, "1: slopes of Press et al., 2: slot alibi-slopes"),
    FLAG("sink", sink, S, "slot sink [hq]: a logit without a value"),
    FLAG("bias", bias, S, "slot bias [bias_b, bias_h, nq, nk]"),
    LONG("bias_b", bias_b, 0, LARGEST, S, "1 or b; 0: b"),
    LONG("bias_h", bias_h, 0, 65536, S, "1 or hq; 0: hq"),
    FLAG("key_padding", key_padding, S, "slot key-padding [b, nk], 0 hides"),
    TEXT("score", score_file, S, "OpenCL C that changes a score"),
    TEXT("dscore", dscore_file, S, "OpenCL C of the score text's derivative, for pass=bwd"),
    TEXT("mask", mask_file, S, "OpenCL C that says whether a key is seen"),
    DOUBLE("p0", text_params[0], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p1", text_params[1], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p2", text_params[2], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p3", text_params[3], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p4", text_params[4], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p5", text_params[5], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p6", text_params[6], -1e38, 1e38, S, "parameter of the texts"),
    DOUBLE("p7", text_params[7], -1e38, 1e38, S, "parameter of the texts"),
    LONG("text_buffer", text_buffer, 0, LARGEST, S, "floats of slot text-buffer, which the texts read; 0: not said"),
    OWN("block", "N or BQxBK, from 16", P, "block sizes of the pattern", read_block, write_block),
    CHOICE("pattern", pattern.kind,
           "dense|fixed|variable|bigbird|bslongformer|sliding|strided|window|longformer|samples|image|csr|mask|table|"
           "scores",
           P, "which blocks meet"),
    INT("local", pattern.local, 1, LARGEST, P, "fixed: blocks of a local window (4)"),
    INT("global", pattern.global, 0, LARGEST, P,
        "fixed, bigbird: global blocks (1); strided: last keys of a chunk (0)"),
    OWN("attention", "uni|bi", P, "DeepSpeed's direction, on blocks (bi; sliding, strided: uni)", read_attention,
        write_attention),
    FLAG("horizontal", pattern.horizontal, P, "global blocks see everything, too"),
    INT("patterns", pattern.patterns, 1, LARGEST, P, "fixed: different global patterns over heads (1)"),
    FLAG("per_head", pattern.per_head, P, "every head has a layout of its own"),
    INT("random", pattern.random, 0, LARGEST, P, "random blocks a row (variable 0, bigbird 1)"),
    LIST("windows", windows, n_windows, P, "variable: local windows in blocks (4)"),
    LIST("indices", indices, n_indices, P, "global blocks (0); longformer, samples: global tokens"),
    LIST("ends", ends, n_ends, P, "ends of the global ranges"),
    INT("sliding", pattern.sliding, 1, LARGEST, P, "blocks of the sliding window (3)"),
    LONG("seed", pattern.seed, 0, 9e15, P, "of the random blocks"),
    INT("stride", pattern.stride, 1, LARGEST, P, "strided: tokens (128)"),
    INT("dilation", pattern.dilation, 1, LARGEST, P, "longformer: distance between keys of a window (1)"),
    INT("radius", pattern.radius, 0, LARGEST, P, "image: tiles in each direction (1)"),
    OWN("tiles", "YxX", P, "image: tiles of the image, tokens in tile order", read_tiles, write_tiles),
    INT("width", pattern.width, 1, LARGEST, P, "table: entries a row"),
    INT("topk", pattern.topk, 1, LARGEST, P, "scores: blocks a row; slot scores [b, hq, rows, cols]"),
    OWN("decay", "none|alibi|minimax:LAYER/LAYERS|fla:LAYER/LAYERS|retention|head|token|NUMBER<=0", L,
        "of the linear state", read_decay, write_decay),
    FLAG("ddecay", ddecay, L, "pass=bwd: write ddecay, the gradient of ln(decay)"),
    FLAG("state", state, L, "read state-in and write state-out"),
    CHOICE("feature", feature, "identity|elu|relu|silu|softmax", CT_FOR_MAPS, "map of q and k"),
    FLAG("normalise", normalise, CT_FOR_MAPS, "divide by the sum of weights"),
    INT("chunk", chunk, 0, 1024, L, "tokens of a chunk, at most what a tile holds; 0: chosen"),
    LONG("samples", samples, 0, LARGEST, CT_FOR_SAMPLES | P, "global tokens"),
    CHOICE("spacing", spacing, "even|log|given", CT_FOR_SAMPLES | P, "of the samples"),
    INT("gate", gate, 0, 2, CT_FOR_GATE, "1: slot gate [b, hq, nq]; 2: sigmoid(q.gate-weight + gate-bias)"),
    FLAG("remaining", remaining, CT_FOR_BOTH, "the linear half sees only keys of blocks not chosen"),
    CHOICE("norm", norm, "none|layer|rms", 0, "behind o: of a token's row, that of all its heads"),
    FLAG("residual", residual, 0, "slot residual is added to o, before the norm"),
    DOUBLE("eps", eps, 0, 1e30, 0, "of the norm; default 1e-5, rms 1e-6"),
    INT("parts", parts, 0, 65536, CT_FOR_PARTS, "results to merge: slots o-parts, lse-parts; 0: 2"),
};
const int ct_key_count = (int)CT_COUNT(ct_keys);

const ct_key *ct_key_find(const char *name, size_t length)
{
    for (int i = 0; i < ct_key_count; i++) {
        if (strlen(ct_keys[i].name) == length && memcmp(ct_keys[i].name, name, length) == 0) {
            return &ct_keys[i];
        }
    }
    return NULL;
}

bool ct_key_is_half(const ct_key *one, const ct_key *pair)
{
    return pair->read == read_pair && one->kind == CT_KEY_LONG &&
           (one->offset == pair->offset || one->offset == pair->offset2);
}

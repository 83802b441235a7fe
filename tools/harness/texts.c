#include "harness/texts.h"

#include <math.h>
#include <stddef.h>

static double distance_score(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                             const double *buffer)
{
    (void)batch, (void)buffer;
    return x - params[0] * (head + 1) * fabs((double)(query - key));
}

static int stripes_hidden(int batch, int head, int64_t query, int64_t key, const double *params, const double *buffer)
{
    (void)batch, (void)query, (void)buffer;
    return !(key % (int64_t)params[1] == head % (int64_t)params[1] || key < (int64_t)params[2]);
}

static double table_score(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                          const double *buffer)
{
    (void)batch, (void)head, (void)params;
    return x + buffer[query % 8 * 8 + key % 8];
}

static int document_hidden(int batch, int head, int64_t query, int64_t key, const double *params, const double *buffer)
{
    (void)batch, (void)head, (void)buffer;
    return query / (int64_t)params[0] != key / (int64_t)params[0];
}

/* A mask written as a score, as people do. */
static double sunk_score(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                         const double *buffer)
{
    (void)batch, (void)head, (void)query, (void)buffer;
    return key < (int64_t)params[0] ? params[1] : x;
}

static double same_dscore(double d, double x, int batch, int head, int64_t query, int64_t key, const double *params,
                          const double *buffer)
{
    (void)x, (void)batch, (void)head, (void)query, (void)key, (void)params, (void)buffer;
    return d;
}

static double sunk_dscore(double d, double x, int batch, int head, int64_t query, int64_t key, const double *params,
                          const double *buffer)
{
    (void)x, (void)batch, (void)head, (void)query, (void)buffer;
    return key < (int64_t)params[0] ? 0 : d;
}

/* Not linear in what it gets. */
static double bent_score(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                         const double *buffer)
{
    (void)batch;
    const double by_place = buffer[(query + key) % 4];
    return params[0] * x + by_place * tanh(x * (head + 1) * params[1]);
}

static double bent_dscore(double d, double x, int batch, int head, int64_t query, int64_t key, const double *params,
                          const double *buffer)
{
    (void)batch;
    const double by_place = buffer[(query + key) % 4], factor = (head + 1) * params[1], bent = tanh(x * factor);
    return d * (params[0] + by_place * factor * (1 - bent * bent));
}

#define DISTANCE "return score - p0 * (float)(head + 1) * vabs(TO_VF(query - key));"
#define STRIPES  "return (key % (int)p1 == (head % (int)p1)) | (key < (int)p2);"
static const ct_text_pair pairs[] = {
    {"distance", DISTANCE, "dscore", NULL, {0.03125}, 0, distance_score, same_dscore, NULL},
    {"stripes", NULL, NULL, STRIPES, {0, 3, 5}, 0, NULL, NULL, stripes_hidden},
    {"table",
     "return score + gather(buffer, (VI)(0), 0, (query % 8) * 8 + key % 8);",
     "return dscore;",
     NULL,
     {0},
     64,
     table_score,
     same_dscore,
     NULL},
    {"documents", NULL, NULL, "return query / (int)p0 == key / (int)p0;", {40}, 0, NULL, NULL, document_hidden},
    {"both", DISTANCE, "return dscore;", STRIPES, {0.0625, 2, 1}, 0, distance_score, same_dscore, stripes_hidden},
    {"sunk",
     "return pick(key < (int)p0, (VF)(p1), score);",
     "pick(key < (int)p0, (VF)(0.0f), dscore)",
     NULL,
     {40, -1e30},
     0,
     sunk_score,
     sunk_dscore,
     NULL},
    {"bent",
     "const VF place = gather(buffer, (VI)(0), 0, (query + key) % 4);\n"
     "return p0 * score + place * vtanh(score * ((float)(head + 1) * p1));",
     "#define score_factor ((float)(head + 1) * p1)\n"
     "const VF place = gather(buffer, (VI)(0), 0, (query + key) % 4), bent = vtanh(score * score_factor);\n"
     "return dscore * (p0 + place * score_factor * (1.0f - bent * bent));",
     NULL,
     {0.75, 0.5},
     4,
     bent_score,
     bent_dscore,
     NULL},
};
const int ct_text_pairs = (int)(sizeof(pairs) / sizeof(pairs[0]));

const ct_text_pair *ct_text_pair_of(int index)
{
    return index >= 1 && index <= ct_text_pairs ? &pairs[index - 1] : NULL;
}

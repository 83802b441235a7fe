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

static const ct_text_pair pairs[] = {
    {"distance",
     "return score - p0 * (float)(head + 1) * vabs(TO_VF(query - key));",
     NULL,
     {0.03125},
     0,
     distance_score,
     NULL},
    {"stripes",
     NULL,
     "return (key % (int)p1 == (head % (int)p1)) | (key < (int)p2);",
     {0, 3, 5},
     0,
     NULL,
     stripes_hidden},
    {"table",
     "return score + gather(buffer, (VI)(0), 0, (query % 8) * 8 + key % 8);",
     NULL,
     {0},
     64,
     table_score,
     NULL},
    {"documents", NULL, "return query / (int)p0 == key / (int)p0;", {40}, 0, NULL, document_hidden},
    {"both",
     "return score - p0 * (float)(head + 1) * vabs(TO_VF(query - key));",
     "return (key % (int)p1 == (head % (int)p1)) | (key < (int)p2);",
     {0.0625, 2, 1},
     0,
     distance_score,
     stripes_hidden},
    {"sunk", "return pick(key < (int)p0, (VF)(p1), score);", NULL, {40, -1e30}, 0, sunk_score, NULL},
};
const int ct_text_pairs = (int)(sizeof(pairs) / sizeof(pairs[0]));

const ct_text_pair *ct_text_pair_of(int index)
{
    return index >= 1 && index <= ct_text_pairs ? &pairs[index - 1] : NULL;
}

/* Callers' score and mask texts as people write them: with names that our texts have for macros, comments, directives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/env.h"
#include "support/reference_case.h"
#include "support/small_run.h"

enum { B = 1, HQ = 2, HK = 1, NQ = 37, NK = 53, D = 12 };

static double doubled(double x, int batch, int head, int64_t query, int64_t key, const double *params,
                      const double *buffer)
{
    (void)batch, (void)params, (void)buffer;
    return 2 * x + 3 * head - 0.125 * (double)((query + key) % 4);
}

static int fourth_hidden(int batch, int head, int64_t query, int64_t key, const double *params, const double *buffer)
{
    (void)batch, (void)head, (void)query, (void)params, (void)buffer;
    return key % 4 == 3;
}

#define SAYS "2.0f * score + 3.0f * (float)head - 0.125f * TO_VF((query + key) % 4)"

static const struct {
    const char *score, *mask;
} texts[] = {
    {SAYS " // what this returns", "key % 4 != 3 /* return */"},
    {"/* return */ " SAYS " /* \\\\ */ // \\", NULL},
    {"#define FACTOR 2.0f\nFACTOR * score + 3.0f * (float)head - 0.125f * TO_VF((query + key) % 4)", NULL},
    {"return " SAYS, NULL}, /* its semicolon is forgotten */
    {"float K = 2.0f, V = 3.0f, LOW = 0.125f;\nVI AT = query + key, ITEM = AT % 4;\nreturn score * K + V * (float)head "
     "- LOW * TO_VF(ITEM);",
     NULL},
    {"int ROW_AT = 4, BM = 3, BN = 2, CAUSAL = 0, DK = 8;\nfloat OP = (float)BN, UNROLL = 1.0f / (float)DK;\nVF x = "
     "score, a = x * OP;\n"
     "return a + (float)(BM * head + CAUSAL) - UNROLL * TO_VF((query + key) % ROW_AT);",
     NULL},
    {"#define K 2.0f\n#define AT(x) ((x) % 4)\n#define V(BM) (BM) * (float)head\n#define x score\n#define a "
     "0.125f\n#ifdef LOW\n#error ours\n#endif\n"
     "#undef Q\n#define tile 1.0f\n#define min(left, right) tile\nreturn K * x + V(3.0f) - min(1, 2) * a * "
     "TO_VF(AT(query + key));",
     NULL},
    {"struct pair { float K, V; } ITEM = {2.0f, 3.0f}, *PACK = &ITEM;\nreturn ITEM.K * score + PACK->V * (float)head - "
     "0.125f * TO_VF((query + key) % 4);",
     NULL},
    {"#define K 2.0f\n#define OP 3.0f\nreturn K * score + OP * (float)head - 0.125f * TO_VF((query + key) % 4);",
     "int K = 4, V = 3; VI OP = key % K, x = OP;\nreturn x != V;"},
};

static void run(ct_case *c, const char *backend, size_t i)
{
    double o[B * HQ * NQ * D];
    char what[64];
    const small_value values[] = {{CLATTN_Q, c->slots[CLATTN_Q], NULL},
                                  {CLATTN_K, c->slots[CLATTN_K], NULL},
                                  {CLATTN_V, c->slots[CLATTN_V], NULL},
                                  {CLATTN_O, NULL, o}};
    c->problem.score_text = texts[i].score;
    c->problem.mask_text = texts[i].mask;
    c->io.score = doubled;
    c->io.hidden = texts[i].mask ? fourth_hidden : NULL;
    const ct_softmax_branch branch = ct_softmax_branch_of(&c->problem, NULL);
    ct_case_softmax(c, &branch);
    ct_assert_status(small_run(backend, &c->problem, NULL, values, (int)CT_COUNT(values)), CLATTN_OK, NULL);
    snprintf(what, sizeof what, "%s, text %zu", backend, i);
    ct_assert_near(o, c->io.out[CLATTN_O], ct_case_outputs(c), 1e-5, what);
}

static void names_of_ours(void **state)
{
    clattn_problem plain;
    (void)state;
    clattn_problem_init(&plain);
    for (int backend = 0; small_backend(backend); backend++) {
        ct_case c = ct_case_make(B, HQ, HK, NQ, NK, D, D, 7);
        c.problem.causal = 1;
        c.problem.pattern.seed = plain.pattern.seed; /* was the tensors' */
        for (size_t i = 0; small_usable(small_backend(backend)) && i < CT_COUNT(texts); i++) {
            run(&c, small_backend(backend), i);
        }
        ct_case_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_ours)};
    return cmocka_run_group_tests_name("texts", tests, NULL, small_teardown);
}

/* Inside the check engine: a check under way. */
#ifndef CT_CHECK_RUN_H
#define CT_CHECK_RUN_H

#include "harness/check.h"
#include "harness/guarded.h"
#include "harness/tensor.h"
#include "harness/texts.h"
#include "plan/method.h"

/* One check, from the problem to the comparison. */
typedef struct check_run {
    const ct_check_place *place;
    ct_check_result *result;
    clattn_problem problem;
    uint64_t seed;
    const struct check_run *first; /* the one that this one repeats, or NULL */
    const ct_text_pair *pair;
    const ct_method *method;
    clattn_layout *layout; /* the reference's */
    clattn_plan *plan;
    cl_command_queue queue;
    ct_tensor slots[CLATTN_SLOT_COUNT];
    ct_guarded workspace;
    ct_reference_io io;
    int64_t *rows, *key_rows; /* a sample of query rows; backwards, of key rows, those of one KV head; NULL: all */
    int64_t n_key_rows, head;
    int64_t *tokens; /* those of the rows, where every head of a token is among them; NULL: not so */
    int64_t n_tokens;
    int64_t *state_rows; /* with key_rows: states of that head's query heads */
    int64_t n_state_rows;
    double *outputs[3][CLATTN_SLOT_COUNT]; /* double, single, single of base 2 */
    double *rounded[3];                    /* q, k, v as operands of tf32, for the single ones */
} check_run;

/* A wrong result: the first one's sentence is kept. */
void ct_check_complain(check_run *c, const char *text);
/* The double reference and its single-precision peers into c->outputs. */
clattn_status ct_check_references(check_run *c);
/* What came out against them. */
void ct_check_compare(check_run *c);

#endif

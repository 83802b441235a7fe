/* What a problem means once its defaults are filled in. */
#ifndef CT_PROBLEM_H
#define CT_PROBLEM_H

#include "core/core.h"
#include "program/texts.h"

double ct_problem_scale(const clattn_problem *problem);
bool ct_problem_causal(const clattn_problem *problem);
int64_t ct_problem_batches(const clattn_problem *problem); /* b, or the sequences of a packed one */
int64_t ct_problem_max_q(const clattn_problem *problem);
int64_t ct_problem_max_k(const clattn_problem *problem);
/* What pass=bwd asks beyond what every pass does. */
clattn_status ct_problem_check_backward(const clattn_problem *problem);
/* texts.c: the caller's texts. What is asked of them, alone and together. */
clattn_status ct_problem_check_texts(const clattn_problem *problem);
bool ct_problem_has_texts(const clattn_problem *problem);
void ct_problem_texts(const clattn_problem *problem, ct_caller_text texts[CT_TEXT_ROLES]);
const char **ct_problem_text(clattn_problem *problem, ct_text_role role);
const char *ct_problem_text_file(const clattn_problem *problem, ct_text_role role);
/* The table's keys, for --help: name, values, help, and the bounds of a number (low < high); false past the end. */
typedef struct ct_key_help {
    const char *name, *values, *help;
    double low, high;
} ct_key_help;
bool ct_problem_key(int index, ct_key_help *help);
/* Which methods, and which patterns, read that key: "every method", "dense, hybrid", "pattern=fixed, bigbird". */
void ct_problem_key_readers(int index, char *text, size_t bytes);

#endif

/* The caller's texts in a problem. */
#include <string.h>

#include "plan/problem.h"

static const struct {
    size_t text, file;
} fields[CT_TEXT_ROLES] = {
    [CT_TEXT_SCORE] = {offsetof(clattn_problem, score_text), offsetof(clattn_problem, score_file)},
    [CT_TEXT_DSCORE] = {offsetof(clattn_problem, dscore_text), offsetof(clattn_problem, dscore_file)},
    [CT_TEXT_MASK] = {offsetof(clattn_problem, mask_text), offsetof(clattn_problem, mask_file)},
};

const char **ct_problem_text(clattn_problem *problem, ct_text_role role)
{
    return (const char **)(void *)((char *)problem + fields[role].text);
}

static const char *text_of(const clattn_problem *problem, ct_text_role role)
{
    return *(const char *const *)(const void *)((const char *)problem + fields[role].text);
}

const char *ct_problem_text_file(const clattn_problem *problem, ct_text_role role)
{
    return (const char *)problem + fields[role].file;
}

void ct_problem_texts(const clattn_problem *problem, ct_caller_text texts[CT_TEXT_ROLES])
{
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        const char *file = ct_problem_text_file(problem, (ct_text_role)role);
        texts[role].text = text_of(problem, (ct_text_role)role);
        texts[role].name = file[0] ? file : ct_text_words[role].name;
    }
}

static bool is_given(const clattn_problem *problem, ct_text_role role)
{
    return text_of(problem, role) || ct_problem_text_file(problem, role)[0];
}

bool ct_problem_has_texts(const clattn_problem *problem)
{
    bool any = false;
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        any |= is_given(problem, (ct_text_role)role);
    }
    return any;
}

clattn_status ct_problem_check_texts(const clattn_problem *problem)
{
    for (int role = 0; role < CT_TEXT_ROLES; role++) {
        if (!memchr(ct_problem_text_file(problem, (ct_text_role)role), 0, sizeof problem->score_file)) {
            return ct_fail(CLATTN_INVALID_ARGUMENT, "%s_file: at most %zu characters and a NUL",
                           ct_text_words[role].key, sizeof problem->score_file - 1);
        }
    }
    const bool score = is_given(problem, CT_TEXT_SCORE), dscore = is_given(problem, CT_TEXT_DSCORE);
    if (dscore && !score) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "dscore: the derivative of a score text, and there is no score");
    }
    if (problem->pass == CLATTN_BWD && score && !dscore) {
        return ct_fail(CLATTN_UNSUPPORTED, "pass=bwd: the score text has no derivative; dscore is missing");
    }
    return CLATTN_OK;
}

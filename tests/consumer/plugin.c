/* A plug-in that holds the static library; see copies.c. */
#include <clattn/clattn.h>

const char *plugin_refusal(const char *text);

/* What this copy says of a text that it refuses. */
const char *plugin_refusal(const char *text)
{
    clattn_problem problem;
    return clattn_problem_parse(&problem, text) == CLATTN_OK ? "" : clattn_error_detail();
}

#include "options.h"

#include "plan/problem.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void print_row(const char *name, const char *value, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, value ? " " : "", value ? value : "");
    printf("  %-26s %s\n", left, help);
}

static const char conventions[] =
    "\nConventions (include/clattn/clattn.h has all of them):\n"
    "  A score is scale q.k + bias, then soft-cap, then ALiBi, then the score text; masks come last.\n"
    "  causal is bottom-right: query i sees keys up to i + nk - nq; a window lies around that place, ends included.\n"
    "  The scale of linear methods is 1, of softmax methods 1/sqrt(dqk).\n"
    "  Gates, LSE, decays, states, padding are [b, h, n ...] in every layout; bnhd is of q, k, v, o alone.\n"
    "  Slopes and decays are those of hq heads: a shard of a model's heads passes its own (alibi=2, decay=head).\n"
    "  Query head h reads KV head h / (hq / hk). A row that sees no key gives 0, and an LSE of -infinity.\n"
    "  Refused, by a sentence: sparse_linear causal, decay, state; hybrid bias, sequences; merge sequences; a bias "
    "with\n"
    "  sequences; linear, lightning causal with nq != nk, or causal=0 with a decay or pass=decode.\n"
    "  sparse_linear: feature=identity stands for softmax, and the scale is its softmax half's.\n"
    "  The event of an enqueue is its last launch's: a profile of it shows that kernel alone.\n";

static void print_keys(void)
{
    ct_key_help key;
    char readers[256];
    printf("\nKeys of a problem, \"METHOD key=value ...\", and who reads them:\n");
    for (int i = 0; ct_problem_key(i, &key); i++) {
        printf("  %-11s %s", key.name, key.values);
        if (key.high > 1) { /* a flag's values say it */
            printf(" from %.10g to %.10g", key.low, key.high);
        }
        ct_problem_key_readers(i, readers, sizeof readers);
        printf("\n              %s  [%s]\n", key.help, readers);
    }
    printf("%s\nMethods:\n", conventions);
    for (int i = 0; i < clattn_method_count(); i++) {
        printf("  %-13s %s\n", clattn_method_name(i), clattn_method_text(i));
    }
}

static void print_help(const command_line *line)
{
    printf("usage: clattn %s\n\n%s\n\n", line->usage, line->text);
    for (int i = 0; i < line->n_rows; i++) {
        print_row(line->rows[i].name, line->rows[i].value, line->rows[i].help);
    }
    if (line->place) {
        print_row("device", "NAME|P:D",
                  "part of a device's name, or platform:device; else $CLATTN_DEVICE, a GPU, a CPU");
        print_row("backend", "NAME", "only this one: cpu_amx, cpu, nv_wgmma, nv_mma, simt, ref");
        print_row("verbose", NULL, "what the library logs, on stderr");
    }
    print_row("help", NULL, "this text");
    if (line->problems) {
        print_keys();
    }
}

static int set_value(const option_row *row, const char *value)
{
    int64_t number;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->target = true;
        return TOOL_DONE;
    case OPTION_TEXT:
        *(const char **)row->target = value;
        return TOOL_DONE;
    case OPTION_INT:
        break;
    }
    if (!ct_parse_int(value, &number) || number < row->low || number > row->high) {
        fprintf(stderr, "clattn: --%s %s: must be an integer from %lld to %lld\n", row->name, value,
                (long long)row->low, (long long)row->high);
        return TOOL_USAGE;
    }
    *(int64_t *)row->target = number;
    return TOOL_DONE;
}

static bool continues(const char *word)
{
    const size_t first = strcspn(word, " \t\n");
    const char *equals = memchr(word, '=', first);
    return equals && equals > word;
}

/* Words become problem texts of their own. */
static int take_problems(command_line *line, char **words, int n)
{
    line->words = ct_alloc_array(NULL, (size_t)(n ? n : 1), sizeof *line->words);
    line->n_words = 0;
    if (!line->words) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %d problem texts", n);
    }
    for (int i = 0; i < n;) {
        ct_text text = {0};
        ct_text_add(&text, "%s", words[i++]);
        for (; i < n && continues(words[i]); i++) {
            ct_text_add(&text, " %s", words[i]);
        }
        if (text.failed) {
            ct_text_release(&text);
            return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a problem text");
        }
        line->words[line->n_words++] = text.data;
    }
    return TOOL_DONE;
}

static int check_words(const command_line *line)
{
    const char *what = line->problems ? "problem" : "word";
    if (line->n_words < line->least) {
        fprintf(stderr, "clattn: a %s is missing\nusage: clattn %s\n", what, line->usage);
        return TOOL_USAGE;
    }
    if (line->most >= 0 && line->n_words > line->most) {
        fprintf(stderr, "clattn: '%s' is one %s too many\nusage: clattn %s\n", line->words[line->most], what,
                line->usage);
        return TOOL_USAGE;
    }
    return TOOL_DONE;
}

/* Options of the table into their targets; optind stands behind them. */
static int read_options(const command_line *line, const option_row *rows, int n, int argc, char **argv, bool *help)
{
    struct option *longs = ct_alloc_array(NULL, (size_t)n + 1, sizeof *longs); /* the last one is zeros */
    int result = TOOL_DONE;
    if (!longs) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %d options", n);
    }
    for (int i = 0; i < n; i++) {
        const int argument = rows[i].kind == OPTION_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){rows[i].name, argument, NULL, 1000 + i};
    }
    optind = 0;
    for (int found; result == TOOL_DONE && (found = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (found == 'h') {
            *help = true;
        } else if (found < 1000) {
            fprintf(stderr, "usage: clattn %s\n", line->usage);
            result = TOOL_USAGE;
        } else {
            result = set_value(&rows[found - 1000], optarg);
        }
    }
    ct_release(NULL, longs);
    return result;
}

/* The command's own options, and those that all of them have. */
static int parse_options(const command_line *line, int argc, char **argv, bool *help)
{
    place_options none = {0};
    place_options *place = line->place ? line->place : &none;
    const option_row common[] = {
        {"help", OPTION_FLAG, help, NULL, NULL, 0, 0},
        {"device", OPTION_TEXT, &place->device, NULL, NULL, 0, 0},
        {"backend", OPTION_TEXT, &place->backend, NULL, NULL, 0, 0},
        {"verbose", OPTION_FLAG, &place->verbose, NULL, NULL, 0, 0},
    };
    const int n_common = line->place ? (int)CT_COUNT(common) : 1;
    option_row *rows = ct_alloc_array(NULL, (size_t)(line->n_rows + n_common), sizeof *rows);
    if (!rows) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %d options", line->n_rows + n_common);
    }
    for (int i = 0; i < line->n_rows + n_common; i++) {
        rows[i] = i < line->n_rows ? line->rows[i] : common[i - line->n_rows];
    }
    const int result = read_options(line, rows, line->n_rows + n_common, argc, argv, help);
    ct_release(NULL, rows);
    return result;
}

static int parse(command_line *line, int argc, char **argv, bool *help)
{
    const int read = parse_options(line, argc, argv, help);
    if (read != TOOL_DONE) {
        return read;
    }
    if (*help) {
        print_help(line);
        return TOOL_DONE;
    }
    line->words = argv + optind;
    line->n_words = argc - optind;
    if (line->problems) {
        const int taken = take_problems(line, argv + optind, argc - optind);
        if (taken != TOOL_DONE) {
            return taken;
        }
    }
    return check_words(line);
}

bool command_line_parse(command_line *line, int argc, char **argv, int *result)
{
    bool help = false;
    *result = parse(line, argc, argv, &help);
    if (*result == TOOL_DONE && !help) {
        return true;
    }
    command_line_release(line);
    return false;
}

void command_line_release(command_line *line)
{
    for (int i = 0; line->problems && i < line->n_words; i++) {
        ct_release(NULL, line->words[i]);
    }
    if (line->problems) {
        ct_release(NULL, line->words);
    }
    line->n_words = 0;
}

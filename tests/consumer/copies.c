/* A program with the shared library opens a plug-in that holds the static one (its path is the argument): two copies,
 * each with its own errors. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <clattn/clattn.h>

typedef const char *(*refusal)(const char *text);

static int expect(const char *whose, const char *detail, const char *word)
{
    if (!strstr(detail, word)) {
        fprintf(stderr, "copies: the detail of the %s is '%s', expected one of '%s'\n", whose, detail, word);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    clattn_problem problem;
    refusal refuse;
    void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
    if (!plugin) {
        fprintf(stderr, "copies: %s\n", argc == 2 ? dlerror() : "one plug-in, please");
        return 1;
    }
    *(void **)&refuse = dlsym(plugin, "plugin_refusal");
    if (clattn_problem_parse(&problem, "dense host=1") == CLATTN_OK) {
        fprintf(stderr, "copies: 'dense host=1' was taken\n");
        return 1;
    }
    int bad = expect("plug-in", refuse("dense guest=1"), "guest") + expect("program", clattn_error_detail(), "host");
    if (dlsym(plugin, "clattn_error_detail")) {
        fprintf(stderr, "copies: the plug-in exports clattn_error_detail\n");
        bad++;
    }
    dlclose(plugin);
    return bad != 0;
}

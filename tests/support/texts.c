#include "support/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "context/context.h"
#include "program/program.h"
#include "support/env.h"

static char dir[] = "/tmp/clattn-texts-XXXXXX";

static void write_text(const char *path, const void *text, size_t bytes)
{
    char full[512], command[600];
    snprintf(full, sizeof full, "%s/%s", dir, path);
    snprintf(command, sizeof command, "mkdir -p $(dirname %s)", full);
    assert_int_equal(system(command), 0);
    FILE *out = fopen(full, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, bytes, out), bytes);
    fclose(out);
}

void ct_texts_make(void)
{
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < ct_cl_file_count; i++) {
        write_text(ct_cl_files[i].path, ct_cl_files[i].text, ct_cl_files[i].length);
    }
}

int ct_texts_remove(void)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static size_t index_of(const char *path)
{
    size_t i = 0;
    while (i < ct_cl_file_count && strcmp(ct_cl_files[i].path, path) != 0) {
        i++;
    }
    assert_true(i < ct_cl_file_count);
    return i;
}

void ct_texts_break(const char *path)
{
    const char error[] = "#error refused on purpose\n";
    write_text(path, error, sizeof error - 1);
    (void)index_of(path);
}

void ct_texts_replace(const char *path, const char *by)
{
    const size_t i = index_of(by);
    write_text(path, ct_cl_files[i].text, ct_cl_files[i].length);
}

static void replace_by_file(const char *place, const char *file)
{
    static char text[1 << 16];
    char path[512];
    const char *source = getenv("CLATTN_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/%s", source ? source : ".", file);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    const size_t bytes = fread(text, 1, sizeof text, in);
    assert_true(bytes > 0 && bytes < sizeof text);
    fclose(in);
    write_text(place, text, bytes);
}

void ct_texts_emulate_warps(void)
{
    replace_by_file("tile/nv_warp.cl", "tests/tile/nv_warp_emulated.cl");
}

void ct_texts_emulate_amx(void)
{
    replace_by_file("tile/amx.cl", "tests/tile/amx_emulated.cl");
}

int ct_texts_emulate_setup(void **state, void (*emulate)(void), const char *why)
{
    const int status = ct_env_setup(state);
    if (status == 0 && !((const ct_env *)*state)->place.context->env.facts.cpu) {
        printf("a GPU: %s: skipped\n", why);
        exit(77);
    }
    ct_texts_make();
    emulate();
    return status;
}

int ct_texts_emulate_teardown(void **state)
{
    return ct_env_teardown(state) + ct_texts_remove();
}

void ct_texts_use(bool use)
{
    if (use) {
        setenv("CLATTN_CL_DIR", dir, 1);
    } else {
        unsetenv("CLATTN_CL_DIR");
    }
}

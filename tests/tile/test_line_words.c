/* Every word of cl/tile/line.cl on every tile the device can run, in three dimensions and folded into one, a line a
 * group and several, against plain C in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tile/tiles.h"
#include "harness/storage.h"
#include "support/env.h"
#include "support/tiny.h"

static const char kernel_text[] =
    "typedef struct { long pitch; int width, spare; } args;\n"
    "LINE_KERNEL void words(BUFFER(const float, x), BUFFER(const elem, e), BUFFER(float, y), BUFFER(out_elem, z), "
    "BUFFER(float, sums), const args a) {\n"
    "    line t;\n"
    "    LINE_BEGIN(&t);\n"
    "    const line_place place = LINE_PLACE(3, 2);\n"
    "    const long at = place.at;\n"
    "    const __global float *p = AT(x) + at * a.pitch;\n"
    "    const __global elem *q = AT(e) + at * a.pitch;\n"
    "    VF total = (VF)(0.0f), top = (VF)(-INFINITY), seen[VISITS(WIDE)];\n"
    "    EACH_COL(c, a.width) {\n"
    "        const VF v = get(p, c, a.width), n = get_elem(q, c, a.width);\n"
    "        const VI exists = COL(c) < a.width;\n"
    "        seen[VISIT(c)] = n;\n"
    "        total += v;\n" /* past the width: 0 */
    "        top = vmax(top, pick(exists, v, (VF)(-INFINITY)));\n"
    "        put(AT(y) + at * a.pitch, c, a.width, vexp2(v) + vtanh(n) + vlog(vabs(v) + 1.0f) + vexp(n) + "
    "get_apart(p, c, (a.width + 1) / 2, 2) + TO_VF(COL(c) + ((BITS(n) >> 31) & (VI)(1))));\n"
    "    }\n"
    "    const float sum = line_sum(&t, total), most = line_max(&t, top);\n"
    "    EACH_COL(c, a.width) put_elem(AT(z) + at * a.pitch, c, a.width, seen[VISIT(c)] * 2.0f);\n"
    "    if (ONCE(&t) && !place.past) { AT(sums)[2 * at] += sum; AT(sums)[2 * at + 1] += most; }\n"
    "}\n";

enum { LINES = 12, WIDE = 150, PITCH = 157, COUNT = LINES * PITCH };
typedef struct args {
    cl_long pitch;
    cl_int width, spare;
} args;
static const clattn_dtype dtypes[] = {CLATTN_F32, CLATTN_F16, CLATTN_BF16};

/* What lies in the tail between two lines must stay NaN. */
static void near(const tiny *t, const char *what, int i, int width, double got, double good, double tolerance)
{
    if (i % PITCH >= width ? !isnan(got) : !(fabs(got - good) <= tolerance)) {
        fail_msg("%s, %s: line %d, column %d of %d is %g, not %g", t->tile->name, what, i / PITCH, i % PITCH, width,
                 got, good);
    }
}

/* Groups of so many lines, of so many items each, so many of them beside each other, that visit eight columns at a
 * time; 0: the tile's own. */
typedef struct several {
    int lines, items, beside;
} several;

static void check_width(tiny *t, int width, int store, bool folded, several rows)
{
    static float x[COUNT], y[COUNT], sums[2 * LINES];
    static unsigned char e[4 * COUNT], z[4 * COUNT];
    static double n[COUNT];
    const clattn_dtype dtype = dtypes[store];
    const char *const parts[3] = {"tile/line.cl", t->tile->lines, NULL};
    const int items = rows.lines ? rows.items : t->tile->line_items, at_once = rows.lines ? rows.lines : 1;
    const ct_define defines[] = {{"STORE", store},
                                 {"OUT", store},
                                 {"WIDE", WIDE},
                                 {"LINE_ITEMS", items},
                                 {"LINES", at_once},
                                 {"LINE_VECTOR", 8},
                                 {"LINE_BESIDE", rows.beside}};
    const size_t n_defines = rows.lines ? CT_COUNT(defines) : t->tile->line_items > 1 ? 4 : 3;
    const ct_define fold[] = {{"FOLD", 1}};
    uint32_t seed = (uint32_t)width;
    memset(e, 0xff, sizeof e);
    memset(z, 0xff, sizeof z);
    memset(x, 0xff, sizeof x);
    memset(y, 0xff, sizeof y);
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < COUNT; i++) {
        if (i % PITCH < width) {
            x[i] = (float)(3 * tiny_number(&seed));
            n[i] = ct_storage_round(dtype, tiny_number(&seed));
            ct_storage_write(dtype, e, i, n[i]);
        }
    }
    tiny_build(t, parts, defines, n_defines, fold, folded, kernel_text);
    const cl_mem mems[] = {tiny_buffer(t, sizeof x, x), tiny_buffer(t, sizeof e, e), tiny_buffer(t, sizeof y, y),
                           tiny_buffer(t, sizeof z, z), tiny_buffer(t, sizeof sums, sums)};
    const args a = {.pitch = PITCH, .width = width};
    tiny_run(t, mems, CT_COUNT(mems), &a, sizeof a, (size_t)(items * at_once), (size_t)(2 + at_once) / (size_t)at_once,
             2, 2, folded);
    tiny_read(t, mems[2], sizeof y, y);
    tiny_read(t, mems[3], sizeof z, z);
    tiny_read(t, mems[4], sizeof sums, sums);
    for (int i = 0; i < COUNT; i++) {
        const int column = i % PITCH;
        const double apart = column < (width + 1) / 2 ? (double)x[i + column] : 0, v = (double)x[i],
                     want = apart + exp2(v) + tanh(n[i]) + log(fabs(v) + 1) + exp(n[i]) + i % PITCH + (n[i] < 0);
        near(t, "put", i, width, (double)y[i], want, 2e-5 + 2e-7 * fabs(want));
        near(t, "put_elem", i, width, ct_storage_read(dtype, z, i), 2 * n[i], 0);
    }
    for (int line = 0; line < LINES; line++) {
        double sum = 0, most = -INFINITY;
        for (int i = line * PITCH; i < line * PITCH + width; i++) {
            sum += (double)x[i];
            most = fmax(most, (double)x[i]);
        }
        assert_true(fabs((double)sums[2 * line] - sum) <= 1e-4); /* added once: ONCE */
        assert_true((double)sums[2 * line + 1] == most);
    }
    tiny_release(t, mems, CT_COUNT(mems));
}

static void every_word(void **state)
{
    tiny t = {.env = *state};
    for (int i = 0; i < ct_tile_count; i++) {
        t.tile = &ct_tiles[i];
        if (!tiny_usable(&t, i)) {
            continue;
        }
        const several one = {0}, two = {2, 16, 16}, four = {4, 4, 4}, beside = {2, 8, 2};
        check_width(&t, WIDE, 0, false, one);
        check_width(&t, 1, 1, true, one);
        check_width(&t, 64, 2, true, one);
        check_width(&t, 47, 1, false, one);
        if (t.tile->row_items) {
            check_width(&t, WIDE, 0, false, two);
            check_width(&t, 47, 1, true, two);
            check_width(&t, 64, 2, false, four);
            check_width(&t, 47, 1, false, four);
            check_width(&t, WIDE, 0, true, four);
            check_width(&t, 47, 2, false, beside);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_word)};
    return cmocka_run_group_tests_name("line words", tests, ct_env_setup, ct_env_teardown);
}

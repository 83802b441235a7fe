/* The order of items (item_of in cl/tile/tile.cl), in three dimensions and folded into one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/env.h"
#include "support/tiny.h"

static const char kernel_text[] = "typedef struct { int rows, heads, parts, crowd; } args;\n"
                                  "__kernel void words(BUFFER(int, y), const args a) {\n"
                                  "    EACH_ITEM(0, at, 0, a.rows, a.heads, a.parts, a.crowd,\n"
                                  "        vstore4((int4)(at.row, at.head, at.part, 1), (GROUP(2) * GROUPS(1) + "
                                  "GROUP(1)) * GROUPS(0) + GROUP(0), AT(y)))\n"
                                  "}\n";

enum { ROWS = 4, HEADS = 6, ITEMS = ROWS * HEADS };
typedef struct args {
    cl_int rows, heads, parts, crowd;
} args;
typedef struct item {
    cl_int row, head, part, set;
} item;

/* Every item once; a part after another, a crowd after another, then rows (the last ones first where they are the heavy
 * ones), then heads. */
static void check_order(const item *x, int parts, int crowd)
{
    const int turns = crowd ? crowd : 1;
    bool seen[2 * ITEMS] = {false};
    int before = -1;
    for (int i = 0; i < ITEMS * parts; i++) {
        assert_int_equal(x[i].set, 1);
        assert_true(x[i].row >= 0 && x[i].row < ROWS && x[i].head >= 0 && x[i].head < HEADS && x[i].part >= 0 &&
                    x[i].part < parts);
        const int number = (x[i].part * HEADS + x[i].head) * ROWS + x[i].row,
                  row = crowd ? ROWS - 1 - x[i].row : x[i].row;
        const int place = ((x[i].part * HEADS + x[i].head / turns) * ROWS + row) * HEADS + x[i].head % turns;
        assert_false(seen[number]);
        seen[number] = true;
        assert_true(place > before);
        before = place;
    }
}

static void check(tiny *t, int parts, int crowd, bool folded)
{
    static item x[2 * ITEMS];
    const char *const texts[] = {NULL};
    const size_t across = (size_t)(crowd ? crowd : ROWS), down = crowd ? ROWS : HEADS,
                 deep = (size_t)(crowd ? HEADS / crowd : parts);
    const ct_define defines[] = {{"HEAVY_LAST", crowd > 0}}, fold[] = {{"FOLD", 1}};
    const args a = {ROWS, HEADS, parts, crowd};
    memset(x, 0xff, sizeof x);
    tiny_build(t, texts, defines, CT_COUNT(defines), fold, folded, kernel_text);
    const cl_mem mem = tiny_buffer(t, sizeof x, x);
    tiny_run(t, &mem, 1, &a, sizeof a, 1, across, down, deep, folded);
    tiny_read(t, mem, sizeof x, x);
    check_order(x, parts, crowd);
    tiny_release(t, &mem, 1);
}

static void every_crowd(void **state)
{
    tiny t = {.env = *state, .tile = &ct_tiles[ct_tile_count - 1]};
    for (int folded = 0; folded < 2; folded++) {
        check(&t, 2, 0, folded);
        for (int crowd = 1; crowd <= HEADS; crowd++) {
            if (HEADS % crowd == 0) {
                check(&t, 1, crowd, folded);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_crowd)};
    return cmocka_run_group_tests_name("items", tests, ct_env_setup, ct_env_teardown);
}

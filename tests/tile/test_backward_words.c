/* The words of cl/tile/tile.cl that only passes backwards use, on every tile that has them, against plain C: widths of
 * which not all columns exist, values of columns, tiles of pairs that leave, the next head's rows, and, on tiles whose
 * groups may do a whole head, the product by columns. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/env.h"
#include "support/tiny.h"

/* z = a b'^T + column (b': head 0 in step 0, head 1 in step 1), twice added; o = (z of step 1) b'; y += z^T a. */
static const char kernel_text[] =
    "#define STREAMS 1\n"
    "#define STORE_a STORE_q\n"
    "#define STORE_b STORE_0\n"
    "#define WIDTH(s) DK\n"
    "#define FIRST_READ(s) FRONT\n"
    "#define LAST_READ(s) BACK\n"
    "#undef COLUMNS\n"
    "#define COLUMNS(s) WIDTH_K\n"
    "typedef struct { strides a, b; int rows, cols, pitch, sums; } args;\n"
    "typedef struct { tile t; held h; acc_pair s; op_pair p; acc_head o; tensor a, b; tensor_out y;\n"
    "#ifdef GATHER\n"
    "    acc_share w;\n"
    "#endif\n"
    "} frame;\n"
    "TILE_KERNEL void words(TENSOR(a), TENSOR(b), BUFFER(const float, column), BUFFER(float, z), BUFFER(out_elem, o), "
    "BUFFER(float, y), BUFFER(const uchar, bytes), const args w) {\n"
    "    frame f;\n"
    "    TILE_BEGIN(&f.t);\n"
    "    held_at(&f.t, &f.h, 0);\n"
    "    f.a = tensor_view(STORE_a, TENSOR_AT(a), &w.a, 0, 0, 0, w.rows);\n"
    "    f.b = tensor_view(STORE_b, TENSOR_AT(b), &w.b, 0, 0, 0, w.cols);\n"
    "    f.y = out_view(AT(o), &w.a, 0, 0, 0, w.rows);\n"
    "    held_load(&f.t, &f.h, &f.a, 0, WIDTH_K);\n"
    "    held_wait(&f.t);\n"
    "#ifdef GATHER\n"
    "    held_hide(&f.t, &f.h, AT(bytes), w.rows);\n"
    "#endif\n"
    "    acc_zero(&f.o);\n"
    "    for (int j = 0; j < 2; j++) {\n"
    "        tensor b = f.b;\n"
    "        tensor_ahead(&b, j);\n"
    "        stream_load(&f.t, 0, j, &b, 0);\n"
    "        stream_wait(&f.t, 0, j);\n"
    "        mma_abt(&f.t, &f.s, &f.h, 0, j);\n"
    "        EACH_PAIR(i) f.s.x[i] += at_column(&f.t, AT(column), i, w.cols);\n"
    "        pair_leave(&f.t, &f.s, AT(z), w.pitch, w.rows, w.cols);\n"
    "        EACH_PAIR(i) f.s.x[i] = pick(COL_AT(&f.t, i) < w.cols, f.s.x[i], (VF)(0.0f));\n"
    "        convert(&f.p, &f.s);\n"
    "        mma_ab(&f.t, &f.o, &f.p, 0, j);\n"
    "#ifdef GATHER\n"
    "        mma_gather(&f.t, &f.w, &f.p, &f.h, w.rows);\n"
    "        acc_leave(&f.t, &f.w, AT(y), w.sums, w.cols);\n"
    "#endif\n"
    "    }\n"
    "    acc_store(&f.t, &f.y, 0, &f.o, WIDTH_K);\n"
    "}\n";

typedef struct args {
    int64_t a[3], b[3];
    int32_t rows, cols, pitch, sums;
} args;

enum { MOST = 128, HEADS = 2 };
typedef struct shape {
    int d, width, rows, cols; /* of the tile; columns, rows and columns of pairs that exist */
} shape;
static const shape shapes[] = {{16, 16, 16, 16}, {40, 21, 37, 29}, {64, 64, 64, 50}, {36, 36, 5, 64}};

typedef struct numbers {
    float a[MOST * MOST], b[HEADS * MOST * MOST], column[MOST], z[MOST * MOST], o[MOST * MOST], y[MOST * MOST];
    unsigned char bytes[MOST];
} numbers;

static float drawn(uint32_t *seed)
{
    return (float)tiny_number(seed);
}

static void draw(numbers *n, const shape *s)
{
    uint32_t seed = 9;
    memset(n, 0xff, sizeof *n); /* NaN, where nothing is */
    for (int i = 0; i < s->rows * s->width; i++) {
        n->a[i] = drawn(&seed);
    }
    for (int i = 0; i < HEADS * s->cols * s->width; i++) {
        n->b[i] = drawn(&seed);
    }
    for (int i = 0; i < MOST; i++) {
        n->column[i] = i < s->cols ? drawn(&seed) : NAN;
        n->bytes[i] = i % 5 != 2;
    }
    for (int i = 0; i < MOST * MOST; i++) {
        n->z[i] = drawn(&seed);
        n->y[i] = drawn(&seed);
    }
}

static void want(const numbers *n, const shape *s, numbers *w)
{
    *w = *n;
    memset(w->o, 0, sizeof w->o);
    for (int j = 0; j < HEADS; j++) {
        const float *b = n->b + j * s->cols * s->width;
        for (int r = 0; r < s->rows; r++) {
            for (int c = 0; c < s->cols; c++) {
                double x = (double)n->column[c];
                for (int d = 0; d < s->width; d++) {
                    x += (double)n->a[r * s->width + d] * (double)b[c * s->width + d];
                }
                w->z[r * MOST + c] += (float)x;
                for (int d = 0; d < s->width; d++) {
                    w->o[r * s->width + d] += (float)(x * (double)b[c * s->width + d]);
                    w->y[c * MOST + d] += n->bytes[r] ? (float)(x * (double)n->a[r * s->width + d]) : 0.0f;
                }
            }
        }
    }
}

/* `shown`: rows whose byte is 0 may hold anything. */
static void near(const tiny *t, const char *what, const float *got, const float *good, const unsigned char *shown,
                 int rows, int pitch, int width)
{
    for (int r = 0; r < rows; r++) {
        for (int d = 0; d < width && (!shown || shown[r]); d++) {
            const double a = (double)got[r * pitch + d], b = (double)good[r * pitch + d];
            if (!(fabs(a - b) <= 1e-4)) {
                fail_msg("%s, %s: row %d, column %d is %g, not %g", t->tile->name, what, r, d, a, b);
            }
        }
    }
}

static void check_shape(tiny *t, const shape *whole, cl_uint vector)
{
    static numbers n, good;
    char why[256] = "";
    ct_shape tiles = {0};
    ct_device_facts facts = t->env->place.context->env.facts;
    shape fits = *whole;
    const shape *s = &fits;
    const ct_shape_wish wish = {.nq = 64,
                                .nk = 64,
                                .dk = s->d,
                                .dv = s->d,
                                .pack = 1,
                                .dtype = CLATTN_F32,
                                .backward = true,
                                .turned = true,
                                .aligned = s->width % 4 ? 1 : 4};
    facts.vector = vector ? vector : facts.vector;
    assert_true(t->tile->shape(&facts, &wish, &tiles, why, sizeof why));
    assert_true(tiles.gathers || t->tile->ptx_target || strcmp(t->tile->name, "nv_mma") == 0);
    fits.rows = (int)ct_min(s->rows, tiles.bm);
    fits.cols = (int)ct_min(s->cols, tiles.bn);
    const ct_define defines[] = {{"BM", tiles.bm}, {"BN", tiles.bn},     {"DK", s->d},          {"DV", s->d},
                                 {"BY_KEYS", 1},   {"COLS", tiles.cols}, {"WIDTH_K", s->width}, {"GATHER", 1}};
    tiny_build(t, t->tile->rows, defines, CT_COUNT(defines) - !tiles.gathers, tiles.extra, (size_t)tiles.n_extra,
               kernel_text);
    draw(&n, s);
    want(&n, s, &good);
    const cl_mem mems[] = {tiny_buffer(t, sizeof n.a, n.a),           tiny_buffer(t, sizeof n.b, n.b),
                           tiny_buffer(t, sizeof n.column, n.column), tiny_buffer(t, sizeof n.z, n.z),
                           tiny_buffer(t, sizeof n.o, n.o),           tiny_buffer(t, sizeof n.y, n.y),
                           tiny_buffer(t, sizeof n.bytes, n.bytes)};
    const args a = {.a = {0, 0, s->width},
                    .b = {0, s->cols * s->width, s->width},
                    .rows = s->rows,
                    .cols = s->cols,
                    .pitch = MOST,
                    .sums = MOST};
    tiny_run(t, mems, CT_COUNT(mems), &a, sizeof a, (size_t)tiles.items, 1, 1, 1, false);
    tiny_read(t, mems[3], sizeof n.z, n.z);
    tiny_read(t, mems[4], sizeof n.o, n.o);
    tiny_read(t, mems[5], sizeof n.y, n.y);
    const unsigned char *shown = tiles.gathers ? n.bytes : NULL;
    near(t, "pair_leave", n.z, good.z, shown, MOST, MOST, MOST);
    near(t, "mma_ab", n.o, good.o, shown, s->rows, s->width, s->width);
    if (tiles.gathers) {
        near(t, "acc_leave", n.y, good.y, NULL, s->cols, MOST, s->width);
        near(t, "acc_leave, behind its rows", n.y + s->cols * MOST, good.y + s->cols * MOST, NULL, MOST - s->cols, MOST,
             MOST);
    }
    tiny_release(t, mems, CT_COUNT(mems));
}

static void every_word(void **state)
{
    tiny t = {.env = *state};
    int ran = 0;
    for (int i = 0; i < ct_tile_count; i++) {
        t.tile = &ct_tiles[i];
        const bool cpu = strcmp(t.tile->name, "cpu") == 0;
        if (!t.tile->backward || !tiny_usable(&t, i)) {
            continue;
        }
        for (size_t k = 0; k < CT_COUNT(shapes); k++) {
            check_shape(&t, &shapes[k], cpu ? k % 2 ? 8 : 16 : 0); /* both sets of registers, whatever this CPU has */
        }
        ran++;
    }
    assert_true(ran > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_word)};
    return cmocka_run_group_tests_name("backward words", tests, ct_env_setup, ct_env_teardown);
}

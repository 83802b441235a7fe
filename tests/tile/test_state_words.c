/* Every word of cl/tile/state.cl on every tile the device can run, through one tiny kernel, against plain C in double.
 */
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

/* D_i: the running decay. o = D_i ((S q) + sum_(k <= i, REVERSED k >= i) D_k (q.k) v), S as it came in; S = S / 2
 * + sum_k D_k k v^T; o2 = D_i (S q). */
static const char kernel_text[] =
    "#define STREAMS 3\n"
    "#define HELDS 0\n"
    "#define WIDTH(s) ((s) == 2 ? DV : DK)\n"
    "typedef struct { strides q, k, v, o; int n, spare; } args;\n"
    "TILE_KERNEL void words(TENSOR(q), TENSOR(k), TENSOR(v), BUFFER(out_elem, o), BUFFER(out_elem, o2), BUFFER(const "
    "float, state_in),\n"
    "    BUFFER(float, state_out), BUFFER(const float, g), BUFFER(float, last), const args w) {\n"
    "    tile t; held h; acc_pair s; op_pair p; op_keys a; acc_head y; acc_state st; col whole, part, f; row d;\n"
    "    TILE_BEGIN(&t);\n"
    "    tensor x[3] = {tensor_view(STORE_q, TENSOR_AT(q), &w.q, 0, 0, 0, w.n),\n"
    "                   tensor_view(STORE_k, TENSOR_AT(k), &w.k, 0, 0, 0, w.n),\n"
    "                   tensor_view(STORE_v, TENSOR_AT(v), &w.v, 0, 0, 0, w.n)};\n"
    "    tensor_out to = out_view(AT(o), &w.o, 0, 0, 0, w.n), to2 = out_view(AT(o2), &w.o, 0, 0, 0, w.n);\n"
    "    for (int i = 0; i < 3; i++) tensor_begin(&t, &x[i]);\n"
    "    stream_load(&t, 0, 0, &x[0], 0); stream_load(&t, 1, 0, &x[1], 0); stream_load(&t, 2, 0, &x[2], 0);\n"
    "    state_load(&t, &st, state_in_base ? AT(state_in) : 0, DV);\n"
    "    state_publish(&t, &st);\n"
    "    stream_wait(&t, 0, 0); stream_wait(&t, 1, 0); stream_wait(&t, 2, 0);\n"
    "    rows_load(&t, &h, 0, 0);\n"
    "    col_sum(&t, &whole, &part, AT(g), w.n);\n"
    "    EACH_KEY(i) f.x[i] = vexp2(whole.x[i] + part.x[i]);\n"
    "    row_of_col(&t, &d, &f);\n"
    "    EACH_KEY(i) f.x[i] = pick(KEY_AT(&t, i) < w.n, f.x[i], (VF)(0.0f));\n"
    "    mma_abt_lower(&t, &s, &h, 1, 0);\n"
    "    EACH_LOWER(i) s.x[i] = pick((REVERSED ? COL_AT(&t, i) - ROW_AT(&t, i) : ROW_AT(&t, i) - COL_AT(&t, i)) >= 0, "
    "s.x[i] * f.x[KEY_OF(i)], (VF)(0.0f));\n"
    "    EACH_LOWER(i) s.x[i] *= d.x[ROW_OF(i)];\n"
    "    convert(&p, &s);\n"
    "    keys_load(&t, &a, 1, 0, &f);\n"
    "    state_scale(&st, 0.5f);\n"
    "    acc_bind(&y, &to, 0);\n"
    "    mma_state_ab_lower(&t, &y, &h, &st, &d, &p, 2, 0);\n"
    "    mma_atb(&t, &st, &a, 2, 0);\n"
    "    acc_store(&t, &to, 0, &y, DV);\n"
    "    state_publish(&t, &st);\n"
    "    acc_bind(&y, &to2, 0);\n"
    "    mma_state(&t, &y, &h, &st, &d);\n"
    "    acc_store(&t, &to2, 0, &y, DV);\n"
    "    state_store(&t, AT(state_out), DV, &st);\n"
    "    float_store(&t, AT(last), col_last(&t, &whole) + col_last(&t, &part));\n"
    "}\n";

typedef struct shape {
    int n, dk, dv, store, state, pad, reversed;
} shape;
static const shape shapes[] = {
    {16, 16, 16, 0, 1, 0, 0}, {13, 37, 20, 0, 1, 3, 0}, {16, 64, 64, 0, 0, 4, 0}, {11, 60, 12, 1, 1, 1, 0},
    {16, 24, 72, 2, 1, 0, 0}, {1, 1, 3, 0, 1, 5, 0},    {9, 128, 48, 0, 0, 4, 0}, {13, 37, 20, 0, 1, 3, 1},
};
static const clattn_dtype dtypes[] = {CLATTN_F32, CLATTN_F16, CLATTN_BF16};

typedef struct args {
    cl_long q[3], k[3], v[3], o[3];
    cl_int n, spare;
} args;

/* n rows of `width`, `pitch` apart, NaN between them. */
typedef struct rows {
    int n, width, pitch;
    clattn_dtype dtype;
    unsigned char raw[32 << 10];
    double x[16 * 128];
    cl_mem mem;
} rows;

static void rows_make(const tiny *t, rows *r, int n, int width, int pad, clattn_dtype dtype, uint32_t *seed)
{
    r->n = n;
    r->width = width;
    r->pitch = width + pad;
    r->dtype = dtype;
    memset(r->raw, 0xff, sizeof r->raw);
    for (int i = 0; seed && i < n * width; i++) {
        r->x[i] = ct_storage_round(dtype, tiny_number(seed));
        ct_storage_write(dtype, r->raw, i / width * r->pitch + i % width, r->x[i]);
    }
    r->mem = tiny_buffer(t, sizeof r->raw, r->raw);
}

static void rows_near(const tiny *t, rows *r, const double *want, const char *what)
{
    double size = 0;
    tiny_read(t, r->mem, sizeof r->raw, r->raw);
    for (int i = 0; i < r->n * r->width; i++) {
        size = fmax(size, fabs(want[i]));
    }
    for (int i = 0; i < r->n * r->pitch; i++) {
        const double got = ct_storage_read(r->dtype, r->raw, i);
        if (i % r->pitch >= r->width) {
            assert_true(isnan(got));
            continue;
        }
        const double good = want[i / r->pitch * r->width + i % r->pitch];
        if (!(fabs(got - good) <= 2e-6 * size + 0.51 * ct_storage_ulp(r->dtype, fabs(good)))) {
            fail_msg("%s, %s: row %d, column %d is %g, not %g", t->tile->name, what, i / r->pitch, i % r->pitch, got,
                     good);
        }
    }
}

static void expect(const shape *s, const rows *q, const rows *k, const rows *v, const double *g, double *state,
                   double *o, double *o2, double *last)
{
    double d[16], next[128 * 128];
    *last = 0;
    for (int i = 0; i < s->n; i++) {
        *last += g[i] * 1.4426950408889634;
        d[i] = exp2(*last);
    }
    for (int i = 0; i < s->n; i++) {
        for (int e = 0; e < s->dv; e++) {
            double sum = 0;
            for (int c = 0; c < s->dk; c++) {
                sum += q->x[i * s->dk + c] * state[c * s->dv + e];
            }
            for (int j = s->reversed ? i : 0; j <= (s->reversed ? s->n - 1 : i); j++) {
                double x = 0;
                for (int c = 0; c < s->dk; c++) {
                    x += q->x[i * s->dk + c] * k->x[j * s->dk + c];
                }
                sum += d[j] * x * v->x[j * s->dv + e];
            }
            o[i * s->dv + e] = d[i] * sum;
        }
    }
    for (int c = 0; c < s->dk * s->dv; c++) {
        next[c] = state[c] / 2;
        for (int j = 0; j < s->n; j++) {
            next[c] += d[j] * k->x[j * s->dk + c / s->dv] * v->x[j * s->dv + c % s->dv];
        }
    }
    memcpy(state, next, (size_t)(s->dk * s->dv) * sizeof *state);
    for (int i = 0; i < s->n * s->dv; i++) {
        o2[i] = 0;
        for (int c = 0; c < s->dk; c++) {
            o2[i] += d[i / s->dv] * q->x[i / s->dv * s->dk + c] * state[c * s->dv + i % s->dv];
        }
    }
}

static void check_shape(tiny *t, const shape *s)
{
    static rows q, k, v, o, o2;
    static double state[128 * 128], want[16 * 128], want2[16 * 128];
    static float floats[128 * 128];
    const clattn_dtype dtype = dtypes[s->store];
    const ct_shape_wish wish = {.nq = s->n,
                                .nk = s->n,
                                .block_q = 16,
                                .dk = s->dk,
                                .dv = s->dv,
                                .pack = 1,
                                .dtype = dtype,
                                .streams = 3,
                                .aligned = (s->dk | s->dv | s->pad) % 4 ? 1 : 4,
                                .float_state = true};
    ct_shape tiles = {0};
    char why[256] = "";
    uint32_t seed = 3;
    float decay[16], last = 0;
    double g[16], last_want;
    if (!t->tile->state_shape(&t->env->place.context->env.facts, &wish, &tiles, why, sizeof why)) {
        fail_msg("%s declines dqk %d, dv %d: %s", t->tile->name, s->dk, s->dv, why);
    }
    const ct_define defines[] = {
        {"BM", tiles.bm},  {"BN", tiles.bn},         {"DK", s->dk}, {"DV", s->dv}, {"STORE", s->store},
        {"OUT", s->store}, {"REVERSED", s->reversed}};
    tiny_build(t, t->tile->states, defines, CT_COUNT(defines), tiles.extra, (size_t)tiles.n_extra, kernel_text);
    rows_make(t, &q, s->n, s->dk, s->pad, dtype, &seed);
    rows_make(t, &k, s->n, s->dk, s->pad, dtype, &seed);
    rows_make(t, &v, s->n, s->dv, s->pad, dtype, &seed);
    rows_make(t, &o, s->n, s->dv, s->pad, dtype, NULL);
    rows_make(t, &o2, s->n, s->dv, s->pad, dtype, NULL);
    for (int i = 0; i < s->dk * s->dv; i++) {
        floats[i] = s->state ? (float)tiny_number(&seed) : 0.0f;
        state[i] = (double)floats[i];
    }
    for (int i = 0; i < s->n; i++) {
        decay[i] = (float)(-0.2 * fabs(tiny_number(&seed)));
        g[i] = (double)decay[i];
    }
    expect(s, &q, &k, &v, g, state, want, want2, &last_want);
    cl_mem in = s->state ? tiny_buffer(t, sizeof floats, floats) : NULL, gs = tiny_buffer(t, sizeof decay, decay);
    memset(floats, 0xff, sizeof floats);
    cl_mem out = tiny_buffer(t, sizeof floats, floats), lasts = tiny_buffer(t, sizeof last, &last);
    const cl_mem mems[] = {q.mem, k.mem, v.mem, o.mem, o2.mem, in, out, gs, lasts};
    const args a = {.q = {0, 0, q.pitch}, .k = {0, 0, k.pitch}, .v = {0, 0, v.pitch}, .o = {0, 0, o.pitch}, .n = s->n};
    tiny_run(t, mems, CT_COUNT(mems), &a, sizeof a, (size_t)tiles.items, 1, 1, (size_t)ct_max(tiles.parts, 1), false);
    rows_near(t, &o, want, "mma_state_ab_lower");
    rows_near(t, &o2, want2, "mma_state");
    tiny_read(t, out, sizeof floats, floats);
    tiny_read(t, lasts, sizeof last, &last);
    double size = 0;
    for (int i = 0; i < s->dk * s->dv; i++) {
        size = fmax(size, fabs(state[i]));
    }
    for (int i = 0; i < s->dk * s->dv; i++) {
        if (!(fabs((double)floats[i] - state[i]) <= 2e-6 * size)) {
            fail_msg("%s, state: row %d, column %d is %g, not %g", t->tile->name, i / s->dv, i % s->dv,
                     (double)floats[i], state[i]);
        }
    }
    assert_true(fabs((double)last - last_want) <= 2e-6 * fmax(1, fabs(last_want)));
    tiny_release(t, mems, CT_COUNT(mems));
}

static void every_word(void **state)
{
    tiny t = {.env = *state};
    int ran = 0;
    for (int i = 0; i < ct_tile_count; i++) {
        t.tile = &ct_tiles[i];
        if (t.tile->states[0] && !t.tile->tensors && tiny_usable(&t, i)) { /* those with tensor maps: ci/nv_model.sh */
            for (size_t k = 0; k < CT_COUNT(shapes); k++) {
                check_shape(&t, &shapes[k]);
            }
            ran++;
        }
    }
    assert_true(ran > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_word)};
    return cmocka_run_group_tests_name("state words", tests, ct_env_setup, ct_env_teardown);
}

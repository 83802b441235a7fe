/* Every word of cl/tile/tile.cl that attend stages use, on every tile the device can run, against plain C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tile/tiles.h"
#include "harness/storage.h"
#include "support/env.h"
#include "support/texts.h"
#include "support/tiny.h"

#include "words.h"

typedef struct shape {
    int bm, bn, dk, dv, store, out, pack;
    int tokens, keys, row0, key0; /* row0 in rows: tokens * pack */
    /* poisoned elements between rows; elements before the first, in front of every pointer */
    int pad, from;
    int mr, cx, ks, ps, aligned, whole; /* tile_simt; mr 0: it has no such shape */
    int b, c;                           /* 1 + another storage of the tensors behind the streams; 0: as `store` */
    bool mma;                           /* tile_nv_mma's turn: emulated warps take ten times as long to compile */
} shape;
/* clang-format off */
static const shape shapes[] = {
    {.bm = 32, .bn = 32, .dk = 16, .dv = 32, .pack = 1, .tokens = 64, .keys = 64,
     .mma = true, .mr = 4, .cx = 8, .ks = 8, .ps = 16, .aligned = 1},
    {.bm = 32, .bn = 32, .dk = 20, .dv = 12, .pack = 1, .tokens = 53, .keys = 45,
     .row0 = 32, .pad = 4, .mr = 8, .cx = 8, .ks = 8, .ps = 8, .aligned = 1},
    {.bm = 16, .bn = 48, .dk = 37, .dv = 45, .pack = 1, .tokens = 17, .keys = 77,
     .mma = true, .row0 = 16, .key0 = 3, .pad = 3, .mr = 4, .cx = 4, .ks = 4, .ps = 12},
    {.bm = 48, .bn = 16, .dk = 1, .dv = 3, .store = 1, .out = 1, .pack = 3, .tokens = 11, .keys = 19,
     .mma = true, .pad = 1, .mr = 8, .cx = 4, .ks = 16, .ps = 4},
    {.bm = 32, .bn = 32, .dk = 24, .dv = 8, .store = 1, .out = 2, .pack = 2, .tokens = 29, .keys = 33,
     .row0 = 32, .mr = 4, .cx = 4, .ks = 8, .ps = 32, .aligned = 1},
    {.bm = 16, .bn = 16, .dk = 33, .dv = 20, .store = 2, .out = 2, .pack = 8, .tokens = 2, .keys = 18,
     .mma = true, .pad = 5, .mr = 4, .cx = 4, .ks = 8, .ps = 8},
    {.bm = 24, .bn = 64, .dk = 40, .dv = 72, .store = 2, .pack = 1, .tokens = 24, .keys = 128,
     .mr = 4, .cx = 16, .ks = 16, .ps = 16, .aligned = 1},
    {.bm = 32, .bn = 64, .dk = 40, .dv = 36, .pack = 1, .tokens = 53, .keys = 99,
     .row0 = 8, .key0 = 3, .pad = 4, .mr = 4, .cx = 16, .ks = 16, .ps = 16, .aligned = 1},
    {.bm = 32, .bn = 48, .dk = 20, .dv = 28, .pack = 1, .tokens = 53, .keys = 77,
     .row0 = 8, .key0 = 3, .pad = 4, .mr = 8, .cx = 4, .ks = 8, .ps = 6, .aligned = 1, .whole = 1},
    {.bm = 16, .bn = 32, .dk = 37, .dv = 45, .store = 2, .out = 2, .pack = 2, .tokens = 13, .keys = 60,
     .pad = 3, .mr = 4, .cx = 8, .ks = 4, .ps = 8, .whole = 1},
    /* vectors of narrow storage at addresses that are multiples of 2 bytes and no more */
    {.bm = 32, .bn = 32, .dk = 60, .dv = 36, .store = 1, .out = 1, .pack = 1, .tokens = 40, .keys = 70, .row0 = 16,
     .mma = true, .key0 = 5,
     .pad = 3, .from = 1, .mr = 4, .cx = 8, .ks = 4, .ps = 8},
    {.bm = 16, .bn = 16, .dk = 60, .dv = 60, .store = 1, .out = 1, .pack = 1, .tokens = 21, .keys = 50, .pad = 2,
     .from = 3,
     .mr = 4, .cx = 4, .ks = 8, .ps = 8},
    {.bm = 32, .bn = 16, .dk = 34, .dv = 44, .store = 2, .out = 2, .pack = 2, .tokens = 19, .keys = 37, .row0 = 2,
     .mma = true, .key0 = 1,
     .pad = 4, .from = 1, .mr = 4, .cx = 4, .ks = 4, .ps = 8},
    /* wide rows, whole tiles and cut ones; a product with the identity */
    {.bm = 128, .bn = 64, .dk = 128, .dv = 64, .store = 2, .out = 2, .pack = 1, .tokens = 150, .keys = 140, .row0 = 16},
    {.bm = 80, .bn = 32, .dk = 32, .dv = 32, .store = 2, .pack = 1, .tokens = 80, .keys = 64, .pad = 8},
    {.bm = 48, .bn = 48, .dk = 97, .dv = 48, .store = 2, .pack = 1, .tokens = 61, .keys = 96, .row0 = 13, .pad = 1},
    {.bm = 48, .bn = 20, .dk = 66, .dv = 20, .store = 2, .pack = 1, .tokens = 48, .keys = 63, .pad = 1, .from = 5},
    /* few rows */
    {.bm = 1, .bn = 64, .dk = 64, .dv = 64, .pack = 1, .tokens = 1, .keys = 99, .row0 = 0, .pad = 4},
    {.bm = 3, .bn = 32, .dk = 60, .dv = 60, .store = 1, .out = 1, .pack = 1, .tokens = 3, .keys = 61, .pad = 1,
     .from = 1},
    {.bm = 6, .bn = 16, .dk = 40, .dv = 70, .store = 2, .out = 2, .pack = 3, .tokens = 2, .keys = 30, .pad = 3,
     .from = 1},
    {.bm = 10, .bn = 48, .dk = 17, .dv = 48, .store = 1, .pack = 1, .tokens = 9, .keys = 96, .row0 = 2, .from = 7},
    {.bm = 32, .bn = 32, .dk = 24, .dv = 12, .store = 0, .pack = 1, .tokens = 53, .keys = 45, .row0 = 16, .pad = 4,
     .mr = 8, .cx = 8, .ks = 8, .ps = 8, .aligned = 1, .b = 3, .c = 2},
    {.bm = 16, .bn = 48, .dk = 37, .dv = 45, .store = 2, .out = 1, .pack = 2, .tokens = 11, .keys = 77, .key0 = 3,
     .pad = 3, .from = 1, .mr = 4, .cx = 4, .ks = 4, .ps = 12, .b = 1, .c = 1},
    {.bm = 6, .bn = 16, .dk = 40, .dv = 70, .store = 1, .out = 2, .pack = 3, .tokens = 2, .keys = 30, .pad = 3,
     .b = 3, .c = 1},
};
/* clang-format on */

typedef struct text {
    const char *name, *file;
    bool (*runs)(const shape *);
    clattn_dtype operand; /* what the values of a pair are rounded to before the second product */
    double tolerance;     /* of products, relative to the largest result */
    bool emulated;        /* what it asks of a machine by name is emulated, see support/texts.h */
} text;

static cl_context cl;
static cl_device_id device;
static clattn_context *context;
static cl_command_queue queue;
static cl_device_type type;

static void *env_state; /* the group's own state would hide a test's */

static int setup(void **state)
{
    (void)state;
    const int st = ct_env_setup(&env_state);
    ct_texts_make();
    ct_texts_emulate_warps();
    ct_texts_emulate_amx();
    const ct_env *env = env_state;
    cl = env->place.cl;
    device = env->place.device;
    context = env->place.context;
    queue = env->queue;
    return st ? st : clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
}
static int teardown(void **state)
{
    (void)state;
    return ct_env_teardown(&env_state) + ct_texts_remove();
}

static bool runs_ref(const shape *s)
{
    return s != NULL;
}
static bool runs_simt(const shape *s)
{
    return s->mr > 0;
}
static bool runs_cpu(const shape *s)
{
    return (type & CL_DEVICE_TYPE_CPU) && s->bm % 16 == 0;
}
static bool runs_few(const shape *s)
{
    return (type & CL_DEVICE_TYPE_CPU) && s->bm <= 16 && s->bn % 16 == 0;
}
static bool runs_dots(const shape *s)
{
    return runs_cpu(s) && s->store == 2 && !s->b && !s->c && ct_dots_usable(context);
}
static bool fits_amx(const shape *s)
{
    return runs_cpu(s) && s->store == 2 && !s->b && !s->c && s->bn % 16 == 0;
}
static bool runs_amx(const shape *s)
{
    char why[CT_WHY_BYTES];
    return fits_amx(s) && ct_tile_usable(context, ct_tile_index("cpu_amx"), why);
}
/* Its warps are emulated: tests/tile/nv_warp_emulated.cl. */
static bool runs_mma(const shape *s)
{
    return runs_cpu(s) && s->mma;
}

static const text texts[] = {
    {"tile_ref", "tile/tile_ref.cl", runs_ref, CLATTN_F32, 1e-6, false},
    {"tile_cpu", "tile/tile_cpu.cl", runs_cpu, CLATTN_F32, 1e-6, false},
    {"tile_cpu_few", "tile/tile_cpu_few.cl", runs_few, CLATTN_F32, 1e-6, false},
    {"tile_cpu_dots", "tile/tile_cpu_dots.cl", runs_dots, CLATTN_BF16, 4e-3, false},
    {"tile_cpu_amx", "tile/tile_cpu_amx.cl", runs_amx, CLATTN_BF16, 4e-3, false},
    {"tile_cpu_amx, emulated", "tile/tile_cpu_amx.cl", fits_amx, CLATTN_BF16, 4e-3, true},
    {"tile_simt", "tile/tile_simt.cl", runs_simt, CLATTN_F32, 1e-6, false},
    {"tile_nv_mma", "tile/tile_nv_mma.cl", runs_mma, CLATTN_BF16, 4e-3, true},
};
static size_t items_of(const text *t, const shape *s)
{
    return t->runs == runs_simt ? (size_t)(s->bm / s->mr * s->cx) : t->runs == runs_mma ? (size_t)(s->bm * 2) : 1;
}

static cl_program build(const text *t, const shape *s)
{
    char *source = NULL, *options = NULL;
    const struct {
        const char *name;
        int value;
    } defines[] = {{"BM", s->bm},   {"BN", s->bn},           {"DK", s->dk},      {"DV", s->dv}, {"STORE", s->store},
                   {"OUT", s->out}, {"PACK", s->pack},       {"MR", s->mr},      {"CX", s->cx}, {"KS", s->ks},
                   {"PS", s->ps},   {"ALIGNED", s->aligned}, {"WHOLE", s->whole}};
    ct_program_spec spec = {.kernel = "products", .backend = t->name};
    ct_spec_part(&spec, "tile/tile.cl");
    ct_spec_part(&spec, t->file);
    for (size_t i = 0; i < CT_COUNT(defines) - (t->runs == runs_simt ? 0 : 6); i++) {
        ct_spec_define(&spec, defines[i].name, defines[i].value);
    }
    if (t->runs == runs_simt && (type & CL_DEVICE_TYPE_CPU)) {
        ct_spec_define(&spec, "WHOLE_EXP2", 1);
    }
    if (s->b || s->c) {
        ct_spec_define(&spec, "STORE_0", s->b - 1);
        ct_spec_define(&spec, "STORE_1", s->c - 1);
    }
    if (t->runs == runs_mma) {
        ct_spec_define(&spec, "ALIGNED",
                       s->aligned && s->from % 8 == 0 && s->pad % 8 == 0 && s->dk % 8 == 0 && s->dv % 8 == 0);
    }
    ct_texts_use(t->emulated);
    assert_int_equal(ct_program_source(NULL, &spec, &source, &options), CLATTN_OK);
    ct_texts_use(false);
    const char *parts[] = {source, "\n", words_frame, words_products, words_rows, s->dv == s->bn ? words_texts : ""};
    cl_int code;
    cl_program program = clCreateProgramWithSource(cl, CT_COUNT(parts), parts, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    code = clBuildProgram(program, 1, &device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        static char log[1 << 16];
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
        fail_msg("%s, %s: %.4000s", t->name, options, log);
    }
    free(source);
    free(options);
    return program;
}

/* heads x (1 + rows) rows of `width` behind `from` elements, one token in front that no view shows, NaN wherever no
 * element lies. */
typedef struct table {
    int heads, rows, width, from;
    int64_t strides[3];
    size_t count, bytes;
    clattn_dtype dtype;
    void *raw;
    double *x; /* [head][row][width], as stored */
    cl_mem mem;
} table;
static const clattn_dtype dtypes[] = {CLATTN_F32, CLATTN_F16, CLATTN_BF16};

static table table_make(int heads, int rows, int width, int pad, int from, int store)
{
    table t = {.heads = heads, .rows = rows, .width = width, .from = from, .dtype = dtypes[store]};
    t.strides[2] = width + pad;
    t.strides[1] = (rows + 2) * t.strides[2];
    t.strides[0] = heads * t.strides[1];
    t.count = (size_t)(from + t.strides[0] + 64);
    t.bytes = t.count * clattn_dtype_size(t.dtype);
    t.raw = malloc(t.bytes);
    t.x = calloc((size_t)(heads * rows * width), sizeof *t.x);
    memset(t.raw, 0xff, t.bytes);
    return t;
}
static int64_t place(const table *t, int head, int row, int d)
{
    return t->from + head * t->strides[1] + (row + 1) * t->strides[2] + d;
}
static void table_fill(table *t, uint32_t *seed)
{
    for (int i = 0; i < t->heads * t->rows * t->width; i++) {
        const int d = i % t->width, row = i / t->width % t->rows, head = i / t->width / t->rows;
        t->x[i] = ct_storage_round(t->dtype, tiny_number(seed));
        ct_storage_write(t->dtype, t->raw, place(t, head, row, d), t->x[i]);
    }
}
static void table_send(table *t)
{
    cl_int code;
    t->mem = clCreateBuffer(cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, t->bytes, t->raw, &code);
    assert_int_equal(code, CL_SUCCESS);
}
static void table_read(table *t)
{
    assert_int_equal(clEnqueueReadBuffer(queue, t->mem, CL_TRUE, 0, t->bytes, t->raw, 0, NULL, NULL), CL_SUCCESS);
}
static void table_release(table *t)
{
    clReleaseMemObject(t->mem);
    free(t->raw);
    free(t->x);
}
/* Row r of a packed view: token r / pack of head r % pack. */
static const double *packed(const table *t, int r)
{
    return t->x + (r % t->heads * t->rows + r / t->heads) * t->width;
}

/* What was read back: `want` in rows first ... end-1 within `tolerance`, and no byte touched elsewhere. */
static void compare(const table *t, const double *want, int first, int end, double tolerance, const text *of,
                    const char *what)
{
    unsigned char *touched = calloc(t->count, 1);
    double size = 0.0;
    for (int i = first * t->width; i < end * t->width; i++) {
        size = fmax(size, fabs(want[i]));
    }
    for (int r = first; r < end; r++) {
        for (int d = 0; d < t->width; d++) {
            const int64_t at = place(t, r % t->heads, r / t->heads, d);
            const double got = ct_storage_read(t->dtype, t->raw, at), good = want[r * t->width + d];
            touched[at] = 1;
            const double ulp = fmax(ct_storage_ulp(t->dtype, fabs(good)), ct_storage_ulp(of->operand, fabs(good)));
            if (!(fabs(got - good) <= tolerance * size + 0.51 * ulp)) {
                fail_msg("%s, %s: row %d, column %d is %g, not %g", of->name, what, r, d, got, good);
            }
        }
    }
    const size_t element = t->bytes / t->count;
    for (size_t i = 0; i < t->bytes; i++) {
        if (!touched[i / element] && ((const unsigned char *)t->raw)[i] != 0xff) {
            fail_msg("%s, %s: element %zu was written, which is no existing row's", of->name, what, i / element);
        }
    }
    free(touched);
}

typedef struct buffer {
    cl_mem mem;
    cl_long from;
} buffer;
static buffer whole(const table *t)
{
    return (buffer){t->mem, t->from};
}

static void run(cl_program program, const char *name, size_t items, const buffer *buffers, int count, const words *w)
{
    cl_int code;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    assert_int_equal(code, CL_SUCCESS);
    for (int i = 0; i < count; i++) {
        assert_int_equal(clSetKernelArg(kernel, (cl_uint)(2 * i), sizeof buffers[i].mem, &buffers[i].mem), CL_SUCCESS);
        assert_int_equal(clSetKernelArg(kernel, (cl_uint)(2 * i + 1), sizeof buffers[i].from, &buffers[i].from),
                         CL_SUCCESS);
    }
    assert_int_equal(clSetKernelArg(kernel, (cl_uint)(2 * count), sizeof *w, w), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL), CL_SUCCESS);
    assert_int_equal(clFinish(queue), CL_SUCCESS);
    clReleaseKernel(kernel);
}

/* the tables of a case: held rows, tiles of both streams */
typedef struct inputs {
    table a, b, c;
    words w;
    int rows, end; /* rows of the view; the tile's own end */
} inputs;
static inputs inputs_make(const shape *s)
{
    uint32_t seed = 7;
    inputs in = {.a = table_make(s->pack, s->tokens, s->dk, s->pad, s->from, s->store),
                 .b = table_make(1, s->keys, s->dk, s->pad, s->from, s->b ? s->b - 1 : s->store),
                 .c = table_make(1, s->keys, s->dv, s->pad, s->from, s->c ? s->c - 1 : s->store)};
    table *const all[] = {&in.a, &in.b, &in.c};
    for (int i = 0; i < 3; i++) {
        table_fill(all[i], &seed);
        table_send(all[i]);
    }
    in.rows = s->tokens * s->pack;
    in.end = in.rows < s->row0 + s->bm ? in.rows : s->row0 + s->bm;
    in.w = (words){.first = 1, .row0 = s->row0, .rows = in.rows, .key0 = s->key0, .keys = s->keys};
    memcpy(in.w.a, in.a.strides, sizeof in.w.a);
    memcpy(in.w.b, in.b.strides, sizeof in.w.b);
    memcpy(in.w.c, in.c.strides, sizeof in.w.c);
    return in;
}
static void inputs_release(inputs *in)
{
    table_release(&in->a);
    table_release(&in->b);
    table_release(&in->c);
}
static double dot(const inputs *in, int row, int key)
{
    double sum = 0.0;
    for (int d = 0; d < in->a.width; d++) {
        sum += packed(&in->a, row)[d] * in->b.x[key * in->b.width + d];
    }
    return sum;
}

static void products_want(const shape *s, const inputs *in, const table *e, const table *added, double *want)
{
    for (int r = s->row0; r < in->end; r++) {
        double *o = want + r * s->dv, f = 1.0;
        for (int j = 0; j < 2; j++) {
            f = (r - s->row0) * 0.25 + 0.5 * (j + 1);
            for (int d = 0; d < s->dv; d++) {
                o[d] *= f;
            }
            for (int key = s->key0 + j * s->bn; key < s->key0 + (j + 1) * s->bn && key < s->keys; key++) {
                const double score = dot(in, r, key);
                for (int d = 0; d < s->dv; d++) {
                    o[d] += score * in->c.x[key * s->dv + d];
                }
            }
        }
        const double weight = packed(e, r)[0], *more = packed(added, r);
        for (int d = 0; d < s->dv; d++) {
            o[d] = o[d] * f + weight * more[d];
        }
    }
}

/* held and streams with ragged ends, strides, storage; both products, one of them turned ahead and beside visits, pick,
 * ROW_AT, ROW_NUMBER, COL_AT, row_scale, pair_put, convert_put, row_load, acc_add, stores; convert: check_text */
static void check_products(const text *t, const shape *s, cl_program program)
{
    inputs in = inputs_make(s);
    table y = table_make(s->pack, s->tokens, s->dv, s->pad, s->from, s->out);
    table e = table_make(s->pack, s->tokens, s->dv, 2, 0, 0), d = table_make(s->pack, s->tokens, s->dv, 2, 0, s->out);
    uint32_t seed = 5;
    double *want = calloc((size_t)(in.rows * s->dv), sizeof *want);
    table_fill(&e, &seed);
    table_fill(&d, &seed);
    table_send(&e);
    table_send(&d);
    table_send(&y);
    memcpy(in.w.y, y.strides, sizeof in.w.y);
    in.w.z_first = place(&e, 0, s->row0 / s->pack, 0);
    in.w.z_row = e.strides[2];
    in.w.z_pack = e.strides[1];
    run(program, "products", items_of(t, s),
        (buffer[]){whole(&in.a), whole(&in.b), whole(&in.c), whole(&y), whole(&e), whole(&d)}, 6, &in.w);
    table_read(&y);
    products_want(s, &in, &e, &d, want);
    compare(&y, want, s->row0, in.end, t->tolerance, t, "products");
    free(want);
    table_release(&d);
    table_release(&e);
    table_release(&y);
    inputs_release(&in);
}

/* fold_max, fold_sum, row_join_sum, row_once, row_keep, EACH_PAIR_BESIDE, row_store */
static void check_rows(const text *t, const shape *s, cl_program program)
{
    inputs in = inputs_make(s);
    table z = table_make(s->pack, s->tokens, 2, 0, 0, 0); /* the maximum, and the sum beside it */
    double *want = calloc((size_t)(in.rows * 2), sizeof *want);
    table_send(&z);
    in.w.z_first = place(&z, 0, s->row0 / s->pack, 0);
    in.w.z_row = z.strides[2];
    in.w.z_pack = z.strides[1];
    in.w.z_part = 1;
    run(program, "rows", items_of(t, s), (buffer[]){whole(&in.a), whole(&in.b), whole(&z)}, 3, &in.w);
    table_read(&z);
    for (int r = s->row0; r < in.end; r++) {
        want[2 * r] = -INFINITY;
        want[2 * r + 1] = 1.0;
        for (int key = s->key0; key < s->key0 + s->bn && key < s->keys; key++) {
            want[2 * r] = fmax(want[2 * r], dot(&in, r, key));
            want[2 * r + 1] += dot(&in, r, key);
        }
    }
    const bool rounded = s->store == 0 && t->operand != CLATTN_F32; /* floats as operands of fewer digits */
    compare(&z, want, s->row0, in.end, rounded ? 1e-3 : 1e-6, t, "rows");
    free(want);
    table_release(&z);
    inputs_release(&in);
}

static double text_want(int word, const double *g, const int *n, int pitch, int r, int c)
{
    const double x = g[r * pitch + c];
    switch (word) {
    case 0:
        return x;
    case 1:
        return n[r * pitch + c] & 0xff;
    case 2:
        return n[r * pitch + c];
    case 3:
        return exp2(x);
    case 4:
        return tanh(x);
    case 5:
        return log(fabs(x));
    case 8:
        return 1.5 * x;
    case 9:
        return exp2(x);
    case 6:
        return c > r ? fmax(x, c - r) : g[c];
    default:
        return g[r * pitch] - 2.0 * r;
    }
}
/* Size of the arguments, and the error allowed relative to the largest result; exp2 is a GPU tile's native one. */
static const struct {
    double size, tolerance;
} texts_limits[] = {{9, 0},    {9, 0},    {9, 0},    {4, 2e-6}, {9, 2e-6},
                    {9, 4e-7}, {9, 1e-7}, {9, 1e-7}, {9, 1e-7}, {4, 4e-6}};

static void check_text(const text *t, const shape *s, cl_program program, int word)
{
    uint32_t seed = 11;
    const int pitch = s->bn + 5, rows = s->bm > 3 ? s->bm - 3 : s->bm, count = s->bm * pitch;
    table c = table_make(1, s->bn, s->bn, 0, s->from, s->c ? s->c - 1 : s->store),
          y = table_make(1, rows, s->bn, 4, s->from, s->out);
    table g = table_make(1, 1, count, 0, 0, 0);
    int *n = calloc((size_t)count, sizeof *n);
    unsigned char *bytes = calloc((size_t)count, 1);
    double *want = calloc((size_t)(rows * s->bn), sizeof *want);
    for (int i = 0; i < count; i++) {
        g.x[i] = ct_storage_round(CLATTN_F32, tiny_number(&seed) * texts_limits[word].size);
        n[i] = (int)(tiny_number(&seed) * 1e6);
        bytes[i] = (unsigned char)n[i];
        ct_storage_write(CLATTN_F32, g.raw, i, g.x[i]);
    }
    if (word == 3 || word == 9) {
        ct_storage_write(CLATTN_F32, g.raw, 0, g.x[0] = -3e38); /* what becomes of a hidden score */
    }
    for (int i = 0; i < s->bn * s->bn; i++) {
        ct_storage_write(c.dtype, c.raw, place(&c, 0, i / s->bn, i % s->bn), i / s->bn == i % s->bn);
    }
    table *const all[] = {&c, &y, &g};
    for (int i = 0; i < 3; i++) {
        table_send(all[i]);
    }
    cl_int code;
    cl_mem nm = clCreateBuffer(cl, CL_MEM_COPY_HOST_PTR, (size_t)count * sizeof *n, n, &code);
    cl_mem bm = clCreateBuffer(cl, CL_MEM_COPY_HOST_PTR, (size_t)count, bytes, &code);
    words w = {.rows = rows, .pitch = pitch, .word = word};
    memcpy(w.c, c.strides, sizeof w.c);
    memcpy(w.y, y.strides, sizeof w.y);
    const buffer buffers[] = {whole(&c), whole(&y), whole(&g), {bm, 0}, {nm, 0}};
    run(program, "texts", items_of(t, s), buffers, 5, &w);
    table_read(&y);
    for (int i = 0; i < rows * s->bn; i++) {
        want[i] = text_want(word, g.x, n, pitch, i / s->bn, i % s->bn);
    }
    char what[16];
    snprintf(what, sizeof what, "word %d", word);
    compare(&y, want, 0, rows, texts_limits[word].tolerance, t, what);
    clReleaseMemObject(nm);
    clReleaseMemObject(bm);
    free(n);
    free(bytes);
    free(want);
    for (int i = 0; i < 3; i++) {
        table_release(all[i]);
    }
}

static void check_tile(const text *t)
{
    int ran = 0;
    for (size_t i = 0; i < CT_COUNT(shapes); i++) {
        const shape *s = &shapes[i];
        if (!t->runs(s)) {
            continue;
        }
        cl_program program = build(t, s);
        check_products(t, s, program);
        check_rows(t, s, program);
        for (int word = 0; s->dv == s->bn && word < (int)CT_COUNT(texts_limits); word++) {
            check_text(t, s, program, word);
        }
        clReleaseProgram(program);
        ran++;
    }
    if (!ran) {
        skip();
    }
}
static void every_word(void **state)
{
    check_tile(*state);
}

int main(void)
{
    struct CMUnitTest tests[CT_COUNT(texts)];
    for (size_t i = 0; i < CT_COUNT(texts); i++) {
        tests[i] = (struct CMUnitTest){texts[i].name, every_word, NULL, NULL, (void *)(uintptr_t)&texts[i]};
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Non-local means as attention: a pixel's new colour is the mean of the colours around it, weighted by exp(-|p - q|^2 /
 * h^2) of the patches p, q. |p - q|^2 = |q|^2 - 2 q.k + |k|^2; the first term is the same in a row of the softmax, the
 * last one goes into one more dimension: q' = (q, 1), k' = (k, -|k|^2 / 2), score = 2 / h^2 q'.k'. */
#include "demo.h"
#include "harness/random.h"
#include "png.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TILE = 8,
    REACH = 2,
    PATCH = (2 * REACH + 1) * (2 * REACH + 1) * 3,
    WIDTH = PATCH + 1,
    CROP = 96,
    MOST = 512,
    ROWS = 24
};
#define SIGMA     25.0 /* of the noise, in steps of 255 */
#define STRENGTH  0.45 /* h^2 over the square of the distance that noise alone makes */
#define TOLERANCE 2e-4 /* colours are 0 ... 1; scores are in the hundreds */

static const char *const photographs[] = {
    "/usr/share/matplotlib/mpl-data/sample_data/grace_hopper.jpg", /* Debian: python-matplotlib-data */
};

/* A picture of floats, 0 ... 1. */
typedef struct image {
    int width, height;
    float *rgb;
} image;

typedef struct outcome {
    double seconds, psnr, gflop, density, error, scale;
} outcome;

static clattn_status image_make(image *m, int width, int height)
{
    *m = (image){width, height, ct_alloc_array(NULL, (size_t)width * (size_t)height * 3, sizeof(float))};
    return m->rgb ? CLATTN_OK : ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for an image of %d x %d", width, height);
}

/* The middle of a picture, with both sides a multiple of a tile. */
static clattn_status image_from(image *m, const picture *p)
{
    const int width = (int)ct_min(p->width, MOST) / TILE * TILE, height = (int)ct_min(p->height, MOST) / TILE * TILE;
    const int left = (p->width - width) / 2, top = (p->height - height) / 2;
    if (width < CROP || height < CROP) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "a photograph of %d x %d pixels; at least %d x %d", p->width, p->height,
                       CROP, CROP);
    }
    const clattn_status st = image_make(m, width, height);
    for (int y = 0; st == CLATTN_OK && y < height; y++) {
        for (int x = 0; x < width * 3; x++) {
            m->rgb[(size_t)y * (size_t)width * 3 + (size_t)x] =
                (float)p->rgb[((size_t)(y + top) * (size_t)p->width + (size_t)left) * 3 + (size_t)x] / 255.0f;
        }
    }
    return st;
}

static clattn_status image_crop(image *m, const image *from)
{
    const int left = (from->width - CROP) / 2, top = (from->height - CROP) / 2;
    const clattn_status st = image_make(m, CROP, CROP);
    for (int y = 0; st == CLATTN_OK && y < CROP; y++) {
        memcpy(m->rgb + (size_t)y * CROP * 3, from->rgb + ((size_t)(y + top) * (size_t)from->width + (size_t)left) * 3,
               CROP * 3 * sizeof(float));
    }
    return st;
}

static int step_of(float value)
{
    const float v = value * 255.0f + 0.5f;
    return v <= 0 ? 0 : v >= 255 ? 255 : (int)v;
}

/* Peak signal-to-noise ratio of the 8-bit pictures. */
static double psnr(const image *a, const image *b)
{
    double sum = 0;
    const size_t count = (size_t)a->width * (size_t)a->height * 3;
    for (size_t i = 0; i < count; i++) {
        const double off = step_of(a->rgb[i]) - step_of(b->rgb[i]);
        sum += off * off;
    }
    return sum == 0 ? INFINITY : 10 * log10(255.0 * 255.0 / (sum / (double)count));
}

static clattn_status image_save(const image *m, const char *folder, const char *name)
{
    char path[4096];
    picture p = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    clattn_status st = picture_make(&p, m->width, m->height);
    if (st == CLATTN_OK) {
        for (size_t i = 0; i < (size_t)m->width * (size_t)m->height * 3; i++) {
            p.rgb[i] = (uint8_t)step_of(m->rgb[i]);
        }
        st = png_save(path, &p);
    }
    picture_release(&p);
    return st;
}

/* Where token t lies: tiles follow each other, and pixels in a tile. */
static void place_of(const image *m, int64_t t, int *y, int *x)
{
    const int64_t tile = t / (TILE * TILE), in = t % (TILE * TILE), across = m->width / TILE;
    *y = (int)(tile / across) * TILE + (int)in / TILE;
    *x = (int)(tile % across) * TILE + (int)in % TILE;
}

static int mirror(int i, int n)
{
    return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i;
}

static void fill_tokens(const image *m, float *q, float *k, float *v)
{
    const int64_t n = (int64_t)m->width * m->height;
    for (int64_t t = 0; t < n; t++) {
        int y, x, d = 0;
        double square = 0;
        place_of(m, t, &y, &x);
        for (int dy = -REACH; dy <= REACH; dy++) {
            for (int dx = -REACH; dx <= REACH; dx++) {
                const float *from =
                    m->rgb +
                    ((size_t)mirror(y + dy, m->height) * (size_t)m->width + (size_t)mirror(x + dx, m->width)) * 3;
                for (int c = 0; c < 3; c++, d++) {
                    /* around the middle grey: smaller norms, better rounding */
                    const float value = from[c] - 0.5f;
                    q[t * WIDTH + d] = k[t * WIDTH + d] = value;
                    square += (double)value * value;
                }
            }
        }
        q[t * WIDTH + PATCH] = 1;
        k[t * WIDTH + PATCH] = (float)(-0.5 * square);
        memcpy(v + t * 3, m->rgb + ((size_t)y * (size_t)m->width + (size_t)x) * 3, 3 * sizeof(float));
    }
}

static clattn_status give_tokens(runner *r, const image *noisy, int64_t n)
{
    clattn_status st = CLATTN_OK;
    float *q = ct_alloc_array(NULL, (size_t)n * WIDTH, sizeof *q),
          *k = ct_alloc_array(NULL, (size_t)n * WIDTH, sizeof *k);
    float *v = ct_alloc_array(NULL, (size_t)n * 3, sizeof *v);
    if (!q || !k || !v) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %lld tokens", (long long)n);
    }
    fill_tokens(noisy, q, k, v);
    CT_TRY(runner_give(r, CLATTN_Q, q, (size_t)n * WIDTH * sizeof *q));
    CT_TRY(runner_give(r, CLATTN_K, k, (size_t)n * WIDTH * sizeof *k));
    CT_TRY(runner_give(r, CLATTN_V, v, (size_t)n * 3 * sizeof *v));
    CT_TRY(runner_give(r, CLATTN_O, NULL, (size_t)n * 3 * sizeof *v));
out:
    ct_release(NULL, q);
    ct_release(NULL, k);
    ct_release(NULL, v);
    return st;
}

static clattn_status take_tokens(const runner *r, image *out, int64_t n)
{
    clattn_status st = CLATTN_OK;
    float *o = ct_alloc_array(NULL, (size_t)n * 3, sizeof *o);
    if (!o) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for %lld tokens", (long long)n);
    }
    CT_TRY(runner_read(r, CLATTN_O, 0, o, (size_t)n * 3 * sizeof *o));
    for (int64_t t = 0; t < n; t++) {
        int y, x;
        place_of(out, t, &y, &x);
        memcpy(out->rgb + ((size_t)y * (size_t)out->width + (size_t)x) * 3, o + t * 3, 3 * sizeof *o);
    }
out:
    ct_release(NULL, o);
    return st;
}

static clattn_status denoise(const place *where, const image *clean, const image *noisy, bool dense, image *out,
                             outcome *result)
{
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    runner r = {0};
    char text[256], pattern[128] = "dense";
    const int64_t n = (int64_t)noisy->width * noisy->height;
    const double sigma = SIGMA / 255;
    clattn_plan_info info = {.struct_size = sizeof info};
    if (!dense) {
        snprintf(pattern, sizeof pattern, "block_sparse pattern=image tiles=%dx%d radius=1 block=%d",
                 noisy->height / TILE, noisy->width / TILE, TILE * TILE);
    }
    snprintf(text, sizeof text, "%s h=1 n=%lld dqk=%d dv=3", pattern, (long long)n, (int)WIDTH);
    CT_TRY(clattn_problem_parse(&problem, text));
    problem.scale = 2 / (STRENGTH * 2 * sigma * sigma * PATCH);
    progress_begin("%s", text);
    CT_TRY(runner_open(&r, where, &problem, NULL));
    CT_TRY(clattn_plan_get_info(r.plan, &info));
    CT_TRY(give_tokens(&r, noisy, n));
    CT_TRY(runner_run(&r));
    const double start = seconds_now();
    CT_TRY(runner_run(&r));
    *result = (outcome){.seconds = seconds_now() - start, .gflop = info.flop * 1e-9, .density = info.density};
    CT_TRY(image_make(out, noisy->width, noisy->height));
    CT_TRY(take_tokens(&r, out, n));
    result->psnr = psnr(clean, out);
    progress_say("reference of %s", text);
    CT_TRY(demo_compare(&r, &problem, 0, ROWS, &result->error, &result->scale));
out:
    progress_end();
    runner_close(&r);
    return st;
}

static void print_outcome(const char *name, const image *m, double before, const outcome *o)
{
    printf("  %-28s %4d x %-4d  PSNR %.2f -> %.2f dB  %8.1f ms  %7.2f GFLOP  density %-8.3g  max error %.2g\n", name,
           m->width, m->height, before, o->psnr, o->seconds * 1e3, o->gflop, o->density, o->error);
}

static const char *find_photograph(void)
{
    for (size_t i = 0; i < CT_COUNT(photographs); i++) {
        if (access(photographs[i], R_OK) == 0) {
            return photographs[i];
        }
    }
    return NULL;
}

static clattn_status add_noise(image *noisy, const image *clean)
{
    ct_random random = ct_random_of(20, 0);
    const clattn_status st = image_make(noisy, clean->width, clean->height);
    for (size_t i = 0; st == CLATTN_OK && i < (size_t)clean->width * (size_t)clean->height * 3; i++) {
        noisy->rgb[i] = clean->rgb[i] + (float)(SIGMA / 255 * ct_random_normal(&random));
    }
    return st;
}

static bool passes(const outcome *o, double before)
{
    return o->psnr > before + 1 && o->error <= TOLERANCE;
}

clattn_status demo_photo(const place *where, const char *path, const char *folder, bool *good)
{
    enum { CLEAN, NOISY, SPARSE, CROP_CLEAN, CROP_NOISY, CROP_SPARSE, CROP_DENSE, IMAGES };
    static const char *const names[IMAGES] = {"clean.png",      "noisy.png",       "denoised.png",  NULL,
                                              "crop-noisy.png", "crop-sparse.png", "crop-dense.png"};
    clattn_status st = CLATTN_OK;
    picture photo = {0};
    image m[IMAGES] = {{0}};
    outcome whole, sparse, dense;
    path = path ? path : find_photograph();
    if (!path) {
        CT_FAIL(CLATTN_IO, "none found: apt-get install python-matplotlib-data, or pass --photo F.png");
    }
    CT_TRY(picture_load(path, &photo));
    CT_TRY(image_from(&m[CLEAN], &photo));
    CT_TRY(add_noise(&m[NOISY], &m[CLEAN]));
    CT_TRY(image_crop(&m[CROP_CLEAN], &m[CLEAN]));
    CT_TRY(image_crop(&m[CROP_NOISY], &m[NOISY]));
    printf("photograph: %s (%d x %d), noise of sigma %.0f / 255\n", path, photo.width, photo.height, SIGMA);
    CT_TRY(denoise(where, &m[CLEAN], &m[NOISY], false, &m[SPARSE], &whole));
    const double before = psnr(&m[CLEAN], &m[NOISY]), crop_before = psnr(&m[CROP_CLEAN], &m[CROP_NOISY]);
    print_outcome("windows of 3 x 3 tiles", &m[NOISY], before, &whole);
    CT_TRY(denoise(where, &m[CROP_CLEAN], &m[CROP_NOISY], false, &m[CROP_SPARSE], &sparse));
    print_outcome("crop, windows", &m[CROP_NOISY], crop_before, &sparse);
    CT_TRY(denoise(where, &m[CROP_CLEAN], &m[CROP_NOISY], true, &m[CROP_DENSE], &dense));
    print_outcome("crop, every pair (dense)", &m[CROP_NOISY], crop_before, &dense);
    for (int i = 0; i < IMAGES; i++) {
        if (names[i]) {
            CT_TRY(image_save(&m[i], folder, names[i]));
        }
    }
    printf("  written: %s/{clean,noisy,denoised,crop-noisy,crop-sparse,crop-dense}.png\n\n", folder);
    *good = passes(&whole, before) && passes(&sparse, crop_before) && passes(&dense, crop_before);
out:
    for (int i = 0; i < IMAGES; i++) {
        ct_release(NULL, m[i].rgb);
    }
    picture_release(&photo);
    return st;
}

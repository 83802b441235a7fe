/* clattn layout */
#include "plan/method.h"
#include "options.h"
#include "png.h"
#include "tensor.h"

#include <stdio.h>
#include <string.h>

#define WIDEST   128 /* characters of the picture in text */
#define PNG_SIZE 512

/* A large pattern: each character stands for `step` x `step` blocks, and shows how many of them are listed. */
static void draw_coarse(const uint8_t *mask, int rows, int cols)
{
    static const char shades[] = ".:-=+*%@#";
    const int larger = rows > cols ? rows : cols, step = (larger + WIDEST - 1) / WIDEST,
              levels = (int)sizeof shades - 2;
    printf("one character is %d x %d blocks; from none to all of them: %s\n", step, step, shades);
    for (int r = 0; r < rows; r += step) {
        for (int c = 0; c < cols; c += step) {
            int listed = 0, all = 0;
            for (int y = r; y < r + step && y < rows; y++) {
                for (int x = c; x < c + step && x < cols; x++, all++) {
                    listed += mask[(size_t)y * (size_t)cols + (size_t)x];
                }
            }
            const int shade = listed == 0 ? 0 : listed == all ? levels : 1 + listed * (levels - 2) / all;
            putchar(shades[shade]);
        }
        putchar('\n');
    }
}

static clattn_status draw(const clattn_layout *layout, const clattn_layout_info *info, const uint8_t *mask, int head)
{
    clattn_status st = CLATTN_OK;
    size_t needed = 0;
    char *text = NULL;
    if (info->rows > WIDEST || info->cols > WIDEST) {
        draw_coarse(mask + (size_t)head * (size_t)info->rows * (size_t)info->cols, info->rows, info->cols);
        return CLATTN_OK;
    }
    const size_t room = (size_t)info->rows * ((size_t)info->cols + 2) + 1;
    text = ct_alloc(NULL, room);
    if (!text) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a picture of %zu characters", room);
    }
    CT_TRY(clattn_layout_draw(layout, head, text, room, &needed));
    fputs(text, stdout);
out:
    ct_release(NULL, text);
    return st;
}

static clattn_status save_png(const char *path, const clattn_layout_info *info, const uint8_t *mask, int head)
{
    picture p = {0};
    const int larger = info->rows > info->cols ? info->rows : info->cols,
              size = larger >= PNG_SIZE ? 1 : PNG_SIZE / larger;
    clattn_status st = picture_make(&p, info->cols * size, info->rows * size);
    if (st != CLATTN_OK) {
        return st;
    }
    const uint8_t *from = mask + (size_t)head * (size_t)info->rows * (size_t)info->cols;
    for (int y = 0; y < p.height; y++) {
        for (int x = 0; x < p.width; x++) {
            const bool listed = from[(size_t)(y / size) * (size_t)info->cols + (size_t)(x / size)];
            const bool line = size > 4 && (y % size == 0 || x % size == 0);
            uint8_t *to = p.rgb + ((size_t)y * (size_t)p.width + (size_t)x) * 3;
            to[0] = listed ? 31 : line ? 225 : 250;
            to[1] = listed ? (line ? 100 : 119) : line ? 225 : 250;
            to[2] = listed ? (line ? 160 : 180) : line ? 225 : 250;
        }
    }
    st = png_save(path, &p);
    picture_release(&p);
    return st;
}

/* [hq, rows, cols]: a layout that serves every head is repeated. */
static clattn_status save_npy(const char *path, const clattn_layout_info *info, const uint8_t *mask, int64_t heads)
{
    clattn_status st = CLATTN_OK;
    tensor t = {0};
    const int64_t dims[3] = {heads, info->rows, info->cols};
    const size_t one = (size_t)info->rows * (size_t)info->cols;
    CT_TRY(tensor_make(&t, CLATTN_U8, 3, dims));
    for (int64_t h = 0; h < heads; h++) {
        memcpy((uint8_t *)t.data + (size_t)h * one, mask + (info->heads == 1 ? 0 : (size_t)h * one), one);
    }
    CT_TRY(tensor_save(path, "layout", &t));
out:
    tensor_release(&t);
    return st;
}

/* Dense is the full list, unless a mask makes it something that no pattern says. */
static bool has_pattern(const clattn_problem *p)
{
    const bool full = strcmp(p->method, "dense") == 0 && p->causal != 1 && p->window_left < 0 && p->window_right < 0;
    return full || ct_method_find(p->method)->patterned;
}

static clattn_status show(const char *text, int64_t head, const char *png, const char *npy)
{
    clattn_status st = CLATTN_OK;
    clattn_problem problem;
    clattn_layout *layout = NULL;
    uint8_t *mask = NULL;
    clattn_layout_info info = {.struct_size = sizeof info};
    CT_TRY(clattn_problem_parse(&problem, text));
    if (!has_pattern(&problem)) {
        CT_FAIL(CLATTN_UNSUPPORTED, "the method '%s' has no block pattern to draw; block_sparse has", problem.method);
    }
    CT_TRY(clattn_layout_from_problem(&layout, &problem, NULL));
    CT_TRY(clattn_layout_get_info(layout, &info));
    if (info.on_device) {
        CT_FAIL(CLATTN_UNSUPPORTED, "the pattern's contents come with the tensors of a run; there is nothing to draw");
    }
    if (head >= problem.hq) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "--head %lld: the problem has hq=%lld", (long long)head,
                (long long)problem.hq);
    }
    const int shown = info.heads == 1 ? 0 : (int)head;
    const size_t bytes = (size_t)info.heads * (size_t)info.rows * (size_t)info.cols;
    mask = ct_alloc(NULL, bytes);
    if (!mask) {
        CT_FAIL(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a mask of %zu bytes", bytes);
    }
    CT_TRY(clattn_layout_mask(layout, mask, bytes));
    CT_TRY(draw(layout, &info, mask, shown));
    printf("density      %.6g\nrows         %d\ncols         %d\nlongest_row  %d\nblocks       %lld\nblock        "
           "%dx%d\nhead         ",
           info.density, info.rows, info.cols, info.longest_row, (long long)info.blocks, info.block_q, info.block_k);
    printf(info.heads == 1 ? "every head\n" : "%d of %d\n", shown, info.heads);
    if (png) {
        CT_TRY(save_png(png, &info, mask, shown));
    }
    if (npy) {
        CT_TRY(save_npy(npy, &info, mask, problem.hq));
    }
out:
    ct_release(NULL, mask);
    clattn_layout_release(layout);
    return st;
}

int command_layout(int argc, char **argv)
{
    int64_t head = 0;
    const char *png = NULL, *npy = NULL;
    place_options options = {0};
    const option_row rows[] = {
        {"head", OPTION_INT, &head, "H", "which head to draw (0)", 0, 65535},
        {"png", OPTION_TEXT, &png, "F", "the picture as a PNG file", 0, 0},
        {"npy", OPTION_TEXT, &npy, "F", "uint8 [H, blocks of q, blocks of k] as a .npy file", 0, 0},
    };
    command_line line = {"layout PROBLEM [--png F] [--npy F] [--head H]",
                         "The block pattern of a problem: a picture (# listed, . not), density, rows, longest row.",
                         rows,
                         (int)CT_COUNT(rows),
                         &options, /* as everywhere, although a pattern needs no device */
                         true,
                         1,
                         1,
                         NULL,
                         0};
    int result;
    if (!command_line_parse(&line, argc, argv, &result)) {
        return result;
    }
    result = show(line.words[0], head, png, npy);
    command_line_release(&line);
    return result;
}

/* Two-dimensional windows: a block is a tile, tiles go row by row, and a tile sees the tiles within `radius` tiles both
 * down and across. */
#include "layout/pattern.h"

typedef struct image_job {
    int64_t tiles_y, tiles_x, radius;
} image_job;

static void image_row(const void *what, int head, int row, ct_row *bits)
{
    const image_job *job = what;
    const int64_t y = row / job->tiles_x, x = row % job->tiles_x;
    const int64_t left = ct_max(x - job->radius, 0), right = ct_min(x + job->radius, job->tiles_x - 1);
    const int64_t last = ct_min(y + job->radius, job->tiles_y - 1);
    (void)head;
    for (int64_t at = ct_max(y - job->radius, 0); at <= last; at++) {
        ct_row_add(bits, at * job->tiles_x + left, at * job->tiles_x + right + 1);
    }
}

clattn_status ct_pattern_image(clattn_layout **out, const ct_pattern_job *from)
{
    const clattn_problem *problem = from->problem;
    const clattn_pattern *pattern = &problem->pattern;
    const image_job job = {pattern->tiles_y, pattern->tiles_x, ct_pattern_value(pattern->radius, 1)};
    clattn_status st = CLATTN_OK;
    clattn_layout *layout = NULL;
    CT_TRY(ct_pattern_bound("image", "radius", job.radius, 0, INT32_MAX));
    CT_TRY(ct_pattern_bound("image", "tiles (Y of YxX)", job.tiles_y, 1, INT32_MAX));
    CT_TRY(ct_pattern_bound("image", "tiles (X of YxX)", job.tiles_x, 1, INT32_MAX));
    if (problem->block_q != problem->block_k) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT, "pattern=image: block = %dx%d must be one number, the pixels of a tile",
                problem->block_q, problem->block_k);
    }
    const int64_t tiles = job.tiles_y * job.tiles_x;
    if (from->nq != from->nk || problem->block_q < 1 || from->nq % problem->block_q ||
        from->nq / problem->block_q != tiles) {
        CT_FAIL(CLATTN_INVALID_ARGUMENT,
                "pattern=image: nq = %lld and nk = %lld must be tiles = %lldx%lld times block = %d",
                (long long)from->nq, (long long)from->nk, (long long)job.tiles_y, (long long)job.tiles_x,
                problem->block_q);
    }
    CT_TRY(ct_layout_new(&layout, 1, from->nq, from->nk, problem->block_q, problem->block_k, from->allocator));
    CT_TRY(ct_layout_fill(layout, 1, image_row, &job));
    *out = layout;
    layout = NULL;
out:
    clattn_layout_release(layout);
    return st;
}

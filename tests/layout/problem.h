/* What the layout tests share: a problem with every pattern field at its default, drawing, an allocator that fails. */
#ifndef TESTS_LAYOUT_PROBLEM_H
#define TESTS_LAYOUT_PROBLEM_H

/* cmocka.h needs the others before it */
/* clang-format off */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
/* clang-format on */

#include "layout/layout.h"

static inline clattn_problem plain_problem(clattn_pattern_kind kind, int64_t n, int block)
{
    clattn_problem problem;
    memset(&problem, 0, sizeof problem);
    problem.struct_size = sizeof problem;
    problem.b = 1;
    problem.hq = problem.hk = 4;
    problem.nq = problem.nk = n;
    problem.dqk = problem.dv = 16;
    problem.causal = 0;
    problem.window_left = problem.window_right = -1;
    problem.block_q = problem.block_k = block;
    clattn_pattern *pattern = &problem.pattern;
    pattern->kind = kind;
    pattern->local = pattern->global = pattern->bidirectional = pattern->horizontal = pattern->patterns = -1;
    pattern->per_head = pattern->random = pattern->sliding = -1;
    pattern->seed = -1;
    pattern->stride = pattern->dilation = pattern->radius = pattern->width = -1;
    return problem;
}

static inline clattn_layout *make_layout(const clattn_problem *problem)
{
    clattn_layout *layout = NULL;
    const clattn_status st = clattn_layout_from_problem(&layout, problem, NULL);
    if (st != CLATTN_OK) {
        fail_msg("%s: %s", clattn_status_name(st), clattn_error_detail());
    }
    return layout;
}

/* Fails the test unless the call's detail holds `part`. */
static inline void expect_failure(clattn_status st, clattn_status wanted, const char *part)
{
    if (st != wanted || !strstr(clattn_error_detail(), part)) {
        fail_msg("%s: \"%s\" does not hold \"%s\"", clattn_status_name(st), clattn_error_detail(), part);
    }
}

static inline void expect_problem_failure(const clattn_problem *problem, const char *part)
{
    clattn_layout *layout = NULL;
    expect_failure(clattn_layout_from_problem(&layout, problem, NULL), CLATTN_INVALID_ARGUMENT, part);
    assert_null(layout);
}

static inline void expect_drawing(const clattn_layout *layout, int head, const char *wanted)
{
    char text[4096];
    size_t needed = 0;
    assert_int_equal(clattn_layout_draw(layout, head, text, sizeof text, &needed), CLATTN_OK);
    assert_int_equal(needed, strlen(wanted) + 1);
    assert_string_equal(text, wanted);
}

static inline bool same_lists(const clattn_layout *a, const clattn_layout *b)
{
    const int32_t *row_a, *row_b, *col_a, *col_b;
    assert_int_equal(clattn_layout_csr(a, &row_a, &col_a), CLATTN_OK);
    assert_int_equal(clattn_layout_csr(b, &row_b, &col_b), CLATTN_OK);
    if (a->heads != b->heads || a->rows != b->rows || a->cols != b->cols) {
        return false;
    }
    const size_t lists = (size_t)a->heads * (size_t)a->rows;
    return memcmp(row_a, row_b, (lists + 1) * sizeof *row_a) == 0 &&
           memcmp(col_a, col_b, (size_t)row_a[lists] * sizeof *col_a) == 0;
}

/* Reproducible small numbers. */
static inline int draw_int(uint64_t *state, int low, int high)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (int)((*state >> 33) % (uint64_t)(high - low + 1));
}

/* Fails its `fail_at`-th allocation (0: none) and counts what lives. */
typedef struct failing_memory {
    int calls, fail_at, live;
} failing_memory;

static inline void *failing_allocate(size_t bytes, void *user)
{
    failing_memory *memory = user;
    if (++memory->calls == memory->fail_at) {
        return NULL;
    }
    void *pointer = malloc(bytes);
    memory->live += pointer != NULL;
    return pointer;
}

static inline void failing_release(void *pointer, void *user)
{
    failing_memory *memory = user;
    memory->live -= pointer != NULL;
    free(pointer);
}

static inline clattn_allocator failing_allocator(failing_memory *memory)
{
    return (clattn_allocator){failing_allocate, failing_release, memory};
}

#endif

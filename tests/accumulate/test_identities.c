/* Identities of the linear half, through the public interface, on every backend that the device can use. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/random.h"
#include "support/small_run.h"

enum { H = 3, N = 40, D = 16, O = H * N * D, S = H * D * D };

static double q[O], k[O], v[O], state[S], token_g[H * N];

static int draw(void **unused)
{
    (void)unused;
    ct_random random = ct_random_of(7, 0);
    for (int i = 0; i < O; i++) {
        q[i] = ct_random_normal(&random);
        k[i] = ct_random_normal(&random);
        v[i] = ct_random_normal(&random);
    }
    for (int i = 0; i < S; i++) {
        state[i] = ct_random_normal(&random);
    }
    for (int i = 0; i < H * N; i++) {
        token_g[i] = -ct_random_unit(&random);
    }
    return 0;
}

/* Tokens first ... first + n - 1 of [H, N, width]. */
static void cut(const double *from, int width, int first, int n, double *to)
{
    for (int h = 0; h < H; h++) {
        memcpy(to + h * n * width, from + (h * N + first) * width, (size_t)(n * width) * sizeof *to);
    }
}

static void run(const char *backend, const char *text, const small_value *values, int count)
{
    if (small_run_text(backend, text, values, count) != CLATTN_OK) {
        fail_msg("%s on %s: %s", text, backend, clattn_error_detail());
    }
}

/* Tokens first ... first + n - 1 with a state in and out; o is [H, n, D]. */
static void part(const char *backend, const char *law, const char *pass, int first, int n, const double *in, double *o,
                 double *out)
{
    static double a[O], b[O], c[O], g[H * N];
    char text[160];
    cut(q, D, first, n, a);
    cut(k, D, first, n, b);
    cut(v, D, first, n, c);
    cut(token_g, 1, first, n, g);
    const small_value values[] = {{CLATTN_Q, a, NULL},    {CLATTN_K, b, NULL},         {CLATTN_V, c, NULL},
                                  {CLATTN_O, NULL, o},    {CLATTN_STATE_IN, in, NULL}, {CLATTN_STATE_OUT, NULL, out},
                                  {CLATTN_DECAY, g, NULL}};
    snprintf(text, sizeof text, "linear h=%d n=%d d=%d state=1 decay=%s%s", H, n, D, law, pass);
    run(backend, text, values, strcmp(law, "token") == 0 ? 7 : 6);
}

static void near(const double *got, const double *want, int count, const char *what)
{
    for (int i = 0; i < count; i++) {
        if (!(fabs(got[i] - want[i]) <= 2e-5 * (1.0 + fabs(want[i])))) {
            fail_msg("%s, element %d: got %.9g, wanted %.9g", what, i, got[i], want[i]);
        }
    }
}

/* slow: also where a kernel takes seconds to compile. */
static void usable(void (*test)(const char *backend), bool slow)
{
    for (int i = 0; small_backend(i); i++) {
        if (small_usable(small_backend(i)) && (slow || strcmp(small_backend(i), "simt") != 0)) {
            test(small_backend(i));
        }
    }
}

/* C2: split anywhere and carry the state: the same outputs and final state.  C9: token by token with the recurrent
 * step, too. */
static void split_law(const char *backend, const char *law)
{
    static double whole[O], last[S], o[O], wanted[O], middle[S], end[S];
    static const int cuts[] = {1, 16, 37};
    part(backend, law, "", 0, N, state, whole, last);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        part(backend, law, "", 0, cuts[i], state, o, middle);
        cut(whole, D, 0, cuts[i], wanted);
        near(o, wanted, H * cuts[i] * D, "first part");
        part(backend, law, "", cuts[i], N - cuts[i], middle, o, end);
        cut(whole, D, cuts[i], N - cuts[i], wanted);
        near(o, wanted, H * (N - cuts[i]) * D, "second part");
        near(end, last, S, "final state");
    }
    memcpy(middle, state, sizeof middle);
    for (int t = 0; t < N; t += t % 2 + 1) { /* one token, two tokens, ... */
        const int n = t % 2 + 1 <= N - t ? t % 2 + 1 : 1;
        part(backend, law, " pass=decode", t, n, middle, o, end);
        cut(whole, D, t, n, wanted);
        near(o, wanted, H * n * D, "decode");
        memcpy(middle, end, sizeof middle);
    }
    near(middle, last, S, "state after decode");
}

static void split_on(const char *backend)
{
    static const char *const laws[] = {"alibi", "fla:1/4", "retention", "token"};
    for (size_t i = 0; i < sizeof laws / sizeof laws[0]; i++) {
        split_law(backend, laws[i]);
    }
}
static void split(void **unused)
{
    (void)unused;
    usable(split_on, true);
}

/* C3: v = 1 and phi >= 0: o = n / (n + 1e-10) = 1. */
static void convex_on(const char *backend)
{
    static double ones[O], o[O];
    for (int i = 0; i < O; i++) {
        ones[i] = 1.0;
    }
    const small_value values[] = {
        {CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, ones, NULL}, {CLATTN_O, NULL, o}};
    char text[128];
    snprintf(text, sizeof text, "linear h=%d n=%d d=%d feature=elu normalise=1", H, N, D);
    run(backend, text, values, 4);
    near(o, ones, O, "convex");
}
static void convex(void **unused)
{
    (void)unused;
    usable(convex_on, false);
}

/* C4: decay 0: o_t = (q_t.k_t) v_t; decay 1: cumulative sum.  C6: the state is the decayed sum of k v^T; C11: [dqk,
 * dv]. */
static void ends_on(const char *backend)
{
    static double o[O], want[O], out[S], zero[S], sum[S];
    part(backend, "-1e30", "", 0, N, zero, o, out);
    for (int r = 0; r < H * N; r++) {
        double dot = 0.0;
        for (int d = 0; d < D; d++) {
            dot += q[r * D + d] * k[r * D + d];
        }
        for (int d = 0; d < D; d++) {
            want[r * D + d] = dot * v[r * D + d];
        }
    }
    near(o, want, O, "decay 0");
    part(backend, "-0.25", "", 0, N, state, o, out);
    for (int i = 0; i < S; i++) {
        const int h = i / (D * D), row = i / D % D, column = i % D;
        sum[i] = state[i] * exp(-0.25 * N);
        for (int t = 0; t < N; t++) {
            sum[i] += exp(-0.25 * (N - 1 - t)) * k[(h * N + t) * D + row] * v[(h * N + t) * D + column];
        }
    }
    near(out, sum, S, "state");
}
static void ends(void **unused)
{
    (void)unused;
    usable(ends_on, true);
}

/* C10: slices of the feature dimension add. */
static void slices_on(const char *backend)
{
    static double whole[O], half[O], o[2][O];
    static double a[O], b[O];
    const small_value all[] = {{CLATTN_Q, q, NULL}, {CLATTN_K, k, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, whole}};
    char text[128];
    snprintf(text, sizeof text, "lightning h=%d n=%d d=%d", H, N, D);
    run(backend, text, all, 4);
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < O / 2; i++) {
            const int row = i / (D / 2), d = i % (D / 2) + s * (D / 2);
            a[i] = q[row * D + d];
            b[i] = k[row * D + d];
        }
        const small_value values[] = {
            {CLATTN_Q, a, NULL}, {CLATTN_K, b, NULL}, {CLATTN_V, v, NULL}, {CLATTN_O, NULL, o[s]}};
        snprintf(text, sizeof text, "lightning h=%d n=%d dqk=%d dv=%d", H, N, D / 2, D);
        run(backend, text, values, 4);
    }
    for (int i = 0; i < O; i++) {
        half[i] = o[0][i] + o[1][i];
    }
    near(half, whole, O, "slices");
}
static void slices(void **unused)
{
    (void)unused;
    usable(slices_on, false);
}

/* Token gates close to 0 and all alike are a head's decay: sum of e^(g t) in closed form. (As fractions below 1 they
 * had lost 3 % of themselves.) */
static void slow_gates_on(const char *backend)
{
    enum { LONG = 16384 };
    static double ones[LONG], g[LONG], o[LONG], end[1];
    const double gate = (double)-4e-7f;
    for (int t = 0; t < LONG; t++) {
        ones[t] = 1.0;
        g[t] = gate;
    }
    const small_value values[] = {{CLATTN_Q, ones, NULL},       {CLATTN_K, ones, NULL},
                                  {CLATTN_V, ones, NULL},       {CLATTN_O, NULL, o},
                                  {CLATTN_DECAY, g, NULL},      {CLATTN_STATE_IN, (double[1]){0.0}, NULL},
                                  {CLATTN_STATE_OUT, NULL, end}};
    char text[96];
    snprintf(text, sizeof text, "linear h=1 n=%d d=1 state=1 decay=token causal=1", LONG);
    run(backend, text, values, 7);
    near(end, (double[1]){expm1(gate * LONG) / expm1(gate)}, 1, "state after slow gates");
}
static void slow_gates(void **unused)
{
    (void)unused;
    usable(slow_gates_on, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(split), cmocka_unit_test(convex), cmocka_unit_test(ends),
                                       cmocka_unit_test(slices), cmocka_unit_test(slow_gates)};
    return cmocka_run_group_tests(tests, draw, small_teardown);
}

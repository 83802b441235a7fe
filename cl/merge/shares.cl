/* The shares of two branches in a row of their sum,  o = s_a a + s_b b.
 * GATE 0: plain sum; 1: g is read, float [b][h][rows]; 2: g = 1/2.
 * With FORCED = 1 the branches' LSE, where given, say whether they saw a key: without b's g = 1, without a's g = 0
 * (without both o = 0). */
#ifndef GATE
#define GATE 0
#endif
#ifndef FORCED
#define FORCED 0
#endif
typedef struct {
    float given, a, b; /* the gate as given; the shares */
    int forced;
} shares;
OP shares shares_of(
    long at, BUFFER_IN(const float, lse_a), BUFFER_IN(const float, lse_b), BUFFER_IN(const float, gate)) {
    const int none_a = FORCED && lse_a_base && AT(lse_a)[at] == -INFINITY,
              none_b = FORCED && lse_b_base && AT(lse_b)[at] == -INFINITY;
    shares s;
    s.given = GATE == 1 ? AT(gate)[at] : GATE == 2 ? 0.5f : 1.0f;
    s.a = none_b ? 1.0f : none_a ? 0.0f : s.given;
    s.b = GATE ? 1.0f - s.a : 1.0f;
    s.forced = none_a || none_b;
    return s;
}

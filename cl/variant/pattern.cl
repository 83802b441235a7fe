/* Token rules of patterns (Longformer, samples, Sparse Transformer), one rule a head: key j is visible to place p if
 *   p - j <= left  and  j - p <= right  and  (p - j) % dilation == 0  and  p / chunk == j / chunk,
 *   or flags[j] & 1 (every query sees j), or flags[p] & 2 (p sees every key).
 * Negative left, right: unlimited; chunk 0: none. */
OP VI pattern_hides(VI place, VI key, const score_args *a) {
    const VI distance = place - key;
    VI seen = (VI)(1) == 1;
    if (a->rule.left >= 0) seen &= distance <= a->rule.left;
    if (a->rule.right >= 0) seen &= -distance <= a->rule.right;
    if (a->rule.dilation > 1) seen &= distance % a->rule.dilation == 0;
    if (a->rule.chunk > 0) seen &= place / a->rule.chunk == key / a->rule.chunk;
    if (a->rule.use_flags) {
        const VI at = min(max(place, (VI)(0)), (VI)(a->nk - 1));
        seen |= (gather_byte(a->flags, (VI)(0), 0, key) & 1) != 0;
        seen |= (gather_byte(a->flags, at, 1, (VI)(0)) & 2) != 0;
    }
    return seen == 0;
}

/* Soft-cap: c * tanh(x / c) (Gemma 2). The factors 1/c and c are folded into those of the softmax where nothing is
 * added before. */
OP VF softcap_text(VF x, const score_args *a) { return vtanh(CAP_FOLDED ? x : x * (1.0f / a->cap)); }

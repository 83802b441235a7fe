/* Window (left, right), inclusive, around p = i + nk - nq. The host gives bounds beyond every key for "unlimited". */
OP VI window_first(VI place, const score_args *a) { return place - a->left; }
OP VI window_last(VI place, const score_args *a) { return place + a->right; }

/* Window (left, right), inclusive, around p = i + nk - nq. The host gives bounds beyond every key for "unlimited". */
OP VI window_hides(VI place, VI key, const score_args *a) { return (key + a->left < place) | (key > place + a->right); }

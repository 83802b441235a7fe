/* Key padding uint8 [b, nk]: 0 hides a key from every query. */
OP VI padding_hides(VI key, const score_args *a) { return gather_byte(a->padding, (VI)(0), 0, key) == 0; }

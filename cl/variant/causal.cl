/* Causal, bottom-right: the query at place p = i + nk - nq sees keys up to p. */
OP VI causal_hides(VI place, VI key) { return key > place; }

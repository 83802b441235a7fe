/* ALiBi (Press et al. 2022): minus slope * distance; under a causal mask every visible distance is positive. */
OP VF alibi_distance(VI place, VI key) {
    const VF distance = TO_VF(place - key);
    return CAUSAL ? distance : vabs(distance);
}
OP VF alibi_text(VI place, VI key, const score_args *a) { return alibi_distance(place, key) * a->slope; }

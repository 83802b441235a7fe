/* ALiBi (Press et al. 2022): minus slope * distance; under a causal mask every visible distance is positive. */
OP VF alibi_text(VI place, VI key, const score_args *a) {
    const VF distance = TO_VF(place - key);
    return (CAUSAL ? distance : vabs(distance)) * a->slope;
}

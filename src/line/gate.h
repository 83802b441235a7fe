/* The gate of a problem. */
#ifndef CT_GATE_H
#define CT_GATE_H

#include "plan/builder.h"

/* The gate that the problem asks for, float [b][hq][nq]: a slot, or the zone of a launch that computes it from q;
 * nothing where it asks for none. */
clattn_status ct_gate_of(ct_builder *b, ct_ref *gate);

/* Of a gate with gradients: where the launch that makes them leaves dgate; a zone, of the logit, where the gate is
 * a map of q. Nothing where the problem has no gate. */
ct_ref ct_gate_gradient_of(ct_builder *b);
/* And those of the map's weight and bias, from that. */
clattn_status ct_gate_backward_add(ct_builder *b, ct_ref dlogit);

#endif

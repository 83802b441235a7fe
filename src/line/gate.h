/* The gate of a problem. */
#ifndef CT_GATE_H
#define CT_GATE_H

#include "plan/builder.h"

/* The gate that the problem asks for, float [b][hq][nq]: a slot, or the zone of a launch that computes it from q;
 * nothing where it asks for none. */
clattn_status ct_gate_of(ct_builder *b, ct_ref *gate);

#endif

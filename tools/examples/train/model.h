/* A small character model:  x = letters + places;  each layer:  y = norm(x + attention(x Wqkv)),
 * x = y + relu(y W1) W2;  logits = x Wout. Attention, residual and norm are one clattn problem, whatever the method. */
#ifndef MODEL_H
#define MODEL_H

#include "device.h"

enum { MOST_LAYERS = 8, BATCH = 4, LENGTH = 256, TOKENS = BATCH * LENGTH, HEADS = 4, WIDTH = 128, INNER = 256 };

typedef struct parameter {
    size_t count;
    cl_mem value, gradient, first, second; /* the last two: Adam's moments */
} parameter;

typedef struct layer {
    clattn_plan *forward, *backward;
    parameter qkv, norm_weight, norm_bias, up, down;
    cl_mem x, projected, y, inner; /* what the forward pass leaves: x is the layer before's */
} layer;

typedef struct model {
    device *d;
    int layers, letters;
    parameter table, places, out;
    layer layer[MOST_LAYERS];
    cl_mem ids, wanted, x, logits, losses;
    cl_mem dx, dy, dinner, dprojected;
} model;

/* methods: a problem's first words a layer, "block_sparse pattern=sliding block=32", separated by '/'. */
model model_make(device *d, const char *methods, int letters);
void model_release(model *m);
/* One step of Adam on BATCH x LENGTH letters and those that follow them; returns the mean loss in nats. */
float model_train(model *m, const int *ids, const int *wanted, int step, float rate);

#endif

#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1;

/* Normal numbers, the same on every machine: sums of twelve of a linear congruential generator (Knuth's MMIX). */
static float normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(random_state >> 11) / 9007199254740992.0;
    }
    return (float)sum;
}

static parameter parameter_make(device *d, size_t count, float mean, float deviation)
{
    float *data = malloc(count * sizeof *data);
    must(data == NULL, "no memory for a parameter");
    for (size_t i = 0; i < count; i++) {
        data[i] = mean + (deviation != 0 ? deviation * normal() : 0);
    }
    const parameter p = {count, device_copy(d, data, count * sizeof *data), device_floats(d, count),
                         device_floats(d, count), device_floats(d, count)};
    free(data);
    return p;
}

static void parameter_release(parameter *p)
{
    cl_mem all[] = {p->value, p->gradient, p->first, p->second};
    for (int i = 0; i < 4; i++) {
        clReleaseMemObject(all[i]);
    }
}

static void parameter_step(device *d, const parameter *p, int step, float rate)
{
    const float beta1 = 0.9f, beta2 = 0.98f;
    const float correction = sqrtf(1 - powf(beta2, (float)step)) / (1 - powf(beta1, (float)step));
    const arguments a = {.buffers = 4,
                         .buffer = {p->value, p->gradient, p->first, p->second},
                         .floats = 4,
                         .number = {rate * correction, beta1, beta2, 1e-8f}};
    device_run(d, "adam", p->count, &a);
}

/* q, k and v are thirds of one product's rows: strides say so, and their gradients lie likewise. */
static clattn_plan *plan_make(device *d, const char *method, clattn_pass pass)
{
    char text[512];
    clattn_problem problem;
    clattn_plan *plan = NULL;
    const clattn_strides third = {LENGTH * 3 * WIDTH, WIDTH / HEADS, 3 * WIDTH};
    snprintf(text, sizeof text, "%s b=%d h=%d n=%d d=%d layout=bnhd causal=1 norm=layer residual=1", method, BATCH,
             HEADS, LENGTH, WIDTH / HEADS);
    must(clattn_problem_parse(&problem, text), text);
    problem.q = problem.k = problem.v = third;
    problem.pass = pass;
    must(clattn_plan_create(&plan, d->context, &problem, NULL), text);
    device_reserve(d, plan);
    return plan;
}

static layer layer_make(device *d, const char *method)
{
    const float deviation = 1 / sqrtf(WIDTH);
    return (layer){.forward = plan_make(d, method, CLATTN_FWD),
                   .backward = plan_make(d, method, CLATTN_BWD),
                   .qkv = parameter_make(d, WIDTH * 3 * WIDTH, 0, deviation),
                   .norm_weight = parameter_make(d, WIDTH, 1, 0),
                   .norm_bias = parameter_make(d, WIDTH, 0, 0),
                   .up = parameter_make(d, WIDTH * INNER, 0, deviation),
                   .down = parameter_make(d, INNER * WIDTH, 0, 0.5f / sqrtf(INNER)),
                   .projected = device_floats(d, TOKENS * 3 * WIDTH),
                   .y = device_floats(d, TOKENS * WIDTH),
                   .inner = device_floats(d, TOKENS * INNER),
                   .x = device_floats(d, TOKENS * WIDTH)};
}

model model_make(device *d, const char *methods, int letters)
{
    char words[512];
    model m = {.d = d, .letters = letters};
    snprintf(words, sizeof words, "%s", methods);
    for (char *word = strtok(words, "/"); word; word = strtok(NULL, "/")) {
        must(m.layers == MOST_LAYERS, "too many layers");
        m.layer[m.layers++] = layer_make(d, word);
    }
    m.table = parameter_make(d, (size_t)letters * WIDTH, 0, 1);
    m.places = parameter_make(d, LENGTH * WIDTH, 0, 0.3f);
    m.out = parameter_make(d, WIDTH * (size_t)letters, 0, 1 / sqrtf(WIDTH));
    m.ids = device_floats(d, TOKENS);
    m.wanted = device_floats(d, TOKENS);
    m.x = device_floats(d, TOKENS * WIDTH);
    m.logits = device_floats(d, TOKENS * (size_t)letters);
    m.losses = device_floats(d, TOKENS);
    m.dx = device_floats(d, TOKENS * WIDTH);
    m.dy = device_floats(d, TOKENS * WIDTH);
    m.dinner = device_floats(d, TOKENS * INNER);
    m.dprojected = device_floats(d, TOKENS * 3 * WIDTH);
    return m;
}

void model_release(model *m)
{
    cl_mem buffers[] = {m->ids, m->wanted, m->x, m->logits, m->losses, m->dx, m->dy, m->dinner, m->dprojected};
    for (int i = 0; i < m->layers; i++) {
        layer *l = &m->layer[i];
        cl_mem left[] = {l->projected, l->y, l->inner, l->x};
        parameter *parameters[] = {&l->qkv, &l->norm_weight, &l->norm_bias, &l->up, &l->down};
        for (int j = 0; j < 4; j++) {
            clReleaseMemObject(left[j]);
        }
        for (int j = 0; j < 5; j++) {
            parameter_release(parameters[j]);
        }
        clattn_plan_release(l->forward);
        clattn_plan_release(l->backward);
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        clReleaseMemObject(buffers[i]);
    }
    parameter_release(&m->table);
    parameter_release(&m->places);
    parameter_release(&m->out);
}

enum { BYTES_OF_A_THIRD = WIDTH * sizeof(float) };

static clattn_arg arg(clattn_slot slot, cl_mem mem)
{
    return (clattn_arg){slot, clattn_buf_mem(mem, 0)};
}

/* Third `index` of the rows of a product. */
static clattn_arg third(clattn_slot slot, cl_mem mem, int index)
{
    return (clattn_arg){slot, clattn_buf_mem(mem, (size_t)index * BYTES_OF_A_THIRD)};
}

/* x: what the layer reads; l->x: what it leaves. */
static void layer_forward(device *d, layer *l, cl_mem x)
{
    device_product(d, 0, TOKENS, 3 * WIDTH, WIDTH, x, l->qkv.value, 0, l->projected);
    const clattn_arg args[] = {third(CLATTN_Q, l->projected, 0),
                               third(CLATTN_K, l->projected, 1),
                               third(CLATTN_V, l->projected, 2),
                               arg(CLATTN_RESIDUAL, x),
                               arg(CLATTN_NORM_WEIGHT, l->norm_weight.value),
                               arg(CLATTN_NORM_BIAS, l->norm_bias.value),
                               arg(CLATTN_O, l->y)};
    device_attend(d, l->forward, args, 7);
    const arguments inner = {.buffers = 1, .buffer = {l->inner}}, sum = {.buffers = 2, .buffer = {l->y, l->x}};
    device_product(d, 0, TOKENS, INNER, WIDTH, l->y, l->up.value, 0, l->inner);
    device_run(d, "relu", TOKENS * INNER, &inner);
    device_product(d, 0, TOKENS, WIDTH, INNER, l->inner, l->down.value, 0, l->x);
    device_run(d, "add", TOKENS * WIDTH, &sum);
}

/* m->dx: the gradient of what the layer leaves, then of what it reads, x. */
static void layer_backward(model *m, layer *l, cl_mem x)
{
    device *d = m->d;
    const arguments inner = {.buffers = 2, .buffer = {l->inner, m->dinner}},
                    sum = {.buffers = 2, .buffer = {m->dx, m->dy}};
    device_product(d, 'a', INNER, WIDTH, TOKENS, l->inner, m->dx, 0, l->down.gradient);
    device_product(d, 'b', TOKENS, INNER, WIDTH, m->dx, l->down.value, 0, m->dinner);
    device_run(d, "relu_backward", TOKENS * INNER, &inner);
    device_product(d, 'a', WIDTH, INNER, TOKENS, l->y, m->dinner, 0, l->up.gradient);
    device_product(d, 'b', TOKENS, WIDTH, INNER, m->dinner, l->up.value, 0, m->dy);
    device_run(d, "add", TOKENS * WIDTH, &sum);
    const clattn_arg args[] = {third(CLATTN_Q, l->projected, 0),
                               third(CLATTN_K, l->projected, 1),
                               third(CLATTN_V, l->projected, 2),
                               arg(CLATTN_RESIDUAL, x),
                               arg(CLATTN_NORM_WEIGHT, l->norm_weight.value),
                               arg(CLATTN_DO, m->dy),
                               third(CLATTN_DQ, m->dprojected, 0),
                               third(CLATTN_DK, m->dprojected, 1),
                               third(CLATTN_DV, m->dprojected, 2),
                               arg(CLATTN_DRESIDUAL, m->dx),
                               arg(CLATTN_DNORM_WEIGHT, l->norm_weight.gradient),
                               arg(CLATTN_DNORM_BIAS, l->norm_bias.gradient)};
    device_attend(d, l->backward, args, 12);
    device_product(d, 'a', WIDTH, 3 * WIDTH, TOKENS, x, m->dprojected, 0, l->qkv.gradient);
    device_product(d, 'b', TOKENS, WIDTH, 3 * WIDTH, m->dprojected, l->qkv.value, 1, m->dx);
}

static cl_mem input_of(model *m, int layer)
{
    return layer ? m->layer[layer - 1].x : m->x;
}

static float forward(model *m)
{
    static float losses[TOKENS];
    double sum = 0;
    const size_t letters = (size_t)m->letters;
    const arguments embed = {
        .buffers = 4, .buffer = {m->ids, m->table.value, m->places.value, m->x}, .ints = 2, .integer = {WIDTH, LENGTH}};
    const arguments loss = {
        .buffers = 3, .buffer = {m->wanted, m->logits, m->losses}, .ints = 2, .integer = {m->letters, TOKENS}};
    device_run(m->d, "embed", TOKENS * WIDTH, &embed);
    for (int i = 0; i < m->layers; i++) {
        layer_forward(m->d, &m->layer[i], input_of(m, i));
    }
    device_product(m->d, 0, TOKENS, letters, WIDTH, input_of(m, m->layers), m->out.value, 0, m->logits);
    device_run(m->d, "cross_entropy", TOKENS, &loss);
    device_read(m->d, m->losses, losses, sizeof losses);
    for (int i = 0; i < TOKENS; i++) {
        sum += losses[i] / TOKENS;
    }
    return (float)sum;
}

static void backward(model *m)
{
    const size_t letters = (size_t)m->letters;
    const arguments of_letters = {
        .buffers = 3, .buffer = {m->ids, m->dx, m->table.gradient}, .ints = 2, .integer = {WIDTH, TOKENS}};
    const arguments of_places = {
        .buffers = 2, .buffer = {m->dx, m->places.gradient}, .ints = 3, .integer = {WIDTH, LENGTH, TOKENS}};
    device_product(m->d, 'a', WIDTH, letters, TOKENS, input_of(m, m->layers), m->logits, 0, m->out.gradient);
    device_product(m->d, 'b', TOKENS, WIDTH, letters, m->logits, m->out.value, 0, m->dx);
    for (int i = m->layers - 1; i >= 0; i--) {
        layer_backward(m, &m->layer[i], input_of(m, i));
    }
    device_run(m->d, "embed_letters", letters * WIDTH, &of_letters);
    device_run(m->d, "embed_places", LENGTH * WIDTH, &of_places);
}

float model_train(model *m, const int *ids, const int *wanted, int step, float rate)
{
    device_write(m->d, m->ids, ids, TOKENS * sizeof *ids);
    device_write(m->d, m->wanted, wanted, TOKENS * sizeof *wanted);
    const float loss = forward(m);
    backward(m);
    for (int i = 0; i < m->layers; i++) {
        layer *l = &m->layer[i];
        parameter *parameters[] = {&l->qkv, &l->norm_weight, &l->norm_bias, &l->up, &l->down};
        for (int j = 0; j < 5; j++) {
            parameter_step(m->d, parameters[j], step, rate);
        }
    }
    parameter_step(m->d, &m->table, step, rate);
    parameter_step(m->d, &m->places, step, rate);
    parameter_step(m->d, &m->out, step, rate);
    return loss;
}

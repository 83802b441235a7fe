/* Elements of the model: everything between the dense products and the attention. */
__kernel void embed(__global const int *ids, __global const float *table, __global const float *places,
                    __global float *x, int width, int length)
{
    const int at = get_global_id(0), token = at / width, c = at % width;
    x[at] = table[ids[token] * width + c] + places[token % length * width + c];
}
/* An item a letter and column: sums in order, the same bits every run. */
__kernel void embed_letters(__global const int *ids, __global const float *dx, __global float *dtable, int width,
                            int tokens)
{
    const int at = get_global_id(0), letter = at / width, c = at % width;
    float sum = 0;
    for (int i = 0; i < tokens; i++)
        sum += ids[i] == letter ? dx[i * width + c] : 0;
    dtable[at] = sum;
}
__kernel void embed_places(__global const float *dx, __global float *dplaces, int width, int length, int tokens)
{
    const int at = get_global_id(0);
    float sum = 0;
    for (int i = 0; i < tokens / length; i++)
        sum += dx[i * length * width + at];
    dplaces[at] = sum;
}
__kernel void relu(__global float *x)
{
    x[get_global_id(0)] = max(x[get_global_id(0)], 0.0f);
}
__kernel void relu_backward(__global const float *y, __global float *dy)
{
    if (y[get_global_id(0)] <= 0)
        dy[get_global_id(0)] = 0;
}
__kernel void add(__global const float *x, __global float *y)
{
    y[get_global_id(0)] += x[get_global_id(0)];
}
/* An item a token: logits become the gradient of the mean loss. */
__kernel void cross_entropy(__global const int *wanted, __global float *logits, __global float *losses, int letters,
                            int tokens)
{
    const int token = get_global_id(0);
    __global float *x = logits + token * letters;
    float top = x[0], sum = 0;
    for (int i = 1; i < letters; i++)
        top = max(top, x[i]);
    for (int i = 0; i < letters; i++)
        sum += exp(x[i] - top);
    losses[token] = top + log(sum) - x[wanted[token]];
    for (int i = 0; i < letters; i++)
        x[i] = (exp(x[i] - top) / sum - (i == wanted[token] ? 1.0f : 0.0f)) / tokens;
}
/* Adam (Kingma and Ba 2015). rate: with the corrections of both moments. */
__kernel void adam(__global float *x, __global const float *dx, __global float *first, __global float *second,
                   float rate, float beta1, float beta2, float eps)
{
    const int at = get_global_id(0);
    const float g = dx[at], m = beta1 * first[at] + (1 - beta1) * g, v = beta2 * second[at] + (1 - beta2) * g * g;
    first[at] = m;
    second[at] = v;
    x[at] -= rate * m / (sqrt(v) + eps);
}

/* Trains a small character model with clattn's attention and its gradients, dense products by CLBlast.
 *   train TEXT KERNELS LAYERS STEPS CSV [PLATFORM]
 * LAYERS: one clattn method a layer, separated by '/'. The loss of every step, in nats a letter, goes to CSV. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { MOST_TEXT = 1 << 22 };

typedef struct corpus {
    unsigned char *text; /* letters by number */
    size_t length;
    int letters;
} corpus;

/* The text's bytes, numbered in their order. */
static corpus corpus_read(const char *path)
{
    static unsigned char text[MOST_TEXT];
    int number[256] = {0}, letters = 0;
    FILE *file = fopen(path, "rb");
    const size_t length = file ? fread(text, 1, sizeof text, file) : 0;
    must(length <= TOKENS, path);
    fclose(file);
    for (size_t i = 0; i < length; i++) {
        number[text[i]] = 1;
    }
    for (int i = 0; i < 256; i++) {
        number[i] = number[i] ? letters++ : -1;
    }
    for (size_t i = 0; i < length; i++) {
        text[i] = (unsigned char)number[text[i]];
    }
    return (corpus){text, length, letters};
}

/* BATCH pieces of the text from places drawn by the step's number, and what follows each of their letters. */
static void draw(const corpus *c, int step, int *ids, int *wanted)
{
    uint64_t state = (uint64_t)step;
    for (int b = 0; b < BATCH; b++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const size_t first = (size_t)(state >> 33) % (c->length - LENGTH - 1);
        for (int i = 0; i < LENGTH; i++) {
            ids[b * LENGTH + i] = c->text[first + (size_t)i];
            wanted[b * LENGTH + i] = c->text[first + (size_t)i + 1];
        }
    }
}

/* Slowly at first: layers on layers lose their way otherwise. */
static float rate_of(int step)
{
    const float most = 2e-3f;
    return step < 30 ? most * (float)step / 30 : most;
}

int main(int argc, char **argv)
{
    static int ids[TOKENS], wanted[TOKENS];
    if (argc < 6) {
        fprintf(stderr, "usage: train TEXT KERNELS LAYERS STEPS CSV [PLATFORM]\n");
        return 2;
    }
    const corpus c = corpus_read(argv[1]);
    device d = device_open(argc > 6 ? atoi(argv[6]) : 0, argv[2]);
    model m = model_make(&d, argv[3], c.letters);
    FILE *csv = fopen(argv[5], "w");
    must(csv == NULL, argv[5]);
    fprintf(csv, "step,loss\n");
    for (int step = 1; step <= atoi(argv[4]); step++) {
        draw(&c, step, ids, wanted);
        const float loss = model_train(&m, ids, wanted, step, rate_of(step));
        fprintf(csv, "%d,%.4f\n", step, (double)loss);
        fflush(csv);
        if (step % 10 == 0 || step == 1) {
            printf("step %4d  loss %.4f\n", step, (double)loss);
            fflush(stdout);
        }
    }
    fclose(csv);
    model_release(&m);
    device_close(&d);
    return 0;
}

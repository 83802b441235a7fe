/* The context: an environment, and what was found out about the tiles on its device. */
#ifndef CT_CONTEXT_H
#define CT_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "device/environment.h"

typedef struct ct_tile_state {
    bool probed, usable;
    char why[CT_WHY_BYTES];
} ct_tile_state;

struct clattn_context {
    atomic_int references;
    ct_environment env;
    char backend[16];        /* "" = any */
    bool amx_off;            /* clattn_amx_mode */
    pthread_mutex_t mutex;   /* guards what follows */
    ct_tile_state tiles[16]; /* by index into ct_tiles */
    ct_tile_state dots;      /* tile_cpu_dots, a variant of the CPU tile */
    double dots_rate;        /* of its products, beside float multiply-adds */
    char *describe;
};

/* clattn_context_create() but for the name of a backend, which only the table of tiles knows. */
clattn_status ct_context_create(clattn_context **out, cl_context cl, cl_device_id device,
                                const clattn_context_options *options);

#endif

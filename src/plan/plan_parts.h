/* What a plan is made of. Private to src/plan. */
#ifndef CT_PLAN_PARTS_H
#define CT_PLAN_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "context/context.h"
#include "plan/method.h"
#include "plan/builder.h"

#define CT_MAX_ARGS      64
#define CT_MAX_ZONES     256
#define CT_MAX_CONSTANTS 24
#define CT_VALUE_BYTES   512
/* in a second or third dimension: CUDA's bound; what has more is launched in the first */
#define CT_MOST_GROUPS 65535

/* What a kernel is known to have in the place of an argument, so that it need not be set again. A caller's buffer is
 * set for every launch: a new memory object may have the handle of one that is gone. */
typedef enum ct_holds { CT_HOLDS_UNKNOWN = 0, CT_HOLDS_NOTHING, CT_HOLDS_CONSTANT, CT_HOLDS_VALUE } ct_holds;

typedef struct ct_kernel_arg {
    bool buffer, alone; /* alone: without an offset */
    bool pointer;       /* of a buffer: the kernel has a shared pointer in this place */
    bool holds_offset;  /* and `offset` behind it */
    ct_holds holds;
    cl_long offset;
    ct_ref ref;
    size_t bytes; /* of a value */
    unsigned char value[CT_VALUE_BYTES];
} ct_kernel_arg;

struct ct_launch {
    ct_program_spec spec;
    ct_kernel_arg args[CT_MAX_ARGS];
    int n_args, n_values, warm; /* warm: index among the values, -1: none */
    size_t groups[3], items;
    size_t offset[3]; /* of the first item: FOLD_X, FOLD_Y of cl/tile/tile.cl, else 0 */
    bool main, overflow, too_many;
    uint64_t serves; /* see ct_builder_serves */
    const ct_program *program;
    cl_kernel kernel;
};

typedef struct ct_plan_slot {
    int want;
    clattn_dtype dtype;
    int rank;
    int64_t dims[5];
    int64_t bytes;
} ct_plan_slot;
typedef struct ct_zone {
    const char *name;
    int64_t offset, bytes;
    int element;
} ct_zone;

struct clattn_plan {
    atomic_int references;
    clattn_allocator allocator;
    clattn_context *context;
    clattn_problem problem;
    clattn_layout *layout;      /* NULL if the method takes none */
    char *texts[CT_TEXT_ROLES]; /* copies; the problem points here */
    bool reads_buffer;          /* a text mentions it */
    const struct ct_tile *tile;
    const char *backend;   /* the tile's name */
    const char *options;   /* of its programs, see ct_program_spec */
    bool untried;          /* nobody has run the tile: all its programs are tried */
    pthread_mutex_t mutex; /* kernel arguments are set and launched under it */
    ct_launch **launches;
    int n_launches, room; /* room: of `launches` */
    ct_plan_slot slots[CLATTN_SLOT_COUNT];
    ct_zone zones[CT_MAX_ZONES];
    int n_zones;
    struct {
        const char *name;
        cl_mem mem;
        int element;
    } constants[CT_MAX_CONSTANTS];
    int n_constants;
    int64_t workspace;
    int aligned; /* q, k, v, o must start at multiples of so many elements; 0: anywhere */
    ct_work work;
    /* a compiler died of the caller's text or of the rest: what is chosen next is tried, too */
    bool died;
    bool blames_text;       /* a compiler's log names the caller's text: nobody else is asked */
    const char *instead_of; /* the first candidate that came as far as its programs and declined; NULL: none */
    double density, compile_ms;
    int origins[3];
    char note[256]; /* how the work was cut */
    bool any_order; /* some sums are in the order of arrival */
    ct_text describe, explain;
};

struct ct_builder {
    clattn_plan *plan;
    uint64_t serves;
    uint64_t replaced; /* a set of slots, whose place is taken by those of `instead` */
    ct_ref instead[CLATTN_SLOT_COUNT];
    bool again;
    char declined[512];
};

/* Forgets what a candidate that declined has left. */
void ct_plan_clear(clattn_plan *plan);
/* Programs, kernels, warm-up launches. */
clattn_status ct_plan_finish(clattn_plan *plan);
cl_int ct_launch_enqueue(const ct_launch *launch, cl_command_queue queue, cl_uint n_wait, const cl_event *wait_list,
                         cl_event *event);
/* Sets all arguments of a launch. `args` by slot; NULL: the warm-up, with `scratch` for every buffer. */
clattn_status ct_launch_set(clattn_plan *plan, ct_launch *launch, const clattn_buf *args, clattn_buf workspace,
                            cl_mem scratch);

#endif

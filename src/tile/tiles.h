/* The host's row of each tile: which files, which devices, which shapes. A new machine is one tile file and one row in
 * tiles.c. */
#ifndef CT_TILES_H
#define CT_TILES_H

#include "plan/builder.h"

/* A choice of tile sizes for an attend stage. */
typedef struct ct_shape {
    int bm, bn;           /* rows and columns of a pair tile */
    int step, cols;       /* queries and keys of a block that a tile holds: step * pack <= bm, cols <= bn */
    int items;            /* work-items of a group */
    const char *rows;     /* another text than the tile's rows, for this shape; NULL: none */
    const char *schedule; /* another order than the tile's; NULL: none */
    bool shares;          /* backwards: groups share the sums of a head, so that one pass gives every gradient */
    bool gathers;         /* backwards: so it does where a group does blocks of keys of a head, one after another */
    int places;           /* of gathers: groups a compute unit, each for a part of a head; 0: heads are whole */
    int groups;           /* that a compute unit must have room for; 0: not said */
    int resident; /* groups stay and take items until none is left: so many a compute unit; 0: a group an item */
    bool untried; /* nobody has run it: see clattn_trial_mode */
    int parts;    /* of the value columns, a group each (accumulate); 0: one */
    /* what a state is summed from may be rounded to the storage type unless float_state is asked for (accumulate) */
    bool rounds_state;
    ct_define extra[16];
    int n_extra;
} ct_shape;

/* What masks and texts read besides the tensors: each takes more registers than the one before. */
typedef enum ct_reads { CT_READS_NOTHING = 0, CT_READS_KEYS, CT_READS_BIAS, CT_READS_RULES } ct_reads;

/* The rows of a tensor, and how far apart two lie, in elements. */
typedef struct ct_rows {
    const char *name;
    int64_t count, stride;
} ct_rows;

/* Element types of the tensors that a stage reads by tiles. */
typedef struct ct_types {
    clattn_dtype q, k, v;
} ct_types;

typedef struct ct_shape_wish {
    /* of the layout, in tokens; 0: free, every key is listed. accumulate: block_q is the chunk, or 0 */
    int block_q, block_k;
    int64_t nq, nk; /* queries of the longest sequence; keys of a usual one */
    int dk, dv, pack;
    bool window;
    ct_reads reads;
    bool bias; /* something is added to every pair */
    bool causal;
    int aligned;        /* rows, widths and offsets are multiples of so many elements: 8, 4 or 1 */
    clattn_dtype dtype; /* of q; of all tensors where the tile does not mix them */
    int element;        /* bytes of the widest one's; 0: dtype's */
    bool tf32;          /* float operands may be rounded to 10 bits of mantissa */
    bool dots;          /* bfloat16 and ct_dots_pay() */
    bool backward;      /* two held blocks, two tiles of pairs, and results stay; dk = dv */
    bool turned;        /* backwards: rows are keys, and two results stay; else one */
    bool texts;         /* backwards: a text changes scores, and needs them until their slopes are known */
    bool share;         /* backwards: a shape that shares, if there is one for this */
    /* accumulate: tiles that arrive every step; the shapes of a problem's stages differ in nothing but defines */
    int streams;
    ct_rows tensors[3]; /* q, k, v: a tile that counts rows in 32 bits declines strides beyond them */
    bool float_state;   /* accumulate: the state leaves: it is to be as good as float, whatever the storage */
} ct_shape_wish;

typedef struct ct_tile {
    const char *name;
    const char *rows[3];   /* texts for stages whose rows stay (attend), as many as there are before NULL */
    const char *states[3]; /* texts for stages whose rows stream past a state (accumulate) */
    const char *lines;     /* text for line kernels */
    const char *share;     /* where an element of sums lies that workers of shapes that share leave; NULL: none */
    int line_items;        /* of a group of a line kernel; 1: a CPU's */
    int row_items;         /* at most, of a group that does several lines which are rows; 0: it does one */
    /* buffers whose rows are aligned to so many elements must begin so, too: they are read that way; 0: no matter */
    int vectors;
    /* Asks the system for what the probe needs, on behalf of the process; false, with the reason, if it refuses or the
     * context forbids it to be asked. NULL: nothing is asked. */
    bool (*permitted)(const clattn_context *context, char *why, size_t bytes);
    const char *probe; /* kernel text that must build, run and be right; NULL: none */
    int probe_items;
    /* False, with the reason, if the device's facts alone rule it out. */
    bool (*accepts)(const ct_device_facts *facts, char *why, size_t bytes);
    /* False, with the reason, if no shape fits. */
    bool (*shape)(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why, size_t bytes);
    /* The same for stages whose rows stream past a state: bm = bn, step a chunk. NULL: it has no state words. */
    bool (*state_shape)(const ct_device_facts *facts, const ct_shape_wish *wish, ct_shape *out, char *why,
                        size_t bytes);
    const char *schedule;   /* of its stages; a shape's -D say how (OVERLAP, TURNS); NULL: serial */
    const char *options;    /* of the compiler; NULL: CT_USUAL_OPTIONS */
    const char *ptx_target; /* of its programs, see ct_program_spec */
    /* What kernels of this tile get instead of tensors; NULL: the tensors. Adds launches and replaces each tensor's
     * ref. */
    clattn_status (*tensors)(ct_builder *b, ct_tensor_in *tensors, int n, int64_t sequences,
                             const struct ct_shape *shape);
    /* of keys and values that heads may read in turns, see HEAVY_LAST in tile.cl; 0: they follow one another */
    int64_t crowd_bytes;
    /* nobody has run any of it: its probe and all its programs are tried, see clattn_trial_mode */
    bool untried;
    bool mixes;     /* tensors may be of different element types */
    bool backward;  /* it has what passes backwards ask of rows */
    bool rows_only; /* all but its rows is another tile's: declines plans of which no kernel reads rows */
    bool tf32;      /* takes float tensors where the problem has tf32=1, and rounds them as operands */
} ct_tile;

int ct_types_widest(const ct_types *types);
/* Declines types that this candidate's tile does not mix. */
clattn_status ct_types_taken(ct_builder *b, const ct_types *types);
/* Tells a kernel of what storage each tensor is where they differ, see cl/tile/storage.cl. streams: the letters of the
 * tensors that its streams are, by number: "kv"; held: that of its held rows. */
void ct_launch_mixed(ct_launch *l, const ct_types *types, const char *streams, char held);
/* 8, 4 or 1: what all of these strides and widths are multiples of. */
int ct_tile_aligned(const int64_t *lengths, size_t count);
extern const ct_tile ct_tiles[]; /* in order of preference; the last one, ref, accepts everything */
extern const int ct_tile_count;
/* The place of the tile of that name, which is one of them. */
int ct_tile_index(const char *name);
/* "cpu_amx, cpu, nv_wgmma, ...": all of them. */
void ct_tile_names(char *names, size_t bytes);

/* Can this context's CPU tile use the dot products of tile_cpu_dots? Probes once. */
bool ct_dots_usable(clattn_context *context);
/* And are they faster than what they replace here? */
bool ct_dots_pay(clattn_context *context);
/* False if the caller's wish, the device's facts or an earlier probe rule the tile out; runs nothing. `why` gets the
 * reason, or "". */
bool ct_tile_possible(clattn_context *context, int index, char why[CT_WHY_BYTES]);
/* Probes until that has settled it, which is once a context unless there was no memory. `why` gets the reason, or "".
 */
bool ct_tile_usable(clattn_context *context, int index, char why[CT_WHY_BYTES]);

#endif

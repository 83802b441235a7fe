/* A plan under construction: launches over slots, workspace zones and constants. Stages add launches; methods call
 * stages. */
#ifndef CT_BUILDER_H
#define CT_BUILDER_H

#include "context/context.h"
#include "program/program.h"

/* Where a kernel's buffer comes from. */
typedef enum ct_where { CT_NOWHERE = 0, CT_SLOT, CT_ZONE, CT_CONSTANT } ct_where;
typedef struct ct_ref {
    ct_where where;
    int index;
    int64_t offset; /* elements of `element` bytes, added to the slot's own offset */
    int element;    /* bytes of one element: kernels get (buffer, long offset in elements) */
    /* what is read through this, which kernels get as a third argument, so that the runtime keeps it for them: index +
     * 1 of a slot, -1 - index of a zone; 0: nothing */
    int behind;
} ct_ref;
static inline ct_ref ct_nothing(void)
{
    return (ct_ref){CT_NOWHERE, 0, 0, 1, 0};
}
static inline bool ct_is(ct_ref ref)
{
    return ref.where != CT_NOWHERE;
}

typedef struct ct_builder ct_builder;
typedef struct ct_launch ct_launch;
struct ct_tile;

typedef struct ct_work {
    double flop, bytes, exps;
    double pairs; /* of a softmax: visible ones */
    bool softmax;
} ct_work;

/* A tensor that a stage loads by tiles, for machines whose kernels get something else than a pointer (ct_tile.tensors).
 */
typedef struct ct_tensor_in {
    const char *name;
    ct_ref ref;
    clattn_strides strides;
    clattn_dtype dtype;
    int64_t width, rows, heads, batches;
    int box;      /* rows that one load fetches */
    int pack;     /* heads of a group that follow each other as rows; 1: none */
    ct_ref cu;    /* where packed sequences begin, or nothing */
    bool of_keys; /* cu is that of keys; tensors of queries come first */
} ct_tensor_in;

/* The things a stage may ask. */
clattn_context *ct_builder_context(ct_builder *b);
const struct ct_tile *ct_builder_tile(ct_builder *b);
const clattn_problem *ct_builder_problem(ct_builder *b);
const clattn_allocator *ct_builder_allocator(ct_builder *b);

/* A slot of the caller's, of the type and shape that the table of slots says: declares it. want: 1 optional, 2 needed.
 * Returns its ref. */
ct_ref ct_builder_slot(ct_builder *b, clattn_slot slot, int want);
/* Where packed sequences begin: slot CU_SEQLENS, needed, or CU_SEQLENS_K, needed if nk != nq, else CU_SEQLENS in its
 * place if it is left out. */
ct_ref ct_builder_cuts(ct_builder *b, clattn_slot slot);
/* Until they are given back a slot's place is taken by something else, perhaps nothing: stages that ask for the slot
 * get that, and declare nothing. */
void ct_builder_replace(ct_builder *b, clattn_slot slot, ct_ref by);
void ct_builder_give_back(ct_builder *b);
/* Takes a declaration back: passing this slot is an error again. */
void ct_builder_drop(ct_builder *b, clattn_slot slot);
/* A zone of the workspace (256-byte aligned). */
ct_ref ct_builder_zone(ct_builder *b, const char *name, int64_t elements, int element);
/* Host data copied into a device buffer that the plan owns. */
clattn_status ct_builder_constant(ct_builder *b, const char *name, const void *data, int64_t elements, int element,
                                  ct_ref *out);
ct_ref ct_ref_at(ct_ref ref, int64_t offset_elements);

/* A launch: fill its spec (parts, defines), then its arguments in the kernel's order, then its groups. Launches run in
 * the order they were added. */
clattn_status ct_builder_launch(ct_builder *b, const char *kernel, ct_launch **out);
ct_program_spec *ct_launch_spec(ct_launch *l);
void ct_launch_define(ct_launch *l, const char *name, long value);
/* A global pointer argument: in the kernel  BUFFER(type, name)  = two arguments, see cl/tile/tile.cl. */
void ct_launch_buffer(ct_launch *l, ct_ref ref);
/* A by-value argument; copied, at most 512 bytes. */
void ct_launch_value(ct_launch *l, const void *value, size_t bytes);
/* Work-groups in three dimensions, and items of a group (dimension 0 only). */
void ct_launch_groups(ct_launch *l, int64_t x, int64_t y, int64_t z, int items);
/* The argument that makes every group return at once: value argument `argument` (counted over ct_launch_value calls) is
 * replaced by `bytes` zeros for the warm-up launch at plan creation. Kernels must read nothing before that test. */
void ct_launch_warm(ct_launch *l, int value_index);
/* Of launches added from now on: one that serves outputs alone that the caller may leave out is left out with them.
 * `slots`: a set of CT_ONE_SLOT; 0: every launch is made. */
#define CT_ONE_SLOT(slot) ((uint64_t)1 << (slot))
void ct_builder_serves(ct_builder *b, uint64_t slots);
/* q, k, v, o must start at multiples of so many elements: the kernels read vectors. */
void ct_builder_align(ct_builder *b, int elements);
/* Adds up, unless what is launched now is done a second time and no useful work. */
void ct_builder_work(ct_builder *b, ct_work work);
void ct_builder_again(ct_builder *b, bool again);
/* Marks the launch whose name stands for the plan. */
void ct_launch_main(ct_launch *l);
/* How the work was cut, for `plan --explain`. The last one counts. */
void ct_builder_note(ct_builder *b, const char *format, ...) CT_PRINTF(2, 3);
/* Sums are taken in the order of arrival, as deterministic=0 permits. */
void ct_builder_any_order(ct_builder *b);
/* A condition under which this backend cannot do it: makes the candidate decline, with the reason. Returns
 * CLATTN_DEVICE_LACKS. */
clattn_status ct_builder_decline(ct_builder *b, const char *format, ...) CT_PRINTF(2, 3);

#endif

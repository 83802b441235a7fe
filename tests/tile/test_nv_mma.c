/* tile_nv_mma without an NVIDIA GPU: the device is made out to be one, and cl/tile/nv_warp.cl, the tile's only PTX, is
 * replaced by nv_warp_emulated.cl. All else is what a GPU gets: shapes, lists, arguments, every index and every barrier
 * of tile, stage and schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "context/context.h"
#include "tile/tiles.h"
#include "support/env.h"
#include "support/texts.h"

static int setup(void **state)
{
    return ct_texts_emulate_setup(state, ct_texts_emulate_warps,
                                  "the tile itself runs there, its emulation is for CPUs");
}

static clattn_context *emulated_context(void **state)
{
    clattn_context_options options = CLATTN_CONTEXT_OPTIONS_INIT;
    options.backend = "nv_mma";
    options.trial = CLATTN_TRIAL_OFF; /* what compiles here is the emulation */
    options.cache_mode = CLATTN_CACHE_OFF;
    clattn_context *context = ct_env_context(*state, &options);
    context->env.facts.nv_capability = 80;
    return context;
}

static void check_all(void **state, const char *const *problems, size_t n)
{
    ct_env env = *(ct_env *)*state;
    ct_texts_use(true);
    env.place.context = emulated_context(state);
    for (size_t i = 0; i < n; i++) {
        ct_assert_check(&env, problems[i], 21 + i);
    }
    clattn_context_release(env.place.context);
    ct_texts_use(false);
}

/* Widths: whole and cut chunks, aligned rows and not, dqk above and below dv; both blockings; ragged ends. */
static void widths(void **state)
{
    static const char *const problems[] = {
        "dense h=2 nq=70 nk=90 d=64 dtype=bf16",         "dense h=1 n=150 d=64 dtype=f16 causal=1",
        "dense h=1 n=75 d=128 dtype=bf16 causal=1",      "dense h=1 nq=140 nk=60 d=80 dtype=f16",
        "dense h=1 nq=20 nk=131 d=37 dtype=bf16",        "dense h=1 nq=33 nk=50 dqk=40 dv=24 dtype=f16",
        "dense h=1 nq=17 nk=66 dqk=8 dv=200 dtype=bf16",
    };
    check_all(state, problems, sizeof problems / sizeof *problems);
}

/* Heads of a group as rows, keys split over groups, bias in pairs and by element, packed sequences, strides; lists of
 * whole and of cut blocks, rules by token, keys at positions of their own. */
static void features(void **state)
{
    static const char *const problems[] = {
        "dense hq=8 hk=2 nq=1 nk=1100 d=64 dtype=bf16 pass=decode",
        "dense hq=6 hk=2 nq=7 nk=90 d=40 dtype=f16 causal=1 softcap=20",
        "dense h=2 nq=66 nk=130 d=64 dtype=bf16 bias=1 alibi=1 key_padding=1",
        "dense h=2 n=100 d=64 dtype=f16 sequences=3 causal=1 sink=1 layout=bnhd",
        "block_sparse pattern=bigbird block=16 h=1 n=160 d=64 dtype=f16",
        "block_sparse pattern=longformer window=40,40 block=48 h=1 n=200 d=32 dtype=bf16",
        "hybrid h=1 n=200 d=64 dtype=bf16 window=32,32 samples=50",
        "hybrid hq=4 hk=2 nq=3 nk=200 d=72 dtype=bf16 window=60,60 samples=20 gate=1",
    };
    check_all(state, problems, sizeof problems / sizeof *problems);
}

/* Floats that may be rounded: one to a register, keys in another order. */
static void tf32(void **state)
{
    static const char *const problems[] = {
        "dense h=1 nq=70 nk=75 d=64 tf32=1",
        "dense h=1 nq=40 nk=75 d=100 causal=1 tf32=1",
        "dense hq=2 hk=1 nq=9 nk=40 dqk=37 dv=16 tf32=1",
    };
    check_all(state, problems, sizeof problems / sizeof *problems);
}

/* Gradients: held rows in local memory, streams that two products of a step read, the next head's rows. */
static void gradients(void **state)
{
    static const char *const problems[] = {
        "block_sparse pattern=bigbird block=16 hq=4 hk=2 n=96 d=64 dtype=bf16 pass=bwd",
        "dense hq=2 hk=1 n=75 d=128 dtype=f16 sequences=3 causal=1 alibi=1 softcap=20 pass=bwd",
        "dense h=1 nq=40 nk=50 dqk=37 dv=24 tf32=1 bias=1 key_padding=1 sink=1 pass=bwd",
    };
    check_all(state, problems, sizeof problems / sizeof *problems);
}

/* Under the other schedule: loads are not ahead, and front(j) reads before back(j - 1) does. */
static void overlap(void **state)
{
    static const char *const problems[] = {"dense h=1 nq=70 nk=200 d=64 dtype=bf16"};
    ct_texts_replace("schedule/serial.cl", "schedule/overlap.cl");
    check_all(state, problems, sizeof problems / sizeof *problems);
    ct_texts_replace("schedule/serial.cl", "schedule/serial.cl");
}

/* What the shapes rule out costs no probe, nor the process of its own that an untried one takes. */
static void shapes_come_before_probes(void **state)
{
    clattn_context *context = emulated_context(state);
    clattn_problem problem;
    clattn_plan *plan = NULL;
    int index = 0;
    while (strcmp(ct_tiles[index].name, "nv_mma") != 0) {
        index++;
    }
    ct_assert_status(clattn_problem_parse(&problem, "dense n=64 d=64"), CLATTN_OK, NULL);
    ct_assert_status(clattn_plan_create(&plan, context, &problem, NULL), CLATTN_DEVICE_LACKS, "tf32=1");
    assert_false(context->tiles[index].probed);
    clattn_context_release(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_come_before_probes),
        cmocka_unit_test(widths),
        cmocka_unit_test(features),
        cmocka_unit_test(tf32),
        cmocka_unit_test(gradients),
        cmocka_unit_test(overlap),
    };
    return cmocka_run_group_tests(tests, setup, ct_texts_emulate_teardown);
}

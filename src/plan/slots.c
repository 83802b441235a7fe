#include "plan/slots.h"

#include <stddef.h>
#include <string.h>

#include "plan/problem.h"

#define AT(field) offsetof(clattn_problem, field)
#define READ                                                                                                           \
    {                                                                                                                  \
        CT_INPUT, CT_INPUT, CT_INPUT                                                                                   \
    }
#define WRITTEN                                                                                                        \
    {                                                                                                                  \
        CT_OUTPUT, CT_INPUT, CT_OUTPUT                                                                                 \
    } /* and read by the pass backwards */
#define MADE                                                                                                           \
    {                                                                                                                  \
        [CLATTN_FWD] = CT_OUTPUT, [CLATTN_DECODE] = CT_OUTPUT                                                          \
    }
#define ARRIVING                                                                                                       \
    {                                                                                                                  \
        [CLATTN_BWD] = CT_INPUT                                                                                        \
    }
#define GRADIENT                                                                                                       \
    {                                                                                                                  \
        [CLATTN_BWD] = CT_OUTPUT                                                                                       \
    }
#define I32          CLATTN_I32
#define D(name)      CT_DIM_##name
#define BEHIND(slot) ((slot) + 1)

/* clang-format off */
const ct_slot_row ct_slots[CLATTN_SLOT_COUNT] = {
    [CLATTN_Q] = {.name = "q", .help = "needed", .dtype = CT_TYPED, .dims = {D(B), D(HQ), D(NQ), D(DQK)},
        .roles = READ, .strides = AT(q), .contents = CT_TOKENS},
    [CLATTN_K] = {.name = "k", .help = "needed", .dtype = CT_TYPED_KV, .dims = {D(B), D(HK), D(NK), D(DQK)},
        .roles = READ, .strides = AT(k), .contents = CT_TOKENS},
    [CLATTN_V] = {.name = "v", .help = "needed", .dtype = CT_TYPED_KV, .dims = {D(B), D(HK), D(NK), D(DV)},
        .roles = READ, .strides = AT(v), .contents = CT_TOKENS},
    [CLATTN_O] = {.name = "o", .label = "O", .help = "the same as --out", .dtype = CT_TYPED,
        .dims = {D(B), D(HQ), D(NQ), D(DV)},
        .roles = WRITTEN, .strides = AT(o), .contents = CT_TOKENS},
    [CLATTN_LSE] = {.name = "lse", .label = "LSE", .help = "write this", .dims = {D(B), D(HQ), D(NQ)}, .roles = WRITTEN,
        .contents = CT_LOG_SUMS},
    [CLATTN_STATE_IN] = {.name = "state-in", .dims = {D(SEQUENCES), D(HQ), D(DQK), D(STATE)}, .roles = READ,
        .contents = CT_STATES, .implies = "state=1"},
    [CLATTN_STATE_OUT] = {.name = "state-out", .label = "state", .help = "write this",
        .dims = {D(SEQUENCES), D(HQ), D(DQK), D(STATE)},
        .roles = MADE, .contents = CT_STATES,
        .implies = "state=1", .in_place_of = BEHIND(CLATTN_STATE_IN)},
    [CLATTN_DECAY] = {.name = "decay", .dims = {D(HQ)}, .per_token = {D(B), D(HQ), D(NK)}, .roles = READ,
        .contents = CT_DECAYS},
    [CLATTN_GATE] = {.name = "gate", .dims = {D(B), D(HQ), D(NQ)}, .roles = READ, .contents = CT_GATES,
        .implies = "gate=1"},
    [CLATTN_GATE_WEIGHT] = {.name = "gate-weight", .dims = {D(HQ), D(DQK)}, .roles = READ, .contents = CT_WEIGHTS,
        .implies = "gate=2"},
    [CLATTN_GATE_BIAS] = {.name = "gate-bias", .dims = {D(HQ)}, .roles = READ},
    [CLATTN_BIAS] = {.name = "bias", .dims = {D(BIAS_B), D(BIAS_H), D(NQ), D(NK)}, .roles = READ,
        .contents = CT_BIASES, .implies = "bias=1"},
    [CLATTN_SINK] = {.name = "sink", .dims = {D(HQ)}, .roles = READ, .implies = "sink=1"},
    [CLATTN_ALIBI_SLOPES] = {.name = "alibi-slopes", .dims = {D(HQ)}, .roles = READ, .contents = CT_SLOPES,
        .implies = "alibi=2"},
    [CLATTN_KEY_PADDING] = {.name = "key-padding", .dtype = CLATTN_U8, .dims = {D(B), D(NK)}, .roles = READ,
        .contents = CT_FLAGS, .implies = "key_padding=1"},
    [CLATTN_CU_SEQLENS] = {.name = "cu-seqlens", .dtype = I32, .dims = {D(CUTS)}, .roles = READ, .contents = CT_CUTS},
    [CLATTN_CU_SEQLENS_K] = {.name = "cu-seqlens-k", .dtype = I32, .dims = {D(CUTS)}, .roles = READ,
        .contents = CT_CUTS},
    [CLATTN_ROW_PTR] = {.name = "row-ptr", .dtype = I32, .dims = {D(ENDS)}, .roles = READ, .contents = CT_LISTS,
        .implies = "pattern=csr"},
    [CLATTN_COL_IDX] = {.name = "col-idx", .dtype = I32, .dims = {D(OPEN)}, .roles = READ, .contents = CT_LISTS},
    [CLATTN_BLOCK_MASK] = {.name = "block-mask", .dtype = CLATTN_U8, .dims = {D(HEADS), D(ROWS), D(COLS)},
        .roles = READ, .contents = CT_LISTS, .implies = "pattern=mask"},
    [CLATTN_BLOCK_TABLE] = {.name = "block-table", .dtype = I32, .dims = {D(HEADS), D(ROWS), D(WIDTH)}, .roles = READ,
        .contents = CT_LISTS, .implies = "pattern=table"},
    [CLATTN_POSITIONS] = {.name = "positions", .dtype = I32, .dims = {D(SAMPLES)}, .roles = READ,
        .contents = CT_POSITIONS},
    [CLATTN_TEXT_BUFFER] = {.name = "text-buffer", .dims = {D(TEXT)}, .roles = READ},
    [CLATTN_O_PARTS] = {.name = "o-parts", .dims = {D(PARTS), D(B), D(HQ), D(NQ), D(DV)}, .roles = READ},
    [CLATTN_SCORES] = {.name = "scores", .dims = {D(B), D(HQ), D(ROWS), D(COLS)}, .roles = READ, .contents = CT_RANKS,
        .implies = "pattern=scores"},
    [CLATTN_LISTS] = {.name = "lists", .help = "write this", .dtype = I32, .dims = {D(B), D(HQ), D(ROWS), D(WIDTH)},
        .roles = MADE, .contents = CT_CHOICES},
    [CLATTN_LSE_PARTS] = {.name = "lse-parts", .dims = {D(PARTS), D(B), D(HQ), D(NQ)}, .roles = READ,
        .contents = CT_LOG_SUMS},
    [CLATTN_DO] = {.name = "do", .help = "needed with pass=bwd", .dtype = CT_TYPED, .dims = {D(B), D(HQ), D(NQ), D(DV)},
        .roles = ARRIVING, .strides = AT(o), .contents = CT_TOKENS},
    [CLATTN_DLSE] = {.name = "dlse", .dims = {D(B), D(HQ), D(NQ)}, .roles = ARRIVING},
    [CLATTN_DQ] = {.name = "dq", .label = "dQ", .help = "write this", .dtype = CT_TYPED,
        .dims = {D(B), D(HQ), D(NQ), D(DQK)}, .roles = GRADIENT, .strides = AT(q), .contents = CT_TOKENS},
    [CLATTN_DK] = {.name = "dk", .label = "dK", .help = "write this", .dtype = CT_TYPED,
        .dims = {D(B), D(HK), D(NK), D(DQK)}, .roles = GRADIENT, .strides = AT(k), .contents = CT_TOKENS},
    [CLATTN_DV] = {.name = "dv", .label = "dV", .help = "write this", .dtype = CT_TYPED,
        .dims = {D(B), D(HK), D(NK), D(DV)}, .roles = GRADIENT, .strides = AT(v), .contents = CT_TOKENS},
    [CLATTN_DSINK] = {.name = "dsink", .help = "write this", .dims = {D(HQ)}, .roles = GRADIENT},
    [CLATTN_DBIAS] = {.name = "dbias", .help = "write this", .dims = {D(BIAS_B), D(BIAS_H), D(NQ), D(NK)},
        .roles = GRADIENT},
    [CLATTN_DALIBI_SLOPES] = {.name = "dalibi-slopes", .help = "write this", .dims = {D(HQ)}, .roles = GRADIENT},
    [CLATTN_DSTATE_OUT] = {.name = "dstate-out", .dims = {D(SEQUENCES), D(HQ), D(DQK), D(STATE)}, .roles = ARRIVING,
        .contents = CT_STATES, .implies = "state=1"},
    [CLATTN_DSTATE_IN] = {.name = "dstate-in", .help = "write this",
        .dims = {D(SEQUENCES), D(HQ), D(DQK), D(STATE)}, .roles = GRADIENT, .contents = CT_STATES,
        .implies = "state=1"},
    [CLATTN_DDECAY] = {.name = "ddecay", .help = "write this", .dims = {D(HQ)}, .per_token = {D(B), D(HQ), D(NK)},
        .roles = GRADIENT, .implies = "ddecay=1"},
    [CLATTN_DGATE] = {.name = "dgate", .help = "write this", .dims = {D(B), D(HQ), D(NQ)}, .roles = GRADIENT,
        .implies = "gate=1", .of_outputs = true},
    [CLATTN_DGATE_WEIGHT] = {.name = "dgate-weight", .help = "write this", .dims = {D(HQ), D(DQK)}, .roles = GRADIENT,
        .implies = "gate=2", .of_outputs = true},
    [CLATTN_DGATE_BIAS] = {.name = "dgate-bias", .help = "write this", .dims = {D(HQ)}, .roles = GRADIENT,
        .implies = "gate=2", .of_outputs = true},
    [CLATTN_DO_PARTS] = {.name = "do-parts", .help = "write this", .dims = {D(PARTS), D(B), D(HQ), D(NQ), D(DV)},
        .roles = GRADIENT},
    [CLATTN_DLSE_PARTS] = {.name = "dlse-parts", .help = "write this", .dims = {D(PARTS), D(B), D(HQ), D(NQ)},
        .roles = GRADIENT},
    [CLATTN_RESIDUAL] = {.name = "residual", .dtype = CT_TYPED, .dims = {D(B), D(HQ), D(NQ), D(DV)}, .roles = READ,
        .strides = AT(o), .contents = CT_TOKENS, .implies = "residual=1"},
    [CLATTN_SUM_OUT] = {.name = "sum-out", .label = "sum", .help = "write this", .dtype = CT_TYPED,
        .dims = {D(B), D(HQ), D(NQ), D(DV)}, .roles = MADE, .strides = AT(o), .contents = CT_TOKENS},
    [CLATTN_NORM_WEIGHT] = {.name = "norm-weight", .dims = {D(HQ), D(DV)}, .roles = READ},
    [CLATTN_NORM_BIAS] = {.name = "norm-bias", .dims = {D(HQ), D(DV)}, .roles = READ},
    [CLATTN_NORM_STATS] = {.name = "norm-stats", .help = "write this", .dims = {D(B), D(NQ), D(TWO)}, .roles = MADE},
    [CLATTN_DSUM_OUT] = {.name = "dsum-out", .dtype = CT_TYPED, .dims = {D(B), D(HQ), D(NQ), D(DV)}, .roles = ARRIVING,
        .strides = AT(o), .contents = CT_TOKENS},
    [CLATTN_DRESIDUAL] = {.name = "dresidual", .label = "dresidual", .help = "write this", .dtype = CT_TYPED,
        .dims = {D(B), D(HQ), D(NQ), D(DV)}, .roles = GRADIENT, .strides = AT(o), .contents = CT_TOKENS,
        .implies = "residual=1"},
    [CLATTN_DNORM_WEIGHT] = {.name = "dnorm-weight", .help = "write this", .dims = {D(HQ), D(DV)}, .roles = GRADIENT},
    [CLATTN_DNORM_BIAS] = {.name = "dnorm-bias", .help = "write this", .dims = {D(HQ), D(DV)}, .roles = GRADIENT},
};
/* clang-format on */

static int64_t dim_of(const clattn_problem *p, const clattn_layout_info *l, ct_dim dim)
{
    const int64_t sizes[] = {
        [CT_DIM_B] = p->b,
        [CT_DIM_HQ] = p->hq,
        [CT_DIM_HK] = p->hk,
        [CT_DIM_NQ] = p->nq,
        [CT_DIM_NK] = p->nk,
        [CT_DIM_DQK] = p->dqk,
        [CT_DIM_DV] = p->dv,
        [CT_DIM_STATE] = p->dv + (p->normalise != 0),
        [CT_DIM_SEQUENCES] = ct_problem_batches(p),
        [CT_DIM_CUTS] = p->sequences + 1,
        [CT_DIM_BIAS_B] = p->bias_b ? p->bias_b : p->b,
        [CT_DIM_BIAS_H] = p->bias_h ? p->bias_h : p->hq,
        [CT_DIM_PARTS] = p->parts ? p->parts : 2,
        [CT_DIM_SAMPLES] = p->samples,
        [CT_DIM_TEXT] = p->text_buffer,
        [CT_DIM_HEADS] = l->heads,
        [CT_DIM_ENDS] = (int64_t)l->heads * l->rows + 1,
        [CT_DIM_ROWS] = l->rows,
        [CT_DIM_COLS] = l->cols,
        [CT_DIM_WIDTH] = l->longest_row,
        [CT_DIM_TWO] = 2,
        [CT_DIM_OPEN] = 0,
    };
    return sizes[dim];
}

int ct_slot_shape(const clattn_problem *problem, const clattn_layout *layout, clattn_slot slot,
                  int64_t dims[CT_MOST_DIMS])
{
    const ct_slot_row *row = &ct_slots[slot];
    const bool per_token = problem->decay == CLATTN_DECAY_TOKEN && row->per_token[0];
    clattn_layout_info info = {.struct_size = sizeof info};
    int rank = 0;
    if (layout && row->contents >= CT_RANKS) {
        (void)clattn_layout_get_info(layout, &info); /* fails for NULL only */
    }
    for (; rank < CT_MOST_DIMS && row->dims[rank]; rank++) {
        dims[rank] = dim_of(problem, &info, row->dims[rank]);
    }
    if (per_token) {
        for (rank = 0; rank < CT_MOST_DIMS && row->per_token[rank]; rank++) {
            dims[rank] = dim_of(problem, &info, row->per_token[rank]);
        }
    }
    return rank;
}

clattn_dtype ct_slot_dtype(const clattn_problem *problem, clattn_slot slot)
{
    const int dtype = ct_slots[slot].dtype;
    if (dtype == CT_TYPED_KV && problem->kv_dtype != CLATTN_AS_DTYPE) {
        return (clattn_dtype)(problem->kv_dtype - CLATTN_AS_F32 + CLATTN_F32);
    }
    return dtype < 0 ? problem->dtype : (clattn_dtype)dtype;
}

clattn_strides ct_dense_strides(int64_t heads, int64_t rows, int64_t width)
{
    return (clattn_strides){heads * rows * width, rows * width, width};
}

clattn_strides ct_slot_strides(const clattn_problem *problem, clattn_slot slot)
{
    clattn_strides given;
    int64_t dims[CT_MOST_DIMS];
    memcpy(&given, (const char *)problem + ct_slots[slot].strides, sizeof given);
    if (given.batch || given.head || given.row) {
        return given;
    }
    ct_slot_shape(problem, NULL, slot, dims);
    const int64_t h = dims[1], n = dims[2], d = dims[3];
    return problem->layout == CLATTN_BHND ? ct_dense_strides(h, n, d) : (clattn_strides){h * n * d, d, h * d};
}

bool ct_slot_is(clattn_slot slot, clattn_pass pass, ct_role role)
{
    return ct_slots[slot].roles[pass] == role;
}

const char *clattn_slot_name(clattn_slot slot)
{
    return (size_t)slot < CT_COUNT(ct_slots) && ct_slots[slot].name ? ct_slots[slot].name : "unknown";
}

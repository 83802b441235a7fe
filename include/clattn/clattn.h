/** @file clattn.h
 * clattn: block-sparse and linear attention through OpenCL.
 *
 * A *context* belongs to one OpenCL device. A *problem* is plain data that says what is to be computed; the same as one
 * line of text (clattn_problem_parse, clattn_problem_format). A *layout* says which key blocks a query block may see.
 * A *plan* is a problem made ready for a device: everything is checked, chosen, compiled and loaded while it is made.
 * clattn_enqueue() then only launches: it never compiles, allocates device memory or waits.
 *
 * Ownership: what comes back through `**out` is yours to release; what comes back by value is a copy; a `const T *`
 * that is returned belongs to the object it was asked of and lives as long. Contexts, layouts and plans are counted:
 * each starts at one, retain adds one, and the last release ends it. Retain and release accept NULL.
 * Threads: a context, a layout and a plan may be used, retained and released from many threads at once. Two enqueues of
 * one plan that may run at the same time need workspaces of their own.
 * Errors: every function that can fail returns a clattn_status, 0 or negative; clattn_error_detail() then holds a
 * sentence that names the argument, its value and the bound. Out-parameters are written only on success. Every function
 * returns CLATTN_INVALID_ARGUMENT for a NULL that is not allowed; @return lists what else.
 * The library prints nothing. It keeps no global state. The environment it reads: CLATTN_CACHE, CLATTN_CACHE_DIR,
 * CLATTN_CACHE_MAX_MB, XDG_CACHE_HOME, HOME, CLATTN_TRIAL, CLATTN_TRIAL_SECONDS, CLATTN_TRY and CLATTN_AMX (see
 * clattn_context_options), and for work on kernels CLATTN_CL_DIR (read their texts from this directory), CLATTN_DUMP
 * (write each program's text and options there) and CLATTN_BUILD_OPTIONS (added to what each is compiled with); none of
 * them in a process that runs with another user's rights.
 *
 * Conventions (they settle what other implementations disagree on):
 * - A score is  x = scale * q.k (+ bias), then c*tanh(x/c) if softcap = c > 0, then minus slope*|i + nk - nq - j| with
 *   ALiBi, then the caller's score text; masks come last. Causal is bottom-right: query i sees keys j <= i + nk - nq.
 *   A window (left, right) is inclusive and relative to i + nk - nq; -1 is unlimited.
 * - LSE is the natural logarithm, float, [b, hq, nq]. A query that sees no key gives O = 0 and LSE = -infinity
 *   (with a sink: LSE = the sink).
 * - Query head h reads KV head h / (hq / hk).
 * - q, k, v, o lie as `layout` and the strides say; all other tensors (gates, LSE, decays, states, padding, scores) are
 *   [b, h, n ...] whatever the layout.
 * - ALiBi's slopes and the laws of decay are those of hq heads: who shards heads over devices passes its own
 *   (alibi = 2, decay HEAD), else every shard would get the slopes of a smaller model.
 * - The event of clattn_enqueue() is the last launch's: its profile shows that kernel alone. Markers before and behind
 *   the call, in order, tell the time of all.
 * - The linear state is S_t = decay_t * S_(t-1) + k_t v_t^T, float, [b, hq, dqk, dv]; o_t = scale * S_t^T q_t.
 *   With normalise = 1 it has dv + 1 columns, the last being the normaliser z.
 * - Packed variable length: b = 1, all sequences one after another, cu_seqlens int32 [sequences + 1], from 0 to nq.
 *   Queries and keys of masks, windows and score texts count from the start of their sequence, and its number is the
 *   batch.
 * - Sizes and strides count elements; buffer offsets count bytes; windows, blocks and chunks count tokens.
 * - Masks hide scores, not values: a weight of 0 is multiplied like any other. NaN or infinity in q or k spoils rows
 *   that may see it; in v it may spoil every row whose list has its block of keys (linear attention, q, k and v: every
 *   row from its chunk on). Backwards, NaN in q, o or their gradients may spoil the gradients of all keys of the blocks
 *   that the query may see. What lies past the end of a sequence is never read, nor what key padding hides.
 * - What index tensors hold (cu_seqlens, row_ptr, col_idx, tables, positions) is read on the device and trusted.
 */
#ifndef CLATTN_CLATTN_H
#define CLATTN_CLATTN_H

#include <stddef.h>
#include <stdint.h>

#include <CL/cl.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(CLATTN_BUILD) && defined(__GNUC__)
#    define CLATTN_API __attribute__((visibility("default")))
#else
#    define CLATTN_API
#endif

/* ---- version --------------------------------------------------------------------------------------------------- */

#define CLATTN_VERSION_MAJOR 0
#define CLATTN_VERSION_MINOR 1
#define CLATTN_VERSION_PATCH 0
/** What was compiled against, one comparable number. */
#define CLATTN_VERSION (CLATTN_VERSION_MAJOR * 10000 + CLATTN_VERSION_MINOR * 100 + CLATTN_VERSION_PATCH)

/** What is running: the CLATTN_VERSION the library was built with. */
CLATTN_API int clattn_version(void);
/** The same as "major.minor.patch"; a static string. */
CLATTN_API const char *clattn_version_string(void);

/* ---- status ---------------------------------------------------------------------------------------------------- */

/** 0 is good, negative is an error. OpenCL's own codes (-1 ... -1200) pass through unchanged. */
typedef int clattn_status;

enum {
    CLATTN_OK = 0,
    CLATTN_INVALID_ARGUMENT = -7000,    /**< a pointer, size or value outside its bounds */
    CLATTN_UNSUPPORTED = -7001,         /**< a combination that clattn does not offer */
    CLATTN_OUT_OF_HOST_MEMORY = -7010,  /**< the allocator returned NULL */
    CLATTN_WORKSPACE_TOO_SMALL = -7011, /**< less than clattn_plan_workspace() bytes */
    CLATTN_BUFFER_TOO_SMALL = -7012,    /**< a cl_mem ends before the tensor does, or a text buffer is too short */
    CLATTN_BAD_LAYOUT = -7020,          /**< block lists that are not ascending, unique and in range */
    /** the device's compiler refused the caller's score or mask text, or a program of the only backend that the context
     * asks for; the detail holds its log. Other programs that are refused make their backend decline: the next one
     * serves */
    CLATTN_BUILD_FAILED = -7030,
    CLATTN_DEVICE_LACKS = -7031, /**< no backend accepts the problem on this device */
    CLATTN_IO = -7040,           /**< a file could not be read or written */
    CLATTN_INTERNAL = -7090      /**< a defect of clattn: please report the problem's text */
};

/** The code's name, "CLATTN_BAD_LAYOUT" or "CL_OUT_OF_RESOURCES"; a static string. */
CLATTN_API const char *clattn_status_name(clattn_status status);
/** One sentence on the code; a static string. */
CLATTN_API const char *clattn_status_text(clattn_status status);
/** The last failure in this thread: which argument, its value, the bound; for a failed build the compiler's log.
 * Belongs to the thread, valid until its next failing call. Never NULL. It is kept on the heap (malloc) until the
 * thread ends; where that has no room, it says so. */
CLATTN_API const char *clattn_error_detail(void);

/* ---- context --------------------------------------------------------------------------------------------------- */

/** Host memory from the caller. allocate returns NULL when it has none; release accepts NULL. Must be thread-safe. */
typedef struct clattn_allocator {
    void *(*allocate)(size_t bytes, void *user);
    void (*release)(void *pointer, void *user);
    void *user;
} clattn_allocator;

typedef enum clattn_log_level {
    CLATTN_LOG_ERROR = 0,
    CLATTN_LOG_WARN = 1,
    CLATTN_LOG_INFO = 2,
    CLATTN_LOG_TRACE = 3
} clattn_log_level;

/** Receives one line without a newline. May be called from any thread that calls clattn; must not call clattn itself.
 */
typedef void (*clattn_log_fn)(clattn_log_level level, const char *line, void *user);

typedef enum clattn_cache_mode {
    CLATTN_CACHE_DEFAULT = 0, /**< read and write, or what $CLATTN_CACHE (off, ro, rw) says */
    CLATTN_CACHE_OFF = 1,
    CLATTN_CACHE_READ_ONLY = 2,
    CLATTN_CACHE_READ_WRITE = 3
} clattn_cache_mode;

/** Some drivers end the process while they compile. A program that nobody has run yet can be compiled in a process of
 * its own (the helper program clattn-try) and is loaded when that process has survived; where it has not, the backend
 * declines the problem, with the reason, and that is remembered in the cache. Nobody has run: the caller's score and
 * mask texts, and shapes that were not timed, on backends that assemble machine code themselves; backends that are new.
 */
typedef enum clattn_trial_mode {
    CLATTN_TRIAL_DEFAULT = 0, /**< what $CLATTN_TRIAL (auto, off, always) says, else auto */
    /** programs that nobody has run, unless a cache holds them; declined where there is no helper */
    CLATTN_TRIAL_AUTO = 1,
    CLATTN_TRIAL_OFF = 2,   /**< none: everything is compiled in this process */
    CLATTN_TRIAL_ALWAYS = 3 /**< every program that no cache holds */
} clattn_trial_mode;

/** Backend cpu_amx needs the tile registers of x86 (AMX), which Linux gives a process only when it asks, for all of its
 * threads and for good: from then on sigaltstack() refuses stacks too small for their 8 KiB (in a thread that already
 * has such a stack the asking fails, and the backend declines). clattn asks when a plan is made that the backend could
 * serve, or when the context is described; never with AMX off. */
typedef enum clattn_amx_mode {
    CLATTN_AMX_DEFAULT = 0, /**< what $CLATTN_AMX (auto, off) says, else auto */
    CLATTN_AMX_AUTO = 1,    /**< asked for where the processor has it and a plan could use it */
    CLATTN_AMX_OFF = 2      /**< never asked for, and not used */
} clattn_amx_mode;

typedef struct clattn_context_options {
    size_t struct_size;         /**< sizeof(clattn_context_options) */
    clattn_allocator allocator; /**< all zero: malloc and free */
    clattn_log_fn log;          /**< NULL: silence */
    void *log_user;
    clattn_log_level log_level; /**< lines above it are not made */
    clattn_cache_mode cache_mode;
    const char *cache_dir;   /**< NULL: $CLATTN_CACHE_DIR, $XDG_CACHE_HOME/clattn, ~/.cache/clattn */
    int64_t cache_max_bytes; /**< 0: 256 MiB, or $CLATTN_CACHE_MAX_MB */
    /** NULL: the best that accepts; else "cpu_amx", "cpu", "nv_wgmma", "nv_mma", "simt", "ref": only that one */
    const char *backend;
    clattn_trial_mode trial;
    int trial_seconds;         /**< after which a trial is ended, 1 to 3600; 0: 60, or $CLATTN_TRIAL_SECONDS */
    const char *trial_program; /**< path of clattn-try; NULL: $CLATTN_TRY, else where it was installed */
    clattn_amx_mode amx;
} clattn_context_options;

#define CLATTN_CONTEXT_OPTIONS_INIT                                                                                    \
    {                                                                                                                  \
        sizeof(clattn_context_options), {0, 0, 0}, 0, 0, CLATTN_LOG_WARN, CLATTN_CACHE_DEFAULT, 0, 0, 0,               \
            CLATTN_TRIAL_DEFAULT, 0, 0, CLATTN_AMX_DEFAULT                                                             \
    }

typedef struct clattn_context clattn_context;

/** Makes a context for one device of `context`, and retains `context`.
 * @param options  NULL for the defaults; copied.
 * @return CLATTN_INVALID_ARGUMENT if the device is not of that context, or an option is out of its bounds;
 * CLATTN_OUT_OF_HOST_MEMORY; OpenCL's codes. */
CLATTN_API clattn_status clattn_context_create(clattn_context **out, cl_context context, cl_device_id device,
                                               const clattn_context_options *options);
CLATTN_API void clattn_context_retain(clattn_context *context);
/** Plans made with it retain it: the order of releases does not matter. */
CLATTN_API void clattn_context_release(clattn_context *context);

/** What was probed about the device, as one JSON object (name, vendor, driver, platform, compute_units, local_memory,
 * fp16, subgroups, and `backends`: for each its name, usable, and why not). Belongs to the context. */
CLATTN_API const char *clattn_context_describe(clattn_context *context);

/* ---- types ----------------------------------------------------------------------------------------------------- */

typedef enum clattn_dtype {
    CLATTN_F32 = 0,
    CLATTN_F16 = 1,
    CLATTN_BF16 = 2,
    CLATTN_I32 = 3,
    CLATTN_U8 = 4
} clattn_dtype;

/** Bytes of one element. */
CLATTN_API size_t clattn_dtype_size(clattn_dtype dtype);
/** "f32", "f16", "bf16", "i32", "u8". */
CLATTN_API const char *clattn_dtype_name(clattn_dtype dtype);

/** Where a row of a [b, h, n, d] tensor lies: batch*i + head*j + row*t, in elements, each at least 0; d is contiguous.
 * All zero: dense, in the problem's layout. Rows of o must not overlap. */
typedef struct clattn_strides {
    int64_t batch, head, row;
} clattn_strides;

/** Device memory of the caller: a cl_mem or a shared-virtual-memory pointer, and an offset in bytes: a multiple of the
 * element's size, and of q, k, v, o of up to 16 bytes where the plan reads vectors (clattn_enqueue says so). The length
 * behind a pointer, and how the pointer itself is aligned, cannot be checked. */
typedef struct clattn_buf {
    cl_mem mem;
    void *svm;
    size_t offset;
} clattn_buf;

CLATTN_API clattn_buf clattn_buf_mem(cl_mem mem, size_t offset);
CLATTN_API clattn_buf clattn_buf_svm(void *pointer);
CLATTN_API clattn_buf clattn_buf_none(void);

/* ---- problem --------------------------------------------------------------------------------------------------- */

typedef enum clattn_pass {
    CLATTN_FWD = 0,
    CLATTN_BWD = 1,   /**< gradients, from q, k, v, o and lse as the forward pass left them, and the gradient of o */
    CLATTN_DECODE = 2 /**< few queries at the end of many keys; linear methods: token by token */
} clattn_pass;
/** What k and v are stored as where that is not dtype. */
typedef enum clattn_storage {
    CLATTN_AS_DTYPE = 0,
    CLATTN_AS_F32 = 1,
    CLATTN_AS_F16 = 2,
    CLATTN_AS_BF16 = 3
} clattn_storage;
typedef enum clattn_norm {
    CLATTN_NORM_NONE = 0,
    CLATTN_NORM_LAYER = 1, /**< Ba et al. 2016 */
    CLATTN_NORM_RMS = 2    /**< Zhang and Sennrich 2019 */
} clattn_norm;
typedef enum clattn_order { CLATTN_BHND = 0, CLATTN_BNHD = 1 } clattn_order;
typedef enum clattn_feature {
    CLATTN_IDENTITY = 0,
    CLATTN_ELU = 1, /**< elu(x) + 1 */
    CLATTN_RELU = 2,
    CLATTN_SILU = 3,
    CLATTN_SOFTMAX = 4 /**< over the head dimension */
} clattn_feature;
typedef enum clattn_decay {
    CLATTN_DECAY_NONE = 0,
    CLATTN_DECAY_NUMBER = 1,    /**< decay_value = g = ln(decay) <= 0, the same for every head */
    CLATTN_DECAY_ALIBI = 2,     /**< exp(-m_h), m_h ALiBi's slopes (Lightning Attention) */
    CLATTN_DECAY_MINIMAX = 3,   /**< exp(-m_h (1 - layer/(layers-1) + 1e-5)) (MiniMax-01) */
    CLATTN_DECAY_FLA = 4,       /**< exp(-(8/H)(1 - layer/layers) h) (flash-linear-attention) */
    CLATTN_DECAY_RETENTION = 5, /**< 1 - 2^(-5-h) (RetNet) */
    CLATTN_DECAY_HEAD = 6,      /**< slot DECAY holds g, float [hq] */
    CLATTN_DECAY_TOKEN = 7      /**< slot DECAY holds g, float [b, hq, n] */
} clattn_decay;
typedef enum clattn_spacing {
    CLATTN_SPACING_EVEN = 0,
    CLATTN_SPACING_LOG = 1,
    CLATTN_SPACING_GIVEN = 2
} clattn_spacing;

typedef enum clattn_pattern_kind {
    CLATTN_PATTERN_DENSE = 0,
    CLATTN_PATTERN_FIXED = 1,
    CLATTN_PATTERN_VARIABLE = 2,
    CLATTN_PATTERN_BIGBIRD = 3,
    CLATTN_PATTERN_BSLONGFORMER = 4,
    CLATTN_PATTERN_SLIDING = 5,
    CLATTN_PATTERN_STRIDED = 6,    /**< Sparse Transformer: window of `stride` keys, then every stride-th key */
    CLATTN_PATTERN_WINDOW = 7,     /**< the problem's window as a block list */
    CLATTN_PATTERN_LONGFORMER = 8, /**< window and dilation in tokens, global tokens */
    CLATTN_PATTERN_SAMPLES = 9,    /**< window in tokens and `samples` global tokens */
    CLATTN_PATTERN_IMAGE = 10,     /**< tokens in tile order; tiles within `radius` tiles in both directions */
    CLATTN_PATTERN_CSR = 11,       /**< the caller's lists: slots ROW_PTR, COL_IDX, or clattn_layout_from_csr */
    CLATTN_PATTERN_MASK = 12,      /**< the caller's block mask */
    CLATTN_PATTERN_TABLE = 13,     /**< the caller's fixed-width table of block indices, -1 for none */
    /** each block row sees its `topk` blocks of highest score, chosen on the device from slot SCORES. Descending, then
     * the lower index; NaN comes last, -infinity never. causal = 1: blocks that the row's causal edge crosses are among
     * them whatever their score (topk below their number is an error), later ones are not. Not for packed sequences */
    CLATTN_PATTERN_SCORES = 14
} clattn_pattern_kind;

#define CLATTN_PATTERN_LIST 64 /**< longest list of windows, indices or ends */

/** Parameters of the static patterns; names and defaults of the first six are DeepSpeed's (`clattn plan --help` says
 * which pattern reads which). -1: its default. */
typedef struct clattn_pattern {
    clattn_pattern_kind kind;
    int local; /**< fixed: num_local_blocks, 4 */
    /** fixed, bigbird: num_global_blocks, 1; strided: last keys of a chunk that are seen by all (odd heads see these
     * and themselves), 0 */
    int global;
    int bidirectional; /**< attention=bi (1) or uni (0); -1: the pattern's default */
    int horizontal;    /**< horizontal_global_attention */
    int patterns;      /**< num_different_global_patterns, 1 */
    int per_head;      /**< different_layout_per_head */
    int random;        /**< num_random_blocks: variable 0, bigbird 1 */
    int sliding;       /**< num_sliding_window_blocks, 3 */
    int64_t seed;      /**< of the random blocks */
    int n_windows, n_indices, n_ends;
    int windows[CLATTN_PATTERN_LIST]; /**< local_window_blocks */
    int indices[CLATTN_PATTERN_LIST]; /**< global_block_indices; longformer, samples: token positions */
    int ends[CLATTN_PATTERN_LIST];    /**< global_block_end_indices */
    int stride;                       /**< strided: tokens, 128 */
    int dilation;                     /**< longformer, 1 */
    int radius;                       /**< image: tiles, 1 */
    int tiles_y, tiles_x;             /**< image: tiles=YxX */
    int width;                        /**< table: entries a row */
    int topk;                         /**< scores: blocks a row */
} clattn_pattern;

/** What is to be computed. Fill with clattn_problem_init(), then change fields; or clattn_problem_parse().
 * Methods refuse, by clattn_problem_check(): sparse_linear causal = 1, decays and states (its linear half has no order;
 * scale is of its softmax half); hybrid biases and packed sequences; merge packed sequences; every method a bias with
 * packed sequences. Causal linear and lightning want nq = nk; not causal they want no decay, and cannot decode. */
typedef struct clattn_problem {
    /* every method */
    size_t struct_size;
    char method[24]; /**< "dense", "block_sparse", "linear", "lightning", "hybrid", "sparse_linear", "merge" */
    clattn_pass pass;
    clattn_dtype dtype;      /**< of q, k, v, o */
    clattn_storage kv_dtype; /**< of k and v, if another: a cache, say. Backends that cannot mix them decline */
    clattn_order layout;
    int64_t b, hq, hk, nq, nk, dqk, dv;
    int64_t sequences; /**< 0: not packed; else slots CU_SEQLENS and CU_SEQLENS_K give the lengths */
    int64_t max_q;     /**< packed: longest sequence; 0: nq */
    int64_t max_k;     /**< packed: longest sequence of keys; 0: nk */
    clattn_strides q, k, v, o;
    double scale; /**< NaN: 1/sqrt(dqk) for softmax, 1 for linear */
    int causal;   /**< -1: the method's default */
    /* softmax methods: dense, block_sparse, hybrid, sparse_linear */
    int64_t window_left, window_right; /**< -1: unlimited */
    double softcap;                    /**< 0: none */
    int alibi;              /**< slopes of Press et al., or slot ALIBI_SLOPES [hq] if it is passed with alibi = 2 */
    int sink;               /**< slot SINK [hq]: a logit without a value in every row's softmax */
    int bias;               /**< slot BIAS [bias_b, bias_h, nq, nk] float, added to the scaled score */
    int64_t bias_b, bias_h; /**< 1 or b, 1 or hq; 0: b and hq */
    int key_padding;        /**< slot KEY_PADDING uint8 [b, nk]: 0 hides a key */
    /* methods over patterns: block_sparse, sparse_linear */
    int block_q, block_k; /**< tokens of the pattern's blocks, 16 to 65536 */
    clattn_pattern pattern;
    /* linear, lightning; sparse_linear reads feature and chunk alone, and always normalises */
    clattn_decay decay; /**< a text's "lightning" starts with ALIBI, a field filled by hand with NONE */
    double decay_value;
    int decay_layer, decay_layers; /**< MINIMAX, FLA: 0 <= layer < layers */
    int ddecay;                    /**< pass = BWD: slot DDECAY is there; then every product is made of floats */
    int state; /**< linear: slot STATE_OUT is written, and STATE_IN is read if it is passed, else zeros */
    /** linear, sparse_linear; where sparse_linear has IDENTITY it takes SOFTMAX, which can be normalised */
    clattn_feature feature;
    int normalise; /**< linear: o = numerator / (sum of weights + 1e-10) */
    int chunk;     /**< linear: tokens wanted, up to 1024, cut to what a backend's tile holds; 0: chosen */
    /* hybrid; with pattern = samples others, too */
    int64_t samples; /**< global tokens */
    clattn_spacing spacing;
    /* hybrid, sparse_linear, merge */
    /** 1: slot GATE [b, hq, nq] holds g in [0, 1]; 2: g = sigmoid(q . GATE_WEIGHT[hq, dqk] + GATE_BIAS[hq]); 0: hybrid
     * g = 1/2, sparse_linear the plain sum */
    int gate;
    int remaining; /**< sparse_linear: the linear half sees 0: every key, 1: the keys of the blocks not chosen */
    int parts;     /**< merge: results to merge, slots O_PARTS and LSE_PARTS; 0: 2. With a gate: 2 branches */
    /** 1: float q, k, v and softmax weights may be rounded to 10 bits of mantissa where they are multiplied, which
     * matrix units do many times as fast. A permission: a device or a shape without such a unit is exact. Softmax
     * methods */
    int tf32;
    /* every method */
    int deterministic; /**< 1: the same bits every run; 0: sums may take any order, which is faster on some GPUs */
    /** Behind the method, in one kernel: slot O is norm(residual + o), a token's row being that of all its heads.
     * Backwards o is made again in the workspace, and slots O and LSE are not read */
    clattn_norm norm; /**< slots NORM_WEIGHT, NORM_BIAS; NORM_STATS is written if it is passed */
    int residual;     /**< slot RESIDUAL is added before; SUM_OUT, the sum, is written if it is passed */
    double eps;       /**< NaN: 1e-5, rms 1e-6 */
    /* softmax methods */
    /** OpenCL C, see cl/variant/README.md; NULL: none. Yours; a plan copies it while it is made */
    const char *score_text;
    const char *dscore_text; /**< the derivative of score_text, which pass = BWD needs; other passes do not read it */
    const char *mask_text;
    char score_file[256]; /**< read when a plan is made, if score_text is NULL */
    char dscore_file[256];
    char mask_file[256];
    double text_params[8]; /**< p0 ... p7 of the texts */
    int64_t text_buffer;   /**< floats of slot TEXT_BUFFER, which must then be there; 0: not said, and not looked at */
} clattn_problem;

/** Sets every field to its default: dense, forward, f32, b = 1, h = 8, n = 1024, d = 64. */
CLATTN_API void clattn_problem_init(clattn_problem *problem);
/** Reads "METHOD key=value ...". Unknown keys, bad values and impossible combinations are errors that name the key, the
 * value and the bound. Numbers use a point whatever the locale.
 * @return CLATTN_INVALID_ARGUMENT, CLATTN_UNSUPPORTED: what the detail names. */
CLATTN_API clattn_status clattn_problem_parse(clattn_problem *out, const char *text);
/** Writes the shortest text that parses to the same problem; `bytes` holds room, CLATTN_BUFFER_TOO_SMALL if short.
 * Texts in memory (score_text, dscore_text, mask_text) and strides have no text form and are left out; a file's name
 * with blanks is an error.
 * @return CLATTN_BUFFER_TOO_SMALL, CLATTN_UNSUPPORTED (a name with blanks), and what clattn_problem_check() returns. */
CLATTN_API clattn_status clattn_problem_format(const clattn_problem *problem, char *text, size_t bytes);
/** Checks every field, alone and together, as plan creation does; whether a pattern's parameters fit its lengths is
 * found out by clattn_layout_from_problem, which plan creation calls.
 * @return CLATTN_INVALID_ARGUMENT: outside of a bound; CLATTN_UNSUPPORTED: a combination, or a pass that the method has
 *   not. */
CLATTN_API clattn_status clattn_problem_check(const clattn_problem *problem);

/** Number of methods, and the name and one-line description of method `index`; NULL past the end. */
CLATTN_API int clattn_method_count(void);
CLATTN_API const char *clattn_method_name(int index);
CLATTN_API const char *clattn_method_text(int index);

/** Writes g_h = ln(decay) <= 0 of a decay law into slopes[heads] (laws: clattn_decay ALIBI ... RETENTION).
 * @return CLATTN_INVALID_ARGUMENT: another law, or a layer or head count out of bounds. */
CLATTN_API clattn_status clattn_decay_slopes(clattn_decay law, int layer, int layers, int heads, float *slopes);
/** ALiBi's slopes m_h > 0 (Press et al. 2022), any number of heads. */
CLATTN_API clattn_status clattn_alibi_slopes(int heads, float *slopes);

/* ---- layout ---------------------------------------------------------------------------------------------------- */

/** Which key blocks each query block may see: immutable, counted. Row r of head h holds ascending, unique block
 * columns. heads = 1 serves every head; otherwise heads = hq. */
typedef struct clattn_layout clattn_layout;

typedef struct clattn_layout_info {
    size_t struct_size; /**< sizeof(clattn_layout_info): set it before the call */
    int heads;
    int64_t nq, nk;
    int block_q, block_k;
    int rows, cols;  /**< blocks */
    int64_t blocks;  /**< listed, over all heads of the layout; 0 if on_device */
    int longest_row; /**< blocks; if on_device the most that a row may have */
    double density;  /**< blocks / (heads * rows * cols); NaN if on_device */
    int on_device;   /**< contents are read at run time from slots */
} clattn_layout_info;

/** The layout that a problem's pattern names (of a packed one: for its longest sequence). CSR, MASK, TABLE and
 * SCORES give a layout whose contents are read at run time. In all of these `allocator` may be NULL; else it is copied,
 * and what it points to must outlive the layout.
 * @return CLATTN_INVALID_ARGUMENT: a parameter does not fit the lengths; CLATTN_UNSUPPORTED; CLATTN_OUT_OF_HOST_MEMORY.
 */
CLATTN_API clattn_status clattn_layout_from_problem(clattn_layout **out, const clattn_problem *problem,
                                                    const clattn_allocator *allocator);
/** Host CSR, copied: row_ptr [heads * rows + 1], col [row_ptr[last]], rows = ceil(nq/block_q).
 * @return CLATTN_BAD_LAYOUT names the first bad head and row; CLATTN_INVALID_ARGUMENT: sizes;
 * CLATTN_OUT_OF_HOST_MEMORY. */
CLATTN_API clattn_status clattn_layout_from_csr(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q,
                                                int block_k, const int32_t *row_ptr, const int32_t *col,
                                                const clattn_allocator *allocator);
/** Host mask uint8 [heads, rows, cols], nonzero = listed; copied.
 * @return CLATTN_INVALID_ARGUMENT: sizes; CLATTN_OUT_OF_HOST_MEMORY. */
CLATTN_API clattn_status clattn_layout_from_block_mask(clattn_layout **out, int heads, int64_t nq, int64_t nk,
                                                       int block_q, int block_k, const uint8_t *mask,
                                                       const clattn_allocator *allocator);
/** Host table int32 [heads, rows, width]: ascending block columns, then -1; copied.
 * @return CLATTN_BAD_LAYOUT names the first bad head and row; CLATTN_INVALID_ARGUMENT: sizes;
 * CLATTN_OUT_OF_HOST_MEMORY. */
CLATTN_API clattn_status clattn_layout_from_table(clattn_layout **out, int heads, int64_t nq, int64_t nk, int block_q,
                                                  int block_k, int width, const int32_t *table,
                                                  const clattn_allocator *allocator);
CLATTN_API void clattn_layout_retain(clattn_layout *layout);
CLATTN_API void clattn_layout_release(clattn_layout *layout);
CLATTN_API clattn_status clattn_layout_get_info(const clattn_layout *layout, clattn_layout_info *info);
/** The lists; both belong to the layout. CLATTN_UNSUPPORTED if its contents are on the device. */
CLATTN_API clattn_status clattn_layout_csr(const clattn_layout *layout, const int32_t **row_ptr, const int32_t **col);
/** The transposed layout: for each key block the query blocks that see it (rows and columns change places).
 * @return CLATTN_UNSUPPORTED: contents are on the device; CLATTN_OUT_OF_HOST_MEMORY. */
CLATTN_API clattn_status clattn_layout_transpose(clattn_layout **out, const clattn_layout *layout);
/** Writes uint8 [heads, rows, cols]; bytes must be at least their product.
 * @return CLATTN_BUFFER_TOO_SMALL; CLATTN_UNSUPPORTED: contents are on the device. */
CLATTN_API clattn_status clattn_layout_mask(const clattn_layout *layout, uint8_t *mask, size_t bytes);
/** Draws head `head` as text, one line a row ('#' listed, '.' not), NUL-terminated; *needed (may be NULL) gets the
 * bytes.
 * @return CLATTN_BUFFER_TOO_SMALL; CLATTN_INVALID_ARGUMENT: no such head; CLATTN_UNSUPPORTED: contents are on the
 *   device. */
CLATTN_API clattn_status clattn_layout_draw(const clattn_layout *layout, int head, char *text, size_t bytes,
                                            size_t *needed);

/* ---- plan ------------------------------------------------------------------------------------------------------ */

typedef struct clattn_plan clattn_plan;

/** Checks, chooses, compiles and loads. Slow; the kernels come from the caches if they can. Nothing of `problem` is
 * needed afterwards.
 * @param layout  NULL: made from the problem. Retained. For max_q x max_k tokens if packed; an error with methods that
 *   take none.
 * May start a process for some seconds, see clattn_trial_mode; it inherits the environment and nothing else.
 * @return CLATTN_DEVICE_LACKS if no backend accepts: the detail says why each one declined. A backend whose kernels the
 *   driver does not compile or launch declines, too; CLATTN_BUILD_FAILED is the caller's text's.
 *   CLATTN_BAD_LAYOUT: the layout is for other lengths or heads; CLATTN_UNSUPPORTED: a transposed one with token rules;
 *   CLATTN_IO: score_file, dscore_file, mask_file; CLATTN_OUT_OF_HOST_MEMORY, OpenCL's codes, and what
 *   clattn_problem_check() returns. */
CLATTN_API clattn_status clattn_plan_create(clattn_plan **out, clattn_context *context, const clattn_problem *problem,
                                            clattn_layout *layout);
CLATTN_API void clattn_plan_retain(clattn_plan *plan);
CLATTN_API void clattn_plan_release(clattn_plan *plan);
/** Bytes of workspace an enqueue needs; may be 0. Its offset must be a multiple of 256. */
CLATTN_API clattn_status clattn_plan_workspace(const clattn_plan *plan, size_t *bytes);

typedef struct clattn_plan_info {
    size_t struct_size;  /**< sizeof(clattn_plan_info): set it before the call */
    const char *backend; /**< "cpu", "nv_wgmma", "nv_mma", "simt" or "ref"; belongs to the plan */
    const char *kernel;  /**< name of the kernel that does the most work, with its parameters */
    int launches;
    size_t workspace; /**< bytes */
    /** useful work: visible pairs only, of long problems counted on every so many-th row; NaN if they are only known on
     * the device */
    double flop;
    double bytes; /**< least memory traffic, see tools/compare/README.md */
    double exps;  /**< exponentials */
    /** visible pairs of the softmax half / (b * hq * nq * nk); 1 if there is none; NaN as flop */
    double density;
    double compile_ms;                         /**< host time spent building programs for this plan */
    int cache_memory, cache_disk, cache_built; /**< launches whose program came from each */
    /** the backend that would have served, had the driver compiled and launched its kernels (or had the trial been
     * possible); clattn_plan_explain says why not; NULL: the first choice serves. A static string */
    const char *instead_of;
} clattn_plan_info;
CLATTN_API clattn_status clattn_plan_get_info(const clattn_plan *plan, clattn_plan_info *info);
/** Each launch on a line: kernel, tile, schedule, parameters, groups. Belongs to the plan. */
CLATTN_API const char *clattn_plan_describe(const clattn_plan *plan);
/** Each other candidate on a line, and why it declined; further lines, of a compiler's log, begin with blanks. Belongs
 * to the plan. */
CLATTN_API const char *clattn_plan_explain(const clattn_plan *plan);

/* ---- enqueue --------------------------------------------------------------------------------------------------- */

typedef enum clattn_slot {
    CLATTN_Q = 0,
    CLATTN_K,
    CLATTN_V,
    CLATTN_O,
    /** float [b, hq, nq]; optional; linear, lightning, hybrid (with samples), sparse_linear and gated merge have
     * none */
    CLATTN_LSE,
    CLATTN_STATE_IN, /**< float [b, hq, dqk, dv (+1)]; b = sequences if packed; optional */
    /** the same shape; may be where STATE_IN is (the same buffer and offset, or pointer), which it then replaces */
    CLATTN_STATE_OUT,
    CLATTN_DECAY,        /**< float [hq] or [b, hq, n] */
    CLATTN_GATE,         /**< float [b, hq, nq] */
    CLATTN_GATE_WEIGHT,  /**< float [hq, dqk] */
    CLATTN_GATE_BIAS,    /**< float [hq] */
    CLATTN_BIAS,         /**< float [bias_b, bias_h, nq, nk] */
    CLATTN_SINK,         /**< float [hq] */
    CLATTN_ALIBI_SLOPES, /**< float [hq] */
    CLATTN_KEY_PADDING,  /**< uint8 [b, nk] */
    CLATTN_CU_SEQLENS,   /**< int32 [sequences + 1] */
    /** int32 [sequences + 1], lengths of the keys; if nk = nq it may be left out: then they are the queries'. Causal
     * linear methods have none */
    CLATTN_CU_SEQLENS_K,
    CLATTN_ROW_PTR,     /**< int32 [heads * rows + 1] */
    CLATTN_COL_IDX,     /**< int32 [heads * rows * cols] at most */
    CLATTN_BLOCK_MASK,  /**< uint8 [heads, rows, cols] */
    CLATTN_BLOCK_TABLE, /**< int32 [heads, rows, width] */
    CLATTN_POSITIONS,   /**< int32 [samples]: hybrid with spacing given, ascending */
    /** float [text_buffer]: the buffer of score and mask texts; optional where neither mentions `buffer` */
    CLATTN_TEXT_BUFFER,
    CLATTN_O_PARTS,   /**< float [parts, b, hq, nq, dv]: merge */
    CLATTN_LSE_PARTS, /**< float [parts, b, hq, nq]: merge */
    /** float [b, hq, rows, cols] of blocks: pattern=scores */
    CLATTN_SCORES,
    /** int32 [b, hq, rows, topk]: the blocks that pattern=scores chose, ascending, then -1; optional output */
    CLATTN_LISTS,
    /* pass = BWD: gradients. Those of q, k, v, o lie as their tensors do (their strides too, which must then keep rows
     * apart), in dtype; the others are float */
    CLATTN_DO,   /**< of o: needed */
    CLATTN_DLSE, /**< float [b, hq, nq]: of lse; optional, else none arrives there */
    CLATTN_DQ,   /**< of q, as the next ones an optional output */
    CLATTN_DK,
    CLATTN_DV,
    CLATTN_DSINK,         /**< float [hq] */
    CLATTN_DBIAS,         /**< float [bias_b, bias_h, nq, nk] */
    CLATTN_DALIBI_SLOPES, /**< float [hq]: alibi = 2 */
    CLATTN_DSTATE_OUT,    /**< of STATE_OUT, of its shape: optional, else none arrives there */
    CLATTN_DSTATE_IN,     /**< of STATE_IN, or of the zeros in its place */
    CLATTN_DDECAY,        /**< of g = ln(decay): float [b, hq, n] where decays are a token's, else [hq]; ddecay = 1 */
    CLATTN_DGATE,         /**< float [b, hq, nq]: gate = 1; 0 where a branch without a key decides */
    CLATTN_DGATE_WEIGHT,  /**< float [hq, dqk]: gate = 2 */
    CLATTN_DGATE_BIAS,    /**< float [hq]: gate = 2 */
    CLATTN_DO_PARTS,      /**< float [parts, b, hq, nq, dv]: merge */
    CLATTN_DLSE_PARTS,    /**< float [parts, b, hq, nq]: merge without a gate */
    CLATTN_RESIDUAL,      /**< as O: residual = 1 */
    CLATTN_SUM_OUT,       /**< out, as O: residual + o, before the norm */
    CLATTN_NORM_WEIGHT,   /**< float [hq, dv]: norm; not given: 1 */
    CLATTN_NORM_BIAS,     /**< float [hq, dv]: norm; not given: 0 */
    CLATTN_NORM_STATS,    /**< out, float [b, nq, 2]: norm; mean (rms: 0) and 1 / sigma of each token */
    CLATTN_DSUM_OUT,      /**< as O: the gradient arriving at SUM_OUT; not given: 0 */
    CLATTN_DRESIDUAL,     /**< out, as O */
    CLATTN_DNORM_WEIGHT,  /**< out, float [hq, dv] */
    CLATTN_DNORM_BIAS,    /**< out, float [hq, dv] */
    CLATTN_SLOT_COUNT
} clattn_slot;

/** "q", "k", ..., "cu-seqlens": the command line's names. */
CLATTN_API const char *clattn_slot_name(clattn_slot slot);

typedef struct clattn_arg {
    clattn_slot slot;
    clattn_buf buf;
} clattn_arg;

/** What a plan wants in a slot: 0 nothing (passing it is an error), 1 it may be left out, 2 it must be there. Shape in
 * dims[0..*rank-1], element type in *dtype; any of the pointers may be NULL.
 * @return CLATTN_INVALID_ARGUMENT: no such slot. */
CLATTN_API clattn_status clattn_plan_slot(const clattn_plan *plan, clattn_slot slot, int *want, clattn_dtype *dtype,
                                          int *rank, int64_t dims[5]);

/** Launches a plan. Returns at once. Memory behind pointers must live until the launches are done; cl_mems, workspace,
 * plan and context may be released at once. Outputs and workspace must overlap neither each other nor an input, but for
 * a STATE_OUT that begins where STATE_IN does. After an error some of the launches may have been made: outputs are
 * undefined, and *event is not written.
 * @param queue      of the plan's cl_context and device; in-order or out-of-order.
 * @param args       each slot once, any order.
 * @param workspace  at least clattn_plan_workspace() bytes; clattn_buf_none() if that is 0.
 * @param wait_list  n_wait events, as in OpenCL.
 * @param event      NULL, or receives an event that is complete when the results are.
 * @return CLATTN_INVALID_ARGUMENT: a slot that is missing, unknown, given twice or has both a cl_mem and a pointer, an
 *         offset, a queue of another context or device, n_wait without wait_list, states that meet halfway;
 *         CLATTN_BUFFER_TOO_SMALL, CLATTN_WORKSPACE_TOO_SMALL; OpenCL's own codes.
 */
CLATTN_API clattn_status clattn_enqueue(cl_command_queue queue, clattn_plan *plan, const clattn_arg *args,
                                        size_t n_args, clattn_buf workspace, cl_uint n_wait, const cl_event *wait_list,
                                        cl_event *event);

/* ---- cache ----------------------------------------------------------------------------------------------------- */

typedef struct clattn_cache_stats {
    size_t struct_size;                     /**< sizeof(clattn_cache_stats): set it before the call */
    int64_t files, bytes, max_bytes;        /**< on disk now */
    int64_t memory_hits, disk_hits, builds; /**< of this context */
    int64_t rejected;                       /**< entries that were broken, stale or refused by the driver */
} clattn_cache_stats;

/** The directory in use, or "" if there is none (off, or refused; the log says why). Belongs to the context. */
CLATTN_API const char *clattn_cache_dir(clattn_context *context);
CLATTN_API clattn_status clattn_cache_get_stats(clattn_context *context, clattn_cache_stats *stats);
/** Removes every entry from the disk cache, and forgets the programs in memory.
 * @return CLATTN_IO: an entry that stays. */
CLATTN_API clattn_status clattn_cache_clear(clattn_context *context);

#ifdef __cplusplus
}
#endif
#endif

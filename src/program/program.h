/* A program is one kernel variant: texts joined, integers as -D. Programs come from memory, from disk, or are built. */
#ifndef CT_PROGRAM_H
#define CT_PROGRAM_H

#include "device/environment.h"
#include "program/texts.h"

/* Embedded kernel texts (made by tools/cmake/EmbedCl.cmake); path as under cl/, e.g. "tile/tile_cpu.cl". */
typedef struct ct_cl_file {
    const char *path;
    const unsigned char *text; /* NUL-terminated */
    size_t length;
} ct_cl_file;
extern const ct_cl_file ct_cl_files[];
extern const size_t ct_cl_file_count;

#define CT_MAX_PARTS   12
#define CT_MAX_DEFINES 64

/* What a tile's kernels are compiled with unless its row says otherwise. No -cl-std: OpenCL C 1.2 is what everyone
 * compiles by default. No fast maths: infinities and rounding tricks must hold. No warnings: some drivers print their
 * number. Denormals as zero: a masked score's tail costs a microcode assist per FMA on CPUs otherwise. */
#define CT_USUAL_OPTIONS "-cl-denorms-are-zero -cl-mad-enable -w"

typedef struct ct_define {
    const char *name; /* static string */
    long value;
} ct_define;

typedef struct ct_program_spec {
    const char *kernel;  /* name of the __kernel function, static string */
    const char *options; /* the compiler's; NULL: CT_USUAL_OPTIONS. -D are added */
    const char *backend; /* a tile's name: for names and logs */
    /* NULL, or "sm_90a": the driver's PTX is loaded again for this target, see nv_ptx.h */
    const char *ptx_target;
    int ptx_groups;                  /* with it: groups a compute unit must have room for; 0: not said */
    bool untried;                    /* nobody has run this variant: see clattn_trial_mode. Not in the cache key */
    const char *parts[CT_MAX_PARTS]; /* embedded paths, joined in this order */
    int n_parts;
    ct_define defines[CT_MAX_DEFINES];
    int n_defines;
    ct_caller_text texts[CT_TEXT_ROLES]; /* put where a part includes them */
} ct_program_spec;

void ct_spec_part(ct_program_spec *spec, const char *path);
void ct_spec_define(ct_program_spec *spec, const char *name, long value);

/* CT_DIED: the driver's compiler ended the process that tried it, now or earlier. There is no program then. */
typedef enum ct_origin { CT_FROM_MEMORY, CT_FROM_DISK, CT_BUILT, CT_DIED } ct_origin;

typedef struct ct_program {
    cl_program program;
    char kernel[64];
    char name[256];    /* "attend_forward.cpu.BM64.BN64.DK128...": in logs, cache listings, plan_describe */
    double compile_ms; /* of the call that made it */
    bool warm;         /* a first launch was made; see ct_program_keep */
    char key[33];
} ct_program;

/* The text the driver gets: defines are passed as options, parts joined, includes expanded. */
clattn_status ct_program_source(const clattn_allocator *allocator, const ct_program_spec *spec, char **source,
                                char **options);

/* Finds or builds; thread-safe; one thread builds, the others wait for it. The program belongs to the context's cache
 * and lives as long as the context. CLATTN_BUILD_FAILED: the detail holds the log. CLATTN_DEVICE_LACKS: a trial died or
 * could not be made, the detail says which. *origin (NULL: not asked) is set in every case; after a failure only
 * CT_DIED says something. */
clattn_status ct_program_get(ct_environment *env, const ct_program_spec *spec, const ct_program **out,
                             ct_origin *origin);
/* places.c: does the compiler's log say that there is an error in one of the caller's texts? false: not as far as it
 * can be read. */
bool ct_places_blame_text(const ct_program_spec *spec, const char *log);
/* To be called once after the first launch of a program that was CT_BUILT: writes its binary to disk (some drivers
 * finish compiling at the first launch, so a binary taken earlier would compile again). Never fails: a cache that
 * cannot be written is logged. */
void ct_program_keep(ct_environment *env, const ct_program *program);

#endif

/* Kernel texts of a test's own: the embedded ones, some replaced, in a directory that $CLATTN_CL_DIR names while they
 * are in use. */
#ifndef CT_SUPPORT_TEXTS_H
#define CT_SUPPORT_TEXTS_H

#include <stdbool.h>

/* Writes every embedded text. One directory a program. */
void ct_texts_make(void);
int ct_texts_remove(void);
/* `path` gets another embedded text; its own, if `by` is `path`. */
void ct_texts_replace(const char *path, const char *by);
/* `path` gets a text that no compiler takes: "refused on purpose". */
void ct_texts_break(const char *path);
/* cl/tile/nv_warp.cl, the only PTX of tile_nv_mma, gets plain OpenCL C that does the same:
 * tests/tile/nv_warp_emulated.cl. */
void ct_texts_emulate_warps(void);
/* cl/tile/amx.cl, all that tile_cpu_amx asks of x86 by name, gets tests/tile/amx_emulated.cl. */
void ct_texts_emulate_amx(void);
/* Set-up and take-down of a group whose tile is emulated on a CPU; on a GPU the program ends as skipped, with `why`. */
int ct_texts_emulate_setup(void **state, void (*emulate)(void), const char *why);
int ct_texts_emulate_teardown(void **state);
/* From now on programs are made of these texts; or of the embedded ones again. */
void ct_texts_use(bool use);

#endif

/* Programs whose final target the driver's own compiler cannot name: its PTX is taken, its target line changed, and
 * loaded again. */
#ifndef CT_NV_PTX_H
#define CT_NV_PTX_H

#include "program/memory.h"

/* The PTX with spec's target and groups. false: it names no target, or there is no memory. */
bool ct_nv_edit(const ct_program_spec *spec, const char *ptx, ct_text *out);
/* `made`: a program that was built from source, or that the assembler refused for its target; its PTX is there in both
 * cases. *ptx: the text that was loaded, NUL included, the caller's to ct_release. CLATTN_BUILD_FAILED: `made` gives
 * none, or the new text was refused; *loaded is then the program with the log, or NULL. */
clattn_status ct_nv_retarget(ct_environment *env, const ct_program_spec *spec, cl_program made, const char *options,
                             cl_program *loaded, unsigned char **ptx, size_t *bytes);

#endif

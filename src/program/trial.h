/* Trials: a program that nobody has run is built by the helper program first, in a process of its own. A driver that
 * crashes there takes nobody with it; what it has made is loaded here, so that a trial is the compilation and not a
 * second one.
 *
 * What the helper reads and answers are fields (ct_text_field), in the order of these lists. */
#ifndef CT_TRIAL_H
#define CT_TRIAL_H

#include "program/memory.h"

#define CT_TRIAL_PROTOCOL     "clattn-try 1"
#define CT_TRIAL_MOST_SECONDS 3600

typedef enum ct_trial_ask {
    CT_ASK_PROTOCOL,
    CT_ASK_FINGERPRINT, /* of the device and the library: keys of the cache agree */
    CT_ASK_PLATFORM,    /* ct_device_place */
    CT_ASK_DEVICE,
    CT_ASK_KERNEL, /* ct_program_spec's */
    CT_ASK_BACKEND,
    CT_ASK_PTX_TARGET, /* empty: none */
    CT_ASK_PTX_GROUPS,
    CT_ASK_NAME, /* ct_program's */
    CT_ASK_OPTIONS,
    CT_ASK_SOURCE, /* expanded */
    CT_ASK_COUNT
} ct_trial_ask;

typedef enum ct_trial_reply {
    /* empty; written just before the compiler is called: what ends the process later is the compiler */
    CT_REPLY_BEGUN,
    CT_REPLY_STATUS,
    CT_REPLY_DETAIL, /* clattn_error_detail() */
    CT_REPLY_BINARY, /* may be empty: the driver gives none */
    CT_REPLY_COUNT
} ct_trial_reply;

/* The context's part of the options and the environment. */
clattn_status ct_trial_settings(ct_environment *env, const clattn_context_options *options);
bool ct_trial_wanted(const ct_environment *env, const ct_program_spec *spec);
/* CLATTN_OK: entry->program.program is there, or NULL: the helper survived and the source can be built here.
 * CLATTN_BUILD_FAILED: the compiler refused it. CLATTN_DEVICE_LACKS: it must not be built here; entry->died: because
 * the compiler died of it, now or in an earlier trial that the disk cache remembers. */
clattn_status ct_trial_build(ct_environment *env, ct_entry *entry, const ct_program_spec *spec, const char *source,
                             const char *options);

#endif

/* Lists made on the host, and the list that lines without a left end share. */
#ifndef CT_HOST_LISTS_H
#define CT_HOST_LISTS_H

#include "layout/lists.h"

typedef struct ct_host_lists {
    int32_t *lines; /* [heads * rows][4]: where its list starts, entries, entries that ask the mask, 0 */
    int32_t *list;  /* [entries]: first keys of tiles */
    int32_t *ranks; /* [entries], as in ct_lists; NULL: not asked for, or nested */
    int heads;
    int64_t rows, entries;
    int64_t longest, masked; /* most of a line */
    double pairs;            /* as in ct_lists */
} ct_host_lists;

/* CLATTN_UNSUPPORTED if the lists hold more than INT32_MAX entries. Yours to release with the same allocator. */
clattn_status ct_host_lists_make(const ct_lists_wish *wish, const clattn_allocator *allocator, ct_host_lists *out);
void ct_host_lists_release(ct_host_lists *lists, const clattn_allocator *allocator);

/* Do all lines lie in one list? Every line then lists a run of tiles whose only end that may ask the mask is the last,
 * or all of it asks. */
bool ct_lists_shared(const ct_lists_wish *wish);
/* Does every line list what those behind it do? */
bool ct_lists_nested(const ct_lists_wish *wish);
/* That list: the first keys of all tiles, the last tile first. *list is yours, also after an error. */
clattn_status ct_lists_descending(const ct_lists_wish *wish, const clattn_allocator *allocator, int32_t **list,
                                  int64_t *entries);

#endif

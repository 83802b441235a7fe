/* Which OpenCL device the tool uses, and what it needs of it. */
#ifndef TOOL_DEVICE_H
#define TOOL_DEVICE_H

#include "options.h"

typedef struct device_entry {
    cl_platform_id platform;
    cl_device_id device;
    int platform_index, device_index;
    cl_device_type type;
    char name[512], driver[512], platform_name[512];
} device_entry;

/* All devices of all platforms; at most `most`. Returns how many; 0 without a platform. */
int device_list(device_entry *entries, int most);

/* `options->device`, else $CLATTN_DEVICE, else NULL: part of a name, or platform:device. */
const char *device_wanted(const place_options *options);
bool device_matches(const device_entry *entry, const char *wanted);
/* The error for a wish that none of n devices fulfils. */
clattn_status device_none_matches(const place_options *options, int n);

typedef struct place {
    device_entry entry;
    cl_context cl;
    cl_command_queue queue; /* in order, with profiling */
    clattn_context *context;
} place;

/* `options->device`, else $CLATTN_DEVICE, else the first GPU, else the first CPU. */
clattn_status place_open(place *p, const place_options *options);
clattn_status place_open_entry(place *p, const device_entry *entry, const place_options *options);
void place_close(place *p);
double seconds_now(void);

#endif

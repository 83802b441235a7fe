/* clattn devices */
#include "device.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

static const char *type_name(cl_device_type type)
{
    return type & CL_DEVICE_TYPE_GPU ? "gpu" : type & CL_DEVICE_TYPE_CPU ? "cpu" : "accelerator";
}

/* What the library found, or {"error": ...}. */
static json_t *describe(const device_entry *entry, const place_options *options)
{
    place where = {0};
    json_t *object = NULL;
    if (place_open_entry(&where, entry, options) == CLATTN_OK) {
        object = json_loads(clattn_context_describe(where.context), 0, NULL);
    }
    if (!object) {
        const char *detail = clattn_error_detail();
        object = json_pack("{s:s, s:s, s:s}", "name", entry->name, "platform", entry->platform_name, "error",
                           *detail ? detail : "the description is no JSON");
    }
    char at[32];
    snprintf(at, sizeof at, "%d:%d", entry->platform_index, entry->device_index);
    json_object_set_new(object, "device", json_string(at));
    json_object_set_new(object, "type", json_string(type_name(entry->type)));
    place_close(&where);
    return object;
}

static void print_value(const char *key, json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("  %-14s %s\n", key, json_is_string(value) ? json_string_value(value) : text ? text : "?");
    free(text);
}

static void print_device(json_t *object)
{
    const char *key;
    json_t *value, *backend;
    size_t index;
    printf("%s  %s\n", json_string_value(json_object_get(object, "device")),
           json_string_value(json_object_get(object, "name")));
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "backends") != 0 && strcmp(key, "device") != 0 && strcmp(key, "name") != 0) {
            print_value(key, value);
        }
    }
    json_array_foreach(json_object_get(object, "backends"), index, backend)
    {
        const char *name = json_string_value(json_object_get(backend, "name")),
                   *why = json_string_value(json_object_get(backend, "why_not"));
        const bool usable = json_is_true(json_object_get(backend, "usable"));
        printf("  backend %-8s %s%s%s\n", name ? name : "?", usable ? "usable" : "not usable", why && *why ? ": " : "",
               why ? why : "");
    }
}

int command_devices(int argc, char **argv)
{
    bool as_json = false;
    place_options options = {0};
    device_entry entries[MOST];
    const option_row rows[] = {{"json", OPTION_FLAG, &as_json, NULL, "one array of objects", 0, 0}};
    command_line line = {
        "devices [--json]",
        "Every OpenCL device, or those that --device names: what was probed, and which backends can be used on it.",
        rows,
        1,
        &options,
        false,
        0,
        0,
        NULL,
        0};
    int result;
    if (!command_line_parse(&line, argc, argv, &result)) {
        return result;
    }
    const int n = device_list(entries, MOST);
    const char *wanted = device_wanted(&options);
    json_t *all = json_array();
    for (int i = 0; i < n; i++) {
        if (!wanted || device_matches(&entries[i], wanted)) {
            json_array_append_new(all, describe(&entries[i], &options));
        }
    }
    const int shown = (int)json_array_size(all);
    if (as_json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
    }
    for (int i = 0; i < shown && !as_json; i++) {
        print_device(json_array_get(all, (size_t)i));
    }
    json_decref(all);
    if (n == 0) {
        return ct_fail(CLATTN_DEVICE_LACKS, "no OpenCL device; on Debian: apt-get install pocl-opencl-icd");
    }
    return shown ? TOOL_DONE : (int)device_none_matches(&options, n);
}

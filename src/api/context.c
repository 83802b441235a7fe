/* A context with the tiles that it may name, and its description. */
#include "context/context.h"

#include <stdio.h>
#include <string.h>

#include "tile/tiles.h"

/* A backend's name is a tile's. */
static clattn_status check_backend(const char *name)
{
    char names[128];
    for (int i = 0; i < ct_tile_count; i++) {
        if (!name || !name[0] || strcmp(ct_tiles[i].name, name) == 0) {
            return CLATTN_OK;
        }
    }
    ct_tile_names(names, sizeof names);
    return ct_fail(CLATTN_INVALID_ARGUMENT, "options.backend is '%s'; there are %s", name, names);
}

clattn_status clattn_context_create(clattn_context **out, cl_context cl, cl_device_id device,
                                    const clattn_context_options *options)
{
    const clattn_context_options defaults = CLATTN_CONTEXT_OPTIONS_INIT;
    if (!out || !cl || !device) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "clattn_context_create: %s is NULL",
                       !out  ? "out"
                       : !cl ? "context"
                             : "device");
    }
    options = options ? options : &defaults;
    if (options->struct_size == sizeof *options) { /* else it is another library's, and ct_context_create says so */
        const clattn_status st = check_backend(options->backend);
        if (st != CLATTN_OK) {
            return st;
        }
    }
    return ct_context_create(out, cl, device, options);
}

static void add_json_string(ct_text *text, const char *name, const char *value)
{
    ct_text_add(text, "\"%s\": \"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\') {
            ct_text_add(text, "\\%c", *c);
        } else {
            ct_text_add(text, (unsigned char)*c < 0x20 ? "\\u%04x" : "%c", *c);
        }
    }
    ct_text_add(text, "\"");
}

static void describe(clattn_context *context, ct_text *text)
{
    const ct_device_facts *f = &context->env.facts;
    const struct {
        const char *name, *value;
    } strings[] = {{"name", f->name},     {"vendor", f->vendor},     {"version", f->version},
                   {"driver", f->driver}, {"platform", f->platform}, {"platform_version", f->platform_version}};
    ct_text_add(text, "{");
    for (size_t i = 0; i < CT_COUNT(strings); i++) {
        add_json_string(text, strings[i].name, strings[i].value);
        ct_text_add(text, ", ");
    }
    ct_text_add(text,
                "\"type\": \"%s\", \"compute_units\": %u, \"local_memory\": %llu, \"max_group\": %zu, \"fp16\": %s, "
                "\"subgroups\": %s, ",
                f->cpu ? "cpu" : "gpu", f->compute_units, (unsigned long long)f->local_memory, f->max_group,
                f->fp16 ? "true" : "false", f->subgroups ? "true" : "false");
    ct_text_add(text, "\"backends\": [");
    for (int i = 0; i < ct_tile_count; i++) {
        char why[CT_WHY_BYTES];
        const bool usable = ct_tile_usable(context, i, why);
        ct_text_add(text, "%s{\"name\": \"%s\", \"usable\": %s, ", i ? ", " : "", ct_tiles[i].name,
                    usable ? "true" : "false");
        add_json_string(text, "why_not", why);
        ct_text_add(text, "}");
    }
    ct_text_add(text, "]}");
}

const char *clattn_context_describe(clattn_context *context)
{
    if (!context) {
        return "";
    }
    ct_text text = {.allocator = &context->env.allocator};
    describe(context, &text);
    pthread_mutex_lock(&context->mutex);
    if (!context->describe && !text.failed) {
        context->describe = text.data;
        text.data = NULL;
    }
    const char *result = context->describe ? context->describe : "";
    pthread_mutex_unlock(&context->mutex);
    ct_text_release(&text);
    return result;
}

/* Pictures as PNG files, 8 bits a channel. */
#ifndef TOOL_PNG_H
#define TOOL_PNG_H

#include "core/core.h"

typedef struct picture {
    int width, height;
    uint8_t *rgb; /* [height, width, 3] */
} picture;

clattn_status picture_make(picture *p, int width, int height);
void picture_release(picture *p);
clattn_status png_save(const char *path, const picture *p);
/* Any PNG: palettes, grey and alpha become RGB. */
clattn_status png_load(const char *path, picture *out);
/* PNG, or JPEG where the tool was built with libjpeg; told apart by content. */
clattn_status picture_load(const char *path, picture *out);
/* CLATTN_UNSUPPORTED without libjpeg. */
clattn_status jpeg_load(const char *path, picture *out);

#endif

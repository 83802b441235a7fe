#include "png.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#define LARGEST 16384 /* pixels in one direction */

clattn_status picture_make(picture *p, int width, int height)
{
    if (width < 1 || height < 1 || width > LARGEST || height > LARGEST) {
        return ct_fail(CLATTN_INVALID_ARGUMENT, "a picture of %d x %d pixels; 1 to %d in both directions", width,
                       height, LARGEST);
    }
    uint8_t *rgb = ct_alloc_array(NULL, (size_t)width * (size_t)height, 3);
    if (!rgb) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "no memory for a picture of %d x %d pixels", width, height);
    }
    *p = (picture){width, height, rgb};
    return CLATTN_OK;
}

void picture_release(picture *p)
{
    ct_release(NULL, p->rgb);
    p->rgb = NULL;
}

clattn_status png_save(const char *path, const picture *p)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    image.width = (png_uint_32)p->width;
    image.height = (png_uint_32)p->height;
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path, 0, p->rgb, 0, NULL)) {
        return ct_fail(CLATTN_IO, "%s: %s", path, image.message);
    }
    return CLATTN_OK;
}

clattn_status png_load(const char *path, picture *out)
{
    clattn_status st = CLATTN_OK;
    picture made = {0};
    /* transparent places become white */
    png_color white = {255, 255, 255};
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path)) {
        CT_FAIL(CLATTN_IO, "%s: %s", path, image.message);
    }
    image.format = PNG_FORMAT_RGB;
    CT_TRY(picture_make(&made, image.width > LARGEST ? -1 : (int)image.width,
                        image.height > LARGEST ? -1 : (int)image.height));
    if (!png_image_finish_read(&image, &white, made.rgb, 0, NULL)) {
        CT_FAIL(CLATTN_IO, "%s: %s", path, image.message);
    }
    *out = made;
    made.rgb = NULL;
out:
    png_image_free(&image);
    picture_release(&made);
    return st;
}

clattn_status picture_load(const char *path, picture *out)
{
    unsigned char first[2] = {0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        return ct_fail(CLATTN_IO, "%s: %s", path, strerror(errno));
    }
    const size_t got = fread(first, 1, sizeof first, file);
    fclose(file);
    return got == 2 && first[0] == 0xff && first[1] == 0xd8 ? jpeg_load(path, out) : png_load(path, out);
}

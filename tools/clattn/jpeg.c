/* JPEG for the demo's photograph, where the tool was built with libjpeg. */
#include "png.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef CLATTN_HAVE_JPEG
#    include <jpeglib.h>
#    include <setjmp.h>

typedef struct reader {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
} reader;

static void leave(j_common_ptr info)
{
    reader *r = (reader *)info->err;
    info->err->format_message(info, r->message);
    longjmp(r->back, 1);
}

static void keep_quiet(j_common_ptr info, int level)
{
    (void)info, (void)level;
}

clattn_status jpeg_load(const char *path, picture *out)
{
    struct jpeg_decompress_struct info;
    reader r;
    picture *made = ct_alloc(NULL, sizeof *made); /* on the heap: longjmp leaves it alone */
    if (!made) {
        return ct_fail(CLATTN_OUT_OF_HOST_MEMORY, "%s: no memory for a picture", path);
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        const clattn_status failed = ct_fail(CLATTN_IO, "%s: %s", path, strerror(errno));
        ct_release(NULL, made);
        return failed;
    }
    volatile clattn_status st = CLATTN_OK;
    info.err = jpeg_std_error(&r.manager);
    r.manager.error_exit = leave;
    r.manager.emit_message = keep_quiet;
    jpeg_create_decompress(&info);
    if (setjmp(r.back)) {
        st = ct_fail(CLATTN_IO, "%s: %s", path, r.message);
        goto out;
    }
    jpeg_stdio_src(&info, file);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info);
    st = picture_make(made, (int)info.output_width, (int)info.output_height);
    while (st == CLATTN_OK && info.output_scanline < info.output_height) {
        JSAMPROW row = made->rgb + (size_t)info.output_scanline * info.output_width * 3;
        jpeg_read_scanlines(&info, &row, 1);
    }
    if (st == CLATTN_OK) {
        jpeg_finish_decompress(&info);
        *out = *made;
        made->rgb = NULL;
    }
out:
    jpeg_destroy_decompress(&info);
    fclose(file);
    picture_release(made);
    ct_release(NULL, made);
    return st;
}
#else
clattn_status jpeg_load(const char *path, picture *out)
{
    (void)out;
    return ct_fail(CLATTN_UNSUPPORTED, "%s: a JPEG file, and this tool was built without libjpeg; pass a PNG", path);
}
#endif

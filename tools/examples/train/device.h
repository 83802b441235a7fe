/* An OpenCL device with what training needs beside attention: kernels for elements, dense products by CLBlast. Errors
 * end the program. */
#ifndef DEVICE_H
#define DEVICE_H

#include <clattn/clattn.h>

typedef struct device {
    cl_device_id id;
    cl_context cl;
    cl_command_queue queue; /* in order: nothing else waits for anything */
    cl_program program;     /* kernels.cl */
    clattn_context *context;
    cl_mem workspace; /* of the plan that needs most */
    size_t workspace_bytes;
} device;

/* `kernels`: the path of kernels.cl. */
device device_open(int platform, const char *kernels);
void device_close(device *d);

/* Floats, zero. */
cl_mem device_floats(device *d, size_t count);
cl_mem device_copy(device *d, const void *data, size_t bytes);
void device_read(device *d, cl_mem from, void *to, size_t bytes);
void device_write(device *d, cl_mem to, const void *from, size_t bytes);

/* Runs a kernel of kernels.cl over `items`: buffers first, then ints, then floats, as its parameters are. */
typedef struct arguments {
    int buffers, ints, floats;
    cl_mem buffer[6];
    cl_int integer[4];
    cl_float number[6];
} arguments;
void device_run(device *d, const char *kernel, size_t items, const arguments *a);

/* c = a b + beta c, row-major [m, k] [k, n]; turned: 'a' or 'b' is stored as its transpose. */
void device_product(device *d, char turned, size_t m, size_t n, size_t k, cl_mem a, cl_mem b, float beta, cl_mem c);

/* Makes room for the plan, and runs it. */
void device_reserve(device *d, const clattn_plan *plan);
void device_attend(device *d, clattn_plan *plan, const clattn_arg *args, int count);

/* Ends the program with what was being done, unless status is 0. */
void must(int status, const char *what);

#endif

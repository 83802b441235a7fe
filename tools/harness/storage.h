/* Storage types on the host: f32, f16, bf16 (round to nearest, ties to even), i32, u8. */
#ifndef CT_STORAGE_H
#define CT_STORAGE_H

#include <clattn/clattn.h>

uint16_t ct_f16_from(float value);
float ct_f16_to(uint16_t bits);
uint16_t ct_bf16_from(float value);
float ct_bf16_to(uint16_t bits);
/* Element `index` of raw memory. */
void ct_storage_write(clattn_dtype dtype, void *data, int64_t index, double value);
double ct_storage_read(clattn_dtype dtype, const void *data, int64_t index);
/* The value as it is after being stored. */
double ct_storage_round(clattn_dtype dtype, double value);
/* A float as an operand of 10 bits of mantissa (tf32): to nearest, ties away from zero. */
double ct_tf32_round(double value);
/* Unit in the last place of numbers of this size in the storage type; never below its smallest normal's. */
double ct_storage_ulp(clattn_dtype dtype, double size);

#endif

#include "harness/storage.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint16_t ct_bf16_from(float value)
{
    const uint32_t bits = bits_of(value);
    if (isnan(value)) {
        return (uint16_t)((bits >> 16) | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float ct_bf16_to(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t ct_f16_from(float value)
{
    const uint16_t sign = (uint16_t)((bits_of(value) >> 16) & 0x8000u);
    const float size = fabsf(value);
    if (isnan(value)) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (size >= 65520.0f) {
        return (uint16_t)(sign | 0x7c00u);
    }
    if (size < 0x1p-14f) { /* subnormal: units of 2^-24; nearbyint rounds ties to even */
        return (uint16_t)(sign | (uint16_t)nearbyintf(size * 0x1p24f));
    }
    const uint32_t bits = bits_of(size) - (112u << 23);
    return (uint16_t)(sign | (uint16_t)((bits + 0xfffu + ((bits >> 13) & 1u)) >> 13));
}

float ct_f16_to(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u, fraction = bits & 0x3ffu;
    if (exponent == 31) {
        return float_of(sign | 0x7f800000u | (fraction << 13));
    }
    if (exponent == 0) {
        const float size = (float)fraction * 0x1p-24f;
        return sign ? -size : size;
    }
    return float_of(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

void ct_storage_write(clattn_dtype dtype, void *data, int64_t index, double value)
{
    switch (dtype) {
    case CLATTN_F32:
        ((float *)data)[index] = (float)value;
        break;
    case CLATTN_F16:
        ((uint16_t *)data)[index] = ct_f16_from((float)value);
        break;
    case CLATTN_BF16:
        ((uint16_t *)data)[index] = ct_bf16_from((float)value);
        break;
    case CLATTN_I32:
        ((int32_t *)data)[index] = (int32_t)value;
        break;
    case CLATTN_U8:
        ((uint8_t *)data)[index] = (uint8_t)value;
        break;
    }
}

double ct_storage_read(clattn_dtype dtype, const void *data, int64_t index)
{
    switch (dtype) {
    case CLATTN_F32:
        return (double)((const float *)data)[index];
    case CLATTN_F16:
        return (double)ct_f16_to(((const uint16_t *)data)[index]);
    case CLATTN_BF16:
        return (double)ct_bf16_to(((const uint16_t *)data)[index]);
    case CLATTN_I32:
        return ((const int32_t *)data)[index];
    case CLATTN_U8:
        return ((const uint8_t *)data)[index];
    }
    return NAN;
}

double ct_storage_round(clattn_dtype dtype, double value)
{
    uint32_t room = 0;
    ct_storage_write(dtype, &room, 0, value);
    return ct_storage_read(dtype, &room, 0);
}

double ct_tf32_round(double value)
{
    const float x = (float)value;
    uint32_t bits;
    float rounded;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000u) & 0xffffe000u;
    memcpy(&rounded, &bits, sizeof rounded);
    return isfinite(x) ? (double)rounded : value;
}

double ct_storage_ulp(clattn_dtype dtype, double size)
{
    const int digits = dtype == CLATTN_BF16 ? 8 : dtype == CLATTN_F16 ? 11 : 24;
    const int least = dtype == CLATTN_F16 ? -14 : -126;
    int exponent;
    if (!(size > 0) || !isfinite(size)) {
        return ldexp(1.0, least - digits + 1);
    }
    frexp(size, &exponent);
    return ldexp(1.0, (exponent - 1 > least ? exponent - 1 : least) - digits + 1);
}

/* Storages: what the elements of a tensor are in memory: 0 float, 1 half, 2 bfloat16. A load owns the conversion: it is
 * told the storage, a constant, and gives floats; nothing behind a load knows of it. STORE is that of all tensors; a
 * tile that can mix them asks STORE_<tensor>, STORED(s) of a stream, and those of the held rows and of the weighted
 * keys. */
#ifndef STORE
#define STORE 0
#endif
#ifndef STORE_q
#define STORE_q STORE
#endif
#ifndef STORE_k
#define STORE_k STORE
#endif
#ifndef STORE_v
#define STORE_v STORE
#endif
#define STORE_g STORE_q /* the gradient of o has the type of q */
/* of the stage's streams, by number */
#ifndef STORE_0
#define STORE_0 STORE
#endif
#ifndef STORE_1
#define STORE_1 STORE
#endif
#ifndef STORE_2
#define STORE_2 STORE
#endif
#define STORED(s) ((s) == 0 ? STORE_0 : (s) == 1 ? STORE_1 : STORE_2)
#ifndef HELD_STORED
#define HELD_STORED STORE_q
#endif
#define KEYS_STORED STORE_k
#define STORED_SIZE(storage) ((storage) == 0 ? 4 : 2)

typedef const __global uchar *stored; /* where a row begins: strides of rows that may be of any storage count bytes */
#define STORED_AT(name) ((stored)name##_base + name##_from * STORED_SIZE(STORE_##name))
/* Element i of a row. */
OP float stored_at(const int storage, stored p, long i) {
    if (storage == 0) return ((const __global float *)p)[i];
    if (storage == 1) return vload_half(i, (const __global half *)p); /* needs no cl_khr_fp16 */
    return as_float((uint)((const __global ushort *)p)[i] << 16);
}

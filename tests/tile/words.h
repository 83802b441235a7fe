/* Tiny kernels, each over a few words of the vocabulary, for test_words.c. Joined behind tile.cl and a tile; they name nothing
 * of a machine. */
#ifndef TEST_WORDS_H
#define TEST_WORDS_H

/* what struct words is in the kernels' text */
typedef struct words {
    int64_t a[3], b[3], c[3], y[3];
    int64_t z_first, z_row, z_pack, z_part, pitch;
    int32_t first, row0, rows, key0, keys, word;
} words;

static const char words_frame[] =
    "#define STREAMS 2\n"
    "#define WIDTH(s) ((s) == 0 ? DK : DV)\n"
    "typedef struct {\n"
    "    strides a, b, c, y;\n"
    "    long z_first, z_row, z_pack, z_part, pitch;\n"
    "    int first, row0, rows, key0, keys, word;\n"
    "} words;\n"
    "typedef struct {\n"
    "    tile t; held h; acc_pair s; op_pair p; acc_head o; row l, m; parts k; tensor a, b, c; tensor_out y;\n"
    "} frame;\n";

/* o = (o * f + mask(a b^T) c), two steps, f = row / 4 + step / 2; before the store one more f, and row e times its first number. */
static const char words_products[] =
    "TILE_KERNEL void products(TENSOR(a), TENSOR(b), TENSOR(c), BUFFER(out_elem, y), BUFFER(const float, e), BUFFER(const out_elem, d),\n"
    "    const words w) {\n"
    "    frame f;\n"
    "    TILE_BEGIN(&f.t);\n"
    "    held_at(&f.t, &f.h, 0);\n"
    "    f.a = tensor_view(TENSOR_AT(a), &w.a, 0, 0, w.first, w.rows);\n"
    "    f.b = tensor_view(TENSOR_AT(b), &w.b, 0, 0, w.first, w.keys);\n"
    "    f.c = tensor_view(TENSOR_AT(c), &w.c, 0, 0, w.first, w.keys);\n"
    "    f.y = out_view(AT(y), &w.y, 0, 0, w.first, w.rows);\n"
    "    tensor_begin(&f.t, &f.a); tensor_begin(&f.t, &f.b); tensor_begin(&f.t, &f.c);\n"
    "    held_load(&f.t, &f.h, &f.a, w.row0);\n"
    "    held_wait(&f.t);\n"
    "    acc_zero(&f.o);\n"
    "    stream_load(&f.t, 0, 0, &f.b, w.key0);\n"
    "    stream_load(&f.t, 1, 0, &f.c, w.key0);\n"
    "    for (int j = 0; j < 2; j++) {\n"
    "        stream_load(&f.t, 0, 1, &f.b, w.key0 + BN);\n"
    "        stream_load(&f.t, 1, 1, &f.c, w.key0 + BN);\n"
    "        stream_wait(&f.t, 0, j);\n"
    "        stream_wait(&f.t, 1, j);\n"
    "        const int key0 = stream_first(&f.t, 0, j, w.key0 + j * BN);\n"
    "        mma_abt(&f.t, &f.s, &f.h, 0, j);\n"
    "        mma_commit();\n"
    "        mma_wait(0);\n"
    "        stream_release(&f.t, 0, j);\n"
    "        EACH_PAIR(i) {\n"
    "            const VI key = COL_AT(&f.t, i) + key0;\n"
    "            f.s.x[i] = pick(key >= w.keys, (VF)(0.0f), f.s.x[i]);\n"
    "        }\n"
    "        EACH_PART(k) f.k.x[k] = -INFINITY;\n"
    "        EACH_ROW(r) f.m.x[r] = -INFINITY;\n"
    "        EACH_PAIR(i) f.k.x[PART_OF(i)] = vmax(f.k.x[PART_OF(i)], TO_VF(ROW_AT(&f.t, i)));\n"
    "        fold_max(&f.t, &f.m, &f.k);\n"
    "        EACH_ROW(r) f.m.x[r] = (f.m.x[r] + TO_VF(ROW_NUMBER(&f.t, r))) * 0.125f + 0.5f * (float)(j + 1);\n"
    "        row_scale(&f.o, &f.m);\n"
    "        convert(&f.p, &f.s);\n"
    "        mma_ab(&f.t, &f.o, &f.p, 1, j);\n"
    "        mma_commit();\n"
    "        mma_wait(0);\n"
    "        stream_release(&f.t, 1, j);\n"
    "    }\n"
    "    row_scale(&f.o, &f.m);\n"
    "    const int rows = min(BM, w.rows - w.row0);\n"
    "    row_load(&f.t, &f.l, AT(e) + w.z_first, w.z_row, w.z_pack, rows);\n"
    "    acc_add(&f.t, &f.o, &f.l, AT(d) + w.z_first, w.z_row, w.z_pack, rows);\n"
    "    acc_store(&f.t, &f.y, w.row0, &f.o);\n"
    "}\n";

/* z: each row's maximum over the keys; behind z_part its sum, plus 1 that counts once. */
static const char words_rows[] =
    "TILE_KERNEL void rows(TENSOR(a), TENSOR(b), BUFFER(float, z), const words w) {\n"
    "    frame f;\n"
    "    TILE_BEGIN(&f.t);\n"
    "    held_at(&f.t, &f.h, 0);\n"
    "    f.a = tensor_view(TENSOR_AT(a), &w.a, 0, 0, w.first, w.rows);\n"
    "    f.b = tensor_view(TENSOR_AT(b), &w.b, 0, 0, w.first, w.keys);\n"
    "    held_load(&f.t, &f.h, &f.a, w.row0);\n"
    "    held_wait(&f.t);\n"
    "    stream_load(&f.t, 0, 0, &f.b, w.key0);\n"
    "    stream_load(&f.t, 0, 1, &f.b, w.key0);\n"
    "    EACH_ROW(r) { f.m.x[r] = -INFINITY; f.l.x[r] = row_once(&f.t, 1.0f); }\n"
    "    for (int j = 0; j < 2; j++) {\n"
    "        stream_wait(&f.t, 0, j);\n"
    "        mma_abt(&f.t, &f.s, &f.h, 0, j);\n"
    "        mma_commit();\n"
    "        mma_wait(0);\n"
    "        EACH_PART(k) f.k.x[k] = j ? 0.0f : -INFINITY;\n"
    "        EACH_PAIR(i) {\n"
    "            const VI past = COL_AT(&f.t, i) + w.key0 >= w.keys;\n"
    "            if (j) f.k.x[PART_OF(i)] += pick(past, (VF)(0.0f), f.s.x[i]);\n"
    "            else f.k.x[PART_OF(i)] = vmax(f.k.x[PART_OF(i)], pick(past, (VF)(-INFINITY), f.s.x[i]));\n"
    "        }\n"
    "        if (j) fold_sum(&f.l, &f.k); else fold_max(&f.t, &f.m, &f.k);\n"
    "    }\n"
    "    row_join_sum(&f.t, &f.l);\n"
    "    const int rows = min(BM, w.rows - w.row0);\n"
    "    row_store(&f.t, AT(z) + w.z_first, w.z_row, w.z_pack, rows, &f.m);\n"
    "    row_store(&f.t, AT(z) + w.z_first + w.z_part, w.z_row, w.z_pack, rows, &f.l);\n"
    "}\n";

/* y = word(row, key), through a product with the identity; DV == BN. */
static const char words_texts[] =
    "OP VF word_of(const words *w, VI r, VI c, const __global float *g, const __global uchar *b, const __global int *n) {\n"
    "    const VF x = gather(g, r, w->pitch, c);\n"
    "    switch (w->word) {\n"
    "    case 0: case 8: return x;\n"
    "    case 1: return TO_VF(gather_byte(b, r, w->pitch, c));\n"
    "    case 2: return TO_VF(gather_int(n, r, w->pitch, c));\n"
    "    case 3: return vexp2(x);\n"
    "    case 4: return vtanh(x);\n"
    "    case 5: return vlog(vabs(x));\n"
    "    case 6: return pick(c > r, vmax(x, TO_VF(c - r)), gather(g, (VI)(0), 0, c));\n"
    "    default: return gather(g, r, w->pitch, (VI)(0)) - TO_VF(r) * 2.0f;\n"
    "    }\n"
    "}\n"
    "TILE_KERNEL void texts(TENSOR(c), BUFFER(out_elem, y), BUFFER(const float, g), BUFFER(const uchar, gb), BUFFER(const int, gi),\n"
    "    const words w) {\n"
    "    frame f;\n"
    "    TILE_BEGIN(&f.t);\n"
    "    f.c = tensor_view(TENSOR_AT(c), &w.c, 0, 0, 1, BN);\n"
    "    f.y = out_view(AT(y), &w.y, 0, 0, 1, w.rows);\n"
    "    stream_load(&f.t, 1, 0, &f.c, 0);\n"
    "    stream_wait(&f.t, 1, 0);\n"
    "    acc_zero(&f.o);\n"
    "    EACH_PAIR(i) f.s.x[i] = word_of(&w, min(ROW_AT(&f.t, i), (VI)(w.rows - 1)), COL_AT(&f.t, i), AT(g), AT(gb), AT(gi));\n"
    "    if (w.word == 8) pair_fetch(&f.t, AT(g), w.pitch, w.rows, BN);\n"
    "    if (w.word == 8) pair_scale_add(&f.t, &f.s, 0.5f, AT(g), w.pitch, w.rows, BN);\n"
    "    convert(&f.p, &f.s);\n"
    "    mma_ab(&f.t, &f.o, &f.p, 1, 0);\n"
    "    mma_commit();\n"
    "    mma_wait(0);\n"
    "    acc_store(&f.t, &f.y, 0, &f.o);\n"
    "}\n";

#endif

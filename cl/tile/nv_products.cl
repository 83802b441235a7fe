/* wgmma by width: m64 x n x k16, accumulators in float, operands of STORE. Register lists must be literals in inline
 * assembly; n in steps of 16.
 *   ABTNEW<n>(c, a, b)    c  = a . b^T    a, b: descriptors of rows as stored        "=f": a "+f" accumulator that
 *                         every step
 *   ABT<n>(c, a, b)       c += a . b^T                                               begins anew would stay alive round
 *                         the loop
 *   AB<n>(c, a, b)        c += a . b      a: four registers, b: descriptor, turned */
#if STORE == 1
#define MMA_TYPES "f32.f16.f16"
#else
#define MMA_TYPES "f32.bf16.bf16"
#endif
/* Both operands from local memory. adds: "0" makes c anew, "1" adds; turned: "0" or "1" for each of them. outs holds
 * commas, so no macro hands it on to this one. */
#define LINES_PRODUCT(n, list, outs, ra, rb, adds, turned, a, b)                                                       \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" n "k16." MMA_TYPES " {" list "}, %" ra ", %" rb ", " adds         \
                 ", 1, 1, " turned ";"                                                                                 \
                 : outs                                                                                                \
                 : "l"(a), "l"(b))
#define AB_ADD(n, list, outs, r0, r1, r2, r3, rb, a, b)                                                                \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" n "k16." MMA_TYPES " {" list "}, {%" r0 ",%" r1 ",%" r2 ",%" r3   \
                 "}, %" rb ", 1, 1, 1, 1;"                                                                             \
                 : outs                                                                                                \
                 : "r"((a)[0]), "r"((a)[1]), "r"((a)[2]), "r"((a)[3]), "l"(b))
#define LIST16 "%0,%1,%2,%3,%4,%5,%6,%7"
#define LIST32 LIST16 ",%8,%9,%10,%11,%12,%13,%14,%15"
#define LIST48 LIST32 ",%16,%17,%18,%19,%20,%21,%22,%23"
#define LIST64 LIST48 ",%24,%25,%26,%27,%28,%29,%30,%31"
#define LIST80 LIST64 ",%32,%33,%34,%35,%36,%37,%38,%39"
#define LIST96 LIST80 ",%40,%41,%42,%43,%44,%45,%46,%47"
#define LIST112 LIST96 ",%48,%49,%50,%51,%52,%53,%54,%55"
#define LIST128 LIST112 ",%56,%57,%58,%59,%60,%61,%62,%63"
#define LIST144 LIST128 ",%64,%65,%66,%67,%68,%69,%70,%71"
#define LIST160 LIST144 ",%72,%73,%74,%75,%76,%77,%78,%79"
#define LIST176 LIST160 ",%80,%81,%82,%83,%84,%85,%86,%87"
#define OUT8(c, i)                                                                                                     \
    "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]),        \
        "+f"(c[i + 7])
#define OUT16_(c) OUT8(c, 0)
#define OUT32_(c) OUT16_(c), OUT8(c, 8)
#define OUT48_(c) OUT32_(c), OUT8(c, 16)
#define OUT64_(c) OUT48_(c), OUT8(c, 24)
#define OUT80_(c) OUT64_(c), OUT8(c, 32)
#define OUT96_(c) OUT80_(c), OUT8(c, 40)
#define OUT112_(c) OUT96_(c), OUT8(c, 48)
#define OUT128_(c) OUT112_(c), OUT8(c, 56)
#define OUT144_(c) OUT128_(c), OUT8(c, 64)
#define OUT160_(c) OUT144_(c), OUT8(c, 72)
#define OUT176_(c) OUT160_(c), OUT8(c, 80)
#define NEW8(c, i)                                                                                                     \
    "=f"(c[i]), "=f"(c[i + 1]), "=f"(c[i + 2]), "=f"(c[i + 3]), "=f"(c[i + 4]), "=f"(c[i + 5]), "=f"(c[i + 6]),        \
        "=f"(c[i + 7])
#define NEW16_(c) NEW8(c, 0)
#define NEW32_(c) NEW16_(c), NEW8(c, 8)
#define NEW48_(c) NEW32_(c), NEW8(c, 16)
#define NEW64_(c) NEW48_(c), NEW8(c, 24)
#define NEW80_(c) NEW64_(c), NEW8(c, 32)
#define NEW96_(c) NEW80_(c), NEW8(c, 40)
#define NEW112_(c) NEW96_(c), NEW8(c, 48)
#define NEW128_(c) NEW112_(c), NEW8(c, 56)
#define NEW144_(c) NEW128_(c), NEW8(c, 64)
#define NEW160_(c) NEW144_(c), NEW8(c, 72)
#define NEW176_(c) NEW160_(c), NEW8(c, 80)
#define ABTNEW16(c, a, b) LINES_PRODUCT("16", LIST16, NEW16_(c), "8", "9", "0", "0, 0", a, b)
#define ABTNEW32(c, a, b) LINES_PRODUCT("32", LIST32, NEW32_(c), "16", "17", "0", "0, 0", a, b)
#define ABTNEW48(c, a, b) LINES_PRODUCT("48", LIST48, NEW48_(c), "24", "25", "0", "0, 0", a, b)
#define ABTNEW64(c, a, b) LINES_PRODUCT("64", LIST64, NEW64_(c), "32", "33", "0", "0, 0", a, b)
#define ABTNEW80(c, a, b) LINES_PRODUCT("80", LIST80, NEW80_(c), "40", "41", "0", "0, 0", a, b)
#define ABTNEW96(c, a, b) LINES_PRODUCT("96", LIST96, NEW96_(c), "48", "49", "0", "0, 0", a, b)
#define ABTNEW112(c, a, b) LINES_PRODUCT("112", LIST112, NEW112_(c), "56", "57", "0", "0, 0", a, b)
#define ABTNEW128(c, a, b) LINES_PRODUCT("128", LIST128, NEW128_(c), "64", "65", "0", "0, 0", a, b)
#define ABTNEW144(c, a, b) LINES_PRODUCT("144", LIST144, NEW144_(c), "72", "73", "0", "0, 0", a, b)
#define ABTNEW160(c, a, b) LINES_PRODUCT("160", LIST160, NEW160_(c), "80", "81", "0", "0, 0", a, b)
#define ABTNEW176(c, a, b) LINES_PRODUCT("176", LIST176, NEW176_(c), "88", "89", "0", "0, 0", a, b)
#define ABT16(c, a, b) LINES_PRODUCT("16", LIST16, OUT16_(c), "8", "9", "1", "0, 0", a, b)
#define ABT32(c, a, b) LINES_PRODUCT("32", LIST32, OUT32_(c), "16", "17", "1", "0, 0", a, b)
#define ABT48(c, a, b) LINES_PRODUCT("48", LIST48, OUT48_(c), "24", "25", "1", "0, 0", a, b)
#define ABT64(c, a, b) LINES_PRODUCT("64", LIST64, OUT64_(c), "32", "33", "1", "0, 0", a, b)
#define ABT80(c, a, b) LINES_PRODUCT("80", LIST80, OUT80_(c), "40", "41", "1", "0, 0", a, b)
#define ABT96(c, a, b) LINES_PRODUCT("96", LIST96, OUT96_(c), "48", "49", "1", "0, 0", a, b)
#define ABT112(c, a, b) LINES_PRODUCT("112", LIST112, OUT112_(c), "56", "57", "1", "0, 0", a, b)
#define ABT128(c, a, b) LINES_PRODUCT("128", LIST128, OUT128_(c), "64", "65", "1", "0, 0", a, b)
#define ABT144(c, a, b) LINES_PRODUCT("144", LIST144, OUT144_(c), "72", "73", "1", "0, 0", a, b)
#define ABT160(c, a, b) LINES_PRODUCT("160", LIST160, OUT160_(c), "80", "81", "1", "0, 0", a, b)
#define ABT176(c, a, b) LINES_PRODUCT("176", LIST176, OUT176_(c), "88", "89", "1", "0, 0", a, b)
#define AB16(c, a, b) AB_ADD("16", LIST16, OUT16_(c), "8", "9", "10", "11", "12", a, b)
#define AB32(c, a, b) AB_ADD("32", LIST32, OUT32_(c), "16", "17", "18", "19", "20", a, b)
#define AB48(c, a, b) AB_ADD("48", LIST48, OUT48_(c), "24", "25", "26", "27", "28", a, b)
#define AB64(c, a, b) AB_ADD("64", LIST64, OUT64_(c), "32", "33", "34", "35", "36", a, b)
#define AB80(c, a, b) AB_ADD("80", LIST80, OUT80_(c), "40", "41", "42", "43", "44", a, b)
#define AB96(c, a, b) AB_ADD("96", LIST96, OUT96_(c), "48", "49", "50", "51", "52", a, b)
#define AB112(c, a, b) AB_ADD("112", LIST112, OUT112_(c), "56", "57", "58", "59", "60", a, b)
#define AB128(c, a, b) AB_ADD("128", LIST128, OUT128_(c), "64", "65", "66", "67", "68", a, b)

/* Problem texts: parse and format are each other's inverse; every error names the key, the value and the bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "plan/keys.h"
#include "plan/problem.h"

static void round_trip(void **state)
{
    static const char *const texts[] = {
        "dense",
        "dense b=2 hq=16 hk=4 n=8192 d=128 dtype=bf16 causal=1",
        "block_sparse b=2 hq=16 hk=4 n=8192 d=128 dtype=bf16 causal=1 block=64 pattern=fixed local=4 global=1",
        "dense nq=3 nk=77 dqk=80 dv=24 layout=bnhd pass=decode window=5,0 softcap=30.5 alibi=1 sink=1 bias=1 bias_b=1 "
        "scale=0.1",
        "dense n=100 sequences=4 max_q=50 max_k=60 key_padding=1",
        "dense tf32=1",
        "dense score=a.cl mask=b.cl p0=1.5 p7=-2e-05",
        "dense score=a.cl text_buffer=640",
        "block_sparse pattern=variable windows=1,2,3 indices=0,5 ends=1,7 horizontal=1 random=2 seed=9 block=16x32",
        "block_sparse pattern=image tiles=4x8 radius=2",
        "block_sparse pattern=bigbird attention=uni per_head=1 sliding=5",
        "linear decay=-0.25 state=1 feature=elu normalise=1 chunk=32",
        "linear causal=0",
        "linear decay=minimax:3/80",
        "linear decay=token",
        "lightning decay=fla:0/24",
        "lightning decay=none",
        "hybrid window=64,0 samples=16 spacing=log gate=1",
        "sparse_linear pattern=fixed feature=softmax remaining=1 gate=2",
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(texts); i++) {
        clattn_problem first, second;
        char text[1024], again[1024];
        if (clattn_problem_parse(&first, texts[i]) != CLATTN_OK) {
            fail_msg("%s: %s", texts[i], clattn_error_detail());
        }
        assert_int_equal(clattn_problem_format(&first, text, sizeof text), CLATTN_OK);
        assert_int_equal(clattn_problem_parse(&second, text), CLATTN_OK);
        assert_int_equal(clattn_problem_format(&second, again, sizeof again), CLATTN_OK);
        assert_string_equal(text, again);
        assert_memory_equal(&first.pattern, &second.pattern, sizeof first.pattern);
        assert_true(first.decay == second.decay && first.decay_value == second.decay_value &&
                    first.softcap == second.softcap);
        assert_true(first.nq == second.nq && first.nk == second.nk && first.dv == second.dv &&
                    first.causal == second.causal);
    }
}

static void values_arrive(void **state)
{
    clattn_problem p;
    (void)state;
    assert_int_equal(
        clattn_problem_parse(
            &p, "block_sparse pattern=fixed local=4 global=1 block=64 b=2 hq=16 hk=4 n=8192 d=128 dtype=bf16 causal=1"),
        0);
    assert_true(p.b == 2 && p.hq == 16 && p.hk == 4 && p.nq == 8192 && p.nk == 8192 && p.dqk == 128 && p.dv == 128);
    assert_true(p.dtype == CLATTN_BF16 && p.causal == 1 && p.block_q == 64 && p.block_k == 64 && p.pattern.local == 4);
    assert_int_equal(p.pattern.kind, CLATTN_PATTERN_FIXED);
    assert_true(fabs(ct_problem_scale(&p) - 1 / sqrt(128.0)) < 1e-15);
    assert_int_equal(clattn_problem_parse(&p, "lightning h=4"), 0);
    assert_true(p.decay == CLATTN_DECAY_ALIBI && ct_problem_causal(&p) && ct_problem_scale(&p) == 1.0);
    /* the single key counts, in any order */
    assert_int_equal(clattn_problem_parse(&p, "dense hk=2 h=8 n=70 nq=5 d=16"), 0);
    assert_true(p.hq == 8 && p.hk == 2 && p.nq == 5 && p.nk == 70 && p.dqk == 16 && p.dv == 16);
    assert_int_equal(clattn_problem_parse(&p, "linear causal=0"), 0);
    assert_false(ct_problem_causal(&p));
}

static void errors_name_key_value_bound(void **state)
{
    static const struct {
        const char *text, *words[3];
    } cases[] = {
        {"", {"empty"}},
        {"flash n=3", {"flash", "block_sparse, dense"}},
        {"dense bogus=3", {"bogus"}},
        {"dense n", {"unknown key 'n'"}},
        {"dense n=0", {"n=0", "from 1"}},
        {"dense n=ten", {"n=ten", "integer"}},
        {"dense n=1000000001", {"n=1000000001", "1000000000"}},
        {"dense d=257", {"d=257", "256"}},
        {"dense dtype=f64", {"dtype=f64", "f32|f16|bf16"}},
        {"dense causal=2", {"causal=2", "0 to 1"}},
        {"dense hq=6 hk=4", {"hq=6", "hk=4"}},
        {"dense window=3", {"window=3", "LEFT,RIGHT"}},
        {"dense window=-2,0", {"window=-2,0"}},
        {"dense softcap=-1", {"softcap=-1", "0"}},
        {"dense n=5 n=6", {"'n' is given twice"}},
        {"dense scale=1,5", {"scale=1,5"}},
        {"dense block=64", {"block", "dense"}},
        {"dense block=32", {"block=32", "no such key"}},
        {"dense decay=-1", {"decay=-1", "no such key"}},
        {"block_sparse block=15", {"block=15", "16"}},
        {"block_sparse windows=", {"windows="}},
        {"block_sparse indices=1,x", {"indices=1,x"}},
        {"block_sparse tiles=3", {"tiles=3", "YxX"}},
        {"linear decay=0.5", {"decay=0.5", "at most 0"}},
        {"linear decay=minimax:4/4", {"LAYER"}},
        {"linear softcap=3", {"softcap=3", "no such key"}},
        {"dense sequences=3 b=2", {"b=2", "sequences=3"}},
        {"dense max_q=5", {"max_q=5"}},
        {"dense bias=1 bias_h=3", {"bias_h=3", "hq=8"}},
        {"dense bias=1 sequences=2", {"bias=1"}},
        {"hybrid samples=5000 n=100", {"samples=5000", "100"}},
        {"dense bias_b=1", {"bias_b=1", "bias=1"}},
        {"dense window=2000000000,0", {"window=2000000000,0", "1000000000"}},
        {"dense score=", {"score=", "path"}},
        {"dense score= my.cl", {"score= my.cl", "write score=my.cl"}},
        {"dense n= 7 h=2", {"n= 7", "write n=7"}},
        {"dense score=\tmy.cl n=5", {"write score=my.cl"}},
        {"dense score=my file.cl", {"unknown key 'file.cl'", "behind score=my", "holds no blanks"}},
        {"dense mask=a b=c.cl", {"b=c.cl"}},
        {"dense mask=a q=c.cl", {"unknown key 'q'", "behind mask=a", "holds no blanks"}},
        {"dense mask= n=5", {"mask=", "path"}},
        {"block_sparse pattern=sliding local=4", {"local=4", "'sliding'"}},
        {"block_sparse pattern=bigbird horizontal=1", {"horizontal=1", "'bigbird'"}},
        {"block_sparse pattern=variable windows=1,2,", {"windows=1,2,"}},
        {"block_sparse pattern=image tiles=0x3", {"tiles=0x3", "from 1"}},
        {"lightning normalise=1", {"normalise=1", "lightning"}},
        {"sparse_linear pass=decode", {"pass=decode", "fwd"}},
    };
    (void)state;
    for (size_t i = 0; i < CT_COUNT(cases); i++) {
        clattn_problem p = {.struct_size = 77};
        const clattn_status st = clattn_problem_parse(&p, cases[i].text);
        if (i == 16) { /* the default's own value is no error */
            assert_int_equal(st, CLATTN_OK);
            continue;
        }
        if (st == CLATTN_OK) {
            fail_msg("'%s' was accepted", cases[i].text);
        }
        assert_int_equal(p.struct_size, 77);
        for (int w = 0; w < 3 && cases[i].words[w]; w++) {
            if (!strstr(clattn_error_detail(), cases[i].words[w])) {
                fail_msg("'%s': \"%s\" does not name '%s'", cases[i].text, clattn_error_detail(), cases[i].words[w]);
            }
        }
    }
}

static void null_and_small(void **state)
{
    clattn_problem p;
    char text[8];
    (void)state;
    assert_int_equal(clattn_problem_parse(NULL, "dense"), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_problem_parse(&p, NULL), CLATTN_INVALID_ARGUMENT);
    assert_int_equal(clattn_problem_check(NULL), CLATTN_INVALID_ARGUMENT);
    clattn_problem_init(&p);
    assert_int_equal(clattn_problem_format(&p, NULL, 9), CLATTN_INVALID_ARGUMENT);
    p.nq = 12345;
    assert_int_equal(clattn_problem_format(&p, text, sizeof text), CLATTN_BUFFER_TOO_SMALL);
    p.struct_size = 3;
    assert_int_equal(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "struct_size is 3"));
    clattn_problem_init(&p);
    memset(p.method, 'x', sizeof p.method);
    assert_int_equal(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT);
}

/* What only a program can fill in: no size overflows, nothing is read outside a table or a name. */
static void fields_out_of_bounds(void **state)
{
    clattn_problem p;
    char text[2048];
    (void)state;
    static const struct {
        const char *text, *word;
    } sizes[] = {
        {"dense b=1000000000 h=8", "1000000000 batches"},
        {"dense sequences=10000000 n=1000000000 h=65536", "10000000 sequences"},
        {"dense h=65536 n=1000000000 d=256", "q spans 1.67"},
        {"dense hq=65536 hk=1 nq=1 nk=1000000000 b=30000", "b x hq x nk"},
        {"dense bias=1 n=1000000000", "the bias spans"},
        {"merge parts=65536 b=1000 n=1000000", "o of all parts"},
    };
    for (size_t i = 0; i < CT_COUNT(sizes); i++) {
        if (clattn_problem_parse(&p, sizes[i].text) != CLATTN_INVALID_ARGUMENT ||
            !strstr(clattn_error_detail(), sizes[i].word)) {
            fail_msg("'%s': \"%s\" does not name '%s'", sizes[i].text, clattn_error_detail(), sizes[i].word);
        }
    }
    clattn_problem_init(&p);
    p.pattern.seed = -1;
    assert_int_equal(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "seed=-1"));
    clattn_problem_init(&p);
    p.text_params[3] = NAN;
    assert_int_equal(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "p3="));
    clattn_problem_init(&p);
    strcpy(p.score_file, "my text.cl");
    assert_int_equal(clattn_problem_format(&p, text, sizeof text), CLATTN_UNSUPPORTED);
    assert_non_null(strstr(clattn_error_detail(), "my text.cl"));
    clattn_problem_init(&p);
    p.k.row = -64;
    assert_int_equal(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "k strides 0, 0, -64"));
    p.k.row = INT64_MAX / 2;
    assert_int_equal(clattn_problem_check(&p), CLATTN_INVALID_ARGUMENT);
    clattn_problem_init(&p);
    p.dtype = (clattn_dtype)1000;
    assert_int_equal(clattn_problem_format(&p, text, sizeof text), CLATTN_INVALID_ARGUMENT);
    clattn_problem_init(&p);
    memset(p.mask_file, 'm', sizeof p.mask_file);
    assert_int_equal(clattn_problem_format(&p, text, sizeof text), CLATTN_INVALID_ARGUMENT);
    assert_non_null(strstr(clattn_error_detail(), "mask_file"));
}

static void every_key_is_described(void **state)
{
    ct_key_help help;
    int count = 0;
    (void)state;
    for (; ct_problem_key(count, &help); count++) {
        assert_true(strlen(help.name) > 0 && strlen(help.values) > 0 && strlen(help.help) > 0);
        assert_ptr_equal(ct_key_find(help.name, strlen(help.name)), &ct_keys[count]);
    }
    assert_int_equal(count, ct_key_count);
    assert_true(clattn_method_count() >= 6);
    for (int i = 0; i < clattn_method_count(); i++) {
        assert_non_null(clattn_method_name(i));
        assert_true(strlen(clattn_method_text(i)) > 5);
    }
    assert_null(clattn_method_name(-1));
    assert_null(clattn_method_text(clattn_method_count()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(errors_name_key_value_bound),
        cmocka_unit_test(null_and_small),
        cmocka_unit_test(fields_out_of_bounds),
        cmocka_unit_test(every_key_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

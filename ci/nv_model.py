"""Kernels of tile_nv_wgmma, as clang compiles them, run by nv_machine.py and compared with plain products in double precision.

    nv_model.py [NAME...]       cases by name, else all

attend_forward ran on an H200: that it comes out right here says that the model reads descriptors and fragments as the machine does. The stages
with a state are held to the rules of tools/harness/check.h: RMS error 3e-3 of what leaves in bfloat16, 5e-6 of a state; nothing is written behind an end.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

from nv_arguments import Arguments
from nv_machine import Group, Program, TensorMap, bf16, from_bf16

HERE = os.path.dirname(os.path.abspath(__file__))
CHUNK = 64
programs = {}
kernels = {"attend": Arguments("attend_forward", "attend/args.cl", "attend/attend_forward.cl"), "probe": Arguments("probe", "tile/probe_wgmma.cl")}
for stage_ in ("attend_backward_kv", "attend_backward_q", "attend_statistics"):
    kernels[stage_] = Arguments(stage_, "attend/args.cl", "attend/%s.cl" % stage_)
kernels["attend_backward"] = kernels["attend_backward_kv"] # in one pass
for stage_ in ("accumulate_forward", "accumulate_state", "accumulate_apply"):
    kernels[stage_] = Arguments(stage_, "accumulate/args.cl", "accumulate/%s.cl" % stage_)


def program(stage, defines):
    key = [stage] + ["%s=%d" % d for d in sorted(defines.items())]
    if tuple(key) not in programs:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ptx")
            subprocess.run(["bash", os.path.join(HERE, "nv_offline.sh"), "--ptx", path, "nv_wgmma." + stage] + key[1:], check=True, stdout=sys.stderr)
            with open(path) as text:
                programs[tuple(key)] = Program(text.read())
    return programs[tuple(key)]


def up(n, unit):
    return -(-n // unit) * unit


class Memory:
    """Global memory: bytes of all ones, which are NaN, until something is placed."""

    def __init__(self):
        self.x, self.top, self.maps = np.full(24 << 20, 0xFF, np.uint8), 4096, {}

    def place(self, array):
        raw = np.ascontiguousarray(array).view(np.uint8).ravel()
        at = up(self.top, 256)
        self.x[at:at + len(raw)] = raw
        self.top = at + len(raw)
        return at

    def room(self, shape, kind):
        return self.place(np.full(int(np.prod(shape)) * np.dtype(kind).itemsize, 0xFF, np.uint8))

    def get(self, at, shape, kind):
        return self.x[at:at + int(np.prod(shape)) * np.dtype(kind).itemsize].view(kind).reshape(shape).copy()

    def map_tensor(self, at, rows, heads, width, starts, box):
        """One map for each sequence, 128 bytes apart, as src/tile/tensor_maps.c has them made."""
        first = self.place(np.zeros(256 + 128 * (len(starts) - 1), np.uint8)) + 256            # the counter of items lies before the first map
        for i, start in enumerate(starts[:-1]):
            self.maps[first + 128 * i] = TensorMap(at + 2 * start * width, width, max(starts[i + 1] - start, 1), heads, 1,
                                                   (heads * rows * width, rows * width, width), box)
        return first

    def launch(self, stage, defines, grid, items, buffers, args, seed, late, slow=()):
        """Buffers and values by the names that the kernel gives them."""
        text, kernel = program(stage, defines), kernels[stage]
        params, record = kernel.pack_buffers(buffers), kernel.pack_record(args)
        params = params.ljust(text.value_at, b"\0") + record if record else params
        assert len(params) == text.param_bytes, "the arguments take %d bytes, the kernel wants %d" % (len(params), text.param_bytes)
        for y in range(grid[1]):
            for x in range(grid[0]):
                Group(text, params, self.x, self.maps, items, (x, y, 0, *grid), seed + x + 7 * y, late, slow).run()


def rms(x, y):
    return float(np.sqrt(((x - y) ** 2).mean() / (y ** 2).mean()))


def numbers(rng, *shape):
    return bf16(rng.standard_normal(shape).astype(np.float32))


def doubles(x):
    return from_bf16(x.ravel()).reshape(x.shape).astype(np.float64)


def probe():
    """What decides whether a device gets the tile."""
    memory = Memory()
    out = memory.room((32,), np.float32)
    memory.launch("probe", {}, (1, 1), 128, dict(out=out), {}, seed=1, late=True)
    rows = np.arange(16.0)
    return {"out": (float(np.abs(memory.get(out, (32,), np.float32) - np.concatenate([3 * rows + 1, rows])).max()), 0)}


def attend_args(n, heads, d, step, left, rows, crowd, scale):
    """One batch, bias rows of n."""
    x = (heads * n * d, n * d, d)
    return dict(q=x, k=x, v=x, o=x, lse_batch=heads * n, lse_head=n, bias_row=n, nq=n, nk=n, group=1, step=step, parts=1, left=left, right=n, rows=rows, items=heads,
                inner=heads, crowd=crowd, scale=scale)


def attend(d=128, n=256, seed=1, late=True, resident=0, blend=0, bias=0, left=None, padding=0):
    """Every key, no mask: the variant that ran at 697 TFLOP/s. resident: one group does every block. blend: joined with what was there before.
    bias: added to the scores, among it constants that stand for "masked". left: a causal window, asked of every tile. padding: hidden keys, whose
    values are NaN."""
    rng, memory, bm, bn = np.random.default_rng(seed), Memory(), 128, 128
    asked, placed = int(left is not None or padding), int(left is not None)
    defines = dict(BM=bm, BN=bn, DK=d, DV=d, STORE=2, OUT=2, TURNS=1, PARTS=2, ALIGNED=1, PARTIAL=asked, CAUSAL=placed, WINDOW=placed, HEAVY_LAST=placed,
                   PADDING=padding, RESIDENT=resident, BLEND=blend, BIAS=bias, STAGED=bias)
    q, k, v = (numbers(rng, n, d) for _ in range(3))
    shown = (rng.random(n) < (0.7 if padding else 2)).astype(np.uint8)
    v[shown == 0] = 0x7FC0
    maps = [memory.map_tensor(memory.place(x), n, 1, d, [0, n], box) for x, box in ((q, bm), (k, bn), (v, bn))]
    v[shown == 0] = 0
    o, lse = memory.room((n, d), np.uint16), memory.room((n,), np.float32)
    blocks, keys, scale = n // bm, n // bn, 1 / np.sqrt(d)
    lines = memory.place(np.array([[i * keys, keys, keys * asked, 0] for i in range(blocks)], np.int32))
    entries = memory.place(np.array([j * bn for _ in range(blocks) for j in range(keys)], np.int32))
    args = attend_args(n, 1, d, bm, n if left is None else left, blocks, placed, scale)
    before, gate = numbers(rng, n, d), rng.random(n, np.float32)
    seen = np.where(np.arange(n) % 3 == 0, -np.inf, 0).astype(np.float32)  # rows of which the other branch saw nothing
    added = rng.standard_normal((n, n)).astype(np.float32) * bias
    if bias:
        added[:, :150], added[7], added[9, 200:] = -1e10, -1e30, -np.inf    # a tile and more, a row, a part of one
    buffers = dict(zip("qkv", maps), o=o, lse=lse, lines=lines, list=entries, bias=memory.place(added), padding=memory.place(shown))
    if blend:
        buffers.update(before=memory.place(before), before_lse=memory.place(seen), gate=memory.place(gate))
    memory.launch("attend", defines, (1 if resident else blocks, 1), 384, buffers, args, seed, late)
    s = doubles(q) @ doubles(k).T * scale + added
    if left is not None:
        ahead = np.arange(n)[None, :] - np.arange(n)[:, None]
        s = np.where((ahead > 0) | (ahead < -left), -np.inf, s)
    s = np.where(shown == 0, -np.inf, s)
    e = np.exp(s - s.max(1, keepdims=True))
    share = np.where(np.isinf(seen), 0, gate if blend == 2 else 1 - gate)[:, None] * (blend > 0)
    wanted = share * doubles(before) + (1 - share) * (e @ doubles(v) / e.sum(1, keepdims=True))
    log_sum = s.max(1) + np.log(e.sum(1))
    return {"o": (rms(doubles(memory.get(o, (n, d), np.uint16)), wanted), 3e-3),
            "lse": (float((np.abs(memory.get(lse, (n,), np.float32) - log_sum) / np.maximum(1, np.abs(log_sum))).max()), 1e-4)}


def packed(d=64, lengths=(200, 0, 130), heads=2, seed=1, late=True):
    """Sequences one after another, causal: a map each, lines as cl/layout/lists.cl makes them, one of them empty; one group does all of them, heads in turn."""
    rng, memory, bm, bn = np.random.default_rng(seed), Memory(), 128, 128
    defines = dict(BM=bm, BN=bn, DK=d, DV=d, STORE=2, OUT=2, TURNS=1, PARTS=2, ALIGNED=1, CAUSAL=1, HEAVY_LAST=1, PACKED=1, RESIDENT=1)
    starts = [0] + [int(x) for x in np.cumsum(lengths)]
    n = starts[-1]
    q, k, v = (numbers(rng, heads, n, d) for _ in range(3))
    maps = [memory.map_tensor(memory.place(x), n, heads, d, starts, box) for x, box in ((q, bm), (k, bn), (v, bn))]
    o, lse = memory.room((heads, n, d), np.uint16), memory.room((heads, n), np.float32)
    firsts = [start // bm + i for i, start in enumerate(starts)]
    lines, entries = [], []
    for i, length in enumerate(lengths):
        for line in range(firsts[i], firsts[i + 1]):
            row0 = (line - firsts[i]) * bm
            tiles = list(range(0, min(row0 + bm, length), bn))[::-1] if row0 < length else []   # the one with the diagonal first
            lines.append([len(entries), len(tiles), min(len(tiles), 1), i])
            entries += tiles
    args = attend_args(n, heads, d, bm, n, len(lines), heads, 1 / np.sqrt(d))
    cu = memory.place(np.array(starts, np.int32))
    buffers = dict(zip("qkv", maps), o=o, lse=lse, lines=memory.place(np.array(lines, np.int32)), list=memory.place(np.array(entries, np.int32)), cu_q=cu, cu_k=cu)
    memory.launch("attend", defines, (1, 1), 384, buffers, args, seed, late)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    s = np.where((sequence[:, None] == sequence) & np.tri(n, dtype=bool), doubles(q) @ doubles(k).transpose(0, 2, 1) / np.sqrt(d), -np.inf)
    e = np.exp(s - s.max(2, keepdims=True))
    return {"o": (rms(doubles(memory.get(o, (heads, n, d), np.uint16)), e @ doubles(v) / e.sum(2, keepdims=True)), 3e-3),
            "lse": (float(np.abs(memory.get(lse, (heads, n), np.float32) - np.log(np.exp(s).sum(2))).max()), 1e-4)}


def slopes(s, g, v, scale):
    """Of the scores of heads of one group: LSE, delta, weights, and the gradient of q k^T."""
    p = np.exp(s - s.max(2, keepdims=True))
    lse = s.max(2) + np.log(p.sum(2))
    p /= p.sum(2, keepdims=True)
    dp = doubles(g) @ doubles(v)[0].T
    delta = (p * dp).sum(2)
    return lse, delta, p, p * (dp - delta[:, :, None]) * scale


def gradient_errors(got_q, got_k, got_v, q, g, k, p, ds):
    return {"dq": (rms(got_q, ds @ doubles(k)[0]), 4e-3),
            "dk": (rms(doubles(got_k), (ds.transpose(0, 2, 1) @ doubles(q)).sum(0)), 4e-3),
            "dv": (rms(doubles(got_v), (p.transpose(0, 2, 1) @ doubles(g)).sum(0)), 4e-3)}


def shared_sums(memory, sums, heads, rows, wide, bn, workers):
    """Rows of dQ as workers left them, cl/tile/nv_share.cl: 8 columns, 16 rows x 8 x 4 lanes, rows and 8 behind, 2 columns."""
    columns = wide * bn // 64 // workers
    shares = memory.get(sums, (heads, rows // bn, workers, columns // 8, 4, 8, 4, 2, 2), np.float32).transpose(0, 1, 2, 4, 7, 5, 3, 6, 8)
    shares = shares.reshape(heads, rows // bn, workers, 64, columns)
    return (shares if bn > 64 else shares.transpose(0, 1, 3, 2, 4)).reshape(heads, rows, wide)


def one_pass(bn):
    """As share() of src/tile/shape_wgmma.c defines it."""
    return dict(BY_KEYS=1, RESIDENT=1, GATHER=2, CHAINS=1, LAG=int(bn <= 64), LEAVES=2 if bn <= 64 else 1)


def backward(d=64, n=256, heads=2, causal=False, far=False, seed=1, late=True, dv=None, together=False, bm=128, ordered=1, slow=()):
    """Attend's gradients, heads of one group; far: the rows' statistics taken again, of a bias of -1e10; together: in one pass, ordered as the kernel says; slow: these warps."""
    rng, memory = np.random.default_rng(seed), Memory()
    dv = dv or d
    widest = max(d, dv)
    bn = 128 if together and widest <= 64 and bm == 128 else 64
    q, g = numbers(rng, heads, n, d), numbers(rng, heads, n, dv)
    k, v = numbers(rng, 1, n, d), numbers(rng, 1, n, dv)
    scale, blocks = 1 / np.sqrt(d), n // bm
    added = np.full((n, n), -1e10 if far else 0, np.float32)
    s = doubles(q) @ doubles(k)[0].T * scale
    s = np.where(np.tri(n, dtype=bool) | (not causal), 0 * s if far else s, -np.inf)
    lse, delta, p, ds = slopes(s, g, v, scale)
    lse += added[0, 0]
    placed = [(memory.place(x), x.shape[0], x.shape[2]) for x in (q, g, k, v)]
    widths = {} if d == dv else dict(WIDTH_K=d, WIDTH_V=dv)
    common = dict(widths, DK=widest, DV=widest, STORE=2, OUT=2, ALIGNED=1, TURNS=0, OVERLAP=0, BM=bm, BN=bn, PARTIAL=int(causal), CAUSAL=int(causal), BIAS=int(far))
    def maps(of_q, of_k):
        return dict(zip("qgkv", (memory.map_tensor(at, n, h, width, [0, n], box) for (at, h, width), box in zip(placed, (of_q, of_q, of_k, of_k)))))
    def lists(sees):
        entries = [[t * bn for t in range(n // bn) if sees(i * bm, t * bn)] for i in range(blocks)]
        starts = np.cumsum([0] + [len(x) for x in entries])
        return dict(lines=memory.place(np.array([[starts[i], len(x), len(x) * causal, 0] for i, x in enumerate(entries)], np.int32)),
                    list=memory.place(np.array(sum(entries, []), np.int32)))
    def args(items, **more):
        return dict(attend_args(n, heads, d, bm, n, blocks, 0, scale), k=(n * d, n * d, d), v=(n * dv, n * dv, dv), group=heads, items=items, inner=items, bias_head=0, **more)
    record = dict(dq=(heads * n * d, n * d, d), dk=(n * d, n * d, d), dv=(n * dv, n * dv, dv))
    rows = {"from": memory.place(np.zeros((heads, n), np.float32)), "minus": memory.place((-lse * 1.4426950408889634).astype(np.float32)),
            "delta": memory.place(delta.astype(np.float32)), "far": memory.place(np.full(1, far, np.int32))}
    to_q, to_k, to_v = memory.room((heads, n, d), np.uint16), memory.room((n, d), np.uint16), memory.room((n, dv), np.uint16)
    bias = dict(bias=memory.place(added))
    queries = dict(maps(bm, bn), **rows, **lists(lambda query, key: not causal or key < query + bm), **bias)
    statistics = {name: x for name, x in queries.items() if name not in "gv" and name != "delta"}
    of_keys = dict(maps(bn, bm), **rows, **lists(lambda key, query: not causal or query + bn > key), **bias, dk=to_k, dv=to_v)
    if together:
        wide, workers = up(widest, 64), bm // 64
        sums, counts = memory.room((heads, n, wide), np.float32), memory.place(np.zeros((heads, n, 4), np.int32))
        memory.launch("attend_backward", dict(common, **one_pass(bn), ORDERED=ordered), (2, 1), 128 + 2 * bm,
                      dict(of_keys, sums=sums, counts=counts), args(1, crowd=1, sums_row=wide, sums_head=n, **record), seed, late, slow)
        got_q = shared_sums(memory, sums, heads, n, wide, bn, workers)[:, :, :d] * scale
    else:
        statistics["lse"] = memory.place(lse.astype(np.float32))
        memory.launch("attend_statistics", dict(common, RESIDENT=1), (1, 1), 384, statistics, args(heads), seed, late)
        memory.launch("attend_backward_q", common, (blocks, heads), 384, dict(queries, dq=to_q), args(heads, **record), seed, late)
        memory.launch("attend_backward_kv", dict(common, BY_KEYS=1), (blocks, 1), 384, of_keys, args(1, **record), seed, late)
        got_q = doubles(memory.get(to_q, (heads, n, d), np.uint16))
    return gradient_errors(got_q, memory.get(to_k, (n, d), np.uint16), memory.get(to_v, (n, dv), np.uint16), q, g, k, p, ds)


def packed_backward(d=64, lengths=(200, 0, 130), heads=2, seed=1, late=True):
    """Gradients of packed sequences in one pass, causal, heads of one group: each sequence has tiles of sums of its own."""
    rng, memory, bm, bn = np.random.default_rng(seed), Memory(), 128, 128 if d <= 64 else 64
    starts = [0] + [int(x) for x in np.cumsum(lengths)]
    n, scale, wide, workers = starts[-1], 1 / np.sqrt(d), up(d, 64), 2
    q, g = numbers(rng, heads, n, d), numbers(rng, heads, n, d)
    k, v = numbers(rng, 1, n, d), numbers(rng, 1, n, d)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    s = np.where((sequence[:, None] == sequence) & np.tri(n, dtype=bool), doubles(q) @ doubles(k)[0].T * scale, -np.inf)
    lse, delta, p, ds = slopes(s, g, v, scale)
    lines, entries = [], []
    for i, length in enumerate(lengths):
        for row0 in range(0, (starts[i + 1] // bm + 1 - starts[i] // bm) * bm, bm):
            tiles = [t for t in range(0, length, bn) if t + bn > row0] if row0 < length else []
            lines.append([len(entries), len(tiles), len(tiles), i])
            entries += tiles
    maps = [memory.map_tensor(memory.place(x), n, x.shape[0], d, starts, box) for x, box in ((q, bn), (g, bn), (k, bm), (v, bm))]
    rows = (n // bn + len(lengths)) * bn
    sums, counts = memory.room((heads, rows, wide), np.float32), memory.place(np.zeros((heads, n, 4), np.int32))
    to_k, to_v, cu = memory.room((n, d), np.uint16), memory.room((n, d), np.uint16), memory.place(np.array(starts, np.int32))
    buffers = dict(zip("qgkv", maps), far=memory.place(np.zeros(1, np.int32)), minus=memory.place((-lse * 1.4426950408889634).astype(np.float32)),
                   delta=memory.place(delta.astype(np.float32)), lines=memory.place(np.array(lines, np.int32)), list=memory.place(np.array(entries, np.int32)),
                   cu_q=cu, cu_k=cu, dk=to_k, dv=to_v, sums=sums, counts=counts, **{"from": memory.place(np.zeros((heads, n), np.float32))})
    args = dict(attend_args(n, heads, d, bm, n, len(lines), 0, scale), k=(n * d, n * d, d), v=(n * d, n * d, d), group=heads, items=1, inner=1, crowd=1, sums_row=wide,
                sums_head=rows, dq=(heads * n * d, n * d, d), dk=(n * d, n * d, d), dv=(n * d, n * d, d))
    defines = dict(DK=d, DV=d, STORE=2, OUT=2, ALIGNED=1, TURNS=0, OVERLAP=0, BM=bm, BN=bn, CAUSAL=1, PACKED=1, ORDERED=1, **one_pass(bn))
    memory.launch("attend_backward", defines, (2, 1), 128 + 2 * bm, buffers, args, seed, late)
    shares = shared_sums(memory, sums, heads, rows, wide, bn, workers)[:, :, :d] * scale
    got_q = np.concatenate([shares[:, (start // bn + i) * bn:][:, :length] for i, (start, length) in enumerate(zip(starts, lengths))], 1)
    return gradient_errors(got_q, memory.get(to_k, (n, d), np.uint16), memory.get(to_v, (n, d), np.uint16), q, g, k, p, ds)


class Linear:
    """A problem of linear attention, and its launches as src/accumulate/accumulate.c makes them."""

    def __init__(self, dk=64, dv=64, lengths=(200,), packed=False, heads=2, kv_heads=1, segments=1, decay=1, rate=-0.05, state=False, causal=True, seed=0,
                 late=True, reversed=False):
        self.__dict__.update({k: v for k, v in locals().items() if k != "self"})
        self.memory, self.scale, self.decay = Memory(), 0.5, decay if causal else 0
        self.starts = [0] + [int(x) for x in np.cumsum(lengths)]
        self.total, self.items = self.starts[-1], heads * len(lengths)
        self.chunks = up(max(lengths), CHUNK) // CHUNK
        self.each = -(-self.chunks // segments)
        self.segments = -(-self.chunks // self.each)
        self.split = 2 if max(dk, dv) > 64 else 1
        self.make()

    def make(self):
        rng, m, all_ = np.random.default_rng(self.seed + 1), self.memory, self.total
        self.q, self.k, self.v = numbers(rng, self.heads, all_, self.dk), numbers(rng, self.kv_heads, all_, self.dk), numbers(rng, self.kv_heads, all_, self.dv)
        self.first = rng.standard_normal((self.items, self.dk, self.dv)).astype(np.float32)
        a_head = np.linspace(self.rate, self.rate / 4, self.heads)
        self.g = (a_head if self.decay == 1 else self.rate * rng.random((self.heads, all_)) * 2).astype(np.float32)
        self.maps = [m.map_tensor(m.place(x), all_, h, d, self.starts, CHUNK) for x, h, d in
                     ((self.q, self.heads, self.dk), (self.k, self.kv_heads, self.dk), (self.v, self.kv_heads, self.dv))]
        self.cu, self.decays = m.place(np.array(self.starts, np.int32)), m.place(self.g)
        self.o = m.room((self.heads, all_ + 1, self.dv), np.uint16)      # a row more than there is
        self.states = m.room((self.items, self.segments, self.dk, self.dv), np.float32)
        self.fade = m.room((self.items, self.segments), np.float32)

    def launch(self, stage, buffers, **defines):
        def strides(heads, width):
            return (heads * self.total * width, self.total * width, width)
        args = dict(q=strides(self.heads, self.dk), k=strides(self.kv_heads, self.dk), v=strides(self.kv_heads, self.dv), o=strides(self.heads, self.dv),
                    decay_batch=self.heads * self.total, decay_head=1 if self.decay == 1 else self.total, nq=self.total, nk=self.total,
                    heads=self.heads, group=self.heads // self.kv_heads,
                    state_heads=self.heads, state_step=1, step=CHUNK, segment=self.each * CHUNK, segments=self.segments, scale=self.scale, weight=1.0)
        common = dict(BM=CHUNK, BN=CHUNK, DK=self.dk, DV=self.dv, STORE=2, OUT=2, SPLIT=self.split, OVERLAP=0, ALIGNED=int(self.dk % 4 == self.dv % 4 == 0),
                      PACKED=int(self.packed), SLOTS=4, REVERSED=int(self.reversed))
        self.memory.launch(stage, dict(common, **defines), (self.segments, self.items), 128 + 128 * self.split, buffers, args, self.seed, self.late)

    def states_of(self, exact):
        buffers = dict(zip("kv", self.maps[1:]), state_out=self.states, fade=self.fade, decay=self.decays, cu=self.cu)
        self.launch("accumulate_state", buffers, DECAY=self.decay, FLOAT_STATE=int(exact))
        return self.memory.get(self.states, (self.items, self.segments, self.dk, self.dv), np.float32), self.memory.get(self.fade, (self.items, self.segments), np.float32)

    def forward(self, entering, **defines):
        buffers = dict(zip("qkv", self.maps), o=self.o, state_in=entering, decay=self.decays, cu=self.cu)
        self.launch("accumulate_forward", buffers, DECAY=self.decay, **defines)

    def run(self):
        """The state that leaves, if one does. The scan between the launches is numpy's."""
        if not self.causal:
            total = self.states_of(self.state)[0].sum(1) + (self.first if self.state else np.float32(0))
            self.launch("accumulate_apply", dict(q=self.maps[0], o=self.o, state=self.memory.place(total), cu=self.cu))
            return total
        if self.segments == 1 and not self.state:
            self.forward(0)
            return None
        own, fade = self.states_of(self.state)
        entering, e = own.copy(), self.first.copy() if self.state else np.zeros_like(self.first)
        for i in range(self.segments):
            entering[:, i] = e
            e = e * fade[:, i, None, None] + own[:, i]
        self.forward(self.memory.place(entering), INITIAL=1)
        return e

    def reference(self):
        q, k, v = doubles(self.q), doubles(self.k), doubles(self.v)
        o, last = np.zeros((self.heads, self.total, self.dv)), np.zeros(self.first.shape)
        for item in range(self.items):
            sequence, head = divmod(item, self.heads)
            kv, tokens = head // (self.heads // self.kv_heads), range(self.starts[sequence], self.starts[sequence + 1])
            s = self.first[item].astype(np.float64) if self.state else np.zeros((self.dk, self.dv))
            if not self.causal:
                s = s + k[kv, tokens].T @ v[kv, tokens]
            for t in tokens[::-1] if self.reversed else tokens:
                g = self.g[head] if self.decay == 1 else self.g[head, t] if self.decay else 0.0
                s = s * np.exp(np.float64(0.0 if self.reversed else g)) + (np.outer(k[kv, t], v[kv, t]) if self.causal else 0.0)
                o[head, t] = self.scale * q[head, t] @ s
                s = s * np.exp(np.float64(g if self.reversed else 0.0))
            last[item] = s
        return o, last

    def check(self):
        last = self.run()
        o, expected = self.reference()
        written = self.memory.get(self.o, (self.heads * (self.total + 1) * self.dv,), np.uint16)
        size = self.heads * self.total * self.dv
        errors = {"o": (rms(doubles(written[:size].reshape(o.shape)), o), 3e-3), "beyond": (float((written[size:] != 0xFFFF).sum()), 0.5)}
        if self.state:
            errors["state"] = (rms(last.astype(np.float64), expected), 5e-6)
        return errors


CASES = {
    "probe": probe,
    "attend 64": lambda: attend(64),
    "attend, resident": lambda: attend(64, 640, resident=1),
    "attend, joined": lambda: attend(64, 256, resident=1, blend=1),
    "attend, joined by the other": lambda: attend(64, 256, resident=1, blend=2),
    "attend, window": lambda: attend(64, 384, resident=1, left=100),
    "attend, padding": lambda: attend(64, 384, resident=1, padding=1),
    "attend, padding 128": lambda: attend(128, 256, padding=1),
    "attend, bias": lambda: attend(64, 384, bias=1),
    "attend, packed": packed,
    "attend 128": lambda: attend(128, late=False),
    "backward": backward,
    "backward, causal": lambda: backward(128, 256, causal=True),
    "backward, far rows": lambda: backward(64, 256, heads=1, far=True, late=False),
    "backward, values wider": lambda: backward(72, 128, heads=1, dv=128),
    "backward in one pass": lambda: backward(64, 256, together=True),
    "backward in one pass, causal": lambda: backward(128, 256, causal=True, together=True, late=False),
    "backward in one pass, any order": lambda: backward(64, 256, causal=True, together=True, ordered=2),
    "backward in one pass, slow takers": lambda: backward(128, 384, heads=1, together=True, slow=(1, 2)),
    "backward in one pass, slow columns": lambda: backward(64, 384, heads=1, together=True, slow=(3,)),
    "backward in one pass, packed": packed_backward,
    "backward in one pass, 64 rows": lambda: backward(64, 128, heads=1, causal=True, together=True, bm=64),
    "plain": lambda: Linear(decay=0, lengths=(130,), state=True).check(),
    "head": lambda: Linear(lengths=(200,)).check(),
    "head 128, segments": lambda: Linear(128, 128, lengths=(200,), segments=2, heads=1).check(),
    "head, reads at once": lambda: Linear(128, 128, lengths=(130,), heads=1, late=False, seed=3).check(),
    "slow decay, state": lambda: Linear(lengths=(330,), segments=3, rate=-0.002, heads=1, state=True).check(),
    "rings come round": lambda: Linear(128, 128, lengths=(650,), heads=1, seed=11).check(),
    "fast decay": lambda: Linear(lengths=(100,), rate=-6, heads=1).check(),
    "token, state": lambda: Linear(lengths=(150,), decay=2, state=True, segments=2, heads=1).check(),
    "token 128": lambda: Linear(128, 128, lengths=(130,), decay=2, heads=1).check(),
    "packed": lambda: Linear(lengths=(100, 0, 3), packed=True, segments=2, decay=2, heads=1).check(),
    "packed, state": lambda: Linear(lengths=(70, 0, 3), packed=True, decay=0, state=True, heads=1).check(),
    "narrow": lambda: Linear(40, 36, lengths=(70,), heads=1).check(),
    "odd": lambda: Linear(77, 43, lengths=(70,), heads=1, state=True).check(),
    "wide values": lambda: Linear(64, 128, lengths=(130,), heads=1).check(),
    "reversed, state": lambda: Linear(lengths=(330,), segments=3, heads=1, state=True, reversed=True).check(),
    "reversed, packed, token": lambda: Linear(lengths=(100, 0, 3), packed=True, segments=2, decay=2, heads=1, reversed=True).check(),
    "wide keys": lambda: Linear(128, 64, lengths=(130,), heads=1, segments=2).check(),
    "no order": lambda: Linear(128, 128, lengths=(130,), causal=False, segments=2, state=True, heads=1).check(),
    "no order, packed, groups": lambda: Linear(lengths=(70, 130), packed=True, causal=False, kv_heads=2).check(),
}


def main():
    bad = 0
    for name in sys.argv[1:] or CASES:
        errors = CASES[name]()
        good = all(error <= limit for error, limit in errors.values())  # NaN is not
        bad += not good
        print("%-5s %-24s %s" % ("ok" if good else "FAIL", name, "  ".join("%s %.2e (limit %.0e)" % ((k,) + v) for k, v in errors.items())), flush=True)
    sys.exit(bad > 0)


main()

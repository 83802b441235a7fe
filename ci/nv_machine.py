"""A model of one NVIDIA sm_90a multiprocessor that runs PTX: warps of 32 lanes, shared memory, mbarriers, named barriers, TMA tensor copies,
ldmatrix, wgmma. It executes the compiled kernel itself, so every address, descriptor, fragment and barrier phase counts. Not a simulator of time.

What it is strict about, as the machine is or more so:
  * wgmma reads local memory either when it is issued or only when it is waited for (`late`), and its results are NaN until then;
  * its sums are cut off, not rounded;
  * tensor copies arrive at random times, warps take turns of random length (`seed`), those in `slow` seldom one;
  * what st.shared wrote may be read by wgmma only after the fence.proxy.async of a warp that wrote it;
  * the eight bytes of an mbarrier are read and written by mbarrier instructions alone, and lie on eight bytes;
  * .aligned instructions want a whole warp; a machine on which nobody can go on is reported.
What it does not know: registers (ptxas counts them), the final assembler's reordering, memory that the kernel itself does not name.
"""
import random
import re
import struct

import numpy as np

LANES = 32
TOGETHER = re.compile(r"aligned|bar\.sync|bar\.warp|shfl|ldmatrix")
FULL = np.ones(LANES, bool)
TYPES = {"u8": np.uint8, "b8": np.uint8, "u16": np.uint16, "b16": np.uint16, "s16": np.int16, "u32": np.uint32, "b32": np.uint32, "s32": np.int32,
         "u64": np.uint64, "b64": np.uint64, "s64": np.int64, "f32": np.float32, "f64": np.float64}


def bf16(x):
    """float32 to bfloat16 bits, to nearest even."""
    u = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    rounded = ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(np.asarray(x, np.float32)), np.uint16(0x7FFF), rounded)


def from_bf16(u):
    return (np.asarray(u, np.uint16).astype(np.uint32) << 16).view(np.float32)


def pair(low, high):
    return low.astype(np.uint32) | high.astype(np.uint32) << 16


def halves(x):
    return from_bf16((x & 0xFFFF).astype(np.uint16)), from_bf16((x >> 16).astype(np.uint16))


def toward_zero(x):
    """float64 to float32 as tensor cores add: cut off (Fasi et al. 2021, for the chips before this one)."""
    y = x.astype(np.float32)
    return np.where(np.abs(y.astype(np.float64)) > np.abs(x), np.nextafter(y, np.float32(0)), y)


class Barrier:
    def __init__(self, count):
        self.count, self.pending, self.bytes, self.phase = count, count, 0, 0

    def check(self):
        if self.pending == 0 and self.bytes == 0:
            self.phase, self.pending = self.phase + 1, self.count

    def arrive(self, n=1, bytes_=0):
        assert self.pending >= n, "more arrivals than a phase takes"
        self.bytes += bytes_
        self.pending -= n
        self.check()

    def done(self, parity):
        return (self.phase & 1) != parity


class TensorMap:
    """[batches][heads][rows][width] of 2-byte elements at a global address; strides in elements; boxes of `box` rows x 64 columns."""

    def __init__(self, address, width, rows, heads, batches, strides, box):
        self.address, self.width, self.rows, self.heads, self.batches, self.strides, self.box = address, width, rows, heads, batches, strides, box

    def read(self, memory, col, row, head, batch):
        out = np.zeros((self.box, 64), np.uint16)
        if not (0 <= head < self.heads and 0 <= batch < self.batches):
            return out
        wide, tall = min(64, self.width - col), min(self.box, self.rows - row)
        for r in range(max(0, -row), max(tall, 0)):
            at = self.address // 2 + batch * self.strides[0] + head * self.strides[1] + (row + r) * self.strides[2] + col
            out[r, :wide] = memory[at:at + wide]
        return out


class Program:
    """PTX text of one kernel: instructions, labels, parameters, local memory."""

    def __init__(self, text):
        text = re.sub(r"//[^\n]*", "", text)
        self.params, self.value_at, at = {}, 0, 0             # value_at: where the last parameter lies, the kernel's by-value one
        for align, kind, name, size in re.findall(r"\.param\s+(?:\.align (\d+) )?\.(\w+)(?:\s+\.ptr \.\w+ \.align \d+)?\s+(\w+)(?:\[(\d+)\])?", text):
            bytes_ = int(size) if size else np.dtype(TYPES[kind]).itemsize
            step = int(align or bytes_)
            at = (at + step - 1) // step * step
            self.params[name] = (at, bytes_)
            self.value_at = at
            at += bytes_
        self.param_bytes, self.shared, at = at, {}, 0
        for align, size, name in [(int(a), int(n), s) for a, s, n in re.findall(r"\.shared \.align (\d+) \.b8 ([\w$]+)\[(\d+)\]", text)]:
            at = (at + align - 1) // align * align
            self.shared[name] = at
            at += size
        self.shared_bytes = at
        self.code, self.labels = [], {}
        body = text[text.index("{", text.index(")\n")) + 1:text.rindex("}")]
        for line in re.split(r"[;\n]", re.sub(r"\s+", " ", body.replace("\n", ";")).replace("; ;", ";")):
            line = line.strip(" {}") if line.strip() in ("{", "}") or line.strip().startswith("{ ") else line.strip()
            label = re.match(r"^([\w$]+):\s*(.*)$", line)
            while label:
                self.labels[label[1]] = len(self.code)
                line = label[2]
                label = re.match(r"^([\w$]+):\s*(.*)$", line)
            if line and not line.startswith(".") and line not in ("{", "}"):
                self.code.append(self.parse(line))

    @staticmethod
    def parse(line):
        guard = None
        if line.startswith("@"):
            guard, line = line.split(None, 1)
        name, _, rest = line.partition(" ")
        operands, depth, start = [], 0, 0
        for i, c in enumerate(rest + ","):
            depth += (c in "{[") - (c in "}]")
            if c == "," and depth == 0:
                operands.append(rest[start:i].strip())
                start = i + 1
        return guard, name, [o for o in operands if o]


class Warp:
    def __init__(self, group, index):
        self.group, self.index = group, index
        self.pcs = np.zeros(LANES, np.int64)
        self.regs = {}
        self.flight, self.open, self.groups = {}, [], []  # accumulators under way; products not committed; groups not waited for
        self.blocked, self.spinning = None, False             # at a named barrier; at an mbarrier that is not done
        self.fetched = []                                     # (to, from) of cp.async
        self.complete = self.closed = True                   # bulk copies to memory have been waited for; and fenced
        self.added = []                                       # (to, from, bytes, 1: added, 0: stored) of bulk copies to memory


class Group:
    """One work-group. memory: np.uint8, the global memory; maps: {global address: TensorMap}."""

    def __init__(self, program, params, memory, maps, items, where, seed=0, late=True, slow=()):
        self.program, self.memory, self.maps, self.where, self.items, self.late, self.slow = program, memory, maps, where, items, late, slow
        self.params = np.frombuffer(params, np.uint8)
        self.shared = np.full((program.shared_bytes + 1023) // 1024 * 1024, 0xFF, np.uint8)
        self.dirty = np.zeros(len(self.shared), np.uint32)    # the warps that wrote what is there, a bit each; none once one of them has fenced
        self.plain = np.ones(len(self.shared), bool)          # bytes that are no barrier's
        self.barriers, self.named, self.copies = {}, {}, []
        self.random = random.Random(seed)
        self.warps = [Warp(self, w) for w in range(items // LANES)]
        self.steps = 0
        self.registers = [0] * (items // LANES)
        self.cache = {}

    # values
    def value(self, warp, text, kind):
        reg = warp.regs.get(text)
        if reg is not None:
            same = reg.dtype.itemsize == np.dtype(kind).itemsize and reg.dtype != bool
            return reg if reg.dtype == kind else reg.view(kind) if same else reg.astype(kind)
        key = (text, kind)
        if key not in self.cache:
            self.cache[key] = np.full(LANES, self.constant(text, kind), kind) if not text.startswith("%") else self.special(text)
        if text.startswith("%tid"):
            return (np.arange(LANES, dtype=np.uint32) + LANES * warp.index).astype(kind)
        out = self.cache[key]
        assert out is not None, "register %s is read before it is written" % text
        return out

    def special(self, text):
        named = {"%ctaid.x": self.where[0], "%ctaid.y": self.where[1], "%ctaid.z": self.where[2], "%nctaid.x": self.where[3], "%nctaid.y": self.where[4], "%ntid.x": self.items}
        return np.full(LANES, named[text], np.uint32) if text in named else None

    def constant(self, text, kind):
        if text.startswith("0f"):
            return np.frombuffer(struct.pack("<I", int(text[2:], 16)), np.float32)[0]
        if text in self.program.shared:
            return self.program.shared[text]
        if text in self.program.params:
            return self.program.params[text][0]
        n = int(text.rstrip("U"), 0)
        return n if np.issubdtype(kind, np.floating) else np.array([n & (1 << 64) - 1], np.uint64).astype(kind)[0]

    def put(self, warp, name, x, mask):
        if name == "_":
            return
        old = warp.regs.get(name)
        if mask is FULL or old is None:
            warp.regs[name] = x
        else:
            same = x.dtype.itemsize == old.dtype.itemsize
            warp.regs[name] = np.where(mask, x if x.dtype == old.dtype else x.view(old.dtype) if same else x.astype(old.dtype), old)

    def address(self, warp, text):
        base, _, offset = text.strip("[] ").replace(" ", "").partition("+")
        return self.value(warp, base, np.uint64 if base.startswith("%rd") or not base.startswith("%") else np.uint32).astype(np.int64) + (int(offset, 0) if offset else 0)

    # running
    def run(self):
        idle = 0
        while any((w.pcs >= 0).any() for w in self.warps):
            alive = [w for w in self.warps if (w.pcs >= 0).any()]
            quick = [w for w in alive if w.index not in self.slow]
            warp = self.random.choice(quick if quick and self.random.random() < 0.98 else alive)
            before = self.steps
            for _ in range(self.random.randint(1, 400)):
                if not (warp.pcs >= 0).any() or not self.step(warp):
                    break
            if self.copies and self.random.random() < 0.5:
                self.deliver(self.copies.pop(self.random.randrange(len(self.copies))))
                idle = 0
            idle = idle + 1 if self.steps == before else 0
            assert idle < 4000, "nobody can go on: %s" % [(w.index, self.program.code[int(w.pcs[w.pcs >= 0].min())], w.blocked) for w in alive]
        assert not self.copies, "a copy was never waited for"

    def deliver(self, copy):
        to, box, barrier = copy
        assert to % 1024 == 0, "a swizzled box wants 1024-byte alignment"
        for r in range(box.shape[0]):
            raw = box[r].view(np.uint8).reshape(8, 16)
            for c in range(8):
                at = to + r * 128 + ((c ^ (r & 7)) << 4)
                self.ordinary(np.array([at]), 16)
                self.shared[at:at + 16] = raw[c]
        self.dirty[to:to + box.size * 2] = 0
        self.barriers[barrier].bytes -= box.size * 2
        self.barriers[barrier].check()

    def step(self, warp):
        """One instruction of the lanes that are furthest behind; those that want company wait for it. False: the warp cannot go on now."""
        for pc in np.unique(warp.pcs[warp.pcs >= 0]):
            pc, mask = int(pc), warp.pcs == pc
            whole = bool(mask.all())
            if whole or not TOGETHER.search(self.program.code[pc][1]):
                return self.advance(warp, pc, mask, whole)
        raise AssertionError("warp %d is parted before %s" % (warp.index, self.program.code[pc]))

    def advance(self, warp, pc, mask, whole):
        guard, name, operands = self.program.code[pc]
        active = mask
        if guard:
            wanted = warp.regs[guard.lstrip("@!")]
            active = mask & (~wanted if guard.startswith("@!") else wanted)
        if name.startswith("bra"):
            warp.pcs[mask] = pc + 1
            warp.pcs[active] = self.program.labels[operands[0]]
            self.steps += not warp.spinning
            return True
        if name in ("ret", "exit"):
            warp.pcs[mask] = pc + 1
            warp.pcs[active] = -1
            self.steps += 1
            return True
        lanes = FULL if whole and not guard else active
        blocked = self.execute(warp, name, operands, lanes)
        if blocked == "again":
            return False
        warp.pcs[mask] = pc + 1
        self.steps += not warp.spinning
        return blocked != "failed"

    def execute(self, warp, name, o, lanes):
        parts = name.split(".")
        op = parts[0]
        handler = getattr(self, "op_" + op, None)
        assert handler, "unknown instruction %s" % name
        return handler(warp, parts, o, lanes)

    # element instructions
    def binary(self, warp, parts, o, lanes, function):
        kind = TYPES[parts[-1]]
        x, y = self.value(warp, o[1], kind), self.value(warp, o[2], kind)
        with np.errstate(all="ignore"):
            self.put(warp, o[0], function(x, y).astype(kind), lanes)

    def op_add(self, w, p, o, m): self.binary(w, p, o, m, np.add)
    def op_sub(self, w, p, o, m): self.binary(w, p, o, m, np.subtract)
    def op_max(self, w, p, o, m): self.binary(w, p, o, m, np.fmax if p[-1] == "f32" else np.maximum)
    def op_min(self, w, p, o, m): self.binary(w, p, o, m, np.fmin if p[-1] == "f32" else np.minimum)

    def op_div(self, w, p, o, m):
        def whole(x, y):
            x, y = x.astype(np.int64), y.astype(np.int64)
            return np.abs(x) // np.maximum(np.abs(y), 1) * np.sign(x) * np.sign(y)
        self.binary(w, p, o, m, np.divide if p[-1] == "f32" else whole)

    def op_rem(self, w, p, o, m): self.binary(w, p, o, m, lambda x, y: np.fmod(x.astype(np.int64), y.astype(np.int64)))

    def logic(self, w, o, m, kind, function):
        self.put(w, o[0], function(self.value(w, o[1], kind), self.value(w, o[2], kind)), m)

    def op_and(self, w, p, o, m): self.logic(w, o, m, bool if p[1] == "pred" else TYPES[p[1]], np.bitwise_and)
    def op_or(self, w, p, o, m): self.logic(w, o, m, bool if p[1] == "pred" else TYPES[p[1]], np.bitwise_or)
    def op_xor(self, w, p, o, m): self.logic(w, o, m, bool if p[1] == "pred" else TYPES[p[1]], np.bitwise_xor)
    def op_not(self, w, p, o, m): self.put(w, o[0], ~self.value(w, o[1], bool if p[1] == "pred" else TYPES[p[1]]), m)

    def op_neg(self, w, p, o, m): self.put(w, o[0], -self.value(w, o[1], TYPES[p[-1]]), m)
    def op_abs(self, w, p, o, m): self.put(w, o[0], np.abs(self.value(w, o[1], TYPES[p[-1]])), m)

    def shift(self, w, p, o, m, left):
        kind = TYPES[p[1]]
        bits = np.dtype(kind).itemsize * 8
        by = self.value(w, o[2], np.uint32).astype(np.int64)
        x = self.value(w, o[1], kind)
        y = x << np.minimum(by, bits - 1).astype(kind) if left else x >> np.minimum(by, bits - 1).astype(kind)
        self.put(w, o[0], np.where(by >= bits, 0 if left or kind in (np.uint32, np.uint64) else x >> kind(bits - 1), y).astype(kind), m)

    def op_shl(self, w, p, o, m): self.shift(w, p, o, m, True)
    def op_shr(self, w, p, o, m): self.shift(w, p, o, m, False)

    def op_bfe(self, w, p, o, m):
        kind = TYPES[p[1]]
        at, n = (self.value(w, o[i], np.uint32).astype(np.int64) for i in (2, 3))
        x = (self.value(w, o[1], np.uint32).astype(np.int64) >> at) & ((1 << n) - 1)
        if kind == np.int32:
            x = np.where((x >> np.maximum(n - 1, 0)) & 1, x - (1 << n), x)
        self.put(w, o[0], x.astype(kind), m)

    def op_mul(self, w, p, o, m):
        if p[-1] == "bf16x2":
            x, y = halves(self.value(w, o[1], np.uint32)), halves(self.value(w, o[2], np.uint32))
            with np.errstate(all="ignore"):
                self.put(w, o[0], pair(bf16(x[0] * y[0]), bf16(x[1] * y[1])), m)
        elif p[1] == "wide":
            big = np.int64 if p[2][0] == "s" else np.uint64
            self.put(w, o[0], self.value(w, o[1], TYPES[p[2]]).astype(big) * self.value(w, o[2], TYPES[p[2]]).astype(big), m)
        elif p[1] == "hi":
            big = self.value(w, o[1], TYPES[p[2]]).astype(object) * self.value(w, o[2], TYPES[p[2]]).astype(object)
            self.put(w, o[0], np.array([int(x) >> 32 & 0xFFFFFFFF for x in big], np.uint32), m)
        else:
            self.binary(w, p, o, m, np.multiply)

    def op_mad(self, w, p, o, m):
        if p[1] == "wide":
            big = np.int64 if p[2][0] == "s" else np.uint64
            self.put(w, o[0], self.value(w, o[1], TYPES[p[2]]).astype(big) * self.value(w, o[2], TYPES[p[2]]).astype(big) + self.value(w, o[3], big), m)
        else:
            kind = TYPES[p[-1]]
            with np.errstate(all="ignore"):
                self.put(w, o[0], self.value(w, o[1], kind) * self.value(w, o[2], kind) + self.value(w, o[3], kind), m)

    def op_fma(self, w, p, o, m):
        with np.errstate(all="ignore"):
            if p[-1] == "bf16x2":
                x, y, z = (halves(self.value(w, o[i], np.uint32)) for i in (1, 2, 3))
                self.put(w, o[0], pair(*(bf16((x[i].astype(np.float64) * y[i] + z[i]).astype(np.float32)) for i in (0, 1))), m)
            else:
                x, y, z = (self.value(w, o[i], np.float32).astype(np.float64) for i in (1, 2, 3))
                self.put(w, o[0], (x * y + z).astype(np.float32), m)

    def op_ex2(self, w, p, o, m):
        with np.errstate(all="ignore"):
            self.put(w, o[0], np.exp2(self.value(w, o[1], np.float32)), m)

    def op_lg2(self, w, p, o, m):
        with np.errstate(all="ignore"):
            self.put(w, o[0], np.log2(self.value(w, o[1], np.float32)), m)

    def op_rcp(self, w, p, o, m):
        with np.errstate(all="ignore"):
            self.put(w, o[0], np.float32(1) / self.value(w, o[1], np.float32), m)

    def op_mov(self, w, p, o, m):
        if o[1] in w.flight:                                  # an accumulator that a product still writes
            assert m is FULL
            w.flight[o[0]] = None
            (w.open if w.open else w.groups[-1]).append(("mov", o[0], o[1]))
            w.regs[o[0]] = np.full(LANES, np.nan, np.float32)
            return
        if o[0].startswith("{") or o[1].startswith("{"):
            raise AssertionError("mov of vectors")
        self.put(w, o[0], self.value(w, o[1], bool if p[1] == "pred" else TYPES[p[1]]), m)

    def op_cvt(self, w, p, o, m):
        if p[-2] == "bf16x2":
            self.put(w, o[0], pair(bf16(self.value(w, o[2], np.float32)), bf16(self.value(w, o[1], np.float32))), m)
            return
        to, source = TYPES[p[-2]], TYPES[p[-1]]
        x = self.value(w, o[1], source)
        if "rmi" in p or "rpi" in p or "rni" in p or "rzi" in p:
            x = (np.floor if "rmi" in p else np.ceil if "rpi" in p else np.rint if "rni" in p else np.trunc)(x)
        self.put(w, o[0], x.astype(to), m)

    def op_setp(self, w, p, o, m):
        x, y = self.value(w, o[1], TYPES[p[-1]]), self.value(w, o[2], TYPES[p[-1]])
        unordered = np.isnan(x) | np.isnan(y) if p[-1][0] == "f" else np.zeros(LANES, bool)
        compare = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
        with np.errstate(all="ignore"):
            if p[1] in ("num", "nan"):
                y = unordered if p[1] == "nan" else ~unordered
            elif p[1] in compare:
                y = compare[p[1]](x, y) & ~unordered
            else:                                             # ltu and the like: true if one is NaN
                y = compare[p[1][:2]](x, y) | unordered
        self.put(w, o[0], y, m)

    def op_selp(self, w, p, o, m):
        kind = TYPES[p[1]]
        self.put(w, o[0], np.where(self.value(w, o[3], bool), self.value(w, o[1], kind), self.value(w, o[2], kind)), m)

    # memory
    def ordinary(self, at, size):
        """Bytes `at` on of shared memory may be accessed by other than mbarrier instructions."""
        for b in range(size):
            assert self.plain[at + b].all(), "an ordinary access to a barrier at %s" % at

    def space(self, parts):
        return self.shared if "shared" in parts else self.params if "param" in parts else self.memory

    def op_ld(self, w, p, o, m):
        kind = TYPES[p[-1]]
        size = np.dtype(kind).itemsize
        names = o[0].strip("{} ").replace(" ", "").split(",")
        at = np.where(m, self.address(w, o[1]), 0)
        space = self.space(p)
        assert (at >= 0).all() and (at + size * len(names) <= len(space)).all(), "%s outside: %s" % (".".join(p), at)
        assert (at % (size * len(names)) == 0).all(), "misaligned"
        if "shared" in p:
            self.ordinary(at[m], size * len(names))
        for i, name in enumerate(names):
            self.put(w, name, space[:len(space) // size * size].view(kind)[at // size + i], m)

    def op_st(self, w, p, o, m):
        kind = TYPES[p[-1]]
        size = np.dtype(kind).itemsize
        names = o[1].strip("{} ").replace(" ", "").split(",")
        at = self.address(w, o[0])[m]
        space = self.space(p)
        assert (at >= 0).all() and (at + size * len(names) <= len(space)).all(), "%s outside: %s" % (".".join(p), at)
        assert (at % (size * len(names)) == 0).all(), "misaligned"
        touched = (at[:, None] + np.arange(size * len(names))).ravel()
        before = space[touched].copy() if "shared" in p else None
        for i, name in enumerate(names):
            space.view(kind)[at // size + i] = self.value(w, name, kind)[m]
        if "shared" in p:
            self.ordinary(at, size * len(names))
            writer = np.uint32(1 << w.index)
            self.dirty[touched] = np.where(space[touched] != before, writer, np.where(self.dirty[touched], self.dirty[touched] | writer, 0))

    def op_atom(self, w, p, o, m):
        assert p[1:4] == ["global", "add", "u32"]
        words, at, by, old = self.memory.view(np.uint32), self.address(w, o[1]) // 4, self.value(w, o[2], np.uint32), np.zeros(LANES, np.uint32)
        for i in np.flatnonzero(m):
            old[i] = words[at[i]]
            words[at[i]] += by[i]
        self.put(w, o[0], old, m)

    def op_red(self, w, p, o, m):
        assert p[1:] == ["relaxed", "gpu", "global", "add", "u32"] and w.closed, "what was added is not waited for and fenced"
        for i in np.flatnonzero(m):
            self.memory.view(np.uint32)[self.address(w, o[0])[i] // 4] += self.value(w, o[1], np.uint32)[i]

    # barriers and copies
    def op_bar(self, w, p, o, m):
        if p[1] == "warp":
            return None
        number = int(self.value(w, o[0], np.uint32)[0])
        need = (int(self.value(w, o[1], np.uint32)[0]) if len(o) > 1 else self.items) // LANES
        here = self.named.setdefault(number, {"round": 0, "in": 0})
        if w.blocked is None:
            w.blocked = ("bar", number, here["round"])
            here["in"] += 1
            if here["in"] == need:
                here["round"], here["in"] = here["round"] + 1, 0
        if p[1] == "arrive" or here["round"] > w.blocked[2]:
            w.blocked = None
            return None
        return "again"

    def op_barrier(self, w, p, o, m): return self.op_bar(w, p, o, m)

    def op_mbarrier(self, w, p, o, m):
        if p[1] == "init":
            for i in np.flatnonzero(m):
                count = int(self.value(w, o[1], np.uint32)[i])
                at = int(self.address(w, o[0])[i])
                assert count > 0 and at % 8 == 0 and at not in self.barriers
                self.barriers[at] = Barrier(count)
                self.plain[at:at + 8] = False
        elif p[1] == "arrive":
            for i in np.flatnonzero(m):
                self.barriers[int(self.address(w, o[1])[i])].arrive(1, int(self.value(w, o[2], np.uint32)[i]) if len(o) > 2 else 0)
        else:
            at, parity = self.address(w, o[1]), self.value(w, o[2], np.uint32)
            done = np.array([bool(m[i]) and self.barriers[int(at[i])].done(int(parity[i])) for i in range(LANES)])
            self.put(w, o[0], done, m)
            w.spinning = not done[m].all()
            return "failed" if w.spinning else None
        return None

    def op_cp(self, w, p, o, m):
        if p[1:3] == ["async", "cg"]:                         # there when waited for, not before
            to, at = self.address(w, o[0])[m], self.address(w, o[1])[m]
            assert (to % 16 == 0).all() and (at % 16 == 0).all() and (at + 16 <= len(self.memory)).all(), "cp.async outside"
            w.fetched += zip(to.tolist(), at.tolist())
            return
        if p[1:3] == ["async", "commit_group"]:
            return
        if p[1:3] == ["async", "wait_all"]:
            for to, at in w.fetched:
                self.ordinary(np.array([to]), 16)
                self.shared[to:to + 16] = self.memory[at:at + 16]
            w.fetched = []
            return
        reduces = p[1:4] == ["reduce", "async", "bulk"]
        if reduces or p[1:4] == ["async", "bulk", "global"]:  # read late, at the latest when waited for
            assert not reduces or p[-2:] == ["add", "f32"]
            to, at, size = self.address(w, o[0])[m], self.address(w, o[1])[m], self.value(w, o[2], np.uint32)[m]
            assert (to % 16 == 0).all() and (at % 16 == 0).all() and (size % 16 == 0).all() and (to + size <= len(self.memory)).all(), "bulk addition"
            w.added += zip(to.tolist(), at.tolist(), size.tolist(), [int(reduces)] * len(to))
            w.complete = w.closed = False
            return
        if p[1:3] == ["async", "bulk"] and p[3] in ("commit_group", "wait_group"):
            for to, at, size, keep in w.added if p[3] == "wait_group" else ():
                self.ordinary(np.arange(at, at + size), 1)
                assert not self.dirty[at:at + size].any(), "a bulk addition reads what was stored without fence.proxy.async"
                before = self.memory[to:to + size].view(np.float32)
                before[:] = (before if keep else 0) + self.shared[at:at + size].view(np.float32)
            w.added = [] if p[3] == "wait_group" else w.added
            w.complete = w.complete or (p[3] == "wait_group" and p[-1] != "read")
            return
        for i in np.flatnonzero(m):
            where = o[1].strip("[] ")
            base, coordinates = where.split(",", 1)
            c = [int(self.value(w, x.strip(), np.int32)[i]) for x in coordinates.strip(" {}").split(",")]
            box = self.maps[int(self.address(w, base)[i])].read(self.memory.view(np.uint16), *c)
            self.copies.append((int(self.address(w, o[0])[i]), box, int(self.address(w, o[2])[i])))

    def op_fence(self, w, p, o, m):
        if p[1:3] == ["proxy", "async"]:
            self.dirty[self.dirty & np.uint32(1 << w.index) != 0] = 0
        if p[1:] == ["acq_rel", "gpu"]:
            w.closed = w.complete

    def op_setmaxnreg(self, w, p, o, m):
        """A group divides the registers that it was started with, in eights, as many as one group or two a multiprocessor leave."""
        self.registers[w.index] = int(o[0])
        groups = 2 if self.items == 256 else 1
        assert sum(self.registers) * LANES <= 65536 // groups // self.items // 8 * 8 * self.items, "more registers than the group has: %s" % self.registers

    # across lanes, matrices
    def op_shfl(self, w, p, o, m):
        x, by, lane = self.value(w, o[1], np.uint32), self.value(w, o[2], np.uint32).astype(np.int64), np.arange(LANES)
        source = {"idx": by & 31, "bfly": lane ^ by, "up": lane - by, "down": lane + by}[p[2]]
        source = np.where((source >= 0) & (source < LANES), source, lane)
        kind = np.float32 if o[0].startswith("%f") else np.uint32
        self.put(w, o[0], x[source].view(kind), m)

    def op_ldmatrix(self, w, p, o, m):
        assert p[5] == "trans" and p[4] == "x4" or "x4" in p
        at = self.address(w, o[1])
        self.ordinary(at, 16)
        words = self.shared.view(np.uint16)
        lane = np.arange(LANES)
        for i, name in enumerate(o[0].strip("{} ").replace(" ", "").split(",")):
            rows = np.array([words[at[8 * i + r] // 2:at[8 * i + r] // 2 + 8] for r in range(8)])
            assert (at[8 * i:8 * i + 8] % 16 == 0).all()
            if "trans" in p:
                rows = rows.T
            self.put(w, name, pair(rows[lane // 4, lane % 4 * 2], rows[lane // 4, lane % 4 * 2 + 1]), m)

    def op_stmatrix(self, w, p, o, m):
        assert p[3:5] == ["m8n8", "x4"] and "trans" not in p
        at, lane = self.address(w, o[0]), np.arange(LANES)
        assert (at % 16 == 0).all()
        self.ordinary(at, 16)
        for i, name in enumerate(o[1].strip("{} ").replace(" ", "").split(",")):
            to = at[8 * i + lane // 4] + lane % 4 * 4
            self.shared.view(np.uint32)[to // 4] = self.value(w, name, np.uint32)
            for b in range(4):
                self.dirty[to + b] |= np.uint32(1 << w.index)

    def operand(self, d, rows, first, turned):
        """Elements [rows][16] (turned: [16][rows]) of a descriptor with the 128-byte swizzle."""
        start, far, near = (d & 0x3FFF) << 4, (d >> 16 & 0x3FFF) << 4, (d >> 32 & 0x3FFF) << 4
        assert d >> 62 == 1, "swizzle"
        n, k = np.meshgrid(np.arange(first, first + rows), np.arange(16), indexing="ij")
        offset = n // 64 * far + n % 64 * 2 + k // 8 * near + k % 8 * 128 if turned else n // 8 * near + n % 8 * 128 + k * 2
        at = start + offset
        at ^= (at >> 7 & 7) << 4
        assert (at + 2 <= len(self.shared)).all()
        self.ordinary(at, 2)
        assert not self.dirty[at].any(), "wgmma reads what was stored without fence.proxy.async"
        return from_bf16(self.shared.view(np.uint16)[at // 2])

    def op_wgmma(self, w, p, o, m):
        if p[1] == "fence":
            return
        if p[1] == "commit_group":
            w.groups.append(w.open)
            w.open = []
        elif p[1] == "wait_group":
            keep = int(o[0])
            assert not w.open, "products that no group holds are waited for"
            while len(w.groups) > keep:
                for product in w.groups.pop(0):
                    self.finish(w, product)
            still = {name for group in w.groups for product in group for name in (product[1] if product[0] == "mma" else [product[1]])}
            for name in [x for x in w.flight if x not in still]:
                w.regs[name] = w.flight.pop(name)
        else:
            assert "bf16" in p[-1]
            n = int(re.search(r"n(\d+)k16", ".".join(p))[1])
            names = o[0].strip("{} ").replace(" ", "").split(",")
            assert len(names) == n // 2
            fresh = o[3] == "0"
            turned = o[-1] == "1"
            if o[1].startswith("{"):
                a = [self.value(w, x, np.uint32).copy() for x in o[1].strip("{} ").replace(" ", "").split(",")]
                assert not any(x in w.flight for x in o[1].strip("{} ").replace(" ", "").split(","))
            else:
                a = int(self.value(w, o[1], np.uint64)[0])
            b = int(self.value(w, o[2], np.uint64)[0])
            for name in names:
                if name not in w.flight:
                    w.flight[name] = None if fresh else self.value(w, name, np.float32).copy()
                w.regs[name] = np.full(LANES, np.nan, np.float32)
            turned = turned, not o[1].startswith("{") and o[-2] == "1"
            product = ["mma", names, a, b, fresh, n, turned, None if self.late else self.fetch(w, a, b, n, turned)]
            w.open.append(product)

    def fetch(self, w, a, b, n, turned):
        return (self.operand(a, 16, 16 * (w.index & 3), turned[1]) if isinstance(a, int) else None), self.operand(b, n, 0, turned[0])

    def finish(self, w, product):
        if product[0] == "mov":
            w.flight[product[1]] = w.flight[product[2]]
            return
        _, names, a, b, fresh, n, turned, read = product
        x, y = read or self.fetch(w, a, b, n, turned)
        lane = np.arange(LANES)
        if x is None:
            x = np.zeros((16, 16), np.float32)
            for i, reg in enumerate(a):
                row, col = lane // 4 + 8 * (i & 1), lane % 4 * 2 + 8 * (i >> 1)
                x[row, col], x[row, col + 1] = halves(reg)
        with np.errstate(all="ignore"):
            d = x.astype(np.float64) @ y.T.astype(np.float64)
            for i, name in enumerate(names):
                part = d[lane // 4 + 8 * (i >> 1 & 1), i // 4 * 8 + lane % 4 * 2 + (i & 1)]
                w.flight[name] = toward_zero(part if fresh else w.flight[name] + part)

#!/usr/bin/env python3
"""Does again through CUDA what ci/gpu_record.c wrote down of a program's OpenCL, so that compute-sanitizer, which sees CUDA only, can look on.

    gpu_replay.py FOLDER [--uninitialised] [--library FILE]

Programs are the PTX that NVIDIA's driver gave back. Each read must bring the bytes that it brought then: what ran is what was recorded. Words that
hold the address of a buffer (tensor maps in a workspace) may hold another one's.
--uninitialised leaves out the NaN that clattn's checks put into outputs and workspace (for initcheck: who reads there before anybody wrote?);
what a read brings is then compared where the recorded bytes are no such NaN. Guard bands that the checks lay around buffers are cut off: an
access beyond a buffer is one beyond its allocation.
"""
import argparse
import ctypes
import pathlib
import re
import sys

GUARDED = pathlib.Path(__file__).resolve().parent.parent / "tools/harness"
GUARD = int(re.search(r"CT_GUARD_BYTES (\d+)", (GUARDED / "guarded.h").read_text())[1])
CANARY = bytes([int(re.search(r"CANARY 0x([0-9a-f]+)", (GUARDED / "guarded.c").read_text())[1], 16)])
POISON = b"\xff"  # bytes of the NaN
STATIC = 48 << 10  # what CUDA lets a program declare; OpenCL lets it have more


class Cuda:
    """The driver's calls; an error names the call."""

    def __init__(self, library):
        self.library = ctypes.CDLL(library)
        self.call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)

    def call(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code != 0:
            text = ctypes.c_char_p()
            self.library.cuGetErrorName(code, ctypes.byref(text))
            raise RuntimeError(f"{name} returned {code} ({(text.value or b'').decode()})")

    def load(self, ptx):
        """A module; the assembler's sentence if there is none."""
        log = ctypes.create_string_buffer(1 << 16)
        options = (ctypes.c_int * 2)(5, 6)  # CU_JIT_ERROR_LOG_BUFFER, its size
        values = (ctypes.c_void_p * 2)(ctypes.cast(log, ctypes.c_void_p), len(log))
        module = ctypes.c_void_p()
        try:
            self.call("cuModuleLoadDataEx", ctypes.byref(module), ptx, 2, options, values)
        except RuntimeError as error:
            raise RuntimeError(f"{error}: {log.value.decode(errors='replace')}") from error
        return module


def set_place(text, groups, first):
    """Offsets of the work and numbers of groups stand in registers that only NVIDIA's OpenCL fills: constants take their place."""
    known = dict(enumerate((0, 0, 0, *first, *groups)))  # offsets of the groups, of the items; groups

    def constant(match):
        number = int(match[1])
        if number not in known:
            raise RuntimeError(f"the program reads %envreg{number}")
        return str(known[number])

    return re.sub(r"%envreg(\d+)", constant, text)


def make_dynamic(text):
    """Local memory beyond 48 KiB is declared by the launch: one array without a size, in which each declared one has its place."""
    place, names = 0, {}
    for align, name, size in re.findall(r"\.shared\s+\.align\s+(\d+)\s+\.b8\s+([\w$]+)\[(\d+)\];", text):
        place = -(-place // int(align)) * int(align)
        names[name] = place
        place += int(size)
    if place <= STATIC:
        return text, 0
    text = re.sub(r"^[^\n]*\.shared\s+\.align\s+\d+\s+\.b8\s+[\w$]+\[\d+\];", "", text, flags=re.M)
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<![\w$]){re.escape(name)}(?![\w$])", f"everything+{names[name]}", text)
    text = re.sub(r"everything\+(\d+)\+(\d+)", lambda m: f"everything+{int(m[1]) + int(m[2])}", text)
    where = re.search(r"^\.address_size[^\n]*\n", text, flags=re.M).end()
    return text[:where] + ".extern .shared .align 1024 .b8 everything[];\n" + text[where:], place


class Buffer:
    def __init__(self, cuda, size):
        self.cuda, self.size, self.cut, self.address, self.made = cuda, size, 0, None, False

    def make(self, guarded):
        self.cut = GUARD if guarded else 0
        self.made, self.address = True, ctypes.c_uint64(0)
        if self.size > 2 * self.cut:
            self.cuda.call("cuMemAlloc_v2", ctypes.byref(self.address), ctypes.c_size_t(self.size - 2 * self.cut))

    def base(self):
        """Where byte 0 of the recorded buffer would be."""
        if not self.made:
            self.make(False)
        return self.address.value - self.cut

    def clip(self, offset, size):
        """The part of a range that is there."""
        first, last = max(offset, self.cut), min(offset + size, self.size - self.cut)
        return first, max(0, last - first)

    def holds(self, address):
        return self.made and self.base() + self.cut <= address < self.base() + self.size - self.cut

    def free(self):
        if self.made and self.address.value:
            self.cuda.call("cuMemFree_v2", self.address)


class Replay:
    def __init__(self, folder, cuda, uninitialised):
        self.folder, self.cuda, self.uninitialised = pathlib.Path(folder), cuda, uninitialised
        self.buffers, self.functions = {}, {}
        self.launches = self.reads = self.different = 0

    def do_buffer(self, number, size):
        self.buffers[number] = Buffer(self.cuda, int(size))

    def do_free(self, number):
        self.cuda.call("cuCtxSynchronize")
        self.buffers.pop(number).free()

    def do_write(self, number, offset, size, file):
        buffer, data, offset = self.buffers[number], (self.folder / file).read_bytes(), int(offset)
        if not buffer.made:
            buffer.make(len(data) == buffer.size >= 2 * GUARD and data[:GUARD] == data[-GUARD:] == CANARY * GUARD)
        first, length = buffer.clip(offset, len(data))
        data = data[first - offset : first - offset + length]
        if self.uninitialised and not data.lstrip(CANARY).strip(POISON):
            return
        if data:
            self.cuda.call("cuMemcpyHtoD_v2", ctypes.c_uint64(buffer.base() + first), data, ctypes.c_size_t(len(data)))

    def do_fill(self, number, offset, size, value):
        buffer = self.buffers[number]
        first, length = buffer.clip(int(offset), int(size))
        if length and not (self.uninitialised and int(value) == POISON[0]):
            self.cuda.call("cuMemsetD8_v2", ctypes.c_uint64(buffer.base() + first), ctypes.c_ubyte(int(value)), ctypes.c_size_t(length))

    def same(self, wanted, got, address):
        """Whether these are the same bytes, but for words that are addresses of buffers."""
        if wanted == got:
            return True
        start = -address % 8
        for at in range(start, len(got) - 7, 8):
            word = int.from_bytes(got[at : at + 8], "little")
            if got[at : at + 8] != wanted[at : at + 8] and not any(b.holds(word) for b in self.buffers.values()):
                return False
        end = start + (len(got) - start) // 8 * 8
        return wanted[:start] == got[:start] and wanted[end:] == got[end:]

    def do_read(self, number, offset, size, file):
        buffer, wanted, offset = self.buffers[number], (self.folder / file).read_bytes(), int(offset)
        first, length = buffer.clip(offset, len(wanted))
        wanted = wanted[first - offset : first - offset + length]
        got = ctypes.create_string_buffer(max(1, length))
        self.cuda.call("cuCtxSynchronize")
        if length and not (self.uninitialised and POISON * 4 in wanted):
            self.cuda.call("cuMemcpyDtoH_v2", got, ctypes.c_uint64(buffer.base() + first), ctypes.c_size_t(length))
            self.reads += 1
            if not self.same(wanted, got.raw[:length], buffer.base() + first):
                self.different += 1
                print(f"read {self.reads}, buffer {number}: other bytes than were recorded", file=sys.stderr)

    def function(self, kernel, file, groups, first):
        key = kernel, file, groups, first
        if key not in self.functions:
            text = set_place((self.folder / file).read_bytes().rstrip(b"\0").decode(), groups, first)
            text, local = make_dynamic(text)
            function = ctypes.c_void_p()
            self.cuda.call("cuModuleGetFunction", ctypes.byref(function), self.cuda.load(text.encode() + b"\0"), kernel.encode())
            if local:
                self.cuda.call("cuFuncSetAttribute", function, 8, local)  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            self.functions[key] = function, local
        return self.functions[key]

    def do_launch(self, kernel, file, sizes, arguments):
        function, local = self.function(kernel, file, tuple(sizes[:3]), tuple(sizes[6:]))
        values = []
        for kind, value in arguments:
            data = ctypes.c_uint64(self.buffers[value].base()) if kind == "buffer" else ctypes.create_string_buffer(bytes.fromhex(value), len(value) // 2)
            values.append(data)
        pointers = (ctypes.c_void_p * max(1, len(values)))(*[ctypes.addressof(v) for v in values])
        self.cuda.call("cuLaunchKernel", function, *sizes[:6], local, None, pointers, None)
        self.launches += 1

    def run(self):
        lines = iter((self.folder / "events").read_text().splitlines())
        for line in lines:
            kind, *words = line.split()
            if kind == "launch":
                *sizes, count = map(int, words[2:])
                arguments = [next(lines).split()[1:] for _ in range(count)]
                self.do_launch(words[0], words[1], sizes, arguments)
            else:
                getattr(self, "do_" + kind)(*words)
        self.cuda.call("cuCtxSynchronize")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--uninitialised", action="store_true")
    parser.add_argument("--library", default="libcuda.so.1")
    options = parser.parse_args()
    replay = Replay(options.folder, Cuda(options.library), options.uninitialised)
    replay.run()
    print(f"{replay.launches} launches, {replay.reads} reads, {replay.different} of them different")
    return 1 if replay.different or not replay.launches or not replay.reads else 0


if __name__ == "__main__":
    sys.exit(main())

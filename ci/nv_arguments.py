"""The arguments of a kernel as its source declares them: buffers in order, and the record by value, packed by the names that the source gives."""
import os
import re
import struct

CL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cl")
CODES = {"i64": "q", "i32": "i", "f32": "f", "long": "q", "int": "i", "float": "f", "strides": "3q"}     # strides: batch, head, row; see cl/tile/tile.cl


def read(*paths):
    text = ""
    for path in paths:
        with open(os.path.join(CL, path)) as file:
            text += file.read()
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


class Arguments:
    """Of kernel `kernel`, whose texts lie in cl/."""

    def __init__(self, kernel, *paths):
        text = read(*paths)
        head = re.search(r"\b%s\((.*?)\)\s*\{" % kernel, text, re.S).group(1)
        listed = re.search(r"ARGUMENTS\((\w+)\)", head)             # a list of cl/<stage>/args.cl, or written out
        if listed:
            body = self.list_of(text, listed.group(1))
            buffers = re.findall(r"\b([TBS])\((?:[^(),]*,)?\s*(\w+)\)", body)
        else:
            buffers = re.findall(r"\b(TENSOR|BUFFER)\((?:[^(),]*,)?\s*(\w+)\)", head)
            assert head.count("(") == len(buffers), "not every argument of %s was understood" % kernel
        self.buffers = [(kind in ("T", "TENSOR"), name) for kind, name in buffers]
        record = re.search(r"const (\w+_args) \w+\s*$", head)
        self.fields = self.fields_of(text, record.group(1)) if record else []

    @classmethod
    def list_of(cls, text, name):
        """The body of a list, with those that it names in their places."""
        body = re.search(r"#define %s\(T, B, S\)((?:[^\n]*\\\n)*[^\n]*)" % name, text).group(1)
        return re.sub(r"\b(\w+)\(T, B, S\)", lambda named: cls.list_of(text, named.group(1)), body)

    @staticmethod
    def fields_of(text, record):
        body = re.search(r"typedef struct \w* ?\{([^{}]*)\}\s*%s;" % record, text).group(1)
        fields = []
        for kind, names in re.findall(r"(\w+)\s+([^;]+);", body):
            if kind not in CODES:       # a record in the record: its fields by their own names
                fields += Arguments.fields_of(text, kind)
                continue
            for name in names.split(","):
                name, count = re.fullmatch(r"\s*(\w+)(?:\[(\d+)\])?\s*", name).groups()
                fields.append((name, (count or "") + CODES[kind]))
        return fields

    def pack_buffers(self, given):
        """A pointer, an offset in elements; of a tensor with maps also where the tensor lies, which no kernel here reads. 0: not given."""
        self.known(given, [name for _, name in self.buffers])
        return b"".join(struct.pack("<Qq", given.get(name, 0), 0) + b"\0" * 8 * tensor for tensor, name in self.buffers)

    def pack_record(self, given):
        """As C lays it out: longs come first, so the only hole is at the end."""
        self.known(given, [name for name, _ in self.fields])
        packed = b""
        for name, code in self.fields:
            size = struct.calcsize(code[-1])
            assert len(packed) % size == 0, "a hole before '%s'" % name
            value = given.get(name, 0)
            count = int(code[:-1] or 1)
            packed += struct.pack("<" + code, *(value if isinstance(value, tuple) else (value,) * count))
        return packed + b"\0" * (-len(packed) % 8)

    @staticmethod
    def known(given, names):
        strange = set(given) - set(names)
        assert not strange, "no argument is called %s; there are %s" % (sorted(strange), names)

"""Reads and writes GGUF model files by their published format, so that tests can change values."""

import struct

U32, F32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
SIZES = {0: "B", 1: "b", 2: "H", 3: "h", U32: "I", 5: "i", F32: "f", BOOL: "?", 10: "Q", 11: "q",
         12: "d"}
BLOCKS = {0: (1, 4), 1: (1, 2), 8: (32, 34), 30: (1, 2)}  # F32, F16, Q8_0, BF16: weights, bytes


def packed(kind, value):
    if kind == STRING:
        value = value.encode() if isinstance(value, str) else value
        return struct.pack("<Q", len(value)) + value
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(packed(inner, i) for i in items)
    return struct.pack("<" + SIZES[kind], value)


class GgufFile:
    """keys: name → (kind, packed value); tensors: name → [shape, type, data]."""

    def __init__(self, path):
        data = path.read_bytes()
        assert data[:4] == b"GGUF", path
        tensors, keys = struct.unpack_from("<QQ", data, 8)
        self.data, self.at = data, 24
        self.keys = {}
        for _ in range(keys):
            name = self.text()
            kind, = self.unpack("I")
            begin = self.at
            self.skip(kind)
            self.keys[name] = (kind, data[begin:self.at])
        infos = []
        for _ in range(tensors):
            name = self.text()
            dimensions, = self.unpack("I")
            shape = list(self.unpack(f"{dimensions}Q"))
            infos.append((name, shape, *self.unpack("IQ")))
        base = (self.at + 31) // 32 * 32
        self.tensors = {}
        for name, shape, kind, offset in infos:
            count = 1
            for length in shape:
                count *= length
            weights, size = BLOCKS[kind]
            begin = base + offset
            self.tensors[name] = [shape, kind, data[begin:begin + count // weights * size]]

    def unpack(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def text(self):
        length, = self.unpack("Q")
        self.at += length
        return self.data[self.at - length:self.at].decode()

    def skip(self, kind):
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            inner, count = self.unpack("IQ")
            if inner in SIZES:
                self.at += count * struct.calcsize(SIZES[inner])
            else:
                for _ in range(count):
                    self.skip(inner)
        else:
            self.unpack(SIZES[kind])

    def number(self, name):
        kind, value = self.keys[name]
        return struct.unpack("<" + SIZES[kind], value)[0]

    def save(self, path, keys=None, tensors=None):
        """Writes the file. `keys` replaces some keys by (kind, value), or removes them with None;
        `tensors` replaces some tensors."""
        changed = dict(self.keys)
        for name, entry in (keys or {}).items():
            if entry is None:
                changed.pop(name, None)
            else:
                changed[name] = (entry[0], packed(*entry))
        weights = {**self.tensors, **(tensors or {})}
        head = [b"GGUF", struct.pack("<IQQ", 3, len(weights), len(changed))]
        for name, (kind, value) in changed.items():
            head += [packed(STRING, name), struct.pack("<I", kind), value]
        offset, blobs = 0, []
        for name, (shape, kind, data) in weights.items():
            head += [packed(STRING, name), struct.pack("<I", len(shape)),
                     struct.pack(f"<{len(shape)}Q", *shape), struct.pack("<IQ", kind, offset)]
            blobs += [data, bytes(-len(data) % 32)]
            offset += len(data) + -len(data) % 32
        head = b"".join(head)
        path.write_bytes(head + bytes(-len(head) % 32) + b"".join(blobs))
        return path

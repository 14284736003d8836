"""A reader of transparency logs that shares no code with Selvedge: RFC 6962 trees, RFC 8032 signatures and the C2SP formats, written
from their texts with Python's hashlib alone.

    reader.py vectors                      prints tests/vectors/tlog/merkle.txt
    reader.py check DIR [--vkey KEY]...    reads a tlog-tiles directory whole, and prints what it found

`check` trusts nothing in the directory: every entry is hashed, every tile compared with the hashes of what lies below it, the root with
that of the checkpoint, and the checkpoint's signatures with the keys given. A directory with a file too many is refused as well.
"""

import base64
import hashlib
import os
import sys

# ---- RFC 8032 5.1: Ed25519, verification only

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    k = (a[1] - a[0]) * (b[1] - b[0]) % P
    l = (a[1] + a[0]) * (b[1] + b[0]) % P
    m = 2 * a[3] * b[3] * D % P
    n = 2 * a[2] * b[2] % P
    e, f, g, h = l - k, n - m, n + m, l + k
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_multiply(s, point):
    out = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            out = point_add(out, point)
        point = point_add(point, point)
        s >>= 1
    return out


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y, 1, recover_x(BASE_Y, 0) * BASE_Y % P)


def ed25519_verify(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = point_multiply(s, BASE), point_add(r, point_multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ---- RFC 6962 2.1, word by word

def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    def __init__(self, leaves):
        self.leaves = leaves
        self.known = {}

    def root(self, first, end):
        """MTH(D[first:end])."""
        if end == first:
            return hashlib.sha256(b"").digest()
        if end - first == 1:
            return self.leaves[first]
        if (first, end) not in self.known:
            k = split(end - first)
            self.known[first, end] = node_hash(self.root(first, first + k), self.root(first + k, end))
        return self.known[first, end]

    def path(self, m, first, end):
        """PATH(m, D[first:end]), RFC 6962 2.1.1; m counts from `first`."""
        n = end - first
        if n == 1:
            return []
        k = split(n)
        if m < k:
            return self.path(m, first, first + k) + [self.root(first + k, end)]
        return self.path(m - k, first + k, end) + [self.root(first, first + k)]

    def proof(self, m, n):
        """PROOF(m, D[n]), RFC 6962 2.1.2."""
        return [] if m in (0, n) else self.subproof(m, 0, n, True)

    def subproof(self, m, first, end, whole):
        n = end - first
        if m == n:
            return [] if whole else [self.root(first, end)]
        k = split(n)
        if m <= k:
            return self.subproof(m, first, first + k, whole) + [self.root(first + k, end)]
        return self.subproof(m - k, first + k, end, False) + [self.root(first, first + k)]


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


# ---- vectors

def entry_of(index):
    return b"entry %d" % index


def vectors():
    yield "# Trees over the entries \"entry 0\", \"entry 1\" and so on; made by `tests/tlog/reader.py vectors`, which knows nothing of our code."
    yield "# root SIZE HASH | inclusion INDEX SIZE HASH... | consistency OLD NEW HASH..."
    tree = Tree([leaf_hash(entry_of(i)) for i in range(70_000)])
    sizes = list(range(0, 18)) + [31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 130, 255, 256, 257, 511, 512, 513, 65535, 65536, 65537, 70000]
    for size in sizes:
        yield f"root {size} {tree.root(0, size).hex()}"
    for size in sizes:
        for index in sorted({i for i in (0, size // 3, size - 2, size - 1) if 0 <= i < size}):
            yield " ".join(["inclusion", str(index), str(size)] + [h.hex() for h in tree.path(index, 0, size)])
    for new in sizes:
        for old in [s for s in sizes if s <= new][::5]:
            yield " ".join(["consistency", str(old), str(new)] + [h.hex() for h in tree.proof(old, new)])


# ---- C2SP signed-note, tlog-checkpoint, tlog-cosignature

class Bad(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Bad(what)


def strict_base64(text):
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text, "base64 with a second spelling")
    return data


def parse_vkey(text):
    name, key_id, material = text.split("+", 2)
    material = strict_base64(material)
    require(hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex() == key_id, f"the vkey {name} is damaged")
    return name, bytes.fromhex(key_id), material[0], material[1:]


def verify_note(note, vkeys):
    """The text, and the names of the keys that signed it. A signature of a known key that does not hold refuses the note."""
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    require(signatures.endswith("\n"), "the note is cut off")
    signers = []
    for line in signatures[:-1].split("\n"):
        dash, name, blob = line.split(" ")
        require(dash == "\u2014", "a signature line begins with a long dash")
        blob = strict_base64(blob)
        for key_name, key_id, kind, key in map(parse_vkey, vkeys):
            if (key_name, key_id) != (name, blob[:4]):
                continue
            message, signature = text.encode(), blob[4:]
            if kind == 4:
                message = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + message
                signature = signature[8:]
            require(kind in (1, 4) and ed25519_verify(key, message, signature), f"the signature of {name} does not hold")
            signers.append(name)
    require(signers, "no known key signed the checkpoint")
    return text, signers


def parse_checkpoint(text):
    lines = text.split("\n")
    require(len(lines) >= 4 and lines[-1] == "" and all(lines[:-1]), "the checkpoint has not its three lines")
    require(str(int(lines[1])) == lines[1], "the size of the checkpoint is no plain number")
    root = strict_base64(lines[2])
    require(len(root) == 32, "the root is no SHA-256 hash")
    return lines[0], int(lines[1]), root


# ---- C2SP tlog-tiles

def index_path(index):
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03d}")
    return "/".join(parts)


def tiles_of(count):
    """(path, first, width) of each tile over so many hashes."""
    for index in range((count + 255) // 256):
        width = min(256, count - 256 * index)
        yield index_path(index) + ("" if width == 256 else f".p/{width}"), 256 * index, width


def parse_bundle(data):
    entries = []
    while data:
        size = int.from_bytes(data[:2], "big")
        require(len(data) >= 2 + size, "an entry is cut off")
        entries.append(data[2:2 + size])
        data = data[2 + size:]
    return entries


def check_directory(folder, vkeys):
    """{origin, size, root, signers, entries} of a directory in which every byte is as it must be."""
    def read(path):
        seen.add(path)
        try:
            with open(os.path.join(folder, path), "rb") as file:
                return file.read()
        except OSError as error:
            raise Bad(f"{path} is missing") from error

    seen = set()
    text, signers = verify_note(read("checkpoint").decode(), vkeys)
    origin, size, root = parse_checkpoint(text)
    entries = []
    for path, _, width in tiles_of(size):
        bundle = parse_bundle(read("tile/entries/" + path))
        require(len(bundle) == width, f"the bundle {path} has {len(bundle)} entries, not {width}")
        entries += bundle
    hashes = [leaf_hash(entry) for entry in entries]
    tree = Tree(hashes)
    level = 0
    while hashes:
        for path, first, width in tiles_of(len(hashes)):
            require(read(f"tile/{level}/{path}") == b"".join(hashes[first:first + width]), f"tile/{level}/{path} does not fit the entries")
        full = len(hashes) // 256
        level += 1
        hashes = [tree.root(i * 256**level, (i + 1) * 256**level) for i in range(full)]
    require(tree.root(0, size) == root, "the root of the checkpoint is not that of the entries")
    there = {os.path.relpath(os.path.join(base, name), folder) for base, _, names in os.walk(folder) for name in names}
    require(there == seen, f"files that belong to no tree of this size: {sorted(there - seen)}")
    return {"origin": origin, "size": size, "root": root, "signers": signers, "entries": entries}


def check_proof(text, vkeys, entry):
    """A tlog-proof file about `entry`; returns its index and the checkpoint."""
    lines = text.split("\n")
    require(lines[0] == "c2sp.org/tlog-proof@v1", "this is no proof")
    at = 2 if lines[1].startswith("extra ") else 1
    require(lines[at].startswith("index "), "the proof names no entry")
    index, gap = int(lines[at][6:]), lines.index("", at)
    path = [strict_base64(line) for line in lines[at + 1:gap]]
    note_text, signers = verify_note("\n".join(lines[gap + 1:]), vkeys)
    origin, size, root = parse_checkpoint(note_text)
    require(root_from_path(leaf_hash(entry), index, size, path) == root, "the entry is not in this log")
    return {"index": index, "origin": origin, "size": size, "root": root, "signers": signers}


def root_from_path(leaf, index, size, path):
    """The root that PATH(index, D[size]) of RFC 6962 2.1.1 leads to, by the recursion that defines it."""
    if size == 1:
        require(not path and index == 0, "the proof has the wrong length")
        return leaf
    require(path, "the proof has the wrong length")
    k = split(size)
    if index < k:
        return node_hash(root_from_path(leaf, index, k, path[:-1]), path[-1])
    return node_hash(path[-1], root_from_path(leaf, index - k, size - k, path[:-1]))


def main(words):
    sys.setrecursionlimit(10_000)
    if words[:1] == ["vectors"] and len(words) == 1:
        print("\n".join(vectors()))
        return 0
    if words[:1] == ["check"] and len(words) >= 2:
        vkeys = [word for at, word in enumerate(words) if words[at - 1] == "--vkey"]
        try:
            found = check_directory(words[1], vkeys)
        except (Bad, ValueError) as error:
            print(f"refused: {error}")
            return 1
        print(f"{found['origin']}: {found['size']} entries, root {found['root'].hex()}, signed by {', '.join(found['signers'])}")
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

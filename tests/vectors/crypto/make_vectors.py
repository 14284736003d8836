#!/usr/bin/env python3
"""Makes shamir.txt, vss.txt, ecvrf_more.txt and passphrase.txt, with arithmetic of its own: integers, RFC 9496 for
ristretto255, RFC 9381 for the VRF, log tables for GF(256), RFC 8439 for the stream and the tag, and the `argon2` program of the
algorithm's authors. It shares nothing with src/crypto/, which is the point: two implementations that agree.

make_vectors.py [DIR]
"""

import hashlib
import os
import shutil
import struct
import subprocess
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
A = -1 % P


def stream(label, size):
    """Bytes that anybody can make again: SHA-256 of label and counter."""
    out = b""
    counter = 0
    while len(out) < size:
        out += hashlib.sha256(label.encode() + counter.to_bytes(4, "big")).digest()
        counter += 1
    return out[:size]


# --- GF(256) -----------------------------------------------------------------------------------------------------
EXP, LOG = [0] * 510, [0] * 256
value = 1
for exponent in range(255):
    EXP[exponent] = EXP[exponent + 255] = value
    LOG[value] = exponent
    value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
    value &= 0xFF


def gf_mul(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def shamir_share(key, coefficients, number):
    out = bytearray(key)
    power = 1
    for coefficient in coefficients:
        power = gf_mul(power, number)
        for i in range(32):
            out[i] ^= gf_mul(coefficient[i], power)
    return bytes(out)


def shamir_commitment(context, number, salt, share):
    return hashlib.sha256(b"selvedge share commitment v1" + context + bytes([number]) + salt + share).digest()


# --- edwards25519 ------------------------------------------------------------------------------------------------
def add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P)


def mul(n, p):
    out = (0, 1)
    while n:
        if n & 1:
            out = add(out, p)
        p = add(p, p)
        n >>= 1
    return out


def recover_x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def decode_point(data):
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x = recover_x(y, sign)
    return None if x is None else (x, y)


def encode_point(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


# --- ECVRF, RFC 9381 suite 0x03 ----------------------------------------------------------------------------------
def vrf(secret, alpha):
    expanded = hashlib.sha512(secret).digest()
    x = int.from_bytes(expanded[:32], "little") & ~7 & (2**255 - 1) | 2**254
    public = encode_point(mul(x, BASE))
    for counter in range(256):
        h = decode_point(hashlib.sha512(b"\x03\x01" + public + alpha + bytes([counter, 0])).digest()[:32])
        if h is not None and mul(8, h) != (0, 1):
            h = mul(8, h)
            break
    gamma = mul(x, h)
    k = int.from_bytes(hashlib.sha512(expanded[32:] + encode_point(h)).digest(), "little") % L
    points = b"".join(encode_point(p) for p in (mul(x, BASE), h, gamma, mul(k, BASE), mul(k, h)))
    c = hashlib.sha512(b"\x03\x02" + points + b"\x00").digest()[:16]
    s = (k + int.from_bytes(c, "little") * x) % L
    beta = hashlib.sha512(b"\x03\x03" + encode_point(mul(8, gamma)) + b"\x00").digest()
    return public, encode_point(gamma) + c + s.to_bytes(32, "little"), beta


# --- ristretto255, RFC 9496 --------------------------------------------------------------------------------------
def is_negative(x):
    return x % P & 1


def magnitude(x):
    return -x % P if is_negative(x) else x % P


def sqrt_ratio(u, v):
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct, flipped, flipped_i = check == u % P, check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, magnitude(r)


INVSQRT_A_MINUS_D = sqrt_ratio(1, A - D)[1]
SQRT_AD_MINUS_ONE = magnitude(sqrt_ratio(A * D - 1, 1)[1])
if 25063068953384623474111414158702152701244531502492656460079210482610430750235 != SQRT_AD_MINUS_ONE:
    SQRT_AD_MINUS_ONE = P - SQRT_AD_MINUS_ONE  # RFC 9496 4.1 gives the root by value
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P


def ristretto_encode(p):
    x, y = p
    z, t = 1, x * y % P
    u1 = (z + y) * (z - y) % P
    u2 = x * y % P
    _, invsqrt = sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t % P
    if is_negative(t * z_inv):
        x, y, den_inv = y * SQRT_M1 % P, x * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        den_inv = den2
    if is_negative(x * z_inv):
        y = -y % P
    return magnitude(den_inv * (z - y)).to_bytes(32, "little")


def elligator(t):
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio(u, v)
    c = P - 1
    if not was_square:
        s, c = -magnitude(s * t) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1, w2, w3 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P, (1 - s * s) % P, (1 + s * s) % P
    return (w0 * pow(w1, P - 2, P) % P, w2 * pow(w3, P - 2, P) % P)


def ristretto_from_hash(data):
    halves = [int.from_bytes(half, "little") & (2**255 - 1) for half in (data[:32], data[32:])]
    return add(elligator(halves[0]), elligator(halves[1]))


H = ristretto_from_hash(hashlib.sha512(b"fabric-pedersen-H").digest())


# --- XChaCha20-Poly1305: RFC 8439, and HChaCha20 of draft-irtf-cfrg-xchacha-03 2.2 ---------------------------------
def rounds(state):
    x = list(state)

    def quarter(a, b, c, d):
        for first, second, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = (x[first] + x[second]) & 0xFFFFFFFF
            mixed = x[third] ^ x[first]
            x[third] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for columns in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                        (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*columns)
    return x


def chacha_state(key, last):
    return struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", last)


def chacha(key, nonce, counter, size):
    out = b""
    while len(out) < size:
        state = chacha_state(key, struct.pack("<I", counter) + nonce)
        out += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(state, rounds(state))))
        counter += 1
    return out[:size]


def xchacha_seal(key, nonce, text, aad):
    mixed = rounds(chacha_state(key, nonce[:16]))
    key, nonce = struct.pack("<8I", *(mixed[:4] + mixed[12:])), bytes(4) + nonce[16:]
    sealed = bytes(a ^ b for a, b in zip(text, chacha(key, nonce, 1, len(text))))
    one_time = chacha(key, nonce, 0, 32)
    r, s = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF, int.from_bytes(one_time[16:], "little")
    data = aad + bytes(-len(aad) % 16) + sealed + bytes(-len(sealed) % 16) + struct.pack("<QQ", len(aad), len(sealed))
    tag = 0
    for i in range(0, len(data), 16):
        tag = (tag + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return sealed + ((tag + s) % 2**128).to_bytes(16, "little")


def passphrase_lines():
    yield "# passphrase purpose plaintext file, all hexadecimal: made by make_vectors.py"
    for passes, memory_kib, passphrase, text in ((1, 8192, b"correct horse battery staple", b"a key"), (2, 16384, b"\xc3\xa4", bytes(100))):
        # The program takes the salt from its command line, so it has no zero byte here.
        salt, nonce = stream(f"salt {passes}", 16).replace(b"\0", b"\1"), stream(f"nonce {passes}", 24)
        command = ["argon2", salt, "-id", "-v", "13", "-t", str(passes), "-k", str(memory_kib), "-p", "1", "-l", "32", "-r"]
        key = bytes.fromhex(subprocess.run(command, input=passphrase, capture_output=True, check=True).stdout.decode())
        header = b"SVPW\1" + struct.pack(">II", passes, memory_kib) + salt + nonce
        purpose = b"selvedge test"
        yield f"{passphrase.hex()} {purpose.hex()} {text.hex()} {(header + xchacha_seal(key, nonce, text, header + purpose)).hex()}"


def scalar(label):
    return int.from_bytes(stream(label, 64), "little") % L


def little(n):
    return (n % L).to_bytes(32, "little").hex()


def evaluate(polynomial, at):
    return sum(c * at**i for i, c in enumerate(polynomial)) % L


def write(directory, name, lines):
    with open(os.path.join(directory, name), "w") as out:
        out.write("\n".join(lines) + "\n")


def shamir_lines():
    yield "# k n key context | number salt share commitment, a line each: made by make_vectors.py"
    for k, n in ((2, 3), (3, 5), (5, 5), (2, 255)):
        name = f"shamir {k} of {n} "
        key, context = stream(name + "key", 32), stream(name + "context", 32)
        coefficients = [stream(f"{name}coefficient {i}", 32) for i in range(1, k)]
        yield f"sharing {k} {n} {key.hex()} {context.hex()}"
        for number in range(1, n + 1):
            if n == 255 and number not in (1, 2, 127, 128, 254, 255):
                continue
            salt = stream(f"{name}salt {number}", 16)
            share = shamir_share(key, coefficients, number)
            yield f"share {number} {salt.hex()} {share.hex()} {shamir_commitment(context, number, salt, share).hex()}"


def vss_lines():
    yield "# made by make_vectors.py; scalars and points as 32 bytes, least significant first"
    yield f"generator {ristretto_encode(H).hex()}"
    for scheme, k, n in ((1, 2, 3), (2, 3, 5)):
        name = f"vss {scheme} {k} of {n} "
        values = [scalar(f"{name}a{i}") for i in range(k)]
        blinds = [scalar(f"{name}b{i}") if scheme == 2 else 0 for i in range(k)]
        points = [ristretto_encode(add(mul(a, BASE), mul(b, H))).hex() for a, b in zip(values, blinds)]
        yield f"sharing {scheme} {k} {n} {little(values[0])} {','.join(points)}"
        for number in range(1, n + 1):
            yield f"share {number} {little(evaluate(values, number))} {little(evaluate(blinds, number))}"


def vrf_lines():
    yield "# secret public input proof output, more inputs than the RFC has: made by make_vectors.py"
    for i in range(16):
        secret, alpha = stream(f"vrf secret {i}", 32), stream(f"vrf input {i}", i * 5)
        public, proof, output = vrf(secret, alpha)
        yield f"{secret.hex()} {public.hex()} {alpha.hex() or '-'} {proof.hex()} {output.hex()}"


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    # RFC 9496 A.1: the encodings of 0 and 1 times the generator.
    assert ristretto_encode((0, 1)) == bytes(32)
    assert ristretto_encode(BASE).hex() == "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
    write(target, "shamir.txt", shamir_lines())
    write(target, "vss.txt", vss_lines())
    write(target, "ecvrf_more.txt", vrf_lines())
    if shutil.which("argon2"):
        write(target, "passphrase.txt", passphrase_lines())
    else:
        print("passphrase.txt is left as it is: it takes the program of Debian's package argon2")

"""Somebody on the wire: a UDP forwarder that keeps every packet, and opens what anybody who sees QUIC can open.

Initial packets are sealed with keys that follow from what they carry (RFC 9001 5.2), so the client's first words are in the clear for whoever
looks. AES is written out here, encryption only, so that the test needs no package.
"""

import hashlib
import hmac
import socket
import threading

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001 5.2, version 1
PACKET_BYTES_MAX = 65536


def make_sbox():
    box, p, q = [0] * 256, 1, 1
    while True:  # p runs through the field by 3, q through the inverses
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        x = q | q << 8
        box[p] = (q ^ x >> 7 ^ x >> 6 ^ x >> 5 ^ x >> 4 ^ 0x63) & 0xFF
        if p == 1:
            box[0] = 0x63
            return box


SBOX = make_sbox()


def double(byte):
    return byte << 1 & 0xFF ^ (0x1B if byte & 0x80 else 0)


def aes128(key, block):
    """FIPS 197, one block."""
    words, rcon = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = double(rcon)
        words.append([a ^ b for a, b in zip(word, words[i - 4])])
    keys = [sum(words[i:i + 4], []) for i in range(0, 44, 4)]
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number in range(1, 11):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]  # SubBytes and ShiftRows
        if number < 10:
            mixed = []
            for i in range(0, 16, 4):
                column = state[i:i + 4]
                every = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [column[j] ^ every ^ double(column[j] ^ column[(j + 1) % 4]) for j in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, keys[number])]
    return bytes(state)


def expand(secret, label, size):
    """HKDF-Expand-Label of TLS 1.3 with SHA-256, at most one hash long."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:size]


def varint(data, at):
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at:at + size], "big") & (1 << (8 * size - 2)) - 1, at + size


def open_initial(packet):
    """What a client's first Initial packet says, or nothing where it is none, or sealed for another connection id. The tag is not checked."""
    if len(packet) < 1200 or packet[0] & 0xF0 != 0xC0 or packet[1:5] != b"\0\0\0\1":
        return b""
    at = 6 + packet[5]
    target = packet[6:at]
    at += 1 + packet[at]
    token, at = varint(packet, at)
    length, at = varint(packet, at + token)
    secret = expand(hmac.new(SALT, target, hashlib.sha256).digest(), b"client in", 32)
    key, nonce, mask_key = (expand(secret, label, size) for label, size in ((b"quic key", 16), (b"quic iv", 12), (b"quic hp", 16)))
    mask = aes128(mask_key, packet[at + 4:at + 20])
    size = ((packet[0] ^ mask[0]) & 3) + 1
    if (packet[0] ^ mask[0]) & 0x0C:
        return b""
    number = bytes(a ^ b for a, b in zip(packet[at:at + size], mask[1:]))
    sealed = packet[at + size:at + length - 16]
    iv = bytes(a ^ b for a, b in zip(nonce, number.rjust(12, b"\0")))
    stream = b"".join(aes128(key, iv + (2 + i).to_bytes(4, "big")) for i in range(-(-len(sealed) // 16)))
    return bytes(a ^ b for a, b in zip(sealed, stream))


class Wiretap:
    """A way to `address`, which `self.address` stands for. `packets`: all that passed, as (from the client, bytes)."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.to, self.packets, self.lock = (host, int(port)), [], threading.Lock()
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.front.getsockname()[1]}"
        self.backs = {}
        self.thread = threading.Thread(target=self.forth, daemon=True)
        self.thread.start()

    def keep(self, from_client, packet):
        with self.lock:
            self.packets.append((from_client, packet))

    def forth(self):
        while True:
            packet, client = self.front.recvfrom(PACKET_BYTES_MAX)
            if not packet:  # close()
                return
            self.keep(True, packet)
            if client not in self.backs:
                back = self.backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(self.to)
                threading.Thread(target=self.back, args=(back, client), daemon=True).start()
            try:
                self.backs[client].send(packet)
            except OSError:  # nobody is there yet, or any more
                pass

    def back(self, back, client):
        while True:
            try:
                packet = back.recv(PACKET_BYTES_MAX)
            except ConnectionRefusedError:
                continue
            except OSError:
                return
            if not packet:
                return
            self.keep(False, packet)
            self.front.sendto(packet, client)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.front.getsockname())
        self.thread.join()
        self.front.close()
        for back in list(self.backs.values()):
            back.shutdown(socket.SHUT_RDWR)
            back.close()

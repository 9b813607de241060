# SPDX-License-Identifier: GPL-2.0
"""AES-GCM by the book (FIPS 197, NIST SP 800-38D), slow and without any library: the witness of what `crypt` sends. Run as a
program it checks itself by the test vectors of the GCM specification."""


def _box():
    """The S-box: inverses in GF(2^8), then the affine map."""
    power, log, value = [0] * 255, [0] * 256, 1
    for exponent in range(255):
        power[exponent], log[value] = value, exponent
        value ^= value << 1 ^ (0x11B if value & 0x80 else 0)
    box = []
    for byte in range(256):
        inverse = power[-log[byte] % 255] if byte else 0
        rotations = [(inverse << by | inverse >> 8 - by) & 0xFF for by in range(1, 5)]
        for rotation in rotations:
            inverse ^= rotation
        box.append(inverse ^ 0x63)
    return box


BOX = _box()


def _double(byte):
    return byte << 1 & 0xFF ^ (0x1B if byte & 0x80 else 0)


class Gcm:
    def __init__(self, key):
        size = len(key) // 4
        self.rounds = size + 6
        words, constant = [list(key[at:at + 4]) for at in range(0, len(key), 4)], 1
        for number in range(size, 4 * (self.rounds + 1)):
            word = words[-1]
            if number % size == 0:
                word = [BOX[byte] for byte in word[1:] + word[:1]]
                word[0] ^= constant
                constant = _double(constant)
            elif size > 6 and number % size == 4:
                word = [BOX[byte] for byte in word]
            words.append([a ^ b for a, b in zip(words[-size], word)])
        self.keys = [sum(words[at:at + 4], []) for at in range(0, len(words), 4)]
        self.hash = int.from_bytes(self.block(bytes(16)), "big")

    def block(self, data):
        state = [a ^ b for a, b in zip(data, self.keys[0])]
        for number in range(1, self.rounds + 1):
            state = [BOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
            if number < self.rounds:
                mixed = []
                for at in range(0, 16, 4):
                    column = state[at:at + 4]
                    every = column[0] ^ column[1] ^ column[2] ^ column[3]
                    mixed += [column[i] ^ every ^ _double(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
                state = mixed
            state = [a ^ b for a, b in zip(state, self.keys[number])]
        return bytes(state)

    def multiply(self, value):
        """In GF(2^128), the bits in GCM's order."""
        product, factor = 0, self.hash
        for bit in range(127, -1, -1):
            if value >> bit & 1:
                product ^= factor
            factor = factor >> 1 ^ (0xE1 << 120 if factor & 1 else 0)
        return product

    def tag(self, nonce, associated, sealed):
        value = 0
        padded = b"".join(part + bytes(-len(part) % 16) for part in (associated, sealed))
        padded += (8 * len(associated)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
        for at in range(0, len(padded), 16):
            value = self.multiply(value ^ int.from_bytes(padded[at:at + 16], "big"))
        first = self.block(nonce + b"\0\0\0\1")
        return bytes(a ^ b for a, b in zip(value.to_bytes(16, "big"), first))

    def crypt(self, nonce, data):
        stream = b"".join(self.block(nonce + (2 + number).to_bytes(4, "big")) for number in range(-(-len(data) // 16)))
        return bytes(a ^ b for a, b in zip(data, stream))

    def seal(self, nonce, associated, data):
        """The encrypted data, and the tag behind them."""
        sealed = self.crypt(nonce, data)
        return sealed + self.tag(nonce, associated, sealed)

    def open(self, nonce, associated, sealed):
        """The data, or None for a wrong tag."""
        data, tag = sealed[:-16], sealed[-16:]
        return self.crypt(nonce, data) if tag == self.tag(nonce, associated, data) else None


if __name__ == "__main__":
    # Test cases 4 and 16 of "The Galois/Counter Mode of Operation".
    KEY = "feffe9928665731c6d6a8f9467308308"
    TEXT = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                         "b16aedf5aa0de657ba637b39")
    MORE = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
    for text, tag in ((KEY, "5bc94fbc3221a5db94fae95ae7121a47"), (KEY * 2, "76fc6ece0f4e1768cddf8853bb2d551b")):
        gcm = Gcm(bytes.fromhex(text))
        done = gcm.seal(NONCE, MORE, TEXT)
        assert done[-16:].hex() == tag, done[-16:].hex()
        assert gcm.open(NONCE, MORE, done) == TEXT
    print("right")

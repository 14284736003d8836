#!/usr/bin/env python3
"""The independent reader against published examples, and the vectors it made against the file that the C++ tests read."""

import os
import unittest

import reader

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "tlog", "merkle.txt")
SPECIFICATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "spec", "audit.md")

# RFC 8032 7.1, tests 1 and 2.
SIGNED = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
]


class ReaderTest(unittest.TestCase):
    def test_ed25519_is_that_of_rfc_8032(self):
        for key, message, signature in (map(bytes.fromhex, case) for case in SIGNED):
            self.assertTrue(reader.ed25519_verify(key, message, signature))
            self.assertFalse(reader.ed25519_verify(key, message + b"x", signature))
            self.assertFalse(reader.ed25519_verify(key, message, signature[:-1] + bytes([signature[-1] ^ 1])))

    def test_trees_are_those_of_certificate_transparency(self):
        leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        tree = reader.Tree([reader.leaf_hash(bytes.fromhex(leaf)) for leaf in leaves])
        self.assertEqual(tree.root(0, 8).hex(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
        self.assertEqual(tree.root(0, 0).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

    def test_paths_are_those_of_tlog_tiles(self):
        self.assertEqual(reader.index_path(1234067), "x001/x234/067")
        self.assertEqual(len(list(reader.tiles_of(70_000))), 274)
        self.assertEqual(list(reader.tiles_of(70_000))[-1], ("273.p/112", 69_888, 112))

    def test_the_vectors_are_as_it_makes_them(self):
        with open(VECTORS, encoding="utf-8") as file:
            self.assertEqual(file.read(), "\n".join(reader.vectors()) + "\n")

    def test_it_takes_the_worked_example_of_our_specification(self):
        with open(SPECIFICATION, encoding="utf-8") as file:
            example = file.read().split("<!-- begin example -->\n```\n")[1].split("```\n")[0]
        lines = example.split("\n")
        after = {lines[i]: lines[i + 1].strip() for i in range(len(lines) - 1)}
        proof = example.split("proof of entry 1\n")[1]
        entry = reader.strict_base64(proof.split("\n")[1].split(" ")[1])
        vkeys = [after["the log's key"], after["the witness's key"]]
        found = reader.check_proof(proof, vkeys, entry)
        self.assertEqual((found["index"], found["size"], len(found["signers"])), (1, 3, 2))
        self.assertEqual(found["root"].hex(), after["root of all three"])
        self.assertEqual(reader.leaf_hash(entry).hex(), after["leaf 1"])
        with self.assertRaises(reader.Bad):
            reader.check_proof(proof, vkeys, entry + b"x")


if __name__ == "__main__":
    unittest.main()

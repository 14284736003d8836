"""Identity tokens between real nodes: other keys towards other origins, the budget, revocation, and a TPM in software."""

import json
import os
import shutil
import subprocess
import unittest

import fabric
from fabric import FabricTest

QUOTA = fabric.LIMIT


class Chip:
    """A TPM 2.0 in software on a Unix socket."""

    def __init__(self, folder):
        os.mkdir(folder)
        self.tcti = f"swtpm:path={folder}/chip"
        self.started = os.path.join(folder, "pid")
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server", f"type=unixio,path={folder}/chip", "--ctrl",
             f"type=unixio,path={folder}/chip.ctrl", "--flags", "not-need-init,startup-clear", "--pid", f"file={self.started}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens(self):
        """It writes its process id once it does."""
        assert self.process.poll() is None, "swtpm does not start"
        return os.path.exists(self.started)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Identity(FabricTest):
    def setUp(self):
        super().setUp()
        self.chips = []

    def tearDown(self):
        super().tearDown()
        for chip in self.chips:
            chip.stop()

    def chip(self, name):
        chip = Chip(self.path(name))
        self.chips.append(chip)
        self.until("the chip", chip.listens)
        return chip

    def token(self, node, origin, *options):
        done = node.run("--json", "identity", "request", "--origin", origin.owner, "--purpose", "join", *options)
        self.expect(done, 0)
        return json.loads(done.stdout)

    def check(self, node, token, *options):
        return node.run("--json", "identity", "check", "-", *options, stdin=token["token"].encode())

    def test_a_lease_takes_its_tokens_along(self):
        ada, (host,) = self.fabric(hosts=1)
        bob = self.node("bob")
        token = self.token(host, ada)
        self.assertEqual(token["tier"], "software")
        self.assertNotEqual(token["nodeId"], host.key)
        self.assertNotEqual(token["nodeId"], self.token(host, bob)["nodeId"])
        self.assertEqual(token["nodeId"], self.token(host, ada)["nodeId"])
        lease = host.ask("lease.list")["leases"][0]["id"]
        self.assertEqual(token["lease"], lease)

        good = self.check(ada, token)
        self.expect(good, 0)
        self.assertEqual(json.loads(good.stdout)["nodeId"], token["nodeId"])
        self.expect(self.check(bob, token), fabric.UNAUTHORIZED, "another origin")
        self.expect(self.check(ada, token, "--min-tier", "hardware-basic"), fabric.UNAUTHORIZED, "software")

        self.expect(host.run("lease", "revoke", lease), 0)
        self.until("the revocation", lambda: self.check(ada, token).returncode == fabric.UNAUTHORIZED)
        self.expect(self.check(ada, token), fabric.UNAUTHORIZED, "revoked")
        states = [t["state"] for t in host.ask("identity.list")["tokens"] if t["id"] == token["id"]]
        self.assertEqual(states, ["invalidated"])
        shown = host.run("identity", "list")
        self.expect(shown, 0)
        self.assertIn(b"invalidated", shown.stdout)
        self.assertIn(b"Privacy budget", shown.stdout)

        free = self.token(host, ada)
        self.assertIsNone(free["lease"])
        self.expect(self.check(ada, free), 0)
        self.expect(host.run("identity", "withdraw", free["id"][:10]), 0)
        self.until("the withdrawal", lambda: self.check(ada, free).returncode == fabric.UNAUTHORIZED)

    def test_prying_is_refused(self):
        host, ada = self.node("host"), self.node("ada")
        for _ in range(12):
            self.expect(host.run("identity", "request", "--origin", ada.owner, "--purpose", "probe", "--min-tier", "hardware-basic"), fabric.UNAVAILABLE, "--tpm")
        self.expect(host.run("identity", "request", "--origin", ada.owner, "--purpose", "probe"), QUOTA, "share of identity requests")
        self.token(host, self.node("bob"))

    def test_mistakes_say_what_to_do(self):
        host = self.node("host")
        self.expect(host.run("identity", "request", "--origin", "me", "--purpose", "join"), fabric.INVALID, "not a key")
        self.expect(host.run("identity", "request", "--origin", host.owner, "--purpose", "join", "--min-tier", "chip"), fabric.INVALID, "hardware-basic")
        self.expect(host.run("identity", "request", "--origin", host.owner, "--purpose", "join", "--for", "1s"), fabric.INVALID, "between 120 and 3600")
        self.expect(host.run("identity", "withdraw", "abc"), fabric.NOT_FOUND, "identity list")
        self.expect(host.run("identity", "check", "zz"), fabric.INVALID, "hexadecimal")
        self.expect(host.run("identity", "request", "--origin", host.owner), fabric.USAGE, "--purpose")

    def test_a_tpm_that_is_not_there_keeps_the_node_from_starting(self):
        host = self.node("host")
        host.stop()
        self.expect(host.run("up", "--tpm", "device:/dev/no-such-tpm", timeout=fabric.DEADLINE_SECONDS), fabric.UNAVAILABLE, "no TPM 2.0", "/dev/no-such-tpm")

    def test_a_tpm_vouches(self):
        if not shutil.which("swtpm"):
            print("SKIP swtpm is not installed", flush=True)
            return
        chip = self.chip("chip")
        ada = self.node("ada")
        host = self.node("host", "--tpm", chip.tcti)
        self.assertEqual(host.ask("identity.list")["tier_available"], "hardware-strong")
        self.assertEqual(self.token(host, ada)["tier"], "software")

        token = self.token(host, ada, "--min-tier", "hardware-basic")
        self.assertEqual((token["tier"], token["attestation"]["format"], token["degraded"]), ("hardware-basic", "tpm2-key", ""))
        self.expect(self.check(ada, token), 0)
        self.expect(self.check(ada, token, "--min-tier", "hardware-basic"), fabric.UNAUTHORIZED, "no endorser")
        believed = self.check(ada, token, "--min-tier", "hardware-basic", "--believe-unendorsed")
        self.expect(believed, 0)
        self.assertEqual(json.loads(believed.stdout)["tier"], "hardware-basic")

        # Towards its own owner a machine may show its measured state; towards others it takes a permission.
        own = self.token(host, host, "--min-tier", "hardware-strong")
        self.assertEqual(own["attestation"]["format"], "tpm2-quote")
        self.expect(self.check(host, own, "--min-tier", "hardware-strong", "--believe-unendorsed"), 0)
        refused = host.run("identity", "request", "--origin", ada.owner, "--purpose", "join", "--min-tier", "hardware-strong")
        self.expect(refused, fabric.UNAVAILABLE, "attested execution")
        self.assertEqual(self.token(host, ada, "--tier", "hardware-strong")["tier"], "hardware-basic")
        ada.ask("peer.add", ticket=host.ask("ticket")["ticket"])
        self.until("the session", lambda: self.connected(ada) == 1)
        asked = ada.run("--json", "grant", "ask", host.key, "--classes", "attested", "--for", "1h", "--why", "to see what it booted")
        self.expect(asked, 0)
        self.until("the question", lambda: host.ask("grant.requests")["requests"])
        self.expect(host.run("grant", "answer", json.loads(asked.stdout)["id"], "--allow", "attested"), 0)
        strong = self.token(host, ada, "--min-tier", "hardware-strong")
        self.assertEqual(strong["attestation"]["format"], "tpm2-quote")
        self.assertIsNotNone(strong["lease"])
        self.until("the grant", lambda: self.check(ada, strong, "--min-tier", "hardware-strong", "--believe-unendorsed").returncode == 0)
        self.expect(host.run("grant", "withdraw", ada.owner, "--classes", "attested"), 0)
        self.until("the withdrawal", lambda: self.check(ada, strong).returncode == fabric.UNAUTHORIZED)

        # Two chips, two nodes, one origin: nothing in the evidence is shared but its form.
        other = self.token(self.node("other", "--tpm", self.chip("other-chip").tcti), ada, "--min-tier", "hardware-basic")
        self.assertEqual(len(other["attestation"]["data"]), len(token["attestation"]["data"]))
        self.assertNotEqual(other["attestation"]["data"], token["attestation"]["data"])

        chip.stop()
        gone = host.run("identity", "request", "--origin", ada.owner, "--purpose", "join", "--min-tier", "hardware-basic")
        self.expect(gone, fabric.UNAVAILABLE, "no TPM 2.0")
        degraded = self.token(host, ada, "--tier", "hardware-basic")
        self.assertEqual(degraded["tier"], "software")
        self.assertIn("no TPM 2.0", degraded["degraded"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

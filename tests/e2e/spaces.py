"""Nodes in network namespaces that a test makes and takes away."""

import ctypes
import os
import shutil
import subprocess

from fabric import FabricTest, Node

CLONE_NEWNET = 0x40000000
TAG = f"sv{os.getpid() % 10000}"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def inside(space, *words):
    ip("netns", "exec", TAG + space, *words)


def missing(translates):
    """Why this machine cannot have such networks, or nothing."""
    for tool in ("ip", "nft", "sysctl") if translates else ("ip",):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    try:
        ip("netns", "add", TAG + "probe")
    except subprocess.CalledProcessError:
        return "network namespaces cannot be made here"
    try:
        if translates:
            inside("probe", "nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post masquerade")
    except subprocess.CalledProcessError:
        return "this kernel translates no addresses"
    finally:
        ip("netns", "del", TAG + "probe")
    return None


def enter(space):
    def preexec():
        with open(f"/run/netns/{TAG}{space}", "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                os._exit(126)
    return preexec


class SpacedTest(FabricTest):
    translates = False  # whether it needs a kernel that translates addresses

    def setUp(self):
        why = missing(self.translates)
        if why:
            print("SKIP " + why, flush=True)
            self.skipTest(why)
        super().setUp()
        self.spaces = []

    def tearDown(self):
        super().tearDown()
        for space in getattr(self, "spaces", []):
            subprocess.run(["ip", "netns", "del", TAG + space], check=False, capture_output=True)

    def space(self, name):
        ip("netns", "add", TAG + name)
        self.spaces.append(name)
        inside(name, "ip", "link", "set", "lo", "up")

    def wire(self, one, other, name, address_one, address_other):
        ip("link", "add", "dev", "v" + name, "netns", TAG + one, "type", "veth", "peer", "name", "v" + name, "netns", TAG + other)
        for space, address in ((one, address_one), (other, address_other)):
            if address:
                inside(space, "ip", "addr", "add", address, "dev", "v" + name)
            inside(space, "ip", "link", "set", "dev", "v" + name, "up")

    def start_in(self, space, address, *options):
        node = Node(os.path.join(self.dir, space), enter(space))
        node.address = address
        self.nodes.append(node)
        return node.start(*options)

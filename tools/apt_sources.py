"""Sources of Debian packages, fetched through apt from the machine's own package sources with `deb` read as `deb-src`, into a folder of ours: nothing is
installed, and apt's own state stays as it is. Whatever cannot be had raises Unavailable."""

import glob
import os
import re
import shutil
import subprocess
import tarfile

APT_DIR = os.environ.get("SELVEDGE_APT_DIR", "/etc/apt")


class Unavailable(Exception):
    """This machine cannot fetch the sources."""


def command(words, what, error=Unavailable, **more):
    done = subprocess.run(words, capture_output=True, **more)
    if done.returncode != 0:
        raise error(f"{what}: " + done.stderr.decode(errors="replace")[-2000:].strip())
    return done.stdout


def source_entries():
    """The machine's own entries that begin with `deb`, as `deb-src`, in apt's two formats: (deb822 text, one-line text)."""
    stanzas, lines = [], []
    for path in sorted(glob.glob(APT_DIR + "/sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", open(path, encoding="utf-8").read()):
            kept = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
            if re.search(r"^Types:.*\bdeb\b", kept, re.M) and "debian" in kept and not re.search(r"^Enabled:\s*no", kept, re.M):
                stanzas.append(re.sub(r"^Types:.*$", "Types: deb-src", kept, flags=re.M))
    for path in [APT_DIR + "/sources.list"] + sorted(glob.glob(APT_DIR + "/sources.list.d/*.list")):
        if os.path.exists(path):
            lines += [re.sub(r"^deb\b", "deb-src", line) for line in open(path, encoding="utf-8").read().splitlines()
                      if re.match(r"deb\s", line) and "debian" in line]
    return "\n\n".join(stanzas) + "\n", "\n".join(lines) + "\n"


class Sources:
    def __init__(self, folder):
        self.folder = folder
        self.indexed = False
        self.parts = os.path.join(folder, "apt")

    def apt(self, *words):
        options = {"Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": self.parts + "/sources.d", "Dir::State::Lists": self.parts + "/lists",
                   "Dir::Cache": self.parts + "/cache", "APT::Sandbox::User": "", "APT::Get::List-Cleanup": "false"}
        return command(["apt-get", "-q", *[f"-o{key}={value}" for key, value in options.items()], *words], "apt-get " + words[0], Unavailable,
                       timeout=120).decode()

    def index(self):
        if self.indexed:
            return
        for name in ("sources.d", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.parts, name), exist_ok=True)
        deb822, one_line = source_entries()
        for name, text in (("ours.sources", deb822), ("ours.list", one_line)):
            with open(os.path.join(self.parts, "sources.d", name), "w", encoding="utf-8") as file:
                file.write(text)
        self.apt("update")
        self.indexed = True

    def package(self, name):
        """The folder of a package's upstream sources, fetched once."""
        folder = os.path.join(self.folder, name)
        if os.path.isdir(folder):
            return folder
        self.index()
        rows = re.findall(r"^'(\S+)' (\S+) \d+ (SHA256:\w+)", self.apt("source", "--print-uris", name), re.M)
        rows = [row for row in rows if re.search(r"\.orig\.tar\.\w+$", row[1])]
        if len(rows) != 1:
            raise Unavailable(f"the machine's package sources name {len(rows)} upstream archives for {name}")
        uri, file_name, digest = rows[0]
        archive = os.path.join(self.parts, file_name)
        command(["/usr/lib/apt/apt-helper", "download-file", uri, archive, digest], "fetching " + file_name, Unavailable, timeout=300)
        unpacked = folder + ".new"
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(unpacked)
        inside = os.listdir(unpacked)
        os.rename(os.path.join(unpacked, inside[0]) if len(inside) == 1 else unpacked, folder)
        shutil.rmtree(unpacked, ignore_errors=True)
        os.unlink(archive)
        return folder

"""Fetches, builds and runs the programs of programs.py.

Sources come through apt, from the machine's own package sources with `deb` read as `deb-src`, into a folder of ours: nothing is installed, and apt's
own state stays as it is. Whatever cannot be had raises Unavailable, which the test prints as a skip.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tarfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REAL = os.path.join(ROOT, "guests/real")
WASI_LIB = "/usr/lib/wasm32-wasi"
WASI_CXX = "/usr/include/wasm32-wasi/c++/v1"
EMULATED = ("signal", "process-clocks", "mman", "getpid")   # parts of wasi-libc that a program asks for
APT_DIR = os.environ.get("SELVEDGE_APT_DIR", "/etc/apt")
STACK_BYTES = 1 << 20
CCACHE = ["ccache"] if shutil.which("ccache") else []


class Unavailable(Exception):
    """This machine cannot fetch the sources."""


class Broken(Exception):
    """A program does not build or does not run."""


def command(words, what, error=Broken, **more):
    done = subprocess.run(words, capture_output=True, **more)
    if done.returncode != 0:
        raise error(f"{what}: " + done.stderr.decode(errors="replace")[-2000:].strip())
    return done.stdout


# ---- sources

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


# ---- building

def configure(template, values):
    """A template of CMake's configure_file."""
    def define(match):
        name = match.group(2)
        if match.group(1) == "cmakedefine01":
            return f"#define {name} {values.get(name, '0')}"
        if name not in values:
            return f"/* #undef {name} */"
        return f"#define {name} {match.group(3).strip()}" if match.group(3).strip() else f"#define {name}"
    text = re.sub(r"#(cmakedefine01|cmakedefine) (\w+)([^\n]*)", define, template)
    return re.sub(r"@(\w+)@", lambda match: values.get(match.group(1), ""), text)


def generate(program, package, folder):
    for name, content in program.generated.items():
        if not isinstance(content, str):
            with open(os.path.join(package, content[0]), encoding="utf-8") as file:
                content = configure(file.read(), content[1])
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)


def sources_of(program, package):
    out = []
    for pattern in program.sources:
        found = [os.path.join(ROOT, pattern)] if pattern.startswith("guests/") else sorted(glob.glob(os.path.join(package, pattern)))
        if not found:
            raise Broken(f"{program.name}: the package has no {pattern}")
        out += found
    return out


def compile_all(program, package, folder, compilers, flags, more=()):
    """Compiles each source with the compiler of its language; returns the objects."""
    os.makedirs(folder, exist_ok=True)
    generate(program, package, os.path.join(folder, "generated"))
    objects = []
    for source in sources_of(program, package) + list(more):
        is_cxx = source.endswith(".cc")
        out = os.path.join(folder, hashlib.sha256(source.encode()).hexdigest()[:16] + ".o")
        words = [*CCACHE, *compilers[is_cxx], *flags, "-O2", "-w", "-I" + os.path.join(folder, "generated"), f"-ffile-prefix-map={package}=",
                 *[flag.replace("@", package, 1) if flag.startswith("-I") else flag for flag in program.flags], "-c", source, "-o", out]
        command(words, f"compiling {os.path.basename(source)} of {program.name}")
        objects.append(out)
    return objects


def build_wasm(program, package, folder):
    target = os.path.join(folder, program.name + ".wasm")
    clang = ["clang-16", "--target=wasm32-wasi"]
    compilers = {False: clang, True: [*clang, "-x", "c++", "-std=c++17", "-fno-exceptions", "-isystem", WASI_CXX]}
    flags = ["-include", os.path.join(REAL, "absent.h"), *[f"-D_WASI_EMULATED_{name.upper().replace('-', '_')}" for name in EMULATED]]
    objects = compile_all(program, package, os.path.join(folder, "wasm"), compilers, flags, [os.path.join(REAL, "absent.c")])
    builtins = command([*clang, "-print-libgcc-file-name"], "clang-16").decode().strip()
    command(["wasm-ld-16", WASI_LIB + "/crt1-command.o", *objects, "-L" + WASI_LIB, "-lc++", "-lc++abi", *[f"-lwasi-emulated-{name}" for name in EMULATED],
             "-lm", "-lc", builtins, "--strip-all", "--stack-first", "-z", f"stack-size={STACK_BYTES}", "-o", target], "linking " + program.name)
    return target


def build_native(program, package, folder):
    if program.native and shutil.which(program.native):
        return shutil.which(program.native)
    target = os.path.join(folder, program.name)
    # Without fused multiply-add and the like, which WebAssembly does not have.
    flags = ["-ffp-contract=off"]
    objects = compile_all(program, package, os.path.join(folder, "native"), {False: ["cc"], True: ["c++", "-std=c++17"]}, flags)
    command(["c++", *objects, "-lm", "-o", target], "linking " + program.name)
    return target


# ---- running

def prepare(case, package, folder):
    """A folder with the case's files; returns what is in it, by path."""
    contents = {}
    for path, source in case.files.items():
        if not isinstance(source, bytes):
            source = os.path.join(ROOT, source[5:]) if source.startswith("this:") else os.path.join(package, source)
            with open(source, "rb") as file:
                source = file.read()
        contents[path] = source
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(source)
    return contents


def tree(folder):
    out = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as file:
                out[os.path.relpath(path, folder)] = file.read()
    return out

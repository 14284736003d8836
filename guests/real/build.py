"""Fetches, builds and runs the programs of programs.py.

Sources come through apt (tools/apt_sources.py). What cannot be had raises Unavailable, which the test prints as a skip.
"""

import glob
import hashlib
import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REAL = os.path.join(ROOT, "guests/real")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import apt_sources  # noqa: E402 pylint: disable=wrong-import-position
from apt_sources import Sources, Unavailable  # noqa: E402,F401 pylint: disable=wrong-import-position,unused-import
WASI_LIB = "/usr/lib/wasm32-wasi"
WASI_CXX = "/usr/include/wasm32-wasi/c++/v1"
EMULATED = ("signal", "process-clocks", "mman", "getpid")   # parts of wasi-libc that a program asks for
STACK_BYTES = 1 << 20
CCACHE = ["ccache"] if shutil.which("ccache") else []


class Broken(Exception):
    """A program does not build or does not run."""


def command(words, what, error=Broken, **more):
    return apt_sources.command(words, what, error, **more)


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

#!/usr/bin/env python3
"""The library as others get it: install_test.py BUILD_DIR SOURCE_DIR WORK_DIR CMAKE CC.

Installs the component into an empty folder, builds the C program packets.c against nothing but that folder, once with
pkg-config and once by find_package(), and lets it lose packets and restore them."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C CXX)
find_package(selvedge_fountain REQUIRED)
add_executable(packets %s/packets.c)
target_link_libraries(packets PRIVATE selvedge::fountain)
set_target_properties(packets PROPERTIES LINKER_LANGUAGE CXX)
"""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
    return done.stdout


def check(program):
    symbol_bytes, k, repair = 100, 57, 12
    stride = symbol_bytes + 4
    data = bytes((i * i >> 3) & 255 for i in range(symbol_bytes * k - 9))
    packets = run(program, "encode", str(symbol_bytes), str(repair), input=data)
    assert len(packets) == (k + repair) * stride
    assert data == b"".join(packets[i * stride + 4:(i + 1) * stride] for i in range(k))[:len(data)]
    left = packets[10 * stride:]  # two more than needed
    assert run(program, "decode", str(len(data)), str(symbol_bytes), input=left) == data
    too_few = subprocess.run([program, "decode", str(len(data)), str(symbol_bytes)], input=packets[13 * stride:], capture_output=True)
    assert too_few.returncode == 3, too_few


def main():
    build, source, work, cmake, cc = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    prefix, project, found = (os.path.join(work, name) for name in ("prefix", "project", "build"))
    os.makedirs(project)
    run(cmake, "--install", build, "--prefix", prefix, "--component", "fountain")
    installed = sorted(os.path.relpath(os.path.join(folder, name), prefix) for folder, _, names in os.walk(prefix) for name in names)
    headers = [name for name in installed if name.endswith(".h")]
    assert headers == ["include/fountain/fountain.h", "include/fountain/fountain_c.h"], installed

    pkg_config = next(os.path.dirname(os.path.join(prefix, name)) for name in installed if name.endswith(".pc"))
    flags = run("pkg-config", "--cflags", "--libs", "selvedge-fountain", env={**os.environ, "PKG_CONFIG_PATH": pkg_config}).decode().split()
    by_hand = os.path.join(work, "packets")
    run(cc, "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", os.path.join(HERE, "packets.c"), *flags, "-o", by_hand)
    check(by_hand)

    with open(os.path.join(project, "CMakeLists.txt"), "w") as out:
        out.write(PROJECT % HERE)
    run(cmake, "-S", project, "-B", found, "-G", "Ninja", "-DCMAKE_PREFIX_PATH=" + prefix)
    run(cmake, "--build", found)
    check(os.path.join(found, "packets"))

    # The folder configures on its own; building it all again is left to whoever uses it.
    run(cmake, "-S", source, "-B", os.path.join(work, "alone"), "-G", "Ninja")
    print("install: a C program builds and runs against the installed library")


main()

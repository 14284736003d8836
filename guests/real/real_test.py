#!/usr/bin/env python3
"""Programs that people know run unmodified: real_test.py BUILD_DIR BIN_DIR [NAME...].

Each program is built to WebAssembly and for this machine from the same sources, and both do the same work on real input. The output of the run in
a domain, standard output and files, is compared with the native one byte for byte, and a second run has to give the same trace.
Prints a row for each run: size of the module, fuel, processor time in the domain and natively. Prints SKIP where sources cannot be fetched.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time

import build
from build import Broken, Unavailable
from programs import PROGRAMS

FUEL = 10**12
RUN_SECONDS_MAX = 200


def run_native(binary, case, folder):
    began = os.times()
    done = subprocess.run([binary, *case.args], cwd=folder, input=case.stdin, capture_output=True, timeout=RUN_SECONDS_MAX)
    ended = os.times()
    if done.returncode != 0:
        raise Broken(f"the native {os.path.basename(binary)} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    seconds = ended.children_user + ended.children_system - began.children_user - began.children_system
    return done.stdout, build.tree(os.path.join(folder, "out")), seconds


def run_in_domain(bin_dir, module, case, folder, output):
    words = [os.path.join(bin_dir, "selvedge-domain-once"), os.path.join(bin_dir, "selvedge-domain"), module, str(FUEL), "--memory", str(case.memory),
             "--output", output]
    for path in case.files:
        words += ["--file", f"{path}={os.path.join(folder, path)}"]
    done = subprocess.run([*words, *case.args], input=case.stdin, capture_output=True, timeout=RUN_SECONDS_MAX)
    if done.returncode != 0:
        raise Broken(done.stderr.decode(errors="replace").strip())
    result = json.loads(done.stdout)
    if result["end"] != "exited" or result["exit_code"] != 0:
        raise Broken(f"it ended as {result['end']} {result['exit_code']}: {done.stderr.decode(errors='replace').strip()}")
    result["cpu_ns"] = int(done.stderr.split()[-1])
    return result


def output_of(path, expects_files):
    """Standard output and files, as a domain gives them."""
    with open(path, "rb") as file:
        content = file.read()
    if not expects_files:
        return content, {}
    stdout, files = b"", {}
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            if not member.isfile():
                continue
            data = tar.extractfile(member).read()
            if member.name == "stdout":
                stdout = data
            else:
                files[member.name.removeprefix("out/")] = data
    return stdout, files


def check_case(program, package, binaries, case, bin_dir, folder):
    for name in ("out", "tmp"):
        os.makedirs(os.path.join(folder, name))
    build.prepare(case, package, folder)
    stdout, files, native_seconds = run_native(binaries["native"], case, folder)
    output = os.path.join(folder, "output")
    result = run_in_domain(bin_dir, binaries["wasm"], case, folder, output)
    got_stdout, got_files = output_of(output, bool(files))
    if got_stdout != stdout:
        raise Broken(f"standard output differs: {len(got_stdout)} bytes, natively {len(stdout)}")
    if got_files != files:
        raise Broken(f"files differ: {sorted((name, len(data)) for name, data in got_files.items())}, natively "
                     f"{sorted((name, len(data)) for name, data in files.items())}")
    if not stdout and not files:
        raise Broken("the program gave nothing to compare")
    again = run_in_domain(bin_dir, binaries["wasm"], case, folder, output)
    if again["trace"] != result["trace"]:
        raise Broken("a second run gives another trace")
    out_bytes = len(stdout) + sum(len(data) for data in files.values())
    return [program.name, " ".join(case.args)[:44], os.path.getsize(binaries["wasm"]), out_bytes, result["fuel"], result["cpu_ns"] / 1e9, native_seconds]


def main(build_dir, bin_dir, names):
    unknown = set(names) - {program.name for program in PROGRAMS}
    if unknown:
        sys.exit(f"there is no program {', '.join(sorted(unknown))}")
    sources = build.Sources(os.path.join(build_dir, "sources"))
    rows, failures, missing = [], [], []
    began = time.monotonic()
    for program in PROGRAMS:
        if names and program.name not in names:
            continue
        try:
            package = sources.package(program.package)
        except (Unavailable, subprocess.TimeoutExpired) as error:
            missing.append(f"{program.package}: {error}")
            continue
        try:
            folder = os.path.join(build_dir, program.name)
            binaries = {"wasm": build.build_wasm(program, package, folder), "native": build.build_native(program, package, folder)}
            for case in program.cases:
                with tempfile.TemporaryDirectory() as work:
                    rows.append(check_case(program, package, binaries, case, bin_dir, work))
                    print("{:10} {:44} {:8} {:8} {:14,} {:7.3f} {:7.3f}".format(*rows[-1]), flush=True)
        except (Broken, subprocess.TimeoutExpired) as error:
            failures.append(f"{program.name}: {error}")
            print("FAILED " + failures[-1], flush=True)
    print(f"{len(rows)} runs of {len({row[0] for row in rows})} programs agree with the native ones, {time.monotonic() - began:.0f} s")
    if failures:
        return 1
    if missing:
        print("SKIP program sources cannot be fetched: " + missing[0].splitlines()[0])
        print("\n".join(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]))

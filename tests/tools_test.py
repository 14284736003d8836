"""The tools of tools/ on small made-up trees: each check must catch what it is there to catch, and nothing else."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(ROOT, "tools")
sys.path.insert(0, TOOLS)


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(TOOLS, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


layers = load("check_layers")
style = load("check_style")
coverage = load("coverage")
run_tests = load("run_tests")

HEADER = "// What it is.\n#pragma once\n"


class Layers(unittest.TestCase):
    def one(self, path, text):
        problems = layers.check({path: text})
        self.assertEqual(len(problems), 1, problems)
        return problems[0]

    def test_lower_floors_and_the_own_room_are_open(self):
        self.assertEqual(layers.check({
            "src/object/a.h": '#include "base/result.h"\n#include "codec/cbor.h"\n#include "object/b.h"\n',
            "src/host/quic/a.cc": '#include "host/loop/loop.h"\n#include "node/node.h"\n#include <ngtcp2/ngtcp2.h>\n',
            "src/cli/main.cc": '#include "host/daemon/daemon.h"\n',
            "src/object/c.cc": '// #include "node/node.h"\n',
        }), [])

    def test_upward_sideways_and_pathless_includes_are_caught(self):
        self.assertIn("replayed", self.one("src/store/a.cc", '#include "base/x.h"\n#include "host/loop/loop.h"\n'))
        self.assertIn("composed by node/", self.one("src/mesh/a.cc", '#include "store/a.h"\n'))
        self.assertIn("cycle", self.one("src/work/a.h", '#include "node/node.h"\n'))
        self.assertIn("simulated one", self.one("src/host/loop/a.cc", '#include "sim/world.h"\n'))
        self.assertIn("no simulated world", self.one("src/cli/a.cc", '  #  include "sim/world.h"\n'))
        self.assertIn("higher floor", self.one("src/crypto/a.cc", '#include "codec/cbor.h"\n'))
        self.assertIn("not written from src/", self.one("src/mesh/a.cc", '#include "session.h"\n'))
        self.assertIn("on no floor", self.one("src/attic/a.h", ""))

    def test_fountain_uses_the_standard_library_only(self):
        self.assertIn("others can take alone", self.one("src/fountain/a.cc", '#include "base/bytes.h"\n'))
        self.assertIn("others can take alone", self.one("src/fountain/a.h", "#include <sodium.h>\n"))
        self.assertEqual(layers.check({
            "src/fountain/a.h": "#include <vector>\n#include <immintrin.h>\n",
            "src/fountain/a_test.cc": "#include <gtest/gtest.h>\n",
            "src/fountain/b.cc": "// style: allow layer because only the system maps memory.\n#include <sys/mman.h>\n",
        }), [])

    def test_the_linker_is_held_to_the_same_rule(self):
        self.assertIn("links node", self.one("src/store/CMakeLists.txt", "selvedge_room(store DEPS base\n  node LIBS x)\n"))
        self.assertIn("no room", self.one("src/store/CMakeLists.txt", "selvedge_room(store DEPS bass)\n"))
        self.assertEqual(layers.check({
            "src/host/quic/CMakeLists.txt": "selvedge_room(host_quic DEPS mesh host_loop LIBS PkgConfig::NODE)\n",
        }), [])


class Style(unittest.TestCase):
    def names(self, path, text):
        return sorted({problem.split(": ")[1] for problem in style.check({path: text})})

    def test_each_word_is_caught_where_it_is_banned(self):
        cases = {
            "clock": "auto t = std::chrono::steady_clock::now();",
            "random": "std::mt19937 generator;",
            "thread": "#include <thread>",
            "environment": 'auto* home = getenv("HOME");',
            "files": "#include <fstream>",
            "pointer_key": "std::map<const Peer*, int> peers;",
            "mutable_global": "static int counter = 0;",
            "iostream": "#include <iostream>",
            "coroutine": "co_await x;",
            "ranges": "#include <ranges>",
            "format": "std::format(x);",
            "throw": "throw 1;",
            "catch": "} catch (int) {",
            "capture_all": "auto f = [=] { return a; };",
            "qlog": "settings.qlog_write = &f;",
            "unfinished": "// TO" "DO: the rest",
            "machine_path": 'open("/ro' 'ot/x");',
            "registry": '"https://py' 'pi.org/simple"',
        }
        for name, line in cases.items():
            self.assertEqual(self.names("src/store/a.cc", line + "\n"), [name], line)

    def test_words_in_comments_and_strings_and_in_other_rooms_pass(self):
        self.assertEqual(self.names("src/store/a.cc", '// Nothing may throw here.\nlog("throw");\nint co_awaited;\n'), [])
        self.assertEqual(self.names("src/host/loop/a.cc", "#include <thread>\n#include <unistd.h>\ntry {} catch (int) {}\n"), [])
        self.assertEqual(self.names("src/store/a_test.cc", "#include <fstream>\n"), [])
        self.assertEqual(self.names("src/work/a.cc", '#include "work/planner.h"\nstatic const int kOne = 1;\n'), [])
        self.assertEqual(self.names("src/work/a.cc", "static int helper(int a);\nstatic int other(int a) { return a; }\n"), [])

    def test_a_reason_lifts_a_rule_for_its_line_only(self):
        allowed = "// style: allow throw because the callback's contract is an exception.\nthrow 1;\n"
        self.assertEqual(self.names("src/host/a.cc", allowed), [])
        self.assertEqual(self.names("src/host/a.cc", allowed + "throw 2;\n"), ["throw"])
        self.assertEqual(self.names("src/host/a.cc", "// style: allow throw because\nthrow 1;\n"), ["throw"])

    def test_sizes(self):
        body = "".join(f"  use({n});\n" for n in range(80))
        long_function = f"namespace a {{\nclass B {{\n  void f(int n) {{\n{body}  }}\n}};\n}}\n"
        self.assertEqual(self.names("src/store/a.cc", long_function), ["function_length"])
        self.assertEqual(self.names("src/store/a_test.cc", long_function), [])
        table = "const int kTable[] = {\n" + "  1,\n" * 100 + "};\n"
        self.assertEqual(self.names("src/store/a.cc", table), [])
        short = "int f() {\n  return 1;\n}\n" * 40
        self.assertEqual(self.names("src/store/a.cc", short), [])
        self.assertEqual(self.names("src/store/a.cc", "\n" * 701), ["file_length"])
        self.assertEqual(self.names("src/store/a.cc", "// style: allow file_length because it is RFC 6330's table.\n" + "\n" * 701), [])

    def test_braces_in_strings_and_comments_do_not_count(self):
        body = "".join('  use("}");  // }\n' for _ in range(80))
        self.assertEqual(self.names("src/store/a.cc", f"void f() {{\n{body}}}\n"), ["function_length"])

    def test_unordered_iteration_is_hinted_at(self):
        text = "std::unordered_map<int, int> peers_;\nvoid f() {\n  for (auto& [k, v] : peers_) send(k);\n}\n"
        self.assertEqual(self.names("src/mesh/a.cc", text), ["unordered"])
        header = {"src/mesh/a.h": HEADER + "std::unordered_set<int> peers_;\n", "src/mesh/a.cc": "void f() {\n  for (int p : peers_) g(p);\n}\n"}
        self.assertEqual(len(style.check(header)), 1)

    def test_private_names_of_one_folder_differ(self):
        def pair(first, second, path="src/wasm/b.cc"):
            return len(style.check({"src/wasm/a.cc": f"namespace x {{\nnamespace {{\n{first}\n}}\n}}\n",
                                    path: f"namespace x {{\nnamespace {{\n{second}\n}}\n}}\n"}))
        self.assertEqual(pair("constexpr int kOne = 1;", "constexpr uint8_t kOne = 2;"), 1)
        self.assertEqual(pair("struct Frame { int a; };", "class Frame { int b; };"), 1)
        self.assertEqual(pair("int f(int a) { return a; }", "int f(int b) { return b; }"), 1)
        self.assertEqual(pair("int f(int a) { return a; }", "int f(Bytes b) { return 0; }"), 0)
        self.assertEqual(pair("int f(int a) { g(kOne); return a; }", "int h(int b) { const int kOne = 1; return b; }"), 0)
        self.assertEqual(pair("constexpr int kOne = 1;", "constexpr int kOne = 1;", "src/codec/b.cc"), 0)
        self.assertEqual(pair("constexpr int kOne = 1;", "constexpr int kOne = 1;", "src/wasm/b_test.cc"), 0)

    def test_sleeping_tests(self):
        self.assertEqual(self.names("src/host/a_test.cc", "std::this_thread::sle" "ep_for(x);\n"), ["sleep"])
        self.assertEqual(self.names("tests/e2e.py", "time.sl" "eep(1)\n"), ["sleep"])
        self.assertEqual(self.names("tests/e2e.sh", "sl" "eep 1\n"), ["sleep"])

    def test_headers(self):
        self.assertEqual(self.names("src/store/a.h", HEADER), [])
        self.assertEqual(self.names("src/store/a.h", "#pragma once\n"), ["header_comment"])
        self.assertEqual(self.names("src/store/a.h", "// What it is.\n"), ["pragma_once"])
        self.assertEqual(self.names("src/host/a.h", HEADER + "#include <rocksdb/db.h>\n"), ["heavy_header"])
        light = {"src/host/quic/a.h": HEADER + "#include <ngtcp2/ngtcp2.h>\n", "src/host/quic/a.cc": '#include "host/quic/a.h"\n'}
        self.assertEqual(style.check(light), [])
        light["src/host/daemon/b.cc"] = '#include "host/quic/a.h"\n'
        self.assertEqual(len(style.check(light)), 1)


class Coverage(unittest.TestCase):
    ROWS = "| id | what | source |\n|---|---|---|\n| A1 | Identity | SP 3 |\n| A2 | Tokens | WF 4 |\n"

    def join(self, name, text):
        return coverage.join({"docs/requirements.md": self.ROWS, name: text})

    def test_tags_are_joined_with_rows(self):
        page, problems = self.join("src/object/a_test.cc", "// req: A1\nTEST(Identity, IsAKey) {}\n")
        self.assertEqual(problems, [])
        self.assertIn("| A1 | Identity | `src/object/a_test.cc`: Identity.IsAKey |", page)
        self.assertIn("| A2 | Tokens | not yet |", page)
        self.assertIn("1 of 2 rows", page)

    def test_names_of_other_kinds_of_tests(self):
        self.assertIn("test_put", self.join("tests/e2e.py", "  # req: A1\n  def test_put(self):\n")[0])
        self.assertIn("opens a page", self.join("web/sdk/a.test.ts", "// req: A2\ntest('opens a page', () => {})\n")[0])
        self.assertIn("two_nodes", self.join("tests/CMakeLists.txt", "# req: A1, A2\nadd_test(NAME two_nodes COMMAND x)\n")[0])

    def test_wrong_tags_are_problems_and_code_is_no_proof(self):
        self.assertEqual(len(self.join("src/a/a_test.cc", "// req: A9\nTEST(A, B) {}\n")[1]), 1)
        self.assertEqual(len(self.join("src/a/a_test.cc", "// req: soon\nTEST(A, B) {}\n")[1]), 1)
        self.assertIn("0 of 2 rows", self.join("src/a/a.cc", "// req: A1\n")[0])


class Counting(unittest.TestCase):
    GTEST = textwrap.dedent("""\
        [==========] Running 3 tests from 1 test suite.
        [ RUN      ] A.Good
        [       OK ] A.Good (0 ms)
        [ RUN      ] A.Skips
        a_test.cc:12: Skipped
        no tun device here

        [  SKIPPED ] A.Skips (0 ms)
        """)

    def tally(self, status, output):
        tally = run_tests.Tally()
        run_tests.account(tally, "fast", "entry", status, output)
        return tally

    def test_cases_of_a_gtest_binary_count_each(self):
        good = self.GTEST + "[==========] 2 tests from 1 test suite ran. (0 ms total)\n[  PASSED  ] 1 test.\n" \
            "[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.Skips\n"
        tally = self.tally("run", good)
        self.assertEqual((tally.passed, tally.failures, tally.skips), (1, [], [("entry.A.Skips", "no tun device here")]))

    def test_failures_crashes_and_sanitizer_exits_fail(self):
        failed = self.GTEST + "[ RUN      ] A.Bad\n[  FAILED  ] A.Bad (0 ms)\n[  PASSED  ] 1 test.\n[  FAILED  ] 1 test, listed below:\n" \
            "[  FAILED  ] A.Bad\n"
        self.assertEqual(self.tally("fail", failed).failures, ["fast: entry: A.Bad"])
        crashed = self.tally("fail", self.GTEST + "[ RUN      ] A.Dies\n")
        self.assertEqual((crashed.passed, len(crashed.failures)), (1, 1))
        self.assertIn("A.Dies", crashed.failures[0])
        leak = self.GTEST + "[  PASSED  ] 1 test.\nLeakSanitizer: detected memory leaks\n"
        self.assertEqual(len(self.tally("fail", leak).failures), 1)
        self.assertEqual(len(self.tally("notrun", "").failures), 1)

    def test_scripts_count_once_and_skip_by_a_line(self):
        self.assertEqual(self.tally("run", "fine\n").passed, 1)
        skipped = self.tally("run", "SKIP no KVM\n")
        self.assertEqual((skipped.passed, skipped.skips), (0, [("entry", "no KVM")]))

    def test_an_unlisted_skip_fails(self):
        pairs = run_tests.read_skips("# why\nentry.*: no tun device*  # and why\n")
        self.assertTrue(run_tests.allowed(("entry.A.Skips", "no tun device here"), pairs))
        self.assertFalse(run_tests.allowed(("entry.A.Skips", "no reason given"), pairs))
        self.assertFalse(run_tests.allowed(("other", "no tun device here"), pairs))


class Backports(unittest.TestCase):
    """The entry for backports comes from the machine's own sources, in either of apt's two formats."""

    def derive(self, files):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "sources.list.d"))
            for name, text in files.items():
                with open(os.path.join(folder, name), "w") as file:
                    file.write(textwrap.dedent(text))
            run = subprocess.run([os.path.join(TOOLS, "install"), "--print-backports"], capture_output=True, text=True,
                                 env=dict(os.environ, SELVEDGE_APT_DIR=folder, SELVEDGE_SKIP_INSTALL=""))
            return run.stdout.strip()

    def test_deb822(self):
        entry = self.derive({"sources.list.d/debian.sources": """\
            # comment
            Types: deb deb-src
            URIs: http://mirror.example/debian
            Suites: bookworm bookworm-updates
            Components: main contrib
            Signed-By: /usr/share/keyrings/a.gpg

            Types: deb
            URIs: http://mirror.example/debian-security
            Suites: bookworm-security
            Components: main
            """})
        self.assertEqual(entry, "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\n"
                                "Components: main\nSigned-By: /usr/share/keyrings/a.gpg")

    def test_deb822_that_is_switched_off_or_source_only_is_passed_over(self):
        self.assertEqual(self.derive({"sources.list.d/debian.sources": """\
            Types: deb
            URIs: http://off.example/debian
            Suites: bookworm
            Components: main
            Enabled: no

            Types: deb-src
            URIs: http://source.example/debian
            Suites: bookworm
            Components: main

            Types: deb
            URIs: http://on.example/debian
            Suites: bookworm
            Components: main
            """}), "Types: deb\nURIs: http://on.example/debian\nSuites: bookworm-backports\nComponents: main")

    def test_one_line(self):
        self.assertEqual(self.derive({"sources.list": """\
            deb cdrom:[Debian 12]/ bookworm main
            deb-src http://mirror.example/debian bookworm main
            # deb http://off.example/debian bookworm main
            deb http://mirror.example/debian-security bookworm-security main
            deb [signed-by=/a.gpg arch=amd64] http://mirror.example/debian bookworm main non-free
            """}), "deb [signed-by=/a.gpg arch=amd64] http://mirror.example/debian bookworm-backports main")
        self.assertEqual(self.derive({"sources.list.d/a.list": "deb http://mirror.example/debian/ bookworm main\n"}),
                         "deb http://mirror.example/debian/ bookworm-backports main")

    def test_nothing_to_derive_from(self):
        self.assertEqual(self.derive({"sources.list": "deb http://mirror.example/debian trixie main\n"}), "")


class Machine(unittest.TestCase):
    def test_another_system_is_refused_with_advice(self):
        with tempfile.TemporaryDirectory() as folder:
            release = os.path.join(folder, "os-release")
            with open(release, "w") as file:
                file.write('PRETTY_NAME="Other Linux 9"\nID=other\nVERSION_ID="9"\n')
            tree = os.path.join(folder, "tree")
            os.makedirs(os.path.join(tree, "tools"))
            for name in ("install", "packages.txt", "step"):
                shutil.copy(os.path.join(TOOLS, name), os.path.join(tree, "tools", name))
            environment = dict(os.environ, SELVEDGE_OS_RELEASE=release, SELVEDGE_SKIP_INSTALL="")
            refused = subprocess.run([os.path.join(tree, "tools", "install")], capture_output=True, text=True, env=environment)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("Other Linux 9", refused.stderr)
            self.assertIn("SELVEDGE_SKIP_INSTALL=1", refused.stderr)
            environment["SELVEDGE_SKIP_INSTALL"] = "1"
            self.assertEqual(subprocess.run([os.path.join(tree, "tools", "install")], env=environment).returncode, 0)


if __name__ == "__main__":
    unittest.main()

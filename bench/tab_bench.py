#!/usr/bin/env python3
"""What a browser's node costs its visitor, and what it gives: sizes, times, memory, processor, network, and the frames of the page that it is in.

tab_bench.py [--quick]. Headless Chromium on the machine of the nodes. SELVEDGE_BIN and SELVEDGE_GUESTS as for the end-to-end tests. Where there are two sides
(a tab and a machine, a page with and without the node), rounds are interleaved and medians printed."""

import gzip
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
import browser  # noqa: E402 pylint: disable=wrong-import-position
import fabric  # noqa: E402 pylint: disable=wrong-import-position
from fabric import FabricTest, guest  # noqa: E402 pylint: disable=wrong-import-position
from tab_test import Site  # noqa: E402 pylint: disable=wrong-import-position

QUICK = "--quick" in sys.argv
ROUNDS, IDLE_SECONDS, FRAMES = (3, 3, 60) if QUICK else (25, 60, 600)
TICKS = os.sysconf("SC_CLK_TCK")
ANIMATION = """new Promise((resolve) => { const box = document.createElement('div'); box.style.cssText = 'width:80px;height:80px;background:#678;position:fixed;left:0;top:50%%';
  document.body.append(box); const times = []; let last = performance.now(), n = 0;
  const frame = (now) => { times.push(now - last); last = now; box.style.transform = `translateX(${(n * 3) %% 600}px) rotate(${n}deg)`;
    if (++n < %d) requestAnimationFrame(frame); else { box.remove(); times.sort((a, b) => a - b); resolve(JSON.stringify([times[n >> 1], times[Math.floor(n * .99)], times[n - 1],
      times.filter((each) => each > 34).length])); } }; requestAnimationFrame(frame); })"""


class Counter:
    """A way to a node's door that counts bytes."""

    def __init__(self, url):
        host, port = urllib.parse.urlparse(url).netloc.rsplit(":", 1)
        self.target, self.bytes = (host, int(port)), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.target)
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while piece := a.recv(65536):
                self.bytes += len(piece)
                b.sendall(piece)
        except OSError:
            pass
        for each in (a, b):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def renderers():
    """{pid: (processor seconds, resident bytes that are its own)} of the browser's page processes."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if b"--type=renderer" not in line.read():
                    continue
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as maps:
                own = sum(int(line.split()[1]) for line in maps if line.startswith(("Private_Clean", "Private_Dirty")))
        except OSError:
            continue
        found[int(pid)] = ((int(fields[11]) + int(fields[12])) / TICKS, own * 1024)
    return found


def busiest(before, after):
    return max(((after[pid][0] - before[pid][0]) for pid in after if pid in before), default=0.0)


class Bench(FabricTest):
    def runTest(self):  # pylint: disable=invalid-name
        pass

    def prepare(self):
        self.setUp()
        self.origin = self.node("origin", "--web", "127.0.0.1:0")
        self.host = self.node("host", "--web", "127.0.0.1:0")
        self.host.ask("grant.give", origin=self.origin.owner, storage_bytes=1 << 30, seconds=7200)
        self.host.ask("grant.give", origin=self.origin.owner, cpu_permille=1000, seconds=7200, memory_bytes=256 << 20)
        self.origin.ask("peer.add", ticket=self.host.ask("ticket")["ticket"])
        self.until("the host's grant", lambda: self.granted(self.origin) == 2)
        self.lease = next(each["id"] for each in self.host.ask("lease.list")["leases"] if each["cpu_permille"])
        self.counter = Counter(self.origin.ready["web"])
        self.page = Site(self.origin.owner, [self.counter.url, self.host.ready["web"]], contribution="{ cpuLimit: 1 }")
        self.browser = browser.Browser()
        self.browser.fresh()

    def js(self, script):
        return self.browser.evaluate(script=script)

    def lend(self):
        self.browser.go(url=self.page.url)
        asks = "document.querySelector('selvedge-consent')?.shadowRoot.querySelector('.sheet') != null"
        self.until("the page", lambda: self.js(f"window.node !== undefined || {asks}"))
        if self.js(asks):
            self.browser.click(name="Yes, lend it")
        self.until("the tab", lambda: self.js("window.node?.stats().doors ?? 0") == 2)
        self.until("its grant", lambda: any(each["node"] == self.js("node.stats().node") and each["state"] == "active" for each in self.origin.ask("grant.list")["grants"]))

    def only(self, tab):
        """Work goes to the tab alone, or to the machine alone."""
        self.host.ask("lease.change", lease=self.lease, action="pause" if tab else "resume")
        self.js(f"node.{'resume' if tab else 'pause'}()")

    def task(self, words):
        began = time.perf_counter()
        done = self.origin.run("run", guest("hello"), "--verify", "1", "--", *words)
        assert done.returncode == 0, done.stderr
        return (time.perf_counter() - began) * 1e3

    def sizes(self):
        total, brotli = 0, 0
        for name in ("edge.js", "core.js", "runner.js", "node.wasm", "runner.wasm"):
            with urllib.request.urlopen(f"{self.origin.ready['web']}/sdk/{name}") as answer:
                packed = answer.read()
            total += len(packed)
            script = "const z=require('zlib');const b=require('fs').readFileSync(0);console.log(z.brotliCompressSync(b,{params:{[z.constants.BROTLI_PARAM_QUALITY]:11,[z.constants.BROTLI_PARAM_LGWIN]:24}}).length)"
            brotli += int(subprocess.run(["node", "-e", script], input=gzip.decompress(packed), capture_output=True, check=True).stdout)
            print(f"  {name}: {len(gzip.decompress(packed))} bytes, gzip {len(packed)}")
        print(f"all that is fetched: gzip {total / 1e3:.0f} kB, brotli {brotli / 1e3:.0f} kB (aim 230 kB)")

    def first_tasks(self):
        """From EdgeNet.init() to the end of the first task, which waits for the tab; consent is remembered and files are cached."""
        times, ready = [], []
        for i in range(ROUNDS):
            self.host.ask("lease.change", lease=self.lease, action="pause")
            job = subprocess.Popen([fabric.COMMAND, "--home", self.origin.home, "run", guest("hello"), "--verify", "1", "--", f"first {i}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.browser.go(url=self.page.url)
            assert job.wait(timeout=60) == 0
            self.until("the end", lambda: self.js("window.tasks.some((each) => each.state === 'done')"))
            times.append(self.js("window.firstDone - window.began"))
            ready.append(self.js("window.readyAt - window.began"))
        print(f"init() to the node's start: median {statistics.median(ready):.0f} ms; to the end of the first task: {statistics.median(times):.0f} ms, at most {max(times):.0f} (aim 100 ms)")

    def round_trips(self):
        both = {True: [], False: []}
        for i in range(ROUNDS):
            for tab in (True, False):
                self.only(tab)
                self.task([f"warm {i}"])
                both[tab].append(self.task([f"round {i}"]))
        tab, machine = (statistics.median(both[each]) for each in (True, False))
        print(f"a task there and back, the command included: tab {tab:.1f} ms, machine {machine:.1f} ms, ratio {tab / machine:.2f} (aim under 100 ms)")

    def idle(self):
        self.lend()
        time_before, before, bytes_before = time.perf_counter(), renderers(), self.counter.bytes
        end = time.perf_counter() + IDLE_SECONDS
        while time.perf_counter() < end:
            self.origin.ask("status")
            time.sleep(0.5)
        seconds, after = time.perf_counter() - time_before, renderers()
        print(f"idle for {seconds:.0f} s: processor {busiest(before, after) / seconds * 100:.2f} % (aim 5 %), network {(self.counter.bytes - bytes_before) / seconds * 60 / 1e3:.2f} kB/min (aim 10)")
        own = max((each[1] for each in after.values()), default=0)
        self.js("node.disconnect()")
        self.until("the end", lambda: self.connected(self.origin) == 1)
        self.browser.go(url="about:blank")
        bare = max((each[1] for each in renderers().values()), default=0)
        print(f"memory of the page's process: {own / 1e6:.0f} MB with the node, {bare / 1e6:.0f} MB of an empty page (aim 50 MB between them)")

    def frames(self):
        """A page that animates, with a program running in the tab at all it may use, and with none."""
        both = {True: [], False: []}
        for _ in range(1 if QUICK else 3):
            for working in (False, True):
                self.only(True)
                job = None
                if working:
                    job = subprocess.Popen([fabric.COMMAND, "--home", self.origin.home, "run", guest("spin"), "--verify", "1", "--fuel", "400000000000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    self.until("the program", lambda: self.js("node.stats().tasksRunning") > 0)
                both[working].append(json.loads(self.js(ANIMATION % FRAMES)))
                if job:
                    job.terminate()
                    job.wait()
                    self.until("its end", lambda: self.js("node.stats().tasksRunning") == 0)
        for working, rows in both.items():
            median, p99, worst, late = (statistics.median(column) for column in zip(*rows))
            print(f"frames {'with a program at its limit' if working else 'without'}: median {median:.1f} ms, p99 {p99:.1f} ms, worst {worst:.1f} ms, late {late:.0f} of {FRAMES}")


def main():
    why = browser.missing_node()
    if why:
        print("SKIP " + why)
        return
    bench = Bench()
    bench.prepare()
    try:
        for part in (bench.sizes, bench.lend, bench.round_trips, bench.first_tasks, bench.lend, bench.frames, bench.idle):
            part()
    finally:
        bench.browser.close()
        bench.page.close()
        bench.tearDown()


if __name__ == "__main__":
    main()

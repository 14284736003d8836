"""Getting a blob over several paths of 100 Mbit/s each (selvedge-link), beside one such path in the same run.

    SELVEDGE_BIN=build/bin SELVEDGE_GUESTS=build/guests python3 bench/multipath_bench.py [MEGABYTES] [ROUNDS]

Prints medians, what they are of one path's, and the limit that the lines set.
"""

import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from links import LinkedTest  # pylint: disable=wrong-import-position

LINE = ["--rate", "100"]
CASES = {
    "one path": ([LINE], None),
    "two equal paths": ([LINE, LINE], None),
    "two, one loses 10 %": ([LINE + ["--loss", "100"], LINE], None),
    "two, one lags 100 ms each way": ([LINE + ["--delay", "100"], LINE], None),
    "two, the first dies after 0.5 s": ([LINE, LINE], 0),
    "two, the second dies after 0.5 s": ([LINE, LINE], 1),
}


class Bench(LinkedTest):
    def seconds(self, size, lines, dying):
        self.setUp()
        try:
            origin, _ = self.linked(*lines)
            cid = self.put(origin, os.urandom(size))
            self.until("the ways", lambda: self.ways(origin) == len(lines))
            timer = threading.Timer(0.5, lambda: self.links[dying].say("dead"))
            start = time.monotonic()
            if dying is not None:
                timer.start()
            self.expect(origin.run("get", cid, "-o", self.path("got")), 0)
            took = time.monotonic() - start
            timer.cancel()
            return took
        finally:
            self.tearDown()


def main():
    size = int(sys.argv[1] if len(sys.argv) > 1 else 64) * 1000 * 1000
    rounds = int(sys.argv[2] if len(sys.argv) > 2 else 5)
    took = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, (lines, dying) in CASES.items():
            took[name].append(Bench().seconds(size, lines, dying))
    alone = statistics.median(took["one path"])
    for name, (lines, _) in CASES.items():
        median = statistics.median(took[name])
        print(f"{name:34} {median:6.2f} s  {size * 8 / median / 1e6:6.1f} Mbit/s  {alone / median:5.2f} of one path (limit {len(lines)})  worst {max(took[name]):.2f} s")


if __name__ == "__main__":
    main()

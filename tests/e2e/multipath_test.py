"""One peer over several paths at once: symbols go over all of them, and one that dies, loses or lags stops nothing."""

import os
import threading
import time
import unittest

from links import LinkedTest

MIB = 1 << 20


class Multipath(LinkedTest):
    def get(self, origin, cid, content, meanwhile=None):
        """Gets it back, while something else happens; returns the seconds that it took."""
        disturb = threading.Thread(target=meanwhile) if meanwhile else None
        start = time.monotonic()
        if disturb:
            disturb.start()
        done = origin.run("get", cid, "-o", self.path("got"))
        took = time.monotonic() - start
        if disturb:
            disturb.join()
        self.expect(done, 0)
        with open(self.path("got"), "rb") as got:
            self.assertTrue(got.read() == content, "it is another content")
        return took

    def moved(self, size, *options_of_links, meanwhile=None):
        origin, _ = self.linked(*options_of_links)
        content = os.urandom(size)
        cid = self.put(origin, content)
        self.until("a second way", lambda: self.ways(origin) == len(options_of_links))
        return self.get(origin, cid, content, meanwhile), origin

    # req: C2
    def test_a_second_path_is_found_and_used(self):
        took, origin = self.moved(32 * MIB, ["--rate", "100"], ["--rate", "100"])
        one_path = 32 * MIB * 8 / 100e6
        self.assertLess(took, one_path, "faster than one path can be")
        self.assertEqual(self.ways(origin), 2)

    def dies_in_the_middle(self, dying):
        def kill():
            # In the middle: the first group has come.
            self.until("a beginning", lambda: any(name.startswith("got") for name in os.listdir(self.dir)))
            self.links[dying].say("dead")
        # Half of the time with both, the rest with one, and a second or two until it is missed.
        took, origin = self.moved(24 * MIB, ["--rate", "100"], ["--rate", "100"], meanwhile=kill)
        self.assertLess(took, 6)
        self.until("the dead way is given up", lambda: self.ways(origin) == 1)

    # req: C2
    def test_a_path_that_dies_in_the_middle_stops_nothing(self):
        self.dies_in_the_middle(1)

    # req: C2
    def test_nor_does_the_one_that_messages_went_over(self):
        self.dies_in_the_middle(0)

    # req: C1
    def test_a_router_that_forgets_ends_nothing(self):
        def rebind():
            self.until("a beginning", lambda: any(name.startswith("got") for name in os.listdir(self.dir)))
            self.links[0].say("rebind")
        took, origin = self.moved(24 * MIB, ["--rate", "100"], meanwhile=rebind)
        self.assertLess(took, 2.5 * 24 * MIB * 8 / 100e6)
        with open(os.path.join(origin.home, "node.log"), encoding="utf-8") as log:
            self.assertNotIn(" is down", log.read(), "the same connection goes on from another port")

    # req: C2
    def test_putting_survives_the_loss_of_a_path(self):
        for dying in (0, 1):
            with self.subTest(path=dying):
                origin, _ = self.linked(["--rate", "100"], ["--rate", "100"])
                content = os.urandom(24 * MIB)
                self.put(origin, os.urandom(8 * MIB))
                self.until("a second way", lambda: self.ways(origin) == 2)  # pylint: disable=cell-var-from-loop
                path = self.path("in", content)
                kills = []

                def kill(progress, dying=dying, kills=kills):
                    if progress["bytes_done"] > 0 and not kills:
                        kills.append(self.links[dying].say("dead"))
                done = origin.connection.ask("put", on_progress=kill, files=[{"path": path, "name": "in", "size": len(content)}])
                self.assertTrue(kills)
                self.get(origin, done["files"][0]["cid"], content)
                self.end_all()

    # req: C2
    def test_a_path_that_loses_a_tenth_does_not_hold_up_the_other(self):
        took, _ = self.moved(24 * MIB, ["--rate", "100", "--loss", "100"], ["--rate", "100"])
        self.assertLess(took, 1.8 * 24 * MIB * 8 / 100e6, "not held up: what waits for the bad path waits many times longer")

    # req: C2
    def test_a_path_that_lags_does_not_hold_up_the_other(self):
        took, _ = self.moved(24 * MIB, ["--rate", "100", "--delay", "100"], ["--rate", "100"])
        self.assertLess(took, 1.8 * 24 * MIB * 8 / 100e6, "not held up: what waits for the bad path waits many times longer")


if __name__ == "__main__":
    unittest.main(verbosity=2)

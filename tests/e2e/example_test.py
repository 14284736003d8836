"""Each of `selvedge example`, as a person opens it: it does what it says, without help from elsewhere, for everybody, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import unittest
import urllib.parse

import browser
import fabric
from fabric import FabricTest

SIZES = (("wide", 1280, 900), ("narrow", 390, 844))


class Examples(FabricTest):
    def setUp(self):
        super().setUp()
        self.browser = browser.Browser()
        self.process = None
        os.mkdir(self.path("scratch"))

    def tearDown(self):
        self.browser.close()
        if self.process:
            self.stop()
        super().tearDown()

    def begin(self, name):
        self.process = subprocess.Popen([fabric.COMMAND, "--json", "example", name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, TMPDIR=self.path("scratch")))
        line = self.process.stdout.readline()
        self.assertTrue(line, self.process.stderr.read() if not line else "")
        self.page = json.loads(line)["page"]
        self.browser.fresh()
        self.browser.go(url=self.page)

    def stop(self):
        """As Ctrl-C does; nothing is left."""
        process, self.process = self.process, None
        nodes = fabric.children(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=fabric.DEADLINE_SECONDS)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual([pid for pid in nodes if fabric.alive(pid)], [])
        self.assertEqual(os.listdir(self.path("scratch")), [])

    def js(self, script):
        return self.browser.evaluate(script=script)

    def sound(self, name):
        """Nothing of it comes from elsewhere or goes wrong, anybody can use it, and it fits a telephone."""
        self.assertEqual(self.browser.troubles(), [])
        self.assertEqual({urllib.parse.urlparse(url).hostname for url in self.browser.requests() if url.startswith(("http", "ws"))}, {"127.0.0.1"})
        pictures = os.environ.get("SELVEDGE_SCREENSHOTS")
        for dark in (True, False):
            self.browser.paints(dark=dark)
            for size, width, height in SIZES:
                self.browser.resize(width=width, height=height)
                self.assertLessEqual(self.js("document.documentElement.scrollWidth"), width, f"{name} is wider than {width}")
                if pictures:
                    self.browser.screenshot(path=os.path.join(pictures, f"{name}-{size}-{'dark' if dark else 'light'}.png"))
            self.assertEqual(self.browser.axe(), [])
        self.browser.resize(width=1280, height=900)

    def test_there_is_a_list_and_no_other_example(self):
        listed = fabric.run("example")
        self.assertEqual([line.split()[0] for line in listed.stdout.decode().splitlines()], ["contributor", "consumer", "tiles", "chat", "transparency"])
        self.expect(fabric.run("example", "nothing"), fabric.NOT_FOUND, "selvedge example shows them")

    # req: G2
    def test_contributor(self):
        self.begin("contributor")
        self.browser.click(name="Yes, lend it")
        self.browser.sees(text="Lent, as node")
        self.until("the doors", lambda: self.js("node.stats().doors") == 2)
        self.sound("contributor")
        self.stop()

    # req: G2
    def test_consumer(self):
        self.begin("consumer")
        self.browser.click(name="Count its words")
        self.browser.sees(text="2 owners agree", timeout=30000)
        self.assertEqual(self.js("document.querySelectorAll('#workers tr').length"), 2)
        self.assertEqual(self.js("document.querySelector('#bars li span').textContent"), "the")
        self.sound("consumer")
        self.browser.select(label="How many owners must agree", value="3")
        self.browser.click(name="Count its words")
        self.browser.sees(text="3 owners agree", timeout=30000)
        self.stop()

    # req: G2
    def test_tiles(self):
        self.begin("tiles")
        self.browser.sees(text="Done in", timeout=60000)
        self.assertEqual(self.js("document.querySelector('#progress').value"), 40)
        # Of the whole set: the middle is inside it, and a corner far outside.
        pixel = "[...document.querySelector('#picture').getContext('2d').getImageData({}, {}, 1, 1).data]"
        self.assertEqual(self.js(pixel.format(430, 310)), [9, 20, 24, 255])
        self.assertNotEqual(self.js(pixel.format(950, 590)), [9, 20, 24, 255])
        self.assertEqual(self.js("document.querySelectorAll('#legend li').length"), 3)
        self.sound("tiles")
        # A tab that lends itself joins in.
        href = urllib.parse.urljoin(self.page, self.js("document.querySelector('#more').getAttribute('href')"))
        self.browser.go(url=href)
        self.browser.click(name="Yes, lend it")
        self.browser.sees(text="Lent, as node")
        self.stop()

    # req: F2
    def test_chat(self):
        self.begin("chat")
        self.browser.fill(label="Name", text="Ada")
        self.browser.fill(label="What you say", text="Is <b>anybody</b> \"here\"? ✓")
        self.browser.click(name="Say it")
        self.until("what was said", lambda: "Is <b>anybody</b> \"here\"? ✓" in self.js("document.querySelector('#talk').innerText"))
        self.browser.tab()   # somebody else
        self.browser.go(url=self.page)
        self.until("what was said", lambda: "Ada" in self.js("document.querySelector('#talk').innerText"))
        self.assertGreater(len(self.js("document.querySelector('#key').textContent")), 40)
        self.sound("chat")
        self.stop()

    # req: G3
    def test_transparency(self):
        self.begin("transparency")
        self.browser.click(name="Yes, lend it")
        self.browser.sees(text="This tab is machine")
        self.until("the tab's grant", lambda: self.js("document.querySelectorAll('#list tr').length") > 1)
        self.browser.click(name="Have something done and look it up")
        self.browser.sees(text="checked in this page", timeout=40000)
        self.assertIn("receipt", self.js("document.querySelector('#facts').innerText"))
        self.browser.click(name="Change one bit, and check again")
        self.browser.sees(text="Refused: the entry is not in this log.")
        self.sound("transparency")
        self.stop()


if __name__ == "__main__":
    why = browser.missing_node()
    if why:
        print("SKIP " + why)
    else:
        unittest.main(verbosity=2)

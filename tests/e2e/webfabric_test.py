"""navigator.webFabric, webIdentity and webKernel in Chromium: every member of web/fabric/web-fabric.idl, and what a tab does behind them."""

import hashlib
import http.server
import json
import os
import subprocess
import threading
import unittest

import browser
from fabric import BIN, FabricTest, guest

IDL = os.path.join(browser.ROOT, "web", "fabric", "web-fabric.idl")
PARSE = """import('%s').then(({ parse }) => process.stdout.write(JSON.stringify(parse(require('fs').readFileSync(process.argv[1], 'utf8')))));"""

# In the page: what is wrong with the interfaces, as a list.
HARNESS = r"""(async (idl) => {
  const wrong = [], say = (what) => wrong.push(what);
  const throwsType = (act) => { try { act(); return false; } catch (error) { return error instanceof TypeError; } };
  for (const { name, type, inheritance, members } of idl.filter((each) => each.type === 'interface' && !each.partial)) {
    const value = window[name];
    const where = Object.getOwnPropertyDescriptor(window, name);
    if (typeof value !== 'function') { say(`${name} is not in the window`); continue; }
    if (where.enumerable || !where.writable || !where.configurable) say(`${name}: how it lies in the window`);
    if (value.name !== name || value.length !== 0) say(`${name}: its name or length`);
    if (!throwsType(() => new value())) say(`${name}: a page can make one`);
    if (Object.prototype.toString.call(value.prototype) !== `[object ${name}]`) say(`${name}: toString`);
    if (inheritance && Object.getPrototypeOf(value.prototype) !== window[inheritance].prototype) say(`${name} does not inherit from ${inheritance}`);
    if (!inheritance && Object.getPrototypeOf(value.prototype) !== Object.prototype) say(`${name} inherits from something`);
    const own = new Set(Object.getOwnPropertyNames(value.prototype));
    own.delete('constructor');
    for (const member of members) {
      own.delete(member.name);
      const found = Object.getOwnPropertyDescriptor(value.prototype, member.name);
      if (!found) { say(`${name}.${member.name} is missing`); continue; }
      if (!found.enumerable || !found.configurable) say(`${name}.${member.name}: how it lies in its prototype`);
      if (member.type === 'attribute') {
        if (typeof found.get !== 'function' || (typeof found.set === 'function') !== !member.readonly) say(`${name}.${member.name}: what can be read and set of it`);
        if (!throwsType(() => found.get.call({}))) say(`${name}.${member.name} can be read of anything`);
      } else {
        const required = member.arguments.filter((each) => !each.optional).length;
        if (typeof found.value !== 'function' || found.value.length !== required) say(`${name}.${member.name}: its arguments`);
        const promised = member.idlType.generic === 'Promise';
        let outcome;
        try { outcome = found.value.call({}, ...member.arguments.map(() => ({}))); } catch (error) { outcome = error; }
        if (!promised) say(`${name}.${member.name}: nothing here promises nothing`);
        else if (!(outcome instanceof Promise)) say(`${name}.${member.name} throws where it should reject`);
        else if (!((await outcome.catch((error) => error)) instanceof TypeError)) say(`${name}.${member.name} works on anything`);
      }
    }
    for (const more of own) say(`${name}.${more} is not in the interface`);
    const statics = Object.getOwnPropertyNames(value).filter((each) => !['length', 'name', 'prototype'].includes(each));
    if (statics.length) say(`${name} has ${statics}`);
  }
  for (const { members } of idl.filter((each) => each.partial && each.name === 'Navigator')) {
    for (const { name, idlType } of members) {
      const found = Object.getOwnPropertyDescriptor(Navigator.prototype, name);
      if (!found?.get || found.set || !found.enumerable) say(`navigator.${name}`);
      if (!(navigator[name] instanceof window[idlType.idlType])) say(`navigator.${name} is no ${idlType.idlType}`);
      if (navigator[name] !== navigator[name]) say(`navigator.${name} changes`);
    }
  }
  return JSON.stringify(wrong);
})(%s)"""

PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>A site</title><main><h1>A site</h1></main><script type="module">
import { provide, content } from "/sdk/fabric.js"; Object.assign(window, { provide, content, events: [] });
window.failure = async (act) => { try { await act(); return 'nothing'; } catch (error) { return `${error.constructor.name} ${error.code ?? ''}`.trim(); } };
window.grab = async (name) => new Uint8Array(await (await fetch('/' + name)).arrayBuffer());
window.ready = true;
</script></html>"""


class WebFabric(FabricTest):
    def setUp(self):
        super().setUp()
        node = self.node("node", "--web", "127.0.0.1:0")
        images = {}
        for name in ("textstats", "hello", "spin", "trap", "flood"):
            with open(guest(name), "rb") as file:
                images[name] = file.read()
        self.hashes = {name: hashlib.sha256(image).hexdigest() for name, image in images.items()}
        paths = {f"/.well-known/web-fabric/{self.hashes[name]}": image for name, image in images.items()}
        paths["/.well-known/web-fabric/" + "0" * 64] = b"something else"
        paths.update({"/" + name: image for name, image in images.items()})
        door = node.ready["web"].replace("http://", "")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                if self.path.startswith("/sdk/"):
                    self.send_response(302)
                    self.send_header("Location", f"http://{door}{self.path}")
                    self.end_headers()
                    return
                body = paths.get(self.path, PAGE if self.path == "/" else None)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/html" if self.path == "/" else "application/wasm")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.browser = browser.Browser()
        self.browser.fresh()
        self.browser.go(url=f"http://127.0.0.1:{self.server.server_address[1]}/")
        self.until("the page", lambda: self.js("window.ready === true"))

    def tearDown(self):
        self.browser.close()
        self.server.shutdown()
        self.server.server_close()
        super().tearDown()

    def js(self, script):
        return self.browser.evaluate(script=script)

    def lease(self, request="{ durationMs: 60000 }"):
        self.js(f"void navigator.webFabric.requestLease({request}).then((grant) => Object.assign(window, grant), (error) => {{ window.refused = error.name; }})")
        self.browser.click(name="Yes, lend it")
        self.until("the lease", lambda: self.js("window.lease !== undefined"))

    def domain(self, name):
        self.js(f"leaseCap.spawnDomain({{ imageHash: '{self.hashes[name]}', entrypoint: '_start', deterministic: true }}).then((made) => {{ window.domain = made; }})")

    def task(self, name, text="", options="{ timeBudgetMs: 20000 }"):
        self.js(f"window.provide(new TextEncoder().encode({json.dumps(text)})).then((made) => {{ window.input = made.cid; }})")
        return f"domain.runDeterministic({{ bundleHash: '{self.hashes[name]}', taskName: 'program', inputsCID: input }}, {options})"

    # req: G1
    def test_every_member_of_the_interfaces(self):
        parser = os.path.join(browser.PACKAGES, "webidl2", "index.js")
        parsed = subprocess.run(["node", "-e", PARSE % parser, IDL], capture_output=True, check=True, text=True).stdout
        self.assertEqual(json.loads(self.js(HARNESS % parsed)), [])

    # req: G1
    def test_defaults_and_required_members(self):
        self.lease("{}")
        self.assertEqual(json.loads(self.js("JSON.stringify([lease.qos, lease.power])")), [
            {"maxCpuPercentBackground": 10, "maxBurstMs": 10, "hardPreemptLatencyMs": 5, "maxWakeupsPerSecond": 30, "maxResidentBytes": 268435456, "maxCommitBytes": 536870912,
             "backgroundEgressKbps": 256, "backgroundIngressKbps": 256}, {"onlyWhileCharging": False, "minBatteryPercent": 20, "thermalCeiling": 80}])
        left = self.js("lease.expiresAt - Date.now()")
        self.assertTrue(880_000 < left <= 900_000, left)
        for wrong in ("navigator.webFabric.requestLease()", "navigator.webFabric.requestLease(7)", "navigator.webFabric.requestLease({ qos: { maxBurstMs: NaN } })",
                      "leaseCap.spawnDomain({})", "leaseCap.spawnDomain({ imageHash: 'x' })", "navigator.webIdentity.request({})", "navigator.webIdentity.request({ purpose: 'x', minTier: 'best' })",
                      "navigator.webFabric.requestIngress({ serviceName: 's' })", "navigator.webFabric.requestIngress({ serviceName: 's', protocols: ['telnet'] })",
                      "navigator.webFabric.joinCluster({ identity: {} })", "lease.renew()", "lease.renew('soon')"):
            self.assertEqual(self.js(f"failure(() => {wrong})"), "TypeError", wrong)
        for what in ("navigator.webFabric.joinCluster({})", "navigator.webFabric.createConsensusGroup({})", "navigator.webFabric.requestIngress({ serviceName: 's', protocols: ['http3'] })",
                     "navigator.webFabric.requestLease({ allowIngress: true })", "navigator.webFabric.requestLease({ allowStorage: true })"):
            self.assertEqual(self.js(f"failure(() => {what})"), "WebFabricError NotSupportedError", what)
        self.assertEqual(self.js("failure(() => navigator.webFabric.requestLease({ requireAttestedDomains: true }))"), "WebFabricError AttestationError")
        self.assertEqual(self.js("failure(() => navigator.webIdentity.request({ purpose: 'x', minTier: 'hardware-strong' }))"), "WebFabricError AttestationError")

    # req: G1
    def test_a_program_gives_what_it_gives_on_a_machine(self):
        self.lease()
        self.domain("textstats")
        self.assertTrue(self.js("domain.deterministic && domain.domainId.length > 10"))
        text = "some words, some more words\n" * 1000
        result = json.loads(self.js(f"{self.task('textstats', text)}.then(JSON.stringify)"))
        self.assertEqual(self.js(f"new TextDecoder().decode(content('{result['outputCID']}'))"),
                         subprocess.run([os.path.join(BIN, "textstats-native")], input=text.encode(), capture_output=True, check=True).stdout.decode())
        native = json.loads(subprocess.run([os.path.join(BIN, "selvedge-domain-once"), os.path.join(BIN, "selvedge-domain"), guest("textstats"), "100000000000", "--memory", "268435456"],
                                           input=text.encode(), capture_output=True, check=True).stdout)
        self.assertEqual(result["traceCommitment"], native["trace"])
        receipt = result["receipt"]
        self.assertEqual((receipt["origin"], receipt["bytesRead"], receipt["netBytesOut"]), (self.js("location.origin"), len(text), 0))
        self.assertGreater(receipt["cpuNanos"], 0)
        self.assertEqual(json.loads(self.js(f"{self.task('textstats', text, '{ emitTraceCommitment: false }')}.then(JSON.stringify)")).get("traceCommitment"), None)

    # req: G1
    def test_what_goes_wrong_has_its_name(self):
        self.lease()
        spawn = "leaseCap.spawnDomain({ imageHash: '%s', entrypoint: '%s', deterministic: %s })"
        self.assertEqual(self.js(f"failure(() => {spawn % ('0' * 64, '_start', 'true')})"), "WebFabricError IntegrityError")
        self.assertEqual(self.js(f"failure(() => {spawn % ('1' * 64, '_start', 'true')})"), "WebFabricError NetworkError")
        self.assertEqual(self.js(f"failure(() => {spawn % (self.hashes['hello'], 'main', 'true')})"), "WebFabricError NotSupportedError")
        self.assertEqual(self.js(f"failure(() => {spawn % (self.hashes['hello'], '_start', 'false')})"), "WebFabricError NotSupportedError")
        self.js("provide(new TextEncoder().encode('no program')).then((made) => { window.bad = made.hash; })")
        self.assertEqual(self.js("failure(() => leaseCap.spawnDomain({ imageHash: bad, entrypoint: '_start', deterministic: true }))"), "WebFabricError IntegrityError")
        self.domain("trap")
        self.assertEqual(self.js(f"failure(() => {self.task('trap')})"), "WebFabricError InvalidStateError")
        self.assertEqual(self.js(f"failure(() => {self.task('hello')})"), "WebFabricError IntegrityError")
        self.assertEqual(self.js("failure(() => domain.runDeterministic({ bundleHash: '%s', taskName: 'program', inputsCID: 'bafkreinothing' }, {}))" % self.hashes["trap"]), "WebFabricError NetworkError")
        self.assertEqual(self.js("failure(() => domain.checkpoint({}))"), "WebFabricError NotSupportedError")
        self.domain("spin")
        self.assertEqual(self.js(f"failure(() => {self.task('spin', options='{ timeBudgetMs: 300 }')})"), "WebFabricError TimeoutError")

    # req: G1
    def test_what_a_lease_and_its_domains_go_through(self):
        self.lease("{ durationMs: 31000 }")
        self.js("""for (const name of ['statechange', 'revoked']) lease.addEventListener(name, () => events.push('lease ' + name + ' ' + lease.state));
                   lease.onrevoked = (event) => events.push('handler ' + (event.target === lease));""")
        self.assertEqual(self.js("lease.state"), "active")
        self.until("its last half minute", lambda: self.js("lease.state") == "expiring")
        self.domain("spin")
        self.js("domain.onrevoked = (event) => events.push('domain revoked ' + (event.receipt.cpuNanos >= 0)); domain.onterminated = () => events.push('domain terminated');")
        self.js(f"void (window.running = failure(() => {self.task('spin')}))")
        self.js("lease.revoke()")
        self.assertEqual(self.js("running"), "WebFabricError InvalidStateError")
        self.assertEqual(self.js("events"), ["lease statechange expiring", "lease statechange revoked", "domain revoked true", "domain terminated", "lease revoked revoked", "handler true"])
        for late in ("leaseCap.spawnDomain({ imageHash: '%s', entrypoint: '_start', deterministic: true })" % self.hashes["hello"], "lease.renew(1000)", "domain.freeze()",
                     "domain.setSchedulingHints({})"):
            self.assertEqual(self.js(f"failure(() => {late})"), "WebFabricError RevokedError", late)
        # Frozen, and going again; ended by hand.
        self.js("delete window.lease")
        self.lease("{ durationMs: 60000 }")
        self.domain("hello")
        self.js("domain.freeze()")
        self.assertEqual(self.js(f"failure(() => {self.task('hello')})"), "WebFabricError InvalidStateError")
        self.js("domain.setSchedulingHints({ preemptable: false })")
        self.assertEqual(self.js(f"{self.task('hello')}.then((result) => new TextDecoder().decode(content(result.outputCID)))"), "hello\n")
        self.js("window.ended = new Promise((resolve) => { domain.onterminated = resolve; }); void domain.terminate()")
        self.assertEqual(self.js("ended.then((event) => event.type)"), "terminated")
        self.assertEqual(self.js("failure(() => domain.freeze())"), "WebFabricError InvalidStateError")
        # No copy of a capability is one.
        self.assertEqual(self.js("failure(async () => Object.getPrototypeOf(leaseCap).spawnDomain.call(structuredClone(leaseCap), {}))"), "TypeError")

    # req: G1
    def test_identity_and_signals(self):
        token = json.loads(self.js("""navigator.webIdentity.request({ purpose: 'to be known here' }).then((token) => JSON.stringify({ nodeId: token.nodeId, tier: token.tier,
            format: token.attestation.format, bytes: token.attestation.data.byteLength, left: token.expiresAt - Date.now() }))"""))
        self.assertEqual((len(token["nodeId"]), token["tier"], token["format"], token["bytes"]), (52, "software", "selvedge-tab-ed25519", 64))
        self.assertTrue(290_000 < token["left"] <= 300_000)
        self.assertEqual(self.js("navigator.webIdentity.request({ purpose: 'again' }).then((token) => token.nodeId)"), token["nodeId"])
        signals = json.loads(self.js("navigator.webKernel.getSignals().then(JSON.stringify)"))
        self.assertEqual(sorted(signals), ["batteryTrend", "interactionLikelihood", "memoryPressure", "thermalTrend"])
        self.assertTrue(all(0 <= value <= 100 and value % 25 == 0 for value in signals.values()), signals)

    # req: G1
    def test_a_no_is_not_allowed(self):
        self.js("void navigator.webFabric.requestLease({}).catch((error) => { window.refused = [error.name, error.code, error instanceof DOMException]; })")
        self.browser.click(name="No")
        self.until("the refusal", lambda: self.js("window.refused !== undefined"))
        self.assertEqual(self.js("refused"), ["NotAllowedError", "NotAllowedError", True])


if __name__ == "__main__":
    why = browser.missing_node()
    if why:
        print("SKIP " + why)
    else:
        unittest.main(verbosity=2)

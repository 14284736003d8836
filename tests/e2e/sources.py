"""Where nodes are looked for: a PKARR relay, a DNS server and a DHT on loopback; the first two may lie, replay and be silent."""

import http.server
import os
import socket
import socketserver
import struct
import subprocess
import threading


class Relay:
    """A PKARR relay as its design has it: PUT and GET of `/KEY`, the later packet wins. `lie` changes what it gives out."""

    def __init__(self):
        self.packets, self.puts, self.lie = {}, 0, None
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.path.rsplit("/", 1)[1]
                if len(key) != 52 or not 72 < len(body) <= 1072:
                    return self.answer(400)
                if key in relay.packets and relay.packets[key][64:72] > body[64:72]:
                    return self.answer(409)
                relay.packets[key] = body
                relay.puts += 1
                return self.answer(204)

            def do_GET(self):  # pylint: disable=invalid-name
                body = relay.packets.get(self.path.rsplit("/", 1)[1])
                if relay.lie:
                    body = relay.lie(body)
                return self.answer(200, body) if body else self.answer(404)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.source = f"pkarr:http://127.0.0.1:{self.server.server_address[1]}/pkarr"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Names:
    """A DNS server with TXT records, by UDP and, for what does not fit there, by TCP."""

    def __init__(self):
        self.records, self.asked = {}, []
        names = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                query, sock = self.request
                reply = names.reply(query)
                if len(reply) > 512:
                    reply = query[:2] + struct.pack(">HHHHH", 0x8600, 1, 0, 0, 0) + names.question(query)[1]
                sock.sendto(reply, self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                size, = struct.unpack(">H", self.request.recv(2, socket.MSG_WAITALL))
                reply = names.reply(self.request.recv(size, socket.MSG_WAITALL))
                self.request.sendall(struct.pack(">H", len(reply)) + reply)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp)
        self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", self.tcp.server_address[1]), Udp)
        self.at = f"127.0.0.1:{self.tcp.server_address[1]}"
        for server in (self.tcp, self.udp):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @staticmethod
    def question(query):
        """The name that is asked for, and the question as it came."""
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        return ".".join(labels), query[12:at + 5]

    def reply(self, query):
        name, question = self.question(query)
        self.asked.append(name)
        strings = self.records.get(name)
        head = query[:2] + struct.pack(">HHHHH", 0x8400 if strings else 0x8403, 1, 1 if strings else 0, 0, 0) + question
        if not strings:
            return head
        data = b"".join(bytes([len(each)]) + each for each in strings)
        return head + struct.pack(">HHHIH", 0xC00C, 16, 1, 300, len(data)) + data

    def close(self):
        for server in (self.tcp, self.udp):
            server.shutdown()
            server.server_close()


class Network:
    """A DHT of a few nodes, which know nobody else."""

    def __init__(self, nodes=5):
        program = os.path.join(os.environ["SELVEDGE_BIN"], "selvedge-dht-net")
        self.process = subprocess.Popen([program, str(nodes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.source = "dht:" + self.process.stdout.readline().strip()

    def close(self):
        self.process.communicate()

"""What a home router does beside routing: maps ports for those inside, by NAT-PMP (RFC 6886) or UPnP (IGD:1). A process inside the router's namespace.

    gateway.py nat-pmp|upnp|refuses INSIDE_ADDRESS PUBLIC_ADDRESS OUTER_DEVICE

Each mapping is a rule of the kernel's (nft); one line is written for each that is made or taken back. It never gives the port that was asked for, as
the router's own mood may be.
"""

import http.server
import re
import socket
import struct
import subprocess
import sys
import threading

NAT_PMP_PORT, SSDP_PORT, SSDP_GROUP = 5351, 1900, "239.255.255.250"
WAN = "urn:schemas-upnp-org:service:WANIPConnection:1"
DESCRIPTION = f"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList/><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType><controlURL>/common</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/s</SCPDURL>
</service></serviceList><deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>{WAN}</serviceType><controlURL>/wan</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/s</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>"""


class Router:
    def __init__(self, public, device):
        self.public, self.device = public, device
        self.nft(f"add chain ip nat pre {{ type nat hook prerouting priority -100; }}")

    @staticmethod
    def nft(rule):
        subprocess.run(["nft", rule], check=True)

    def map(self, outside, inside_address, inside_port):
        self.nft(f"add rule ip nat pre iifname {self.device} udp dport {outside} dnat to {inside_address}:{inside_port}")
        print(f"mapped {outside} to {inside_address}:{inside_port}", flush=True)

    def unmap(self):
        self.nft("flush chain ip nat pre")
        print("unmapped", flush=True)


def nat_pmp(router, inside, refuses):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((inside, NAT_PMP_PORT))
        print("ready", flush=True)
        while True:
            query, asker = sock.recvfrom(64)
            if query[1] == 0:
                sock.sendto(struct.pack(">BBHI", 0, 128, 2 if refuses else 0, 1) + socket.inet_aton(router.public), asker)
            elif query[1] == 1 and len(query) == 12:
                inner, _, lease = struct.unpack(">HHI", query[4:])
                outer = inner + 1000 if lease else 0
                if lease:
                    router.map(outer, asker[0], inner)
                else:
                    router.unmap()
                sock.sendto(struct.pack(">BBHIHHI", 0, 129, 0, 1, inner, outer, lease), asker)


def upnp(router, inside):
    taken = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, body, status=200):
            body = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):  # pylint: disable=invalid-name
            self.answer(DESCRIPTION)

        def do_POST(self):  # pylint: disable=invalid-name
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            action = self.headers["SOAPAction"].strip('"').split("#")[1]
            field = lambda name: re.search(f"<{name}[^>]*>([^<]*)<", body).group(1)
            out, status = "", 200
            if action == "GetStatusInfo":
                out = "<NewConnectionStatus>Connected</NewConnectionStatus><NewLastConnectionError>ERROR_NONE</NewLastConnectionError><NewUptime>9</NewUptime>"
            elif action == "GetExternalIPAddress":
                out = f"<NewExternalIPAddress>{router.public}</NewExternalIPAddress>"
            elif action == "AddPortMapping" and not taken:
                taken.append(field("NewExternalPort"))  # somebody else has that one
                out, status = "<errorCode>718</errorCode><errorDescription>ConflictInMappingEntry</errorDescription>", 500
            elif action == "AddPortMapping":
                assert field("NewLeaseDuration") == "3600"
                router.map(field("NewExternalPort"), field("NewInternalClient"), field("NewInternalPort"))
            elif action == "DeletePortMapping":
                router.unmap()
            wrapped = f"<s:Fault><detail><UPnPError>{out}</UPnPError></detail></s:Fault>" if status == 500 else f'<u:{action}Response xmlns:u="{WAN}">{out}</u:{action}Response>'
            self.answer(f'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{wrapped}</s:Body></s:Envelope>', status)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    server = http.server.ThreadingHTTPServer((inside, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", SSDP_PORT))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(SSDP_GROUP) + socket.inet_aton(inside))
        print("ready", flush=True)
        while True:
            query, asker = sock.recvfrom(2048)
            wanted = re.search(rb"(?im)^ST:\s*(\S+)", query)
            if query.startswith(b"M-SEARCH") and wanted and b"InternetGatewayDevice:1" in wanted.group(1):
                sock.sendto(b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=100\r\nEXT:\r\nLOCATION: http://%s:%d/root.xml\r\nST: %s\r\nUSN: uuid:1::%s\r\n\r\n"
                            % (inside.encode(), server.server_address[1], wanted.group(1), wanted.group(1)), asker)


def main():
    kind, inside, public, device = sys.argv[1:]
    router = Router(public, device)
    if kind == "upnp":
        upnp(router, inside)
    else:
        nat_pmp(router, inside, kind == "refuses")


if __name__ == "__main__":
    main()

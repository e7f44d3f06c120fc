# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 for the demo's agents: answers as JSON or as server-sent events, connections kept, nothing but the standard library."""
import http.client
import http.server
import json


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def message(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, data):
        data = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_events(self):
        self.wfile.write(b"0\r\n\r\n")


def serve(port, handler):
    http.server.ThreadingHTTPServer(("", port), handler).serve_forever()


class Peer:
    """One kept connection to one server."""

    def __init__(self, address, timeout=10):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)

    def get(self, path):
        self.connection.request("GET", path)
        return json.loads(self.connection.getresponse().read())

    def post(self, path, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        return self.connection.getresponse()

    def events(self, path, body, **headers):
        """The data of each event of the answer; the last may be [DONE], which is no JSON."""
        for line in self.post(path, body, Accept="text/event-stream", **headers):
            if line.startswith(b"data: "):
                yield line[len(b"data: "):].decode().strip()

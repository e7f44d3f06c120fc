#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""frames.py SOCKET: speak HTTP/2 to the API server in raw frames, mostly wrongly, and print TAP.
frames.py SOCKET slow: follow all flows but read nothing until SIGUSR1; then read to the end and add up."""
import signal
import socket
import struct
import sys
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def message(payload, flag=0):
    return bytes([flag]) + struct.pack(">I", len(payload)) + payload


class Client:
    def __init__(self, path, preface=PREFACE + frame(SETTINGS)):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(path)
        self.enc, self.dec = hpack.Encoder(), hpack.Decoder()
        self.buf, self.next_stream = b"", 1
        self.send(preface)

    def send(self, data):
        self.sock.sendall(data)

    def read(self):
        """The next frame, or None at the end of the connection."""
        while len(self.buf) < 9 or len(self.buf) < 9 + int.from_bytes(self.buf[:3], "big"):
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                return None
            self.buf += got
        size = int.from_bytes(self.buf[:3], "big")
        kind, flags, stream = self.buf[3], self.buf[4], int.from_bytes(self.buf[5:9], "big")
        payload, self.buf = self.buf[9 : 9 + size], self.buf[9 + size :]
        return kind, flags, stream, payload

    def request(self, path, extra=(), method="POST", ctype="application/grpc", end=False):
        headers = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "x")]
        headers += [("te", "trailers")] + ([("content-type", ctype)] if ctype else []) + list(extra)
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.enc.encode(headers)))
        return stream

    def answer(self, stream):
        """(headers of the answer, last wins; its data; RST code or None)"""
        headers, data = {}, b""
        while True:
            f = self.read()
            if f is None:
                return headers, data, "closed"
            kind, flags, at, payload = f
            if kind == HEADERS:
                got = dict(self.dec.decode(payload))
                if at == stream:
                    headers.update(got)
            elif kind == DATA and at == stream:
                data += payload
            elif kind == RST and at == stream:
                return headers, data, int.from_bytes(payload, "big")
            elif kind == GOAWAY:
                return headers, data, ("goaway", int.from_bytes(payload[4:8], "big"))
            if at == stream and kind in (HEADERS, DATA) and flags & END_STREAM:
                return headers, data, None

    def call(self, path, body, **how):
        stream = self.request(path, **how)
        self.send(frame(DATA, END_STREAM, stream, body))
        return self.answer(stream)


tests = 0
failed = False


def check(name, want, got):
    global tests, failed
    tests += 1
    if want == got:
        print(f"ok {tests} - {name}")
    else:
        failed = True
        print(f"not ok {tests} - {name}\n# want {want!r}\n# got {got!r}")


FLOWS, HEALTH = "/observer.Observer/GetFlows", "/grpc.health.v1.Health/"
SERVING = message(b"\x08\x01")


def status(answer):
    return answer[0].get("grpc-status")


def wrong_messages(path):
    c = Client(path)
    check("health, by the name that hubble asks for", ("0", SERVING),
          (lambda a: (status(a), a[1]))(c.call(HEALTH + "Check", message(b"\x0a\x16hubble.server.Observer"))))
    check("health of an unknown service: NOT_FOUND", "5", status(c.call(HEALTH + "Check", message(b"\x0a\x01x"))))
    check("compressed flag: UNIMPLEMENTED", "12", status(c.call(FLOWS, message(b"", 1))))
    check("grpc-encoding: UNIMPLEMENTED", "12", status(c.call(FLOWS, message(b""), extra=[("grpc-encoding", "gzip")])))
    check("bad prefix: INTERNAL", "13", status(c.call(FLOWS, message(b"", 7))))
    check("too long: RESOURCE_EXHAUSTED", "8", status(c.call(FLOWS, b"\0\x7f\xff\xff\xff")))
    check("not protobuf: INTERNAL", "13", status(c.call(FLOWS, message(b"\xff\xff\xff"))))
    check("no message: INTERNAL", "13", status(c.call(FLOWS, b"")))
    check("half a message: INTERNAL", "13", status(c.call(FLOWS, message(b"\x08\x01")[:-1])))
    check("two messages: INTERNAL", "13", status(c.call(FLOWS, message(b"") + message(b""))))
    check("unknown method: UNIMPLEMENTED", "12", status(c.call("/observer.Observer/Nothing", message(b""))))
    check("debug events: UNIMPLEMENTED", "12", status(c.call("/observer.Observer/GetDebugEvents", message(b""))))
    check("GET: 405", "405", c.call(FLOWS, b"", method="GET")[0].get(":status"))
    check("text/html: 415", "415", c.call(FLOWS, b"", ctype="text/html")[0].get(":status"))
    check("no content type: 415", "415", c.call(FLOWS, b"", ctype=None)[0].get(":status"))
    a = c.call(FLOWS, message(b"\x48\x01\x18\x01"))
    check("first with follow", ("3", "first cannot be specified with follow"), (status(a), a[0].get("grpc-message")))
    cel = b"\x0a\x01x"  # whitelist{experimental{cel_expression: "x"}}
    a = c.call(FLOWS, message(b"\x32\x06\xba\x3e\x03" + cel))
    check("CEL is refused by name", ("3", 'whitelist[0]: cel_expression: "x": this kind of filter is not supported'),
          (status(a), a[0].get("grpc-message")))
    a = c.call(FLOWS, message(b"\x32\x03\x6a\x01\xc3"))
    check("bytes that are no text come back encoded", True, "%C3" in a[0].get("grpc-message", ""))
    check("unknown fields are skipped", ("0", 1), (lambda a: (status(a), a[1].count(b"node-1\x0a") or 1))(
        c.call(FLOWS, message(b"\x08\x01\xfa\x7f\x03abc"))))


def chunks_and_order(path):
    c = Client(path)
    stream = c.request(HEALTH + "Check")
    for byte in message(b"\x0a\x00"):
        c.send(frame(DATA, 0, stream, bytes([byte])))
    c.send(frame(DATA, END_STREAM, stream))
    check("a message in frames of one byte", SERVING, c.answer(stream)[1])
    c.send(frame(PING, 0, 0, b"12345678"))
    f = c.read()
    while f and f[0] in (SETTINGS, WINDOW):
        f = c.read()
    check("PING is answered", (PING, ACK, 0, b"12345678"), f)
    stream = c.request(FLOWS, extra=[("grpc-timeout", "100m")])
    c.send(frame(DATA, END_STREAM, stream, message(b"\x18\x01")))
    check("a deadline ends a follower", "4", status(c.answer(stream)))
    stream = c.request(FLOWS)
    check("too long, answered before the end of the request", ("8", 0),
          (lambda a: (status(a), (c.read() or [0] * 4)[3][-1]))((c.send(frame(DATA, 0, stream, b"\0\x7f\xff\xff\xff")),
                                                                c.answer(stream))[1]))
    stream = c.request(FLOWS)
    c.send(frame(DATA, END_STREAM, stream, message(b"\x18\x01")) + frame(RST, 0, stream, struct.pack(">I", 8)))
    check("after a cancelled call the next one works", "0", status(c.call(HEALTH + "Check", message(b""))))
    stream = c.request(HEALTH + "Watch")
    c.send(frame(DATA, END_STREAM, stream, message(b"")))
    f = c.read()
    while f and f[0] != DATA:
        if f[0] == HEADERS:
            c.dec.decode(f[3])
        f = c.read()
    check("Watch answers at once and stays", (0, SERVING), (f[1] & END_STREAM, f[3]))


def broken_connections(path):
    check("no HTTP/2: closed", True, Client(path, b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100).answer(1)[2] in
          ("closed", ("goaway", 1)))
    c = Client(path)
    c.send(frame(DATA, 0, 1, b"x" * 20000))
    check("a frame longer than allowed: FRAME_SIZE_ERROR", ("goaway", 6), c.answer(1)[2])
    c = Client(path)
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff"))
    check("bad HPACK: COMPRESSION_ERROR", ("goaway", 9), c.answer(1)[2])
    c = Client(path)
    check("the 101st open stream is refused", 7, c.answer([c.request(FLOWS) for _ in range(101)][-1])[2])
    c, end = Client(path), None
    for _ in range(1200):
        try:
            stream = c.request(FLOWS)
            c.send(frame(RST, 0, stream, struct.pack(">I", 8)))
        except (BrokenPipeError, ConnectionResetError):
            break
    end = c.answer(0)[2]
    check("a thousand resets: ENHANCE_YOUR_CALM", True, end in (("goaway", 11), "closed"))
    for cut in range(1, 60, 7):  # cut anywhere, the server goes on
        c = Client(path, (PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84"))[:cut])
        c.sock.close()
    check("after all that, health", "0", status(Client(path).call(HEALTH + "Check", message(b""))))


def varint(data, i):
    v = shift = 0
    while True:
        v |= (data[i] & 0x7F) << shift
        shift, i = shift + 7, i + 1
        if not data[i - 1] & 0x80:
            return v, i


def lost_of(response):
    """num_events_lost of a GetFlowsResponse, or None when it is a flow."""
    if response[0] == 0x0A:
        return None
    size, i = varint(response, 1)
    end, n = i + size, 0
    while i < end:
        tag, i = varint(response, i)
        v, i = varint(response, i)
        if tag & 7 == 2:
            i += v
        elif tag >> 3 == 2:
            n = v
    return n


def slow(path, stored):
    go = []
    signal.signal(signal.SIGUSR1, lambda *_: go.append(1))
    c = Client(path)
    stream = c.request(FLOWS)
    c.send(frame(DATA, END_STREAM, stream, message(b"\x18\x01\x08" + b"\xff" * 9 + b"\x01")))
    print("ready", flush=True)
    while not go:
        time.sleep(0.05)
    body, read, lost = b"", 0, 0
    while read + lost < stored:
        f = c.read()
        if f is None:
            break
        if f[0] != DATA:
            continue
        c.send(frame(WINDOW, 0, 0, struct.pack(">I", len(f[3]))) + frame(WINDOW, 0, stream, struct.pack(">I", len(f[3]))))
        body += f[3]
        while len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
            size = int.from_bytes(body[1:5], "big")
            n = lost_of(body[5 : 5 + size])
            body = body[5 + size :]
            read, lost = (read + 1, lost) if n is None else (read, lost + n)
    print(f"read {read} lost {lost} stored {stored}")
    return 0 if read + lost == stored and lost > 0 else 1


if sys.argv[2:] == ["slow"]:
    sys.exit(slow(sys.argv[1], 20008))
wrong_messages(sys.argv[1])
chunks_and_order(sys.argv[1])
broken_connections(sys.argv[1])
sys.exit(failed)

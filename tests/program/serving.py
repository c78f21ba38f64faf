"""What tests of enprof serve share: a server, and clients of it."""

import json
import os
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request

from program import ENPROF, ProgramTest, model, replay


class WebSocket:
    """As much of RFC 6455 as reading text frames takes."""

    def __init__(self, port, target, origin=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        headers = [f"GET {target} HTTP/1.1", f"Host: localhost:{port}", "Connection: Upgrade",
                   "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        if origin:
            headers.append(f"Origin: {origin}")
        self.socket.sendall(("\r\n".join(headers) + "\r\n\r\n").encode())
        self.received = b""
        while b"\r\n\r\n" not in self.received:
            self.received += self.socket.recv(65536)
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])

    def take(self, count):
        while len(self.received) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.received += more
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def say(self, message):
        """Sends one JSON message of less than 126 bytes, masked with zeros."""
        text = json.dumps(message).encode()
        self.socket.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)

    def frame(self):
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        opcode, payload = first & 0x0F, self.take(length)
        if opcode == 9:  # who does not answer a ping is taken for gone
            self.socket.sendall(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
        return opcode, payload

    def events(self):
        """The events of the next frame that has some."""
        while True:
            opcode, payload = self.frame()
            if opcode == 1:
                return json.loads(payload)
            if opcode == 8:
                raise EOFError(payload[2:].decode())


class ServeTest(ProgramTest):
    """A test with a server of its own."""

    def setUp(self):
        super().setUp()
        self.models = self.dir / "models"
        self.models.mkdir()
        os.link(model(), self.models / "m.gguf")
        self.server = None

    def kill(self):
        """Ends the server without a warning."""
        if self.server:
            self.server.kill()
            self.server.communicate()
            self.server = None

    def tearDown(self):
        self.kill()
        super().tearDown()

    def serve(self, *arguments, env=None):
        """Starts a server on a port of its own choice."""
        self.server = subprocess.Popen(
            [str(ENPROF), "serve", "--port", "0", "--models-dir", str(self.models), "--db",
             str(self.db), "--baseline-s", "0", "--power", f"replay:{replay(50)}", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})})
        lines = [self.server.stderr.readline()]
        while lines[-1] and "serving" not in lines[-1]:  # of runs that it has brought in, say
            lines.append(self.server.stderr.readline())
        self.assertIn("serving", lines[-1], "".join(lines))
        self.said = "".join(lines)
        line = lines[-1]
        self.port = int(line.split("http://")[1].split("/")[0].rsplit(":", 1)[1])
        return line

    def ask(self, path, body=None, method=None, headers=None):
        """Status and JSON of an answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, headers=headers or {},
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read().decode()
                kind = answer.headers["Content-Type"]
                return answer.status, json.loads(text) if "json" in kind else text
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def generate(self, **order):
        status, answer = self.ask("/api/profiling/generate",
                                  {"model": "m.gguf", "prompt": "Hello", "max_tokens": 8} | order)
        self.assertEqual(status, 202, answer)
        return answer["run_id"]

    def wait_for(self, run):
        while True:
            status, answer = self.ask(f"/api/profiling/run/{run}")
            if status == 200 and answer["status"] not in ("queued", "running"):
                return answer
            time.sleep(0.05)

    def download(self, path):
        """Content type, suggested name, and bytes."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return (answer.headers["Content-Type"], answer.headers.get_filename(), answer.read())

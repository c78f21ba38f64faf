"""Shared by tests of enprof serve: a server and its clients."""

import json
import os
import re
import socket
import struct
import subprocess
import urllib.error
import urllib.request

from program import ENPROF, PATIENCE_S, ProgramTest, model, replay, wait_until


class WebSocket:
    """The part of RFC 6455 that reading text frames needs."""

    def __init__(self, port, target, origin=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
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
        number = re.search(rb"\r\nEnprof-Seq: (\d+)", head)
        self.last = int(number[1]) if number else None  # of the events so far

    def read(self, count):
        while len(self.received) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.received += more
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def send(self, message):
        """Sends one JSON message of less than 126 bytes, masked with zeros."""
        text = json.dumps(message).encode()
        self.socket.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)

    def frame(self):
        first, second = self.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.read(8))
        opcode, payload = first & 0x0F, self.read(length)
        if opcode == 9:  # the server drops a client that does not answer a ping
            self.socket.sendall(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
        return opcode, payload

    def events(self):
        """The events of the next frame that is not empty."""
        while True:
            opcode, payload = self.frame()
            if opcode == 1:
                return json.loads(payload)
            if opcode == 8:
                raise EOFError(payload[2:].decode())


class ServeTest(ProgramTest):
    """A test with its own server."""

    def setUp(self):
        super().setUp()
        self.models = self.dir / "models"
        self.models.mkdir()
        os.link(model(), self.models / "m.gguf")
        self.server = None

    def kill(self):
        """Kills the server."""
        if self.server:
            self.server.kill()
            self.server.communicate()
            self.server = None

    def tearDown(self):
        self.kill()
        super().tearDown()

    def serve(self, *arguments, env=None):
        """Starts a server on a free port."""
        self.server = subprocess.Popen(
            [str(ENPROF), "serve", "--port", "0", "--models-dir", str(self.models), "--db",
             str(self.db), "--baseline-s", "0", "--power", f"replay:{replay(50)}", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})})
        lines = [self.server.stderr.readline()]
        while lines[-1] and "serving" not in lines[-1]:  # such as lines about imported runs
            lines.append(self.server.stderr.readline())
        self.assertIn("serving", lines[-1], "".join(lines))
        self.said = "".join(lines)
        line = lines[-1]
        self.port = int(line.split("http://")[1].split("/")[0].rsplit(":", 1)[1])
        return line

    def serve_command(self, *command, options=(), serve=0, env=None):
        """Starts a command with a server of its own. Its standard input is a pipe."""
        self.server = subprocess.Popen(
            [str(word) for word in (
                ENPROF, "exec", "--serve", serve, "--db", self.db, "--baseline-s", 0, "--power",
                f"replay:{replay(50)}", *options, "--", *command)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})})
        line = self.server.stderr.readline()
        self.assertIn("serving", line)
        self.port = int(line.split("http://")[1].split("/")[0].rsplit(":", 1)[1])
        return line

    def ask(self, path, body=None, method=None, headers=None):
        """Status and JSON of an answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, headers=headers or {},
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
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
        """The run, once it has ended."""
        def ended():
            status, answer = self.ask(f"/api/profiling/run/{run}")
            return answer if status == 200 and answer["status"] not in ("queued", "running") else None
        return wait_until(ended, f"run {run} has ended")

    def wait_until_it_runs(self, run):
        wait_until(lambda: self.ask(f"/api/profiling/run/{run}")[1].get("status") == "running",
                   f"run {run} has begun")

    def download(self, path):
        """Content type, suggested name, and bytes."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}",
                                    timeout=PATIENCE_S) as answer:
            return (answer.headers["Content-Type"], answer.headers.get_filename(), answer.read())

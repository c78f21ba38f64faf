"""enprof serve as a client sees it: API, live stream, metrics, and how it ends."""

import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from program import ENPROF, ProgramTest, enprof, model, replay


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

    def frame(self):
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        return first & 0x0F, self.take(length)

    def events(self):
        """The events of the next frame that has some."""
        while True:
            opcode, payload = self.frame()
            if opcode == 1:
                return json.loads(payload)
            if opcode == 8:
                raise EOFError(payload[2:].decode())


class Serve(ProgramTest):
    def setUp(self):
        super().setUp()
        self.models = self.dir / "models"
        self.models.mkdir()
        os.link(model(), self.models / "m.gguf")
        self.server = None

    def tearDown(self):
        if self.server:
            self.server.kill()
            self.server.communicate()
        super().tearDown()

    def serve(self, *arguments):
        """Starts a server on a port of its own choice."""
        self.server = subprocess.Popen(
            [str(ENPROF), "serve", "--port", "0", "--models-dir", str(self.models), "--db",
             str(self.db), "--baseline-s", "0", "--power", f"replay:{replay(50)}", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
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

    def test_a_run_is_watched_looked_at_compared_and_deleted(self):
        self.serve()
        live = WebSocket(self.port, "/ws/profiling?since=0")
        self.assertEqual(live.status, 101)
        first = self.generate(depth="deep", tags=["a"])
        events = []
        while not any(event["type"] == "operation_metrics" for event in events):
            events += live.events()
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        types = [event["type"] for event in events]
        self.assertEqual(types.count("token_complete"), 8)
        for kind in ("model_loading", "run_started", "inference_complete", "energy_settled"):
            self.assertIn(kind, types)
        settled = [token for event in events if event["type"] == "energy_settled"
                   for token in event["data"]["tokens"]]

        run = self.wait_for(first)
        self.assertEqual(run["status"], "completed")
        self.assertEqual([token["energy_mj"] for token in run["tokens"]],
                         [token["energy_mj"] for token in settled])
        # 50 W all the time.
        self.assertAlmostEqual(run["totals"]["energy_mj"], 50 * run["totals"]["duration_ms"],
                               delta=1e-3 * run["totals"]["energy_mj"])
        status, matrix = self.ask(f"/api/profiling/run/{first}/matrix?metric=energy&phase=decode")
        self.assertEqual(status, 200)
        decode = sum(cell["energy_mj"] for cell in run["components"] if cell["phase"] == "decode")
        self.assertAlmostEqual(sum(value or 0 for row in matrix["values"] for value in row), decode,
                               delta=1e-6 * decode)
        status, power = self.ask(f"/api/profiling/run/{first}/power?points=100")
        self.assertEqual(status, 200)
        self.assertAlmostEqual(power["total"][0][2], 50_000, delta=1)

        second = self.generate(tags=["b"])
        self.wait_for(second)
        status, both = self.ask("/api/profiling/compare", {"run_ids": [first, second]})
        self.assertEqual([run["run_id"] for run in both["runs"]], [first, second])
        status, found = self.ask("/api/profiling/runs?tag=b")
        self.assertEqual((found["total"], found["runs"][0]["run_id"]), (1, second))
        status, exported = self.ask(f"/api/profiling/export/{first}?format=json")
        self.assertEqual(len(exported["tokens"]), 8)
        status, text = self.ask("/metrics")
        self.assertIn('enprof_runs_total{status="completed"} 2', text)
        self.assertIn("enprof_stream_clients 1", text)

        # What the operations of each layer took is what its components took.
        status, answer = self.ask(f"/api/profiling/run/{first}/operations?phase=decode")
        self.assertEqual(status, 200)
        for component in ("q_proj", "lm_head"):
            for layer in {cell["layer"] for cell in run["components"]
                          if cell["component"] == component}:
                expected = sum(cell["energy_mj"] for cell in run["components"]
                               if (cell["phase"], cell["layer"], cell["component"])
                               == ("decode", layer, component))
                parts = [entry for entry in answer["operations"]
                         if (entry["layer"], entry["component"]) == (layer, component)]
                self.assertGreater(len(parts), 0)
                self.assertAlmostEqual(sum(part["energy_mj"] for part in parts), expected,
                                       delta=1e-3 * expected)
        self.assertEqual(self.ask(f"/api/profiling/run/{first}/operations?phase=x")[0], 400)
        self.assertEqual(self.ask("/api/profiling/run/none/operations")[0], 404)

        status, answer = self.ask(f"/api/profiling/run/{second}", {"tags": ["c", "d"]}, "PATCH")
        self.assertEqual((status, answer["tags"]), (200, ["c", "d"]))
        self.assertEqual(self.ask("/api/profiling/runs?tag=b")[1]["total"], 0)
        self.assertEqual(self.ask("/api/profiling/runs?tag=d")[1]["runs"][0]["tags"], ["c", "d"])
        self.assertEqual(self.ask(f"/api/profiling/run/{second}", {"tags": "c"}, "PATCH")[0], 400)
        self.assertEqual(self.ask("/api/profiling/run/none", {"tags": []}, "PATCH")[0], 404)

        self.assertEqual(self.ask(f"/api/profiling/run/{second}", method="DELETE")[0], 200)
        self.assertEqual(self.ask(f"/api/profiling/run/{second}")[0], 404)

    def test_what_is_wrong_is_told(self):
        self.serve()
        (self.dir / "secret.gguf").write_bytes(b"x")
        for body, code in (({"model": "../secret.gguf", "prompt": "x"}, "invalid_argument"),
                           ({"model": "none.gguf", "prompt": "x"}, "not_found"),
                           ({"model": "m.gguf", "prompt": ""}, "invalid_argument"),
                           ({"model": "m.gguf", "prompt": "x", "max_tokens": 0},
                            "invalid_argument")):
            status, answer = self.ask("/api/profiling/generate", body)
            self.assertEqual((status, answer["code"]),
                             (404 if code == "not_found" else 400, code))
            self.assertTrue(answer["hint"])
        for path in ("/api/profiling/run/none", "/api/profiling/run/none/power", "/nothing"):
            self.assertEqual(self.ask(path)[0], 404, path)
        for query in ("sort_by=luck", "limit=0", "date_from=yesterday", "offset=-1"):
            self.assertEqual(self.ask(f"/api/profiling/runs?{query}")[0], 400, query)
        # A model that cannot be loaded fails its run, not the server.
        (self.models / "broken.gguf").write_bytes(b"GGUF")
        live = WebSocket(self.port, "/ws/profiling?since=0")
        self.generate(model="broken.gguf")
        events = []
        while not any(event["type"] == "error" for event in events):
            events += live.events()
        self.assertEqual(self.ask("/api/health")[1]["status"], "degraded")
        self.wait_for(self.generate())
        self.assertEqual(self.ask("/api/health")[1]["status"], "ok")

    def test_strangers_are_kept_out(self):
        self.serve()
        self.assertEqual(self.ask("/api/models", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(self.ask("/api/models", headers={"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(WebSocket(self.port, "/ws/profiling", "http://evil.example").status, 403)

    def test_the_network_needs_the_token_that_is_printed(self):
        line = self.serve("--host", "0.0.0.0")
        token = line.strip().rsplit("token=", 1)[1]
        self.assertEqual(self.ask("/api/models")[0], 403)
        self.assertEqual(self.ask(f"/api/models?token={token}")[0], 200)
        self.assertEqual(self.ask("/api/models",
                                  headers={"Authorization": f"Bearer {token}"})[0], 200)

    def test_a_run_is_cancelled_and_sigterm_saves_the_one_under_way(self):
        self.serve()
        run = self.generate(max_tokens=100_000)
        while self.ask(f"/api/profiling/run/{run}")[1].get("status") != "running":
            time.sleep(0.02)
        self.assertEqual(self.ask(f"/api/profiling/run/{run}", method="DELETE")[0], 202)
        self.assertEqual(self.wait_for(run)["status"], "cancelled")

        last = self.generate(max_tokens=100_000)
        live = WebSocket(self.port, "/ws/profiling")
        while not any(event["type"] == "token_complete" for event in live.events()):
            pass
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(timeout=60), 0)
        with self.assertRaises((EOFError, ConnectionError)):
            while True:
                live.events()
        shown = json.loads(enprof("show", last, "--json", "--db", self.db).stdout)
        self.assertEqual(shown["status"], "cancelled")
        self.assertGreater(len(shown["tokens"]), 0)

    def test_a_taken_port_and_a_missing_directory_are_errors(self):
        self.serve()
        for arguments in (["--port", str(self.port)],
                          ["--port", "0", "--models-dir", str(pathlib.Path(self.dir) / "gone")]):
            ended = enprof("serve", "--models-dir", self.models, "--db", self.db, *arguments)
            self.assert_fails(ended, 1)


if __name__ == "__main__":
    unittest.main()

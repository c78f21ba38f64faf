"""enprof serve as its clients see it: API, live stream, metrics, and shutdown."""

import csv
import io
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile

from program import ENPROF, FakeMachine, enprof, main, model, replay, wait_until
from serving import ServeTest, WebSocket


class Serve(ServeTest):
    def test_a_run_is_watched_looked_at_compared_and_deleted(self):
        self.serve()
        live = WebSocket(self.port, "/ws/profiling?since=0")
        self.assertEqual(live.status, 101)
        first = self.generate(depth="deep", tags=["a"])
        events = []
        while not any(event["type"] == "operation_metrics" for event in events):
            events += live.events()  # the last event except warnings
        first_number = events[0]["seq"]
        self.assertEqual([event["seq"] for event in events],
                         list(range(first_number, first_number + len(events))))
        types = [event["type"] for event in events]
        self.assertEqual(types.count("token_complete"), 8)
        for kind in ("model_loading", "run_started", "inference_complete", "energy_settled"):
            self.assertIn(kind, types)
        settled = [token for event in events
                   if event["type"] == "energy_settled" and event["data"]["final"] for token in event["data"]["tokens"]]

        run = self.wait_for(first)
        self.assertEqual(run["status"], "completed")
        self.assertEqual([token["energy_mj"] for token in run["tokens"]],
                         [token["energy_mj"] for token in settled])
        # Constant 50 W.
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
        self.assertRegex(text, r'enprof_sensor_read_errors_total\{source="replay[^"]*"\} 0')

        # The operations of a layer add up to its components.
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

    def test_energy_is_settled_and_layers_fill_while_the_run_goes_on(self):
        self.serve()
        live = WebSocket(self.port, "/ws/profiling?since=0")
        run = self.generate(depth="deep", max_tokens=100_000)
        settled, kinds = [], set()
        while not {"layer_metrics", "component_metrics"} <= kinds or len(settled) < 10:
            for event in live.events():
                kinds.add(event["type"])
                if event["type"] == "energy_settled":
                    self.assertIs(event["data"]["final"], False)
                    settled += event["data"]["tokens"]
                if event["type"] == "component_metrics":
                    cells = [entry for entry in event["data"]["entries"]
                             if entry["phase"] == "decode" and entry["layer"] is not None]
        self.assertEqual([token["index"] for token in settled], list(range(len(settled))))
        for token in settled:
            self.assertAlmostEqual(token["energy_mj"], 50 * token["duration_ms"], places=3)
        self.assertEqual({cell["layer"] for cell in cells}, set(range(8)))
        self.assertTrue(all(cell["energy_mj"] > 0 for cell in cells))
        # Operations cost more, so only clients that name them get them.
        self.assertNotIn("operation_metrics", kinds)
        asking = WebSocket(self.port, "/ws/profiling")
        asking.send({"subscribe": {"types": ["operation_metrics"]}})
        # What was on its way before the server heard the request still comes.
        operations = None
        while operations is None:
            operations = next((event for event in asking.events() if event["type"] == "operation_metrics"), None)
        self.assertIs(operations["data"]["final"], False)
        self.assertIn("MUL_MAT", {entry["op"] for entry in operations["data"]["entries"]})
        self.assertEqual(self.ask(f"/api/profiling/run/{run}", method="DELETE")[0], 202)
        self.wait_for(run)

    def test_a_run_is_exported_as_tables(self):
        self.serve()
        run = self.generate(depth="deep")
        self.wait_for(run)
        kind, name, packed = self.download(f"/api/profiling/export/{run}?format=csv")
        self.assertEqual((kind, name), ("application/zip", f"enprof-{run}-csv.zip"))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            self.assertIsNone(archive.testzip())
            files = {entry: archive.read(entry) for entry in archive.namelist()}
        # The same as from the command line.
        made = enprof("export", run, "--format", "csv", "-o", self.dir / "csv", "--db", self.db)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(files, {path.name: path.read_bytes()
                                 for path in (self.dir / "csv").iterdir()})
        kind, name, text = self.download(f"/api/profiling/export/{run}?format=csv&table=tokens")
        self.assertEqual((kind, name), ("text/csv; charset=utf-8", f"enprof-{run}-tokens.csv"))
        self.assertEqual(text, files["tokens.csv"])
        self.assertEqual(len(list(csv.reader(io.StringIO(text.decode())))), 9)
        for query in ("format=xml", "format=csv&table=luck", "table=tokens"):
            status, answer = self.ask(f"/api/profiling/export/{run}?{query}")
            self.assertEqual((status, answer["code"]), (400, "invalid_argument"), query)
        self.assertEqual(self.ask("/api/profiling/export/none?format=csv")[0], 404)

    def make_a_long_run(self, tokens=800):
        """A run with several MB of JSON; loaded from a file, since creating it takes longer."""
        model_run = self.dir / "short.json"
        made = enprof("run", "-m", model(), "-p", "Hello", "-n", "8", "--depth", "module",
                      "--power", f"replay:{replay(50)}", "--baseline-s", "0", "--no-save",
                      "--json", model_run)
        self.assertEqual(made.returncode, 0, made.stderr)
        run = json.loads(model_run.read_text())
        run["run_id"] = "1ong" * 4
        events, table = run["operation_table"]["events"], run["operation_table"]
        last = [event for event in events if event[4] == 6]
        table["events"] += [[begin + 10.0 * index, duration, energy, operation, 7 + index, phase]
                            for index in range(tokens)
                            for begin, duration, energy, operation, _, phase in last]
        run["tokens"] += [run["tokens"][-1] | {"index": 8 + index} for index in range(tokens)]
        long_run = self.dir / "long.json"
        long_run.write_text(json.dumps(run))
        made = enprof("import", long_run, "--db", self.db)
        self.assertEqual(made.returncode, 0, made.stderr)
        return run

    def peak_memory_mb(self):
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024

    def test_forty_who_read_nothing_cost_little_and_health_is_told(self):
        run = self.make_a_long_run()
        self.serve()
        target = f"/api/profiling/run/{run['run_id']}?include=operations"
        status, whole = self.ask(target)
        self.assertEqual(status, 200)
        self.assertEqual([event[3:] for event in whole["operation_table"]["events"]],
                         [event[3:] for event in run["operation_table"]["events"]])
        self.assertEqual(len(whole["tokens"]), len(run["tokens"]))
        size = len(json.dumps(whole))
        self.assertGreater(size, 5_000_000)
        before = self.peak_memory_mb()
        readers = []
        for number in range(40):
            reader = socket.socket()
            self.addCleanup(reader.close)
            if sys.platform == "linux":  # from two addresses: one address may have only 32
                reader.bind((f"127.0.0.{2 + number % 2}", 0))
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(60)
            reader.connect(("127.0.0.1", self.port))
            reader.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{self.port}\r\n\r\n".encode())
            readers.append(reader)
        for reader in readers:
            self.assertTrue(reader.recv(9).startswith(b"HTTP/1.1 "))
            for path in ("/healthz", "/api/health", "/metrics"):
                self.assertEqual(self.ask(path)[0], 200)
        self.assertLess(self.peak_memory_mb() - before, 40 * size / 1e6 / 4)
        # Writers do not block readers, nor the reverse.
        self.assertEqual(self.ask(f"/api/profiling/run/{run['run_id']}", {"tags": ["slow"]},
                                  method="PATCH")[0], 200)
        self.assertEqual(self.ask(f"/api/profiling/run/{run['run_id']}/pipeline")[0], 200)

    def test_a_run_that_is_deleted_while_it_is_sent_has_no_end(self):
        run = self.make_a_long_run()
        self.serve()
        path = f"/api/profiling/run/{run['run_id']}"
        reader = socket.socket()
        self.addCleanup(reader.close)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(60)
        reader.connect(("127.0.0.1", self.port))
        reader.sendall(f"GET {path}?include=operations HTTP/1.1\r\n"
                       f"Host: localhost:{self.port}\r\n\r\n".encode())
        self.assertTrue(reader.recv(9).startswith(b"HTTP/1.1 "))
        self.assertEqual(self.ask(path, method="DELETE")[0], 200)
        received = b""
        try:
            while more := reader.recv(1 << 20):
                received += more
        except ConnectionResetError:
            pass
        self.assertFalse(received.endswith(b"\r\n0\r\n\r\n"))

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
        self.assertEqual(self.ask("/api/models")[0], 401)
        self.assertEqual(self.ask(f"/api/models?token={token}")[0], 200)
        for headers in ({}, {"Host": "localhost:9000"}, {"Host": "box.lan"},
                        {"Host": "box.example", "Origin": "https://box.example"}):
            headers["Authorization"] = f"Bearer {token}"
            self.assertEqual(self.ask("/api/models", headers=headers)[0], 200, headers)

    def test_every_address_is_told_as_those_that_can_be_used(self):
        line = self.serve("--host", "0.0.0.0", "--token", "s3cret")
        self.assertIn(f"http://127.0.0.1:{self.port}/?token=s3cret", line)
        rest = ""
        while "Ctrl-C" not in rest:
            rest += self.server.stderr.readline()
        self.assertIn(f"listening on every address of this machine: http://0.0.0.0:{self.port}\n",
                      rest)
        for other in re.findall(r" or http://([0-9.]+):", rest):
            with socket.create_connection((other, self.port), timeout=60):
                pass

    def test_names_can_be_allowed(self):
        self.serve("--allow-host", "box.lan", "--allow-host", "box.example:8443")
        for host, status in (("box.lan", 200), ("box.lan:80", 200), ("box.example:8443", 200),
                             ("box.example", 403), ("evil.example", 403)):
            self.assertEqual(self.ask("/api/models", headers={"Host": host})[0], status, host)
        wrong = enprof("serve", "--allow-host", "https://box.lan", "--db", self.db)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("is not a host name", wrong.stderr)

    def test_what_a_model_hub_lays_out_is_listed_and_runs(self):
        snapshot = self.dir / "hub" / "snapshots" / "1a2b"
        blobs = self.dir / "hub" / "blobs"
        for directory in (snapshot, blobs):
            directory.mkdir(parents=True)
        shutil.copy(model(), blobs / "5e1f00")
        (snapshot / "hub.gguf").symlink_to("../../blobs/5e1f00")
        (snapshot / "secret.gguf").symlink_to("/etc/passwd")
        self.models = snapshot
        self.serve()
        listed = self.ask("/api/models")[1]["models"]
        self.assertEqual([entry["name"] for entry in listed], ["hub.gguf"])
        run = self.wait_for(self.generate(model="hub.gguf"))
        self.assertEqual((run["status"], run["model"]["path"]), ("completed", "hub.gguf"))
        status, refused = self.ask("/api/profiling/generate", {"model": "secret.gguf", "prompt": "x"})
        self.assertEqual((status, refused["code"]), (403, "permission_denied"))
        self.assertNotIn(str(self.dir), json.dumps(refused))

    def test_a_link_that_is_changed_all_the_time_loads_nothing_from_elsewhere(self):
        os.link(model(1, 64, 64), self.dir / "elsewhere.gguf")
        done = threading.Event()

        def change():
            for turn in itertools.count():
                if done.is_set():
                    return
                (self.models / "next").symlink_to(("m.gguf", "../elsewhere.gguf")[turn % 2])
                os.replace(self.models / "next", self.models / "raced.gguf")

        changing = threading.Thread(target=change)
        changing.start()
        self.addCleanup(changing.join)
        self.addCleanup(done.set)
        self.serve("--power", "none")
        ended = []
        while len(ended) < 60 or "completed" not in ended:
            status, answer = self.ask("/api/profiling/generate",
                                      {"model": "raced.gguf", "prompt": "x", "max_tokens": 1})
            if status == 202:
                run = self.wait_for(answer["run_id"])
                if run["status"] == "completed":
                    self.assertEqual(run["model"]["layers"], 8)
                ended.append(run["status"])
            else:
                self.assertIn(status, (403, 404), answer)
                ended.append(status)

    def test_a_run_is_cancelled_and_sigterm_saves_the_one_under_way(self):
        self.serve()
        run = self.generate(max_tokens=100_000)
        self.wait_until_it_runs(run)
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

    def test_sigterm_saves_the_runs_that_wait_as_cancelled(self):
        self.serve()
        first = self.generate(max_tokens=100_000)
        waiting = [self.generate(tags=[tag]) for tag in "ab"]
        live = WebSocket(self.port, "/ws/profiling?since=0")
        while not any(event["type"] == "token_complete" for event in live.events()):
            pass
        server, self.server = self.server, None
        server.send_signal(signal.SIGTERM)
        said = server.communicate(timeout=60)[1]
        self.assertEqual(server.returncode, 0, said)
        self.assertIn(f"stopping: run {first} is cancelled and saved; 2 waiting runs saved as "
                      "cancelled", said)
        for run, tag in zip(waiting, "ab"):
            shown = json.loads(enprof("show", run, "--json", "--db", self.db).stdout)
            self.assertEqual((shown["status"], shown["finish_reason"], shown["tags"]),
                             ("cancelled", "cancelled", [tag]))
            self.assertEqual([warning["code"] for warning in shown["warnings"]], ["server_stopped"])

    def test_a_run_that_is_cancelled_while_it_waits_ends_for_its_watchers(self):
        self.serve()
        first = self.generate(max_tokens=100_000)
        second = self.generate(tags=["b"])
        live = WebSocket(self.port, "/ws/profiling?since=0")
        live.send({"subscribe": {"runs": [second]}})
        self.assertEqual(self.ask(f"/api/profiling/run/{second}", method="DELETE")[0], 202)
        run = self.wait_for(second)
        self.assertEqual((run["status"], run["finish_reason"], run["tags"]),
                         ("cancelled", "cancelled", ["b"]))
        (end, *_) = [event for event in live.events() if event["run_id"] == second]
        self.assertEqual((end["type"], end["data"]["status"]), ("inference_complete", "cancelled"))
        self.assertEqual(self.ask(f"/api/profiling/run/{first}", method="DELETE")[0], 202)
        self.wait_for(first)

    def test_a_run_that_the_engine_refuses_is_kept_with_the_reason(self):
        self.serve()
        run = self.wait_for(self.generate(prompt="word " * 10_000))
        self.assertEqual((run["status"], run["finish_reason"]), ("failed", "error"))
        (reason,) = [warning["message"] for warning in run["warnings"]
                     if warning["code"] == "generation_failed"]
        self.assertIn("the context holds", reason)

    def test_a_model_that_takes_the_place_of_another_is_the_one_that_runs(self):
        self.serve()
        self.assertEqual(self.wait_for(self.generate())["model"]["layers"], 8)
        new = self.dir / "new.gguf"
        shutil.copyfile(model(layers=2, embd=128, ff=256), new)
        new.rename(self.models / "m.gguf")
        self.assertEqual(self.wait_for(self.generate())["model"]["layers"], 2)

    def test_runs_say_that_there_was_no_idle_baseline(self):
        with FakeMachine(self.dir / "proc") as environment:
            self.serve("--baseline-s", "0.3", env=environment)
            run = self.wait_for(self.generate())
        self.assertIn("baseline_refused", [warning["code"] for warning in run["warnings"]])
        self.assertIsNone(run["power"]["baseline"])

    def test_a_signal_ends_the_idle_measurement(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [str(ENPROF), "serve", "--port", str(port), "--models-dir", str(self.models), "--db",
             str(self.db), "--baseline-s", "3000", "--power", f"replay:{replay(50)}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def listens():  # before it measures
            self.assertIsNone(server.poll())
            try:  # the server listens before it measures
                socket.create_connection(("127.0.0.1", port), timeout=60).close()
                return True
            except ConnectionRefusedError:
                return False
        wait_until(listens, "the server listens")
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(timeout=300), 0)

    def test_the_token_comes_from_the_environment_and_goes_into_the_url_as_it_is(self):
        line = self.serve(env={"ENPROF_TOKEN": "a+b&c=d"})
        encoded = line.strip().rsplit("?token=", 1)[1]
        self.assertEqual(encoded, "a%2Bb%26c%3Dd")
        self.assertEqual(self.ask("/api/models")[0], 401)
        self.assertEqual(self.ask(f"/api/models?token={encoded}")[0], 200)

    def test_a_taken_port_and_a_missing_directory_are_errors(self):
        self.serve()
        for arguments in (["--port", str(self.port)],
                          ["--port", "0", "--models-dir", str(pathlib.Path(self.dir) / "gone")]):
            ended = enprof("serve", "--models-dir", self.models, "--db", self.db, *arguments)
            self.assert_fails(ended, 1)


if __name__ == "__main__":
    main()

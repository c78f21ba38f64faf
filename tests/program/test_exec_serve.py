"""`enprof exec --serve`: what a command does, while it runs."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from program import (ENPROF, PATIENCE_S, changed_script, enprof, main, model, recorded_passes, replay,
                     wait_until)
from serving import ServeTest, WebSocket

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = pathlib.Path(os.environ["ENPROF_BUILD"]) / "shared-llama" / "libllama.so"
STEADY = f"replay:{replay(50)}"
CAT = ("cat",)  # runs until its standard input ends


class ExecServe(ServeTest):
    """A command with a server of its own. The command ends when its standard input does."""

    def words(self, *options):
        return ["exec", "--baseline-s", 0, "--power", STEADY, "--db", self.db, *options, "--"]

    def finish(self, code=0):
        """Ends the command; what enprof said."""
        _, said = self.server.communicate(timeout=PATIENCE_S)
        self.assertEqual(self.server.returncode, code, said)
        self.server = None
        return said

    def recorded(self):
        return ("--passes", recorded_passes(self.dir / "passes.json"))

    def watch(self, *arguments):
        process = subprocess.Popen(
            [str(ENPROF), "watch", f"http://127.0.0.1:{self.port}", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def stream(self, query="?since=0", **options):
        opened = WebSocket(self.port, f"/ws/profiling{query}", **options)
        self.addCleanup(opened.socket.close)
        return opened

    def until(self, events, found):
        """Reads frames until an event is found: that one, and all events so far."""
        seen = []
        while True:
            for event in events.events():
                seen.append(event)
                if found(event):
                    return event, seen


def in_flight(count):
    return lambda event: (event["type"] == "request_metrics"
                          and event["data"]["in_flight"] == count)


class WhileItRuns(ExecServe):
    def test_a_watch_sees_requests_in_flight_and_ends_with_the_command(self):
        self.serve_command(*CAT, options=self.recorded())
        watch = self.watch("--since", "0")
        lines = []
        for line in watch.stdout:
            lines.append(line.rstrip("\n"))
            if " request_metrics " in line and " requests=2 " in line:
                break
        self.assertRegex(line, r"^\d+ [0-9a-f]{16} [\d.]+ request_metrics passes=\d+ requests=2 "
                               r"in_flight=1 output_tokens=\d+ tokens_per_second=[\d.]+ "
                               r"mean_sequences=[\d.]+ energy_per_output_token_mj=[\d.]+ "
                               r"provisional=true running=1 ended=\d+ taken_back=0 left_out=0$")
        said = self.finish()
        self.assertIn("Requests", said)
        rest, notes = watch.communicate(timeout=PATIENCE_S)
        self.assertEqual(watch.returncode, 0, notes)
        self.assertNotIn("trying again", notes)
        types = [line.split(" ")[3] for line in lines + rest.splitlines()]
        self.assertEqual(types[0], "run_started")
        self.assertIn("power_sample", types)
        self.assertIn("inference_complete", types)
        last = [line for line in rest.splitlines() if " request_metrics " in line][-1]
        self.assertIn(" in_flight=0 ", last)

    def test_the_stream_lists_each_request_from_its_begin_to_its_end(self):
        self.serve_command(*CAT, options=self.recorded())
        events = self.stream()
        second, seen = self.until(events, lambda event: in_flight(1)(event)
                                  and event["data"]["requests"] == 2)
        (running,) = second["data"]["running"]
        self.assertEqual((running["number"], running["sequence"], running["prompt_tokens"]), (2, 0, 12))
        self.assertAlmostEqual(running["begin_ms"], 300, delta=100)
        self.assertAlmostEqual(running["time_to_first_token_ms"], 18, delta=0.1)
        ended = [request for event in seen if event["type"] == "request_metrics"
                 for request in event["data"]["ended"]]
        self.assertEqual([request["number"] for request in ended], [1])
        self.assertEqual(ended[0]["output_tokens"], 10)
        self.assertAlmostEqual(ended[0]["end_ms"] - ended[0]["begin_ms"], 198, delta=0.1)
        self.assertEqual(self.ask("/api/health")[1]["running"], second["run_id"])
        self.server.stdin.close()
        end, seen = self.until(events, lambda event: event["type"] == "inference_complete")
        self.assertEqual(end["data"]["status"], "completed")
        (last,) = [event for event in seen if event["type"] == "request_metrics"][-1:]
        self.assertEqual((last["data"]["in_flight"], last["data"]["running"]), (0, []))
        self.assertIn(2, [request["number"] for request in last["data"]["ended"]])
        self.server.stdin = None
        self.finish()

    def test_a_watcher_that_comes_late_has_what_is_in_flight(self):
        self.serve_command(*CAT, options=self.recorded())
        first = self.stream()
        self.until(first, lambda event: in_flight(1)(event) and event["data"]["requests"] == 2)
        late = self.stream("")
        event, _ = self.until(late, in_flight(1))
        self.assertEqual(event["data"]["running"][0]["number"], 2)
        self.assertLess(event["data"]["running"][0]["begin_ms"], event["t_ms"])
        self.finish()

    def test_the_page_and_the_api_are_there_and_run_no_models(self):
        self.serve_command(*CAT)
        status, page = self.ask("/")
        self.assertEqual(status, 200)
        self.assertIn("enprof", page)
        run = wait_until(lambda: self.ask("/api/health")[1]["running"], "the command runs")
        self.assertEqual(self.ask(f"/api/profiling/run/{run}")[1]["status"], "running")
        self.assertEqual(self.ask("/api/profiling/resolve?run=last")[1]["run_id"], run)
        self.assertEqual(self.ask("/api/health")[1]["program"], "enprof exec")
        self.assertEqual(self.ask("/api/models"), (200, {"models": []}))
        status, refused = self.ask("/api/profiling/generate", {"model": "m.gguf", "prompt": "Hello"})
        self.assertEqual(status, 409)
        self.assertIn("This server belongs to `enprof exec`", refused["message"])
        self.assertIn("enprof serve", refused["hint"])
        status, refused = self.ask(f"/api/profiling/run/{run}", method="DELETE")
        self.assertEqual(status, 409)
        self.assertIn("Ctrl-C", refused["hint"])
        self.assertEqual(self.ask("/api/power/status")[1]["domains"][0]["name"], "cpu")
        self.assertIn("enprof_power_watts 50", self.ask("/metrics")[1])
        self.finish()

    def test_a_command_without_llama_has_its_power(self):
        self.serve_command(*CAT)
        events = self.stream()
        self.until(events, lambda event: event["type"] == "power_sample"
                   and event["data"]["power_mw"] is not None)
        self.server.stdin.close()
        _, seen = self.until(events, lambda event: event["type"] == "inference_complete")
        self.assertNotIn("request_metrics", {event["type"] for event in seen})
        self.server.stdin = None
        self.finish()

    def test_runs_after_each_other_have_one_server(self):
        self.serve_command("sh", "-c", "read line; true", options=("-r", 2))
        events = self.stream()
        watch = self.watch("--since", "0")
        first, _ = self.until(events, lambda event: event["type"] == "run_started")
        self.server.stdin.write("go on\n")
        self.server.stdin.flush()
        second, _ = self.until(events, lambda event: event["type"] == "run_started"
                               and event["run_id"] != first["run_id"])
        self.finish()
        out, notes = watch.communicate(timeout=PATIENCE_S)
        self.assertEqual(watch.returncode, 0, notes)
        ends = [line.split(" ")[1] for line in out.splitlines() if " inference_complete " in line]
        self.assertEqual(ends, [first["run_id"], second["run_id"]])

    @unittest.skipUnless(sys.platform == "linux" and LIBRARY.exists(), "needs the shared llama.cpp")
    def test_requests_of_llama_inside(self):
        script = changed_script(
            HERE / "llama_late.py", self.dir / "waits.py", lambda text: text.replace(
                "for step in range(OUTPUT):",
                "for step in range(OUTPUT):\n    if step == 3:\n        sys.stdin.readline()"))
        self.serve_command(sys.executable, script, LIBRARY, model(layers=4, embd=256, ff=512), 8, 5, 2)
        events = self.stream()
        event, _ = self.until(events, in_flight(2))
        self.assertEqual({request["prompt_tokens"] for request in event["data"]["running"]}, {8})
        self.server.stdin.write("go on\n")
        self.server.stdin.flush()
        _, seen = self.until(events, lambda event: event["type"] == "inference_complete")
        last = [each["data"] for each in seen if each["type"] == "request_metrics"][-1]
        self.assertEqual((last["requests"], last["in_flight"], last["output_tokens"]), (2, 0, 12))
        self.finish()


class ItsEnd(ExecServe):
    def test_it_waits_for_no_browser(self):
        self.serve_command(*CAT)
        events = self.stream()  # never answers the close frame
        idle = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        self.addCleanup(idle.close)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        wait_until(lambda: self.ask("/api/health")[1]["running"], "the command runs")
        begin = time.monotonic()
        self.finish()
        self.assertLess(time.monotonic() - begin, 10)

    def test_a_signal_reaches_the_command_and_the_watchers_get_the_end(self):
        self.serve_command("sleep", "1000")
        events = self.stream()
        wait_until(lambda: self.ask("/api/health")[1]["running"], "the command runs")
        self.server.send_signal(signal.SIGTERM)
        end, _ = self.until(events, lambda event: event["type"] == "inference_complete")
        self.assertEqual(end["data"]["status"], "cancelled")
        self.finish(128 + signal.SIGTERM)

    def test_a_command_that_cannot_be_started_is_told(self):
        script = self.dir / "script"
        script.write_text("#!/nowhere/sh\n")
        script.chmod(0o755)
        self.serve_command(script, options=("-r", 3))
        self.assertIn("Cannot start", self.finish(127))


class ItsDescriptors(ExecServe):
    def test_the_command_gets_none_of_the_servers(self):
        script = self.dir / "look.py"
        script.write_text("""
import os, sys
sys.stdin.readline()
open_now = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
print(sorted(os.readlink(path) for path in open_now if os.path.exists(path) or os.path.islink(path)),
      flush=True)
""")
        plain = subprocess.run([sys.executable, "-S", script], stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, check=True).stdout
        sockets = [name for name in eval(plain) if "socket" in name or "event" in name]
        # Clients come while the first run goes on; the second is started with all of them there.
        self.serve_command(sys.executable, "-S", script, options=("-r", 2))
        clients = [self.stream() for _ in range(3)]
        self.until(clients[0], lambda event: event["type"] == "run_started")
        stop = threading.Event()

        def come_and_go():
            while not stop.is_set():
                try:
                    socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S).close()
                except OSError:
                    return
        busy = threading.Thread(target=come_and_go)
        busy.start()
        out, said = self.server.communicate("\n", timeout=PATIENCE_S)
        stop.set()
        busy.join()
        self.assertEqual(self.server.returncode, 0, said)
        self.server = None
        runs = [eval(line) for line in out.splitlines()]
        self.assertEqual(len(runs), 2, out)
        for names in runs:
            self.assertEqual([name for name in names if "socket" in name or "event" in name], sockets)


class WhoMayConnect(ExecServe):
    def test_another_address_needs_the_token(self):
        line = self.serve_command(*CAT, serve="0.0.0.0:0", env={"ENPROF_TOKEN": ""})
        token = re.search(r"token=([0-9a-f]{32})", line)[1]
        self.assertEqual(self.ask("/api/health")[0], 401)
        self.assertEqual(self.ask(f"/api/health?token={token}")[0], 200)
        self.finish()

    def test_the_token_may_be_given(self):
        line = self.serve_command(*CAT, serve="0.0.0.0:0", env={"ENPROF_TOKEN": "s3cret"})
        self.assertIn("token=s3cret", line)
        self.assertEqual(self.ask("/api/health?token=s3cret")[0], 200)
        self.finish()

    def test_a_foreign_page_is_refused(self):
        self.serve_command(*CAT)
        self.assertEqual(self.ask("/api/health", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(self.stream(origin="http://evil.example").status, 403)
        self.finish()


class BadInput(ExecServe):
    def run_exec(self, *options):
        return enprof(*self.words(*options), "touch", self.dir / "started")

    def assert_not_started(self, process, code, *texts):
        self.assertEqual(process.returncode, code, process.stderr)
        for text in texts:
            self.assertIn(text, process.stderr)
        self.assertFalse((self.dir / "started").exists())

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            self.assert_not_started(self.run_exec("--serve", port), 125,
                                    f"Cannot listen on 127.0.0.1 port {port}", "--serve 0")

    def test_a_place_that_is_none(self):
        for place in ("", "x", "80:", "99999", "[::1]", "http://127.0.0.1:80"):
            self.assert_not_started(self.run_exec("--serve", place), 2)
        self.assert_not_started(self.run_exec("--serve", "::1:80"), 2, "[::1]:80")
        self.assert_not_started(self.run_exec("--serve", "300.0.0.1:80"), 2, "'300.0.0.1'")
        self.assert_not_started(self.run_exec("--serve", "0", "--allow-host", "a b"), 2, "host name")

    def test_without_a_database_there_is_nothing_to_show(self):
        self.assert_not_started(self.run_exec("--serve", 0, "--no-save"), 2, "--no-save")


if __name__ == "__main__":
    main()

"""enprof watch with a running enprof serve: runs, breaks, refusals, terminals."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import urllib.request

from program import (ENPROF, PATIENCE_S, ProgramTest, enprof, main, model, played, recorded_passes,
                     replay, wait_until)


class Reader:
    """Lines of a stream, read on a separate thread."""

    def __init__(self, stream):
        self.lines = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait_for(self, found, what, timeout=PATIENCE_S):
        """The first line for which `found` is true."""
        with self.changed:
            seen = self.changed.wait_for(
                lambda: next((line for line in self.lines if found(line)), None), timeout)
        if not seen:
            raise AssertionError(f"no {what} in:\n" + "\n".join(self.lines))
        return seen


def settled(run):
    """Finds the line at which a run is complete; energies settle during it, too."""
    return lambda line: f" {run} " in line and " energy_settled " in line and "final=true" in line


class Proxy:
    """Passes connections on to a server until it is cut; then refuses them until it is mended."""

    def __init__(self, port):
        self.target = port
        self.sockets = []
        self.lock = threading.Lock()
        self.is_cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            with self.lock:
                if self.is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [client, server]
            # The server accepts only its own host name.
            names = f":{self.port}".encode(), f":{self.target}".encode()
            for source, sink, (old, new) in ((client, server, names), (server, client, (b"", b""))):
                threading.Thread(target=self.pump, args=(source, sink, old, new),
                                 daemon=True).start()

    def pump(self, source, sink, old, new):
        try:
            while data := source.recv(65536):
                sink.sendall(data.replace(old, new, 1) if old else data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut

    def cut(self):
        with self.lock:
            self.is_cut = True
            for end in self.sockets:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # one of its ends was closed
                end.close()
            self.sockets = []

    def mend(self):
        self.is_cut = False

    def close(self):
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class WatchTest(ProgramTest):
    """A test with its own servers, watches and runs."""

    def setUp(self):
        super().setUp()
        self.models = self.dir / "models"
        self.models.mkdir()
        os.link(model(), self.models / "m.gguf")
        shutil.copyfile(played(1), self.models / "slow.playback.json")
        self.started = []
        self.port = 0

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        super().tearDown()

    def serve(self, *arguments, env=None):
        server = subprocess.Popen(
            [str(ENPROF), "serve", "--port", str(self.port), "--models-dir", str(self.models),
             "--db", str(self.db), "--baseline-s", "0", "--power", f"replay:{replay(50)}",
             *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})})
        self.started.append(server)
        line = server.stderr.readline()
        while line and "serving" not in line:  # it may report an interrupted run first
            line = server.stderr.readline()
        self.assertIn("serving", line)
        self.port = int(line.split("http://")[1].split("/")[0].rsplit(":", 1)[1])
        threading.Thread(target=server.stderr.read, daemon=True).start()
        return server, line.strip()

    def watch(self, *arguments, url=None, env=None):
        process = subprocess.Popen(
            [str(ENPROF), "watch", url or f"http://127.0.0.1:{self.port}", *arguments],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started.append(process)
        return process, Reader(process.stdout), Reader(process.stderr)

    def generate(self, **order):
        body = {"model": "m.gguf", "prompt": "Hello", "max_tokens": 8} | order
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/profiling/generate",
                                         data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["run_id"]

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.loads(answer.read())

    def wait_for(self, run):
        """The run, after it has ended."""
        def ended():
            shown = self.ask(f"/api/profiling/run/{run}")
            return shown if shown["status"] not in ("queued", "running") else None
        return wait_until(ended, f"run {run} has ended")


class InAPipe(WatchTest):
    def test_lines_tell_of_a_run_and_ctrl_c_ends(self):
        self.serve()
        process, out, notes = self.watch()
        notes.wait_for(lambda line: "connected to" in line, "connection")
        run = self.generate()
        out.wait_for(settled(run), "settled energy")
        types = [line.split(" ")[3] for line in out.lines if line.split(" ")[1] == run]
        self.assertEqual(types.count("token_complete"), 8)
        self.assertEqual(types[0], "model_loading")
        self.assertLess(types.index("run_started"), types.index("token_complete"))
        numbers = [int(line.split(" ")[0]) for line in out.lines]
        self.assertEqual(numbers, sorted(set(numbers)))
        token = next(line for line in out.lines if " token_complete " in line)
        self.assertRegex(token, r'^\d+ [0-9a-f]+ [\d.]+ token_complete index=0 text=".*" phase=')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    def test_json_is_the_events_and_one_run_ends_by_itself(self):
        self.serve()
        self.generate()
        run = self.generate()
        self.generate()
        process, out, notes = self.watch("--json", "--run", run)
        self.assertEqual(process.wait(timeout=120), 0, notes.lines)
        out.thread.join(timeout=PATIENCE_S)
        events = [json.loads(line) for line in out.lines]
        self.assertEqual({event["run_id"] for event in events}, {run})
        text = [event["data"]["text"] for event in events if event["type"] == "token_complete"]
        self.assertEqual(len(text), 8)
        self.assertIn("energy_settled", [event["type"] for event in events])

    def test_a_run_may_be_named_by_a_prefix_or_as_the_last_one(self):
        self.serve()
        first, second = self.generate(), self.generate()
        self.wait_for(second)
        length = next(end for end in range(1, len(first)) if first[:end] != second[:end])
        for name, run in ((first[:length], first), ("last", second)):
            process, out, notes = self.watch("--json", "--run", name)
            self.assertEqual(process.wait(timeout=120), 0, notes.lines)
            out.thread.join(timeout=PATIENCE_S)
            self.assertEqual({json.loads(line)["run_id"] for line in out.lines}, {run})
        under_way = self.generate(max_tokens=100_000)
        wait_until(lambda: self.ask("/api/health")["running"] == under_way, "the run has begun")
        self.generate()  # waits
        _, out, _ = self.watch("--run", "last")
        out.wait_for(lambda line: f" {under_way} " in line, "the run under way")
        self.assertEqual(self.ask("/api/profiling/resolve?run=last"),
                         {"run_id": under_way, "status": "running"})

    def test_a_run_that_is_none_is_told_apart_from_one_that_may_be_several(self):
        self.serve()
        for _ in range(17):  # at least two of them begin with the same digit
            run = self.generate(max_tokens=1)
            self.wait_for(run)
        runs = [run["run_id"] for run in self.ask("/api/profiling/runs")["runs"]]
        digit = next(run[0] for run in runs if sum(other[0] == run[0] for other in runs) > 1)
        url = f"http://127.0.0.1:{self.port}"
        self.assert_fails(self.without_notes("watch", url, "--run", digit), 1,
                          f"runs begin with {digit}", "Type more of the id")
        self.assert_fails(self.without_notes("watch", url, "--run", "lats/&x=1"), 1,
                          "There is no run lats/&x=1")

    def test_a_failed_run_and_an_unknown_one_exit_with_1(self):
        self.serve()
        (self.models / "broken.gguf").write_bytes(b"GGUF")
        run = self.generate(model="broken.gguf")
        process, out, notes = self.watch("--run", run)
        self.assertEqual(process.wait(timeout=60), 1, notes.lines)
        out.wait_for(lambda line: " error code=" in line, "error")
        process, _, notes = self.watch("--run", "0123456789abcdef")
        self.assertEqual(process.wait(timeout=60), 1)
        notes.wait_for(lambda line: "There is no run 0123456789abcdef" in line, "message")

    def test_a_server_that_is_killed_and_comes_back_is_found_again(self):
        server, _ = self.serve()
        process, out, notes = self.watch("--since", "0")
        first = self.generate(max_tokens=100_000)
        out.wait_for(lambda line: f" {first} " in line and " token_complete " in line, "token")
        server.kill()
        notes.wait_for(lambda line: "was lost" in line and "trying again in" in line, "break")
        notes.wait_for(lambda line: "Cannot connect" in line, "second try")
        self.serve()  # on the same port
        connections = lambda: sum("connected to" in line for line in notes.lines)
        notes.wait_for(lambda line: connections() == 2, "second connection")
        second = self.generate()
        out.wait_for(settled(second), "new run")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    @staticmethod
    def gaps(out):
        return [line for line in out.lines if " gap " in line]

    def test_a_server_that_was_started_anew_skips_nothing_in_silence(self):
        server, _ = self.serve()
        _, out, _ = self.watch("--since", "0")
        old = self.generate()
        last = out.wait_for(settled(old), "settled energy")
        since = int(last.split(" ")[0])
        server.kill()
        server.wait()
        self.serve()
        runs = [self.generate(), self.generate()]  # more events than the first server had
        for run in runs:
            self.wait_for(run)
        _, out, notes = self.watch("--since", str(since))
        out.wait_for(settled(runs[1]), "second run")
        self.assertEqual(self.gaps(out), out.lines[:1], notes.lines)
        self.assertIn("gap missed=null restarted=true", out.lines[0])
        numbers = [int(line.split(" ")[0]) for line in out.lines]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertGreater(numbers[0], since)
        _, everything, _ = self.watch("--since", "0")
        everything.wait_for(settled(runs[1]), "second run")
        self.assertEqual(everything.lines[0], out.lines[1])
        self.assertEqual(self.gaps(everything), [])

    def test_a_break_before_the_first_event_loses_nothing(self):
        self.serve()
        proxy = Proxy(self.port)
        self.addCleanup(proxy.close)
        self.wait_for(self.generate())  # not the selected run
        _, out, notes = self.watch(url=f"http://127.0.0.1:{proxy.port}")
        notes.wait_for(lambda line: "connected to" in line, "connection")
        proxy.cut()
        notes.wait_for(lambda line: "trying again in" in line, "break")
        run = self.generate()
        self.wait_for(run)
        proxy.mend()
        out.wait_for(settled(run), "the run")
        self.assertEqual({line.split(" ")[1] for line in out.lines}, {run})
        types = [line.split(" ")[3] for line in out.lines]
        self.assertEqual((types[0], types.count("token_complete")), ("model_loading", 8))

    def test_a_restart_before_the_first_event_is_told(self):
        server, _ = self.serve()
        process, out, notes = self.watch()
        notes.wait_for(lambda line: "connected to" in line, "connection")
        process.send_signal(signal.SIGSTOP)  # until the next server has executed a run
        server.kill()
        server.wait()
        self.serve()
        run = self.generate()
        self.wait_for(run)
        process.send_signal(signal.SIGCONT)
        out.wait_for(settled(run), "the run")
        self.assertIn("restarted=true", out.lines[0])
        self.assertIn(f" {run} ", out.lines[1])
        self.assertEqual(out.lines[1].split(" ")[3], "model_loading")

    def test_a_line_has_the_power_of_each_rail(self):
        self.serve("--power", f"replay:{replay(50, domains=('package-0', 'dram-0'))}")
        _, out, notes = self.watch()
        notes.wait_for(lambda line: "connected to" in line, "connection")
        run = self.generate(model="slow.playback.json", max_tokens=10_000)  # longer than a sample
        sample = out.wait_for(lambda line: f" {run} " in line and " power_sample " in line
                              and "rail.dram-0_mw=5" in line, "power")
        self.assertRegex(sample, r" rail\.package-0_mw=50000(\.0)?\b")
        self.assertRegex(sample, r" rail\.dram-0_mw=50000(\.0)?\b")
        self.assertRegex(sample, r" power_mw=100000(\.0)?\b")

    def test_a_server_that_stops_says_so(self):
        server, _ = self.serve()
        _, _, notes = self.watch()
        notes.wait_for(lambda line: "connected to" in line, "connection")
        server.send_signal(signal.SIGTERM)
        notes.wait_for(lambda line: "the server is stopping" in line, "goodbye")

    def test_a_watch_that_is_killed_in_mid_run_changes_nothing_for_the_run(self):
        self.serve()
        process, out, _ = self.watch()
        other, _, notes = self.watch("--json")
        notes.wait_for(lambda line: "connected to" in line, "connection")
        run = self.generate(max_tokens=64)
        out.wait_for(lambda line: " token_complete " in line, "token")
        process.kill()
        shown = self.wait_for(run)
        self.assertEqual((shown["status"], len(shown["tokens"])), ("completed", 64))
        self.assertIsNone(other.poll())
        kept = json.loads(enprof("show", run, "--json", "--db", self.db).stdout)
        self.assertEqual(len(kept["tokens"]), 64)

    def test_a_server_without_power_serves_and_says_so(self):
        self.serve("--power", "powermetrics", env={"ENPROF_POWERMETRICS_COMMAND":
                                                   "/nowhere/powermetrics -f plist -i 100"})
        shown = self.wait_for(self.generate())
        self.assertEqual((shown["status"], len(shown["tokens"])), ("completed", 8))
        self.assertIsNone(shown["totals"]["energy_mj"])
        health = self.ask("/api/health")
        power = next(part for part in health["components"] if part["name"] == "power")
        self.assertEqual(power["state"], "failing")
        self.assertIn("/nowhere/powermetrics", power["detail"])
        self.assertTrue(power["hint"])

    def test_waits_for_a_server_where_it_is_told_to(self):
        server, _ = self.serve()
        server.kill()
        server.wait()
        _, out, notes = self.watch("--wait")
        notes.wait_for(lambda line: "Cannot connect" in line, "first try")
        self.serve()
        notes.wait_for(lambda line: "connected to" in line, "connection")
        self.generate()
        out.wait_for(lambda line: " token_complete " in line, "token")

    def test_the_token_is_needed_and_the_url_that_serve_prints_has_it(self):
        _, line = self.serve("--host", "0.0.0.0")
        url = f"http://127.0.0.1:{self.port}"
        self.assert_fails(self.without_notes("watch", url), 1, "wants a token", "--token")
        self.assert_fails(self.without_notes("watch", url, "--token", "guess"), 1,
                          "does not accept this token")
        printed = line.split(" ")[-1].replace("0.0.0.0", "127.0.0.1")
        _, out, notes = self.watch(url=printed)
        notes.wait_for(lambda line: "connected to" in line, "connection")
        token = printed.split("token=")[1]
        self.assertNotIn(token, "\n".join(notes.lines + out.lines))
        for more, env in (((), token), (("--token", token), "guess")):
            _, _, notes = self.watch(*more, url=url, env={"ENPROF_TOKEN": env})
            notes.wait_for(lambda line: "connected to" in line, "connection")

    @staticmethod
    def without_notes(*arguments):
        """Runs enprof, and removes its messages about connecting."""
        process = enprof(*arguments, timeout=60)
        process.stderr = "".join(line for line in process.stderr.splitlines(True)
                                 if line.strip() != "enprof: connecting")
        return process

    def test_what_is_no_server_is_told_apart(self):
        server, _ = self.serve()
        url = f"http://127.0.0.1:{self.port}"
        self.assert_fails(self.without_notes("watch", url + "/elsewhere"), 1, "/elsewhere")
        server.kill()
        server.wait()
        self.assert_fails(self.without_notes("watch", url), 1, "Cannot connect", "enprof serve")
        self.assert_fails(enprof("watch", "https://127.0.0.1:1/"), 2, "https:// is not supported",
                          "ssh -L")
        self.assert_fails(enprof("watch", "ftp://h/"), 2, "not the URL of an enprof server")
        self.assert_fails(self.without_notes("watch", "http://name.invalid/"), 1, "name.invalid")

    def test_a_reader_that_goes_away_ends_it_and_a_full_disk_is_an_error(self):
        self.serve()
        self.generate()
        process, out, _ = self.watch("--since", "0")
        out.wait_for(lambda line: " energy_settled " in line, "settled energy")
        with open("/dev/full", "w", encoding="utf-8") as full:
            ended = subprocess.run(
                [str(ENPROF), "watch", f"http://127.0.0.1:{self.port}", "--since", "0"],
                stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                timeout=60, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Cannot write standard output: No space left", ended.stderr)
        shell = subprocess.run(
            ["bash", "-c", f"set -o pipefail; '{ENPROF}' watch http://127.0.0.1:{self.port} "
             "--since 0 | head -n 1"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(shell.returncode, 0, shell.stderr)
        self.assertEqual(len(shell.stdout.splitlines()), 1)


class OnATerminal(WatchTest):
    def screen(self, columns, rows, *arguments, env=None):
        """A watch on a terminal of that size, and a function that reads until a text was drawn."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen(
            [str(ENPROF), "watch", f"http://127.0.0.1:{self.port}", *arguments], stdin=slave,
            stdout=slave, stderr=slave, env={**environment, "TERM": "xterm", **(env or {})})
        os.close(slave)
        self.started.append(process)
        self.addCleanup(os.close, master)
        drawn = ""

        def read_until(*texts):
            nonlocal drawn
            deadline = time.monotonic() + PATIENCE_S
            while not all(text in drawn for text in texts):
                self.assertLess(time.monotonic(), deadline, f"{texts} not in {drawn[-3000:]!r}")
                if select.select([master], [], [], 0.1)[0]:
                    try:
                        drawn += os.read(master, 65536).decode(errors="replace")
                    except OSError:  # the other side is closed
                        self.assertTrue(all(text in drawn for text in texts), drawn[-3000:])
                        break
            return drawn

        return process, read_until

    def frames(self, drawn):
        return [frame.split("\x1b[J")[0] for frame in drawn.split("\x1b[H")[1:]
                if "\x1b[J" in frame]

    def test_a_view_is_redrawn_and_the_terminal_is_left_as_it_was(self):
        self.serve()
        process, read_until = self.screen(100, 30)
        run = self.generate()
        drawn = read_until("connected to", run, "completed", "tokens/s", "50.00 W mean",
                           "Model      m.gguf")
        self.assertTrue(drawn.startswith("\x1b[?1049h"))
        process.send_signal(signal.SIGINT)
        drawn = read_until("\x1b[?1049l")
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    def test_a_view_has_each_rail_and_says_when_the_server_was_started_anew(self):
        power = f"replay:{replay(50, domains=('package-0', 'dram-0'))}"
        server, _ = self.serve("--power", power)
        process, read_until = self.screen(100, 30)
        run = self.generate(max_tokens=100_000)
        read_until(run, "  package-0      50.00 W", "  dram-0         50.00 W")
        server.kill()
        server.wait()
        self.serve("--power", power)
        read_until("· interrupted", "! the server was restarted")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)

    def test_it_fits_a_small_terminal_and_wants_no_colours(self):
        self.serve()
        process, read_until = self.screen(44, 9, env={"NO_COLOR": "1"})
        run = self.generate(max_tokens=64)
        drawn = read_until(run, "completed")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)
        self.assertNotRegex(drawn, r"\x1b\[\d*m")
        self.assertTrue(self.frames(drawn))
        for frame in self.frames(drawn):
            lines = frame.replace("\r", "").split("\n")
            self.assertLessEqual(len(lines), 9)
            for line in lines:
                self.assertLess(len(re.sub(r"\x1b\[[?\d]*[a-zA-Z]", "", line)), 44, line)

    def test_estimates_are_marked(self):
        self.serve("--power", "estimate")
        _, read_until = self.screen(100, 30)
        self.generate()
        read_until("completed", "~ estimated from CPU time, not measured")

    def test_the_requests_of_a_command_fit_a_small_terminal(self):
        command = subprocess.Popen(
            [str(word) for word in (
                ENPROF, "exec", "--serve", 0, "--db", self.db, "--baseline-s", 0, "--power",
                f"replay:{replay(50)}", "--passes", recorded_passes(self.dir / "passes.json"), "--",
                "cat")], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True)
        self.started.append(command)
        self.addCleanup(command.stdin.close)
        self.port = int(re.search(r":(\d+)/", command.stderr.readline())[1])
        process, read_until = self.screen(40, 12)
        drawn = read_until("Requests   1 of 2 in flight", "     2      12 ")
        command.communicate(timeout=PATIENCE_S)
        drawn = read_until("\x1b[?1049l")
        self.assertEqual(process.wait(timeout=PATIENCE_S), 0)
        for frame in self.frames(drawn):
            for line in frame.replace("\r", "").split("\n"):
                self.assertLess(len(re.sub(r"\x1b\[[?\d]*[a-zA-Z]", "", line)), 40, line)

    def test_a_dumb_terminal_gets_lines(self):
        self.serve()
        _, read_until = self.screen(100, 30, "--since", "0", env={"TERM": "dumb"})
        self.generate()
        self.assertNotIn("\x1b", read_until(" energy_settled "))


if __name__ == "__main__":
    main()

"""enprof serve when a part fails during a run: what remains, and what the run reports as lost."""

import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import unittest

from program import enprof, main, wait_until
from serving import ServeTest, WebSocket

# Like powermetrics, 5 W, until a file `pulled` exists beside it.
SENSOR = """import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
before = time.monotonic_ns()
while not os.path.exists(here + "/pulled"):
    time.sleep(0.05)
    now = time.monotonic_ns()
    sys.stdout.write(f'''<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
<key>elapsed_ns</key><integer>{now - before}</integer>
<key>processor</key><dict><key>cpu_power</key><real>5000.0</real></dict></dict></plist>
\\0''')
    sys.stdout.flush()
    before = now
sys.exit("unplugged")
"""
ENDLESS = 100_000  # tokens: the test ends the run before


class ServeFaults(ServeTest):
    def watch(self, since=0):
        self.live = WebSocket(self.port, f"/ws/profiling?since={since}")
        self.assertEqual(self.live.status, 101)
        self.heard = []

    def read_until(self, wanted):
        """Reads events until one matches, and returns it."""
        while True:
            try:
                events = self.live.events()
            except EOFError as error:
                try:
                    code = self.server.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    code = "none: it runs"
                self.fail(f"the stream ended: '{error}'; the server's exit code: {code}; last "
                          f"event: {self.heard[-1:]}")
            self.heard += events
            for event in events:
                if wanted(event):
                    return event

    def read_warning(self, *codes):
        return self.read_until(lambda event: event["type"] == "warning" and
                               event["data"]["code"] in codes)["data"]

    def read_tokens(self, count):
        self.read_until(lambda event: event["type"] == "token_complete" and
                        event["data"]["index"] >= count - 1)

    def tokens_read(self):
        return [event["data"]["index"] for event in self.heard
                if event["type"] == "token_complete"]

    def cancel(self, run):
        self.assertEqual(self.ask(f"/api/profiling/run/{run}", method="DELETE")[0], 202)
        self.read_until(lambda event: event["type"] == "inference_complete")

    def wait_until_nothing_runs(self):
        wait_until(lambda: not self.ask("/api/health")[1]["running"], "no run is under way")

    def codes(self, run):
        return {warning["code"] for warning in run["warnings"]}

    def component(self, name):
        return next(component for component in self.ask("/api/health")[1]["components"]
                    if component["name"] == name)

    def engine(self):
        """The process of the server's engine; None while no model is loaded."""
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(entry.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
                words = (entry.parent / "cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError, IndexError):
                continue  # it has ended
            if parent == self.server.pid and b"engine-process" in words:
                return int(entry.parent.name)
        return None

    @unittest.skipIf(sys.platform != "linux", "finds the process in /proc")
    def test_an_engine_that_is_killed_fails_one_run_and_nothing_else(self):
        self.serve()
        self.watch()
        run = self.generate(max_tokens=ENDLESS, depth="module")
        waiting = self.generate()
        self.read_tokens(20)
        killed = self.engine()
        os.kill(killed, signal.SIGKILL)
        failure = self.read_until(lambda event: event["type"] == "error")
        self.assertEqual(failure["run_id"], run)
        stored = self.wait_for(run)
        self.assertEqual(stored["status"], "failed")
        # What was recorded by then is kept, with its energy.
        self.assertGreaterEqual(len(stored["tokens"]), 20)
        self.assertEqual([token["index"] for token in stored["tokens"]], list(range(len(stored["tokens"]))))
        self.assertGreater(stored["tokens"][10]["energy_mj"], 0)
        self.assertTrue(stored["layers"])
        warning = next(each for each in stored["warnings"] if each["code"] == "generation_failed")
        self.assertIn(f"The engine's process {killed} ended: signal 9", warning["message"])
        self.assertIn("dmesg", warning["hint"])
        # The queue goes on, in a new process, and so does the watcher.
        self.assertEqual(self.wait_for(waiting)["status"], "completed")
        self.assertNotEqual(self.engine(), killed)
        self.read_until(lambda event: event["type"] == "inference_complete" and event["run_id"] == waiting)

    @unittest.skipIf(sys.platform != "linux", "finds the process in /proc")
    def test_the_engine_ends_with_its_server(self):
        self.serve()
        run = self.generate(max_tokens=ENDLESS)
        self.wait_until_it_runs(run)
        wait_until(self.engine, "the engine runs")
        engine = pathlib.Path(f"/proc/{self.engine()}")
        self.kill()
        wait_until(lambda: not engine.exists(), "the engine has ended")

    @unittest.skipIf(sys.platform != "linux", "stops a process that it finds in /proc")
    def test_an_engine_that_hangs_is_killed_when_its_run_is_cancelled(self):
        self.serve()
        run = self.generate(max_tokens=ENDLESS)
        self.wait_until_it_runs(run)
        wait_until(self.engine, "the engine runs")
        os.kill(self.engine(), signal.SIGSTOP)
        self.assertEqual(self.ask(f"/api/profiling/run/{run}", method="DELETE")[0], 202)
        self.assertEqual(self.wait_for(run)["status"], "cancelled")
        self.assertEqual(self.wait_for(self.generate())["status"], "completed")

    def test_a_sensor_that_is_pulled_leaves_times_and_says_since_when(self):
        sensor = self.dir / "sensor.py"
        sensor.write_text(SENSOR, encoding="utf-8")
        self.serve("--power", "powermetrics",
                   env={"ENPROF_POWERMETRICS_COMMAND": f"{sys.executable} -S {sensor} "
                                                         "-f plist -i 50"})
        self.assertEqual(self.component("power")["state"], "ok")
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        self.read_until(lambda event: event["type"] == "energy_settled" and
                        event["data"]["tokens"][-1]["energy_mj"] is not None)
        (self.dir / "pulled").touch()
        warning = self.read_warning("sensor_gone", "sensor_retried")
        self.assertIn("powermetrics", warning["message"])
        # The run goes on. Tokens without windows have no energy, and are not waited for.
        self.read_until(lambda event: event["type"] == "energy_settled" and
                        event["data"]["tokens"][-1]["energy_mj"] is None)
        wait_until(lambda: self.component("power")["state"] != "ok", "power is lost")
        self.assertEqual(self.ask("/api/health")[1]["status"], "degraded")
        self.cancel(run)
        stored = self.wait_for(run)
        self.assertEqual(stored["status"], "cancelled")
        self.assertEqual([token["index"] for token in stored["tokens"]], self.tokens_read())
        self.assertIsNotNone(stored["tokens"][0]["energy_mj"])
        self.assertIsNone(stored["tokens"][-1]["energy_mj"])
        self.assertLess(stored["quality"]["coverage"], 1)
        self.assertIn("low_coverage", self.codes(stored))
        (self.dir / "pulled").unlink()
        wait_until(lambda: self.component("power")["state"] == "ok", "power is back")

    def test_power_that_cannot_be_measured_is_said_and_tried_again(self):
        sensor = self.dir / "sensor.py"
        sensor.write_text(SENSOR, encoding="utf-8")
        (self.dir / "pulled").touch()
        self.serve("-v", "--power", "powermetrics",
                   env={"ENPROF_POWERMETRICS_COMMAND": f"{sys.executable} -S {sensor} "
                                                         "-f plist -i 50"})
        self.assertIn("Failed to start power monitoring: ", self.said)
        self.assertIn("enprof: power is not measured, only times: ", self.said)
        self.assertIn("Run it by hand to see what it says: ", self.said)
        run = self.wait_for(self.generate())
        self.assertEqual(run["status"], "completed")
        self.assertIsNone(run["totals"]["energy_mj"])
        warning = next(each for each in run["warnings"] if each["code"] == "power_failed")
        self.assertIn("unplugged", warning["message"])
        self.assertTrue(warning["hint"])
        self.assertEqual(self.ask("/api/power/status")[1]["warnings"][0]["code"], "power_failed")
        (self.dir / "pulled").unlink()
        wait_until(lambda: self.component("power")["state"] == "ok", "power is measured")
        run = self.wait_for(self.generate(max_tokens=200))
        self.assertIsNotNone(run["totals"]["energy_mj"])
        self.assertNotIn("power_failed", self.codes(run))

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_disk_that_is_full_for_a_while_costs_nothing(self):
        with self.small_disk():
            run = self.run_until_the_disk_is_full()
            (self.db.parent / "filler").unlink()
            self.cancel(run)
            stored = self.wait_for(run)
            self.assertEqual(stored["status"], "cancelled")
            self.assertEqual([token["index"] for token in stored["tokens"]], self.tokens_read())
            self.assertNotIn("not_saved", self.codes(stored))
            self.assertEqual(self.component("store")["state"], "ok")
            self.kill()

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_run_that_cannot_be_saved_is_in_memory_until_it_can(self):
        with self.small_disk():
            run = self.run_until_the_disk_is_full(env={"TMPDIR": "/nowhere"})
            self.assertEqual(self.component("store")["state"], "failing")
            self.cancel(run)
            self.wait_until_nothing_runs()
            tokens = self.tokens_read()
            # The run cannot be saved: it is in memory, and shown with that state.
            status, shown = self.ask(f"/api/profiling/run/{run}")
            self.assertEqual((status, shown["status"]), (200, "cancelled"))
            self.assertEqual([token["index"] for token in shown["tokens"]], tokens)
            self.assertIn("not_saved", self.codes(shown))
            listed = self.ask("/api/profiling/runs")[1]["runs"]
            self.assertEqual([(one["run_id"], one["status"]) for one in listed],
                             [(run, "cancelled")])
            self.assertEqual(self.component("store")["unsaved_runs"], 1)
            (self.db.parent / "filler").unlink()
            wait_until(lambda: not self.component("store")["unsaved_runs"],
                       "the run is saved by itself")
            status, stored = self.ask(f"/api/profiling/run/{run}")
            self.assertEqual((status, stored["status"]), (200, "cancelled"))
            self.assertEqual([token["index"] for token in stored["tokens"]], tokens)
            self.assertNotIn("not_saved", self.codes(stored))
            exported = json.loads(enprof("export", run, "--db", self.db).stdout)
            self.assertEqual(len(exported["tokens"]), len(tokens))
            self.assertEqual(self.wait_for(self.generate())["status"], "completed")
            self.kill()

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_server_that_ends_says_what_it_could_not_save(self):
        with self.small_disk():
            run = self.run_until_the_disk_is_full(env={"TMPDIR": "/nowhere"})
            self.cancel(run)
            self.wait_until_nothing_runs()
            self.server.send_signal(signal.SIGTERM)
            said = self.server.communicate(timeout=60)[1]
            self.assertEqual(self.server.returncode, 3, said)
            self.assertIn(f"Run {run} could not be saved, and is lost", said)
            self.server = None

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_run_beside_the_disk_that_was_full_is_brought_in_whole(self):
        elsewhere = self.dir / "elsewhere"
        elsewhere.mkdir()
        with self.small_disk():
            run = self.run_until_the_disk_is_full(env={"TMPDIR": str(elsewhere)})
            self.cancel(run)
            self.wait_until_nothing_runs()
            tokens = self.tokens_read()
            (saved,) = elsewhere.iterdir()
            self.assertIn(run, saved.name)
            self.kill()
            (self.db.parent / "filler").unlink()
            listed = enprof("runs", "--json", "--db", self.db, env={"TMPDIR": str(elsewhere)})
            self.assertIn("is in the database now", listed.stderr)
            self.assertEqual([(one["run_id"], one["status"])
                              for one in json.loads(listed.stdout)["runs"]], [(run, "cancelled")])
            self.assertFalse(saved.exists())
            exported = json.loads(enprof("export", run, "--db", self.db).stdout)
            self.assertEqual(len(exported["tokens"]), len(tokens))

    def test_a_copy_is_put_back_under_a_server(self):
        self.serve()
        first = self.generate()
        self.wait_for(first)
        copy = self.dir / "copy.db"
        self.assertEqual(enprof("db", "backup", copy, "--db", self.db).returncode, 0)
        second = self.generate()
        self.wait_for(second)
        for put_back in (lambda: enprof("db", "restore", copy, "--db", self.db),
                         lambda: shutil.copyfile(copy, self.db.with_name("moved.db"))
                         and os.replace(self.db.with_name("moved.db"), self.db)):
            put_back()
            self.assertIn("is good", enprof("db", "check", "--db", self.db).stdout)
            # It may notice at this call.
            wait_until(lambda: self.ask(f"/api/profiling/run/{second}")[0] == 404,
                       "the server has the database that was put back")
            self.assertEqual(self.ask(f"/api/profiling/run/{first}")[0], 200)
            second = self.generate()
            self.assertEqual(self.wait_for(second)["status"], "completed")
        self.assertIn("is good", enprof("db", "check", "--db", self.db).stdout)
        self.kill()
        listed = json.loads(enprof("runs", "--json", "--db", self.db).stdout)["runs"]
        self.assertEqual([run["run_id"] for run in listed], [second, first])

    def saved_until_ms(self):
        """How far the run in the making is saved."""
        with sqlite3.connect(self.db, timeout=10) as database:
            return max(json.loads(content)["at_ns"] for content, in
                       database.execute("SELECT content FROM run_steps")) / 1e6

    def small_disk(self):
        disk = self.dir / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=True)
        self.db = disk / "profiles.db"

        class Disk:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                subprocess.run(["umount", "-l", disk], check=True)
        return Disk()

    def run_until_the_disk_is_full(self, env=None):
        self.serve(env=env)
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        self.read_tokens(5)
        with open(self.db.parent / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        warning = self.read_warning("memory_only")
        self.assertIn(run, warning["message"])
        self.read_tokens(len(self.tokens_read()) + 20)  # the inference is not affected
        return run

    def test_a_database_that_another_program_holds_is_written_when_it_lets_go(self):
        self.serve()
        self.wait_for(self.generate())  # the database is available
        self.watch()
        other = sqlite3.connect(self.db, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        run = self.generate(max_tokens=ENDLESS)
        warning = self.read_warning("journal_in_use")
        self.assertIn("Nothing of the run is lost", warning["hint"])
        self.cancel(run)
        warning = self.read_warning("journaled")
        self.assertIn("Nothing of the run is lost", warning["hint"])
        tokens = [event["data"]["index"] for event in self.heard
                  if event["type"] == "token_complete" and event["run_id"] == run]
        other.execute("ROLLBACK")
        other.close()
        self.wait_for(self.generate())  # any later run imports it
        stored = self.wait_for(run)
        self.assertEqual(stored["status"], "cancelled")
        self.assertEqual([token["index"] for token in stored["tokens"]], tokens)

    def test_a_connection_that_is_killed_goes_on_where_it_was(self):
        self.serve()
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        everything = []
        for _ in range(3):
            self.read_tokens(len(everything) // 4 + 5)
            everything += self.heard
            # A cut connection: the server gets a reset.
            self.live.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
            self.live.socket.close()
            wait_until(lambda: WebSocket(self.port, "/ws/profiling").last > everything[-1]["seq"],
                       "more has happened")
            self.watch(since=everything[-1]["seq"])
        self.cancel(run)
        everything += self.heard
        self.assertEqual([event["seq"] for event in everything],
                         list(range(everything[0]["seq"], everything[0]["seq"] + len(everything))))
        self.assertNotIn("gap", {event["type"] for event in everything})
        tokens = [event["data"]["index"] for event in everything
                  if event["type"] == "token_complete"]
        stored = self.wait_for(run)
        self.assertEqual([token["index"] for token in stored["tokens"]], tokens)

    def test_a_server_that_is_killed_leaves_all_but_the_last_second(self):
        self.serve()
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        self.read_until(lambda event: event["type"] == "token_complete" and event["t_ms"] > 3000)
        wait_until(lambda: self.saved_until_ms() > 1900, "the run of two seconds ago is saved")
        self.kill()
        self.serve()
        status, stored = self.ask(f"/api/profiling/run/{run}")
        self.assertEqual((status, stored["status"]), (200, "interrupted"))
        heard = [event for event in self.heard if event["type"] == "token_complete"]
        self.assertGreaterEqual(len(stored["tokens"]), sum(event["t_ms"] < 1900 for event in heard))
        self.assertIn("interrupted", self.codes(stored))
        # A watcher with a number of the previous server is told so.
        self.watch(since=self.heard[-1]["seq"])
        gap = self.read_until(lambda event: event["type"] == "gap")
        self.assertEqual(gap["data"], {"missed": None, "restarted": True})
        self.wait_for(self.generate())
        self.read_until(lambda event: event["type"] == "inference_complete")

    def test_sigterm_in_mid_run_saves_what_there_is(self):
        self.serve()
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        queued = self.generate()
        self.read_tokens(10)
        self.server.send_signal(signal.SIGTERM)
        with self.assertRaises((EOFError, ConnectionError)) as end:
            while True:
                self.heard += self.live.events()
        self.assertIn("stopping", str(end.exception))
        self.assertEqual(self.server.wait(timeout=60), 0)
        shown = json.loads(enprof("show", run, "--json", "--db", self.db).stdout)
        self.assertEqual((shown["status"], shown["finish_reason"]), ("cancelled", "cancelled"))
        self.assertGreaterEqual(len(shown["tokens"]), 10)
        self.assertIsNotNone(shown["tokens"][-1]["energy_mj"])
        # A run that had not begun is stored too, because its client has the id; watchers get its
        # end.
        shown = json.loads(enprof("show", queued, "--json", "--db", self.db).stdout)
        self.assertEqual((shown["status"], shown["tokens"]), ("cancelled", []))
        self.assertIn("server_stopped", self.codes(shown))
        ended = [event["run_id"] for event in self.heard if event["type"] == "inference_complete"]
        self.assertCountEqual(ended, [run, queued])


if __name__ == "__main__":
    main()

"""enprof serve when something goes away in mid-run: what remains, and what the run says is lost."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import unittest

from program import enprof, main
from serving import ServeTest, WebSocket

# As powermetrics, 5 W, until a file `pulled` lies beside it.
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
ENDLESS = 100_000  # tokens: more than anybody waits for


class ServeFaults(ServeTest):
    def watch(self, since=0):
        self.live = WebSocket(self.port, f"/ws/profiling?since={since}")
        self.assertEqual(self.live.status, 101)
        self.heard = []

    def hear_until(self, wanted):
        """Hears events until one is wanted, and gives that."""
        while True:
            try:
                events = self.live.events()
            except EOFError as error:
                time.sleep(1)  # a server that has died is a zombie by then
                self.fail(f"the stream ended: '{error}'; the server's exit code: "
                          f"{self.server.poll()}; last event: {self.heard[-1:]}")
            self.heard += events
            for event in events:
                if wanted(event):
                    return event

    def hear_warning(self, *codes):
        return self.hear_until(lambda event: event["type"] == "warning" and
                               event["data"]["code"] in codes)["data"]

    def hear_tokens(self, count):
        self.hear_until(lambda event: event["type"] == "token_complete" and
                        event["data"]["index"] >= count - 1)

    def tokens_heard(self):
        return [event["data"]["index"] for event in self.heard
                if event["type"] == "token_complete"]

    def cancel(self, run):
        self.assertEqual(self.ask(f"/api/profiling/run/{run}", method="DELETE")[0], 202)
        self.hear_until(lambda event: event["type"] == "inference_complete")

    def codes(self, run):
        return {warning["code"] for warning in run["warnings"]}

    def component(self, name):
        return next(component for component in self.ask("/api/health")[1]["components"]
                    if component["name"] == name)

    def test_a_sensor_that_is_pulled_leaves_times_and_says_since_when(self):
        sensor = self.dir / "sensor.py"
        sensor.write_text(SENSOR, encoding="utf-8")
        self.serve("--power", "powermetrics",
                   env={"ENPROF_POWERMETRICS_COMMAND": f"{sys.executable} -S {sensor} "
                                                         "-f plist -i 50"})
        self.assertEqual(self.component("power")["state"], "ok")
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        self.hear_until(lambda event: event["type"] == "energy_settled" and
                        event["data"]["tokens"][-1]["energy_mj"] is not None)
        (self.dir / "pulled").touch()
        warning = self.hear_warning("sensor_gone", "sensor_retried")
        self.assertIn("powermetrics", warning["message"])
        # The run goes on; tokens that no window covers have no energy, and are not waited for.
        self.hear_until(lambda event: event["type"] == "energy_settled" and
                        event["data"]["tokens"][-1]["energy_mj"] is None)
        while self.component("power")["state"] == "ok":
            time.sleep(0.05)
        self.assertEqual(self.ask("/api/health")[1]["status"], "degraded")
        self.cancel(run)
        stored = self.wait_for(run)
        self.assertEqual(stored["status"], "cancelled")
        self.assertEqual([token["index"] for token in stored["tokens"]], self.tokens_heard())
        self.assertIsNotNone(stored["tokens"][0]["energy_mj"])
        self.assertIsNone(stored["tokens"][-1]["energy_mj"])
        self.assertLess(stored["quality"]["coverage"], 1)
        self.assertIn("low_coverage", self.codes(stored))
        (self.dir / "pulled").unlink()
        while self.component("power")["state"] != "ok":  # plugged in again
            time.sleep(0.1)

    def test_power_that_cannot_be_measured_is_said_and_tried_again(self):
        sensor = self.dir / "sensor.py"
        sensor.write_text(SENSOR, encoding="utf-8")
        (self.dir / "pulled").touch()
        self.serve("-v", "--power", "powermetrics",
                   env={"ENPROF_POWERMETRICS_COMMAND": f"{sys.executable} -S {sensor} "
                                                         "-f plist -i 50"})
        self.assertIn("Failed to start power monitoring: ", self.said)
        self.assertIn("enprof: power is not measured, only times: ", self.said)
        self.assertIn("See what it says by hand: ", self.said)
        run = self.wait_for(self.generate())
        self.assertEqual(run["status"], "completed")
        self.assertIsNone(run["totals"]["energy_mj"])
        warning = next(each for each in run["warnings"] if each["code"] == "power_failed")
        self.assertIn("unplugged", warning["message"])
        self.assertTrue(warning["hint"])
        self.assertEqual(self.ask("/api/power/status")[1]["warnings"][0]["code"], "power_failed")
        (self.dir / "pulled").unlink()
        while self.component("power")["state"] != "ok":
            time.sleep(0.1)
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
            self.assertEqual([token["index"] for token in stored["tokens"]], self.tokens_heard())
            self.assertNotIn("not_saved", self.codes(stored))
            self.assertEqual(self.component("store")["state"], "ok")
            self.kill()

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_run_that_cannot_be_saved_is_in_memory_until_it_can(self):
        with self.small_disk():
            run = self.run_until_the_disk_is_full(env={"TMPDIR": "/nowhere"})
            self.assertEqual(self.component("store")["state"], "failing")
            self.cancel(run)
            while self.ask("/api/health")[1]["running"]:
                time.sleep(0.05)
            tokens = self.tokens_heard()
            # Nothing takes it: it is in memory, and shown as what it is.
            status, shown = self.ask(f"/api/profiling/run/{run}")
            self.assertEqual((status, shown["status"]), (200, "cancelled"))
            self.assertEqual([token["index"] for token in shown["tokens"]], tokens)
            self.assertIn("not_saved", self.codes(shown))
            listed = self.ask("/api/profiling/runs")[1]["runs"]
            self.assertEqual([(one["run_id"], one["status"]) for one in listed],
                             [(run, "cancelled")])
            self.assertEqual(self.component("store")["unsaved_runs"], 1)
            (self.db.parent / "filler").unlink()
            while self.component("store")["unsaved_runs"]:  # by itself, and soon
                time.sleep(0.05)
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
            while self.ask("/api/health")[1]["running"]:
                time.sleep(0.05)
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
            while self.ask("/api/health")[1]["running"]:
                time.sleep(0.05)
            tokens = self.tokens_heard()
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
            while self.ask(f"/api/profiling/run/{second}")[0] != 404:  # it may notice at this call
                time.sleep(0.05)
            self.assertEqual(self.ask(f"/api/profiling/run/{first}")[0], 200)
            second = self.generate()
            self.assertEqual(self.wait_for(second)["status"], "completed")
        self.assertIn("is good", enprof("db", "check", "--db", self.db).stdout)
        self.kill()
        listed = json.loads(enprof("runs", "--json", "--db", self.db).stdout)["runs"]
        self.assertEqual([run["run_id"] for run in listed], [second, first])

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
        self.hear_tokens(5)
        with open(self.db.parent / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        warning = self.hear_warning("memory_only")
        self.assertIn(run, warning["message"])
        self.hear_tokens(len(self.tokens_heard()) + 20)  # the inference does not mind
        return run

    def test_a_database_that_another_program_holds_is_written_when_it_lets_go(self):
        self.serve()
        self.wait_for(self.generate())  # the database is there
        self.watch()
        other = sqlite3.connect(self.db, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        run = self.generate(max_tokens=ENDLESS)
        warning = self.hear_warning("journal_in_use")
        self.assertIn("Nothing of the run is lost", warning["hint"])
        self.cancel(run)
        warning = self.hear_warning("journaled")
        self.assertIn("Nothing of the run is lost", warning["hint"])
        tokens = [event["data"]["index"] for event in self.heard
                  if event["type"] == "token_complete" and event["run_id"] == run]
        other.execute("ROLLBACK")
        other.close()
        self.wait_for(self.generate())  # any later run brings it in
        stored = self.wait_for(run)
        self.assertEqual(stored["status"], "cancelled")
        self.assertEqual([token["index"] for token in stored["tokens"]], tokens)

    def test_a_connection_that_is_killed_goes_on_where_it_was(self):
        self.serve()
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        everything = []
        for _ in range(3):
            self.hear_tokens(len(everything) // 4 + 5)
            everything += self.heard
            # Not closed but cut: the server learns of it by a reset.
            self.live.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
            self.live.socket.close()
            time.sleep(0.2)
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
        self.hear_until(lambda event: event["type"] == "token_complete" and event["t_ms"] > 3000)
        self.kill()
        self.serve()
        status, stored = self.ask(f"/api/profiling/run/{run}")
        self.assertEqual((status, stored["status"]), (200, "interrupted"))
        heard = [event for event in self.heard if event["type"] == "token_complete"]
        self.assertGreaterEqual(len(stored["tokens"]), sum(event["t_ms"] < 1900 for event in heard))
        self.assertIn("interrupted", self.codes(stored))
        # A watcher from before learns that its numbers are of another life.
        self.watch(since=self.heard[-1]["seq"])
        gap = self.hear_until(lambda event: event["type"] == "gap")
        self.assertEqual(gap["data"], {"missed": None, "restarted": True})
        self.wait_for(self.generate())
        self.hear_until(lambda event: event["type"] == "inference_complete")

    def test_sigterm_in_mid_run_saves_what_there_is(self):
        self.serve()
        self.watch()
        run = self.generate(max_tokens=ENDLESS)
        queued = self.generate()
        self.hear_tokens(10)
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
        # One that had not begun is there too, as its client has its id; and watchers have heard.
        shown = json.loads(enprof("show", queued, "--json", "--db", self.db).stdout)
        self.assertEqual((shown["status"], shown["tokens"]), ("cancelled", []))
        self.assertIn("server_stopped", self.codes(shown))
        ended = [event["run_id"] for event in self.heard if event["type"] == "inference_complete"]
        self.assertCountEqual(ended, [run, queued])


if __name__ == "__main__":
    main()

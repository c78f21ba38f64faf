"""Interrupted runs, maintenance of the database, and runs that move between databases."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

from program import ENPROF, ProgramTest, enprof, main, model, replay, wait_until


class Store(ProgramTest):
    def start(self, *arguments):
        """`enprof run` with more tokens than the test waits for."""
        return subprocess.Popen(
            [str(ENPROF), "run", "-m", str(model()), "-p", "The quick brown fox", "-n", "4096",
             "--ignore-eos", "--ctx", "4096", "--baseline-s", "0", "--db", str(self.db),
             "--power", f"replay:{replay(50)}", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def runs(self, *arguments):
        listed = enprof("runs", "--json", "--db", self.db, *arguments)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        return json.loads(listed.stdout)["runs"]

    def test_what_windows_writes_is_imported_or_named(self):
        text = self.profile("--json", "-", "--power", "none", "-n", 1, "--no-save").stdout
        path = self.dir / "my run.json"
        path.write_text(text, encoding="utf-8-sig")
        self.assertEqual(enprof("import", path, "--db", self.db).returncode, 0)
        for codec, name in (("utf-16", "utf-16le"), ("utf-16-be", "utf-16be")):
            path.write_text(text, encoding=codec)
            self.assert_fails(enprof("import", path, "--db", self.db), 1, name,
                              f"iconv -f {name} -t utf-8 '{path}' | enprof import -")

    def test_a_run_that_is_killed_is_kept_as_interrupted(self):
        process = self.start()
        self.wait_for_steps(process, 3)
        self.wait_for_a_token(process)
        # It is listed while it goes on, and no other program treats it as abandoned.
        self.assertEqual([run["status"] for run in self.runs()], ["running"])
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

        listed = enprof("runs", "--db", self.db)
        self.assertIn("was interrupted; its data so far is kept", listed.stderr)
        run = self.runs()[0]
        self.assertEqual(run["status"], "interrupted")
        self.assertGreater(run["output_tokens"], 0)
        self.assertGreater(run["energy_mj"], 0)
        self.assertEqual(self.saved_steps(), 0)
        exported = json.loads(enprof("export", "last", "--db", self.db).stdout)
        self.assertEqual(len(exported["tokens"]), run["output_tokens"])
        self.assertAlmostEqual(sum(phase["energy_mj"] or 0 for phase in exported["phases"]),
                               exported["totals"]["energy_mj"], delta=1e-3)
        self.assertIn("interrupted", [warning["code"] for warning in exported["warnings"]])
        self.assertEqual(enprof("runs", "--db", self.db).stderr, "", "it is reported once")

    def test_a_locked_database_sends_the_run_into_a_journal(self):
        self.profile_json("--power", "none", "-n", 1)
        process = self.start("--strict")
        self.wait_for_steps(process, 1)
        lock = sqlite3.connect(self.db, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        journals = self.dir / "profiles.db.journal"
        wait_until(lambda: any(journals.glob("*.jsonl")) or process.poll() is not None,
                   "there is a journal")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, output = process.communicate()
        self.assertIn("cannot save run", output)
        self.assertIn(str(journals), output)
        lock.execute("ROLLBACK")
        lock.close()

        imported = enprof("db", "import", "--db", self.db)
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.assertIn("Imported run", imported.stdout)
        self.assertEqual([run["status"] for run in self.runs()], ["cancelled", "completed"])
        self.assertFalse(journals.exists())
        self.assertIn("Nothing to import", enprof("db", "import", "--db", self.db).stdout)

    def test_a_run_moves_into_another_database_unchanged(self):
        run = self.profile_json("--power", f"replay:{replay(50)}", "--tag", "Ä 🔋")
        path = self.dir / "run.json"
        enprof("export", "last", "-o", path, "--db", self.db)
        other = self.dir / "other.db"
        imported = enprof("import", path, "--db", other)
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.assertEqual(json.loads(enprof("export", "last", "--db", other).stdout), run)
        self.assert_fails(enprof("import", path, "--db", other), 1, run["run_id"], "already")
        path.write_text('{"run_id": 3}', encoding="utf-8")
        self.assert_fails(enprof("import", path, "--db", other), 1, path, "run_id is 3, not a text")

    def test_csv_is_one_file_a_table(self):
        run = self.profile_json("--power", f"replay:{replay(50)}")
        tables = self.dir / "tables"
        written = enprof("export", "last", "--format", "csv", "-o", tables, "--db", self.db,
                         env={"LC_ALL": "de_DE.UTF-8"})
        self.assertEqual(written.returncode, 0, written.stderr)
        with open(tables / "tokens.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["text"] for row in rows], [token["text"] for token in run["tokens"]])
        self.assertEqual([float(row["energy_mj"]) for row in rows],
                         [token["energy_mj"] for token in run["tokens"]])
        self.assert_fails(enprof("export", "last", "--format", "csv", "--db", self.db), 2, "-o")

    def test_upkeep(self):
        ids = [self.profile_json("--power", "none", "-n", 1)["run_id"] for _ in range(3)]
        stats = json.loads(enprof("db", "stats", "--json", "--db", self.db).stdout)
        self.assertEqual(stats["runs"], 3)
        self.assertIn("3 runs: 3 completed", enprof("db", "stats", "--db", self.db).stdout)
        self.assertIn("is good", enprof("db", "check", "--db", self.db).stdout)

        copy = self.dir / "copy.db"
        self.assertEqual(enprof("db", "backup", copy, "--db", self.db).returncode, 0)
        self.assert_fails(enprof("db", "backup", copy, "--db", self.db), 1, copy, "exists")

        said = enprof("db", "prune", "--max-runs", 1, "--db", self.db).stdout
        self.assertIn("2 runs would be deleted", said)
        self.assertEqual(len(self.runs()), 3, "nothing is deleted without --yes")
        self.assertIn("Deleted 2 runs",
                      enprof("db", "prune", "--max-runs", 1, "--yes", "--db", self.db).stdout)
        self.assertEqual([run["run_id"] for run in self.runs()], [ids[2]])
        self.assertEqual(enprof("db", "vacuum", "--db", self.db).returncode, 0)
        self.assert_fails(enprof("db", "prune", "--db", self.db), 2, "--max-age-days")
        self.assertEqual(len(json.loads(enprof("runs", "--json", "--db", copy).stdout)["runs"]), 3)

    def test_a_copy_is_put_back(self):
        first = self.profile_json("--power", "none", "-n", 1)["run_id"]
        copy = self.dir / "copy.db"
        backup = enprof("db", "backup", copy, "--db", self.db)
        self.assertIn(f"enprof db restore --db {self.db} {copy}", backup.stdout)
        second = self.profile_json("--power", "none", "-n", 1)["run_id"]
        restored = enprof("db", "restore", copy, "--db", self.db)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        kept = self.dir / "profiles.db.before-restore"
        self.assertIn(f"now has the 1 run of {copy}", restored.stdout)
        self.assertIn(str(kept), restored.stdout)
        self.assertEqual([run["run_id"] for run in self.runs()], [first])
        before = json.loads(enprof("runs", "--json", "--db", kept).stdout)["runs"]
        self.assertEqual([run["run_id"] for run in before], [second, first])
        self.assert_fails(enprof("db", "restore", self.dir / "none", "--db", self.db), 1, "no copy")
        text = self.dir / "text"
        text.write_text("no database\n" * 100)
        refused = enprof("db", "restore", text, "--db", self.db)
        self.assert_fails(refused, 1, text, "Name a file that enprof db backup has written")
        self.assertNotIn("mv ", refused.stderr)
        for command in (("db", "import"), ("import",)):
            missing = enprof(*command, self.dir / "none.jsonl", "--db", self.db)
            self.assert_fails(missing, 1, "none.jsonl", "No such file", "Name a")
            self.assertNotIn("room", missing.stderr)

    def test_a_run_that_is_being_written_is_not_deleted_by_another(self):
        process = self.start()
        self.wait_for_steps(process, 1)
        self.assert_fails(enprof("rm", "last", "--db", self.db), 1, "is being written by another")
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assertEqual(enprof("rm", "last", "--db", self.db).returncode, 0)
        self.assertEqual(self.runs(), [])

    @unittest.skipIf(os.geteuid() != 0, "only root can run it as another user")
    def test_a_database_of_another_user_is_read(self):
        for path in (self.dir, self.dir.parent):
            path.chmod(0o755)
        run = self.profile_json("--power", "none", "-n", 1)["run_id"]
        self.db.chmod(0o644)

        # The build may lie in a folder that only root may enter.
        reachable = shutil.copy(ENPROF, self.dir.parent / "enprof")
        self.addCleanup(os.unlink, reachable)

        def as_other(*arguments):
            return enprof(*arguments, "--db", self.db, executable=reachable, user=65534,
                          group=65534, extra_groups=[])

        listed = as_other("runs", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual([one["run_id"] for one in json.loads(listed.stdout)["runs"]], [run])
        self.assertEqual(listed.stderr, "")
        self.assertEqual(json.loads(as_other("export", "last").stdout)["run_id"], run)
        self.assertEqual(as_other("show", "last").returncode, 0)
        self.assertIn("is good", as_other("db", "check").stdout)
        refused = as_other("rm", "last")
        self.assert_fails(refused, 1, "It belongs to user root", "enprof runs --db")
        self.assertNotIn("chmod", refused.stderr)
        self.db.chmod(0o600)
        self.assert_fails(as_other("runs"), 1, "cannot be read", "It belongs to user root")
        self.assertEqual([path.name for path in self.dir.iterdir()], ["profiles.db"])

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_run_on_a_full_disk_goes_elsewhere_and_is_brought_in(self):
        disk = self.dir / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.db = disk / "profiles.db"
        self.profile_json("--power", "none", "-n", 1)
        with open(disk / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                filler.truncate(filler.tell() - (32 << 10))  # the file can be opened, but not
                                                             # written
        elsewhere = self.dir / "elsewhere"
        elsewhere.mkdir()
        full = self.profile("--power", "none", "-n", 200, "--ignore-eos",
                            env={"TMPDIR": str(elsewhere)})
        self.assertEqual(full.returncode, 3, full.stderr)
        (journal,) = elsewhere.iterdir()
        self.assertIn(f"enprof db import --db {self.db} {journal}",
                      " ".join(full.stdout.split()))  # the report wraps the line
        lost = self.profile("--power", "none", "-n", 200, "--ignore-eos", cwd=elsewhere,
                            env={"TMPDIR": "/nowhere"})
        self.assertEqual(lost.returncode, 3, lost.stderr)
        (written,) = elsewhere.glob("*.json")
        self.assertIn(written.name, lost.stderr)
        (disk / "filler").unlink()
        imported = enprof("db", "import", journal, "--db", self.db)
        self.assertEqual(imported.returncode, 0, imported.stderr)
        brought = enprof("import", written, "--db", self.db)
        self.assertEqual(brought.returncode, 0, brought.stderr)
        self.assertEqual([run["output_tokens"] for run in self.runs()], [200, 200, 1])
        self.assertEqual([run["status"] for run in self.runs()], ["completed"] * 3)
        self.assertEqual(enprof("runs", "--db", self.db).stderr, "")

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_disk_without_a_byte_left_is_read_and_a_run_goes_on(self):
        disk = self.dir / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.db = disk / "profiles.db"
        run = self.profile_json("--power", "none", "-n", 1)
        with open(disk / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        self.assertEqual(os.statvfs(disk).f_bavail, 0)
        self.assertEqual([one["run_id"] for one in self.runs()], [run["run_id"]])
        self.assertEqual(enprof("show", "last", "--db", self.db).returncode, 0)
        exported = enprof("export", "last", "--db", self.db)
        self.assertEqual(json.loads(exported.stdout), run)
        self.assertEqual(exported.stderr, "")
        elsewhere = self.dir / "elsewhere"
        elsewhere.mkdir()
        full = self.profile("--power", "none", "-n", 3, "--ignore-eos",
                            env={"TMPDIR": str(elsewhere)})
        self.assertEqual(full.returncode, 3, full.stderr)
        self.assertIn(f"goes on, and is saved to a file in {elsewhere}", full.stderr)
        self.assertIn("--json FILE", full.stderr)
        self.assertNotIn("prune", full.stderr + full.stdout)
        (journal,) = elsewhere.iterdir()
        self.assert_fails(self.profile("--power", "none", env={"TMPDIR": str(disk)}), 1, "is full",
                          "--no-save --json FILE")
        (disk / "filler").unlink()
        imported = enprof("db", "import", journal, "--db", self.db)
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.assertEqual([one["output_tokens"] for one in self.runs()], [3, 1])

    def test_a_damaged_database_is_salvaged(self):
        for _ in range(2):
            self.profile_json("--power", "none", "-n", 2)
        with sqlite3.connect(self.db) as database:
            page = database.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'tokens'").fetchone()[0]
        content = bytearray(self.db.read_bytes())
        content[(page - 1) * 4096:page * 4096] = b"\xff" * 4096
        self.db.write_bytes(content)
        checked = enprof("db", "check", "--db", self.db)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("--salvage", checked.stderr)
        saved = self.dir / "saved.db"
        salvaged = enprof("db", "check", "--salvage", saved, "--db", self.db)
        self.assertEqual(salvaged.returncode, 0, salvaged.stderr)
        self.assertIn("Some rows of tokens were lost", salvaged.stdout)
        self.assertIn("is good", enprof("db", "check", "--db", saved).stdout)
        runs = json.loads(enprof("runs", "--json", "--db", saved).stdout)["runs"]
        self.assertEqual([run["output_tokens"] for run in runs], [2, 2])
        self.assertGreater(runs[0]["warnings"], 0)

    def test_runs_are_filtered_and_sorted(self):
        for count in (2, 1):
            self.profile_json("--power", "none", "-n", count, "--ignore-eos")
        tokens = [run["output_tokens"] for run in self.runs("--sort", "duration", "--ascending")]
        self.assertEqual(len(tokens), 2)
        self.assertEqual(len(self.runs("--text", "QUICK", "--engine", "llama.cpp")), 2)
        name = self.runs()[0]["model"]
        self.assertEqual(len(self.runs("--model", name[1:-2].upper())), 2)
        self.assertEqual(self.runs("--model", name + "%"), [])
        self.assertEqual(self.runs("--text", "slow"), [])
        self.assertEqual(self.runs("--to", "2020-01-01"), [])
        self.assertEqual(len(self.runs("--from", "2020-01-01")), 2)
        self.assert_fails(enprof("runs", "--from", "soon", "--db", self.db), 2, "soon", "2026-09-21")


if __name__ == "__main__":
    main()

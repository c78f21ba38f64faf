"""The program reads what enprof 0.1 wrote: a database with a finished run and a killed one, the
JSON of a run, and the journal of a killed run that never reached a database. The files are in
tests/data/0.1; that program wrote them, and they are never changed."""

import json
import shutil

from program import SOURCE, ProgramTest, enprof, main

DATA = SOURCE / "tests" / "data" / "0.1"
WHOLE = "21c87b3f95ad99b3"
KILLED = "301a1bf804e28a06"
JOURNAL = "51501d68463aba43"


def known_then(now, then):
    """What is exported now, without members that 0.1 did not know and that are absent here."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {name: known_then(value, then.get(name)) for name, value in now.items()
                if name in then or value not in (None, [])}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [known_then(*pair) for pair in zip(now, then)]
    return now


class Yesterday(ProgramTest):
    def assert_unchanged(self, whole):
        then = json.loads((DATA / "run.json").read_text(encoding="utf-8"))
        self.assertEqual(known_then(whole, then), then)

    def run_of(self, run_id, db):
        exported = enprof("export", run_id, "--format", "json", "--db", db)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        return json.loads(exported.stdout)

    def test_a_database(self):
        shutil.copy(DATA / "profiles.db", self.db)
        whole = self.run_of(WHOLE, self.db)
        self.assertEqual(whole["status"], "completed")
        self.assertAlmostEqual(whole["totals"]["energy_mj"], 164.41055999999995)
        self.assertEqual(len(whole["tokens"]), 6)
        self.assertTrue(whole["components"])
        self.assert_unchanged(whole)
        killed = self.run_of(KILLED, self.db)
        self.assertEqual(killed["status"], "interrupted")
        self.assertEqual(killed["prompt"], "Killed")
        self.assertGreater(len(killed["tokens"]), 20)
        self.assertGreater(killed["totals"]["energy_mj"], 0)
        checked = enprof("db", "check", "--db", self.db)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_the_json_of_a_run(self):
        imported = enprof("import", DATA / "run.json", "--db", self.db)
        self.assertEqual(imported.returncode, 0, imported.stderr)
        self.assert_unchanged(self.run_of(WHOLE, self.db))

    def test_a_journal(self):
        journal = self.dir / f"{JOURNAL}.jsonl"
        shutil.copy(DATA / journal.name, journal)
        brought = enprof("db", "import", journal, "--db", self.db)
        self.assertEqual(brought.returncode, 0, brought.stderr)
        run = self.run_of(JOURNAL, self.db)
        self.assertEqual(run["status"], "interrupted")
        self.assertEqual(run["prompt"], "Journal")
        self.assertGreater(len(run["tokens"]), 20)
        self.assertGreater(run["totals"]["energy_mj"], 0)


if __name__ == "__main__":
    main()

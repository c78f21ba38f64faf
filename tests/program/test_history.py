"""runs, show, export, rm."""

import json

from program import ProgramTest, enprof, main, replay


class History(ProgramTest):
    def test_a_run_is_kept_shown_exported_and_deleted(self):
        run = self.profile_json("--power", f"replay:{replay(50)}", "--tag", "nightly", "--tag", "x",
                                "--experiment", "first")
        run_id = run["run_id"]

        listed = enprof("runs", "--db", self.db)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn(run_id[:8], listed.stdout)

        shown = enprof("show", "last", "--db", self.db)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn(run_id, shown.stdout)
        self.assertIn("experiment first · tags nightly, x", shown.stdout)

        exported = enprof("export", run_id[:6], "--format", "json", "--db", self.db)
        self.assertEqual(json.loads(exported.stdout), run)
        path = self.dir / "out.json"
        self.assertEqual(enprof("export", "last", "-o", path, "--db", self.db).returncode, 0)
        self.assertEqual(json.loads(path.read_text(encoding="utf-8")), run)

        removed = enprof("rm", run_id, "--db", self.db)
        self.assertEqual(removed.returncode, 0, removed.stderr)
        self.assertIn(run_id, removed.stdout)
        self.assertEqual(enprof("runs", "--db", self.db).stdout, "No runs.\n")
        self.assert_fails(enprof("show", run_id, "--db", self.db), 1, run_id)

    def test_csv_wants_a_directory(self):
        self.profile_json("--power", "none", "-n", 1)
        self.assert_fails(enprof("export", "last", "--format", "csv", "--db", self.db), 2,
                          "CSV is several files", "-o DIRECTORY")
        self.assert_fails(enprof("export", "none", "--format", "csv", "-o", "-", "--db", self.db),
                          2, "CSV is several files")
        tables = self.dir / "tables"
        made = enprof("export", "last", "--format", "csv", "-o", tables, "--db", self.db)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertTrue((tables / "tokens.csv").exists())

    def test_filters_and_pages(self):
        ids = [self.profile_json("--power", "none", "-n", 1, "--tag", tag)["run_id"]
               for tag in ("a", "b", "b")]
        only_b = json.loads(enprof("runs", "--tag", "b", "--json", "--db", self.db).stdout)
        self.assertEqual([run["run_id"] for run in only_b["runs"]], [ids[2], ids[1]])
        self.assertEqual(only_b["total"], 2)
        page = json.loads(enprof("runs", "--limit", 1, "--offset", 1, "--json", "--db",
                                 self.db).stdout)
        self.assertEqual([run["run_id"] for run in page["runs"]], [ids[1]])
        self.assertEqual(page["total"], 3)
        self.assertIn("1 of 3 runs", enprof("runs", "--limit", 1, "--db", self.db).stdout)

    def test_what_an_imported_run_says_cannot_drive_the_terminal(self):
        run = self.profile_json("--power", "none", "-n", 1, "--no-save")
        evil = "\x1b]0;evil\a\x9b2J\r\b"
        run["model"] |= {"name": evil, "architecture": evil, "quantization": evil}
        run |= {"experiment": evil, "tags": [evil], "prompt": evil, "finish_reason": evil,
                "warnings": [{"component": "x", "code": "y", "message": evil, "hint": evil}]}
        file = self.dir / "evil.json"
        file.write_text(json.dumps(run), encoding="utf-8")
        for command in (("import", file), ("runs",), ("show", "last"),
                        ("db", "prune", "--max-runs", "0"), ("-v", "rm", "last")):
            process = enprof(*command, "--db", self.db)
            self.assertEqual(process.returncode, 0, process.stderr)
            printed = (process.stdout + process.stderr).replace("\n", "")
            self.assertTrue(printed.isprintable(), repr(printed))

    def test_no_save_keeps_nothing(self):
        process = self.profile("--power", "none", "--no-save")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertFalse(self.db.exists())

    def test_looking_does_not_create_a_database(self):
        for command in (("runs",), ("show", "last"), ("export", "last"), ("rm", "last")):
            self.assert_fails(enprof(*command, "--db", self.db), 1, self.db)
            self.assertFalse(self.db.exists())

    def test_rm_deletes_nothing_where_one_name_is_wrong(self):
        run_id = self.profile_json("--power", "none", "-n", 1)["run_id"]
        self.assert_fails(enprof("rm", run_id, "zzzz", "--db", self.db), 1, "zzzz")
        self.assertEqual(enprof("show", run_id, "--db", self.db).returncode, 0)


if __name__ == "__main__":
    main()

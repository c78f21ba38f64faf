"""Hooks that fail: what a run still knows, and what it says. Scripts of the engine playback have them
fail where a real engine seldom does."""

import json

from program import ProgramTest, enprof, main

PLAN = {"name": "token", "operations": [
    {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 300},
    {"layer": 0, "component": "q_proj", "op": "ADD", "us": 100},
    {"layer": 1, "component": "down_proj", "op": "MUL_MAT", "us": 200}]}


class Hooks(ProgramTest):
    def play(self, hooks, depth="deep"):
        """The run of a script with these hooks, and the log. Tokens are known in any case."""
        script = self.dir / "toy.playback.json"
        script.write_text(json.dumps({
            "playback": 1, "hooks": hooks, "plans": [PLAN],
            "steps": [{"phase": "decode", "token": "x", "repeat": 4,
                       "sections": [{"name": "forward", "pass": "token"}]}]}))
        process = enprof("run", "-v", script, "hi", "--depth", depth, "--power", "none", "--db", self.db,
                         "--json", "-")
        self.assertEqual(process.returncode, 0, process.stderr)
        run = json.loads(process.stdout)
        self.assertEqual(run["status"], "completed")
        self.assertEqual([token["text"] for token in run["tokens"]], ["x"] * 4)
        kept = json.loads(enprof("show", "last", "--json", "--db", self.db).stdout)
        self.assertEqual(kept["warnings"], run["warnings"])
        return run, process.stderr

    def codes(self, run):
        return [warning["code"] for warning in run["warnings"]
                if warning["component"] in ("engine", "profile")
                and warning["code"] != "foreign_load"]

    def components(self, run):
        return {part["component"] for part in run["components"]}

    def test_hooks_that_hold(self):
        run, log = self.play({})
        self.assertEqual(self.codes(run), [])
        self.assertEqual({part["op"] for part in run["operations"]}, {"MUL_MAT", "ADD"})
        self.assertNotIn("Failed", log)

    def test_deep_hooks_that_cannot_be_attached(self):
        run, log = self.play({"deep_fail_at": 0})
        self.assertEqual(self.codes(run), ["components_only"])
        self.assertEqual(self.components(run) - {"(self)"}, {"q_proj", "down_proj"})
        self.assertEqual({part["op"] for part in run["operations"]} - {""}, {"MUL_MAT"})
        self.assertIn("Failed to register deep profiler hooks: ", log)

    def test_no_hooks_that_can_be_attached(self):
        for depth in ("module", "deep"):
            run, log = self.play({"deep_fail_at": 0, "module_fail_at": 0}, depth)
            self.assertEqual(self.codes(run), ["hooks_failed"])
            self.assertEqual(run["layers"], [])
            self.assertIn("Failed to register layer profiler hooks: ", log)

    def test_hooks_that_fail_in_mid_run(self):
        run, log = self.play({"deep_fail_at": 2, "module_fail_at": 4})
        self.assertEqual(self.codes(run), ["components_only", "tokens_only", "mismatched_passes"])
        self.assertIn("Pass 2 of the script reported 2 of 3 operations", log)
        self.assertEqual(self.components(run) - {"(self)"},
                         {"q_proj", "down_proj", "(untimed)"})

    def test_hooks_that_cannot_be_detached(self):
        run, log = self.play({"detach_fails": True})
        self.assertEqual(self.codes(run), [])
        self.assertIn("Failed to detach layer profiler hooks: ", log)


if __name__ == "__main__":
    main()

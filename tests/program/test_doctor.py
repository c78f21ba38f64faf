"""doctor tells the truth about this machine, and changes nothing."""

import json
import pathlib
import unittest

from program import ProgramTest, enprof


class Doctor(ProgramTest):
    def diagnoses(self, env=None):
        process = enprof("doctor", "--json", "--db", self.db, env=env)
        self.assertEqual(process.returncode, 0, process.stderr)
        return {entry["what"]: entry for entry in json.loads(process.stdout)}

    def test_this_machine(self):
        found = self.diagnoses()
        has_rapl = any(pathlib.Path("/sys/class/powercap").glob("intel-rapl:*/energy_uj"))
        if not has_rapl:
            self.assertFalse(found["power: rapl"]["works"])
            self.assertIn("/sys/class/powercap", found["power: rapl"]["detail"])
        self.assertTrue(found["power: estimate"]["works"])
        self.assertTrue(found["database"]["works"])
        self.assertTrue(found["model synth"]["works"])
        self.assertIn("llama.cpp", found)
        self.assertFalse(self.db.exists(), "looking created the database")

    def test_a_machine_with_rapl(self):
        zone = self.dir / "class" / "powercap" / "intel-rapl:0"
        zone.mkdir(parents=True)
        (zone / "name").write_text("package-0\n", encoding="utf-8")
        (zone / "energy_uj").write_text("12345\n", encoding="utf-8")
        (zone / "max_energy_range_uj").write_text("262143328850\n", encoding="utf-8")
        found = self.diagnoses(env={"ENPROF_SYSFS_ROOT": str(self.dir)})
        self.assertTrue(found["power: rapl"]["works"], found)
        self.assertIn("package-0", found["power: rapl"]["detail"])

    def test_a_bad_database_is_named(self):
        self.db.write_text("not a database " * 100, encoding="utf-8")
        self.assertFalse(self.diagnoses()["database"]["works"])

    def test_the_table(self):
        process = enprof("doctor", "--db", self.db)
        self.assertEqual(process.returncode, 0)
        self.assertIn("estimate", process.stdout)


if __name__ == "__main__":
    unittest.main()

"""The systemd unit as installed: valid, hardened, and with paths that exist."""

import re
import shutil
import subprocess
import unittest

from program import INSTALLED, SOURCE, enprof, main

UNIT = INSTALLED / "share" / "enprof" / "systemd" / "enprof.service"
# Out of 10; the rest is mostly access to the network, devices and /proc
EXPOSURE = "2.0"

needs_systemd = unittest.skipUnless(
    shutil.which("systemd-analyze"), "systemd-analyze is missing: apt-get install systemd")


class Unit(unittest.TestCase):
    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True,
                              text=True, timeout=60, check=False)

    @needs_systemd
    def test_it_is_valid(self):
        process = self.analyze("verify", UNIT)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertNotIn("enprof.service", process.stdout + process.stderr)

    @needs_systemd
    def test_it_is_hardened(self):
        process = self.analyze("security", "--offline=true", f"--threshold={float(EXPOSURE) * 10:g}",
                               UNIT)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)

    @needs_systemd
    def test_the_threshold_can_be_missed(self):
        process = self.analyze("security", "--offline=true", "--threshold=1", UNIT)
        self.assertNotEqual(process.returncode, 0)

    def test_it_calls_the_installed_program_with_options_that_it_has(self):
        command = re.search(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)[1]
        words = command.split()
        self.assertEqual(words[0], str(INSTALLED / "bin" / "enprof"))
        usage = enprof("serve", "--help").stdout
        for option in re.findall(r"--[a-z-]+", command):
            self.assertIn(option, usage)

    def test_its_group_is_the_one_that_the_rights_are_given_to(self):
        group = re.search(r"^SupplementaryGroups=(\S+)$", UNIT.read_text(encoding="utf-8"),
                          re.MULTILINE)[1]
        script = INSTALLED / "libexec" / "enprof" / "setup-power-access"
        self.assertEqual(script.read_text(encoding="utf-8"),
                         (SOURCE / "tools" / "setup-power-access").read_text(encoding="utf-8"))
        self.assertIn(f"\ngroup={group}\n", script.read_text(encoding="utf-8"))
        shown = subprocess.run([str(script), "--help"], capture_output=True, text=True, timeout=60,
                               check=False)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn(f"usage: {script} ", shown.stdout)


if __name__ == "__main__":
    main()

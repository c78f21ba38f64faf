"""tools/setup-power-access, below the test's own root, with fakes of the programs that it calls."""

import os
import re
import stat
import subprocess

from program import SOURCE, ProgramTest, enprof, main, model

LINE = (r"joule ALL=(root) NOPASSWD: /usr/bin/powermetrics -f plist -i 100 --samplers "
        r"cpu_power\,gpu_power\,thermal")


class Setup(ProgramTest):
    system = ""

    def setUp(self):
        super().setUp()
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        self.root = self.dir / "root"
        self.root.mkdir()
        self.log = self.dir / "log"
        self.fake("uname", f"echo {self.system}")
        self.fake("sudo", "exit 1")  # no rights: nothing outside the root is touched

    def fake(self, name, script=""):
        """A fake program that records its arguments."""
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    def called(self, name):
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(name + " ")]

    def run_tool(self, *arguments):
        return subprocess.run(
            ["bash", str(SOURCE / "tools" / "setup-power-access"), *arguments],
            env={"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
                 "ENPROF_SETUP_ROOT": str(self.root)},
            capture_output=True, text=True, timeout=60, check=False)

    def files(self):
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")
                      if path.is_file())

    def ok(self, *arguments):
        process = self.run_tool(*arguments)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stderr, "")
        self.assertEqual(self.called("sudo"), [])
        return process.stdout


class MacOs(Setup):
    system = "Darwin"
    entry = "etc/sudoers.d/enprof-powermetrics"

    def setUp(self):
        super().setUp()
        self.fake("visudo")

    def test_says_what_it_would_do_and_does_nothing(self):
        text = self.ok("--user", "joule")
        self.assertIn(LINE, text)
        self.assertIn("0440", text)
        self.assertIn("--apply", text)
        self.assertEqual(self.files(), [])
        self.assertEqual(self.called("visudo"), [])

    def test_writes_the_entry_once_visudo_has_passed_it(self):
        # visudo checks the text that is installed afterwards, with its mode, under a name that sudo
        # does not read.
        self.fake("visudo", f'cp "$3" {self.dir}/seen; stat -c %a "$3" > {self.dir}/mode')
        self.ok("--apply", "--user", "joule")
        self.assertEqual(self.files(), [self.entry])
        path = self.root / self.entry
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o440)
        lines = path.read_text(encoding="utf-8").splitlines()
        self.assertEqual([line for line in lines if not line.startswith("#")], [LINE])
        self.assertEqual(path.read_text(), (self.dir / "seen").read_text())
        self.assertEqual((self.dir / "mode").read_text().strip(), "440")
        self.assertRegex(self.called("visudo")[0], r"^visudo -c -f .*enprof-powermetrics\.new$")

    def test_installs_nothing_that_visudo_refuses(self):
        self.fake("visudo", "echo 'parse error' >&2; exit 1")
        process = self.run_tool("--apply", "--user", "joule")
        self.assertEqual(process.returncode, 1)
        self.assertIn("did not pass", process.stderr)
        self.assertEqual(self.files(), [])

    def test_undo_takes_it_back_and_may_be_repeated(self):
        self.ok("--apply", "--user", "joule")
        self.assertIn("removed", self.ok("--undo"))
        self.assertEqual(self.files(), [])
        self.assertIn("is not there", self.ok("--undo"))

    def test_apply_may_be_repeated(self):
        self.ok("--apply", "--user", "joule")
        self.ok("--apply", "--user", "watt")
        self.assertIn("watt ALL", (self.root / self.entry).read_text(encoding="utf-8"))

    def test_the_line_is_the_one_that_enprof_asks_for(self):
        """The tool, the program's hint and the command that it runs have the same arguments."""
        fakes = self.dir / "fakes"
        fakes.mkdir()
        for name, script in (("sudo", "echo 'sudo: a password is required' >&2; exit 1"),
                             ("powermetrics", "exit 1")):
            (fakes / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (fakes / name).chmod(0o755)
        source = (SOURCE / "src/power/powermetrics/powermetrics_command.cpp").read_text(encoding="utf-8")
        words = re.search(r'return \{\s*("sudo".*?)\};', source, re.DOTALL).group(1)
        command = re.findall(r'"([^"]*)"', words)
        self.assertEqual(command[:3], ["sudo", "-n", "/usr/bin/powermetrics"])
        process = enprof("run", "-m", model(), "-p", "x", "--power", "powermetrics", "--strict", env={
            "ENPROF_POWERMETRICS_COMMAND":
                f"{fakes}/sudo -n {fakes}/powermetrics {' '.join(command[3:])}"})
        hint = next(line.strip() for line in process.stderr.splitlines() if "NOPASSWD:" in line)
        allowed = hint.split("NOPASSWD: ")[1].replace(str(fakes), "/usr/bin")
        self.assertEqual("joule ALL=(root) NOPASSWD: " + allowed, LINE)


class Linux(Setup):
    system = "Linux"
    rules = ["etc/tmpfiles.d/enprof-rapl.conf", "etc/udev/rules.d/70-enprof-rapl.rules"]

    def setUp(self):
        super().setUp()
        self.fake("udevadm")
        self.fake("groupadd")
        self.fake("getent", "exit 2")
        self.fake("chgrp")
        self.counters = []
        for zone in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1"):
            path = self.root / "sys/class/powercap" / zone / "energy_uj"
            path.parent.mkdir(parents=True)
            path.write_text("12345\n", encoding="utf-8")
            path.chmod(0o400)
            self.counters.append(path)

    def modes(self):
        return [stat.S_IMODE(path.stat().st_mode) for path in self.counters]

    def test_says_what_it_would_do_and_does_nothing(self):
        before = self.files()
        text = self.ok()
        for part in ("power-readers", "PLATYPUS", "CVE-2020-8694", "intel-rapl:0:0/energy_uj",
                     *self.rules, "--apply"):
            self.assertIn(part, text)
        self.assertEqual(self.files(), before)
        self.assertEqual(self.modes(), [0o400] * 3)
        self.assertEqual(self.called("groupadd") + self.called("chgrp") + self.called("udevadm"), [])

    def test_gives_one_group_the_right_now_and_after_boot(self):
        text = self.ok("--apply", "--group", "joules")
        self.assertIn("PLATYPUS", text)
        self.assertEqual(self.called("groupadd"), ["groupadd --system joules"])
        self.assertEqual(self.called("chgrp"), [f"chgrp joules {path}" for path in self.counters])
        self.assertEqual(self.modes(), [0o440] * 3)
        self.assertEqual(self.called("udevadm"), ["udevadm control --reload"])
        for name in self.rules:
            self.assertEqual(stat.S_IMODE((self.root / name).stat().st_mode), 0o644)
        rule = (self.root / self.rules[1]).read_text(encoding="utf-8")
        self.assertIn('SUBSYSTEM=="powercap"', rule)
        self.assertIn('RUN+="/bin/chgrp joules %S%p/energy_uj"', rule)
        self.assertIn("0440 root joules", (self.root / self.rules[0]).read_text(encoding="utf-8"))

    def test_an_existing_group_is_used(self):
        self.fake("getent", "echo joules:x:990:")
        self.ok("--apply", "--group", "joules")
        self.assertEqual(self.called("groupadd"), [])

    def test_undo_takes_it_back(self):
        self.ok("--apply")
        self.ok("--undo")
        self.assertFalse([name for name in self.files() if name in self.rules])
        self.assertEqual(self.modes(), [0o400] * 3)
        self.assertIn(f"chgrp 0 {self.counters[0]}", self.called("chgrp"))
        self.assertIn("is not there", self.ok("--undo"))

    def test_without_counters_it_says_so(self):
        for path in self.counters:
            path.unlink()
        self.assertIn("no RAPL counters here", self.ok())
        self.assertIn("modprobe intel_rapl_msr", self.ok("--apply"))

    def test_a_group_that_cannot_be_made_stops_it(self):
        self.fake("groupadd", "exit 10")
        process = self.run_tool("--apply")
        self.assertEqual(process.returncode, 1)
        self.assertIn("--group NAME", process.stderr)
        self.assertFalse([name for name in self.files() if name in self.rules])


class Usage(Setup):
    system = "Plan9"

    def test_names_that_would_be_more_than_names_are_refused(self):
        for name in ("joule ALL", "a\nb", "x\"", "%wheel", "", "-rf"):
            for flag in ("--user", "--group"):
                process = self.run_tool(flag, name)
                self.assertEqual(process.returncode, 1, name)
                self.assertIn("no name", process.stderr)

    def test_other_systems_and_wrong_flags(self):
        self.assertEqual(self.run_tool("--user", "joule").returncode, 1)
        self.assertEqual(self.run_tool("--now").returncode, 2)
        self.assertEqual(self.run_tool("--user").returncode, 2)
        self.assertIn("usage:", self.run_tool("--help").stdout)


if __name__ == "__main__":
    main()

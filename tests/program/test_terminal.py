"""The program's output on a terminal, in a pipe, and without colours."""

import os
import pty
import re
import select
import subprocess
import time
import unicodedata

from program import ENPROF, ProgramTest, enprof, main, model, replay


def width(line):
    """The width of a line on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in line)


def fits(line, columns):
    """A word that is longer than a line, such as a path to copy, is on its own line."""
    return width(line) <= columns or " " not in line.strip()


def on_terminal(arguments, columns=100, env=None, cwd=None):
    """Runs the program on a pseudo-terminal and returns its output."""
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen([str(ENPROF), *map(str, arguments)], stdin=slave, stdout=slave,
                               stderr=slave, cwd=cwd, env={**environment, "TERM": "xterm", **(env or {})})
    os.close(slave)
    output = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            output += piece
    process.wait(timeout=60)
    os.close(master)
    return output.decode(errors="replace")


class OnATerminal(ProgramTest):
    def arguments(self, *more):
        return ["run", "-m", model(), "-p", "The quick brown fox", "-n", 64, "--baseline-s", 0.3,
                "--power", f"replay:{replay(50)}", "--db", self.db, *more]

    def test_progress_live_line_and_colours(self):
        output = on_terminal(self.arguments())
        self.assertIn("Loading", output)
        self.assertIn("Measuring the idle baseline", output)
        self.assertIn("tokens/s", output)
        self.assertIn("\x1b[1m", output)

    def test_no_color(self):
        output = on_terminal(self.arguments(), env={"NO_COLOR": "1"})
        self.assertNotRegex(output, r"\x1b\[\d*m")

    def test_a_narrow_terminal_wraps_no_status_line(self):
        output = on_terminal(self.arguments(), columns=40)
        for piece in re.split(r"[\r\n]", output):
            if piece.endswith("\x1b[K"):
                self.assertLess(len(piece.removesuffix("\x1b[K")), 40, piece)


    def test_a_dumb_terminal_gets_no_escapes(self):
        for term in ("dumb", ""):
            with self.subTest(term=term):
                output = on_terminal(self.arguments(), env={"TERM": term})
                self.assertNotIn("\x1b", output)
                self.assertIn("Energy", output)
                for command in (("runs",), ("show", "last"), ("doctor",), ("show", "nonsense"),
                                ("db", "stats")):
                    shown = on_terminal((*command, "--db", self.db), env={"TERM": term})
                    self.assertNotIn("\x1b", shown, command)

    def test_the_live_line_says_of_how_many_and_keeps_the_energy(self):
        for columns in (40, 80, 200):
            output = on_terminal(self.arguments("-n", 1500, "--ignore-eos"), columns=columns)
            lines = [piece.removesuffix("\x1b[K") for piece in re.split(r"[\r\n]", output)
                     if "/1500 tokens" in piece]
            self.assertTrue(lines, output)
            for line in lines:
                self.assertLess(len(line), columns)
            self.assertRegex(lines[-1], r"\d+/1500 tokens.* · [\d.]+ [mk]?J")

    def test_the_live_line_marks_estimates(self):
        output = on_terminal(self.arguments("-n", 1500, "--ignore-eos", "--power", "estimate"),
                             columns=200)
        lines = [piece for piece in re.split(r"[\r\n]", output) if "/1500 tokens" in piece]
        self.assertRegex(lines[-1], r" · ~[\d.]+ [mk]?J · ~[\d.]+ [mk]?J/token · ~[\d.]+ [mk]?W")

    def test_tables_fit(self):
        model_name = self.dir / "Meta-Llama-3.1-8B-Instruct-漢字漢字-imatrix.gguf"
        model_name.symlink_to(model())
        for prompt in ("Why is the sky blue, and the grass green? " * 3, "漢字" * 60):
            process = enprof("run", model_name, prompt, "-n", 12, "--baseline-s", 0, "--depth",
                             "deep", "--power", f"replay:{replay(50)}", "--db", self.db)
            self.assertEqual(process.returncode, 0, process.stderr)
        for columns in (40, 60, 80, 100, 200):
            listed = on_terminal(("runs", "--db", self.db), columns=columns, env={"NO_COLOR": "1"})
            self.assertEqual(len(listed.splitlines()), 3, listed)
            shown = on_terminal(("show", "last", "--db", self.db), columns=columns,
                                env={"NO_COLOR": "1"})
            stats = on_terminal(("db", "stats", "--db", "profiles.db"), columns=columns,
                                env={"NO_COLOR": "1"}, cwd=self.dir)
            pruned = on_terminal(("db", "prune", "--max-runs", 0, "--db", self.db),
                                 columns=columns, env={"NO_COLOR": "1"})
            self.assertIn("2 runs would be deleted", pruned)
            for line in [*listed.splitlines(), *shown.splitlines(), *stats.splitlines(),
                         *pruned.splitlines()]:
                self.assertTrue(fits(line, columns), f"{columns}: {line}")

    def test_help_fits(self):
        for columns in (40, 80, 200):
            for command in ("run", "db", "watch"):
                for line in on_terminal((command, "--help"), columns=columns).splitlines():
                    self.assertTrue(fits(line, columns), f"{columns}: {line}")


class InAPipe(ProgramTest):
    def test_no_escapes_and_nothing_on_stderr(self):
        process = self.profile("--power", "none")
        self.assertNotIn("\x1b", process.stdout)
        self.assertEqual(process.stderr, "")

    def test_no_trailing_blanks(self):
        process = self.profile("--power", f"replay:{replay(50)}")
        for line in process.stdout.splitlines():
            self.assertEqual(line, line.rstrip())


if __name__ == "__main__":
    main()

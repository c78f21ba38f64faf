"""What the program looks like: on a terminal, in a pipe, without colours."""

import os
import pty
import re
import select
import subprocess
import time

from program import ENPROF, ProgramTest, main, model, replay


def on_terminal(arguments, columns=100, env=None):
    """Runs the program on a pseudo-terminal and returns what it wrote there."""
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen([str(ENPROF), *map(str, arguments)], stdin=slave, stdout=slave,
                               stderr=slave, env={**environment, "TERM": "xterm", **(env or {})})
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

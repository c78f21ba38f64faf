"""Text from others, such as a model or an imported run, must not control the terminal."""

import base64
import hashlib
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import threading

from program import ENPROF, ProgramTest, enprof, main, model, replay
from serving import ServeTest

# Clears the screen, sets the title, begins an escape with one character, reverses the line, ends
# the line, returns to its start, and contains a field separator.
HOSTILE = ("A\x1b[2J\x1b]0;pwned\x07B\u009b31mC\u0090q\u009cD\u202eE\u2066F\u200fG\u061cH\u2028I\u2029"
           "J\x7fK\x08L\rM")
# The same for paths and arguments, which may hold any byte but zero: also the CSI of 8-bit
# terminals.
HOSTILE_BYTES = HOSTILE.encode() + b"N\x9b31mO\xff"

# The escapes that the program itself may send to a terminal.
OWN = re.compile(r"\x1b\[(?:0|1|2|31|32|33)m|\x1b\[[HJK]|\x1b\[\?(?:1049|25)[hl]")
BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029"
                 "\u202a-\u202e\u2066-\u2069\udc80-\udcff]")


def bad_parts(output, on_terminal=False):
    """The parts of an output that could control a terminal, with their surroundings."""
    text = output.decode(errors="surrogateescape")
    text = (OWN.sub("", text) if on_terminal else text).replace("\r\n", "\n")
    if on_terminal:  # the status line returns to the line's start
        text = text.replace("\r", "") if "L\rM" not in text else text
    return [text[max(0, match.start() - 30):match.end() + 10] for match in BAD.finditer(text)]


def in_pipes(arguments, env=None, stdin=b""):
    process = subprocess.run([str(ENPROF), *arguments], capture_output=True, input=stdin, timeout=300,
                             env={**os.environ, **(env or {})})
    return process.returncode, process.stdout, process.stderr


def on_terminal(arguments, env=None):
    """The exit code, and the program's output on a pseudo-terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([str(ENPROF), *arguments], stdin=slave, stdout=slave, stderr=slave,
                               env={**os.environ, "TERM": "xterm", **(env or {})})
    os.close(slave)
    output = b""
    while True:
        ready, _, _ = select.select([master], [], [], 120)
        if not ready:
            process.kill()
            break
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        output += piece
    code = process.wait(timeout=60)
    os.close(master)
    return code, output


def with_hostile_strings(value, key=""):
    """A run's JSON in which every text that its writer may choose is replaced."""
    free = {"prompt", "response", "experiment", "name", "path", "architecture", "quantization",
            "engine", "message", "hint", "code", "text", "device", "component", "finish_reason",
            "domain", "domains", "within"}
    if isinstance(value, dict):
        return {name: with_hostile_strings(member, name) for name, member in value.items()}
    if isinstance(value, list):
        if key in ("tags", "sources"):
            return [HOSTILE, HOSTILE + "2"]
        return [with_hostile_strings(member, key) for member in value]
    if isinstance(value, str) and key in free and not value.startswith("("):
        return value + HOSTILE  # keeps different values different
    return value


class HostileText(ProgramTest):
    def check(self, *arguments, code=0, env=None, stdin=b"", shown=True):
        """Runs a command in pipes and on a terminal, and expects its message, made harmless."""
        arguments = [argument if isinstance(argument, bytes) else str(argument).encode()
                     for argument in arguments]
        what = b" ".join(arguments)[:200]
        got, out, err = in_pipes(arguments, env, stdin)
        self.assertEqual(bad_parts(out), [], what)
        self.assertEqual(bad_parts(err), [], what)
        self.assertEqual(got, code, (what, err))
        if shown:
            self.assertTrue(out + err, what)
        if not stdin:
            _, both = on_terminal(arguments, env)
            self.assertEqual(bad_parts(both, on_terminal=True), [], what)
        return out

    def import_hostile_run(self):
        made = self.profile_json("--depth", "deep", "--power", f"replay:{replay(50)}", "-n", 4)
        made = with_hostile_strings(made)
        made["warnings"].append({"component": HOSTILE, "code": HOSTILE, "message": HOSTILE,
                                 "hint": HOSTILE})
        made["run_id"] = "f00d"
        path = self.dir / "hostile.json"
        path.write_text(json.dumps(made))
        out = self.check("import", path, "--db", self.db)
        self.assertIn(b"Imported run f00d", out)

    def test_an_imported_run_in_every_command(self):
        self.import_hostile_run()
        database = ("--db", self.db)
        for form in ("folded", "speedscope", "chrome"):
            self.check("export", "f00d", "--format", form, *database)
        for arguments in (["runs"], ["runs", "--json"], ["show", "f00d"], ["show", "f00d", "--json"],
                          ["export", "f00d"], ["show", "last"], ["export", "f00d", "--format", "json"],
                          ["db", "stats"], ["db", "stats", "--json"], ["db", "check"],
                          ["db", "prune", "--max-runs", "0"], ["db", "vacuum"], ["db", "import"]):
            self.check(*arguments, *database)
        shown = json.loads(self.check("show", "f00d", "--json", *database))
        self.assertEqual(shown["tags"], [HOSTILE, HOSTILE + "2"])
        self.assertTrue(shown["prompt"].endswith(HOSTILE))
        self.check("export", "f00d", "--format", "csv", "-o", self.dir / "csv", *database, shown=False)
        self.assertIn(HOSTILE.encode(), (self.dir / "csv" / "run.csv").read_bytes())
        self.check("rm", "nonsense" + HOSTILE, *database, code=1)
        self.assertIn(b"Deleted run f00d", in_pipes(["rm", "f00d", "--db", str(self.db)])[1])

    def test_paths_and_names_that_are_passed(self):
        self.profile("--power", "none")
        database = ("--db", self.db)
        place = os.fsencode(self.dir) + b"/" + HOSTILE_BYTES
        self.check("db", "backup", place + b"1", *database, code=0, shown=True)
        other = ("--db", place + b"1")
        for arguments in (["db", "stats"], ["db", "stats", "--json"], ["db", "check"],
                          ["db", "vacuum"], ["runs"], ["doctor"], ["doctor", "--json"],
                          ["db", "import"]):
            self.check(*arguments, *other)
        self.check("db", "check", "--salvage", place + b"2", *database)
        self.check("model", "synth", "-o", place + b".gguf", "--force", "--layers", "1", "--embd", "64",
                   "--ff", "64", "--heads", "2", "--kv-heads", "2", "--name", HOSTILE.encode())
        small = ("-n", "2", "--power", "none", "-p", HOSTILE, "--tag", HOSTILE, "--experiment", HOSTILE,
                 "--db", self.db)
        self.check("run", "-m", place + b".gguf", *small)
        self.check("run", "-m", place + b".gguf", "--json", "-", *small)
        self.check("-vv", "run", "-m", place + b".gguf", *small)
        for arguments in (["run", "-m", place + b".none", "-p", "x", *database],
                          ["run", "-m", self.dir, "-p", "x", *database],
                          ["show", HOSTILE_BYTES, *database], ["export", HOSTILE_BYTES, *database],
                          ["import", place + b".none", *database],
                          ["runs", "--db", place + b"/none"],
                          ["serve", "--models-dir", place + b".none", *database],
                          ["model", "synth", "-o", place + b"/a/b"],
                          ["watch", b"http://127.0.0.1:1/" + HOSTILE_BYTES]):
            self.check(*arguments, code=2 if arguments[0] == "watch" else 1)
        for arguments in ([HOSTILE_BYTES], ["--" + HOSTILE], ["run", "--depth", HOSTILE_BYTES],
                          ["runs", "--from", HOSTILE_BYTES, *database],
                          ["serve", "--allow-host", HOSTILE_BYTES],
                          ["run", "-m", model(), "-p", "x", "--power", HOSTILE_BYTES],
                          ["model", "synth", "-o", place, "--arch", HOSTILE_BYTES]):
            self.check(*arguments, code=2)
        broken = self.dir / "broken.json"
        broken.write_text(json.dumps({"run_id": HOSTILE, "status": HOSTILE}))
        self.check("import", broken, *database, code=1)
        self.check("import", "-", *database, code=1, stdin=HOSTILE_BYTES)
        (self.dir / "replay.jsonl").write_bytes(HOSTILE_BYTES)
        self.check("run", "-m", model(), "-p", "x", "--power",
                   b"replay:" + os.fsencode(self.dir) + b"/replay.jsonl", *database, code=1)
        self.check("doctor", *database, env={"ENPROF_VOCAB_DIR": place + b".none",
                                             "ENPROF_NVML_LIBRARY": place,
                                             "ENPROF_POWERMETRICS_COMMAND": HOSTILE_BYTES})

    def test_a_log_file(self):
        log = self.dir / "log"
        place = os.fsencode(self.dir) + b"/" + HOSTILE_BYTES
        in_pipes(["-vv", "--log-file", str(log), "run", "-m", place, "-p", "x", "--db", place + b".db"])
        self.assertEqual(bad_parts(log.read_bytes()), [])


class HostileServer(ProgramTest):
    """The output of enprof watch for a hostile server."""

    def serve(self, event):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def answer(client):
            request = b""
            while b"\r\n\r\n" not in request:
                piece = client.recv(65536)
                if not piece:
                    return
                request += piece
            if b"upgrade: websocket" not in request.lower():
                body = json.dumps({"running": True, "sources": [HOSTILE], "domains": [
                    {"name": HOSTILE, "source": HOSTILE, "method": "estimated", "within": None}],
                    "power_mw": 1, "warnings": []}).encode()
                client.sendall(b"HTTP/1.1 200 OK\r\nServer: enprof\r\nContent-Type: application/json"
                               b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
                client.close()
                return
            key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)[1]
            accept = base64.b64encode(
                hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nServer: enprof\r\n"
                           b"Connection: Upgrade\r\nEnprof-Seq: 1\r\nSec-WebSocket-Accept: " + accept +
                           b"\r\n\r\n")
            frame = json.dumps([event], ensure_ascii=False).encode()
            head = bytes([0x81, 126]) + struct.pack(">H", len(frame))
            why = HOSTILE.encode()[:100].decode(errors="ignore").encode()
            client.sendall(head + frame + bytes([0x88, len(why) + 2]) + struct.pack(">H", 1013) + why)
            client.recv(65536)
            client.close()

        def accept():
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def test_events_in_pipes_and_on_a_terminal(self):
        event = {"seq": 2, "run_id": "r" + HOSTILE, "type": "error" + HOSTILE, "t_ms": 1,
                 "data": {"message": HOSTILE, "hint": HOSTILE, HOSTILE: HOSTILE,
                          "rails": [{"name": HOSTILE, "power_mw": 1}]}}
        for kind in ("error", "error" + HOSTILE, "warning", "model_loading", "power_sample",
                     "section_start", "token_complete", "inference_complete"):
            event["type"] = kind
            event["data"] |= {"model": HOSTILE, "phase": HOSTILE, "section": HOSTILE, "text": HOSTILE,
                              "status": HOSTILE}
            url = self.serve(event)
            for options in ([], ["--json"]):
                process = subprocess.Popen([str(ENPROF), "watch", url, *options],
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                line = process.stdout.readline()
                output = process.stderr.readline() + process.stderr.readline()
                process.terminate()
                rest, errors = process.communicate(timeout=60)
                self.assertIn(b"r", line)
                self.assertEqual(bad_parts(line + rest), [], (kind, options))
                self.assertEqual(bad_parts(output + errors), [], (kind, options))
                if options:
                    self.assertEqual(json.loads(line), event)
        master, slave = pty.openpty()
        process = subprocess.Popen([str(ENPROF), "watch", url], stdin=slave, stdout=slave,
                                   stderr=slave, env={**os.environ, "TERM": "xterm"})
        os.close(slave)
        output = b""
        while b"Run " not in output or b"was lost" not in output:
            ready, _, _ = select.select([master], [], [], 60)
            self.assertTrue(ready, output)
            output += os.read(master, 65536)
        process.terminate()
        process.wait(timeout=60)
        self.assertEqual(bad_parts(output, on_terminal=True), [])
        os.close(master)


class HostileRequests(ServeTest):
    def test_what_clients_send_is_answered_and_logged_harmlessly(self):
        os.symlink("/etc/passwd", os.fsencode(self.models) + b"/" + HOSTILE_BYTES + b".gguf")
        log = self.dir / "log"
        self.serve("-vv", "--log-file", str(log))
        run = self.generate(prompt=HOSTILE, tags=[HOSTILE], experiment=HOSTILE)
        self.wait_for(run)
        name = json.dumps(HOSTILE)
        for method, target, body in (("GET", f"/api/profiling/run/{run}", b""),
                                     ("GET", "/api/profiling/runs", b""), ("GET", "/api/models", b""),
                                     ("GET", "/none", b""),
                                     ("GET", "/%1b%5b2J%c2%9b", b""),
                                     ("GET", "/api/profiling/runs?%1b%c2%9b=1", b""),
                                     ("POST", "/api/profiling/generate",
                                      f'{{"model":{name},"prompt":"x"}}'.encode()),
                                     ("POST", "/api/profiling/generate", f"{{{name}:1}}".encode())):
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
                client.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = b""
                while piece := client.recv(65536):
                    answer += piece
            self.assertEqual(bad_parts(answer), [], target)
        self.server.terminate()
        self.server.communicate(timeout=60)
        self.server = None
        self.assertEqual(bad_parts(log.read_bytes()), [])


if __name__ == "__main__":
    main()

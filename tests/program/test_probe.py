"""`enprof exec` of programs with llama.cpp inside, which know nothing of enprof."""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest
import urllib.request

from program import (ENPROF, INSTALLED, PATIENCE_S, SOURCE, ProgramTest, changed_script, enprof, main,
                     model, needs_dev, replay, wait_until)

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = pathlib.Path(os.environ["ENPROF_BUILD"]) / "shared-llama" / "libllama.so"
LATE = HERE / "llama_late.py"
STEADY = f"replay:{replay(50)}"
LAYERS = 4


# Of a test with clients that come and go: ENPROF_LOAD_S=120 for a longer one.
LOAD_S = int(os.environ.get("ENPROF_LOAD_S", "10"))


def tiny():
    return model(layers=LAYERS, embd=256, ff=512)


@unittest.skipUnless(sys.platform == "linux" and LIBRARY.exists(), "needs the shared llama.cpp")
class Probe(ProgramTest):
    """Of a Python script that opens llama.cpp by ctypes."""

    def words(self, *options, power=STEADY):
        return ["exec", "--baseline-s", 0, "--power", power, "--db", self.db, *options, "--"]

    def late(self, prompt=8, output=5, *more):
        return [sys.executable, LATE, LIBRARY, tiny(), prompt, output, *more]

    def changed(self, change, *arguments):
        """late() of the script that `change` makes of its text."""
        script = changed_script(LATE, self.dir / "changed.py", change)
        return [script if word == LATE else word for word in self.late(*arguments)]

    def run_exec(self, *command, options=(), **others):
        return enprof(*self.words(*options), *command, **others)

    def run_json(self, *command, options=(), **others):
        file = self.dir / "run.json"
        process = self.run_exec(*command, options=("--json", file, *options), **others)
        self.assertEqual(process.returncode, 0, process.stderr)
        return json.loads(file.read_text()), process

    def codes(self, run):
        return {warning["code"] for warning in run["warnings"]}

    def requests(self):
        """The requests of the capture that was made last, the first one first."""
        listed = json.loads(enprof("runs", "--json", "--capture", "last", "--db", self.db).stdout)
        found = [json.loads(enprof("export", run["run_id"], "--db", self.db).stdout)
                 for run in listed["runs"]]
        return sorted(found, key=lambda run: run["request"]["number"])


class Layers(Probe):
    def test_layers_and_tokens_of_an_unmodified_program(self):
        run, process = self.run_json(*self.late(prompt=8, output=5))
        plain = subprocess.run([str(word) for word in self.late(prompt=8, output=5)],
                               capture_output=True, text=True, check=True)
        self.assertEqual(process.stdout, plain.stdout, "its output is its own")
        self.assertEqual((run["capture"]["requests"], run["capture"]["passes"]), (1, 6))
        self.assertEqual(run["capture"]["sharing"], "operations")
        for phase in ("prefill", "decode"):
            layers = {layer["layer"] for layer in run["layers"] if layer["phase"] == phase}
            self.assertEqual(layers - {-1, None}, set(range(LAYERS)), phase)
        components = {component["component"] for component in run["components"]}
        for wanted in ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
                       "lm_head", "embedding"):
            self.assertIn(wanted, components)
        self.assertFalse(self.codes(run) & {"graphs_unknown", "operations_untimed", "lost_passes"},
                         run["warnings"])
        self.assertEqual(run["model"]["architecture"], "llama")
        self.assertEqual(run["model"]["layers"], LAYERS)
        self.assertEqual(run["model"]["engine"], "exec")
        (request,) = self.requests()
        # The last pass of the prompt made the first token, and each step one more.
        self.assertEqual(request["totals"]["prompt_tokens"], 8)
        self.assertEqual(request["totals"]["output_tokens"], 6)
        self.assertEqual(request["model"]["engine"], "llama.cpp")
        self.assertTrue(request["layers"])

    def test_energy_is_conserved_at_each_level(self):
        run, _ = self.run_json(*self.late(prompt=16, output=8), options=("--depth", "deep"))
        total = run["totals"]["energy_mj"]
        parts = sum(part["energy_mj"] for part in run["capture"]["parts"])
        self.assertAlmostEqual(parts / total, 1.0, delta=1e-9)
        requests = next(part["energy_mj"] for part in run["capture"]["parts"]
                        if part["part"] == "requests")
        self.assertAlmostEqual(sum(r["totals"]["energy_mj"] for r in self.requests()) / requests,
                               1.0, delta=1e-9)
        for phase in ("prefill", "decode"):
            layers = sum(x["energy_mj"] for x in run["layers"] if x["phase"] == phase)
            components = sum(x["energy_mj"] for x in run["components"] if x["phase"] == phase)
            self.assertAlmostEqual(layers / components, 1.0, delta=1e-9)

    def test_the_operations_are_those_of_our_own_engine(self):
        """The same model, once inside a program and once in enprof run: the same components."""
        run, _ = self.run_json(*self.late(prompt=8, output=3), options=("--depth", "deep"))
        own = self.profile_json("--power", STEADY, "--depth", "deep", "--values-every", 0, path=tiny())

        def of(profile):
            return {(c["layer"], c["component"]) for c in profile["components"]
                    if c["phase"] == "decode" and not c["component"].startswith("(")}

        self.assertEqual(of(run), of(own))

        def work(profile):
            return {(o["component"], o["op"]) for o in profile["operations"]
                    if o["phase"] == "decode" and not o["component"].startswith("(")}

        self.assertEqual(work(run), work(own))

    def test_minimal_depth_has_requests_and_no_layers(self):
        run, _ = self.run_json(*self.late(), options=("--depth", "minimal"))
        self.assertEqual(run["capture"]["requests"], 1)
        self.assertEqual(run["layers"], [])

    def test_requests_that_share_passes(self):
        run, process = self.run_json(*self.late(8, 5, 3))
        self.assertEqual(len(process.stdout.splitlines()), 3)
        self.assertEqual(run["capture"]["requests"], 3)
        self.assertEqual(run["capture"]["most_in_flight"], 3)
        requests = self.requests()
        self.assertEqual([r["totals"]["prompt_tokens"] for r in requests], [8, 8, 8])
        self.assertEqual([r["totals"]["output_tokens"] for r in requests], [6, 6, 6])
        energies = [r["totals"]["energy_mj"] for r in requests]
        self.assertLess(max(energies) / min(energies), 1.01, "they do the same work")

    def test_without_the_probe_it_is_any_command(self):
        run, _ = self.run_json(*self.late(), options=("--no-probe",))
        self.assertEqual((run["phases"], run["tokens"], run["capture"]), ([], [], None))

    def test_each_run_of_several_has_its_own(self):
        process = self.run_exec(*self.late(8, 2), options=("-r", 2))
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(len(self.requests()), 1)

    def test_a_prompt_that_is_cached_but_for_one_token(self):
        """It goes on exactly where the request before stopped: the cut of the cache before it tells."""
        command = self.changed(lambda text: text.replace(
            "llama.close()",
            "assert llama.cut(0, PROMPT + OUTPUT)\n"
            "llama.compute([(0, PROMPT + OUTPUT, 7)])\n"
            "llama.close()"), 8, 5)
        run, _ = self.run_json(*command)
        self.assertEqual(run["capture"]["requests"], 2)
        first, second = self.requests()
        self.assertEqual((first["totals"]["prompt_tokens"], first["totals"]["output_tokens"]), (8, 6))
        self.assertEqual((second["request"]["cached_tokens"], second["totals"]["output_tokens"]), (13, 1))

    def test_requests_in_flight_while_it_runs(self):
        command = self.changed(lambda text: text.replace(
            "for step in range(OUTPUT):",
            "for step in range(OUTPUT):\n    if step == 3:\n        sys.stdin.readline()"), 8, 5, 2)
        process = subprocess.Popen(
            [str(word) for word in (ENPROF, *self.words("--interval", 0.05), *command)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        number = r"[\d.]+"
        begun = (rf" s · {number} W · {number} k?J · 2 of 2 requests in flight · {number} tokens/s"
                 rf"( · 2\.0 sequences a pass)? · {number} m?J/token$")
        for line in process.stderr:
            if re.search(begun, line.rstrip()):
                break
        for line in process.stderr:
            if " · 0 of 2 requests in flight · 0.0 tokens/s · " in line:
                break
        _, rest = process.communicate("\n", timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0, rest)
        self.assertIn("Requests", rest)

    def test_prompts_and_answers_are_kept_with_their_requests(self):
        command = self.changed(lambda text: text.replace("5 + position", "15043 + position"), 3, 4)
        run, process = self.run_json(*command)
        self.assertEqual(run["prompt"], " ".join(str(word) for word in command))
        self.assertNotIn("texts_unknown", self.codes(run))
        request, = self.requests()
        self.assertTrue(request["prompt"].startswith(" Hello"), request["prompt"])
        answer = [token["text"] for token in request["tokens"]]
        self.assertEqual(len(answer), 5)
        self.assertEqual(answer[-1], "", "the last one was never computed with")
        self.assertEqual(request["response"], "".join(answer))
        self.assertNotEqual(request["response"], "")
        self.assertEqual(len(process.stdout.split()), 4)

    def test_without_texts(self):
        self.run_json(*self.late(), options=("--no-text",))
        request, = self.requests()
        self.assertEqual(request["prompt"], "")
        self.assertEqual({token["text"] for token in request["tokens"]}, {""})

    def test_a_model_that_is_gone_has_no_texts(self):
        copy = self.dir / "gone.gguf"
        shutil.copy(tiny(), copy)
        command = self.changed(lambda text: text.replace(
            "llama.close()", "import os\nos.unlink(MODEL)\nllama.close()"), 3, 4)
        command = [copy if word == tiny() else word for word in command]
        run, _ = self.run_json(*command)
        self.assertIn("texts_unknown", self.codes(run))
        self.assertEqual(self.requests()[0]["prompt"], "")

    def test_it_is_shown(self):
        self.run_json(*self.late())
        shown = enprof("show", "last", "--db", self.db).stdout
        self.assertIn("Command    ", shown)


def cached(what):
    """Where tools/fetch-llama has put it; None if it has not."""
    found = subprocess.run([SOURCE / "tools" / "fetch-llama", what], text=True, check=False,
                           env={**os.environ, "ENPROF_CACHED_ONLY": "1"}, capture_output=True)
    return pathlib.Path(found.stdout.strip()) if found.returncode == 0 else None


NODE = cached("--node") if shutil.which("node") else None
PROGRAMS = cached("--programs")
needs_programs = needs_dev(PROGRAMS, "llama.cpp's programs")


class RealPrograms(Probe):
    def run_unchanged(self, *command):
        """The run of a command that prints the same without enprof."""
        run, process = self.run_json(*command, stdin="")
        plain = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                               check=True, stdin=subprocess.DEVNULL)
        self.assertEqual(process.stdout, plain.stdout)
        return run

    @needs_dev(NODE, "node-llama-cpp")
    def test_node_llama_cpp(self):
        """An addon of Node.js, with a prebuilt llama.cpp of its own."""
        command = ["node", NODE / "generate.mjs", tiny(), 5]
        run = self.run_unchanged(*command)
        layers = {layer["layer"] for layer in run["layers"] if layer["phase"] == "decode"}
        self.assertEqual(layers - {-1, None}, set(range(LAYERS)), run["warnings"])
        self.assertEqual(run["capture"]["requests"], 1)

    @needs_dev(NODE, "llama.node")
    def test_llama_node_contains_it(self):
        """An addon of Node.js that has llama.cpp in its own file: measured as any command."""
        command = ["node", NODE / "static.mjs", tiny(), 5]
        run = self.run_unchanged(*command)
        self.assertIsNone(run["capture"])
        told, = [warning for warning in run["warnings"] if warning["code"] == "llama_inside"]
        self.assertIn("index.node contains llama.cpp", told["message"])

    @needs_programs
    def test_llama_bench(self):
        run, process = self.run_json(PROGRAMS / "bin" / "llama-bench", "-m", tiny(), "-p", 32, "-n",
                                     8, "-r", 2, "-t", 1, "-o", "json")
        self.assertEqual(len(json.loads(process.stdout)), 2, "its own results are whole")
        layers = {layer["layer"] for layer in run["layers"] if layer["phase"] == "decode"}
        self.assertEqual(layers - {-1, None}, set(range(LAYERS)), run["warnings"])
        self.assertGreaterEqual(run["capture"]["passes"], 2 * (1 + 8))

    @needs_programs
    def test_llama_completion(self):
        command = [PROGRAMS / "bin" / "llama-completion", "-m", tiny(), "-p", "Hello", "-n", 6,
                   "-t", 1, "--temp", 0, "-no-cnv", "--no-warmup"]
        run = self.run_unchanged(*command)
        self.assertEqual(run["capture"]["requests"], 1)

    @contextlib.contextmanager
    def llama_server(self, port, *arguments, options=()):
        """One that answers; the run is in run.json after it has ended."""
        process = subprocess.Popen(
            [str(word) for word in (ENPROF, *self.words("--json", self.dir / "run.json", *options),
                                    PROGRAMS / "bin" / "llama-server", "-m", tiny(), "-t", 1,
                                    "--port", port, "--no-webui", *arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: answers(port), "the server answers")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=PATIENCE_S)

    @needs_programs
    def test_llama_server(self):
        """Four requests at once: as many as the server counts, with its numbers of tokens."""
        port = free_port()
        with self.llama_server(port, "-np", 4, "-c", 1024), \
                concurrent.futures.ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda number: complete(port, number), range(4)))
        counts = [(one["tokens_evaluated"], one["tokens_predicted"]) for one in told]
        run = json.loads((self.dir / "run.json").read_text())
        self.assertEqual(run["capture"]["requests"], 4, run["warnings"])
        found = [(request["totals"]["prompt_tokens"], request["totals"]["output_tokens"])
                 for request in self.requests()]
        self.assertEqual(sorted(found), sorted(counts))

    @needs_programs
    @needs_dev(NODE, "the openai client")
    def test_clients_that_stream_cancel_and_continue(self):
        """Eight for four slots, whose prompts are cached and whose contexts are shifted: each request
        that the server finished is found with its own numbers, and the others beside it."""
        port = free_port()
        with self.llama_server(port, "-np", 4, "-c", 2048, "--context-shift", "--metrics",
                               "--cache-ram", 0):
            clients = subprocess.run(
                ["node", NODE / "clients.mjs", f"http://127.0.0.1:{port}", "8", str(LOAD_S), "1"],
                capture_output=True, text=True, check=False, timeout=LOAD_S + PATIENCE_S)
            self.assertEqual(clients.returncode, 0, clients.stderr)
            metrics = fetch(port, "/metrics").decode()
        told = json.loads(clients.stdout)
        run = json.loads((self.dir / "run.json").read_text())
        listed = json.loads(enprof("runs", "--json", "--capture", "last", "--limit", 100_000, "--db",
                                   self.db).stdout)["runs"]
        expected = collections.Counter((prompt, output) for prompt, output, _ in told["ended"])
        found = collections.Counter((one["prompt_tokens"], one["output_tokens"]) for one in listed)
        context = (len(listed), len(told["ended"]), len(told["cancelled"]))
        self.assertGreater(len(told["ended"]), 20, context)
        self.assertGreater(len(told["cancelled"]), 2, context)
        self.assertEqual(expected - found, collections.Counter(), context)
        self.assertLessEqual((found - expected).total(), len(told["cancelled"]), context)
        counted = dict(re.findall(r"^llamacpp:(\w+_total) (\S+)$", metrics, re.M))
        self.assertEqual(sum(one["output_tokens"] for one in listed),
                         int(float(counted["tokens_predicted_total"])), context)
        self.assertAlmostEqual(sum(part["energy_mj"] for part in run["capture"]["parts"])
                               / run["totals"]["energy_mj"], 1.0, delta=1e-9)

    @needs_programs
    def test_a_servers_answers_are_the_same_without_enprof(self):
        answers_of = []
        for options in ((), ("--no-probe",)):
            port = free_port()
            with self.llama_server(port, "-np", 1, "-c", 512, options=options):
                answers_of.append([complete(port, number)["content"] for number in range(3)])
        self.assertEqual(*answers_of)


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
        return answer.read()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def complete(port, number):
    """The answer to a prompt, with the numbers of tokens as the server counts them."""
    body = {"prompt": [300 + number] * (10 + number), "n_predict": 8 + number, "ignore_eos": True,
            "temperature": 0, "cache_prompt": False}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/completion",
                                     data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.loads(answer.read())


class Helpers(Probe):
    def test_what_the_command_starts_is_followed(self):
        script = " ".join(f"'{word}'" for word in self.late(8, 2))
        run, _ = self.run_json("sh", "-c", f"{script}; {script}")
        self.assertEqual(run["capture"]["requests"], 2)
        self.assertEqual([r["totals"]["output_tokens"] for r in self.requests()], [3, 3])

    def test_two_at_a_time(self):
        script = " ".join(f"'{word}'" for word in self.late(8, 40))
        run, _ = self.run_json("sh", "-c", f"{script} & {script}; wait")
        self.assertEqual(run["capture"]["requests"], 2)
        self.assertEqual([r["totals"]["output_tokens"] for r in self.requests()], [41, 41])
        self.assertAlmostEqual(sum(part["energy_mj"] for part in run["capture"]["parts"])
                               / run["totals"]["energy_mj"], 1.0, delta=1e-9)

    def test_the_environment_of_the_command(self):
        """It keeps what the user had for the dynamic linker, and enprof's own is beside it."""
        process = self.run_exec("sh", "-c", "echo $LD_AUDIT", env={"LD_AUDIT": ""})
        self.assertEqual(pathlib.Path(process.stdout.strip()).name, "libenprof-probe.so")
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_one_that_clears_its_environment(self):
        process = self.run_exec("env", "-i", *self.late(8, 2))
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIsNone(self.export()["capture"])

    def export(self):
        return json.loads(enprof("export", "last", "--db", self.db).stdout)

    def test_a_second_enprof_inside(self):
        other = self.dir / "inner.db"
        process = self.run_exec(ENPROF, "exec", "--baseline-s", 0, "--power", "none", "--db", other,
                                "--", *self.late(8, 2))
        self.assertEqual(process.returncode, 0, process.stderr)
        inner = json.loads(enprof("export", "last", "--db", other).stdout)
        self.assertEqual(inner["capture"]["passes"], 3)
        self.assertIsNone(json.loads(enprof("export", "last", "--db", self.db).stdout)["capture"])


class Faults(Probe):
    def test_killed_in_mid_run_it_keeps_what_came(self):
        command = self.changed(lambda text: text.replace(
            "for step in range(OUTPUT):",
            "for step in range(OUTPUT):\n    if step == 4:\n        import os, signal\n"
            "        os.kill(os.getpid(), signal.SIGKILL)"), 8, 10)
        process = self.run_exec(*command)
        self.assertEqual(process.returncode, 128 + signal.SIGKILL)
        run = json.loads(enprof("export", "last", "--db", self.db).stdout)
        self.assertEqual(run["status"], "failed")
        self.assertEqual(run["capture"]["passes"], 5)

    def test_enprof_killed_the_program_goes_on(self):
        done = self.dir / "done"
        command = self.changed(lambda text: text.replace(
            "for step in range(OUTPUT):",
            "import os, time\n"
            f"open({str(self.dir / 'begun')!r}, 'w').close()\n"
            "parent = os.getppid()\n"
            "while os.getppid() == parent:\n    time.sleep(0.01)\n"
            "for step in range(OUTPUT):") + f"\nopen({str(done)!r}, 'w').write('whole')\n", 8, 5)
        process = subprocess.Popen([str(word) for word in (ENPROF, *self.words(), *command)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until((self.dir / "begun").exists, "the program has its prompt")
        process.kill()
        process.wait()
        wait_until(lambda: done.exists() and done.read_text() == "whole", "the program has ended")
        leftovers = [name for name in os.listdir("/dev/shm") if "enprof" in name]
        self.assertEqual(leftovers, [])

    def test_a_program_that_ends_at_once(self):
        run, _ = self.run_json("true")
        self.assertIsNone(run["capture"])
        self.assertEqual(self.codes(run) & {"probe_failed", "records_damaged"}, set())

    def test_one_that_closes_its_descriptors(self):
        command = self.changed(lambda text: "import os\nos.closerange(3, 1000)\n" + text, 8, 3)
        run, _ = self.run_json(*command)
        self.assertEqual(run["capture"]["passes"], 4)

    def test_without_its_library_it_measures_the_command(self):
        prefix = self.dir / "moved"
        shutil.copytree(INSTALLED / "bin", prefix / "bin")
        process = subprocess.run(
            [str(word) for word in (prefix / "bin" / "enprof", *self.words(), *self.late(8, 2))],
            capture_output=True, text=True, check=False)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertRegex(" ".join(process.stderr.split()), "libenprof-probe.so")


if __name__ == "__main__":
    main()

"""export: formats of other tools, and tables of several runs."""

import collections
import csv
import gzip
import json
import os
import pty
import re
import struct
import subprocess

from program import ENPROF, ProgramTest, enprof, main, replay
from serving import ServeTest


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """The fields of a message of Protocol Buffers: (number, value), in the order of its bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 1:
            (value,) = struct.unpack_from("<d", data, at)
            at += 8
        else:
            assert tag & 7 == 2, tag
            size, at = varint(data, at)
            value = data[at:at + size]
            assert len(value) == size
            at += size
        yield tag >> 3, value


def message(data):
    """The same by number: a list of values each."""
    result = collections.defaultdict(list)
    for number, value in fields(data):
        result[number].append(value)
    return result


def packed(data):
    at, numbers = 0, []
    while at < len(data):
        value, at = varint(data, at)
        numbers.append(value)
    return numbers


def folded_lines(text):
    """[(frames, weight)]; each line as flamegraph.pl and inferno read it."""
    lines = []
    for line in text.splitlines():
        stack, weight = re.fullmatch(r"(.*) (\d+)", line).groups()
        assert not re.fullmatch(r".*\s\d+(\.\d*)?", stack), f"a second weight: {line}"
        lines.append((stack.split(";"), int(weight)))
    return lines


class Export(ProgramTest):
    def profile_deep(self, *arguments):
        power = replay(40, seconds=60, step_ms=10, domains=("package-0", "dram-0"))
        return self.profile_json("--depth", "deep", "--power", f"replay:{power}", *arguments)

    def export(self, form, *arguments, text=True):
        made = subprocess.run([ENPROF, "export", "last", "--db", self.db, "--format", form,
                               *arguments], capture_output=True, timeout=300)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.notes = made.stderr.decode()
        return made.stdout.decode() if text else made.stdout

    def test_folded_stacks_add_up_to_the_run(self):
        for depth in ("deep", "module", "minimal"):
            with self.subTest(depth):
                run = self.profile_deep("--depth", depth)
                lines = folded_lines(self.export("folded"))
                self.assertEqual(self.notes, "")
                total = run["totals"]["energy_mj"] * 1e3
                self.assertAlmostEqual(sum(weight for _, weight in lines), total,
                                       delta=1 + 1e-6 * total)
                times = folded_lines(self.export("folded", "--weight", "time"))
                self.assertAlmostEqual(sum(weight for _, weight in times),
                                       run["totals"]["duration_ms"] * 1e3, delta=2)
                self.assertLessEqual({frames[0] for frames, _ in times},
                                     {phase["phase"] for phase in run["phases"]})
                deepest = {"deep": 4, "module": 3, "minimal": 2}[depth]
                self.assertEqual(max(len(frames) for frames, _ in times), deepest)
                if depth == "minimal":
                    continue
                # Each component has what the run says of it.
                sums = collections.Counter()
                for frames, weight in times:
                    sums[tuple(frames[:3])] += weight
                checked = 0
                for component in run["components"]:
                    if component["layer"] is not None:
                        key = (component["phase"], f"layer {component['layer']}",
                               component["component"])
                        self.assertAlmostEqual(sums[key], component["duration_ms"] * 1e3, delta=10)
                        checked += 1
                self.assertGreater(checked, 8)

    def test_without_energy_there_are_no_zeros(self):
        self.profile_json("--power", "none", "--depth", "deep")
        folded = ("export", "last", "--db", self.db, "--format", "folded")
        path = self.dir / "x.folded"
        self.assert_fails(enprof(*folded, "-o", path), 1, "is not known", "--weight time")
        self.assertFalse(path.exists())
        self.assertTrue(folded_lines(enprof(*folded, "--weight", "time").stdout))
        profiles = json.loads(self.export("speedscope"))["profiles"]
        self.assertEqual([profile["name"] for profile in profiles], ["time"])
        for event in json.loads(self.export("chrome"))["traceEvents"]:
            self.assertIsNone(event.get("args", {}).get("energy_mj"))

    def test_what_a_picture_does_not_show_is_said(self):
        run = self.profile_deep() | {"run_id": "estimated"}
        run["totals"]["quality"] |= {"method": "estimated", "coverage": 0.5}
        path = self.dir / "run.json"
        path.write_text(json.dumps(run), encoding="utf-8")
        self.assertEqual(enprof("import", path, "--db", self.db).returncode, 0)
        for form in ("folded", "speedscope", "chrome", "perfetto", "pprof"):
            made = subprocess.run([ENPROF, "export", "estimated", "--db", self.db, "--format", form],
                                  capture_output=True, timeout=300)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertIn(b"the energies are estimates", made.stderr)
            self.assertIn(b"sensors covered 50.0 % of the run", made.stderr)
        times = enprof("export", "estimated", "--db", self.db, "--format", "folded", "--weight",
                       "time")
        self.assertEqual((times.returncode, times.stderr), (0, ""))

    def test_speedscope_has_time_and_energy(self):
        run = self.profile_deep()
        document = json.loads(self.export("speedscope"))
        frames = document["shared"]["frames"]
        time, energy = document["profiles"]
        for profile in (time, energy):
            self.assertEqual(len(profile["samples"]), len(profile["weights"]))
            self.assertEqual(sum(profile["weights"]), profile["endValue"])
            self.assertLess(max(max(stack) for stack in profile["samples"]), len(frames))
        self.assertAlmostEqual(time["endValue"], run["totals"]["duration_ms"] * 1e6, delta=1e3)
        total = run["totals"]["energy_mj"] * 1e3
        self.assertAlmostEqual(energy["endValue"], total, delta=1 + 1e-6 * total)

    def test_pprof_is_a_profile(self):
        run = self.profile_deep()
        profile = message(gzip.decompress(self.export("pprof", text=False)))
        strings = [text.decode() for text in profile[6]]
        self.assertEqual(strings[0], "")
        types = [message(value) for value in profile[1]]
        self.assertEqual([(strings[each[1][0]], strings[each[2][0]]) for each in types],
                         [("energy", "microjoules"), ("time", "microseconds")])
        functions = {each[1][0]: strings[each[2][0]] for each in map(message, profile[5])}
        locations = {each[1][0]: functions[message(each[4][0])[1][0]]
                     for each in map(message, profile[4])}
        sums = [0, 0]
        for sample in map(message, profile[2]):
            stack = [locations[location] for location in packed(sample[1][0])]
            self.assertIn(stack[-1], ("pre_inference", "prefill", "decode", "post_inference"))
            sums = [sum(pair) for pair in zip(sums, packed(sample[2][0]))]
        total = run["totals"]["energy_mj"] * 1e3
        self.assertAlmostEqual(sums[0], total, delta=1 + 1e-6 * total)
        self.assertAlmostEqual(sums[1], run["totals"]["duration_ms"] * 1e3, delta=2)

    def check_slices(self, run, slices):
        """[(category, name, begin, end, depth, args)], times in nanoseconds."""
        by_category = collections.Counter(each[0] for each in slices)
        self.assertEqual(by_category["run"], 1)
        self.assertEqual(by_category["phase"], len(run["phases"]))
        self.assertEqual(by_category["token"], len(run["tokens"]))
        self.assertEqual(by_category["operation"], len(run["operation_table"]["events"]))
        for token, each in zip(run["tokens"], (each for each in slices if each[0] == "token")):
            self.assertAlmostEqual(each[2], token["begin_ms"] * 1e6, delta=2)
            self.assertAlmostEqual(each[3] - each[2], token["duration_ms"] * 1e6, delta=2)
            self.assertAlmostEqual(each[5]["energy_mj"], token["energy_mj"], places=9)
        for event, each in zip(run["operation_table"]["events"],
                               (each for each in slices if each[0] == "operation")):
            columns = dict(zip(run["operation_table"]["event_columns"], event))
            self.assertAlmostEqual(each[2], columns["begin_ms"] * 1e6, delta=2)
            self.assertEqual(each[1],
                             run["operation_table"]["operations"][columns["operation"]]["op"])
        # Layers have the energies of their operations.
        layers = sum(each[5]["energy_mj"] for each in slices if each[0] == "layer")
        operations = sum(each[5]["energy_mj"] for each in slices if each[0] == "operation")
        self.assertAlmostEqual(layers, operations, delta=1e-6 * operations)

    def test_chrome_trace_has_nested_slices_and_counters(self):
        run = self.profile_deep()
        document = json.loads(self.export("chrome"))
        open_slices, slices, last, counters = [], [], 0, collections.defaultdict(list)
        for event in document["traceEvents"]:
            if event["ph"] == "C":
                counters[event["name"]].append(event["args"]["W"])
                continue
            if event["ph"] == "M" or event["tid"] != 1:
                continue
            at = round(event["ts"] * 1e3)
            self.assertGreaterEqual(at, last)
            last = at
            if event["ph"] == "B":
                entry = [event["cat"], event["name"], at, None, len(open_slices),
                         event.get("args", {})]
                open_slices.append(entry)
                slices.append(entry)
            elif event["ph"] == "E":
                entry = open_slices.pop()
                entry[3] = at
                entry[5] = entry[5] | event.get("args", {})
            else:
                last = at + round(event["dur"] * 1e3)
                slices.append([event["cat"], event["name"], at, last, len(open_slices),
                               event["args"]])
        self.assertEqual(open_slices, [])
        self.check_slices(run, slices)
        self.assertEqual(set(counters), {"package-0 power", "dram-0 power"})
        for watts in counters["package-0 power"]:
            self.assertAlmostEqual(watts, 40, places=3)

    def test_perfetto_trace_is_the_same(self):
        run = self.profile_deep()
        names = collections.defaultdict(dict)
        tracks, open_slices, slices, last = {}, [], [], 0
        watts = collections.defaultdict(list)
        for number, packet in fields(self.export("perfetto", text=False)):
            self.assertEqual(number, 1)
            packet = message(packet)
            if 60 in packet:
                track = message(packet[60][0])
                tracks[track[1][0]] = track[2][0].decode() if 2 in track else ""
                continue
            for data in map(message, packet[12]):
                for kind in (1, 2, 3):
                    for entry in map(message, data[kind]):
                        names[kind][entry[1][0]] = entry[2][0].decode()
            at, event = packet[8][0], message(packet[11][0])
            (kind,), (track,) = event[9], event[11]
            if kind == 4:
                watts[tracks[track]].append(event[44][0])
            if track != 2:
                continue
            self.assertGreaterEqual(at, last)
            last = at
            args = {}
            for annotation in map(message, event[4]):
                (value,) = annotation[3] + annotation[5] + annotation[6]
                args[names[3][annotation[1][0]]] = value
            if kind == 1:
                name = event[23][0].decode() if 23 in event else names[2][event[10][0]]
                entry = [names[1][event[3][0]], name, at, None, len(open_slices), args]
                open_slices.append(entry)
                slices.append(entry)
            else:
                entry = open_slices.pop()
                entry[3] = at
                entry[5] = entry[5] | args
        self.assertEqual(open_slices, [])
        self.check_slices(run, slices)
        self.assertEqual(set(watts), {"package-0 power", "dram-0 power"})

    def test_a_binary_format_is_not_written_to_a_terminal(self):
        self.profile_json("--power", "none", "-n", 1)
        for form in ("perfetto", "pprof"):
            master, slave = pty.openpty()
            process = subprocess.run([ENPROF, "export", "last", "--db", self.db, "--format", form],
                                     stdout=slave, stderr=subprocess.PIPE, text=True, timeout=60)
            os.close(slave)
            os.close(master)
            self.assertEqual(process.returncode, 2, process.stderr)
            self.assertIn("is not written to a terminal", process.stderr)

    def test_what_does_not_go_together(self):
        self.profile_json("--power", "none", "-n", 1)
        export = ("export", "last", "--db", self.db)
        self.assert_fails(enprof(*export, "--format", "flded"), 2, "did you mean folded?")
        self.assert_fails(enprof(*export, "--format", "chrome", "--weight", "time"), 2,
                          "--weight does not go with chrome")
        self.assert_fails(enprof(*export, "--format", "folded", "--weight", "tmie"), 2,
                          "did you mean time?")
        self.assert_fails(enprof("export", "a", "b", "--db", self.db), 2, "2 runs are named",
                          "--format csv")

    def test_tables_of_several_runs(self):
        first, second = (self.profile_json("--power", "none", "-n", tokens, "--ignore-eos",
                                           "--depth", "minimal", "--tag", "a,b")
                         for tokens in (3, 5))
        tables = self.dir / "tables"
        export = ("export", first["run_id"], "last", "--format", "csv", "-o", tables, "--db", self.db)
        self.assertEqual(enprof(*export).returncode, 0)
        rows = {}
        for path in tables.iterdir():
            with path.open(encoding="utf-8", newline="") as file:
                rows[path.stem] = list(csv.DictReader(file))
        self.assertEqual(collections.Counter(row["run_id"] for row in rows["tokens"]),
                         {first["run_id"]: 3, second["run_id"]: 5})
        self.assertEqual([row["run_id"] for row in rows["runs"]],
                         [first["run_id"], second["run_id"]])
        for run, row in zip((first, second), rows["runs"]):
            self.assertEqual(float(row["duration_ms"]), run["totals"]["duration_ms"])
            self.assertEqual(row["model_name"], run["model"]["name"])
            self.assertEqual(json.loads(row["tag"]), ["a,b"])
            self.assertEqual(row["energy_mj"], "")
        for name, table in rows.items():
            for row in table:
                self.assertIn(row["run_id"], (first["run_id"], second["run_id"]), name)
                self.assertNotIn(None, row, name)
        self.assert_fails(enprof("export", "last", second["run_id"], "--format", "csv", "-o",
                                 self.dir / "twice", "--db", self.db), 1, "is named twice")
        self.assert_fails(enprof("export", "last", "none", "--format", "csv", "-o",
                                 self.dir / "none", "--db", self.db), 1, "none")
        self.assertFalse((self.dir / "none").exists())


class Served(ServeTest):
    def test_the_api_gives_the_same_files(self):
        self.serve()
        run = self.generate(depth="deep")
        self.wait_for(run)
        for form, ending, kind in (("folded", "folded", "text/plain; charset=utf-8"),
                                   ("speedscope", "speedscope.json", "application/json"),
                                   ("chrome", "trace.json", "application/json"),
                                   ("perfetto", "pftrace", "application/octet-stream"),
                                   ("pprof", "pb.gz", "application/octet-stream")):
            with self.subTest(form):
                query = f"format={form}" + ("&weight=time" if form == "folded" else "")
                got, name, content = self.download(f"/api/profiling/export/{run}?{query}")
                self.assertEqual((got, name), (kind, f"enprof-{run}.{ending}"))
                path = self.dir / name
                made = enprof("export", run, "--format", form, "-o", path, "--db", self.db,
                              *(("--weight", "time") if form == "folded" else ()))
                self.assertEqual(made.returncode, 0, made.stderr)
                self.assertEqual(content, path.read_bytes())
        for query, hint in (("format=flded", "folded"), ("format=chrome&weight=time", "folded"),
                            ("format=folded&weight=tmie", "time"), ("weight=time", "folded")):
            status, answer = self.ask(f"/api/profiling/export/{run}?{query}")
            self.assertEqual(status, 400, query)
            self.assertIn(hint, answer["message"] + answer["hint"])


if __name__ == "__main__":
    main()

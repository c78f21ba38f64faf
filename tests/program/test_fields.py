"""A figure has the same name in JSON, in the CSV tables, in the database and on the page. The catalogue
(src/model/run_fields.hpp) makes JSON, its reading, CSV and the SQL statements. These tests check what
is written by hand, and name each field that is missing or named differently: the tables of the
database, and the page's types. test_openapi.py checks the answers against openapi.json."""

import csv
import io
import json
import re
import sqlite3

from program import SOURCE, ProgramTest, enprof, main, model, replay

# A list in the run's JSON: its CSV table and its database table.
LISTS = {
    "phases": ("phases", "pipeline_phases"),
    "sections": ("sections", "pipeline_sections"),
    "tokens": ("tokens", "tokens"),
    "layers": ("layers", "layer_metrics"),
    "components": ("components", "component_metrics"),
    "operations": ("operations", "operation_classes"),
    "power.domains": ("power_domains", "power_domains"),
    "values.activations": ("activations", "activation_metrics"),
    "values.attention": ("attention", "attention_metrics"),
    "warnings": ("warnings", "warnings"),
}
# Computed from other fields of the same row, which a table can do itself.
COMPUTED = {"energy_per_flop_pj", "energy_per_byte_pj", "intensity_flop_per_byte",
            "sensor_uncertainty_mj"}
IN_CSV = {
    ("power.domains", "method"): "source_method",  # the figure has a method, too
}
IN_DATABASE = {
    ("tokens", "index"): "token_index",  # INDEX is a reserved word in SQL
    ("power.domains", "method"): "source_method",
    ("power.domains", "within"): "parent",  # the parent's row
    ("power.domains", "idle_spread_mw"): "idle_power_spread_mw",
}
# Texts that thousands of rows repeat are stored once in `names`: a row has the number.
NAMED = {"component": "component_id", "op": "op_id"}


def part(run, path):
    for key in path.split("."):
        run = run[key]
    return run


def flat(row):
    """The names of a row's values, including those of its quality."""
    result = {}
    for key, value in row.items():
        if key == "quality":
            result.update({name: name for name in value})
        else:
            result[key] = key
    return set(result)


class Fields(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.power = replay(40, seconds=60, step_ms=10, domains=("package-0", "dram-0"))

    def setUp(self):
        super().setUp()
        made = enprof("run", model(), "Where did it go?", "-n", 8, "--depth", "deep", "--values-every",
                      2, "--tag", "a", "--experiment", "e", "--power", f"replay:{self.power}",
                      "--baseline-s", 0.2, "--baseline-force", "--threads", 1, "--db", self.db)
        self.assertEqual(made.returncode, 0, made.stderr)
        exported = enprof("export", "last", "--format", "json", "--db", self.db)
        self.run_json = json.loads(exported.stdout)
        # A run with a warning, so that this table has a row.
        self.run_json["warnings"].append(
            {"component": "test", "code": "test", "message": "m", "hint": "h"})

    def rows(self, path):
        rows = part(self.run_json, path)
        self.assertTrue(rows, f"{path} is empty: it proves nothing")
        return rows

    def test_tables_of_csv(self):
        folder = self.dir / "csv"
        exported = enprof("export", "last", "--format", "csv", "-o", folder, "--db", self.db)
        self.assertEqual(exported.returncode, 0, exported.stderr)
        for path, (table, _) in LISTS.items():
            with self.subTest(table):
                text = (folder / f"{table}.csv").read_text(encoding="utf-8")
                columns = next(csv.reader(io.StringIO(text)))
                self.assertEqual(len(columns), len(set(columns)), "a column comes twice")
                names = {IN_CSV.get((path, name), name)
                         for name in flat(self.rows(path)[0]) - COMPUTED}
                if path == "power.domains":  # power by domain at the peak, which JSON has in the
                                             # peak
                    names |= {"peak_power_mw", "method"}
                self.assertEqual(set(columns), names | {"run_id"})

    def test_the_run_as_csv(self):
        folder = self.dir / "csv"
        enprof("export", "last", "--format", "csv", "-o", folder, "--db", self.db)
        with (folder / "run.csv").open(encoding="utf-8") as file:
            keys = {row[1] for row in csv.reader(file)} - {"key"}
        totals = flat(self.run_json["totals"])
        facts = {"model_name" if name == "name" else "model_path" if name == "path" else name
                 for name in self.run_json["model"]}
        self.assertEqual((totals | facts) - keys, set(), "not in run.csv")

    def test_columns_of_the_database(self):
        with sqlite3.connect(self.db) as database:
            for path, (_, table) in LISTS.items():
                with self.subTest(table):
                    columns = {row[1] for row in database.execute(f"PRAGMA table_xinfo({table})")}
                    names = {IN_DATABASE.get((path, name), name)
                             for name in flat(self.rows(path)[0]) - COMPUTED}
                    missing = {name for name in names
                               if name not in columns and NAMED.get(name) not in columns}
                    self.assertEqual(missing, set(), f"{sorted(columns)}")
            columns = {row[1] for row in database.execute("PRAGMA table_xinfo(runs)")}
            totals = flat(self.run_json["totals"]) - COMPUTED
            facts = {"model_name" if name == "name" else "model_path" if name == "path" else name
                     for name in self.run_json["model"]} - {"attention"}  # computed from the heads
            self.assertEqual((totals | facts) - columns, set(), "not in the table runs")

    def calibrated(self):
        """A run whose components were calibrated."""
        env = {"XDG_DATA_HOME": str(self.dir / "data")}
        power = f"replay:{self.power}"
        made = enprof("calibrate", model(), "--power", power, "--seconds", 1, "--threads", 1,
                      "--baseline-force", env=env)
        self.assertEqual(made.returncode, 0, made.stderr)
        shown = enprof("run", model(), "Hi", "-n", 8, "--power", power, "--threads", 1,
                       "--baseline-s", 0, "--no-save", "--json", "-", env=env)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return json.loads(shown.stdout)

    def interfaces(self):
        """The names of the members of the page's types."""
        text = (SOURCE / "web/src/types.ts").read_text(encoding="utf-8")
        result = {}
        for name, base, body in re.findall(
                r"export interface (\w+)(?: extends (\w+))? \{(.*?)^\}", text, re.DOTALL | re.MULTILINE):
            fields = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))
            result[name] = fields | result.get(base, set())
        return result

    def test_types_of_the_page(self):
        interfaces = self.interfaces()
        for name, path in (("Phase", "phases"), ("Section", "sections"), ("Token", "tokens"),
                           ("LayerFigure", "layers"), ("ComponentFigure", "components"),
                           ("OperationFigure", "operations"), ("Domain", "power.domains"),
                           ("Warning", "warnings")):
            with self.subTest(name):
                self.assertEqual(interfaces[name] - set(self.rows(path)[0]), set())
        for name, value in (("Run", self.run_json), ("Totals", self.run_json["totals"]),
                            ("Model", self.run_json["model"]),
                            ("Quality", self.run_json["quality"]),
                            ("CalibrationUse", self.calibrated()["calibration"])):
            with self.subTest(name):
                self.assertEqual(interfaces[name] - set(value), set())

    def test_types_of_other_answers(self):
        document = json.loads((SOURCE / "src/server/openapi.json").read_text(encoding="utf-8"))
        schemas = document["components"]["schemas"]

        def answer(path, *members):
            schema = document["paths"][path]["get"]["responses"]["200"]["content"][
                "application/json"]["schema"]
            for member in members:
                schema = schema["properties"][member]["items"]
            return schema

        interfaces = self.interfaces()
        for name, schema in {
                "RunSummary": schemas["RunSummary"],
                "GenerateRequest": schemas["RunRequest"],
                "RunList": answer("/api/profiling/runs"),
                "PowerTimeline": answer("/api/profiling/run/{id}/power"),
                "Matrix": answer("/api/profiling/run/{id}/matrix"),
                "LayerOperation": answer("/api/profiling/run/{id}/operations", "operations"),
                "ModelEntry": answer("/api/models", "models"),
                "PowerStatus": answer("/api/power/status"),
                "Health": answer("/api/health")}.items():
            with self.subTest(name):
                self.assertEqual(interfaces[name] - set(schema["properties"]), set())


if __name__ == "__main__":
    main()

"""The answers of enprof serve match its OpenAPI document."""

import functools
import http.client
import json
import pathlib
import shutil
import sqlite3

try:
    import jsonschema
except ImportError:
    jsonschema = None

from program import main, needs_dev, wait_until
from serving import ServeTest

FOREIGN = {"Host": "evil.example"}


def strict(schema, closed=True):
    """The same schema, but objects with listed members allow no others."""
    if isinstance(schema, list):
        return [strict(entry, closed) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: strict(member) for name, member in value.items()}
        else:
            result[key] = strict(value, closed=key != "allOf")
    if closed and ("properties" in schema or "allOf" in schema):
        result["unevaluatedProperties"] = False
    return result


@needs_dev(jsonschema, "python3-jsonschema")
class OpenApi(ServeTest):
    def start(self, *arguments, **options):
        self.serve(*arguments, **options)
        status, self.document = self.ask("/api/openapi.json")
        self.assertEqual(status, 200)
        schemas = self.document["components"]["schemas"]
        # A figure's keys are merged into other objects.
        self.document["components"]["schemas"] = {
            name: schema if name == "Figure" else strict(schema)
            for name, schema in schemas.items()}

    def setUp(self):
        super().setUp()
        self.seen = set()

    def resolve(self, node):
        while "$ref" in node:
            path = node["$ref"].removeprefix("#/").split("/")
            node = functools.reduce(dict.__getitem__, path, self.document)
        return node

    def check(self, status, pattern, method="GET", query="", body=None, headers=None, **names):
        """Requests a documented path, and compares the answer with the document."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        text = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, pattern.format(**names) + query, text, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        what = f"{method} {pattern}{query}: {answer.status} {content[:300]}"
        self.assertEqual(answer.status, status, what)
        responses = self.document["paths"][pattern][method.lower()]["responses"]
        documented = self.resolve(responses.get(str(status), responses["default"]))
        for name in documented.get("headers", {}):
            self.assertIsNotNone(answer.getheader(name), what)
        kind = answer.getheader("Content-Type").split(";")[0]
        media = documented["content"][kind]
        if kind.endswith("json"):
            # References start at the root, which is this schema.
            validator = jsonschema.Draft202012Validator(
                strict(media["schema"]) | {"components": self.document["components"]})
            self.assertEqual([f"{error.json_path}: {error.message[:300]}"
                              for error in validator.iter_errors(json.loads(content))], [],
                             f"{method} {pattern}{query}")
        self.seen.add((method.lower(), pattern, str(status)))
        return content

    def check_each(self, status, patterns, **options):
        for method, pattern in patterns:
            body = {"tags": []} if method == "PATCH" else None
            self.check(status, pattern, method, id="none", body=body, **options)

    def check_parts_of_the_matrix(self, run):
        """The sums of the parts of phases and tokens equal their totals."""
        def energy(query):
            matrix = json.loads(self.check(200, "/api/profiling/run/{id}/matrix",
                                           query="?metric=energy" + query, id=run))
            return sum(value or 0 for row in matrix["values"] for value in row)

        everything = energy("&from=-1")
        prefill, decode = (energy(f"&from=-1&phase={phase}") for phase in ("prefill", "decode"))
        self.assertGreater(prefill, 0)
        self.assertGreater(decode, 0)
        self.assertAlmostEqual(prefill + decode, everything, delta=1e-9 * everything)
        self.assertEqual(energy("&from=-1&to=-1&phase=prefill"), prefill)
        self.assertEqual(energy("&from=-1&to=-1&phase=decode"), 0)

    def damage_the_database(self):
        """Replaces the database by another file."""
        for end in ("", "-wal", "-shm"):
            pathlib.Path(f"{self.db}{end}").unlink(missing_ok=True)
        self.db.write_bytes(b"no database" * 1000)

    def test_every_documented_answer_is_as_documented(self):
        self.start("--queue", "1")
        everything = {(method, pattern, status)
                      for pattern, methods in self.document["paths"].items()
                      for method, operation in methods.items()
                      for status in operation["responses"] if status != "default"}
        operations = [(method.upper(), pattern) for method, pattern in
                      sorted({(method, pattern) for method, pattern, _ in everything})]

        # Valid requests.
        generate = "/api/profiling/generate"
        order = {"model": "m.gguf", "prompt": "Hello", "max_tokens": 4}
        runs = []
        for depth in ("minimal", "module", "deep"):
            answer = self.check(202, generate, "POST", body=order | {"depth": depth, "tags": ["a"],
                                                               "experiment": "docs/a"})
            runs.append(json.loads(answer)["run_id"])
            self.check(200, "/api/profiling/run/{id}", id=runs[-1])  # while it is waiting or
                                                                     # running
            self.check(200, "/api/profiling/resolve", query="?run=last")
            self.wait_for(runs[-1])
        self.check(200, "/api/profiling/runs", query="?sort_by=energy&order=asc&tag=a")
        resolve = "/api/profiling/resolve"
        self.check(200, resolve, query="?run=last")
        self.check(200, resolve, query=f"?run={runs[0][:12]}")
        for run in runs:
            for part in ("", "/summary", "/pipeline", "/power", "/matrix"):
                self.check(200, "/api/profiling/run/{id}" + part, id=run)
            self.check(200, "/api/profiling/run/{id}", query="?include=operations", id=run)
            self.check(200, "/api/profiling/export/{id}", id=run)
        self.check(200, "/api/profiling/run/{id}/power", query="?points=0", id=runs[0])
        for metric in ("duration", "power", "pj_per_byte", "sparsity"):
            self.check(200, "/api/profiling/run/{id}/matrix",
                       query=f"?metric={metric}&phase=decode&from=0&to=2", id=runs[2])
        self.check_parts_of_the_matrix(runs[2])
        for query in ("?format=csv", "?format=csv&table=tokens", "?format=csv&table=runs",
                      "?format=folded&weight=time", "?format=speedscope", "?format=chrome",
                      "?format=perfetto", "?format=pprof"):
            self.check(200, "/api/profiling/export/{id}", query=query, id=runs[2])
        self.check(200, "/api/profiling/run/{id}/operations", query="?phase=decode", id=runs[2])
        self.check(200, "/api/profiling/run/{id}", "PATCH", body={"tags": ["b"]}, id=runs[0])
        self.check(200, "/api/profiling/compare", "POST", body={"run_ids": runs})
        experiments = "/api/experiments"
        listed = json.loads(self.check(200, experiments))["experiments"]
        self.assertEqual([(each["experiment"], each["runs"]) for each in listed], [("docs/a", 3)])
        named = "?experiment=docs%2Fa&estimates=yes"
        for part in ("/analyses", "/trend", "/report"):
            self.check(200, experiments + part, query=named)
            self.check(404, experiments + part, query="?experiment=docs%2Fb")
            self.check(400, experiments + part)
            self.check(400, experiments + part, query=named + "!")
        for pattern in ("/api/models", "/api/power/status", "/api/profiling/powermetrics/status",
                        "/api/health", "/healthz", "/metrics", "/api/openapi.json"):
            self.check(200, pattern)

        # Invalid requests.
        for method, pattern in operations:
            body = None if method in ("GET", "DELETE") else {"tags": [], "run_ids": runs} | order
            self.check(400, pattern, method, query="?luck=1", body=body, id=runs[0])
        self.check_each(403, operations, headers=FOREIGN)
        self.check_each(404, [(method, pattern) for method, pattern in operations
                              if "{id}" in pattern])
        self.check(404, "/api/profiling/compare", "POST", body={"run_ids": [runs[0], "none"]})
        self.check(404, resolve, query="?run=none")
        self.check(400, resolve)
        self.check(404, generate, "POST", body=order | {"model": "none.gguf"})
        self.check(400, generate, "POST", body=b"{")
        self.check(400, "/api/profiling/compare", "POST", body={"run_ids": []})
        self.check(400, "/api/profiling/runs", query="?limit=none")
        self.check(400, "/api/profiling/run/{id}/power", query="?points=-1", id=runs[0])
        self.check(400, "/api/profiling/run/{id}/matrix", query="?metric=luck", id=runs[0])
        self.check(400, "/api/profiling/export/{id}", query="?format=xml", id=runs[0])
        self.check(400, "/api/profiling/run/{id}/operations", query="?phase=none", id=runs[0])
        self.check(400, "/api/profiling/run/{id}", "PATCH", body={"tags": 1}, id=runs[0])
        self.check(400, generate, "POST", body=order | {"max_token": 4})
        for method, pattern in operations:
            self.check(431, pattern, method, id=runs[0], headers={"X-Long": "x" * 20_000})
        for method, pattern in (("POST", generate), ("POST", "/api/profiling/compare"),
                                ("PATCH", "/api/profiling/run/{id}")):
            self.check(413, pattern, method, body=b"x" * (5 << 20), id=runs[0])

        # Errors that are not the client's fault.
        long = order | {"max_tokens": 100_000}
        first = json.loads(self.check(202, generate, "POST", body=long))["run_id"]
        while self.ask(f"/api/profiling/run/{first}")[1].get("status") != "running":
            pass
        self.check(202, generate, "POST", body=long)
        self.check(503, generate, "POST", body=long)
        self.check(200, "/api/health")
        self.check(202, "/api/profiling/run/{id}", "DELETE", id=first)
        self.wait_for(first)
        while waiting := self.ask("/api/health")[1]["running"]:
            self.ask(f"/api/profiling/run/{waiting}", method="DELETE")
            self.wait_for(waiting)
        with sqlite3.connect(self.db) as other:  # another program locks the database
            other.execute("BEGIN IMMEDIATE")
            self.check(503, "/api/profiling/run/{id}", "DELETE", id=runs[0])
            self.check(503, "/api/profiling/run/{id}", "PATCH", body={"tags": []}, id=runs[0])
        self.check(200, "/api/profiling/run/{id}", "DELETE", id=runs[0])
        self.damage_the_database()
        patterns = [(method, pattern) for method, pattern in operations
                    if "{id}" in pattern or pattern == "/api/profiling/runs"]
        self.check_each(500, [entry for entry in patterns if entry[0] != "GET"])
        self.check_each(500, [entry for entry in patterns if entry[0] == "GET"])
        self.check(500, "/api/profiling/compare", "POST", body={"run_ids": runs[:2]})
        self.check(500, resolve, query="?run=last")
        self.check(500, experiments)
        for part in ("/analyses", "/trend", "/report"):
            self.check(500, experiments + part, query=named)
        self.check(200, "/metrics")
        health = json.loads(self.check(200, "/api/health"))
        self.assertEqual([part["state"] for part in health["components"] if part["name"] == "store"],
                         ["failing"])
        shutil.rmtree(self.models)
        self.check(404, "/api/models")
        self.check(200, "/api/health")

        # Too many requests.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(connection.close)

        def ask_until_refused():
            status = 200
            while status == 200:
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                status = answer.status

        for method, pattern in operations:
            for attempt in range(20, -1, -1):  # on a busy machine the limiter may refill between
                                               # two requests
                ask_until_refused()
                try:
                    self.check(429, pattern, method, id="none")
                    break
                except AssertionError:
                    if attempt == 0:
                        raise

        # A missing token.
        self.kill()
        self.db.unlink()
        self.models.mkdir()
        self.serve("--token", "s3cret")
        self.check_each(401, operations)

        # The server of a command takes no orders.
        self.kill()
        self.serve_command("cat")
        self.check(409, generate, "POST", body=order)
        running = wait_until(lambda: json.loads(self.check(200, "/api/health"))["running"],
                             "the command runs")
        self.check(409, "/api/profiling/run/{id}", "DELETE", id=running)
        self.check(200, "/api/models")
        self.assertEqual(everything - self.seen, set())

    def test_without_power_the_answers_are_as_documented(self):
        self.start("--power", "none")
        run = self.generate()
        self.wait_for(run)
        for part in ("", "/summary", "/pipeline", "/power", "/matrix"):
            self.check(200, "/api/profiling/run/{id}" + part, id=run)
        self.check(200, "/api/profiling/runs")
        self.check(200, "/api/power/status")
        self.check(200, "/api/health")
        self.assertIsNone(json.loads(self.check(200, "/api/power/status"))["power_mw"])


if __name__ == "__main__":
    main()

"""The main use: a prompt on a model, and what the program reports."""

import json

from program import FakeMachine, ProgramTest, enprof, main, model, played, replay


class ConstantPower(ProgramTest):
    """Under a replay of constant 50 W every energy is known in advance."""

    def setUp(self):
        super().setUp()
        self.run_ = self.profile_json("--power", f"replay:{replay(50)}", "-n", 32)

    def test_energy_is_power_times_duration(self):
        totals = self.run_["totals"]
        self.assertAlmostEqual(totals["energy_mj"] / (50 * totals["duration_ms"]), 1.0, delta=1e-3)
        self.assertAlmostEqual(totals["mean_power_mw"], 50_000, delta=50)
        self.assertAlmostEqual(totals["quality"]["coverage"], 1.0, delta=1e-6)

    def test_the_peak_is_that_power(self):
        run = self.profile_json("-n", 10_000, "--power", f"replay:{replay(50)}", path=played(0.5))
        self.assertAlmostEqual(run["power"]["peak"]["power_mw"], 50_000, delta=50)

    def test_phases_add_up_to_the_run_and_sections_to_their_phase(self):
        total = self.run_["totals"]["energy_mj"]
        phases = self.run_["phases"]
        self.assertEqual([phase["phase"] for phase in phases],
                         ["pre_inference", "prefill", "decode", "post_inference"])
        self.assertAlmostEqual(sum(phase["energy_mj"] for phase in phases) / total, 1, delta=1e-9)
        self.assertAlmostEqual(sum(phase["duration_ms"] for phase in phases),
                               self.run_["totals"]["duration_ms"], delta=1e-6)
        for phase in phases:
            parts = [part for part in self.run_["sections"]
                     if part["phase"] == phase["phase"] and "/" not in part["name"]]
            self.assertAlmostEqual(sum(part["energy_mj"] for part in parts) / phase["energy_mj"], 1,
                                   delta=1e-9)

    def test_tokens_lie_within_their_phase(self):
        decode = next(p for p in self.run_["phases"] if p["phase"] == "decode")
        tokens = [t for t in self.run_["tokens"] if t["phase"] == "decode"]
        self.assertEqual(len(self.run_["tokens"]), self.run_["totals"]["output_tokens"])
        self.assertLessEqual(sum(t["energy_mj"] for t in tokens), decode["energy_mj"] * (1 + 1e-9))
        self.assertGreater(sum(t["energy_mj"] for t in tokens), decode["energy_mj"] * 0.95)
        self.assertEqual("".join(t["text"] for t in self.run_["tokens"]).strip(),
                         self.run_["response"].strip())

    def test_cost_and_co2_right_to_the_digit(self):
        totals = self.run_["totals"]
        kwh = totals["energy_mj"] / 3.6e9
        self.assertAlmostEqual(totals["cost_usd"] / (kwh * 0.12), 1, delta=1e-12)
        self.assertAlmostEqual(totals["co2_g"] / (kwh * 400), 1, delta=1e-12)

    def test_formulas(self):
        totals = self.run_["totals"]
        phases = {phase["phase"]: phase for phase in self.run_["phases"]}
        decoded = totals["output_tokens"] - 1  # the first token belongs to prefill
        self.assertAlmostEqual(totals["energy_per_input_token_mj"],
                               phases["prefill"]["energy_mj"] / totals["prompt_tokens"], places=6)
        self.assertAlmostEqual(totals["energy_per_output_token_mj"],
                               phases["decode"]["energy_mj"] / decoded, places=6)
        self.assertAlmostEqual(totals["decode_tokens_per_second"],
                               decoded / phases["decode"]["duration_ms"] * 1e3, places=6)
        self.assertAlmostEqual(totals["edp_js"],
                               totals["energy_mj"] * totals["duration_ms"] / 1e6, places=9)
        self.assertAlmostEqual(totals["tokens_per_joule"],
                               totals["output_tokens"] / totals["energy_mj"] * 1e3, places=9)
        self.assertLess(totals["time_to_first_token_ms"], totals["duration_ms"])


class Flags(ProgramTest):
    def test_price_and_carbon(self):
        totals = self.profile_json("--power", f"replay:{replay(50)}", "--price", 0.30, "--carbon",
                                   200)["totals"]
        kwh = totals["energy_mj"] / 3.6e9
        self.assertAlmostEqual(totals["cost_usd"] / (kwh * 0.30), 1, delta=1e-12)
        self.assertAlmostEqual(totals["co2_g"] / (kwh * 200), 1, delta=1e-12)

    def test_baseline_is_part_of_the_total(self):
        run = self.profile_json("--power", f"replay:{replay(50)}", "--baseline-s", 0.5,
                                "--baseline-force")
        totals = run["totals"]
        self.assertAlmostEqual(totals["baseline_energy_mj"] + totals["dynamic_energy_mj"],
                               totals["energy_mj"], places=6)
        self.assertAlmostEqual(run["power"]["baseline"]["power_mw"], 50_000, delta=1)
        self.assertAlmostEqual(totals["dynamic_energy_mj"], 0, delta=1)

    def test_a_busy_machine_has_no_baseline_unless_it_is_forced(self):
        with FakeMachine(self.dir / "proc") as environment:
            arguments = ("--power", f"replay:{replay(50)}", "--baseline-s", 0.3)
            run = self.profile_json(*arguments, env=environment)
            warnings = {warning["code"]: warning for warning in run["warnings"]}
            self.assertIn("was not idle", warnings["baseline_refused"]["message"])
            self.assertIn("--baseline-force", warnings["baseline_refused"]["hint"])
            self.assertIsNone(run["power"]["baseline"])
            self.assertIsNone(run["totals"]["dynamic_energy_mj"])
            self.assertGreater(run["totals"]["energy_mj"], 0)
            forced = self.profile_json(*arguments, "--baseline-force", env=environment)
            self.assertAlmostEqual(forced["power"]["baseline"]["power_mw"], 50_000, delta=1)
            codes = [each["code"] for each in forced["warnings"]]
            self.assertNotIn("baseline_refused", codes)
            self.assertIn("baseline_forced", codes)
            reasons = [each["code"] for each in forced["verdict_reasons"]]
            self.assertIn("baseline_forced", reasons)

    def test_an_estimate_knows_its_idle_power_on_a_busy_machine(self):
        with FakeMachine(self.dir / "proc") as environment:
            run = self.profile_json("--power", "estimate", "--tdp-watts", 100, "--idle-watts", 20,
                                    "--baseline-s", 0.3, "-n", 10_000, path=played(0.5),
                                    env=environment)
        self.assertEqual(run["power"]["baseline"]["power_mw"], 20_000)
        self.assertNotIn("baseline_refused", [each["code"] for each in run["warnings"]])
        self.assertGreater(run["totals"]["dynamic_energy_mj"], 0)
        self.assertIsNotNone(run["totals"]["process_dynamic_energy_mj"])

    def test_a_run_has_a_verdict(self):
        arguments = ("--power", f"replay:{replay(50)}", "-n", 10_000, "--baseline-s", 0.2,
                     "--baseline-force")

        def reasons(run):
            """But those about what else this machine is doing, which a test cannot know."""
            of_others = {"foreign_load", "baseline_forced", "baseline_above_run",
                         *(warning["code"] for warning in run["warnings"]
                           if warning["component"] == "machine")}
            return [reason["code"] for reason in run["verdict_reasons"]
                    if reason["code"] not in of_others]

        good = self.profile_json(*arguments, "--sensor-accuracy", 2, path=played(0.5))
        self.assertEqual(reasons(good), [])
        self.assertEqual(good["verdict"] == "quotable", not good["verdict_reasons"])
        self.assertEqual(reasons(self.profile_json(*arguments, path=played(0.5))),
                         ["accuracy_unknown"])
        unknown = " ".join(self.profile(*arguments, path=played(0.5)).stdout.split())
        self.assertRegex(unknown, r"Verdict (with caution|not comparable): .*the accuracy of replay")
        self.assertIn("± leaves out the error of the sensor", unknown)
        estimate = self.profile("--power", "estimate", "--tdp-watts", 100, "-n", 10_000,
                                path=played(0.5))
        self.assertRegex(estimate.stdout, r"Verdict +not comparable: an estimate, not a measurement")
        listed = enprof("runs", "--db", self.db, env={"COLUMNS": "140"}).stdout.splitlines()
        self.assertRegex(listed[0], r"output token +verdict +status")
        self.assertIn("not comparable", listed[1], "the latest one is the estimate")

    def test_the_sensors_accuracy_is_in_the_uncertainty(self):
        accurate = self.profile_json("--power", f"replay:{replay(50)}", "-n", 32,
                                     "--sensor-accuracy", "rapl=9,replay=4")
        for figure in (accurate["totals"], *accurate["phases"]):
            quality = figure["quality"]
            self.assertAlmostEqual(quality["sensor_uncertainty_mj"] / figure["energy_mj"], 0.04,
                                   delta=1e-6)
            self.assertAlmostEqual(quality["standard_uncertainty_mj"],
                                   (quality["standard_error_mj"] ** 2
                                    + quality["sensor_uncertainty_mj"] ** 2) ** 0.5, delta=1e-6)
        self.assertEqual(accurate["power"]["domains"][0]["relative_uncertainty"], 0.04)
        totals = accurate["totals"]
        self.assertGreaterEqual(totals["energy_per_output_token_uncertainty_mj"],
                                0.04 * totals["energy_per_output_token_mj"] * (1 - 1e-9))
        for wrong in ("rappl=2", "2,3", "rapl=", "rapl=-1", "=2", "rapl=2,rapl=3", "much", ""):
            refused = self.profile("--power", f"replay:{replay(50)}", "--sensor-accuracy", wrong)
            self.assertIn(refused.returncode, (1, 2), wrong)
            self.assertIn("accuracy", refused.stderr, wrong)

    def test_several_sources_add_up_what_is_disjoint(self):
        """A CPU estimate and a recorded GPU. The CPUs are idle in this procfs, so the estimate is
        its idle power."""
        sources = f"estimate,replay:{replay(50, domains=('gpu-0', 'hwmon:cpu'))}"
        with FakeMachine(self.dir / "proc", busy=0.0) as environment:
            run = self.profile_json("--power", sources, "--tdp-watts", 100, "--idle-watts", 20,
                                    "-n", 64, env=environment)
        within = {domain["name"]: domain["within"] for domain in run["power"]["domains"]}
        self.assertEqual(within, {"cpu": "hwmon:cpu", "gpu-0": None, "hwmon:cpu": None})
        self.assertAlmostEqual(run["totals"]["mean_power_mw"], 100_000, delta=100)

    def test_domains_that_contain_each_other_are_not_added_up(self):
        path = replay(50, domains=("package-0", "core-0", "dram-0"))
        run = self.profile_json("--power", f"replay:{path}")
        self.assertAlmostEqual(run["totals"]["mean_power_mw"], 100_000, delta=100)
        within = {domain["name"]: domain["within"] for domain in run["power"]["domains"]}
        self.assertEqual(within, {"package-0": None, "core-0": "package-0", "dram-0": None})

    def test_without_a_sensor_there_are_times_and_no_energies(self):
        run = self.profile_json("--power", "none")
        self.assertIsNone(run["totals"]["energy_mj"])
        self.assertIsNone(run["totals"]["cost_usd"])
        self.assertGreater(run["totals"]["duration_ms"], 0)
        self.assertGreater(run["totals"]["decode_tokens_per_second"], 0)
        self.assertEqual(run["power"]["domains"], [])

    def test_where_power_cannot_be_measured_times_remain_and_the_run_says_why(self):
        (self.dir / "proc").mkdir()
        nowhere = {"ENPROF_SYSFS_ROOT": str(self.dir / "none"), "ENPROF_NVML_LIBRARY": "/none",
                   "ENPROF_PROCFS_ROOT": str(self.dir / "proc")}
        zeros = "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n"
        beyond = "cpu  18446744073709551615 0 0 18446744073709551615 0 0 0 0 0 0\n"
        for power, stat in (("auto", zeros), ("auto", beyond), ("auto", ""), ("auto", "cpu -1\n"),
                            ("auto", None), ("estimate", zeros), ("rapl", zeros), ("hwmon", zeros),
                            ("nvml", zeros)):
            with self.subTest(power=power, stat=stat):
                path = self.dir / "proc" / "stat"
                path.unlink(missing_ok=True)
                if stat is not None:
                    path.write_text(stat)
                process = self.profile("--power", power, "--baseline-s", 1, "--json", "-",
                                       env=nowhere)
                self.assertEqual(process.returncode, 0, process.stderr)
                self.assertIn("power is not measured, only times", process.stderr)
                run = json.loads(process.stdout)
                warning = next(each for each in run["warnings"] if each["code"] == "power_failed")
                self.assertTrue(warning["message"])
                self.assertTrue(warning["hint"])
                self.assertIsNone(run["totals"]["energy_mj"])
                self.assertGreater(run["totals"]["decode_tokens_per_second"], 0)
        self.assert_fails(self.profile("--strict", "--power", "rapl", env=nowhere), 1, "powercap")
        self.assert_fails(self.profile("--power", "battery", env=nowhere), 1, "power_supply")

    def test_cpu_times_that_never_move_are_no_idle_machine(self):
        proc = self.dir / "proc"
        proc.mkdir()
        (proc / "stat").write_text("cpu  1000 0 0 5000 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n")
        (proc / "cpuinfo").write_text("")
        run = self.profile_json("--power", "estimate", "--tdp-watts", 100, "-n", 10_000,
                                path=played(1), env={"ENPROF_PROCFS_ROOT": str(proc)})
        self.assertIsNone(run["totals"]["energy_mj"])
        self.assertEqual(run["totals"]["quality"]["coverage"], 0)
        warning = next(each for each in run["warnings"] if each["code"] == "sensor_retried")
        self.assertIn(f"{proc}/stat do not change", warning["message"])
        self.assertIn("--power none", warning["hint"])

    def test_an_estimate_is_called_one(self):
        run = self.profile_json("--power", "estimate", "--tdp-watts", 100, "--idle-watts", 20, "-n",
                                10_000, path=played(0.5))
        self.assertEqual(run["totals"]["quality"]["method"], "estimated")
        self.assertIsNone(run["totals"]["quality"]["standard_error_mj"])
        # A window at the run's edge is divided by what was drawn outside, which may have been more.
        self.assertGreaterEqual(run["totals"]["mean_power_mw"], 19_500)
        self.assertLessEqual(run["totals"]["mean_power_mw"], 100_001)

    def test_gpu_layers_in_either_spelling(self):
        for flag in ("-ngl", "--ngl", "--gpu-layers"):
            self.assertEqual(self.profile_json("--power", "none", flag, 0)["model"]["gpu_layers"], 0)
        self.assertNotEqual(self.profile("-ngl", "many").returncode, 0)

    def test_the_last_of_two_flags_counts(self):
        self.assertEqual(self.profile_json("--power", "none", "-n", 2)["totals"]["output_tokens"], 2)

    def test_greedy_runs_repeat(self):
        first = self.profile_json("--power", "none")
        second = self.profile_json("--power", "none")
        self.assertEqual(first["response"], second["response"])
        self.assertNotEqual(first["run_id"], second["run_id"])

    def test_a_seed_repeats_and_another_does_not(self):
        def text(seed):
            return self.profile_json("--power", "none", "--temp", 1.5, "--seed", seed, "-n",
                                     16)["response"]
        self.assertEqual(text(1), text(1))
        self.assertNotEqual(text(1), text(2))

    def test_a_replay_that_ends_early_lowers_the_coverage(self):
        path = replay(50, seconds=1, step_ms=10)
        arguments = ("--power", f"replay:{path}", "--baseline-s", 0.9, "--baseline-force", "-n",
                     10_000)
        run = self.profile_json(*arguments, path=played(0.5))
        self.assertLess(run["totals"]["quality"]["coverage"], 0.99)
        # On a busy machine the recording may end before the run begins.
        self.assertTrue({"low_coverage", "no_coverage"}
                        & {warning["code"] for warning in run["warnings"]})
        strict = self.profile(*arguments, "--strict", path=played(0.5))
        self.assertEqual(strict.returncode, 3, strict.stderr)

    def test_what_was_recorded_can_be_replayed(self):
        record = self.dir / "power.jsonl"
        first = self.profile_json("--power", f"replay:{replay(50)}", "--record-power", record)
        second = self.profile_json("--power", f"replay:{record}")
        self.assertAlmostEqual(first["totals"]["mean_power_mw"], 50_000, delta=50)
        self.assertAlmostEqual(second["totals"]["mean_power_mw"], 50_000, delta=50)

    def test_a_recorded_estimate_is_still_one(self):
        record = self.dir / "power.jsonl"
        self.profile("--power", "estimate", "--record-power", record, "--baseline-s", 0)
        run = self.profile_json("--power", f"replay:{record}", "--baseline-s", 0)
        self.assertEqual([domain["method"] for domain in run["power"]["domains"]], ["estimated"])

    def test_the_prompt_can_come_from_a_file_or_a_pipe(self):
        path = self.dir / "prompt.txt"
        path.write_text("The quick brown fox", encoding="utf-8")
        run = enprof("run", "-m", model(), "-f", path, "-n", 4, "--baseline-s", 0, "--power", "none",
                     "--no-save", "--json", "-")
        self.assertEqual(json.loads(run.stdout)["prompt"], "The quick brown fox", run.stderr)
        run = enprof("run", "-m", model(), "-f", "-", "-n", 4, "--baseline-s", 0, "--power", "none",
                     "--no-save", "--json", "-", stdin="Piped in")
        self.assertEqual(json.loads(run.stdout)["prompt"], "Piped in", run.stderr)

    def test_json_to_a_file_leaves_the_report_on_stdout(self):
        path = self.dir / "run.json"
        process = self.profile("--power", "none", "--json", path)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("Where it went", process.stdout)
        self.assertEqual(json.loads(path.read_text(encoding="utf-8"))["status"], "completed")
        self.assertFalse(path.with_name("run.json.partial").exists())

    def test_model_facts(self):
        facts = self.profile_json("--power", "none")["model"]
        self.assertEqual(facts["architecture"], "llama")
        self.assertEqual((facts["layers"], facts["embedding_width"], facts["feed_forward_width"]),
                         (8, 512, 1024))
        self.assertEqual((facts["heads"], facts["kv_heads"], facts["attention"]), (8, 4, "GQA"))
        self.assertEqual(facts["file_bytes"], model().stat().st_size)
        self.assertEqual(facts["quantization"], "Q8_0")
        # layers × 2 × positions × KV heads × head width × bytes of f16; llama.cpp allocates
        # positions in multiples of 256
        self.assertEqual(facts["kv_cache_bytes"], 8 * 2 * 256 * 4 * 64 * 2)
        self.assertLessEqual(facts["context"], 256)
        self.assertGreater(facts["load_ms"], 0)

    def test_log(self):
        process = self.profile("--power", f"replay:{replay(50)}", "-v")
        for text in (f"Connected to profiling database at {self.db}",
                     "PowerMonitor started successfully with 10ms sampling interval\n",
                     "Starting profiling run", "saved to database"):
            self.assertIn(text, process.stderr)
        self.assertNotIn("PowerMonitor", self.profile("--power", "none", "-v").stderr)
        estimate = self.profile("--power", "estimate", "--tdp-watts", 100, "-v").stderr
        self.assertIn("PowerMonitor started successfully with 100ms sampling interval\n", estimate)

    def test_the_detailed_log_counts_layers_and_samples(self):
        process = self.profile("--power", f"replay:{replay(50)}", "--depth", "module", "-vv")
        # Eight layers, each once for the prompt.
        self.assertIn("Captured 8 layer timings during prefill", process.stderr)
        self.assertRegex(process.stderr, r"Added [1-9]\d* power samples for run [0-9a-f]{16}")


if __name__ == "__main__":
    main()

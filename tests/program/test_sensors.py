"""What sensors do that stand still, contradict each other, or lack a part: never a wrong number without a word."""

import json
import os

from fake_sensors import UNREADABLE, Counter, Sensors, Value, rails, zone
from program import ProgramTest, enprof, main, model

LIBRARY = os.environ["ENPROF_FAKE_NVML_LIBRARY"]


class SensorsTest(ProgramTest):
    def measure(self, files, *arguments, env=None):
        """A run with these sensors."""
        with Sensors(self.dir / "sys", files) as environment:
            return self.profile_json("-n", 250, "--ignore-eos", "--no-warmup", *arguments,
                                     env={**environment, **(env or {})})

    @staticmethod
    def watts(run):
        return run["totals"]["mean_power_mw"] / 1000

    @staticmethod
    def warnings(run):
        return {warning["code"]: warning["message"] for warning in run["warnings"]
                if warning["component"] == "power" and warning["code"] not in
                ("rate_deviation", "counter_not_locked", "foreign_load")}

    def assert_watts(self, run, watts, coverage=1.0):
        self.assertAlmostEqual(self.watts(run), watts, delta=watts * 0.08)
        self.assertAlmostEqual(run["quality"]["coverage"], coverage, delta=0.03)
        self.assertLessEqual(self.watts(run) * 0.92, run["power"]["peak"]["power_mw"] / 1000
                             if run["power"]["peak"] else self.watts(run))


class Rapl(SensorsTest):
    def test_a_platform_that_never_counts_is_left_out_and_said_to_be(self):
        run = self.measure({**zone("0", "package-0", Counter(40)), **zone("0:0", "core", Counter(30)),
                            **zone("0:1", "dram", Counter(4)), **zone("1", "psys", Counter(0, 0))},
                           "--power", "rapl")
        self.assert_watts(run, 44)
        self.assertIn("psys of rapl shows no energy", self.warnings(run)["domain_left_out"])
        psys, = (domain for domain in run["power"]["domains"] if domain["name"] == "psys")
        self.assertIsNone(psys["energy_mj"], "absent is never zero")
        self.assertIsNotNone(psys["within"], "it is not added up")

    def test_the_idle_baseline_leaves_it_out_too(self):
        with Sensors(self.dir / "sys", {**zone("0", "package-0", Counter(40)),
                                        **zone("1", "psys", Counter(0, 77))}) as environment:
            process = enprof("run", "-m", model(), "-p", "Hi", "-n", 250,
                             "--ignore-eos", "--baseline-s", 1, "--baseline-force", "--power", "rapl",
                             "--db", self.db, "--json", "-", env=environment)
        self.assertEqual(process.returncode, 0, process.stderr)
        run = json.loads(process.stdout)
        self.assertAlmostEqual(run["power"]["baseline"]["power_mw"], 40_000, delta=3_000)
        self.assertIn("domain_left_out", self.warnings(run))

    def test_a_platform_below_its_parts_is_not_believed(self):
        run = self.measure({**zone("0", "package-0", Counter(60)), **zone("1", "psys", Counter(6))},
                           "--power", "rapl")
        self.assert_watts(run, 60)
        self.assertRegex(self.warnings(run)["whole_below_parts"], "psys of rapl says [56]")

    def test_a_platform_that_counts_is_the_whole(self):
        run = self.measure({**zone("0", "package-0", Counter(40)), **zone("0:0", "dram", Counter(4)),
                            **zone("1", "psys", Counter(70))}, "--power", "rapl")
        self.assert_watts(run, 70)
        self.assertEqual(self.warnings(run), {})

    def test_dies_that_mirror_one_counter_count_once(self):
        run = self.measure({**zone("0", "package-0-die-0", Counter(68, 123_456_789)),
                            **zone("1", "package-0-die-1", Counter(68, 123_456_789))},
                           "--power", "rapl")
        self.assert_watts(run, 68)
        self.assertIn("package-1 shows the counter of package-0",
                      self.warnings(run)["counters_mirrored"])

    def test_dies_that_count_apart_add_up(self):
        run = self.measure({**zone("0", "package-0-die-0", Counter(30, 123_456_789)),
                            **zone("1", "package-0-die-1", Counter(38, 123_456_789))},
                           "--power", "rapl")
        self.assert_watts(run, 68)
        self.assertEqual(self.warnings(run), {})

    def test_a_socket_that_cannot_be_read_costs_coverage(self):
        run = self.measure({**zone("0", "package-0", Counter(40)), **zone("1", "package-1", UNREADABLE)},
                           "--power", "rapl")
        self.assert_watts(run, 40, coverage=0.5)
        self.assertIn("package-1 cannot be read", self.warnings(run)["counter_unreadable"])
        self.assertIn("low_coverage", self.warnings(run))
        self.assertIsNone(run["totals"]["energy_per_output_token_mj"])

    def test_a_socket_that_stands_still_costs_coverage(self):
        run = self.measure({**zone("0", "package-0", Counter(40)), **zone("1", "package-1", Counter(0, 99))},
                           "--power", "rapl")
        self.assert_watts(run, 40, coverage=0.5)
        self.assertIn("package-1 of rapl shows no energy", self.warnings(run)["domain_stands_still"])

    def test_memory_that_never_counts_is_left_out(self):
        run = self.measure({**zone("0", "package-0", Counter(40)), **zone("0:0", "dram", Counter(0, 0))},
                           "--power", "rapl")
        self.assert_watts(run, 40)
        self.assertIn("dram-0", self.warnings(run)["domain_left_out"])

    def test_a_counter_without_a_range_is_counted_and_said_to_have_none(self):
        run = self.measure({**zone("0", "package-0", Counter(40)),
                            **zone("1", "package-1", Counter(20), wraps_at=0)}, "--power", "rapl")
        self.assert_watts(run, 60)
        self.assertIn("package-1", self.warnings(run)["counter_range_unknown"])


class Hwmon(SensorsTest):
    def test_rails_of_a_known_board_are_added_up(self):
        run = self.measure({**rails(1, ("VDD_GPU_SOC", 19000, 600), ("VDD_CPU_CV", 19000, 300),
                                    ("VIN_SYS_5V0", 5000, 800)),
                            **rails(2, ("VDDQ_VDD2_1V8AO", 5000, 160))},
                           "-n", 600, "--power", "hwmon")
        self.assertAlmostEqual(self.watts(run), 11.4 + 5.7 + 4.0, delta=0.5)
        self.assertIn("module-0 is the sum of the rails", self.warnings(run)["rails_added"])

    def test_rails_of_an_unknown_board_are_said_not_to_be(self):
        run = self.measure(rails(1, ("VDD_A", 19000, 600), ("VDD_B", 19000, 300)),
                           "-n", 600, "--power", "hwmon")
        self.assertAlmostEqual(self.watts(run), 11.4, delta=0.5)
        self.assertIn("may be a part of what the board draws", self.warnings(run)["rails_not_added"])

    def test_a_meter_that_says_what_cannot_be_hides_nothing(self):
        run = self.measure({**zone("0", "package-0", Counter(40)),
                            "class/hwmon/hwmon0/name": "power_meter\n",
                            "class/hwmon/hwmon0/power1_average": "4294967295000\n",
                            "class/hwmon/hwmon1/name": "amdgpu\n",
                            "class/hwmon/hwmon1/power1_average": Value(15_000_000)},
                           "--power", "rapl,hwmon")
        self.assertAlmostEqual(self.watts(run), 55, delta=4)
        self.assertIn("power_meter", self.warnings(run)["sensor_left_out"])


class Battery(SensorsTest):
    BATTERY = {"class/power_supply/BAT0/type": "Battery\n", "class/power_supply/BAT0/status": "Discharging\n",
               "class/power_supply/BAT0/present": "1\n", "class/power_supply/BAT0/power_now": Value(9_000_000)}

    def test_an_empty_bay_takes_nothing_from_the_battery_that_is_there(self):
        run = self.measure({**self.BATTERY, "class/power_supply/BAT1/type": "Battery\n",
                            "class/power_supply/BAT1/status": "Unknown\n",
                            "class/power_supply/BAT1/present": "0\n"}, "-n", 600, "--power", "battery")
        self.assertAlmostEqual(self.watts(run), 9, delta=0.5)

    def test_a_programmable_charger_is_noticed(self):
        charger = "class/power_supply/ucsi-source-psy-USBC000:001/"
        with Sensors(self.dir / "sys", {**self.BATTERY, charger + "type": "USB\n",
                                        charger + "online": "2\n"}) as environment:
            self.assert_fails(self.profile("--power", "battery", env=environment), 1,
                              "plugged in")


class Nvml(SensorsTest):
    def test_where_the_energy_counter_stands_still_power_is_read(self):
        trace = self.dir / "trace"
        trace.write_text("gpu 0 counter=20 update=20\nat 0 gpu 0 watts 150\nat 0 gpu 0 counter_frozen 1\n")
        run = self.measure({}, "-n", 1200, "--ctx", 2048, "--power", "nvml",
                           env={"ENPROF_NVML_LIBRARY": LIBRARY, "ENPROF_FAKE_NVML": str(trace)})
        self.assertAlmostEqual(self.watts(run), 150, delta=8)
        self.assertIn("its energy counter stands still", self.warnings(run)["counter_frozen"])


class Elsewhere(SensorsTest):
    def test_where_no_source_works_times_remain(self):
        procfs = self.dir / "proc"
        procfs.mkdir()
        (procfs / "cpuinfo").write_text("")
        (procfs / "stat").write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
        for text in (None, "", "cpu  0 0\n"):
            if text is not None:
                (procfs / "stat").write_text(text)
            run = self.profile_json("--power", "auto", env={
                "ENPROF_SYSFS_ROOT": str(self.dir / "none"), "ENPROF_PROCFS_ROOT": str(procfs),
                "ENPROF_NVML_LIBRARY": "/nowhere/libnvidia-ml.so.1"})
            self.assertEqual(run["status"], "completed")
            self.assertIsNone(run["totals"]["energy_mj"])
            self.assertGreater(run["totals"]["duration_ms"], 0)
            self.assertIn("No power source works here", self.warnings(run)["power_failed"])

    def test_doctor_tries_out_what_it_finds(self):
        with Sensors(self.dir / "sys", {**zone("0", "package-0", Counter(40)),
                                        **zone("1", "package-1", UNREADABLE),
                                        **zone("2", "psys", Counter(0, 0)),
                                        **rails(1, ("VDD_A", 19000, 600), ("VDD_B", 19000, 300))}) as env:
            process = enprof("doctor", "--json", "--db", self.db, env=env)
        self.assertEqual(process.returncode, 0, process.stderr)
        found = {entry["what"]: entry for entry in json.loads(process.stdout)}
        rapl = found["power: rapl"]
        self.assertEqual(rapl["state"], "limited", rapl)
        self.assertIn("package-1 cannot be read", rapl["detail"])
        self.assertIn("psys of rapl shows no energy", rapl["detail"])
        self.assertTrue(rapl["fix"])
        self.assertIn("rails of the board", found["power: hwmon"]["detail"])


if __name__ == "__main__":
    main()

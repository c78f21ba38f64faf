"""What disturbs the machine during a run is said on it: by a kernel of files."""

from fake_sensors import Sensors
from program import ProgramTest, main, played, replay

CPU = "devices/system/cpu/cpu0/"


class Growing:
    """A file whose # is a number that grows evenly, in steps of a hundredth of a second."""

    def __init__(self, text, per_second, start=1000):
        self.template, self.per_second, self.start = text, per_second, start

    def text(self, now):
        number = self.start + int(int(now * 100) * self.per_second / 100)
        return self.template.replace("#", f"{number:015}") + "\n"


class Changing:
    """One text, and another one from an instant on. Both are of one length."""

    def __init__(self, before, after, at_s):
        self.before, self.after, self.at_s = before, after, at_s

    def text(self, now):
        return (self.before if now < self.at_s else self.after) + "\n"


PSI = "{} avg10=0.00 avg60=0.00 avg300=0.00 total=#"

CALM_PROC = {
    "cpuinfo": "", "stat": Growing("cpu  # 0 0 5000 0 0 0 0 0 0\ncpu0 1 1 1 1", 100),
    "pressure/memory": PSI.format("some").replace("#", "7") + "\n",
    "pressure/io": PSI.format("full").replace("#", "7") + "\n",
    "self/cgroup": "0::/\n", "self/status": "VmSwap:\t0 kB\n",
    "self/stat": "1 (enprof) S 1 1 1 0 -1 0 1 2 3 4 5 6 0 0 20 0 2 0 9 9\n",
    "self/task/1/schedstat": Growing("# 5 3", 900_000_000)}
CALM_SYS = {
    "fs/cgroup/cpu.max": "150000 100000\n",
    "fs/cgroup/cpu.stat": Growing("nr_periods #\nnr_throttled 5\nthrottled_usec 9", 10),
    CPU + "thermal_throttle/core_throttle_count": "3\n",
    CPU + "cpufreq/scaling_cur_freq": "3000000\n", CPU + "cpufreq/scaling_max_freq": "4000000\n",
    CPU + "cpufreq/cpuinfo_max_freq": "4000000\n", CPU + "cpufreq/base_frequency": "2500000\n",
    CPU + "cpufreq/scaling_governor": "powersave\n"}

STRESS_PROC = {
    **CALM_PROC, "stat": Growing("cpu  # 0 0 5000 0 0 0 # 0 0\ncpu0 1 1 1 1", 100),
    "pressure/memory": Growing(PSI.format("some"), 300_000),
    "pressure/io": Growing(PSI.format("full"), 200_000),
    "self/stat": Growing("1 (enprof) S 1 1 1 0 -1 0 1 2 # 4 5 6 0 0 20 0 2 0 9 9", 5000),
    "self/status": Growing("VmSwap:\t# kB", 100_000),
    "self/task/1/schedstat": Growing("# # 3", 500_000_000)}
STRESS_SYS = {
    **CALM_SYS, "fs/cgroup/cpu.stat": Growing("nr_periods #\nnr_throttled #\nthrottled_usec #", 10),
    CPU + "thermal_throttle/core_throttle_count": Growing("#", 50),
    CPU + "cpufreq/scaling_cur_freq": Changing("3000000", "1000000", 2.0)}


class Machine(ProgramTest):
    def run_on(self, proc, sys, *arguments):
        """A run of four seconds on such a machine; the warnings about the machine, by code."""
        with Sensors(self.dir / "proc", proc), Sensors(self.dir / "sys", sys):
            run = self.profile_json(
                "--power", f"replay:{replay(50)}", "-n", 10_000, *arguments, path=played(4),
                env={"ENPROF_PROCFS_ROOT": str(self.dir / "proc"),
                     "ENPROF_SYSFS_ROOT": str(self.dir / "sys")})
        return {warning["code"]: warning for warning in run["warnings"]
                if warning["component"] == "machine"}

    def test_a_calm_machine_is_not_warned_of(self):
        self.assertEqual(self.run_on(CALM_PROC, CALM_SYS), {})

    def test_a_machine_under_stress_is_told_and_the_run_is_whole(self):
        """--strict, too: nothing is missing from the data."""
        warnings = self.run_on(STRESS_PROC, STRESS_SYS, "--strict")
        self.assertEqual(set(warnings), {
            "memory_pressure", "io_pressure", "cpu_stolen", "cpu_contention", "cpu_quota",
            "cpu_throttled", "cpu_frequency_changed", "cpu_frequency_low", "process_swapped"})
        for code, text in (("memory_pressure", r"in (2[5-9]|3[0-5])\.\d % of the time"),
                           ("cpu_stolen", r"gave (4\d|5[0-5])\.\d %"),
                           ("cpu_quota", r"\(1\.5 CPUs\) .* in 100\.0 % of the periods"),
                           ("cpu_frequency_changed", r"at 1\.00 to 3\.00 GHz"),
                           ("cpu_frequency_low", r"below their rated 2\.50 GHz, with the governor powersave")):
            self.assertRegex(warnings[code]["message"], text)
        for warning in warnings.values():
            self.assertTrue(warning["hint"])


if __name__ == "__main__":
    main()

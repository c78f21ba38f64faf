"""Runs the checks, one after the other, and writes what they found."""

import datetime
import json
import math
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
import time

from hardware_check import cuda, page, profiles
from hardware_check.programs import Budget, Failed, Programs, Skipped

FORMAT = 1
SENSORS = ("rapl", "powermetrics", "nvml", "hwmon", "battery")  # an estimate is none
EXIT_PASSED, EXIT_FAILED, EXIT_NO_SENSOR = 0, 1, 3


class Context:
    """What the checks share: the programs, the time, and what earlier checks found."""

    def __init__(self, programs, options, work):
        self.programs, self.short, self.work = programs, options.short, work
        self.budget = Budget(options.minutes)
        self.sources = None

    def seconds(self, usual, short):
        return short if self.short else usual

    def works(self, source):
        """Whether that source works; asks, where the check of the sources did not run."""
        if self.sources is None:
            self.sources = find_sources(self)
        return self.sources.get(source, {}).get("works", False)

    def needs(self, *sources):
        if not any(self.works(source) for source in sources):
            raise Skipped("no such sensor can be read here: " + ", ".join(sources))


class Findings:
    """What one check found: facts, and statements that hold or do not."""

    def __init__(self):
        self.facts, self.statements = {}, []

    def expect(self, holds, statement):
        self.statements.append({"holds": bool(holds), "statement": statement})


def find_sources(context):
    done = context.programs.enprof("doctor", "--json", limit_s=60)
    try:
        return {each["what"].removeprefix("power: "): each for each in json.loads(done.stdout)
                if each["what"].startswith("power: ")}
    except (ValueError, KeyError, TypeError):
        raise Failed(f"enprof doctor --json gave no answer: {done.stderr.strip()[-300:]}") from None


def first_line(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].strip()
    except OSError:
        return None


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or None


def distribution():
    try:
        for line in pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.split("=", 1)[1].strip('"')
    except OSError:
        pass
    return None


def check_machine(context, found):
    """What this machine is. Not its name."""
    version = context.programs.enprof("--version", limit_s=30)
    flags = first_line_with("/proc/cpuinfo", "flags") or ""
    found.facts = {
        "enprof": version.stdout.strip(), "cpu": cpu_name(), "cpus": os.cpu_count(),
        "architecture": platform.machine(), "kernel": platform.release(), "system": distribution(),
        "board": first_line("/sys/class/dmi/id/product_name"), "virtual": " hypervisor" in flags,
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "user_is_root": os.geteuid() == 0, "gpus": gpu_names()}
    found.expect(version.returncode == 0, "enprof starts")


def first_line_with(path, word):
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return next((line for line in lines if line.startswith(word)), None)
    except OSError:
        return None


def gpu_names():
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines()] if done.returncode == 0 else []


def check_sources(context, found):
    """Which sources work, and what would make the others work."""
    context.sources = find_sources(context)
    found.facts = {"sources": list(context.sources.values())}
    if not any(context.works(sensor) for sensor in SENSORS):
        fixes = [each["fix"] for name, each in context.sources.items() if name in SENSORS and each.get("fix")]
        raise Skipped("no sensor can be read here" + (": " + "; ".join(fixes) if fixes else ""))
    found.expect(True, "a sensor can be read")


def check_steps(context, found):
    """How often each counter steps, and by how much."""
    context.needs("rapl", "nvml")
    seconds = context.seconds(4, 0.8)
    context.budget.need(30 * seconds)
    found.facts = context.programs.measure("steps", "--seconds", seconds, limit_s=60 * seconds + 30)
    if not found.facts["values"]:
        raise Skipped("no counter can be read directly: " + "; ".join(found.facts["notes"]))
    for value in found.facts["values"]:
        name = value["name"]
        found.expect(value["failed_reads"] == 0, f"{name}: no reading fails ({value['failed_reads']} of "
                                                 f"{value['reads']})")
        if value["is_counter"] and name.startswith(("package", "gpu")):
            found.expect(value["steps"] >= 3, f"{name}: the counter counts ({value['steps']} steps in "
                                              f"{value['watched_ms'] / 1e3:.1f} s)")


def check_idle(context, found):
    """Power at rest, of each domain."""
    context.needs(*SENSORS)
    seconds = context.seconds(10, 1)
    context.budget.need(seconds + 10)
    found.facts = context.programs.measure("idle", "--seconds", seconds, limit_s=seconds + 60)
    for domain in found.facts["domains"]:
        if domain["is_root"]:
            found.expect(domain["coverage"] >= 0.98,
                         f"{domain['name']}: windows cover the time ({100 * domain['coverage']:.1f} %)")
            found.expect((domain["power_mw"] or 0) > 0, f"{domain['name']}: some power is drawn")


def check_counter(context, found):
    """A GPU's energy counter against its integrated power, under load if CUDA's driver is there."""
    context.needs("nvml")
    seconds = context.seconds(20, 4)
    context.budget.need(seconds + 10)
    found.facts = context.programs.measure("compare", "--load", "cuda", "--seconds", seconds, limit_s=seconds + 60)
    energies = {each["name"]: each["energy_mj"] for each in found.facts["energies"]}
    counters = [name for name in energies if name.endswith(" energy")]
    if not counters:
        raise Skipped("no GPU has an energy counter that counts")
    for counter in counters:
        gpu = counter.removesuffix(" energy")
        of_module = f"{gpu} power module" in energies  # a superchip: its counter counts the CPU, too
        for way in ("power module",) if of_module else ("power", "power instant", "power average"):
            if f"{gpu} {way}" in energies:
                ratio = energies[f"{gpu} {way}"] / energies[counter]
                found.expect(abs(ratio - 1) <= 0.05, f"{gpu}: integrated {way} / energy counter = {ratio:.4f}")


def check_cpu_wave(context, found):
    """Square waves of CPU load."""
    context.needs("rapl", "hwmon", "powermetrics")
    power = next(each for each in ("rapl", "powermetrics", "hwmon") if context.works(each))
    check_wave(context, found, "cpu", power)


def check_gpu_wave(context, found):
    """Square waves of GPU load, through CUDA's driver."""
    context.needs("nvml")
    check_wave(context, found, "cuda", "nvml")


def check_wave(context, found, load, power):
    frequencies = (1, 2, 5) if context.short else (0.2, 0.5, 1, 2, 5, 10)
    seconds = context.seconds(10, 2)
    whole = sum(max(seconds, 3 / hertz) + 2 for hertz in frequencies)
    context.budget.need(whole)
    try:
        answer = context.programs.measure(
            "wave", "--load", load, "--power", power, "--power-interval-ms", 2 if power == "rapl" else 20,
            "--seconds", seconds, "--hz", ",".join(map(str, frequencies)), limit_s=whole + 60)
    except Failed as error:
        if load == "cuda" and "no CUDA driver" in str(error):
            raise Skipped(str(error)) from None
        raise
    found.facts = answer
    waves = answer["waves"]
    for wave in (each for each in waves if "error" in each):
        found.expect(False, f"{wave['hz']:g} Hz: {wave['error']['message']}")
    waves = [each for each in waves if "error" not in each]
    slow = next((each for each in waves if each["on_windows_mw"] and each["off_windows_mw"]), None)
    if slow is None:
        raise Failed("no window lies within a half, not even at the lowest frequency: the power of the load is unknown")
    swing = slow["on_windows_mw"] - slow["off_windows_mw"]
    found.expect(swing >= 0.05 * slow["on_windows_mw"],
                 f"the power follows the load: {slow['off_windows_mw'] / 1e3:.2f} to "
                 f"{slow['on_windows_mw'] / 1e3:.2f} W")
    if swing <= 0:
        return
    for wave in waves:
        judge_wave(found, wave, slow)


def judge_wave(found, wave, slow):
    """The contrast between the halves, against that of windows which lie within one half: of this frequency where it
    has some (a CPU grows warm, and a GPU slower), else of the lowest."""
    hertz, half_ms = wave["hz"], 500 / wave["hz"]
    own = wave["on_windows_mw"] and wave["off_windows_mw"]
    known = wave if own and wave["on_windows_mw"] > wave["off_windows_mw"] else slow
    on, off = known["on_windows_mw"], known["off_windows_mw"]
    wave["contrast"] = contrast = None
    if wave["on_mw"] is not None and wave["off_mw"] is not None:
        wave["contrast"] = contrast = (wave["on_mw"] - wave["off_mw"]) / (on - off)
    within = [abs(half["energy_mj"] - (on if half["on"] else off) * half["duration_ms"] / 1e3)
              <= 2 * half["standard_error_mj"]
              for half in wave["halves"] if half["energy_mj"] is not None and half["standard_error_mj"] is not None]
    wave["within_2se"] = sum(within) / len(within) if within else None
    wave["can_tell"] = wave["window_ms"] is not None and half_ms >= 2 * wave["window_ms"]
    found.expect(wave["coverage"] >= 0.98, f"{hertz:g} Hz: windows cover the time ({100 * wave['coverage']:.1f} %)")
    found.expect(wave["conservation"] is not None and wave["conservation"] <= 1e-9,
                 f"{hertz:g} Hz: the halves add up to the whole ({number(wave['conservation'])})")
    if wave["can_tell"]:  # else halves are shorter than the sensor can tell apart: reported, not judged
        found.expect(contrast is not None and 0.9 <= contrast <= 1.1,
                     f"{hertz:g} Hz: the halves differ by {number(contrast)} of what they should")


def number(value):
    return "unknown" if value is None or not math.isfinite(value) else f"{value:.3g}"


CHECKS = {"machine": check_machine, "sources": check_sources, "steps": check_steps, "idle": check_idle,
          "counter": check_counter, "cpu_wave": check_cpu_wave, "gpu_wave": check_gpu_wave,
          "profiles": profiles.check_profiles, "overhead": profiles.check_overhead, "cuda": cuda.check_cuda}


def names():
    return list(CHECKS)


class ForeignLoad:
    """The CPU time that other programs use: the machine's, without that of what we started."""

    def __init__(self):
        self.begin = self.read()

    @staticmethod
    def read():
        """Seconds that the CPUs were busy, and those for us; None where the system does not say."""
        try:
            ticks = [int(word) for word in first_line("/proc/stat").split()[1:9]]
        except (AttributeError, ValueError):
            return None
        busy = (sum(ticks[:3]) + sum(ticks[5:7])) / os.sysconf("SC_CLK_TCK")
        ours = os.times()
        return busy, ours.user + ours.system + ours.children_user + ours.children_system

    def share(self):
        """Of the busy time since the begin: 0 to 1, or None."""
        end = self.read()
        if not self.begin or not end or end[0] - self.begin[0] < 0.2:
            return None
        return max(0.0, 1 - (end[1] - self.begin[1]) / (end[0] - self.begin[0]))


MUCH_FOREIGN_LOAD = 0.2


def run_one(name, context):
    """The result of one check. Whatever goes wrong in it is its result."""
    found, begin, others = Findings(), time.monotonic(), ForeignLoad()
    state, reason = "passed", ""
    try:
        CHECKS[name](context, found)
        broken = [each["statement"] for each in found.statements if not each["holds"]]
        if broken:
            state, reason = "failed", "; ".join(broken)
    except Skipped as why:
        state, reason = "skipped", str(why)
    except Failed as why:
        state, reason = "failed", str(why)
    except Exception as error:  # pylint: disable=broad-except  # an error of ours is no reason to end the rest
        state, reason = "failed", f"{type(error).__name__}: {error}"
    foreign = others.share()
    if state == "failed" and foreign is not None and foreign > MUCH_FOREIGN_LOAD:
        reason += f" (other programs used {100 * foreign:.0f} % of the busy CPU time: check again when it is idle)"
    return {"name": name, "title": CHECKS[name].__doc__.split("\n")[0].rstrip("."), "state": state, "reason": reason,
            "seconds": round(time.monotonic() - begin, 1), "foreign_cpu_share": foreign, "statements": found.statements, "facts": found.facts}


def run_all(here, options, wanted):
    started = datetime.datetime.now(datetime.timezone.utc)
    begin = time.monotonic()
    try:
        programs = Programs(here, options.build, options.fake)
    except Failed as why:
        print(f"check-hardware: error: {why}")
        return EXIT_FAILED
    results = []
    with tempfile.TemporaryDirectory(prefix="check-hardware-") as work:
        context = Context(programs, options, pathlib.Path(work))
        for name in wanted or CHECKS:
            result = run_one(name, context)
            results.append(result)
            print(f"{result['state']:8} {name:10} {result['seconds']:6.1f} s  {result['reason']}", flush=True)
    has_sensor = context.sources is not None and any(context.works(sensor) for sensor in SENSORS)
    failed = any(result["state"] == "failed" for result in results)
    code = EXIT_FAILED if failed else EXIT_PASSED if has_sensor else EXIT_NO_SENSOR
    document = {"check_hardware": FORMAT, "started_at": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - begin, 1), "short": options.short,
                "simulated": options.fake, "exit_code": code,
                "checks": results}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in (("check-hardware.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n"),
                       ("check-hardware.html", page.render(document))):
        (options.out / name).write_text(text, encoding="utf-8")
        print(f"wrote {options.out / name}")
    return code

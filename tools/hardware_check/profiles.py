"""Profiles of a model with dummy weights at each depth, and what they cost."""

import json
import statistics

from hardware_check.programs import Failed

DEPTHS = ("minimal", "module", "deep")
MOST_OVERHEAD = 1.02
# Student's t, one-sided 95 %, by the number of rounds: few rounds that agree by chance prove little.
STUDENT_95 = {2: 6.31, 3: 2.92, 4: 2.35, 5: 2.13, 6: 2.02, 7: 1.94}
PROMPT = "How many joules does a thought take, and where do they go?"


def model(context):
    """A model of a gigabyte or so; a small one to try things out. Made once."""
    path = context.work / "model.gguf"
    if not path.exists():
        shape = (("--layers", 4, "--embd", 256, "--ff", 512, "--heads", 8, "--kv-heads", 4) if context.short else
                 ("--layers", 16, "--embd", 2048, "--ff", 5632, "--heads", 32, "--kv-heads", 8))
        made = context.programs.enprof("model", "synth", "-o", path, *shape, limit_s=120)
        if made.returncode != 0:
            raise Failed(f"enprof model synth: {made.stderr.strip()[-300:]}")
    return path


def profile(context, *arguments, tokens, limit_s, libraries=()):
    """One run, as JSON."""
    done = context.programs.enprof("run", "-m", model(context), "-p", PROMPT, "-n", tokens, "--ignore-eos",
                                   "--no-save", "--json", "-", *arguments, limit_s=limit_s, libraries=libraries)
    if done.returncode != 0:
        raise Failed(f"enprof run {' '.join(map(str, arguments))} (exit code {done.returncode}): "
                     f"{done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def judge_run(found, run, depth):
    """What must hold of every run with sensors."""
    totals, quality = run["totals"], run["totals"]["quality"]
    found.expect(run["status"] == "completed", f"{depth}: the run completes")
    found.expect(totals["energy_mj"] is not None, f"{depth}: its energy is known")
    if totals["energy_mj"] is None:
        return
    missing_ms = (1 - quality["coverage"]) * totals["duration_ms"]  # a short run may lack windows at its edges
    found.expect(quality["coverage"] >= 0.99 or missing_ms <= 50,
                 f"{depth}: sensors cover the run ({100 * quality['coverage']:.1f} % of {totals['duration_ms']:.0f} ms)")
    phases = sum(phase["energy_mj"] or 0 for phase in run["phases"])
    found.expect(abs(phases - totals["energy_mj"]) <= 1e-9 * totals["energy_mj"],
                 f"{depth}: the phases add up to the total")
    peak = run["power"]["peak"]
    if peak:  # the peak is a mean: what is shorter may draw more
        long = [phase["mean_power_mw"] or 0 for phase in run["phases"] if phase["duration_ms"] >= 2 * peak["window_ms"]]
        if long:
            found.expect(max(long) <= peak["power_mw"] * 1.001, f"{depth}: no phase draws more than the peak "
                         f"({max(long) / 1e3:.2f} of {peak['power_mw'] / 1e3:.2f} W)")


def facts_of(run, depth):
    totals = run["totals"]
    return {"depth": depth, "energy_mj": totals["energy_mj"], "duration_ms": totals["duration_ms"],
            "mean_power_mw": totals["mean_power_mw"], "baseline_energy_mj": totals["baseline_energy_mj"],
            "standard_error_mj": totals["quality"]["standard_error_mj"], "method": totals["quality"]["method"],
            "coverage": totals["quality"]["coverage"],
            "decode_tokens_per_second": totals["decode_tokens_per_second"],
            "energy_per_output_token_mj": totals.get("energy_per_output_token_mj"),
            "phases": [{"phase": phase["phase"], "energy_mj": phase["energy_mj"], "duration_ms": phase["duration_ms"],
                        "mean_power_mw": phase["mean_power_mw"]} for phase in run["phases"]],
            "components": [{"phase": each.get("phase"), "component": each["component"], "energy_mj": each["energy_mj"]}
                           for each in run["components"]],
            "windows": len(run["power"].get("samples") or []),
            "warnings": [{"code": each["code"], "message": each["message"]} for each in run["warnings"]]}


def check_profiles(context, found):
    """Profiles at each depth."""
    context.needs("rapl", "powermetrics", "nvml", "hwmon")
    tokens = context.seconds(48, 8)
    context.budget.need(context.seconds(90, 20))
    found.facts["runs"] = []
    for depth in DEPTHS:
        run = profile(context, "--depth", depth, "--baseline-s", context.seconds(2, 0), "--baseline-force",
                      tokens=tokens, limit_s=120)
        found.facts["runs"].append(facts_of(run, depth))
        judge_run(found, run, depth)


def check_overhead(context, found):
    """What enprof costs: decode speed with sensors at each depth, against none."""
    context.needs("rapl", "powermetrics", "nvml", "hwmon")
    rounds, tokens = context.seconds(7, 2), context.seconds(48, 16)
    context.budget.need(context.seconds(60, 15))
    ways = {"none": ("--power", "none", "--depth", "minimal"),
            **{depth: ("--power", "auto", "--depth", depth) for depth in DEPTHS}}
    speeds = {way: [] for way in ways}
    for turn in range(rounds):
        if turn >= 3 and context.budget.left_s() < 30:
            break
        order = list(ways) if turn % 2 == 0 else list(reversed(ways))  # what drifts, drifts both ways
        for way in order:
            run = profile(context, *ways[way], "--baseline-s", 0, tokens=tokens, limit_s=120)
            speeds[way].append(run["totals"]["decode_tokens_per_second"])
    found.facts = {"speeds": speeds, "ratios": {}}
    for depth in DEPTHS:
        ratios = [none / speed for none, speed in zip(speeds["none"], speeds[depth])]
        middle = statistics.median(ratios)
        error = statistics.stdev(ratios) / len(ratios) ** 0.5
        found.facts["ratios"][depth] = {"median": middle, "standard_error": error, "rounds": len(ratios)}
        found.expect(middle - STUDENT_95[len(ratios)] * error <= MOST_OVERHEAD,
                     f"{depth}: decode takes {middle:.4f} ± {error:.4f} times as long as without sensors")

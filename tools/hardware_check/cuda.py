"""llama.cpp with CUDA, built on the machine itself: the pack's enprof then uses its libraries."""

import os
import shutil
import subprocess

from hardware_check import profiles
from hardware_check.programs import Failed, Skipped, last_line

# The same release as the pack's, so that its libraries can take the place of those.
FLAGS = ("-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_CUDA=ON", "-DGGML_NATIVE=OFF",
         "-DCMAKE_CUDA_ARCHITECTURES=native", "-DGGML_CCACHE=OFF", "-DLLAMA_BUILD_IS_DEV=OFF",
         "-DLLAMA_BUILD_COMMON=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_TOOLS=OFF",
         "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_APP=OFF",
         "-DLLAMA_CURL=OFF")


def check_cuda(context, found):
    """llama.cpp with CUDA: profiles at each depth."""
    programs = context.programs
    missing = [tool for tool in ("nvcc", "cmake") if not shutil.which(tool)]
    if not any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++")):
        missing.append("a C++ compiler")
    if missing:
        raise Skipped(f"not installed: {', '.join(missing)}")
    source = programs.root / "src" / "llama.cpp.tar.xz"
    if not source.exists():
        raise Skipped("only in a pack: check-hardware --pack puts llama.cpp's source in it")
    if not list((programs.root / "lib").glob("libllama.so*")):
        raise Skipped("llama.cpp is a part of this pack's program, and cannot be replaced")
    context.needs("nvml")
    context.budget.need(120)
    libraries = build(context, source, found)
    found.facts["runs"] = []
    for depth in profiles.DEPTHS:
        run = profiles.profile(context, "--depth", depth, "-ngl", 99, "--baseline-s", context.seconds(2, 0),
                               "--baseline-force", tokens=context.seconds(128, 16), limit_s=120,
                               libraries=[str(libraries)])
        found.facts["runs"].append(profiles.facts_of(run, depth))
        profiles.judge_run(found, run, depth)
        found.expect((run["model"]["gpu_layers"] or 0) > 0, f"{depth}: the GPU computes the model's layers")


def build(context, source, found):
    """Where the libraries are. What was built stays for the next time, beside the results of it."""
    place = context.programs.root / "build-cuda"
    tree = place / "llama.cpp"
    if not tree.exists():
        place.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xJf", str(source), "-C", str(place)], check=True, timeout=120)
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    steps = (["cmake", *generator, "-S", str(tree), "-B", str(place / "build"), *FLAGS],
             ["cmake", "--build", str(place / "build"), "--parallel", str(os.cpu_count() or 1)])
    for command in steps:
        done = context.programs.run(command, max(context.budget.left_s() - 60, 30), dict(os.environ))
        if done.returncode != 0:
            raise Failed(f"{' '.join(command[:2])}: {last_line(done.stderr or done.stdout)}")
    found.facts["built_in"] = str(place / "build")
    return place / "build" / "bin"

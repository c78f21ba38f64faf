"""Makes the folder that is carried to another machine."""

import hashlib
import json
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

MOST_BYTES = 60 * 10 ** 6
COMPRESSED_FROM = 4 * 10 ** 6  # of libraries: one of them is data of 30 MB, mostly
PORTABLE = "-DGGML_NATIVE=OFF -DBUILD_SHARED_LIBS=ON"
# Of the C library: they belong to one another, and to the loader.
C_LIBRARY = re.compile(r"^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|anl|mvec)\.so\.\d+)$")
VOCABULARY = "ggml-vocab-llama-spm.gguf"


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def build_portable(source):
    """A build for CPUs of any make since 2013, with llama.cpp as libraries of its own."""
    build = source / "build" / "portable"
    environment = {**os.environ, "ENPROF_LLAMA_CMAKE_FLAGS": PORTABLE}
    prefix = subprocess.run([str(source / "tools" / "fetch-llama")], check=True, env=environment, text=True,
                            stdout=subprocess.PIPE).stdout.split("\n")[-2]
    environment["ENPROF_LLAMA_PREFIX"] = prefix
    subprocess.run(["cmake", "--preset", "release", "-B", str(build), "-DENPROF_PROGRAM_TESTS=OFF",
                    f"-DCMAKE_PREFIX_PATH={prefix}"], check=True, env=environment, cwd=source)
    subprocess.run(["cmake", "--build", str(build), "--target", "enprof_program", "enprof_hardware"], check=True,
                   env=environment, cwd=source)
    return build


def libraries_of(programs):
    """Name and path of every library that they need, found by the loader of this machine."""
    found = {}
    for program in programs:
        for line in run("ldd", str(program)).splitlines():
            match = re.match(r"\s*(\S+) => (/\S+)|\s*(/\S*ld-linux\S*)", line)
            if match and match[3]:
                found[pathlib.Path(match[3]).name] = pathlib.Path(match[3])
            elif match:
                found[match[1]] = pathlib.Path(match[2])
            elif "not found" in line:
                raise SystemExit(f"check-hardware: error: {program}: {line.strip()}")
    return found


def copy_stripped(source, to):
    shutil.copyfile(source, to)
    to.chmod(0o755)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-unneeded", str(to)], check=True)


def compress(path):
    """Programs.unpack() does the opposite."""
    with open(path, "rb") as file, lzma.open(f"{path}.xz", "wb", preset=6) as packed:
        shutil.copyfileobj(file, packed)
    path.unlink()


def is_portable(build):
    """Whether its llama.cpp was built for more CPUs than this machine's."""
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    prefix = re.search(r"^llama_DIR:PATH=(.*)/lib[^/]*/cmake/llama$", cache, re.MULTILINE)
    config = pathlib.Path(prefix[1]) / "lib/cmake/ggml/ggml-config.cmake" if prefix else None
    text = config.read_text(encoding="utf-8") if config and config.exists() else ""
    native = re.search(r"GGML_NATIVE[ \"]+(ON|OFF|1|0)", text)
    return bool(native and native[1] in ("OFF", "0"))


def pack_llama_source(source, build, to):
    """The release that the program was built with, as fetch-llama gets it."""
    script = (source / "tools" / "fetch-llama").read_text(encoding="utf-8")
    name = re.search(r"^readonly tarball_name=(\S+)$", script, re.MULTILINE)[1]
    cache = pathlib.Path(os.environ.get("ENPROF_CACHE_DIR") or
                         pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "enprof")
    tarball = cache / name
    if not tarball.exists():
        return f"llama.cpp's source is not at {tarball}: without it there is no check with CUDA"
    work = build / "llama-source"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with tarfile.open(tarball) as archive:
        bundle = archive.extractfile("package/llama/gitRelease.bundle")
        (work / "bundle").write_bytes(bundle.read())
    run("git", "clone", "--quiet", str(work / "bundle"), str(work / "llama.cpp"))
    unneeded = ("--exclude=.git", "--exclude=llama.cpp/models", "--exclude=llama.cpp/docs", "--exclude=llama.cpp/media",
                "--exclude=llama.cpp/tests", "--exclude=llama.cpp/tools", "--exclude=llama.cpp/examples",
                "--exclude=llama.cpp/gguf-py", "--exclude=llama.cpp/benches", "--exclude=llama.cpp/app",
                "--exclude=llama.cpp/conversion", "--exclude=llama.cpp/.github", "--exclude=llama.cpp/.devops")
    to.parent.mkdir(parents=True)
    run("tar", "-cJf", str(to), "-C", str(work), *unneeded, "llama.cpp")
    shutil.rmtree(work)
    return None


def make(folder, build, source):
    if folder.exists() and any(folder.iterdir()) and not (folder / "MANIFEST.json").exists():
        print(f"check-hardware: error: {folder} exists and is no pack: name a new folder")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    build = (build or build_portable(source)).resolve()
    programs = [build / "bin" / name for name in ("enprof", "enprof_hardware")]
    for program in programs:
        if not program.exists():
            print(f"check-hardware: error: there is no {program}")
            return 1
    for name in ("bin", "lib/glibc", "share/enprof/vocab"):
        (folder / name).mkdir(parents=True)
    for program in programs:
        copy_stripped(program, folder / "bin" / program.name)
    for name, path in libraries_of(programs).items():
        to = folder / ("lib/glibc" if C_LIBRARY.match(name) else "lib") / name
        copy_stripped(path, to)
        if to.stat().st_size >= COMPRESSED_FROM:
            compress(to)
    shutil.copyfile(build / "share/enprof/vocab" / VOCABULARY, folder / "share/enprof/vocab" / VOCABULARY)
    licences = (build / "share/enprof/vocab").resolve().parent / "licenses"
    if licences.exists():
        shutil.copytree(licences, folder / "share/enprof/licenses")
    shutil.copy(source / "tools/check-hardware", folder)
    shutil.copytree(source / "tools/hardware_check", folder / "hardware_check",
                    ignore=shutil.ignore_patterns("__pycache__"))
    notes = []
    if list((folder / "lib").glob("libllama.so*")):
        if note := pack_llama_source(source, build, folder / "src" / "llama.cpp.tar.xz"):
            notes.append(note)
    else:
        notes.append("llama.cpp is a part of the program: there is no check with CUDA")
    if not is_portable(build):
        notes.append("built for CPUs like the one of the machine that built it")
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    size = sum(path.stat().st_size for path in files.values())
    manifest = {"pack": 1, "version": run(str(programs[0]), "--version").strip(),
                "commit": run("git", "rev-parse", "HEAD", cwd=source).strip(), "notes": notes, "bytes": size,
                "sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    print(f"{folder}: {len(files)} files, {size / 1e6:.1f} MB. Copy it to the machine and run check-hardware in it.")
    for note in notes:
        print(f"note: {note}")
    if size > MOST_BYTES:
        print(f"check-hardware: error: that is more than {MOST_BYTES / 1e6:.0f} MB")
        return 1
    return 0

#!/usr/bin/env python3
"""Compiles programs inside an image and collects them as they are installed: bin/, lib/, lib/copymill/backends/.

    build.py OUT copymill-worker copymill --features copymill/dynamic-backends

Cargo itself says what it made and where: the target folder also holds what `cargo chef cook` compiled.
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--features", default="")
    arguments = parser.parse_args()
    collect(compile_packages(arguments.packages, arguments.features), arguments.out)


def compile_packages(packages, features):
    """Compiles packages, and returns Cargo's messages about what it made."""
    command = ["cargo", "build", "--release", "--locked", "--message-format", "json-render-diagnostics"]
    for package in packages:
        command += ["--package", package]
    if features:
        command += ["--features", features]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def collect(messages, out):
    """Copies programs, and the libraries that llama.cpp is in where it is linked dynamically."""
    for message in messages:
        if message["reason"] == "compiler-artifact" and message.get("executable") and "bin" in message["target"]["kind"]:
            copy(Path(message["executable"]), out / "bin")
        if message["reason"] == "build-script-executed" and "llama-cpp-sys-2" in message["package_id"]:
            collect_llama(Path(message["out_dir"]), out / "lib")


def collect_llama(made, libraries):
    backends = sorted((made / "backends").glob("*.so"))
    if not backends:
        return
    for library in sorted(made.glob("lib*/*.so*")):
        copy(library, libraries)
    for backend in backends:
        copy(backend, libraries / "copymill" / "backends")


def copy(file, folder):
    folder.mkdir(parents=True, exist_ok=True)
    # The names with versions are links to one file.
    shutil.copy2(file, folder / file.name, follow_symlinks=False)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes a software bill of materials, CycloneDX 1.5, of the programs in an image.

    sbom.py copymill-worker copymill --features copymill/dynamic-backends > sbom.cdx.json

It lists what Cargo compiles for them, as `cargo tree` says, with the checksums of Cargo.lock, and llama.cpp, whose
sources are part of the crate llama-cpp-sys-2. Debian's packages are not in it: scanners read those from the image's
package database.
"""

import argparse
import json
import re
import subprocess
import tomllib
import uuid
from pathlib import Path

LLAMA_CRATE = "llama-cpp-sys-2"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--features", default="")
    arguments = parser.parse_args()
    # Crates of other systems would be downloaded for nothing.
    host = re.search("^host: (.*)$", run("rustc", "-vV"), re.MULTILINE).group(1)
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host))
    lock = tomllib.loads((Path(metadata["workspace_root"]) / "Cargo.lock").read_text())
    compiled = read_compiled(arguments.packages, arguments.features)
    print(json.dumps(bill(metadata, lock, arguments.packages, compiled), indent=1, sort_keys=True))


def read_compiled(names, features):
    """Names and versions of what Cargo compiles. `cargo metadata` knows only what the whole workspace may need."""
    command = ["cargo", "tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
    for name in names:
        command += ["--package", name]
    if features:
        command += ["--features", features]
    return set(re.findall(r"^(\S+) v(\S+)", run(*command), re.MULTILINE))


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def bill(metadata, lock, names, compiled):
    """The bill of the packages `names` of the workspace that `metadata` describes."""
    packages = {package["id"]: package for package in metadata["packages"]}
    used = sorted(id for id, package in packages.items() if (package["name"], package["version"]) in compiled)
    edges = {node["id"]: compiled_dependencies(node).intersection(used) for node in metadata["resolve"]["nodes"]}
    roots = sorted(id for id in metadata["workspace_members"] if packages[id]["name"] in names)
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}
    components = [component(packages[id], checksums) for id in used]
    dependencies = [
        {"ref": reference(packages[id]), "dependsOn": sorted(reference(packages[other]) for other in edges[id])} for id in used
    ]
    for id in used:
        if packages[id]["name"] == LLAMA_CRATE:
            llama = llama_component(packages[id])
            components.append(llama)
            dependencies.append({"ref": llama["bom-ref"], "dependsOn": []})
            next(d for d in dependencies if d["ref"] == reference(packages[id]))["dependsOn"].append(llama["bom-ref"])
    image = {"type": "application", "bom-ref": "image", "name": " ".join(names), "version": packages[roots[0]]["version"]}
    dependencies.append({"ref": "image", "dependsOn": [reference(packages[id]) for id in roots]})
    content = {"components": components, "dependencies": dependencies, "metadata": {"component": image}}
    # The same content has the same number: a build that is repeated gives the same file.
    number = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "serialNumber": f"urn:uuid:{number}", **content}


def compiled_dependencies(node):
    """What a package needs to be compiled and to run; not what its tests need."""
    return {dep["pkg"] for dep in node["deps"] if any(kind["kind"] in (None, "build") for kind in dep["dep_kinds"])}


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    found = {"type": "library", "bom-ref": reference(package), "name": package["name"], "version": package["version"]}
    if package["source"]:
        found["purl"] = reference(package)
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        # Old manifests write a slash where SPDX writes OR.
        found["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def llama_component(crate):
    cmake = (Path(crate["manifest_path"]).parent / "llama.cpp/CMakeLists.txt").read_text()
    numbers = dict(re.findall(r"set\(LLAMA_VERSION_(MAJOR|MINOR|PATCH) (\d+)\)", cmake))
    version = ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
    return {
        "type": "library",
        "bom-ref": f"pkg:github/ggml-org/llama.cpp@{version}",
        "name": "llama.cpp",
        "version": version,
        "description": f"sources within {crate['name']} {crate['version']}",
        "licenses": [{"license": {"id": "MIT"}}],
        "externalReferences": [{"type": "vcs", "url": "https://github.com/ggml-org/llama.cpp"}],
    }


if __name__ == "__main__":
    main()

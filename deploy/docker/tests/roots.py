"""Bare Debian roots in place of base images, and commands that run in them.

Package sources, certificates and proxies are the host's: they are mounted or passed while a command runs, and never
become part of a root.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Outside /etc/ssl, which the package ca-certificates writes.
CERTIFICATES_INSIDE = "/run/host-certificates.crt"


@dataclass
class Base:
    """What stands in for a base image."""

    packages: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    stands_in: bool = False


RUST = Base(
    ["ca-certificates", "g++", "gcc", "libc6-dev", "make", "pkg-config"],
    {"CARGO_HOME": "/usr/local/cargo", "RUSTUP_HOME": "/usr/local/rustup", "PATH": f"/usr/local/cargo/bin:{PATH}"},
)
BASES = [
    (r"debian:bookworm-slim", Base()),
    (r"rust:\d+\.\d+\.\d+-bookworm", RUST),
    # Ubuntu with CUDA; Debian has the same names of packages, and no CUDA.
    (r"nvidia/cuda:.*-ubuntu24\.04", Base(stands_in=True)),
]


def base_of(image):
    for image_pattern, base in BASES:
        if re.fullmatch(image_pattern, image):
            return base
    raise ValueError(f"no root stands in for the base image {image}")


def make_root(image, work, root):
    """Makes the root of a base image as a copy of one that is kept in `work`."""
    base = base_of(image)
    kept = bare_debian(work)
    if base.packages:
        number = hashlib.sha256(" ".join(base.packages).encode()).hexdigest()[:12]
        kept = made_once(work / "bases" / number, lambda folder: with_packages(work, base.packages, folder))
    remove(root)
    copy_tree(kept, root)
    if base is RUST:
        put_toolchain_links(root)


def bare_debian(work):
    return made_once(work / "bases" / "bookworm", debootstrap)


def made_once(folder, make):
    ready = folder.with_suffix(".ready")
    if not ready.exists():
        remove(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(folder)
        ready.touch()
    return folder


def debootstrap(folder):
    command = ["debootstrap", "--variant=minbase", "bookworm", str(folder)]
    mirror = debian_mirror()
    done = subprocess.run(command + ([mirror] if mirror else []), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap failed:\n{done.stdout[-2000:]}")


def debian_mirror():
    """The host's mirror of Debian 12; none where it has none, and debootstrap takes its own."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"]
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return next((line.split()[2] for line in found.splitlines() if line.startswith("Debian bookworm ")), None)


def with_packages(work, packages, folder):
    copy_tree(bare_debian(work), folder)
    install = "apt-get update -q && apt-get install -y -q --no-install-recommends " + " ".join(packages)
    Room(folder).run(["sh", "-c", install + " && rm -rf /var/lib/apt/lists/*"])


def put_toolchain_links(root):
    """The host's toolchain is mounted at /usr/local/rustup where a root has that folder."""
    (root / "usr/local/rustup").mkdir(parents=True)
    programs = root / "usr/local/cargo/bin"
    programs.mkdir(parents=True)
    for program in ("cargo", "rustc", "rustdoc"):
        (programs / program).symlink_to(f"/usr/local/rustup/bin/{program}")


@dataclass
class Room:
    """A root to run commands in; `mounts` are pairs of a host's folder and a place within."""

    root: Path
    user: str = "0:0"
    folder: str = "/"
    environment: dict = field(default_factory=dict)
    mounts: list = field(default_factory=list)
    # Folders that stay writable where nothing else is; none means that everything is writable.
    writable: list = None
    # What commands write is shown where they fail, and not otherwise.
    quiet: bool = True

    def run(self, command):
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} if self.quiet else {}
        done = subprocess.run(self.command(command, building=True), stdin=subprocess.DEVNULL, **how)
        if done.returncode != 0:
            raise RuntimeError(f"{shlex.join(command)} failed with {done.returncode}\n{(done.stdout or '')[-4000:]}")

    def output(self, command):
        """Runs a command as in a container, and returns its exit status and what it wrote."""
        done = subprocess.run(self.command(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def start(self, command, log):
        """Starts a command as the first process of its namespace, as a container's program is."""
        return subprocess.Popen(self.command(command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def command(self, command, building=False):
        script = "\n".join(["set -e", *self.mount_lines(building)])
        words = ["chroot", f"--userspec={self.user}", "--groups=", str(self.root), "/usr/bin/env", "-i"]
        variables = {"PATH": PATH, "HOME": "/root" if self.user == "0:0" else "/var/lib/copymill", **self.environment}
        if building:
            variables = {**passed_variables(), **variables, "DEBIAN_FRONTEND": "noninteractive"}
        words += [f"{name}={value}" for name, value in variables.items()]
        words += ["/bin/sh", "-c", f"cd {shlex.quote(self.folder)} && exec \"$@\"", "sh", *command]
        script += f"\nexec {shlex.join(words)}"
        return ["unshare", "--mount", "--propagation", "unchanged", "--pid", "--fork", "--kill-child", "bash", "-c", script]

    def mount_lines(self, building):
        # In a chroot, / is no mount of its own; nobody outside sees these mounts where the one that it lies on is private.
        lines = ["! mountpoint -q / || mount --make-rprivate /"]
        root = str(self.root)
        for host, inside in [*self.mounts, *(host_mounts(self.root) if building else [])]:
            target = root + inside
            make = "mkdir -p" if Path(host).is_dir() else "install -D -m 644 /dev/null"
            if not os.path.exists(target):
                lines.append(f"{make} {shlex.quote(target)}")
            lines.append(f"mount --bind {shlex.quote(str(host))} {shlex.quote(target)}")
        if self.writable is not None:
            lines.append(f"mount --bind {shlex.quote(root)} {shlex.quote(root)}")
            lines += [f"mount --bind {shlex.quote(root + path)} {shlex.quote(root + path)}" for path in self.writable]
            lines.append(f"mount -o remount,bind,ro {shlex.quote(root)}")
        lines.append(f"mount -t proc proc {shlex.quote(root)}/proc")
        lines.append(f"mount --rbind /dev {shlex.quote(root)}/dev")
        return lines


def host_mounts(root):
    """How the host reaches registries, and its Rust toolchain where the root expects one."""
    places = ["/etc/resolv.conf", "/etc/hosts"]
    # Package sources of another system would not fit.
    if debian_mirror():
        places += ["/etc/apt", "/usr/share/keyrings"]
    mounts = [(path, path) for path in places if os.path.exists(path)]
    if os.path.exists(CERTIFICATES):
        mounts.append((CERTIFICATES, CERTIFICATES_INSIDE))
    if (root / "usr/local/rustup").is_dir():
        sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        mounts.append((sysroot, "/usr/local/rustup"))
        settings = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "config.toml"
        if settings.exists():
            mounts.append((str(settings), "/usr/local/cargo/config.toml"))
    return mounts


def passed_variables():
    """Proxies as they are, and the host's certificates under the names that programs read."""
    passed = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    if os.path.exists(CERTIFICATES):
        passed |= {name: CERTIFICATES_INSIDE for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "CARGO_HTTP_CAINFO")}
    return passed


def copy_tree(source, target):
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def remove(folder):
    if folder.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)


def size(folder):
    """Bytes of the files in a folder."""
    files = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(file).st_size for file in files)


def has_tools():
    """Why no root can be made here, or none."""
    if os.geteuid() != 0:
        return "making a Debian root needs root rights"
    missing = [tool for tool in ("debootstrap", "unshare", "chroot") if not shutil.which(tool)]
    return f"missing: {', '.join(missing)}; run setup.sh" if missing else None

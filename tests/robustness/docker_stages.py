"""A small part of what a container engine does: see docker_stages.sh."""

import argparse
import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import dockerfile_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICES = ("null", "zero", "urandom", "random", "full")


def run(*words, **more):
    subprocess.run([str(word) for word in words], check=True, **more)


def bootstrap(work):
    """A Debian like debian:12-slim, once."""
    base = work / "debian"
    if not (base / "usr").exists():
        partial = work / "debian.part"
        shutil.rmtree(partial, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bookworm", partial)
        for name in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
            if pathlib.Path("/", name).exists():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pathlib.Path("/", name), partial / name)
        # How this machine reaches its package mirrors.
        for file in pathlib.Path("/etc/apt/apt.conf.d").iterdir():
            shutil.copy(file, partial / "etc/apt/apt.conf.d")
        listed = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").iterdir()]
        for file in listed:
            if file.suffix in (".list", ".sources") and file.exists():
                shutil.copy(file, partial / file.relative_to("/"))
        if pathlib.Path("/etc/pip.conf").exists():
            shutil.copy("/etc/pip.conf", partial / "etc/pip.conf")
        partial.rename(base)
    return base


class Stage:
    """A chroot and what Dockerfile instructions have set for it."""

    def __init__(self, name, root):
        self.name, self.root = name, root
        self.arguments, self.environment = {}, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.folder, self.user, self.shell = "/", "0:0", ["/bin/sh", "-c"]
        self.entrypoint, self.health, self.labels = [], [], {}

    def expand(self, text):
        values = {**self.arguments, **self.environment}
        return re.sub(r"\$\{(\w+)\}|\$(\w+)", lambda found: values.get(found[1] or found[2], ""), text)

    def inside(self, words, mounts=(), read_only=False, background=False, user="0:0"):
        """Runs words in the chroot, in a mount namespace of its own."""
        root = shlex.quote(str(self.root))
        script = [f"mount --bind {root} {root}"]
        if read_only:
            script += [f"mount -o remount,bind,ro {root}", f"mount -t tmpfs tmpfs {root}/tmp"]
        script.append(f"mount -t proc proc {root}/proc")
        script.append(f"mount -t tmpfs tmpfs {root}/dev && ln -s /proc/self/fd {root}/dev/fd")
        script += [f"touch {root}/dev/{name} && mount --bind /dev/{name} {root}/dev/{name}" for name in DEVICES]
        for source, target in mounts:
            script.append(f"mount --bind {shlex.quote(str(source))} {root}{target}")
        command = shlex.join(["env", "-i", *(f"{name}={value}" for name, value in self.all_environment().items()), *words])
        inner = f"cd {shlex.quote(self.folder)} && exec {command}"
        script.append(f"exec chroot --userspec={user} {root} /bin/sh -c {shlex.quote(inner)}")
        words = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec", "\n".join(script)]
        if background:
            return subprocess.Popen(words)
        return run(*words)

    def all_environment(self):
        passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {"HOME": "/root", **passed, **self.arguments, **self.environment}


def ignored(pattern_lines):
    """.dockerignore: what `!` names is copied, and of that not what later lines name."""
    kept = [line[1:] for line in pattern_lines if line.startswith("!")]
    dropped = [line.removeprefix("**/") for line in pattern_lines if line.startswith("**/")]
    return kept, dropped


def copy_context(source, target, into_folder):
    """`into_folder`: target is a folder, even before it is there."""
    kept, dropped = ignored((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())

    def leave_out(_, names):
        return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in dropped)]

    names = kept if source == "." else [source]
    for name in names:
        path = ROOT / name
        to = target / name if source == "." else target
        if path.is_dir():
            shutil.copytree(path, to, dirs_exist_ok=True, ignore=leave_out, symlinks=True)
        else:
            to = to / path.name if into_folder or to.is_dir() else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)


class Interpreter:
    """Runs the instructions of one Dockerfile. An unknown instruction is an error, not passed over."""

    def __init__(self, path, work, given_arguments, builder=None):
        self.path, self.work, self.given, self.builder = path, work, given_arguments, builder
        self.stages, self.stage, self.globals = {}, None, {}

    def run(self):
        parser = dockerfile_parse.DockerfileParser(fileobj=open(self.path, "rb"))
        for step in parser.structure:
            name, value = step["instruction"], step["value"]
            if name == "COMMENT":
                continue
            if self.stage is None and name == "ARG":
                key, _, default = value.partition("=")
                self.globals[key] = default
                continue
            if self.stage is not None and self.stage.name == "builder" and self.builder and name in ("RUN", "COPY"):
                continue
            getattr(self, "do_" + name.lower())(value)
        return self.stage

    def do_from(self, value):
        image, _, name = re.sub(r"\$\{(\w+)\}", lambda found: self.globals[found[1]], value).partition(" AS ")
        print(f"== {self.path.name}: stage {name or 'final'} from {image}", flush=True)
        parent = self.stages.get(image)
        assert parent or image.startswith("debian:12"), image
        root = self.work / f"{self.path.stem}-{name or 'final'}"
        shutil.rmtree(root, ignore_errors=True)
        self.stage = Stage(name, root)
        if name == "builder" and self.builder:
            self.builder(root)
        else:
            run("cp", "--archive", "--reflink=auto", (parent.root if parent else bootstrap(self.work)), root)
        if parent:
            self.stage.environment.update(parent.environment)
            self.stage.folder, self.stage.shell = parent.folder, parent.shell
        self.stages[name] = self.stage

    def do_arg(self, value):
        key, _, default = value.partition("=")
        self.stage.arguments[key] = self.given.get(key, default)

    def do_env(self, value):
        for word in shlex.split(value):
            key, _, text = word.partition("=")
            self.stage.environment[key] = self.stage.expand(text)

    def do_shell(self, value):
        self.stage.shell = json.loads(value)

    def do_workdir(self, value):
        self.stage.folder = value
        (self.stage.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def do_copy(self, value):
        words = value.split()
        from_stage = next((word.split("=")[1] for word in words if word.startswith("--from=")), None)
        source, target = words[-2:]
        to = str(self.stage.root) + (target if target.startswith("/") else f"{self.stage.folder}/{target}")
        if from_stage is None:
            copy_context(source, pathlib.Path(to), into_folder=target.endswith("/"))
            return
        origin = self.stages[from_stage].root / source.lstrip("/")
        pathlib.Path(to).parent.mkdir(parents=True, exist_ok=True)
        run("cp", "--archive", f"{origin}/." if origin.is_dir() else origin, to)

    def do_run(self, value):
        mounts = []
        for found in re.findall(r"--mount=(\S+)", value):
            fields = dict(field.split("=") for field in found.split(","))
            target = self.stage.root / fields["target"].lstrip("/")
            target.touch()
            mounts.append((ROOT / fields["source"], fields["target"]))
        command = re.sub(r"--mount=\S+\s*", "", value)
        self.stage.inside([*self.stage.shell, command], mounts)

    def do_label(self, value):
        self.stage.labels.update(word.partition("=")[::2] for word in shlex.split(self.stage.expand(value)))

    def do_user(self, value):
        self.stage.user = value

    def do_entrypoint(self, value):
        self.stage.entrypoint = json.loads(value)

    def do_healthcheck(self, value):
        self.stage.health = json.loads(value[value.index("["):])

    def do_volume(self, _):
        pass

    do_expose = do_stopsignal = do_volume


def check_server_image(stage):
    """The image's own start and health check, on a read-only root, as its user."""
    for tool in ("gcc", "cmake", "python3", "pip"):
        assert not any((stage.root / folder / tool).exists() for folder in ("usr/bin", "usr/local/bin")), tool
    assert all(value for value in stage.labels.values()), stage.labels
    bill = json.loads((stage.root / "usr/share/graft/sbom.json").read_text(encoding="utf-8"))
    print(f"   {len(bill['components'])} components in the bill of materials")
    data = stage.root.parent / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    os.chown(data, 10001, 10001)
    mounts = [(data, "/var/lib/graft")]
    stage.inside(["/opt/graft/bin/graft-weights", "random", "--data-dir", "/var/lib/graft", "--backbone", "mobilenet_v2"],
                 mounts, read_only=True, user=stage.user)
    server = stage.inside(stage.entrypoint, mounts, read_only=True, background=True, user=stage.user)
    try:
        for _ in range(60):
            time.sleep(1)
            words = ["chroot", "--userspec=" + stage.user, stage.root, "env", "PATH=" + stage.environment["PATH"]]
            healthy = subprocess.run([*words, *stage.health], capture_output=True, text=True, check=False)
            if healthy.returncode == 0:
                break
        assert healthy.returncode == 0, healthy.stderr
        print(healthy.stdout)
        train_in(stage, mounts)
    finally:
        server.terminate()
        code = server.wait(90)
    assert code == 0, f"graft-server ended with {code}"


def train_in(stage, mounts):
    """A job in the image's worker, and an answer: every library that is opened by name is there."""
    photos = stage.root.parent / "photos"
    if not photos.exists():
        run(sys.executable, ROOT / "deploy/make_pictures.py", photos, "8")
    (stage.root / "mnt/photos").mkdir(exist_ok=True)
    graft = ["/opt/graft/bin/graft", "--server", "127.0.0.1:50051"]
    mounts = [*mounts, (photos, "/mnt/photos")]
    picture = sorted(photos.rglob("*.png"))[0].relative_to(photos)
    for words in (
        ["dataset", "push", "shapes", "/mnt/photos"],
        ["train", "--dataset", "shapes", "--backbone", "mobilenet_v2", "--model", "shapes", "--preset", "balanced",
         "--epochs", "1"],
        ["classify", "shapes", f"/mnt/photos/{picture}"],
    ):
        stage.inside([*graft, *words], mounts, user=stage.user)


def built_here(programs, venv):
    """In place of the builder: its outcome, from a build of this machine."""

    def fill(root):
        run("cp", "--archive", "--reflink=auto", bootstrap(root.parent), root)
        run("chroot", root, "sh", "-c", "apt-get update -qq && apt-get install -qq -y python3-minimal >/dev/null")
        shutil.copytree(ROOT / "deploy", root / "src/deploy")
        shutil.copy(ROOT / "CMakeLists.txt", root / "src")
        run(ROOT / "deploy/docker/collect.sh", "--build", programs, "--venv", venv, "--out", root / "collected")
        for metadata in venv.glob("lib/python3*/site-packages/*.dist-info/METADATA"):
            target = root / "opt/graft/venv" / metadata.relative_to(venv)
            target.parent.mkdir(parents=True)
            shutil.copy(metadata, target)

    return fill


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/graft-docker-stages"))
    parser.add_argument("--file", type=pathlib.Path)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--programs", type=pathlib.Path)
    parser.add_argument("--venv", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    files = [arguments.file] if arguments.file else sorted((ROOT / "deploy/docker").glob("*Dockerfile"))
    for path in files:
        builder = built_here(arguments.programs, arguments.venv) if arguments.programs else None
        stage = Interpreter(path, arguments.work, {"DEVICE": arguments.device}, builder).run()
        if path.name == "Dockerfile":
            check_server_image(stage)
    print("every stage ran")


if __name__ == "__main__":
    main()

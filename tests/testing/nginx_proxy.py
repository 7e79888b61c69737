"""Debian's nginx with the configuration of deploy/nginx, in front of real servers."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from free_port import free_port

PROGRAMS = pathlib.Path(sys.executable).parent  # deploy/install-deps.sh --tests puts nginx there
ROOT = pathlib.Path(__file__).resolve().parents[2]


def make_certificate(folder, host="127.0.0.1"):
    """tls.crt and tls.key in `folder`, self-signed, for localhost and that address."""
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{host}"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "tls.key"]
    command = ["openssl", "req", "-x509", *key, "-out", folder / "tls.crt", "-days", "2", *names]
    subprocess.run(command, check=True, capture_output=True)


class Nginx:
    """Starts with `with`. `folder` becomes a copy of deploy/nginx, with an address and servers of its own.

    more_files  further files, name -> text
    entrypoint  the script that starts it, and makes the certificate; else both happens here
    host        where it listens, and whom the certificate is for
    """

    def __init__(self, folder, servers, more_files=None, entrypoint=None, host="127.0.0.1"):
        self.folder, self.address, self.process = pathlib.Path(folder), f"{host}:{free_port()}", None
        shutil.copytree(ROOT / "deploy/nginx", self.folder, dirs_exist_ok=True)
        (self.folder / "run").mkdir()
        (self.folder / "tls").mkdir()
        by_hand = ["nginx", "-e", "stderr", "-p", self.folder, "-c", "nginx.conf"]
        self._command = ["bash", entrypoint, self.folder] if entrypoint else by_hand
        if entrypoint is None:
            make_certificate(self.folder / "tls", host)
        self._rewrite("listen.conf", "8443", self.address)
        line = (self.folder / "upstream.conf").read_text(encoding="utf-8").splitlines()[-1]
        lines = [line.replace("127.0.0.1:50051", server) for server in servers]
        assert all(server in text for server, text in zip(servers, lines))
        (self.folder / "upstream.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name, text in (more_files or {}).items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")

    def _rewrite(self, name, old, new):
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        (self.folder / name).write_text(text.replace(old, new), encoding="utf-8")

    @property
    def ca_file(self):
        return str(self.folder / "tls/tls.crt")

    def __enter__(self):
        with open(self.folder / "nginx.log", "w", encoding="utf-8") as log:
            environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment)
        host, port = self.address.split(":")
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex((host, int(port))) == 0:
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"nginx did not start:\n{self.log()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def log(self):
        return (self.folder / "nginx.log").read_text(encoding="utf-8", errors="replace")

    def pids(self):
        """The master and its workers."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [self.process.pid, *map(int, children.stdout.split())]

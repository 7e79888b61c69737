"""Another machine, as far as networks go: a network namespace on one cable with this one."""

import os
import shutil
import subprocess


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class OtherHost:
    """Exists within `with`. `near` is this machine's address on the cable, the one that the other knows."""

    near, far = "198.51.100.1", "198.51.100.2"  # of TEST-NET-2 (RFC 5737)

    def __init__(self):
        self._name = f"graft{os.getpid()}"

    @staticmethod
    def possible():
        """Needs iproute2 and root."""
        if shutil.which("ip") is None:
            return False
        command = ["unshare", "--net", "--mount", "ip", "link", "add", "type", "veth"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def __enter__(self):
        name = self._name
        ip("netns", "add", name)
        try:
            self._connect(name)
        except subprocess.CalledProcessError as error:
            ip("netns", "del", name)
            raise RuntimeError(error.stderr) from error
        return self

    def _connect(self, name):
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{self.near}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{self.far}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", name, "link", "set", device, "up")

    def __exit__(self, *_):
        ip("netns", "del", self._name)  # and the cable with it

    def command(self, words):
        """What runs `words` there."""
        return ["ip", "netns", "exec", self._name, *map(str, words)]

    def connects(self, address):
        """Whether anything there accepts a TCP connection to `address` (host:port)."""
        host, port = address.rsplit(":", 1)
        command = self.command(["timeout", "10", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"])
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

"""Attacks a real server with and without nginx before it: see rapid_reset.sh."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/testing"), str(ROOT / "tests/bench")]
# pylint: disable=wrong-import-position
import python_client  # noqa: E402
import server as graft_server  # noqa: E402
from nginx_proxy import Nginx  # noqa: E402
from process_memory import memory_mib  # noqa: E402
from rapid_reset import Attacker  # noqa: E402

CLASSIFY = "/graft.v1.InferenceService/Classify"
ALLOWED_MIB = 256


def measured(server, proxy, call, make_client, attackers, seconds):
    """Runs one attack; (MiB that the server grew by, the other client's calls)."""
    from latencies import Caller  # pylint: disable=import-outside-toplevel

    calm = Caller(make_client, call)
    calm.start()
    time.sleep(min(10, seconds))
    calm.stop()
    before = memory_mib(server.pid, "VmRSS")
    for one in attackers:
        one.start()
    during = Caller(make_client, call)
    during.start()
    time.sleep(seconds)
    alive = server.process.poll() is None
    for one in attackers:
        one.stop()
    during.stop()
    grown = memory_mib(server.pid, "VmHWM") - before
    streams, connections = sum(one.streams for one in attackers), sum(one.connections for one in attackers)
    print(f"  {streams / seconds:.0f} streams/s over {connections} connections")
    print(f"  server {before:.0f} MiB, grew by {grown:.0f} MiB" + ("" if alive else ", DIED"))
    if proxy is not None:
        print(f"  nginx {sum(memory_mib(pid, 'VmHWM') for pid in proxy.pids()):.0f} MiB at most")
    print(f"  another client before: {calm.summary()}")
    print(f"  another client during: {during.summary()}", flush=True)
    return grown, during


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--attackers", type=int, default=2, help="each from an address of its own")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="graft-rapid-reset-") as name:
        return run(arguments, pathlib.Path(name))


def run(arguments, folder):
    python_client.install(folder)
    import graft  # pylint: disable=import-outside-toplevel
    from graft.v1 import inference_pb2  # pylint: disable=import-outside-toplevel

    subprocess.run([sys.executable, ROOT / "deploy/make_pictures.py", folder / "photos", "12"], check=True)
    photo = sorted((folder / "photos").rglob("*.png"))[0].read_bytes()
    body = inference_pb2.ClassifyRequest(model="shapes", image=photo).SerializeToString()
    data = folder / "data"
    graft_server.import_weights(arguments.build, data, "mobilenet_v2")

    def call(client):
        client.classify("shapes", photo, deadline=20)

    def attack(server, proxy):
        address = proxy.address if proxy else server.address
        ca_file = proxy.ca_file if proxy else None
        sources = [f"127.0.1.{number}" for number in range(1, arguments.attackers + 1)]
        attackers = [Attacker(address, ca_file=ca_file, path=CLASSIFY, body=body, source=one) for one in sources]
        tls = graft.Tls(ca_file=ca_file) if proxy else None
        return measured(server, proxy, call, lambda: graft.Client(address, tls=tls), attackers, arguments.seconds)

    with graft_server.Server(arguments.build, data) as server:
        with graft.Client(server.address) as client:
            client.push_dataset("shapes", folder / "photos")
            job = client.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": "shapes", "epochs": 1})
            client.follow_job(job.name)
        with Nginx(folder / "nginx", [server.address]) as proxy:
            print("behind deploy/nginx:")
            grown, others = attack(server, proxy)
    print("without it, which graft-server allows on loopback alone:")
    server = graft_server.Server(arguments.build, data).__enter__()
    try:
        attack(server, None)
    finally:
        server.process.kill()  # how it would end says nothing
        server.process.wait()
    return judge(grown, others)


def judge(grown, others):
    wrong = []
    if grown >= ALLOWED_MIB:
        wrong.append(f"the server behind nginx grew by {grown:.0f} MiB; less than {ALLOWED_MIB} are allowed")
    if set(others.answers) != {"OK"}:
        wrong.append(f"another client's calls failed: {dict(others.answers)}")
    for line in wrong:
        print("WRONG:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

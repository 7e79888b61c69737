"""Restarts servers behind nginx while others call them: see restarts.sh."""

import argparse
import collections
import pathlib
import signal
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

STOP_SECONDS = 30
DRAIN = ["--drain-seconds", "2"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="graft-restarts-") as name:
        folder = pathlib.Path(name)
        python_client.install(folder)
        photo = publish(arguments.build, folder)
        return run(arguments, folder, photo)


def publish(build, folder):
    """Two data folders with the model "shapes"; a photo of it."""
    import graft  # pylint: disable=import-outside-toplevel

    subprocess.run([sys.executable, ROOT / "deploy/make_pictures.py", folder / "photos", "12"], check=True)
    graft_server.import_weights(build, folder / "a", "mobilenet_v2")
    with graft_server.Server(build, folder / "a") as server, graft.Client(server.address) as client:
        client.push_dataset("shapes", folder / "photos")
        job = client.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": "shapes",
                                 "alias": "production", "epochs": 1})
        client.follow_job(job.name)
    subprocess.run([ROOT / "deploy/backup.sh", folder / "a", folder / "b"], check=True)
    return sorted((folder / "photos").rglob("*.png"))[0].read_bytes()


def restart(server):
    """Seconds that it took to end; its exit code."""
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    try:
        code = server.process.wait(90)
    except subprocess.TimeoutExpired:
        server.process.kill()
        code = server.process.wait()
    took = time.monotonic() - start
    server.flags = [*DRAIN, "--listen", server.address]
    server.__enter__()
    return took, code


def run(arguments, folder, photo):
    import graft  # pylint: disable=import-outside-toplevel
    from graft import errors  # pylint: disable=import-outside-toplevel
    from graft.v1 import inference_pb2  # pylint: disable=import-outside-toplevel
    from latencies import Caller  # pylint: disable=import-outside-toplevel

    import grpc  # pylint: disable=import-outside-toplevel

    request = inference_pb2.ClassifyRequest(model="shapes@production", image=photo)

    def call(client):
        try:
            client.inference.Classify(request, timeout=20)
        except grpc.RpcError as error:
            raise errors.from_rpc_error(error) from None

    servers = [graft_server.Server(arguments.build, folder / name, DRAIN) for name in "ab"]
    with servers[0] as a, servers[1] as b:
        with Nginx(folder / "nginx", [a.address, b.address]) as proxy:
            tls = graft.Tls(ca_file=proxy.ca_file)
            callers = [Caller(lambda: graft.Client(proxy.address, tls=tls), call) for _ in range(arguments.clients)]
            for caller in callers:
                caller.start()
            stops = [restart((a, b)[number % 2]) for number in range(arguments.restarts)]
            time.sleep(2)
            for caller in callers:
                caller.stop()
    return judge(callers, stops)


def judge(callers, stops):
    answers = sum((caller.answers for caller in callers), collections.Counter())
    lost = [error for caller in callers for error in caller.errors if error.code.name != "UNAVAILABLE"
            and error.retry_delay is None]
    slowest = max(took for took, _ in stops)
    print(f"{len(stops)} restarts, the slowest end took {slowest:.1f} s; calls: {dict(sorted(answers.items()))}")
    wrong = [f"lost: {error}" for error in lost[:10]]
    wrong += [f"a server ended with exit code {code} after {took:.1f} s" for took, code in stops
              if code != 0 or took > STOP_SECONDS]
    for line in wrong:
        print("WRONG:", line)
    if not wrong:
        print(f"none of {answers.total()} calls was lost; {answers.total() - answers['OK']} had to be sent again")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

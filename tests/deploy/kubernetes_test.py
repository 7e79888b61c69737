"""The manifests, as kubectl renders them and Kubernetes' schemas define them, and the nginx of the pod."""

import pathlib
import subprocess
import sys
import urllib.request

import grpc
import kubernetes_validate
import pytest
import yaml
from free_port import free_port
from grpc_health.v1 import health_pb2, health_pb2_grpc
from nginx_proxy import Nginx

KUBERNETES = pathlib.Path(__file__).resolve().parents[2] / "deploy/kubernetes"
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"


def rendered(overlay):
    """kind -> manifest; there is one of each."""
    done = subprocess.run([KUBECTL, "kustomize", KUBERNETES / overlay], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifests = list(yaml.safe_load_all(done.stdout))
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    assert len(by_kind) == len(manifests)
    return by_kind


def pod(manifests):
    return manifests["StatefulSet"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", ["base", "gpu"])
def test_manifests_follow_the_schemas(overlay):
    for kind, manifest in rendered(overlay).items():
        if kind != "ServiceMonitor":  # the operator's, which Kubernetes' schemas do not have
            kubernetes_validate.validate(manifest, "1.37", strict=True)
        if kind != "Namespace":
            assert manifest["metadata"]["namespace"] == "graft"


def test_parts_find_each_other():
    manifests = rendered("base")
    (server, proxy) = pod(manifests)["containers"]
    ports = {port["name"]: port["containerPort"] for port in proxy["ports"]}
    assert {probe["grpc"]["port"] for name, probe in server.items() if name.endswith("Probe")} == {ports["health"]}
    service = manifests["Service"]
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    labels = manifests["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    for rule in manifests["NetworkPolicy"]["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= set(ports)
    monitor = manifests["ServiceMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {endpoint["port"] for endpoint in monitor["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}


def test_containers_are_as_tight_as_the_namespace_asks():
    manifests = rendered("base")
    assert manifests["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod(manifests)["securityContext"]["runAsNonRoot"]
    for container in pod(manifests)["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}


def test_gpu_overlay_asks_for_one_gpu_and_its_image():
    server = pod(rendered("gpu"))["containers"][0]
    assert server["image"] == "graft:cuda" and server["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_probes_and_metrics_pass_and_nothing_else(server, tmp_path):
    health, metrics = free_port(), free_port()
    text = (KUBERNETES / "base/in_cluster.conf").read_text(encoding="utf-8")
    for written, here in (
        ("listen 8081", f"listen 127.0.0.1:{health}"),
        ("listen 9465", f"listen 127.0.0.1:{metrics}"),
        ("127.0.0.1:50051", server.address),
        ("127.0.0.1:9464", server.metrics_address),
    ):
        assert written in text
        text = text.replace(written, here)
    with Nginx(tmp_path / "proxy", [server.address], {"extra/in_cluster.conf": text}):
        with grpc.insecure_channel(f"127.0.0.1:{health}") as channel:
            assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1
            other = channel.unary_unary("/graft.v1.SystemService/GetServerInfo")
            with pytest.raises(grpc.RpcError):
                other(b"")
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
            assert b"graft_" in answer.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{metrics}/")

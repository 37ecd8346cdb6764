"""The files for TensorFlow Serving parse, and agree with one another and with the code."""

import re

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from export.server import metrics
from tests.commands import ROOT

SERVING = ROOT / "export" / "serving"
PORTS = {"grpc": 8500, "rest": 8501}
FILES = {
    "model_config_file": "models.config",
    "batching_parameters_file": "batching_parameters.txt",
    "monitoring_config_file": "monitoring_config.txt",
}


def text(name):
    return (SERVING / name).read_text()


def compose():
    return yaml.safe_load(text("docker-compose.yml"))["services"]["serving"]


def manifests():
    deployment, service = yaml.safe_load_all(text("kubernetes.yaml"))
    return deployment, service


def container():
    deployment, _ = manifests()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return container


def model():
    config = text_format.Parse(
        text("models.config"), model_server_config_pb2.ModelServerConfig()
    ).model_config_list
    (model,) = config.config
    return model


def fields(name):
    """The leaves of a text proto for which the wheel has no message."""
    lines = re.sub(r"#.*", "", text(name))
    return dict(re.findall(r"(\w+):\s*(\S+)", lines.replace(" { value:", ":")))


def test_both_run_the_same_server():
    assert compose()["command"] == container()["args"]
    assert compose()["image"] == container()["image"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", container()["image"])
    assert container()["image"] in text("README.md")


def test_flags_name_the_files_here():
    flags = dict(flag.removeprefix("--").split("=") for flag in container()["args"])
    assert {name: flags[name].removeprefix("/config/") for name in FILES} == FILES
    assert flags["enable_batching"] == "true"
    mounts = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    assert mounts == {"models": "/models", "config": "/config"}
    assert [volume.split(":")[-2] for volume in compose()["volumes"]] == ["/models", "/config"]
    for name in FILES.values():
        assert (SERVING / name).is_file() and f"--from-file=export/serving/{name}" in text(
            "README.md"
        )


def test_labels_name_loaded_versions():
    assert (model().name, model().base_path) == ("birds", "/models/birds")
    loaded = model().model_version_policy.specific.versions
    assert set(model().version_labels) == {"stable", "canary"}
    assert set(model().version_labels.values()) <= set(loaded)


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_probes_ask_for_the_model(probe):
    asked = container()[probe]["httpGet"]
    assert asked == {"path": f"/v1/models/{model().name}", "port": "rest"}
    assert asked["path"] in compose()["healthcheck"]["test"][-1]


def test_ports_agree():
    assert {port["name"]: port["containerPort"] for port in container()["ports"]} == PORTS
    _, service = manifests()
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == PORTS
    assert {port["targetPort"] for port in service["spec"]["ports"]} == set(PORTS)
    assert compose()["ports"] == [f"{port}:{port}" for port in PORTS.values()]
    assert f"/127.0.0.1/{PORTS['rest']} " in compose()["healthcheck"]["test"][-1]


def test_the_service_finds_its_pods():
    deployment, service = manifests()
    template = deployment["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]


def test_prometheus_looks_where_the_metrics_are():
    assert fields("monitoring_config.txt") == {"enable": "true", "path": f'"{metrics.PATH}"'}
    deployment, _ = manifests()
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(PORTS["rest"]),
        "prometheus.io/path": metrics.PATH,
    }


def test_batching_parameters_are_those_of_the_message():
    known = {"max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"}
    values = fields("batching_parameters.txt")
    assert values.keys() == known and all(int(value) > 0 for value in values.values())
    readme = " ".join(text("README.md").split())
    assert f"{int(values['batch_timeout_micros']) // 1000} ms is computed together" in readme
    assert f"together, {values['max_batch_size']} rows at most" in readme


def test_pods_stop_after_what_is_in_flight():
    deployment, _ = manifests()
    pause = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > pause

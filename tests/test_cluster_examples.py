"""The examples in docs/cluster say what the commands understand."""

import json
import shlex
import subprocess

import pytest
import yaml

from t2i_tf.training.flags import preset
from tests.commands import ROOT, command

CLUSTER = ROOT / "docs" / "cluster"


def compose():
    return yaml.safe_load((CLUSTER / "docker-compose.yml").read_text())["services"]


def tfjob_container():
    job = yaml.safe_load((CLUSTER / "tfjob.yaml").read_text())
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    assert worker["replicas"] == 2
    return worker["template"]["spec"]["containers"][0]


def test_every_worker_knows_its_place():
    services = compose()
    for index, (name, service) in enumerate(services.items()):
        place = json.loads(service["environment"]["TF_CONFIG"])
        assert place["cluster"] == {"worker": [f"{other}:2222" for other in services]}
        assert place["task"] == {"type": "worker", "index": index}
        assert name == f"worker-{index}"


@pytest.mark.parametrize("where", ["compose", "tfjob"])
def test_the_flags_exist(where):
    if where == "compose":
        module, *arguments = shlex.split(compose()["worker-0"]["command"])
    else:
        module, *arguments = tfjob_container()["args"]
    (config,) = [flag for flag in arguments if flag.startswith("--config=")]
    assert module == "t2i_tf.train"
    help_text = run_help(module)
    for flag in arguments:
        name, _, value = flag.removeprefix("--").partition("=")
        if name.startswith("config."):
            section, field = name.split(".")[1:]
            assert field in preset(config.removeprefix("--config="))[section]
        else:
            assert f"--{name}:" in help_text or f"--[no]{name}:" in help_text, flag


def run_help(module):
    done = subprocess.run(
        command(module, "--help"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr

"""The manifests without a cluster: valid by Kubernetes' schemas, and of one piece with each other, images and restep."""

from __future__ import annotations

import copy
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field

from services.viewer.settings import ViewerSettings
from shared.settings import EnvironmentSettings
from tests.support.manifests import KUBERNETES, ROOT, Document, Pod, folder_documents, pods
from trainer.cli import app
from trainer.recipe import load_recipe

VERSIONS = ("1.31", "1.37")
FOLDERS = ("cpu", "gpu", "ray", "training", "ingress")
ENVIRONMENTS = {"alfworld": 8001, "webshop": 8002, "sciworld": 8003}
URLS = {name: f"http://{name}:{port}" for name, port in ENVIRONMENTS.items()}
APPLIED = {agent: [agent, "ray", "training", "ingress"] for agent in ("cpu", "gpu")}
"""What a cluster is given, by the agent that is chosen."""
SECRETS = re.compile(r"create secret (?:generic|tls) (\S+)(.*)")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AuthOptions(Strict):
    mode: str = Field(pattern="^(token|disabled)$")


class HeadGroup(Strict):
    service_type: str = Field(alias="serviceType")
    start: dict[str, str] = Field(alias="rayStartParams")
    template: Document


class WorkerGroup(Strict):
    name: str = Field(alias="groupName")
    replicas: int
    least: int = Field(alias="minReplicas")
    most: int = Field(alias="maxReplicas")
    start: dict[str, str] = Field(alias="rayStartParams")
    template: Document


class RaySpec(Strict):
    """What our cluster says, by KubeRay's reference of ``ray.io/v1``: its own schema comes with no package."""

    version: str = Field(alias="rayVersion")
    autoscaling: bool = Field(alias="enableInTreeAutoscaling")
    auth: AuthOptions = Field(alias="authOptions")
    head: HeadGroup = Field(alias="headGroupSpec")
    workers: list[WorkerGroup] = Field(alias="workerGroupSpecs")


def applied(agent: str = "cpu") -> list[Document]:
    return [document for folder in APPLIED[agent] for document in folder_documents(KUBERNETES / folder)]


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def everything() -> list[Pod]:
    gpu = pods(applied("gpu"))
    return gpu + [pod for pod in pods(applied("cpu")) if pod.name == "agent"]


def selected(selector: dict[str, str], candidates: list[Pod]) -> list[Pod]:
    return [pod for pod in candidates if selector.items() <= pod.labels.items()]


def fitting(document: Document, version: str) -> None:
    """Raise where a document does not fit Kubernetes' schema; of a RayCluster, its pod templates."""
    if document["kind"] != "RayCluster":
        kubernetes_validate.validate(document, version, strict=True)
        return
    RaySpec.model_validate(document["spec"])
    for pod in pods([document]):
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": document["metadata"], "template": pod.template}
        kubernetes_validate.validate(template, version, strict=True)


# --- each document ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_fits_the_schema(version: str) -> None:
    for document in applied("gpu") + folder_documents(KUBERNETES / "agent-cpu"):
        fitting(document, version)
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "restep"


def _misspelt(document: Document) -> None:
    pods([document])[0].containers[0]["imagePullPolice"] = "Always"


def _mistyped(document: Document) -> None:
    pods([document])[0].containers[0]["ports"][0]["containerPort"] = "http"


def _misplaced(document: Document) -> None:
    document["spec"]["restartPolicy"] = "Always"


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("sciworld", _misspelt),
        ("viewer", _misplaced),
        ("training", _mistyped),
        ("restep", _misspelt),
        ("restep", _misplaced),
    ],
)
def test_a_mistake_in_a_document_is_seen(name: str, spoil: Callable[[Document], None]) -> None:
    kinds = ("StatefulSet", "Deployment", "Job", "RayCluster")
    document = next(each for each in of_kind(applied(), *kinds) if each["metadata"]["name"] == name)
    fitting(document, VERSIONS[-1])
    broken = copy.deepcopy(document)
    spoil(broken)
    with pytest.raises((kubernetes_validate.ValidationError, ValueError)):
        fitting(broken, VERSIONS[-1])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine")
@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_makes_the_same_of_them(folder: str) -> None:
    command = ["kubectl", "kustomize", str(KUBERNETES / folder)]
    built = list(yaml.safe_load_all(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout))
    made = {(document["kind"], document["metadata"]["name"]): document for document in built}
    for document in folder_documents(KUBERNETES / folder):
        name = document["metadata"]["name"]
        if document["kind"] == "ConfigMap":  # whose name ends in a hash of its content
            assert any(kind == "ConfigMap" and each.startswith(f"{name}-") for kind, each in made)
        elif name != "gateway" or document["kind"] != "Deployment":  # which has that name in it
            assert made[document["kind"], name] == document
    assert len(built) == len(folder_documents(KUBERNETES / folder))


# --- all of them together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["cpu", "gpu"])
def test_names_are_unique_and_references_lead_somewhere(agent: str) -> None:
    documents = applied(agent)
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(names)) == len(names)
    manual = (ROOT / "docs" / "kubernetes.md").read_text()
    secrets = {name: re.findall(r"--from-\w+=(\w+)=", keys) for name, keys in SECRETS.findall(manual)}
    for pod in pods(documents):
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        claims = {claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", ())}
        mounts = [mount for container in pod.containers for mount in container["volumeMounts"]]
        assert {mount["name"] for mount in mounts} == set(volumes) | claims, pod.name
        for volume in volumes.values():
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in names
            if config := volume.get("configMap"):
                assert ("ConfigMap", config["name"]) in names
            if secret := volume.get("secret"):
                at = next(mount["mountPath"] for mount in mounts if mount["name"] == volume["name"])
                files = [value for value in _variables(pod).values() if value.startswith(f"{at}/")]
                assert files, "a secret that nobody reads"
                assert {file.removeprefix(f"{at}/") for file in files} <= set(secrets[secret["secretName"]])
    for ingress in of_kind(documents, "Ingress"):
        assert {tls["secretName"] for tls in ingress["spec"]["tls"]} <= set(secrets)


@pytest.mark.parametrize("agent", ["cpu", "gpu"])
def test_services_find_their_pods(agent: str) -> None:
    documents, found = applied(agent), pods(applied(agent))
    services = {service["metadata"]["name"]: service for service in of_kind(documents, "Service")}
    for name, service in services.items():
        (pod,) = selected(service["spec"]["selector"], found)
        assert all(port["targetPort"] in pod.ports for port in service["spec"]["ports"]), name
        assert all(port["port"] == pod.ports[port["targetPort"]] for port in service["spec"]["ports"]), name
    for owner in of_kind(documents, "StatefulSet", "Deployment"):
        selector: dict[str, str] = owner["spec"]["selector"]["matchLabels"]
        assert [pod.owner for pod in selected(selector, found)] == [owner]
    headless = {name for name, service in services.items() if service["spec"].get("clusterIP") == "None"}
    governed = {owner["spec"]["serviceName"] for owner in of_kind(documents, "StatefulSet")}
    assert headless == governed | {"training"} == {*ENVIRONMENTS, "agent", "postgres", "training"}
    (ingress,) = of_kind(documents, "Ingress")
    for path in ingress["spec"]["rules"][0]["http"]["paths"]:
        backend = path["backend"]["service"]
        ports: list[Document] = services[backend["name"]]["spec"]["ports"]
        assert backend["port"]["name"] in {port["name"] for port in ports}


@pytest.mark.parametrize("agent", ["cpu", "gpu"])
def test_the_network_is_closed_but_for_ways_that_exist(agent: str) -> None:
    found, policies = pods(applied(agent)), of_kind(applied(agent), "NetworkPolicy")
    (closed,) = [policy for policy in policies if not policy["spec"].keys() & {"ingress", "egress"}]
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    reached: set[str] = set()
    for policy in (each for each in policies if each["spec"]["podSelector"]):
        own = selected(policy["spec"]["podSelector"]["matchLabels"], found)
        assert own, policy["metadata"]["name"]
        for way, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(way, ()):
                others = [pod for peer in rule.get(peers, ()) if "podSelector" in peer for pod in _peers(peer, found)]
                ends = own if way == "ingress" else others
                ports = {name for pod in ends for name in pod.ports}
                assert {port["port"] for port in rule.get("ports", ())} <= ports
                reached |= {pod.name for pod in own} if way == "ingress" else set()
    assert reached == {pod.name for pod in found}


def _peers(peer: Document, found: list[Pod]) -> list[Pod]:
    chosen = selected(peer["podSelector"]["matchLabels"], found)
    assert chosen, peer
    return chosen


def test_the_gateway_knows_the_services_by_name_and_port() -> None:
    envoy = yaml.safe_load((ROOT / "docker" / "gateway" / "envoy.yaml").read_text())["static_resources"]
    documents = applied()
    served = {
        (service["metadata"]["name"], port["port"])
        for service in of_kind(documents, "Service")
        for port in service["spec"]["ports"]
    }
    sought = {
        (cluster["name"], end["endpoint"]["address"]["socket_address"]["port_value"])
        for cluster in envoy["clusters"]
        for group in cluster["load_assignment"]["endpoints"]
        for end in group["lb_endpoints"]
    }
    assert {(name, port) for name, port in sought if name in (*ENVIRONMENTS, "agent", "viewer")} <= served
    assert {name for name, _ in sought} >= {*ENVIRONMENTS, "agent", "viewer"}
    (gateway,) = [pod for pod in pods(documents) if pod.name == "gateway"]
    listening = {listener["address"]["socket_address"]["port_value"] for listener in envoy["listeners"]}
    assert listening == set(gateway.ports.values())


def test_images_are_those_of_compose() -> None:
    services: dict[str, Document] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    known = {service["image"] for service in services.values()}
    for pod in everything():
        (image,) = (container["image"] for container in pod.containers)
        name = image.partition(":")[0]
        assert image in known or (name.startswith("restep-") and {name, name.removesuffix("-gpu")} & known), image


# --- each pod --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pod", everything(), ids=lambda pod: pod.name)
def test_pods_are_confined_pinned_and_bounded(pod: Pod) -> None:
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["enableServiceLinks"] is False  # they would be RESTEP_* variables for a service of that name
    assert pod.spec["securityContext"]["runAsNonRoot"] is True
    assert pod.spec["securityContext"]["runAsUser"] > 0
    assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert all("hostPath" not in volume for volume in pod.spec["volumes"])
    for container in pod.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert re.fullmatch(r"[a-z/-]+:v?\d[\w.-]*", container["image"]), container["image"]
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        assert {"cpu", "memory"} <= asked.keys() == most.keys()
        assert asked.get("nvidia.com/gpu") == most.get("nvidia.com/gpu")
        secret = [name for name in _variables(pod) if re.search("PASSWORD|TOKEN|KEY", name)]
        assert all(name.endswith("_FILE") for name in secret)
        assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/tmp"}


@pytest.mark.parametrize("pod", [each for each in everything() if each.owner["kind"] != "Job"], ids=lambda pod: pod.name)
def test_what_runs_on_is_probed(pod: Pod) -> None:
    (container,) = pod.containers
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]
        target = asked.get("httpGet") or asked.get("tcpSocket")
        assert target is None or target["port"] in pod.ports
        if pod.labels["app.kubernetes.io/component"] in ("environment", "agent", "viewer"):
            assert asked["httpGet"]["path"] == ("/readyz" if probe == "readinessProbe" else "/healthz")


def test_environments_differ_in_name_port_and_size_only() -> None:
    found = {pod.name: pod for pod in everything() if pod.labels["app.kubernetes.io/component"] == "environment"}
    assert {name: pod.ports for name, pod in found.items()} == {name: {"http": port} for name, port in ENVIRONMENTS.items()}
    written: set[str] = set()
    for name, pod in found.items():
        (container,) = (template := copy.deepcopy(pod.template))["spec"]["containers"]
        del container["resources"]
        written.add(str(template).replace(name, "NAME").replace(str(ENVIRONMENTS[name]), "PORT"))
    assert len(written) == 1


# --- what restep makes of it -----------------------------------------------------------------------------------------


def _variables(pod: Pod) -> dict[str, str]:
    return {each["name"]: each["value"] for one in pod.containers for each in one.get("env", ()) if "value" in each}


def parsed(arguments: list[str]) -> dict[str, Any]:
    """Arguments of ``restep`` as its command line reads them. Raises where it would complain."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    found: dict[str, Any] = command.make_context("restep", rest).params
    return found


@pytest.mark.parametrize("pod", everything(), ids=lambda pod: pod.name)
def test_its_own_variables_are_known(pod: Pod) -> None:
    fields = {*EnvironmentSettings.model_fields, *ViewerSettings.model_fields}
    source = "".join(path.read_text() for folder in ("shared", "trainer") for path in (ROOT / folder).rglob("*.py"))
    for name in _variables(pod):
        if name.startswith("RESTEP_"):
            assert name.removeprefix("RESTEP_").lower() in fields or f'"{name}"' in source, name


@pytest.mark.parametrize("pod", everything(), ids=lambda pod: pod.name)
def test_the_command_line_takes_the_arguments(pod: Pod) -> None:
    (container,) = pod.containers
    if container["image"].startswith("restep-") and "command" not in container and "args" in container:
        found = parsed(container["args"])
        assert found["service"] == pod.name
        assert [found["port"]] == list(pod.ports.values())
        assert found["host"] == "0.0.0.0"


def test_the_training_runs_as_many_nodes_as_there_are_pods() -> None:
    from torch.distributed.run import get_args_parser

    (job,), (service,) = (of_kind(folder_documents(KUBERNETES / "training"), kind) for kind in ("Job", "Service"))
    (pod,) = pods([job])
    (container,) = pod.containers
    asked = get_args_parser().parse_args([each.replace("$(NODE_RANK)", "1") for each in container["args"]])
    assert [job["spec"]["completions"], job["spec"]["parallelism"]] == [int(asked.nnodes)] * 2
    assert asked.master_addr == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert pod.spec["subdomain"] == service["metadata"]["name"]
    assert asked.master_port == pod.ports["rendezvous"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert asked.no_python
    assert asked.training_script == "restep"
    found = parsed(asked.training_script_args)
    recipe = load_recipe(found["recipe"], found["settings"])
    assert found["arm"] in recipe.arms
    assert {name: options.url for name, options in recipe.environments.items()} == URLS


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_ray_starts_with_what_it_knows() -> None:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--help"]
    known = set(
        re.findall(r"--[a-z-]+", subprocess.run(command, capture_output=True, check=True, text=True, timeout=120).stdout)
    )
    (cluster,) = folder_documents(KUBERNETES / "ray")
    spec = RaySpec.model_validate(cluster["spec"])
    assert {f"--{name}" for group in (spec.head, *spec.workers) for name in group.start} <= known
    for group in spec.workers:
        assert group.least <= group.replicas <= group.most
        (port,) = (each for pod in pods([cluster]) if pod.name.endswith(group.name) for each in pod.ports.values())
        assert group.start["node-manager-port"] == str(port)


def test_the_manual_collects_by_a_command_that_exists() -> None:
    manual = (ROOT / "docs" / "kubernetes.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"-- restep (collect .+)", manual)
    assert commands
    for command in commands:
        found = parsed(shlex.split(command))
        recipe = load_recipe(found["recipe"], found["settings"])
        assert recipe.agent.url == "http://agent:8010"
        assert {name: options.url for name, options in recipe.environments.items()} == URLS

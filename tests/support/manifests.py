"""The manifests of docker/kubernetes as they are written: documents by folder, and what pods they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "docker" / "kubernetes"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """Pods of one template: ``owner`` is the document, ``name`` says which of its templates."""

    owner: Document
    name: str
    template: Document

    @property
    def labels(self) -> dict[str, str]:
        return self.template["metadata"]["labels"]

    @property
    def spec(self) -> Document:
        return self.template["spec"]

    @property
    def containers(self) -> list[Document]:
        return self.spec["containers"]

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for one in self.containers for port in one.get("ports", ())}


def folder_documents(folder: Path) -> list[Document]:
    """What ``kubectl apply -k`` would apply: the folder's resources, and those of the folders it names."""
    kustomization = _read(folder / "kustomization.yaml")[0]
    known = {"apiVersion", "kind", "resources", "configMapGenerator"}
    assert set(kustomization) <= known, f"{folder}: {set(kustomization) - known} would change documents behind a reader's back"
    found: list[Document] = []
    for resource in kustomization.get("resources", ()):
        path = folder / resource
        found += folder_documents(path) if path.is_dir() else _read(path)
    return found + [_config_map(folder, asked) for asked in kustomization.get("configMapGenerator", ())]


def pods(documents: list[Document]) -> list[Pod]:
    """Every pod template of workloads, those of a Ray cluster among them."""
    return [pod for document in documents for pod in _pods_of(document)]


def _pods_of(document: Document) -> Iterator[Pod]:
    name: str = document["metadata"]["name"]
    if document["kind"] in ("Deployment", "StatefulSet", "Job"):
        yield Pod(document, name, document["spec"]["template"])
    elif document["kind"] == "RayCluster":
        spec = document["spec"]
        yield Pod(document, f"{name}/head", spec["headGroupSpec"]["template"])
        for group in spec["workerGroupSpecs"]:
            yield Pod(document, f"{name}/{group['groupName']}", group["template"])


def _config_map(folder: Path, asked: Document) -> Document:
    files = {name: (folder / name).read_text() for name in asked["files"]}
    metadata = {"name": asked["name"], "namespace": asked["namespace"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}


def _read(path: Path) -> list[Document]:
    documents: list[Document] = list(yaml.safe_load_all(path.read_text()))
    return documents

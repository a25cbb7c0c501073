"""Nothing that comes from elsewhere is ever run: no source of ours has a call that could.

Text of an agent, a teacher or an engine, data files and checkpoints are read as data. What would make a program of them
is looked for in the syntax tree of every module, in every template and in every script of a page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("services", "shared", "trainer")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MARKUP = sorted(path for folder in FOLDERS for kind in ("*.js", "*.html", "*.j2") for path in (ROOT / folder).rglob(kind))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "codeop"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"}
LOADERS = {"yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.full_load_all", "yaml.unsafe_load_all"}
OWN_MARKUP = {"trainer/report.py"}
"""Passes markup through: the charts that it draws itself."""


def faults(source: str, name: str = "module.py") -> Iterator[str]:
    """What is wrong with a module, one line each."""
    for node in ast.walk(ast.parse(source)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"{where}: import of {module}" for module in modules if module.split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            yield from (f"{where}: {fault}" for fault in _faults_of_call(node, name))


def _faults_of_call(node: ast.Call, name: str) -> Iterator[str]:
    called = ast.unparse(node.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called in CALLS | SHELLS | LOADERS:
        yield called
    if given.get("shell", "False") != "False":
        yield "a shell"
    if called in ("torch.load", "load") and "torch" in called and given.get("weights_only") != "True":
        yield "torch.load without weights_only"
    if (
        called.endswith("from_pretrained")
        and "Model" in called
        and "Peft" not in called
        and given.get("use_safetensors") != "True"
    ):
        yield "a checkpoint that need not be safetensors"
    if given.get("trust_remote_code", "False") != "False" or given.get("allow_pickle", "False") != "False":
        yield "code of a checkpoint or an array"
    if called.endswith(("jinja2.Environment", "Environment")) and "loader" in given and given.get("autoescape") != "True":
        yield "templates without escaping"
    if called in ("Template", "jinja2.Template"):
        yield "a template that is no file of ours"
    if called in ("Markup", "markupsafe.Markup") and name not in OWN_MARKUP:
        yield "markup passed through"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_runs_what_it_was_given(path: Path) -> None:
    assert list(faults(path.read_text(), str(path.relative_to(ROOT)))) == []


@pytest.mark.parametrize("path", MARKUP, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_makes_markup_or_code_of_text(path: Path) -> None:
    text = path.read_text()
    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment"
        r"|\|\s*safe\b|autoescape\s+false|\son\w+\s*=\s*[\"']|javascript:|srcdoc",
        text,
    )
    assert found == []
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//", text), "a page loads nothing from elsewhere"


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(code)",
        "compile(text, '', 'exec')",
        "import pickle",
        "from pickle import loads",
        "import dill.source",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "await asyncio.create_subprocess_shell(command)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "AutoModelForCausalLM.from_pretrained(folder)",
        "AutoTokenizer.from_pretrained(folder, trust_remote_code=True)",
        "np.load(path, allow_pickle=True)",
        "Environment(loader=PackageLoader('a'))",
        "Environment(loader=PackageLoader('a'), autoescape=False)",
        "Template(text).render()",
        "Markup(text)",
    ],
)
def test_each_of_these_would_be_found(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "yaml.safe_load(text)",
        "re.compile(text)",
        "subprocess.run([command], shell=False)",
        "torch.load(path, weights_only=True)",
        "np.load(path)",
    ],
)
def test_none_of_these_is(source: str) -> None:
    assert not list(faults(source))

"""Hold openapi.yaml and asyncapi.yaml to their standards and to the house style.

First openapi-spec-validator; then what a declarative ruleset cannot say: the order of keys, the
examples against their schemas, the form of x-requirements; last Spectral with .ci/spectral.yaml
and .ci/spectral-stream.yaml, where npm is installed. The examples of asyncapi.yaml are judged by
its tests.

Usage: lint_spec.py [SPEC]
The exit status is 1 if anything is wrong; each problem is one line, `where: what`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".ci"
STREAM = ROOT / "asyncapi.yaml"

FEWEST_WORDS = 7  # of a sentence that may stand only once
METHODS = ("get", "put", "post", "patch", "delete")
OPERATION_KEYS = (
    "operationId",
    "summary",
    "description",
    "tags",
    "parameters",
    "requestBody",
    "responses",
    "security",
)
REQUIREMENT = {
    "type": "object",
    "required": ["id", "level", "profile", "text"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": r"^[A-Z]{2,5}-\d{3}$"},
        "level": {"enum": ["MUST", "SHOULD", "MAY"]},
        "profile": {"enum": ["core", "full"]},
        "feature": {"type": "string"},
        "text": {"type": "string", "pattern": r"^[A-Za-z].*\.$"},
    },
}

Json = Any


def main(argv: list[str] | None = None) -> int:
    """Print every problem of the spec; return 1 if there is one."""
    arguments = sys.argv[1:] if argv is None else argv
    path = Path(arguments[0]) if arguments else ROOT / "openapi.yaml"
    spec = yaml.safe_load(path.read_text())
    found = list(problems(spec))
    failed = spectral(path, "spectral.yaml")
    if not arguments:
        stream = yaml.safe_load(STREAM.read_text())
        found += wrong_requirements({"of both": [spec, stream], "components": spec["components"]})
        failed |= spectral(STREAM, "spectral-stream.yaml")
    for problem in dict.fromkeys(found):
        print(problem)
    return 1 if failed or found else 0


def problems(spec: Json) -> Iterator[str]:
    """Yield what is wrong with a spec, besides what Spectral finds."""
    for error in OpenAPIV30SpecValidator(spec).iter_errors():
        reason = error.message.splitlines()[0]
        yield f"#/{'/'.join(map(str, error.absolute_path))}: {reason[:200]}"
    yield from misplaced_keys(spec)
    yield from wrong_examples(spec)
    yield from wrong_requirements(spec)
    yield from unnamed_enum_values(spec)
    yield from nullable_references(spec, "#")
    yield from repeated_sentences(spec)


def operations(spec: Json) -> Iterator[tuple[str, Json]]:
    """Yield each operation with its place, such as `GET /orders`."""
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def misplaced_keys(spec: Json) -> Iterator[str]:
    """Yield operations whose keys or statuses are not in the house order."""
    for place, operation in operations(spec):
        keys = list(operation)
        known = [key for key in OPERATION_KEYS if key in operation]
        expected = known + [key for key in keys if key not in known]
        if keys != expected:
            yield f"{place}: the keys stand as {', '.join(keys)}; expected {', '.join(expected)}"
        statuses = list(operation["responses"])
        if statuses != sorted(statuses):
            yield f"{place}: responses are not in the order of their statuses"


def wrong_examples(spec: Json) -> Iterator[str]:
    """Yield examples and defaults that the schema beside them refuses."""
    components = json_schema({"components": spec["components"]})
    for place, schema, example in examples(spec, spec, "#"):
        document = json_schema(schema) | components
        validator = jsonschema_rs.Draft4Validator(document, validate_formats=True)
        for error in validator.iter_errors(example):
            yield f"{place}: {error.message}"


def examples(spec: Json, node: Json, place: str) -> Iterator[tuple[str, Json, Json]]:
    """Yield (place, schema, example) of every media type, parameter, header and schema."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from examples(spec, child, f"{place}/{index}")
    if not isinstance(node, dict):
        return
    schema = node.get("schema", node)
    if "example" in node:
        yield place, schema, node["example"]
    if "schema" in node:
        for name, example in node.get("examples", {}).items():
            yield f"{place}/{name}", schema, resolved(spec, example)["value"]
    elif "default" in node and not {"type", "allOf", "oneOf"}.isdisjoint(node):
        yield place, schema, node["default"]
    for key, child in node.items():
        if key not in ("example", "examples", "default", "enum") and not key.startswith("x-"):
            yield from examples(spec, child, f"{place}/{key}")


def resolved(spec: Json, node: Json) -> Json:
    """Return what a local $ref means, or the node itself."""
    target = node
    if "$ref" in node:
        target = spec
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
    return target


def json_schema(node: Json) -> Json:
    """Return an OpenAPI 3.0 schema as JSON Schema draft 4: `nullable` becomes a choice of null."""
    if isinstance(node, list):
        return [json_schema(child) for child in node]
    if not isinstance(node, dict):
        return node
    schema = {key: json_schema(child) for key, child in node.items() if key != "nullable"}
    if node.get("nullable") is True:
        return {"anyOf": [schema, {"enum": [None]}]}
    return {"allOf": [schema]} if "$ref" in schema else schema


def requirements(node: Json) -> Iterator[Json]:
    """Yield every entry of every x-requirements list."""
    if isinstance(node, dict):
        yield from node.get("x-requirements", [])
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from requirements(child)


def wrong_requirements(spec: Json) -> Iterator[str]:
    """Yield requirements of the wrong form, of an unknown feature, or with an id used twice."""
    features = spec["components"]["schemas"].get("Feature", {}).get("enum", [])
    form = jsonschema_rs.Draft4Validator(REQUIREMENT)
    entries = list(requirements(spec))
    for entry in entries:
        for error in form.iter_errors(entry):
            yield f"x-requirements {entry.get('id')}: {error.message}"
        if entry.get("feature", features[0] if features else None) not in features:
            yield f"x-requirements {entry.get('id')}: no such feature: {entry['feature']}"
    for identifier, uses in Counter(entry.get("id") for entry in entries).items():
        if uses > 1:
            yield f"x-requirements {identifier}: the id is used {uses} times"


def unnamed_enum_values(spec: Json) -> Iterator[str]:
    """Yield enums with values that are no identifiers and get no names by x-enum-varnames."""
    for name, schema in spec["components"]["schemas"].items():
        values = [value for value in schema.get("enum", []) if value is not None]
        names = schema.get("x-enum-varnames", values)
        if len(names) != len(values) or not all(re.fullmatch(r"[A-Za-z_]\w*", n) for n in names):
            yield f"#/components/schemas/{name}: x-enum-varnames must name each value"


def nullable_references(node: Json, place: str) -> Iterator[str]:
    """Yield schemas with `nullable` beside a reference, which client generators read differently.

    Some take it for the reference alone and fail on null; in OpenAPI 3.0.3 it does not widen it.
    """
    if isinstance(node, dict):
        if node.get("nullable") is True and "allOf" in node:
            yield f"{place}: nullable beside allOf; write oneOf with NullEnum"
        for key, child in node.items():
            yield from nullable_references(child, f"{place}/{key}")
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from nullable_references(child, f"{place}/{index}")


def repeated_sentences(spec: Json) -> Iterator[str]:
    """Yield sentences that stand in two places: one of them will be forgotten when they change."""
    places: dict[str, list[str]] = {}
    for place, text in words(spec, "#"):
        for sentence in re.split(r"(?<=[.;:])\s+", text):
            if len(sentence.split()) >= FEWEST_WORDS:
                places.setdefault(" ".join(sentence.split()), []).append(place)
    for sentence, found in places.items():
        if len(found) > 1:
            yield f"{found[1]}: said already by {found[0]}: {sentence}"


def words(node: Json, place: str) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of every description, summary and requirement."""
    children = enumerate(node) if isinstance(node, list) else ()
    for key, child in node.items() if isinstance(node, dict) else children:
        if key in ("description", "summary", "text") and isinstance(child, str):
            yield f"{place}/{key}", child
        yield from words(child, f"{place}/{key}")


def spectral(path: Path, ruleset: str) -> bool:
    """Run Spectral and return whether it found anything; say so where it cannot run.

    Without npm it is skipped; in CI a failing installation counts as a finding.
    """
    npm = shutil.which("npm")
    if npm is None:
        print("Spectral was skipped: npm is not installed")
        return False
    if not installed(npm):
        print("Spectral was skipped: npm could not install .ci/package-lock.json")
        return "CI" in os.environ
    command = TOOLS / "node_modules" / ".bin" / "spectral"
    options = ["--quiet", "--fail-severity=hint", "--ruleset", str(TOOLS / ruleset)]
    return subprocess.run([command, "lint", *options, path], check=False).returncode != 0


def installed(npm: str) -> bool:
    """Install what .ci/package-lock.json names, once; return whether it is there."""
    stamp, lock = TOOLS / "node_modules" / ".package-lock.json", TOOLS / "package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return True
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return subprocess.run(install, cwd=TOOLS, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

"""Write providers/models.py from the component schemas of openapi.yaml.

The models carry types, not rules: what the compiled validators of the HTTP face have checked
(patterns, lengths, bounds, unknown fields) is not checked a second time. So the schemas are
stripped first, and scalars and arrays dissolve into the fields that use them.

Usage: generate_models.py [--check]
With --check nothing is written; the exit status is 1 if the file differs from the spec.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from datamodel_code_generator import InputFileType, LiteralType, PythonVersion, generate
from datamodel_code_generator.enums import DataModelType
from datamodel_code_generator.format import DatetimeClassType

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "openapi.yaml"
MODELS = ROOT / "providers" / "models.py"

HEADER = """\
# Generated from openapi.yaml by `make models`: never edit by hand.
\"\"\"The values of the API: money is `Decimal`, times are aware, all is frozen.\"\"\"
"""

BASE_CLASS = '''
class Model(BaseModel):
    """A frozen value; `evolve(...)` makes a changed one."""

    model_config = ConfigDict(frozen=True)

    def evolve(self, **changes: Any) -> Self:
        """A copy with these fields changed, as by `model_copy(update=...)` in half the time."""
        twin = self.__new__(type(self))
        put = object.__setattr__
        put(twin, "__dict__", {**self.__dict__, **changes})
        put(twin, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changes.keys())
        put(twin, "__pydantic_extra__", None)
        put(twin, "__pydantic_private__", None)
        return twin

'''

DROPPED = {
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "example",
    "examples",
    "readOnly",
    "writeOnly",
    "title",
    "externalDocs",
}
DOC_WIDTH = 92
DOCSTRING = re.compile(r'"""\n(?P<indent> +)(?P<body>(?:(?!""").)+?)\n +"""', re.DOTALL)

Schema = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Write the models, or with --check say whether they are up to date."""
    parser = argparse.ArgumentParser(description="Write providers/models.py from openapi.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    arguments = parser.parse_args(argv)
    source = render(yaml.safe_load(SPEC.read_text()))
    if not arguments.check:
        MODELS.write_text(source)
        return 0
    if MODELS.exists() and MODELS.read_text() == source:
        return 0
    print("providers/models.py differs from openapi.yaml: run `make models`", file=sys.stderr)
    return 1


def render(spec: Schema) -> str:
    """Return the formatted source of the models of `spec`, the same for the same input."""
    schemas = model_schemas(spec["components"]["schemas"])
    document = {
        "openapi": spec["openapi"],
        "info": {"title": "models", "version": "1"},
        "paths": {},
        "components": {"schemas": schemas},
    }
    source = generate(
        yaml.safe_dump(document, sort_keys=False),
        input_file_type=InputFileType.OpenAPI,
        output_model_type=DataModelType.PydanticV2BaseModel,
        target_python_version=PythonVersion.PY_311,
        base_class="generated.Model",
        additional_imports=["pydantic.BaseModel", "pydantic.ConfigDict", "typing.Self"],
        custom_file_header=HEADER,
        strict_nullable=True,
        enum_field_as_literal=LiteralType.Off,
        use_subclass_enum=True,
        capitalise_enum_members=True,
        set_default_enum_member=True,
        collapse_root_models=True,
        use_standard_collections=True,
        use_union_operator=True,
        use_schema_description=True,
        use_field_description=True,
        use_double_quotes=True,
        output_datetime_class=DatetimeClassType.Awaredatetime,
        formatters=[],
    )
    return formatted(with_base_class(tidied(str(source))))


def model_schemas(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """Return the schemas that become classes and the scalars they use, stripped of rules."""
    schemas = {name: nullable(schema) for name, schema in schemas.items() if name != "NullEnum"}
    wanted = [name for name, schema in schemas.items() if is_model(schema)]
    for name in wanted:
        wanted.extend(ref for ref in references(schemas[name]) if ref not in wanted)
    return {name: component(schemas[name]) for name in schemas if name in wanted}


def nullable(node: Any) -> Any:
    """Return `node` with each `oneOf` of a component and NullEnum as a nullable reference."""
    match node:
        case {"oneOf": [something, {"$ref": "#/components/schemas/NullEnum"}], **beside}:
            return {**beside, "nullable": True, "allOf": [something]}
        case dict():
            return {key: nullable(child) for key, child in node.items()}
        case list():
            return [nullable(child) for child in node]
    return node


def component(schema: Schema) -> Schema:
    """Return a component stripped; words about a scalar would be repeated at each of its uses."""
    dropped = {"default"} if is_model(schema) else {"default", "description"}
    return {key: value for key, value in stripped(schema, named=True).items() if key not in dropped}


def is_model(schema: Schema) -> bool:
    """Say whether a component becomes a class: an object, an enum or a composition."""
    return schema.get("type") == "object" or "enum" in schema or "allOf" in schema


def references(node: Any) -> Iterator[str]:
    """Yield the names of the component schemas that `node` refers to."""
    if isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            yield ref.rsplit("/", 1)[-1]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def stripped(schema: Schema, named: bool = False) -> Schema:
    """Return the schema with types and words only; only a `named` enum becomes a type."""
    kept = {key: value for key, value in schema.items() if key not in DROPPED}
    if "enum" in kept and not named:
        del kept["enum"]  # narrows what its type or component says: a rule
    if kept.get("additionalProperties") is False:
        del kept["additionalProperties"]
    if kept.get("nullable") and kept.get("default") is not None:
        del kept["default"]  # null means absent: one place resolves both, not the model
    if "description" in kept:
        kept["description"] = wrapped(kept["description"])
    if "properties" in kept:
        kept["properties"] = {name: stripped(s) for name, s in kept["properties"].items()}
    if isinstance(kept.get("items"), dict):
        kept["items"] = stripped(kept["items"])
    if "allOf" in kept:
        kept["allOf"] = [stripped(member) for member in kept["allOf"]]
    return kept


def wrapped(text: str) -> str:
    """Break the paragraphs of a description to the width of a docstring."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(p if "\n" in p else textwrap.fill(p, DOC_WIDTH) for p in paragraphs)


def with_base_class(source: str) -> str:
    """Define the base class in the module itself."""
    lines = [line for line in source.splitlines() if line != "from generated import Model"]
    first_class = next(i for i, line in enumerate(lines) if line.startswith("class "))
    return "\n".join([*lines[:first_class], BASE_CLASS, *lines[first_class:]])


def tidied(source: str) -> str:
    """Open docstrings on their first line and leave out what `X | None` without default says."""
    source = source.replace(" | None = Field(...)", " | None")
    return DOCSTRING.sub(lambda match: docstring(match["body"], match["indent"]), source)


def docstring(body: str, indent: str) -> str:
    """Return a docstring: one line if it has one, else with the closing quotes below."""
    end = f"\n{indent}" if "\n" in body else ""
    return f'"""{body}{end}"""'


def formatted(source: str) -> str:
    """Return the source as ruff formats it."""
    for command in (["check", "--fix", "--select", "I,F401", "--quiet"], ["format"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", "models.py", "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        source = run.stdout
    return source


if __name__ == "__main__":
    sys.exit(main())

"""The spec's schemas, compiled once, and what their violations mean to a caller.

A valid value costs one call into the compiled validator. Only an invalid one is looked at again:
enum values are accepted in any case, and if that was not all, the first violation is explained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from handlers.errors import malformed, shorten
from providers.errors import InvalidRequest, InvalidValue

Schema = Mapping[str, Any]

_KEYWORDS = frozenset(
    "type enum format pattern minLength maxLength minimum maximum multipleOf required"
    " minProperties maxProperties minItems maxItems uniqueItems".split()
)
"""Keywords that mean in JSON Schema 2020-12 what they mean in OpenAPI 3.0."""

_REASONS: Mapping[str, str] = {
    "maxLength": "must have at most {} characters",
    "minLength": "must have at least {} characters",
    "maxItems": "must have at most {} items",
    "minItems": "must have at least {} items",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "pattern": "must match {}",
    "format": "must be a valid {}",
    "uniqueItems": "must not repeat an item",
}
_KINDS: Mapping[str, str] = {
    "decimal": 'must be a decimal above 0 in a string, such as "12.50", with at most 18 digits on'
    " each side of the point",
    "date-time": "must be an RFC 3339 date and time with its offset, such as 2025-01-15T10:30:00Z"
    " (in a URL a + is written %2B)",
    "string": "must be a string",
    "integer": "must be a whole number",
    "boolean": "must be true or false",
    "array": "must be an array",
    "object": "must be an object",
}


class CompiledSchema:
    """A schema of openapi.yaml, its `$ref`s resolved, ready to judge values.

    `whole` is what errors call the value itself, as opposed to one of its fields.
    """

    def __init__(self, schema: Schema, whole: str) -> None:
        self._schema = to_json_schema(schema)
        self._whole = whole
        self._validator = Draft202012Validator(self._schema, validate_formats=True)
        self.is_valid: Callable[[Any], bool] = self._validator.is_valid
        self._spellings = {
            field: _spellings(part) for field, part in self._schema.get("properties", {}).items()
        }
        self._own_spellings = _spellings(self._schema)

    def accept(self, value: Any) -> Any:
        """`value`, its enum members in the spec's spelling.

        Raises InvalidRequest for a missing or unknown field, InvalidValue for a wrong one.
        """
        if self.is_valid(value):
            return value
        canonical = self._canonical(value)
        if self.is_valid(canonical):
            return canonical
        raise self._explain(canonical, value)

    def _canonical(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: _spell(item, self._spellings.get(name)) for name, item in value.items()}
        return _spell(value, self._own_spellings)

    def _explain(self, canonical: Any, original: Any) -> InvalidRequest:
        """The first violation: what is missing, then what is unknown, then in the spec's order."""
        order = list(self._schema.get("properties", {}))
        error = min(self._validator.iter_errors(canonical), key=lambda e: _rank(e, order))
        match error.kind.name, error.instance_path:
            case "required", []:
                return malformed(error.kind.value, "is required")
            case "additionalProperties", []:
                return malformed(error.kind.value[0], "is not a field of this request")
            case "type", [] if self._schema.get("type") == "object":
                return malformed(self._whole, "must be a JSON object")
        return self._wrong_value(error, original)

    def _wrong_value(self, error: ValidationError, original: Any) -> InvalidValue:
        schema, provided = self._schema, original
        for step in error.instance_path:
            schema = schema["items"] if isinstance(step, int) else schema["properties"][step]
            provided = provided[step]
        field = ".".join(map(str, error.instance_path)) or self._whole
        return InvalidValue(field, shorten(provided), _reason(error, schema))


def to_json_schema(schema: Schema) -> dict[str, Any]:
    """OpenAPI 3.0 as JSON Schema 2020-12: annotations dropped, `nullable` spelled out.

    A lone `allOf`, which is how OpenAPI 3.0 describes a reference anew, and a `oneOf` of something
    or null are merged into their parent: a violation is reported by the keyword that says it.
    """
    match schema:
        case {"allOf": [only], **beside}:
            schema = {**only, **beside}
        case {"oneOf": [something, {"enum": [None]}], **beside}:
            schema = {**something, **beside, "nullable": True}
    result = {key: item for key, item in schema.items() if key in _KEYWORDS}
    if "properties" in schema:
        fields = schema["properties"].items()
        result["properties"] = {name: to_json_schema(field) for name, field in fields}
    for key in ("items", "additionalProperties", "not"):
        if key in schema:
            part = schema[key]
            result[key] = part if isinstance(part, bool) else to_json_schema(part)
    _exclusive(schema, result)
    return _nullable(result) if schema.get("nullable") else result


def _exclusive(schema: Schema, result: dict[str, Any]) -> None:
    """OpenAPI 3.0 says `minimum: 5, exclusiveMinimum: true` for what is `exclusiveMinimum: 5`."""
    for limit, exclusive in (
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ):
        if schema.get(exclusive):
            result[exclusive] = result.pop(limit)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """`not` is confined to the type: a pattern says nothing of null, so its contrary would."""
    kind = {"type": schema["type"]}
    if "not" in schema:
        schema["not"] = kind | schema["not"]
    schema["type"] = [schema["type"], "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _spellings(schema: Schema) -> Mapping[str, str]:
    """The spec's spelling of each enum member by its upper case."""
    return {item.upper(): item for item in schema.get("enum", ()) if isinstance(item, str)}


def _spell(value: Any, spellings: Mapping[str, str] | None) -> Any:
    if spellings and isinstance(value, str):
        return spellings.get(value.upper(), value)
    return value


def _rank(error: ValidationError, order: list[str]) -> tuple[int, int]:
    if not error.instance_path:
        return (0 if error.kind.name == "required" else 1), 0
    field = error.instance_path[0]
    return 2, order.index(field) if field in order else 0


def _reason(error: ValidationError, schema: Schema) -> str:
    name, limit = error.kind.name, error.kind.value
    if name == "enum" or (name == "type" and "enum" in schema):
        return f"must be one of {', '.join(v for v in schema['enum'] if v is not None)}"
    if name in ("type", "format", "pattern", "not"):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        known = _KINDS.get(schema.get("format", "")) or (name == "type" and _KINDS.get(kinds[0]))
        if known:
            return known
    return _REASONS.get(name, "is not valid").format(limit)

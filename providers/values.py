"""Making the contract's values from parts that are known to be right.

A request is validated where it comes in. What the engine makes of it has been checked by mypy, and
is not checked again for every order, trade and account: that would be a tenth of a decision.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from providers.models import Model

M = TypeVar("M", bound=Model)


def trusted(model: type[M]) -> type[M]:
    """The model's constructor, to the type checker; at run time one that validates nothing.

    All fields are given by keyword, as values of their own types. Optional ones may be left out.
    """
    absent = {name: field.default for name, field in model.model_fields.items()}
    put = object.__setattr__

    def construct(**values: Any) -> M:
        made = model.__new__(model)
        put(made, "__dict__", {**absent, **values})
        put(made, "__pydantic_fields_set__", set(values))
        put(made, "__pydantic_extra__", None)
        put(made, "__pydantic_private__", None)
        return made

    return cast("type[M]", construct)

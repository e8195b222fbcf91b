"""What the fields of a recipe are made of."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _not_a_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    return value


# pydantic would read true as 1
Number = Annotated[float, BeforeValidator(_not_a_bool), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_not_a_bool)]
Share = Annotated[float, BeforeValidator(_not_a_bool), Field(ge=0, le=1)]
# and the texts no and on as booleans
Switch = Annotated[bool, Field(strict=True)]


def _in_order(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"expected the lower end first, got {value[0]:g}, {value[1]:g}")
    return value


Range = Annotated[tuple[Number, Number], AfterValidator(_in_order)]  # drawn evenly between the two


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def line(default: Any, text: str, **limits: Any) -> Any:
    """A field with its one line of explanation."""
    return Field(default=default, description=text, **limits)

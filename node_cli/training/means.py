"""Means of scalars over some steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, StrictFloat, StrictInt
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

Number = StrictInt | StrictFloat
_Sums = dict[str, tuple[Number, Annotated[int, Field(strict=True, ge=1)]]]


class Means:
    """The mean of each tag over the steps that had it, since the last ``clear``."""

    def __init__(self, sums: Mapping[str, tuple[float, int]] | None = None) -> None:
        self._sums = {tag: (total, count) for tag, (total, count) in (sums or {}).items()}

    def add(self, values: Mapping[str, float]) -> None:
        """Count one step's values in."""
        for tag, value in values.items():
            total, count = self._sums.get(tag, (0.0, 0))
            self._sums[tag] = (total + value, count + 1)

    def means(self) -> dict[str, float]:
        """The mean of each tag."""
        return {tag: total / count for tag, (total, count) in self._sums.items()}

    def clear(self) -> None:
        """Start anew."""
        self._sums = {}

    def state(self) -> dict[str, tuple[float, int]]:
        """What ``Means(...)`` takes to go on from here."""
        return dict(self._sums)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic makes one of what ``state`` gave."""
        return no_info_after_validator_function(cls, handler.generate_schema(_Sums))

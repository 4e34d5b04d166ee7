"""What the files of a run may say: the names and values that a report can work with.

Each function returns what it was given, or raises a ``ValueError`` that says what is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from node_cli.plain_text import shortened
from node_cli.schema.settings import Setting, deciding_settings

# What a run costs, by the name of the column: where summary.json has it.
COSTS_RECORDED = {
    "nfe_forward": ("nfe", "forward_mean"),
    "nfe_backward": ("nfe", "backward_mean"),
    "saved_bytes": ("memory", "saved_bytes_peak"),
    "device_peak_bytes": ("memory", "device_peak_bytes"),
    "rss_peak_bytes": ("memory", "rss_peak_bytes"),
}
PLAIN_RECORDED = ("seconds", "step_seconds_mean", "epochs", "steps", "parameters")

# The columns that a report makes itself; a setting or a metric of such a name would hide one.
_COLUMNS = {"folder", "status", "cause", "command", "runs", "finished"}
_COLUMNS |= {"error", "nfe", "step_seconds", *COSTS_RECORDED, *PLAIN_RECORDED}
# The measures that are logged without a group; of others a setting must not have the name.
_BARE_MEASURES = {"lr"}

_SETTING = re.compile(r"\w[\w-]{0,99}(\.[\w-]{1,100}){0,9}")
_METRIC = re.compile(r"\w[\w-]{0,99}")
_MEASURE = re.compile(r"\w[\w.-]{0,99}(/[\w.-]{1,100}){1,9}")
_STATUS = re.compile(r"[a-z]{1,20}")

_MOST_NAMES = 2000
_LONGEST_TEXT = 100_000  # characters
_LARGEST = 1e150  # squares of such numbers can still be added up


def number(name: str, value: Any) -> float:
    """A measured number; one that is not finite is a result too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shortened(name, 100)} is {_shown(value)}, which is no number")
    if _LARGEST < abs(value) < math.inf:
        raise ValueError(f"{shortened(name, 100)} is larger than {_LARGEST:g}")
    return float(value)


def checked_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Values by name, not more of them than a run has."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {_shown(value)}, and not values by name")
    if len(value) > _MOST_NAMES:
        raise ValueError(f"{name} has {len(value)} names, more than a run has")
    return value


def checked_measures(values: Any) -> dict[str, float]:
    """Numbers by tag, such as ``accuracy/test``."""
    for name in checked_mapping("final", values):
        if name not in _BARE_MEASURES and not _MEASURE.fullmatch(name):
            raise ValueError(f"{_shown(name)} is no name of a metric")
    return {name: number(name, value) for name, value in values.items()}


def checked_settings(config: Any) -> dict[str, Setting]:
    """The settings that decide a run's numbers, by dotted name, from nested ones."""
    settings = deciding_settings(checked_mapping("settings", config))
    for name in checked_mapping("settings", settings):
        if name in _COLUMNS or name in _BARE_MEASURES or not _SETTING.fullmatch(name):
            raise ValueError(f"{_shown(name)} is no name of a setting")
    return {name: _setting(name, value) for name, value in settings.items()}


def checked_status(value: Any) -> str:
    """How a run ended, in a word."""
    return _matching("status", value, _STATUS)


def checked_metric(value: Any) -> str:
    """The name of a metric, such as ``accuracy``."""
    return _matching("best.metric", value, _METRIC)


def checked_goal(value: Any) -> str:
    """``max`` or ``min``."""
    if value not in ("max", "min"):
        raise ValueError(f"best.goal is {_shown(value)}; it must be max or min")
    return str(value)


def checked_text(name: str, value: Any) -> str:
    """Text that can be written to a file."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {_shown(value)}, which is no text")
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"{name} has {len(value)} characters")
    value.encode("utf-8")  # raises where it holds half of a character
    return value


def _setting(name: str, value: Setting) -> Setting:
    if isinstance(value, str):
        return checked_text(name, value)
    if isinstance(value, bool):
        return value
    number(name, value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} has more than 64 bits")
    return value


def _matching(name: str, value: Any, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(checked_text(name, value)):
        raise ValueError(f"{name} is {_shown(value)}")
    return str(value)


def _shown(value: Any) -> str:
    """A value in a message, where it may be of any kind and size."""
    if isinstance(value, str):
        return ascii(shortened(value, 60))
    if value is None or isinstance(value, bool):
        return str(value)
    return f"a {type(value).__name__}"

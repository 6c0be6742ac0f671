"""Typed exceptions. Each one is written for the person who has to act on it: expected, found, what to do."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import ModuleType

MAX_SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a data set.

    Attributes:
        where: File, row or `video_id` that the problem is in.
        expected: What the data contract asks for there.
        found: What is there.
        fix: What the reader can do about it.
    """

    where: str
    expected: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}\n    expected: {self.expected}\n    found:    {self.found}\n    fix:      {self.fix}"

    def to_dict(self) -> dict[str, str]:
        """Return the problem as a plain dictionary, as written to `contract_report.json`."""
        return asdict(self)


class HfSltError(Exception):
    """Base class of every error that hf_slt raises on purpose; scripts turn it into exit code 2."""


class ProblemsError(HfSltError):
    """An error that lists several problems at once.

    Args:
        problems: All problems found, in a stable order.
        report_path: Where the complete list was written, if it was.
        headline: First line of the message.
    """

    headline = "the input is not usable"

    def __init__(self, problems: Sequence[Problem], report_path: str | None = None, headline: str | None = None):
        self.problems = list(problems)
        self.report_path = report_path
        self.headline = headline or self.headline
        super().__init__(self._message())

    def _message(self) -> str:
        count = len(self.problems)
        lines = [f"{self.headline}: {count} problem{'s' if count != 1 else ''}"]
        lines += [f"{i}. {problem}" for i, problem in enumerate(self.problems[:MAX_SHOWN_PROBLEMS], start=1)]
        if count > MAX_SHOWN_PROBLEMS:
            lines.append(f"... and {count - MAX_SHOWN_PROBLEMS} more")
        if self.report_path:
            lines.append(f"All of them are in {self.report_path}")
        return "\n".join(lines)


class DataContractError(ProblemsError):
    """The data set breaks the data contract; nothing was trained."""

    headline = "the data set breaks the data contract"


class VideoError(ProblemsError):
    """A video cannot be read, or holds nothing to extract; nothing was written."""

    headline = "the video is not usable"


class TokenizerRoundTripError(ProblemsError):
    """The tokenizer cannot hold the training text: what it decodes is not what it encoded."""

    headline = "the tokenizer cannot hold the text"


class ConfigurationError(HfSltError, ValueError):
    """A flag, a configuration file or a model configuration holds something that cannot work."""


class DimensionMismatchError(ConfigurationError):
    """Two parts of a model do not fit; the message names both numbers."""


class ExportParityError(HfSltError):
    """An exported model does not compute what the PyTorch model does; nothing of it was kept."""


class MissingDependencyError(HfSltError, ImportError):
    """An optional package is needed for what was asked."""


def require_package(name: str, extra: str) -> ModuleType:
    """Import an optional package or say how to get it.

    Args:
        name: The module to import, for example `"av"`.
        extra: The extra of hf_slt that installs it.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"expected the package '{name}', found none that imports ({error}); run: pip install 'hf_slt[{extra}]'"
        ) from error

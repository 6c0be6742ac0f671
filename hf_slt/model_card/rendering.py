"""The Jinja templates of `model_cards`: strict, so that a field that nobody fills cannot go unnoticed."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_slt.errors import ConfigurationError

if TYPE_CHECKING:
    from jinja2 import Environment

NOT_MEASURED, NOT_DOCUMENTED, NOT_RECORDED = "not measured", "not documented", "not recorded"
_SPECIAL = re.compile(r"([\\|`*<>]|\](?=[(\[]))")  # a bracket is markup only where another one follows
_LINK = re.compile(r"(\[[^\]\n|`<>]*\]\(https?://[^\s()<>|]+\))")
_HEADING = re.compile(r"^(\s*)(#{1,6}(?:\s|$)|[=-]+\s*$)")  # of either kind: `# text`, or a line under the text
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")  # that blocks of a template leave behind


def templates_folder() -> Path:
    """Return where the templates lie: in the package once it is installed, beside it in a copy of the repository."""
    installed = Path(__file__).parent / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "model_cards"


def cell(value: Any) -> str:
    """Return a text of the data as it may stand in a line or a table of Markdown: nothing in it is markup."""
    return _escaped(" ".join(shown(value).split()))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def linked(value: Any) -> str:
    """Return a text as `cell` does, but for links to the web, `[text](https://...)`, which stay links."""
    parts = _LINK.split(" ".join(shown(value).split()))
    return "".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def block(value: Any) -> str:
    """Return Markdown of a person as the rest of an item: its paragraphs are indented, and it begins no section."""
    lines = [_HEADING.sub(r"\1\\\2", line.rstrip()) for line in shown(value).splitlines()]
    return "\n".join(f"  {line}" if line and number else line for number, line in enumerate(lines))


def code(value: Any) -> str:
    """Return a text as code that may stand in a table; `|` ends a cell even there."""
    return f"`{' '.join(shown(value).split()).replace('`', chr(39))}`".replace("|", "\\|")


def shown(value: Any) -> str:
    """Return a value as text: what is absent, or no number, was not measured."""
    absent = value is None or (isinstance(value, float) and not math.isfinite(value))
    return NOT_MEASURED if absent else str(value)


def table(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """Lay out a table in Markdown."""
    header = [cell(part) for part in header]
    lines = [header, ["---"] * len(header), *([cell(part) for part in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render(name: str, context: Mapping[str, Any], folder: Path | None = None) -> str:
    """Fill a template.

    Args:
        name: Its file name.
        context: What it may use. None prints "not measured".
        folder: Where it lies; None: those that come with hf_slt.

    Raises:
        ConfigurationError: There is no such template, it is not valid, or it uses a field that there is not (the
            message names it).
    """
    import jinja2

    try:
        text = environment(folder or templates_folder()).get_template(name).render(context)
    except jinja2.UndefinedError as error:
        raise ConfigurationError(
            f"expected only known fields in the template {name}, found: {error.message}; there are "
            f"{', '.join(sorted(context))}"
        ) from error
    except jinja2.TemplateSyntaxError as error:
        raise ConfigurationError(
            f"expected a valid template, found in {name}, line {error.lineno}: {error.message}"
        ) from error
    except jinja2.TemplateNotFound as error:
        raise ConfigurationError(
            f"expected the template {name} in {folder or templates_folder()}, found none; install hf_slt again"
        ) from error
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


@functools.cache
def environment(folder: Path) -> Environment:
    """Return the environment of the templates in a folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML: `cell` escapes what comes from the data
    )
    made.filters |= {
        "block": block,
        "cell": cell,
        "code": code,
        "linked": linked,
        "documented": lambda value: NOT_DOCUMENTED if value is None else value,
        "recorded": lambda value: NOT_RECORDED if value is None else value,
    }
    made.globals["table"] = table
    return made

"""Templates of the static HTML pages: strict ones, whose parts (`{% include %}`) are beside them or in this package."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


def page_template(package: str, name: str) -> Template:
    """Return a template; what it puts in is escaped, and a name that it is not given is an error.

    Args:
        package: The package that the template lies in.
        name: Its file name.
    """
    loader = ChoiceLoader([PackageLoader(one, "", "utf-8") for one in (package, "hf_slt.evaluation")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)

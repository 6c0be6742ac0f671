"""Where the package takes part in what its classes do. `auto.py` fills the hooks when `hf_slt` is imported.

The classes also run without the package, in files that travelled with a model (see `remote_code.py`). Nothing is hooked
in there: transformers finds the classes by `auto_map`, and saves them with the files that they came in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

BEFORE_READING: list[Callable[[], Any]] = []  # called before a configuration is built from what a file held
# Called with a folder of saved files that is about to be uploaded, and the name of the repository.
BEFORE_UPLOAD: list[Callable[[Path, str], Any]] = []
# Called by the pipelines with the path of a clip, a feature extractor and how to read it; returns the encoded clip.
READ_CLIP: list[Callable[..., Any]] = []


def announce_reading(values: dict[str, Any]) -> dict[str, Any]:
    """Call what is hooked in before a configuration is built from what a file held.

    Returns:
        What to build it from. Where the package is there, its own pipelines go before those that travelled with the
        model (`custom_pipelines`), which read fewer kinds of files and are code that has to be trusted.
    """
    for hook in BEFORE_READING:
        hook()
    return {name: value for name, value in values.items() if name != "custom_pipelines" or not BEFORE_READING}


class CodeCarrierMixin:
    """`push_to_hub`, and `save_pretrained(push_to_hub=True)`, of one of our classes carry its code and its card.

    Comes before transformers' class in the bases. Both lead to the one method that is overridden here.
    """

    def _upload_modified_files(self, working_dir: Any, repo_id: str, *args: Any, **kwargs: Any) -> Any:
        for hook in BEFORE_UPLOAD:
            hook(Path(working_dir), repo_id)
        # The method is one of transformers.
        return super()._upload_modified_files(working_dir, repo_id, *args, **kwargs)  # type: ignore[misc]


class SettingsCarrierMixin(CodeCarrierMixin):
    """The same for configurations and feature extractors, whose files name their code (`auto_map`)."""

    _auto_class: ClassVar[str | None] = None

    def to_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the values that are saved; without the `auto_map` of a pulled file, whose code is not saved here.

        Nor is that of its pipeline, which transformers never saves with a model.
        """
        values: dict[str, Any] = super().to_dict(*args, **kwargs)  # type: ignore[misc] # of transformers
        values.pop("custom_pipelines", None)
        if self._auto_class is None:  # transformers sets it on classes that travelled, and saves their code
            values.pop("auto_map", None)
        return values

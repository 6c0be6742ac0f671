"""What checking the splits of a run found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_slt.data.corpus import ContractReport
from hf_slt.data.gloss.labels import LabelRow

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class GlossSplit:
    """Where a split lies.

    Attributes:
        name: `"train"`, `"validation"` or `"test"`.
        folder: Folder of its clips; splits may share one.
        labels_csv: Its labels.
    """

    name: str
    folder: Path
    labels_csv: Path


@dataclass
class GlossContractReport(ContractReport):
    """What checking the splits found; `problems`, `warnings`, `ok` and `write` as in `ContractReport`.

    Attributes:
        splits: Split -> `{"clips", "frames", "glosses", "signers"}`: counts, the frames are 0 if a clip of its folder
            is not sound.
        rows: Split -> its labels.
        tables: Split -> the table of its folder (with all clips of all splits that use it); empty unless every clip is
            sound.
        unlabelled: Folder -> files that no CSV names; only where they are allowed.
        gloss_names, cat_names: The names, None if there are no tables of them.
        width: Numbers a frame, None if no clip is sound.
    """

    rows: dict[str, list[LabelRow]] = field(default_factory=dict)
    tables: dict[str, datasets.Dataset] = field(default_factory=dict)
    unlabelled: dict[str, list[str]] = field(default_factory=dict)
    gloss_names: list[str] | None = None
    cat_names: list[str] | None = None
    width: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as written to `contract_report.json`."""
        return {
            "ok": self.ok,
            "num_problems": len(self.problems),
            "problems": [problem.to_dict() for problem in self.problems],
            "warnings": self.warnings,
            "splits": self.splits,
            "width": self.width,
            "unlabelled": {folder: len(files) for folder, files in self.unlabelled.items()},
        }

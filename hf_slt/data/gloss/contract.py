"""The data contract of single signs: every split is checked before anything trains, and every problem is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hf_slt.data.gloss.clips import clip_keys
from hf_slt.data.gloss.labels import CATEGORY, GLOSS, LabelRow, LabelSpace, load_labels, read_names
from hf_slt.data.gloss.report import GlossContractReport, GlossSplit
from hf_slt.data.gloss.table import ClipTableReader, build_clip_table
from hf_slt.errors import DataContractError, Problem

__all__ = ["GlossContractReport", "GlossSplit", "check_splits"]

_HELD_OUT = ("validation", "test")
_SHOWN = 5


def check_splits(
    splits: Sequence[GlossSplit],
    *,
    kind: str = "keypoints",
    key: str | None = None,
    width: int | None = None,
    num_gloss: int | None = None,
    num_cat: int | None = None,
    gloss_names: Sequence[str] | str | Path | None = None,
    cat_names: Sequence[str] | str | Path | None = None,
    allow_unlabelled: bool = False,
    allow_overlap: bool = False,
    encoding: str = "utf-8-sig",
    dtype: str = "float32",
    cache_dir: str | Path | None = None,
    show_progress: bool = False,
) -> GlossContractReport:
    """Check splits: name tables, CSVs, and every file that a CSV names, decoded in full while its table is built.

    Args:
        splits: The splits of a run.
        kind: `"keypoints"` or `"features"`.
        key: Name of the array in the files, see `clip_keys`.
        width: Numbers a frame that clips must have; None: as most of them.
        num_gloss: Number of glosses; None: as many as names, else any.
        num_cat: Number of categories.
        gloss_names: Names of the glosses, or a table of them (`read_names`).
        cat_names: Names of the categories, or a table of them.
        allow_unlabelled: Count files that no CSV names instead of refusing them.
        allow_overlap: Warn of a clip in two splits instead of refusing it.
        encoding: Encoding of the CSVs.
        dtype: Data type of the tables.
        cache_dir: Where tables are kept, see `build_clip_table`.
        show_progress: Show a progress bar for each folder.

    Returns:
        The report; the splits are usable if `report.ok`, and then it holds their rows and tables.

    Raises:
        ConfigurationError: Unknown kind or dtype, or a `cache_dir` that cannot be written.
    """
    clip_keys(kind, key)
    check = _SplitsCheck(splits, GlossContractReport())
    glosses = check.label_space(GLOSS, gloss_names, num_gloss, encoding)
    categories = check.label_space(CATEGORY, cat_names, num_cat, encoding)
    check.report.gloss_names, check.report.cat_names = glosses.names, categories.names
    check.read_labels(glosses, categories, encoding)
    check.compare_labels(allow_overlap)
    for folder in check.folders:
        present = check.match_files(folder, allow_unlabelled)
        check.read_clips(
            folder, present, kind=kind, key=key, dtype=dtype, cache_dir=cache_dir, show_progress=show_progress
        )
    check.compare_widths(width)
    check.compare_contents(allow_overlap)
    return check.finish()


class _SplitsCheck:
    """The state of one check: problems pile up in a stable order, nothing raises before the end."""

    def __init__(self, splits: Sequence[GlossSplit], report: GlossContractReport):
        self.splits = splits
        self.report = report
        self.folders: dict[Path, list[GlossSplit]] = {}
        for split in splits:
            self.folders.setdefault(Path(split.folder).resolve(), []).append(split)
        self.named: dict[str, dict[str, int] | None] = {}
        self.readers: dict[Path, ClipTableReader] = {}

    def _add(self, where: object, expected: str, found: str, fix: str) -> None:
        self.report.problems.append(Problem(str(where), expected, found, fix))

    def _folder(self, split: GlossSplit) -> Path:
        return Path(split.folder).resolve()

    def label_space(
        self, column: str, names: Sequence[str] | str | Path | None, count: int | None, encoding: str
    ) -> LabelSpace:
        """Return the classes of a column; a table of names that cannot be read is a problem."""
        source = f"--{column}-names"
        if isinstance(names, (str, Path)):
            source = str(names)
            try:
                names = read_names(names, encoding)
            except DataContractError as error:
                self.report.problems += error.problems
                return LabelSpace(column, None, count, trusted=False)
        names = None if names is None else list(names)
        if names is not None and count is not None and len(names) != count:
            fix = f"correct --num-{column}, or the table"
            self._add(source, f"{count} names, as --num-{column} says", f"{len(names)} names", fix)
        return LabelSpace(column, names, count)

    def read_labels(self, glosses: LabelSpace, categories: LabelSpace, encoding: str) -> None:
        """Read the CSVs."""
        for split in self.splits:
            labels = load_labels(split.labels_csv, glosses, categories, encoding)
            self.named[split.name] = labels.named
            rows = self.report.rows[split.name] = labels.rows
            self.report.problems += labels.problems
            unknown = sum(row.cat is None for row in rows)
            if 0 < unknown < len(rows):
                self.report.warnings.append(f"{split.labels_csv}: {unknown} of {len(rows)} rows have no category")

    def compare_labels(self, allow_overlap: bool) -> None:
        """Compare the CSVs: clips in two splits, signers in two splits, glosses that are never trained."""
        homes: dict[tuple[Path, str], list[str]] = {}
        for split in self.splits:
            for row in self.report.rows[split.name]:
                homes.setdefault((self._folder(split), row.file), []).append(split.name)
        shared = {f"clip '{file}' of {folder}": names for (folder, file), names in homes.items() if len(names) > 1}
        self._overlap(shared, allow_overlap)
        train = self.report.rows.get("train", [])
        for name in _HELD_OUT:
            held_out = self.report.rows.get(name, [])
            if train and held_out:
                self._compare_with_train(name, train, held_out)

    def _compare_with_train(self, name: str, train: Sequence[LabelRow], held_out: Sequence[LabelRow]) -> None:
        signers = {row.signer for row in train} & {row.signer for row in held_out} - {None}
        if signers:
            self.report.warnings.append(
                f"train and {name} share the signers {_listed(signers)}: the score does not tell how well other people "
                f"are understood (scripts/split_data.py --group-by signer makes splits that do)"
            )
        unseen = {row.gloss for row in held_out} - {row.gloss for row in train}
        if unseen:
            names = self.report.gloss_names
            shown = [names[gloss] if names and gloss < len(names) else gloss for gloss in sorted(unseen)]
            self.report.warnings.append(f"{len(unseen)} glosses of {name} have no clip in train: {_listed(shown)}")

    def _overlap(self, shared: dict[str, list[str]], allowed: bool) -> None:
        for where, names in shared.items():
            found = " and ".join(names)
            if not allowed:
                fix = "keep it in one: a score on clips that were trained on means nothing"
                self._add(where, "each clip in one split", found, fix)
        if shared and allowed:
            self.report.warnings.append(f"{len(shared)} clips are in more than one split: {_listed(shared)}")

    def match_files(self, folder: Path, allow_unlabelled: bool) -> list[str]:
        """Compare a folder with the CSVs that use it; return the clips that are in both."""
        splits = self.folders[folder]
        if not folder.is_dir():
            self._add(splits[0].folder, "a folder of .npz clips", "no such folder", "correct the path")
            return []
        present = {
            path.relative_to(folder).with_suffix("").as_posix()
            for path in folder.rglob("*.npz")
            if not path.name.startswith(".")
        }
        labelled: set[str] = set()
        for split in splits:
            for file, line in (self.named[split.name] or {}).items():
                labelled.add(file)
                if (folder / f"{file}.npz").is_file():
                    present.add(file)  # rglob does not enter folders that are links
                elif file not in present:
                    fix = "correct the name, or take the row out"
                    expected = f"a file '{file}.npz' in {split.folder}"
                    self._add(f"{split.labels_csv}, line {line}", expected, "no such file", fix)
        if all(self.named[split.name] is not None for split in splits):
            self._unlabelled(folder, sorted(present - labelled), allow_unlabelled)
        return sorted(present & labelled)

    def _unlabelled(self, folder: Path, files: list[str], allowed: bool) -> None:
        csvs = ", ".join(str(split.labels_csv) for split in self.folders[folder])
        if not files:
            return
        if allowed:
            self.report.unlabelled[str(folder)] = files
            self.report.warnings.append(f"{len(files)} files of {folder} are in no CSV: {_listed(files)}")
            return
        for file in files:
            fix = "label it, take it out of the folder, or pass --allow-unlabelled-files"
            self._add(folder / f"{file}.npz", f"a row in {csvs}", "a file without a label", fix)

    def read_clips(self, folder: Path, files: Iterable[str], **options: Any) -> None:
        """Read and check the clips of a folder."""
        try:
            table = build_clip_table(folder, list(files), **options)
        except DataContractError as error:
            self.report.problems += error.problems
            return
        self.readers[folder] = ClipTableReader(table)
        for split in self.folders[folder]:
            self.report.tables[split.name] = table

    def compare_widths(self, width: int | None) -> None:
        """Find clips that have another number of values a frame."""
        counts = Counter(int(value) for reader in self.readers.values() for value in reader.widths)
        if not counts:
            return
        total = sum(counts.values())
        self.report.width = width or counts.most_common(1)[0][0]
        source = "the model" if width else f"{counts[self.report.width]} of {total} clips"
        for folder, reader in self.readers.items():
            for file, found in zip(reader.files, reader.widths.tolist(), strict=True):
                if found != self.report.width:
                    expected = f"{self.report.width} numbers a frame (from: {source})"
                    fix = "extract all clips alike, or name another key (--kp-key, --feature-key)"
                    self._add(folder / f"{file}.npz", expected, f"{found} numbers a frame", fix)

    def compare_contents(self, allow_overlap: bool) -> None:
        """Find clips that are in two splits under different names."""
        homes: dict[str, dict[tuple[Path, str], str]] = {}
        for split in self.splits:
            reader = self.readers.get(self._folder(split))
            for row in self.report.rows[split.name]:
                if reader is not None and row.file in reader:
                    clips = homes.setdefault(reader.digests[reader.position(row.file)], {})
                    clips.setdefault((self._folder(split), row.file), split.name)
        shared, repeated = {}, 0
        for clips in homes.values():
            if len(set(clips.values())) > 1:
                where = "clips of the same content: " + ", ".join(f"{path / file}.npz" for path, file in clips)
                shared[where] = list(dict.fromkeys(clips.values()))
            repeated += len(clips) - len(set(clips.values()))
        self._overlap(shared, allow_overlap)
        if repeated:
            self.report.warnings.append(f"{repeated} clips have the content of another clip of their split")

    def finish(self) -> GlossContractReport:
        """Return the report with the counts of each split."""
        for split in self.splits:
            rows, reader = self.report.rows[split.name], self.readers.get(self._folder(split))
            known = [row for row in rows if reader is not None and row.file in reader]
            self.report.splits[split.name] = {
                "clips": len(rows),
                "frames": sum(int(reader.num_frames[reader.position(row.file)]) for row in known),
                "glosses": len({row.gloss for row in rows}),
                "signers": len({row.signer for row in rows} - {None}),
            }
        return self.report


def _listed(items: Iterable[object]) -> str:
    shown = sorted(map(str, items))
    return ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")

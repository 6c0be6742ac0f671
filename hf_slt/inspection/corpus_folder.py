"""Where the parts of a corpus lie: named one by one, or at its usual place in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_slt.data.clip_checks import CorpusIndex, index_corpus
from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.gloss.labels import read_labels
from hf_slt.data.gloss.names import read_names
from hf_slt.data.indexing import index_images, index_poses
from hf_slt.data.jsonl_files import JSONL_SUFFIX, parse_object
from hf_slt.data.metadata import ID_COLUMNS, load_index, load_metadata
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.streams import STREAMS

_STREAM_FOLDERS = dict(zip(STREAMS, ("face", "hand_l", "hand_r", "pose"), strict=True))
_KEYPOINT_FOLDERS = ("keypoints78", "keypoints")
# The journal of an extraction that has not ended holds the rows of the earlier ones, too.
_METADATA_FILES = ("metadata.journal.jsonl", "metadata.jsonl", "meta.csv", "metadata.csv")
_LABELS, _GLOSSES = "labels.csv", "glosses.csv"
_INDEX_FOLDERS = ("index", "splits/standard", "splits")
_MOST_SPLITS = 20
_SPLIT_NAMES = {"val": "validation"}


@dataclass
class CorpusFolder:
    """A corpus as its tables have it; no file of a clip is opened yet.

    Attributes:
        name: What the page calls it.
        paths: Its stream folders and tables.
        keypoints: Clip id -> its file of landmarks in image coordinates.
        index: What lies in the stream folders.
        rows: Clip id -> its row of the metadata.
        splits: Clip id -> the splits that it is in.
        of_glosses: Whether the text of a clip is the name of a sign.
        problems: What is wrong with the tables and folders.
        warnings: What is odd but legal.
    """

    name: str
    paths: CorpusPaths
    keypoints: dict[str, Path] = field(default_factory=dict)
    index: CorpusIndex = field(default_factory=CorpusIndex)
    rows: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    of_glosses: bool = False
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def has_files(self) -> bool:
        """Whether there is any folder of clips, and not a table alone."""
        return bool(self.index.images or self.index.poses is not None or self.keypoints)

    def clip_ids(self) -> list[str]:
        """Return the clips to look at: those in a split or with a file, and those that the extraction failed on.

        Of a table alone these are all its rows.
        """
        if not self.has_files:
            return sorted({*self.rows, *self.splits})
        on_disk = {*self.keypoints, *(self.index.poses or {})}
        on_disk.update(*(found.clips for found in self.index.images.values()))
        failed = {video_id for video_id, row in self.rows.items() if row.get("status") == "error" or row.get("error")}
        return sorted(on_disk | failed | set(self.splits))


def complete_paths(data: Path | None, paths: CorpusPaths) -> CorpusPaths:
    """Fill in what lies at its usual place in a folder.

    Args:
        data: The folder; None: only what `paths` names.
        paths: What was named; it takes precedence.

    Raises:
        ConfigurationError: There is no such folder.
    """
    if data is None:
        return paths
    if not data.is_dir():
        raise ConfigurationError(f"expected a folder of a corpus in --data, found {data}; correct the path")
    found = {f"{stream}_dir": data / name for stream, name in _STREAM_FOLDERS.items() if (data / name).is_dir()}
    metadata = next((data / name for name in _METADATA_FILES if (data / name).is_file()), None)
    folder = next((data / name for name in _INDEX_FOLDERS if any((data / name).glob("*.csv"))), None)
    files = sorted(folder.glob("*.csv")) if folder else []
    return CorpusPaths(
        **{name: getattr(paths, name) or found.get(name) for name in (f"{stream}_dir" for stream in STREAMS)},
        metadata_csv=paths.metadata_csv or metadata,
        indexes=paths.indexes or {_SPLIT_NAMES.get(file.stem, file.stem): file for file in files},
        id_column=paths.id_column,
        text_column=paths.text_column,
        encoding=paths.encoding,
        pose_key=paths.pose_key,
    )


def open_corpus(data: Path | None, paths: CorpusPaths, keypoints_dir: Path | None = None) -> CorpusFolder:
    """Read the tables of a corpus and list its folders.

    Args:
        data: Folder in which everything lies at its usual place.
        paths: What lies elsewhere.
        keypoints_dir: Folder of landmarks in image coordinates.

    Raises:
        ConfigurationError: No such folder, or nothing of a corpus in it.
    """
    paths = complete_paths(data, paths)
    if keypoints_dir is None and data is not None:
        keypoints_dir = next((data / name for name in _KEYPOINT_FOLDERS if (data / name).is_dir()), None)
    if not paths.streams and keypoints_dir is None and paths.metadata_csv is None:
        usual = ", ".join((*_STREAM_FOLDERS.values(), *_KEYPOINT_FOLDERS, *_METADATA_FILES))
        raise ConfigurationError(
            f"expected a corpus: one of {usual} in {data or '--data'}, found none; name the folder that holds them, or "
            "the stream folders one by one (--face-dir, --pose-dir, ...)"
        )
    name = (data or paths.metadata_csv or keypoints_dir or paths.folder(paths.streams[0])).resolve().name
    corpus = CorpusFolder(name, paths)
    labels = data / _LABELS if data is not None and paths.metadata_csv is None else None
    if labels is not None and labels.is_file():
        _read_labels(corpus, labels)
    elif paths.metadata_csv is not None:
        _read_metadata(corpus, paths.metadata_csv)
    _check_split_column(corpus)
    _read_splits(corpus)
    if keypoints_dir is not None:
        _list_keypoints(corpus, keypoints_dir)
    used = {*corpus.rows, *corpus.splits}
    corpus.index = index_corpus(paths, used) if used else _index_all(paths)
    corpus.problems += corpus.index.problems
    unused = sorted(set(corpus.rows) - set(corpus.clip_ids()))
    if unused:
        corpus.warnings.append(f"{len(unused)} rows of the metadata have no file and are in no split: {_few(unused)}")
    return corpus


def _index_all(paths: CorpusPaths) -> CorpusIndex:
    """Index every clip that lies in any stream folder, where no table says which ones there are."""
    ids: set[str] = set()
    for stream in paths.streams:
        folder = paths.folder(stream)
        if folder.is_dir():
            ids.update(index_poses(folder) if stream == "pose" else index_images(folder).clips)
    return index_corpus(paths, ids)


def _read_metadata(corpus: CorpusFolder, path: Path) -> None:
    if path.suffix.lower() == JSONL_SUFFIX:
        _read_json_lines(corpus, path)
        return
    paths = corpus.paths
    try:
        metadata = load_metadata(path, paths.id_column, paths.text_column, paths.encoding)
    except DataContractError as error:
        corpus.problems += error.problems
        return
    corpus.problems += [finding.problem for finding in metadata.findings]
    corpus.warnings += metadata.warnings
    corpus.rows = {str(row["video_id"]): row for row in metadata.frame.to_dict("records")}


def _check_split_column(corpus: CorpusFolder) -> None:
    """Leave a column `split` out that names no splits: in LSA-T it holds subtitles."""
    values = {str(row["split"]) for row in corpus.rows.values() if row.get("split")}
    if len(values) > _MOST_SPLITS:
        said = f"the column 'split' holds {len(values)} different values: they are not taken for names of splits"
        corpus.warnings.append(said)
        corpus.rows = {video_id: {**row, "split": None} for video_id, row in corpus.rows.items()}


def _read_json_lines(corpus: CorpusFolder, path: Path) -> None:
    """Read the metadata of an extraction as it stands, since it says more than the columns of the data contract."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        corpus.problems.append(Problem(str(path), "a readable UTF-8 file", str(error), "correct the path"))
        return
    id_columns = (corpus.paths.id_column,) if corpus.paths.id_column else ID_COLUMNS
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = parse_object(line) or {}
        video_id = next((str(row[name]) for name in id_columns if row.get(name) is not None), None)
        if video_id is None:
            expected = f"an object with the key {' or '.join(id_columns)}"
            corpus.problems.append(Problem(f"{path}, line {number}", expected, line[:80], "correct or delete the line"))
            continue
        if corpus.paths.text_column in row:
            row["text"] = row[corpus.paths.text_column]
        corpus.rows[video_id] = row


def _read_labels(corpus: CorpusFolder, path: Path) -> None:
    names_file = path.with_name(_GLOSSES)
    names = None
    try:
        names = read_names(names_file) if names_file.is_file() else None
    except DataContractError as error:
        corpus.problems += error.problems
    rows, problems = read_labels(path, gloss_names=names, encoding=corpus.paths.encoding)
    corpus.of_glosses = True
    corpus.problems += problems
    corpus.rows = {
        row.file: {"text": names[row.gloss] if names else str(row.gloss), "signer": row.signer} for row in rows
    }


def _read_splits(corpus: CorpusFolder) -> None:
    for split, path in corpus.paths.indexes.items():
        try:
            if corpus.of_glosses:
                rows, _ = read_labels(path, encoding=corpus.paths.encoding)
                ids, findings = [row.file for row in rows], []
            else:
                ids, findings = load_index(path, corpus.paths.id_column, corpus.paths.encoding)
        except DataContractError as error:
            corpus.problems += error.problems
            continue
        corpus.problems += [finding.problem for finding in findings]
        for video_id in ids:
            corpus.splits.setdefault(video_id, []).append(split)
    twice = [video_id for video_id, splits in corpus.splits.items() if len(splits) > 1]
    if twice:
        corpus.warnings.append(f"{len(twice)} clips are in more than one split: {_few(twice)}")


def _list_keypoints(corpus: CorpusFolder, folder: Path) -> None:
    if not folder.is_dir():
        corpus.problems.append(Problem(str(folder), "the folder of the landmarks", "no folder", "correct the path"))
        return
    files = {file.relative_to(folder).with_suffix("").as_posix(): file for file in sorted(folder.rglob("*.npz"))}
    wanted = {*corpus.rows, *corpus.splits} or set(files)
    corpus.keypoints = {video_id: file for video_id, file in files.items() if video_id in wanted}


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")

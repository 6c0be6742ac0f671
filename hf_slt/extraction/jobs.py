"""Which clips an extraction makes of which videos: from a folder alone, or from the rows of a metadata file."""

from __future__ import annotations

import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_slt.data.csv_files import id_fault
from hf_slt.errors import DataContractError, Problem, VideoError
from hf_slt.extraction.video import list_videos

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

# What the extraction finds out itself, of the clip as it is written.
_MEASURED = ("video", "fps", "frame_count")
_SHOWN_IDS = 3
_BYTES_A_SECOND = 200_000  # of a video as the web has them; it decides about an order alone


@dataclass(frozen=True)
class ClipJob:
    """One clip to extract.

    Attributes:
        video_id: Id of the clip, the name of its files.
        video: The video that holds it.
        start: Where it starts in the video, in seconds; None: at the start.
        end: Where it ends; None: at the end.
        columns: What the metadata says of the clip besides (text, signer, split, ...).
    """

    video_id: str
    video: Path
    start: float | None = None
    end: float | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


def plan_jobs(
    videos: str | Path,
    metadata: str | Path | None = None,
    *,
    id_column: str | None = None,
    text_column: str | None = None,
    encoding: str = "utf-8-sig",
    skip_missing: bool = False,
) -> list[ClipJob]:
    """Return the clips to extract.

    Without metadata each video is one clip, and its file name without suffix is the id. With it each row is one: of the
    video that the column `video`, else the id, names (a file name or path below the folder, with or without suffix),
    from `start` to `end` if the row has them.

    Args:
        videos: A video, or a folder that is searched with all below it.
        metadata: Metadata file, see `hf_slt.data.metadata.read_metadata`; None: all videos as they are.
        id_column: As in `read_metadata`.
        text_column: As in `read_metadata`.
        encoding: As in `read_metadata`.
        skip_missing: Leave out the rows whose video is not there.

    Returns:
        The clips, in the order of the ids, or of the rows.

    Raises:
        VideoError: All that is wrong: no videos, ids that several have or that are unfit, rows without their video.
        DataContractError: All that is wrong with the metadata.
    """
    files = list_videos(videos)
    if metadata is None:
        return _whole_videos(files)
    from hf_slt.data.metadata import load_metadata  # brings pandas, which the workers would wait for in vain

    table = load_metadata(metadata, id_column, text_column, encoding)
    if problems := [*(finding.problem for finding in table.findings), *table.unusable]:
        raise DataContractError(problems, headline="the metadata cannot be used")
    for warning in table.warnings:
        logger.warning(warning)
    return _rows(table.frame, files, Path(videos), metadata, skip_missing)


def _whole_videos(files: Sequence[Path]) -> list[ClipJob]:
    """Return a clip for each video, sorted by id."""
    of_id: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        of_id[path.stem].append(path)
    problems = []
    for video_id, same in sorted(of_id.items()):
        if fault := id_fault(video_id):
            expected = "a file name that can be a clip id: no '..', no leading dot, no control character"
            problems.append(Problem(str(same[0]), expected, fault, "rename the file"))
        if len(same) > 1:
            found = f"{len(same)} files: {', '.join(map(str, same))}"
            fix = "rename all but one, or give the clips ids in a metadata file (--metadata-csv)"
            problems.append(Problem(f"clip '{video_id}'", "one video of this name", found, fix))
    if problems:
        raise VideoError(problems, headline="the videos make no clip ids")
    return [ClipJob(video_id, same[0]) for video_id, same in sorted(of_id.items())]


class _Finder:
    """Finds videos by what metadata call them."""

    def __init__(self, files: Iterable[Path], folder: Path):
        self._by_path: dict[str, list[Path]] = defaultdict(list)
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            inside = path.relative_to(folder) if path != folder else Path(path.name)
            self._by_path[_composed(inside.as_posix())].append(path)
            for name in dict.fromkeys((inside.with_suffix("").as_posix(), path.name, path.stem)):
                self._by_name[_composed(name)].append(path)

    def find(self, name: str) -> list[Path]:
        """Return the videos of a name; the whole path goes before a path without suffix and a file name."""
        name = _composed(name).strip().replace("\\", "/").removeprefix("./")
        return self._by_path.get(name) or self._by_name.get(name, [])


def _composed(name: str) -> str:
    """Return a name with composed accents (NFC): macOS and archives made there write file names with separate ones."""
    return unicodedata.normalize("NFC", name)


def _rows(
    frame: pd.DataFrame, files: Sequence[Path], folder: Path, metadata: str | Path, skip_missing: bool
) -> list[ClipJob]:
    finder = _Finder(files, folder)
    jobs: list[ClipJob] = []
    unfound: dict[str, list[str]] = defaultdict(list)
    for row in frame.to_dict("records"):
        name = _plain(row.get("video")) or row["video_id"]
        found = finder.find(name)
        if len(found) == 1:
            jobs.append(_job(row, found[0]))
        else:
            unfound[name].append(row["video_id"])
    problems = _unfound_problems(unfound, finder, folder, metadata)
    missing = sum(len(ids) for ids in unfound.values())
    if problems and not (skip_missing and jobs):
        raise VideoError(problems, headline=f"{missing} of {len(frame)} rows have no video")
    if missing:
        logger.warning(
            "%d of %d rows are left out: their videos are not there (%s)", missing, len(frame), _some(list(unfound))
        )
    if unused := len(set(files) - {job.video for job in jobs}):
        logger.info("%d of %d videos are in no row of %s and are left alone", unused, len(files), metadata)
    return jobs


def _unfound_problems(
    unfound: Mapping[str, list[str]], finder: _Finder, folder: Path, metadata: str | Path
) -> list[Problem]:
    """Return a problem that lists all videos that are not there, and one for each name that several have."""
    gone = [f"{name} ({len(ids)} rows: {_some(ids)})" for name, ids in unfound.items() if not finder.find(name)]
    problems = []
    if gone:
        found = "".join(f"\n        no {line}" for line in gone)
        fix = "add the videos, correct the column 'video' (or the ids), or leave such rows out: --skip-missing"
        problems.append(Problem(str(metadata), f"a video of each of these names in {folder}", found, fix))
    for name, ids in unfound.items():
        if found_here := finder.find(name):
            where = f"{metadata}, video '{name}' ({len(ids)} rows: {_some(ids)})"
            listed = f"{len(found_here)}: {', '.join(map(str, found_here))}"
            fix = "write the path below the folder of the videos into the column 'video'"
            problems.append(Problem(where, "one video of this name", listed, fix))
    return problems


def _some(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN_IDS else ""
    return ", ".join(names[:_SHOWN_IDS]) + more


def _job(row: Mapping[str, Any], video: Path) -> ClipJob:
    values = {str(name): _plain(value) for name, value in row.items()}
    video_id, start, end = values.pop("video_id"), values.pop("start", None), values.pop("end", None)
    columns = {name: value for name, value in values.items() if name not in _MEASURED}
    return ClipJob(str(video_id), video, start, end, columns)


def _plain(value: Any) -> Any:
    """Return a cell as JSON holds it: None where it is empty, numbers of Python."""
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def in_working_order(jobs: Sequence[ClipJob]) -> list[int]:
    """Return the order in which workers take clips: the longest videos first, the clips of one by their start.

    Long ones at the end would leave one worker alone with them; clips of one video lie near each other in its file.
    The size of a file stands for its length, which only opening it would tell.

    Args:
        jobs: The clips.

    Returns:
        Positions in `jobs`.
    """
    lengths: dict[Path, float] = defaultdict(float)
    for job in jobs:
        if job.end is None:
            lengths[job.video] += _size(job.video) / _BYTES_A_SECOND
        else:
            lengths[job.video] += max(job.end - (job.start or 0.0), 0.0)

    def key(position: int) -> tuple[float, str, float, int]:
        job = jobs[position]
        return (-lengths[job.video], str(job.video), job.start or 0.0, position)

    return sorted(range(len(jobs)), key=key)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # its clips tell what is wrong

"""What the tests of the data contract share."""

from pathlib import Path

from hf_slt.data.contract import check_corpus
from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import Problem


def problems(paths: CorpusPaths, **options: object) -> list[Problem]:
    """Return all problems of a corpus."""
    return check_corpus(paths, **options)[1].problems


def only_problem(paths: CorpusPaths, **options: object) -> Problem:
    """Return the problem of a corpus that has one."""
    found = problems(paths, **options)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def remove_frames(folder: Path, video_id: str, *numbers: int) -> None:
    """Delete frames of a clip in the flat variant."""
    for number in numbers:
        (folder / f"{video_id}_f{number:06d}.jpg").unlink()

"""Any input of a trained model: one clip or many, read as in training; all that is wrong with them is said at once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from hf_slt.data.gloss.clips import GlossClip
from hf_slt.errors import DataContractError, Problem, ProblemsError, VideoError
from hf_slt.inference.clip_inputs import Reading, StreamClip, read_gloss_clip, read_stream_clip
from hf_slt.models.multistream.clip_arrays import encode_streams
from hf_slt.provenance import IDENTITY, check_extractor

logger = logging.getLogger(__name__)

_COMPARED = (*IDENTITY, "pose_layout", "pose_norm")  # what a record is compared by
_SAID: WeakKeyDictionary[Any, set[Any]] = WeakKeyDictionary()  # feature extractor of a pipeline -> what was warned of

Read = TypeVar("Read")


def encode_source(
    source: str | Path,
    extractor: Any,
    clip: str | None = None,
    key: str | None = None,
    fps: float | None = None,
    strict: bool = False,
) -> dict[str, np.ndarray]:
    """Read and encode the clip of a path, for the pipelines: a warning that holds for many clips is given once.

    Args:
        source: Video, folder of streams, `.npz` or file of landmarks.
        extractor: Feature extractor of the model; it decides what is read.
        clip: Id of the clip to take of a folder that holds several.
        key: Key of the array in an `.npz`, if it is not that of the data contract.
        fps: Frames a second to take of a video; None: all of them.
        strict: Refuse landmarks of another extractor than that of the training.

    Raises:
        DataContractError, VideoError: What is wrong with the clip.
        ConfigurationError: `strict`, and the extractor differs or is not known.
        MissingDependencyError: A package that reads this kind of file is not installed.
    """
    reading = Reading(clip, key, fps)
    said = _SAID.setdefault(extractor, set())
    if hasattr(extractor, "streams"):
        return encode_stream_clips([source], extractor, reading, strict, said)[0]
    found = read_gloss_clips([source], extractor, reading, strict, said)[0]
    encoded: dict[str, np.ndarray] = extractor.encode_clip(found.values, found.mask, found.aspect_ratio)
    return encoded


def encode_stream_clips(
    sources: Sequence[Any], extractor: Any, reading: Reading, strict: bool = False, said: set[Any] | None = None
) -> list[dict[str, np.ndarray]]:
    """Read and encode clips for a model of sentences.

    Args:
        sources: Paths, dictionaries of the arrays of streams, or arrays of landmarks.
        extractor: Feature extractor of the model.
        reading: How files are read.
        strict: Refuse landmarks of another extractor than that of the training.
        said: What was warned of in earlier calls and is not again; it grows. None: warn of everything.

    Raises:
        DataContractError, VideoError: All that is wrong with any of them.
        ConfigurationError: Arrays that cannot be; or `strict`, and an extractor differs or is not known.
        MissingDependencyError: A package that reads such files is not installed.
    """

    def read(source: Any) -> StreamClip:
        if isinstance(source, (str, Path)):
            return read_stream_clip(source, extractor, reading)
        return StreamClip(encode_streams(extractor, source))

    clips = read_all(sources, read)
    masked = Counter(stream for clip in clips for stream in clip.missing)
    if masked and _is_new(("masked", *masked), said):
        shown = ", ".join(f"{stream} ({count} of {len(clips)} clips)" for stream, count in masked.items())
        logger.warning(f"the model reads streams that the input lacks, which are masked: {shown}")
    if "pose" in extractor.streams:
        check = {"pose_layout": extractor.pose_layout, "pose_norm": getattr(extractor, "pose_norm", None)}
        _check_extractor(extractor, [clip.provenance for clip in clips], sources, strict, said, **check)
    return [clip.encoded for clip in clips]


def read_gloss_clips(
    sources: Sequence[Any], extractor: Any, reading: Reading, strict: bool = False, said: set[Any] | None = None
) -> list[GlossClip]:
    """Read clips for a gloss classifier.

    Args:
        sources: Paths, arrays `(T, 2L)` or `(T, F)`, or clips that were read.
        extractor: Feature extractor of the model.
        reading: How files are read.
        strict: Refuse clips of another extractor than that of the training.
        said: As in `encode_stream_clips`.

    Raises:
        DataContractError, VideoError: All that is wrong with any of them.
        ConfigurationError: `strict`, and an extractor differs or is not known.
        MissingDependencyError: A package that reads such files is not installed.
    """

    def read(source: Any) -> GlossClip:
        if isinstance(source, (str, Path)):
            return read_gloss_clip(source, extractor, reading)
        return source if isinstance(source, GlossClip) else GlossClip(np.asarray(source))

    clips = read_all(sources, read)
    hands = extractor.layout().hands if extractor.input_type == "landmarks" else ()
    unseen = [
        clip for clip in clips if hands and clip.mask is not None and not clip.mask[:, np.concatenate(hands)].any()
    ]
    if unseen and _is_new("hands", said):
        logger.warning(f"the model reads hands, and none was seen in {len(unseen)} of {len(clips)} clips")
    _check_extractor(extractor, [clip.provenance for clip in clips], sources, strict, said)
    return clips


def read_all(sources: Iterable[Any], read: Callable[[Any], Read]) -> list[Read]:
    """Read every source, so that one error tells all that is wrong with any of them.

    Raises:
        VideoError: Only videos have problems.
        DataContractError: Others have as well.
    """
    clips: list[Read] = []
    errors: list[ProblemsError] = []
    for source in sources:
        try:
            clips.append(read(source))
        except (DataContractError, VideoError) as error:
            errors.append(error)
    if len(errors) == 1 and isinstance(errors[0], VideoError):
        raise errors[0]
    if errors:
        problems: list[Problem] = [problem for error in errors for problem in error.problems]
        if all(isinstance(error, VideoError) for error in errors):
            raise VideoError(problems, headline="the videos are not usable")
        raise DataContractError(problems, headline="the clips are not what the model reads")
    return clips


def _is_new(fact: Any, said: set[Any] | None) -> bool:
    """Tell whether something was not said yet, and note that it is now."""
    if said is None:
        return True
    new = fact not in said
    said.add(fact)
    return new


def _check_extractor(
    extractor: Any,
    records: list[dict[str, Any] | None],
    sources: Sequence[Any],
    strict: bool,
    said: set[Any] | None,
    **trained: Any,
) -> None:
    """Compare the extractor of clips with that of the training; arrays have none that anybody could know."""
    known = [
        record for record, source in zip(records, sources, strict=True) if record or isinstance(source, (str, Path))
    ]
    if not strict:
        known = [record for record in known if record and _is_new(tuple(map(record.get, _COMPARED)), said)]
    if known or strict:
        where = str(sources[0]) if len(sources) == 1 and isinstance(sources[0], (str, Path)) else "the clips"
        check_extractor(getattr(extractor, "extractor", None), known, strict, where, **trained)

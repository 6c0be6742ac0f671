"""Clips that two splits share: by name, or cut from one video with one signer and one sentence."""

from __future__ import annotations

import hashlib
import json
import logging
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from hf_slt.errors import DataContractError, Problem

logger = logging.getLogger(__name__)

SPLITS = "splits.json"
KNOWN_SPLITS = ("train", "validation")  # what a model is trained and selected on
_HEADLINE = "scores on known clips mean nothing (--allow-overlap to see them)"


def fingerprint(sentence: str) -> str:
    """Return a short hash of a sentence, by which a test sentence is known as seen without storing the text."""
    return _digest(_normal(sentence))


def _normal(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFC", text or "").split())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clip_groups(clips: datasets.Dataset) -> list[str | None]:
    """Return for each clip a short hash of its signer, its sentence and the video that it was cut from.

    Two clips of one group are cuts of one recording, under other names perhaps. None where the metadata has no
    `video`; names and sentences are compared as `fingerprint` does.
    """
    columns = (clips["signer"][:], clips["text"][:], clips["video"][:])
    return [
        _digest(json.dumps([_normal(signer), _normal(text), _normal(video)])) if video else None
        for signer, text, video in zip(*columns, strict=True)
    ]


def split_members(corpus: datasets.DatasetDict) -> dict[str, dict[str, list[str]]]:
    """Return what `splits.json` holds: split -> `video_ids`, and hashes of its `sentences` and `groups`."""
    return {
        split: {
            "video_ids": data["video_id"][:],
            "sentences": sorted({fingerprint(text) for text in data["text"][:]}),
            "groups": sorted(set(clip_groups(data)) - {None}),
        }
        for split, data in corpus.items()
    }


def shared_clips(
    clips: datasets.Dataset, splits: Mapping[str, Any], others: Sequence[str] = KNOWN_SPLITS
) -> dict[str, dict[int, str]]:
    """Find the clips that are in other splits too.

    Args:
        clips: The clips.
        splits: Members of the splits (`split_members`); some may have no `groups`.
        others: The splits to compare with.

    Returns:
        `video_ids` and `groups` -> position of a clip -> the split that shares it.
    """
    found = {}
    for kind, values in (("video_ids", clips["video_id"][:]), ("groups", clip_groups(clips))):
        homes = {value: split for split in reversed(others) for value in splits.get(split, {}).get(kind, ())}
        found[kind] = {index: homes[value] for index, value in enumerate(values) if value in homes}
    return found


def count_overlap(clips: datasets.Dataset, splits: Mapping[str, Any]) -> dict[str, int | None] | None:
    """Count the clips that a model was trained or selected on.

    Args:
        clips: The clips to score.
        splits: Members of the splits of the run; empty if unknown.

    Returns:
        `video_ids`: clips of the same name; `groups`: clips of the same signer, sentence and video, None where that is
        not known: the metadata of the clips, or the record of the run, names no videos. None if nothing is known.
    """
    if not splits:
        return None
    counts: dict[str, int | None] = {kind: len(found) for kind, found in shared_clips(clips, splits).items()}
    recorded = any(splits.get(split, {}).get("groups") for split in KNOWN_SPLITS)
    return counts if recorded and any(clip_groups(clips)) else counts | {"groups": None}


def overlap_problems(clips: datasets.Dataset, splits: Mapping[str, Any], of_model: str = "") -> list[Problem]:
    """Return a problem for each clip that a model was trained or selected on.

    Args:
        clips: The clips to score.
        splits: Members of the splits of the run.
        of_model: Words after the name of a split, such as ` of seed1`.
    """
    shared = shared_clips(clips, splits)
    problems = []
    for index, video_id in enumerate(clips["video_id"][:]):
        if split := shared["video_ids"].get(index):
            found = f"it is in the {split} split{of_model}"
        elif split := shared["groups"].get(index):
            found = f"a clip of the same signer, sentence and video is in the {split} split{of_model}"
        else:
            continue
        fix = "evaluate other clips, or pass --allow-overlap"
        problems.append(Problem(video_id, "a clip that the model has not seen", found, fix))
    return problems


def check_overlap(models: Sequence[Any], corpora: Sequence[datasets.Dataset], allow_overlap: bool = False) -> None:
    """Refuse clips that a model was trained or selected on.

    Args:
        models: The models: `name`, `path`, `splits`.
        corpora: The clips of each.
        allow_overlap: Warn of such clips, do not refuse them.

    Raises:
        DataContractError: There are such clips; the message lists all of them.
    """
    problems = []
    for model, clips in zip(models, corpora, strict=True):
        if not model.splits:
            logger.warning(f"no {SPLITS} beside {model.path}: clips that it was trained on are not recognised")
        if allow_overlap:
            warn_of_overlap(model.name, clips, model.splits)
        else:
            problems += overlap_problems(clips, model.splits, f" of {model.name}" if len(models) > 1 else "")
    if problems:
        raise DataContractError(problems, headline=_HEADLINE)


def warn_of_overlap(name: str, clips: datasets.Dataset, splits: Mapping[str, Any]) -> None:
    """Warn of clips that a model was trained or selected on, where they are scored all the same."""
    counts = count_overlap(clips, splits)
    if counts and any(counts.values()):
        known = len({index for found in shared_clips(clips, splits).values() for index in found})
        logger.warning(
            f"{name}: {known} of {len(clips)} clips are known from training or selection (--allow-overlap): their "
            f"scores mean nothing"
        )


def check_run_overlap(corpus: datasets.DatasetDict, allow_overlap: bool = False) -> None:
    """Compare the splits of a run before it trains.

    Cuts of one recording in train and validation are a warning: they make the selection too sure of itself, the test
    score is still honest.

    Args:
        corpus: The splits.
        allow_overlap: Warn of test clips that are in train or validation too, do not refuse them.

    Raises:
        DataContractError: A test clip is of the signer, sentence and video of a clip of another split.
    """
    members = split_members(corpus)
    if "validation" in corpus and (shared := shared_clips(corpus["validation"], members, ("train",))["groups"]):
        logger.warning(
            f"{len(shared)} of {len(corpus['validation'])} validation clips are of the signer, sentence and video of a "
            f"training clip: the validation score is too good"
        )
    if "test" not in corpus:
        return
    if allow_overlap:
        warn_of_overlap("test", corpus["test"], members)
    elif problems := overlap_problems(corpus["test"], members):
        raise DataContractError(problems, headline=_HEADLINE)

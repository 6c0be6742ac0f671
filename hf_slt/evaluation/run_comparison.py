"""Two systems on the same clips: what differs, by how much, for whom, and whether that is luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hf_slt.errors import Problem
from hf_slt.evaluation.breakdowns import TABLE_SCORES
from hf_slt.evaluation.corpus_statistics import TRANSLATION_SCORES, CorpusStatistics, collect_statistics, signature
from hf_slt.evaluation.length_bins import group_by_length, length_unit
from hf_slt.evaluation.significance import compare_systems
from hf_slt.evaluation.system_outputs import RunMismatchError, SystemOutput

_DEFAULTS = {"tokenize": "13a", "lowercase": False}


def compare_outputs(
    a: SystemOutput,
    b: SystemOutput,
    metrics: Sequence[str] = (),
    tokenize: str | None = None,
    lowercase: bool | None = None,
    resamples: int = 1000,
    seed: int = 0,
    intersect: bool = False,
    signers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Compare two systems clip by clip.

    Args:
        a: The first system, for example the baseline.
        b: The second one, for example what is new.
        metrics: Names out of `TRANSLATION_SCORES`; none: all of them, and the main ones in the tables.
        tokenize: sacrebleu tokenizer for BLEU; None: the one that the systems were scored with, or 13a.
        lowercase: Lower-case both sides before all scores; None: as the systems were scored, or not.
        resamples: Resamples of the tests.
        seed: Seed of the tests.
        intersect: Compare the clips that both have, instead of refusing systems that differ in their clips.
        signers: Id of a clip -> signer; None: as the systems' own tables say.

    Returns:
        `a`, `b` (names), `n`, `only_a` and `only_b` (clips left out), the settings, `signature`; `scores`: score ->
        `hf_slt.evaluation.significance.PairedScore` as a dictionary; `per_signer` (where a signer is known; by name,
        and clips without one last) and `per_length` (in `length_unit`): rows with `group`, `n` and a dictionary like
        that for each score.

    Raises:
        RunMismatchError: Other clips (without `intersect`), other references or signers of the same clip, no common
            clip, settings that the systems do not share and that are not given, or `signers` of none of the clips.
        ConfigurationError: Unknown score or tokenizer, or settings out of range.
    """
    ids = [i for i in a.references if i in b.references]
    known = {**b.signers, **a.signers} if signers is None else signers
    problems = [*_other_settings(a, b, tokenize, lowercase), *_other_clips(a, b, ids, intersect)]
    problems += _other_signers(a, b, ids) if signers is None else _unknown_signers(ids, signers)
    if problems:
        raise RunMismatchError(problems)
    tokenize = _setting(a, b, "tokenize") if tokenize is None else tokenize
    lowercase = _setting(a, b, "lowercase") if lowercase is None else lowercase
    references = [a.references[i] for i in ids]
    chosen = tuple(dict.fromkeys(metrics)) or TRANSLATION_SCORES
    counted_a, counted_b = (
        collect_statistics([system.predictions[i] for i in ids], references, tokenize, lowercase, chosen)
        for system in (a, b)
    )
    tested = compare_systems(counted_a, counted_b, resamples, seed)
    tables = {"per_signer": _group_by_signer(ids, known), "per_length": group_by_length(references)}
    in_tables = chosen if metrics else tuple(name for name in chosen if name in TABLE_SCORES)
    return {
        "a": a.name,
        "b": b.name,
        "n": len(ids),
        "only_a": len(a.references) - len(ids),
        "only_b": len(b.references) - len(ids),
        "tokenize": tokenize,
        "lowercase": lowercase,
        "resamples": resamples,
        "seed": seed,
        "confidence": 0.95,
        "length_unit": length_unit(references),
        "signature": signature(tokenize, lowercase, chosen),
        "scores": {name: score.to_dict() for name, score in tested.items()},
        **{name: _table(counted_a, counted_b, groups, in_tables, resamples, seed) for name, groups in tables.items()},
    }


def _setting(a: SystemOutput, b: SystemOutput, name: str) -> Any:
    return a.settings.get(name, b.settings.get(name, _DEFAULTS[name]))


def _other_settings(a: SystemOutput, b: SystemOutput, tokenize: str | None, lowercase: bool | None) -> list[Problem]:
    """Return a problem for each setting that is not given and that the evaluations of the two do not share."""
    problems = []
    for name, given in (("tokenize", tokenize), ("lowercase", lowercase)):
        one, other = a.settings.get(name), b.settings.get(name)
        if given is None and None not in (one, other) and one != other:
            found = f"{one!r} in {a.name}, {other!r} in {b.name}"
            fix = "--lowercase or --no-lowercase" if name == "lowercase" else "--tokenize or --language"
            problems.append(Problem(name, "one setting that both were scored with", found, f"say which ({fix})"))
    return problems


def _other_clips(a: SystemOutput, b: SystemOutput, ids: Sequence[str], intersect: bool) -> list[Problem]:
    problems = []
    for one, other in ((a, b), (b, a)):
        if not intersect:
            fix = "compare runs on the same clips, or only the common ones (--intersect)"
            expected, found = "a clip of both runs", f"in {one.name}, not in {other.name}"
            problems += [Problem(i, expected, found, fix) for i in one.references if i not in other.references]
    for i in ids:
        if a.references[i] != b.references[i]:
            expected, found = f"{a.references[i]!r}, the reference in {a.name}", f"{b.references[i]!r} in {b.name}"
            problems.append(Problem(i, expected, found, "score both runs against the same references"))
    if not ids:
        found, fix = "none", "compare runs on the same clips, or name the column of their ids (--id-column)"
        problems.append(Problem(f"{a.name} and {b.name}", "clips that both have", found, fix))
    return problems


def _other_signers(a: SystemOutput, b: SystemOutput, ids: Sequence[str]) -> list[Problem]:
    fix = "correct the signer, or give the metadata of the corpus (--metadata-csv)"
    return [
        Problem(i, f"'{a.signers[i]}', the signer in {a.name}", f"'{b.signers[i]}' in {b.name}", fix)
        for i in ids
        if a.signers.get(i, b.signers.get(i)) != b.signers.get(i, a.signers.get(i))
    ]


def _unknown_signers(ids: Sequence[str], signers: Mapping[str, str]) -> list[Problem]:
    if not ids or any(i in signers for i in ids):
        return []
    found = f"none of the {len(ids)}, such as '{ids[0]}'" + (f"; it has '{next(iter(signers))}'" if signers else "")
    fix = "give the metadata of these clips (--metadata-csv), or name the column of their ids (--id-column)"
    return [Problem("the metadata", "the signers of the compared clips", found, fix)]


def _group_by_signer(ids: Sequence[str], signers: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the indices of each signer's clips, by name and those without one last; empty if none is known."""
    names = [signers.get(i, "") for i in ids]
    ordered = sorted(set(names), key=lambda name: (name == "", name))
    groups = {name: [index for index, own in enumerate(names) if own == name] for name in ordered}
    return groups if any(names) else {}


def _table(
    a: CorpusStatistics,
    b: CorpusStatistics,
    groups: Mapping[str, list[int]],
    metrics: tuple[str, ...],
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    rows = []
    for name, indices in groups.items():
        tested = compare_systems(a.take(indices), b.take(indices), resamples, seed)
        scores = {metric: tested[metric].to_dict() for metric in metrics}
        rows.append({"group": name, "n": len(indices), **scores})
    return rows

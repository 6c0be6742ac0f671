"""A comparison of two systems as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hf_slt.evaluation.breakdowns import FEW_CLIPS


def format_comparison(comparison: Mapping[str, Any]) -> str:
    """Lay out what `hf_slt.evaluation.run_comparison.compare_outputs` returns, to be read."""
    left_out = {side: comparison[f"only_{side}"] for side in "ab"}
    lines = [f"A: {comparison['a']}", f"B: {comparison['b']}", f"{comparison['n']} clips"]
    if any(left_out.values()):
        lines[-1] += f" of both; left out: {left_out['a']} of A alone, {left_out['b']} of B alone"
    lines += ["", *_layout(_score_rows(comparison["scores"]))]
    for key, title in (("per_signer", "signer"), ("per_length", comparison["length_unit"])):
        if comparison[key]:
            lines += ["", *_layout(_group_rows(title, comparison[key]))]
    lines += ["", *_notes(comparison)]
    return "\n".join(lines)


def _score_rows(scores: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    rows = [["score", "A", "B", "B - A", "95 % interval", "p (bootstrap)", "p (randomisation)"]]
    for name, score in scores.items():
        rows.append([name, *_numbers(score), f"{score['p_bootstrap']:.4f}", f"{score['p_randomisation']:.4f}"])
    return rows


def _group_rows(title: str, groups: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = [[title, "clips", "score", "A", "B", "B - A", "95 % interval"]]
    for group in groups:
        few = "*" if group["n"] < FEW_CLIPS else ""
        for name in (key for key in group if key not in ("group", "n")):
            rows.append([group["group"] or "(not known)", f"{group['n']}{few}", name, *_numbers(group[name])])
    return rows


def _numbers(score: Mapping[str, Any]) -> list[str]:
    low, high = score["interval"]
    return [f"{score['a']:.2f}", f"{score['b']:.2f}", f"{score['difference']:+.2f}", f"[{low:+.2f}, {high:+.2f}]"]


def _layout(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    is_text = [not any(row[i][-1:].isdigit() for row in rows[1:]) for i in range(len(widths))]
    return [
        "  ".join(
            cell.ljust(width) if left or i == 0 else cell.rjust(width)
            for i, (cell, width, left) in enumerate(zip(row, widths, is_text, strict=True))
        ).rstrip()
        for row in rows
    ]


def _notes(comparison: Mapping[str, Any]) -> list[str]:
    notes = [
        f"{comparison['resamples']} resamples, seed {comparison['seed']}; in percent but for length_ratio; in ter, "
        f"cer, wer and looping less is better; p is two-sided, and the smallest of many is small by luck",
        *([comparison["signature"]] if comparison["signature"] else []),
    ]
    nameless = [row["n"] for row in comparison["per_signer"] if not row["group"]]
    if nameless:
        notes.insert(0, f"the signers of {nameless[0]} of the {comparison['n']} clips are not known")
    groups = (*comparison["per_signer"], *comparison["per_length"])
    if any(group["n"] < FEW_CLIPS for group in groups):
        notes.insert(0, f"* fewer than {FEW_CLIPS} clips: says little")
    return notes

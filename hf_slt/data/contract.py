"""The data contract: checks a whole corpus before anything trains, and reports every problem at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from hf_slt.data.clip_checks import ClipProbe, align, image_source, index_corpus, missing_problems, probe_clip
from hf_slt.data.corpus import ClipRecord, ContractReport, CorpusPaths
from hf_slt.data.csv_files import Finding, id_fault
from hf_slt.data.metadata import load_index, load_metadata
from hf_slt.errors import DataContractError, Problem

__all__ = ["ClipRecord", "ContractReport", "CorpusPaths", "check_corpus"]

_MAX_THREADS = 8


def check_corpus(
    paths: CorpusPaths,
    *,
    num_landmarks: int | None = None,
    skip_invalid: bool = False,
    allow_missing_streams: bool = False,
    allow_overlap: bool = False,
    show_progress: bool = False,
) -> tuple[dict[str, list[ClipRecord]], ContractReport]:
    """Check a corpus: CSVs, ids, and every file of every clip in its indexes, decoded in full.

    Args:
        paths: The corpus.
        num_landmarks: Number of landmarks that the poses must have; None: as most of them.
        skip_invalid: Leave clips with problems out of their splits instead of refusing the corpus.
        allow_missing_streams: Accept clips that lack files of a stream (never of all).
        allow_overlap: Warn of test clips that are in another split too instead of refusing the corpus.
        show_progress: Show a progress bar.

    Returns:
        Split -> its sound clips in the order of the index, and the report. The corpus is usable if `report.ok`.

    Raises:
        MissingDependencyError: The corpus holds videos and PyAV is not installed.
    """
    check = _CorpusCheck(paths)
    check.read_tables(allow_overlap)
    check.probe(allow_missing_streams, show_progress)
    check.compare_poses(num_landmarks)
    return check.finish(skip_invalid)


class _CorpusCheck:
    """The state of one check: findings pile up in a stable order, nothing raises before the end."""

    def __init__(self, paths: CorpusPaths):
        self.paths = paths
        self.findings: list[Finding] = []
        self.warnings: list[str] = []
        self.splits: dict[str, list[str]] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.probes: dict[str, ClipProbe] = {}
        self.lengths: dict[str, int] = {}
        self.num_landmarks: int | None = None

    def _add(self, where: str, expected: str, found: str, fix: str, clip_id: str | None = None) -> None:
        self.findings.append(Finding(Problem(where, expected, found, fix), clip_id))

    def _add_all(self, problems: Iterable[Problem], clip_id: str | None = None) -> None:
        self.findings += [Finding(problem, clip_id) for problem in problems]

    def read_tables(self, allow_overlap: bool = False) -> None:
        """Read the CSVs and compare the ids in them."""
        if not self.paths.streams:
            found = "no stream folder at all"
            self._add("stream folders", "at least one of face, left hand, right hand and pose", found, "name a folder")
        folders = [self.paths.folder(stream) for stream in self.paths.streams]
        shared = sorted(str(folder) for folder, count in Counter(folders).items() if count > 1)
        self.warnings += [f"{folder} is the folder of more than one stream" for folder in shared]
        index_findings = self._read_indexes()
        known = self._read_metadata()
        self.findings += index_findings
        for split, ids in self.splits.items():
            for video_id in ids:
                if known is not None and video_id not in known and id_fault(video_id) is None:
                    where = f"{self.paths.indexes[split]}, clip '{video_id}'"
                    fix = "add its row, or take it out of the index (ids must match exactly)"
                    self._add(where, f"a row in {self.paths.metadata_csv}", "no row with this id", fix, video_id)
        self._compare_splits(allow_overlap)

    def _read_indexes(self) -> list[Finding]:
        if not self.paths.indexes:
            self._add("index CSVs", "at least one index of clip ids", "none", "name an index CSV for each split")
        findings: list[Finding] = []
        for split, path in self.paths.indexes.items():
            try:
                self.splits[split], found = load_index(path, self.paths.id_column, self.paths.encoding)
                findings += found
            except DataContractError as error:
                findings += [Finding(problem) for problem in error.problems]
        return findings

    def _read_metadata(self) -> set[str] | None:
        """Read the metadata; return the ids that it mentions, None if it cannot be read."""
        paths = self.paths
        if paths.metadata_csv is None:
            self._add("metadata CSV", "a CSV with the text of each clip", "none", "name it (metadata_csv)")
            return None
        try:
            metadata = load_metadata(paths.metadata_csv, paths.id_column, paths.text_column, paths.encoding)
        except DataContractError as error:
            self._add_all(error.problems)
            return None
        used = {video_id for ids in self.splits.values() for video_id in ids}
        for finding in metadata.findings:
            if finding.clip_id in used or id_fault(finding.clip_id) is not None:
                self.findings.append(finding)
            else:
                self.warnings.append(f"{finding.problem.where}: {finding.problem.found} (the clip is in no index)")
        self.warnings += metadata.warnings
        self.rows = {row["video_id"]: row for row in metadata.frame.to_dict("records")}
        return set(self.rows) | {finding.clip_id for finding in metadata.findings}

    def _compare_splits(self, allow_overlap: bool) -> None:
        homes: dict[str, list[str]] = {}
        overlapping = 0
        for split, ids in self.splits.items():
            for video_id in ids:
                homes.setdefault(video_id, []).append(split)
        for video_id, splits in homes.items():
            if allow_overlap and "test" in splits:
                overlapping += len(splits) > 1
                splits = [split for split in splits if split != "test"]
            if len(splits) > 1:
                found = ", ".join(f"{split} ({self.paths.indexes[split]})" for split in splits)
                fix = "keep it in one index: a score on clips that were trained on means nothing"
                self._add(f"clip '{video_id}'", "each clip in one split", found, fix)
        if overlapping:
            self.warnings.append(f"{overlapping} test clips are in another split too: their score means nothing")

    def probe(self, allow_missing_streams: bool, show_progress: bool) -> None:
        """Decode the files of every clip in the indexes and align its streams."""
        ids = dict.fromkeys(v for split in self.splits.values() for v in split if id_fault(v) is None)
        index = index_corpus(self.paths, set(ids))
        self._add_all(index.problems)
        work = partial(probe_clip, index=index, pose_key=self.paths.pose_key)
        with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
            probes = tqdm(pool.map(work, ids), "checking clips", len(ids), unit="clip", disable=not show_progress)
            for probe in probes:
                self.probes[probe.video_id] = probe
        other_count, late = [], []
        for video_id, probe in self.probes.items():
            problems = [*missing_problems(probe, self.paths, index, allow_missing_streams), *probe.problems]
            frame_count = self._value(video_id, "frame_count")
            aligned = align(probe, frame_count, allow_missing_streams) if probe.images or probe.pose else (0, [])
            self.lengths[video_id], more = aligned
            self._add_all([*problems, *more], video_id)
            if frame_count not in (None, self.lengths[video_id]):
                other_count.append(video_id)
            if probe.images and min(frames.frames[0] for _, frames in probe.images.values()) > 0:
                late.append(video_id)
        undetected = [video_id for video_id, probe in self.probes.items() if not probe.detected]
        self._warn("a frame_count in the metadata that is not that of the files", other_count)
        self._warn("no image of frame 0 in any stream (are the frames numbered from 0?)", late)
        self._warn("a pose without a single detected point", undetected)

    def _warn(self, what: str, ids: list[str]) -> None:
        if ids:
            self.warnings.append(f"{len(ids)} clips have {what}: {', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''}")

    def _value(self, video_id: str, column: str) -> Any:
        """Return a cell of the metadata; None where it is unknown."""
        value = self.rows.get(video_id, {}).get(column)
        return None if pd.isna(value) else value

    def compare_poses(self, num_landmarks: int | None) -> None:
        """Find clips whose number or meaning of landmarks is not that of the others."""
        probes = [probe for probe in self.probes.values() if probe.pose]
        if not probes:
            return
        counts = Counter(probe.pose_shape[1] for probe in probes)
        self.num_landmarks = num_landmarks or counts.most_common(1)[0][0]
        source = "num_landmarks" if num_landmarks else f"{counts[self.num_landmarks]} of {len(probes)} clips"
        layouts = Counter(probe.layout for probe in probes if probe.layout)
        layout = layouts.most_common(1)[0][0] if layouts else None
        for probe in probes:
            where, count = f"clip '{probe.video_id}', {probe.pose}", probe.pose_shape[1]
            if count != self.num_landmarks:
                expected = f"{self.num_landmarks} landmarks (from: {source})"
                fix = "extract all poses with the same landmarks"
                self._add(where, expected, f"{count} landmarks", fix, probe.video_id)
            elif probe.layout not in (None, layout):
                expected = f"the pose layout '{layout}', as most clips"
                fix = "extract all poses with the same layout"
                self._add(where, expected, f"'{probe.layout}'", fix, probe.video_id)

    def finish(self, skip_invalid: bool) -> tuple[dict[str, list[ClipRecord]], ContractReport]:
        """Return the sound clips and the report."""
        invalid = {finding.clip_id for finding in self.findings if finding.clip_id is not None}
        report = ContractReport(warnings=self.warnings, num_landmarks=self.num_landmarks)
        for finding in self.findings:
            skipped = skip_invalid and finding.clip_id is not None
            (report.skipped_problems if skipped else report.problems).append(finding.problem)
        records = {}
        for split, ids in self.splits.items():
            sound = [video_id for video_id in ids if video_id not in invalid]
            records[split] = [self._record(video_id) for video_id in sound if video_id in self.rows]
            if skip_invalid:
                report.skipped[split] = [video_id for video_id in ids if video_id in invalid]
                if not sound:
                    found = f"none: all {len(ids)} clips have problems and were left out"
                    where = f"split '{split}', {self.paths.indexes[split]}"
                    fix = "see skipped_problems in the report"
                    report.problems.append(Problem(where, "at least one sound clip", found, fix))
            report.splits[split] = _summary(records[split], self.paths.streams)
        return records, report

    def _record(self, video_id: str) -> ClipRecord:
        probe = self.probes[video_id]
        return ClipRecord(
            video_id=video_id,
            text=self.rows[video_id]["text"],
            n_frames=self.lengths[video_id],
            signer=self._value(video_id, "signer"),
            video=self._value(video_id, "video"),
            duration=self._value(video_id, "duration"),
            fps=self._value(video_id, "fps"),
            pose=os.path.abspath(probe.pose) if probe.pose else None,
            images={stream: image_source(*found) for stream, found in probe.images.items()},
        )


def _summary(clips: list[ClipRecord], streams: Iterable[str]) -> dict[str, Any]:
    """Return the counts of a split for the report."""
    missing = {stream: sum(clip.missing_frames(stream) for clip in clips) for stream in streams}
    counts = {"clips": len(clips), "frames": sum(clip.n_frames for clip in clips), "missing_frames": missing}
    seconds = [clip.seconds for clip in clips]
    known = [length for length in seconds if length is not None]
    return counts | ({"seconds": round(sum(known), 3)} if known and len(known) == len(seconds) else {})

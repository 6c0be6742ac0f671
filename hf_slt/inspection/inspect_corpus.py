"""Look through a corpus and write its page."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm.auto import tqdm

from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_whole
from hf_slt.inspection.clip_facts import ClipFacts, read_clip_facts
from hf_slt.inspection.contact_sheets import LARGEST_SHEETS, ContactSheet, choose_clips, contact_sheet
from hf_slt.inspection.corpus_facts import worst_clips
from hf_slt.inspection.corpus_folder import CorpusFolder, open_corpus
from hf_slt.inspection.page import render_page

logger = logging.getLogger(__name__)

_MAX_THREADS = 8


def inspect_corpus(
    data: Path | None, paths: CorpusPaths, output: Path, *, keypoints_dir: Path | None = None, sample: int = 24
) -> list[ClipFacts]:
    """Decode every file of a corpus once and write the page.

    Args:
        data: Folder in which everything lies at its usual place.
        paths: What lies elsewhere; takes precedence.
        output: The HTML file; replaced if it is there.
        keypoints_dir: Folder of landmarks in image coordinates.
        sample: How many clips are shown with their crops.

    Returns:
        What is known of each clip.

    Raises:
        ConfigurationError: There is no corpus, it has no clip, or the page cannot be written.
    """
    if sample < 0:
        raise ConfigurationError(f"expected a --sample of 0 or more clips, found {sample}")
    if output.is_dir():
        raise ConfigurationError(f"expected a file for the page, found a folder: {output}; name a file in it")
    corpus = open_corpus(data, paths, keypoints_dir)
    clips = read_clips(corpus)
    if not clips:
        said = "\n".join(str(problem) for problem in corpus.problems)
        raise ConfigurationError(f"expected clips in {corpus.name}, found none; check the folders\n{said}".rstrip())
    worst = [finding.clip for finding in worst_clips(clips, max(sample, 1))]
    chosen = choose_clips(worst, clips, sample)
    bad = {clip.video_id for clip in worst}
    sheets, left_out = draw_sheets(chosen, paths.pose_key)
    warnings = [*corpus.warnings]
    if left_out:
        warnings.append(f"{left_out} of {sample} clips are not shown, to keep the page small (--sample asks for fewer)")
    page = render_page(
        corpus.name,
        clips,
        sheets,
        corpus.problems,
        warnings,
        of_glosses=corpus.of_glosses,
        num_worst=sum(clip.video_id in bad for clip, _ in sheets[: sample // 2]),
    )
    write_whole(output, page.encode("utf-8"))
    logger.info(f"{len(clips)} clips; the page is {output}, {len(page) / 2**20:.1f} MB")
    return clips


def read_clips(corpus: CorpusFolder) -> list[ClipFacts]:
    """Decode the files of all clips, with a progress bar; the clips are in the order of their ids."""

    def read(video_id: str) -> ClipFacts:
        row, keypoints = corpus.rows.get(video_id, {}), corpus.keypoints.get(video_id)
        clip = read_clip_facts(video_id, row, corpus.index, keypoints, corpus.paths.pose_key)
        clip.split = ", ".join(corpus.splits[video_id]) if video_id in corpus.splits else clip.split
        return clip

    ids = corpus.clip_ids()
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        return list(tqdm(pool.map(read, ids), "reading clips", len(ids), unit="clip"))


def draw_sheets(
    clips: Sequence[ClipFacts], pose_key: str = "pose", largest: int = LARGEST_SHEETS
) -> tuple[list[tuple[ClipFacts, ContactSheet]], int]:
    """Draw contact sheets until they take `largest` bytes together; return them, and how many clips have none."""
    sheets: list[tuple[ClipFacts, ContactSheet]] = []
    room = largest
    for clip in clips:
        sheet = contact_sheet(clip, pose_key)
        room -= sheet.size
        if room < 0:
            break
        sheets.append((clip, sheet))
    return sheets, len(clips) - len(sheets)

"""A corpus that is pushed as a data set streams back, and its rows give what the files give."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from factories import SPLITS, write_corpus
from gloss_factories import write_gloss_corpus
from hub_factories import run_python
from huggingface_hub import DatasetCard
from model_factories import tiny_extractor

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.labels import read_labels
from hf_slt.data.gloss.table import build_clip_table
from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor

SCRIPT = Path(__file__).parents[2] / "scripts" / "push_dataset.py"
# Pushes a corpus twice (in between, a person writes a card) and single signs once, and streams both back.
PUSH_AND_STREAM = """
import runpy, sys
from pathlib import Path
import numpy as np
from datasets import load_dataset
from huggingface_hub import HfApi
from gloss_factories import write_gloss_corpus
from model_factories import tiny_extractor
from hf_slt import ClipTransform
from hf_slt.data.gloss.hub_dataset import clip_of_row, published_clips
from hf_slt.hub.errors import HubError
from test_dataset_push import EXTRACTOR, gloss_split

work, script, *flags = sys.argv[1:]
main = runpy.run_path(script)["main"]
main(["someone/clips", "--private", *flags])
transform = ClipTransform(tiny_extractor())
for split in ("train", "validation", "test"):
    for row in load_dataset("someone/clips", split=split, streaming=True):
        np.savez(f"{work}/{split}_{row['video_id']}.npz", **transform.load(row))
card = HfApi().hf_hub_download("someone/clips", "README.md", repo_type="dataset")
Path(f"{work}/card.md").write_bytes(Path(card).read_bytes())
HfApi().upload_file(path_or_fileobj=b"Words of a person", path_in_repo="README.md", repo_id="someone/clips",
                    repo_type="dataset")
main(["clips", *flags])
published_clips(gloss_split(work), ["A", "B", "C", "D"], ["x", "y"]).push_to_hub("someone/signs", split="train")
try:
    main(["someone/signs", "--private", *flags])
except HubError as error:
    Path(f"{work}/refused.txt").write_text(str(error))
for row in load_dataset("someone/signs", split="train", streaming=True):
    clip = clip_of_row(row)
    inputs = EXTRACTOR.encode_clip(clip.values, clip.mask, clip.aspect_ratio)
    np.savez(f"{work}/{row['file']}.npz", labels=row["gloss"], category_labels=row["category"], **inputs)
"""
EXTRACTOR = GlossFeatureExtractor(features=("positions", "mask"))


def gloss_split(folder):
    """Return the training split of the corpus of single signs in a folder."""
    corpus = Path(folder) / "signs"
    rows, _ = read_labels(corpus / "train.csv")
    table = build_clip_table(corpus / "train", [row.file for row in rows], cache_dir=Path(folder) / "tables")
    return GlossDataset(table, rows, EXTRACTOR)


def script():
    spec = importlib.util.spec_from_file_location("push_dataset", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_arrays(path, expected):
    with np.load(path) as found:
        assert set(found) <= expected.keys() and len(found) >= 4
        for name in found:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=f"{path.name}, {name}")


def test_what_is_pushed_streams_back_as_the_files_are(hub, tmp_path):
    paths = write_corpus(tmp_path / "corpus", missing={("face", "vid1"): [2]}, variant="folders")
    write_gloss_corpus(tmp_path / "signs")
    flags = ["--face-dir", paths.face_dir, "--hand-left-dir", paths.left_hand_dir, "--pose-dir", paths.pose_dir]
    flags += ["--hand-right-dir", paths.right_hand_dir, "--metadata-csv", paths.metadata_csv]
    flags += ["--train-index", paths.indexes["train"], "--val-index", paths.indexes["validation"]]
    flags += ["--test-index", paths.indexes["test"], "--report", tmp_path / "report.json"]
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + PUSH_AND_STREAM
    printed = run_python(hub, tmp_path / "home", "-c", program, tmp_path, SCRIPT, *flags)
    assert printed.splitlines() == [f"{hub.endpoint}/datasets/someone/clips"] * 2

    rows, _ = build_datasets(paths, show_progress=False)
    transform = ClipTransform(tiny_extractor())
    for split, ids in SPLITS.items():
        assert rows[split]["video_id"] == ids
        for row in rows[split]:
            assert_arrays(tmp_path / f"{split}_{row['video_id']}.npz", transform.load(row))
    signs = gloss_split(tmp_path)
    for index, file in enumerate(signs.files):
        assert_arrays(tmp_path / f"{file}.npz", signs[index])

    repository = hub.repository("someone/clips", "dataset")
    assert repository.private
    files = hub.files("someone/clips", "dataset")
    assert sorted(name.split("/")[-1].split("-")[0] for name in files if name.endswith(".parquet")) == sorted(SPLITS)
    assert not any(hub.token.encode() in content or str(tmp_path).encode() in content for content in files.values())
    first = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "| train | 2 | 12 | not known |" in first and "task_categories:\n- translation\n" in first
    assert "streams=['face', 'left_hand', 'right_hand', 'pose'], num_pose_landmarks=33))" in first
    refused = (tmp_path / "refused.txt").read_text()
    assert refused.startswith("expected a private repository, found the public someone/signs; nothing was uploaded")
    assert hub.repository("someone/signs", "dataset").history("main")[0].title == "Upload dataset"
    card = DatasetCard(files["README.md"].decode())
    assert card.text.strip() == "Words of a person"
    assert {split["name"] for split in card.data.dataset_info["splits"]} == set(SPLITS)


def test_the_name_of_the_repository_comes_first():
    with pytest.raises(ConfigurationError, match=r"expected a repository, found none; give its name first"):
        script().main(["--demo"])
    with pytest.raises(ConfigurationError, match=r"expected a repository, user/name or name, found 'a/b/c'"):
        script().main(["a/b/c", "--demo"])
    with pytest.raises(ConfigurationError, match=r"expected a token in the file /nowhere/token"):
        script().main(["someone/clips", "--demo", "--token-file", "/nowhere/token"])


def test_a_dry_run_says_what_would_be_pushed_without_a_token(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    paths = write_corpus(tmp_path / "corpus", splits=SPLITS, streams=("pose",))
    flags = ["--pose-dir", paths.pose_dir, "--metadata-csv", paths.metadata_csv]
    flags += ["--train-index", paths.indexes["train"], "--val-index", paths.indexes["validation"]]
    report = tmp_path / "report.json"
    script().main(["someone/clips", "--dry-run", "--report", str(report), *map(str, flags)])
    counts = [len(SPLITS[split]) for split in ("train", "validation")]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["streams: pose", "split | clips | frames | signers"]
    assert [line.split(" | ")[:2] for line in lines[2:]] == [["train", str(counts[0])], ["validation", str(counts[1])]]

"""The card of a data set: what its clips tell, and what a person wrote around it."""

import pytest
from factories import write_corpus

from hf_slt.data.builder import build_datasets
from hf_slt.data.hub_dataset import embed_clips
from hf_slt.hub.dataset import add_card, card_facts

METADATA = "---\ndataset_info:\n  features: []\n---\n"


class Files:
    """A repository of one file."""

    def __init__(self, folder, text):
        self.path = folder / "README.md"
        self.path.write_text(text, encoding="utf-8")

    def hf_hub_download(self, *_, **__):
        return str(self.path)

    def upload_file(self, path_or_fileobj, **_):
        self.path.write_bytes(path_or_fileobj)

    @property
    def text(self):
        return self.path.read_text(encoding="utf-8")


@pytest.fixture
def clips(tmp_path):
    """Three clips, of which the first has no pose, and a split without poses."""
    texts = {f"c{number}": "hola" for number in range(4)}
    paths = write_corpus(tmp_path, texts, {"train": ["c0", "c1", "c2"], "test": ["c3"]}, streams=("face", "pose"))
    for name in ("c0", "c3"):
        (tmp_path / "pose" / f"{name}.npz").unlink()
    rows, _ = build_datasets(paths, allow_missing_streams=True, show_progress=False)
    return {split: embed_clips(of_split) for split, of_split in rows.items()}


def test_the_columns_of_all_clips_are_told(clips):
    facts = card_facts("someone/clips", clips)
    assert "streams=['face', 'pose'], num_pose_landmarks=33))" in facts
    assert "| train | 3 | 18 | not known |" in facts and "| test | 1 | 6 | not known |" in facts
    assert "`video` (name of the recording" in facts
    assert "streams=['face'], num" in card_facts("someone/clips", {"test": clips["test"]})


def test_a_second_push_tells_its_clips_and_keeps_what_a_person_wrote_around_them(clips, tmp_path):
    files = Files(tmp_path, METADATA)
    add_card(files, "someone/clips", None, card_facts("someone/clips", {"test": clips["test"]}))
    assert "task_categories:\n- translation\n" in files.text and "| test | 1 | 6 |" in files.text
    files.path.write_text(
        files.text.replace("Not documented.", "CC-BY-4.0, by Alice.").replace("- hf_slt\n", "- mine\n")
    )
    add_card(files, "someone/clips", None, card_facts("someone/clips", {"train": clips["train"]}))
    assert "| train | 3 | 18 |" in files.text and "| test |" not in files.text
    assert "CC-BY-4.0, by Alice. Write here" in files.text and "# someone/clips" in files.text
    assert "- mine\n" in files.text and "- hf_slt\n" not in files.text
    assert files.text.count("<!-- hf_slt data set:") == 2
    before = files.text
    add_card(files, "someone/clips", None, card_facts("someone/clips", {"train": clips["train"]}))
    assert files.text == before


@pytest.mark.parametrize("text", ["Words of a person", "Words <!-- hf_slt data set: end --> of a person"])
def test_the_card_of_a_person_stays(text, clips, tmp_path, caplog):
    caplog.set_level("INFO")
    files = Files(tmp_path, METADATA + text)
    add_card(files, "someone/clips", None, card_facts("someone/clips", clips))
    assert files.text == METADATA + text and "someone/clips keeps the card that a person wrote" in caplog.text

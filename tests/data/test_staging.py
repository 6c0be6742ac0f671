"""Folders that are complete or absent."""

import pytest

from hf_slt.data.staging import staged_folder
from hf_slt.errors import ConfigurationError


def fill(folder):
    (folder / "meta.csv").write_text("new")
    (folder / "index").mkdir()


def test_folder_appears_when_it_is_complete(tmp_path):
    with staged_folder(tmp_path / "a" / "corpus") as folder:
        fill(folder)
        assert not (tmp_path / "a" / "corpus").exists()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["corpus"]
    assert (tmp_path / "a" / "corpus" / "meta.csv").read_text() == "new"


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), staged_folder(tmp_path / "corpus") as folder:
        fill(folder)
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "corpus").mkdir()
    with staged_folder(tmp_path / "corpus") as folder:
        fill(folder)
    assert (tmp_path / "corpus" / "meta.csv").read_text() == "new"


def test_content_is_kept_unless_a_corpus_is_to_be_overwritten(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigurationError, match="found content in .*corpus; choose another one, or add --overwrite"):
        staged_folder(tmp_path / "corpus").__enter__()
    with pytest.raises(ConfigurationError, match="expected a corpus to overwrite .* found other content"):
        staged_folder(tmp_path / "corpus", overwrite=True).__enter__()
    assert (tmp_path / "corpus" / "thesis.tex").read_text() == "mine"


def test_overwriting_replaces_the_whole_corpus(tmp_path):
    for _ in range(2):
        with staged_folder(tmp_path / "corpus", overwrite=True) as folder:
            fill(folder)
        (tmp_path / "corpus" / "stale.npz").touch()
    with staged_folder(tmp_path / "corpus", overwrite=True) as folder:
        fill(folder)
    assert sorted(path.name for path in (tmp_path / "corpus").iterdir()) == ["index", "meta.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_failed_overwrite_keeps_the_old_corpus(tmp_path):
    with staged_folder(tmp_path / "corpus") as folder:
        fill(folder)
    with pytest.raises(ZeroDivisionError), staged_folder(tmp_path / "corpus", overwrite=True):
        _ = 1 / 0
    assert (tmp_path / "corpus" / "meta.csv").read_text() == "new"


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / "corpus").write_text("mine")
    with pytest.raises(ConfigurationError, match="expected a folder to write to, found a file"):
        staged_folder(tmp_path / "corpus", overwrite=True).__enter__()

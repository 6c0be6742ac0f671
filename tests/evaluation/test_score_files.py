"""Tables of any system: encodings, delimiters, quotes, and every problem at once."""

import io
import sys

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.score_files import ScoreFileError, find_columns, read_pairs, read_table


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "prediction\treference\nsí, ya\tno; no\nb\tc\n"),
        ("a.TAB", "\ufeffPrediction\tREFERENCE\r\nsí, ya\tno; no\r\nb\tc\r\n\r\n"),
        ("a.csv", 'id,prediction,reference\n1,"sí, ya",no; no\n2,b,c'),
        ("a.csv", 'reference;x;prediction\nno; no;1;"sí, ya"\n'.replace("no; no", '"no; no"') + "c;2;b\n"),
        ("a.txt", "prediction\treference\nsí, ya\tno; no\nb\tc\n"),
        ("a.csv", "id|prediction|reference\n1|sí, ya|no; no\n2|b|c\n"),
        ("a.csv", 'prediction,reference\r"sí, ya",no; no\rb,c\r'),
        ("a.tsv", "prediction\treference\rsí, ya\tno; no\rb\tc"),
    ],
)
def test_what_people_write(tmp_path, name, content):
    assert read_pairs(write(tmp_path, name, content)) == (["sí, ya", "b"], ["no; no", "c"])


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"she said ""yes"""', 'she said "yes"'),  # quoted as in CSV
        ('"yes" she said', '"yes" she said'),  # text that begins with a quote
        ('she said "yes"', 'she said "yes"'),
        ('"', '"'),
    ],
)
def test_quotes_in_tables_with_tabs(tmp_path, cell, text):
    path = write(tmp_path, "a.tsv", f"prediction\treference\na\tb\n{cell}\tc\nd\te\n")
    assert read_pairs(path) == (["a", text, "d"], ["b", "c", "e"])


def test_an_open_quote_swallows_no_line(tmp_path):
    path = write(tmp_path, "a.tsv", 'prediction\treference\na\t"hello\nb\tyou"\n')
    assert read_pairs(path) == (["a", "b"], ['"hello', 'you"'])


def test_quoted_cells_may_hold_tabs_and_lines(tmp_path):
    path = write(tmp_path, "a.tsv", 'prediction\treference\n"a\tb"\t"c\nd"\n')
    assert read_pairs(path) == (["a\tb"], ["c\nd"])


def test_columns_by_name(tmp_path):
    path = write(tmp_path, "a.csv", "HYP,Ref,ref\na,b,c\n")
    assert read_pairs(path, "hyp", "ref") == (["a"], ["c"])
    with pytest.raises(ScoreFileError) as caught:
        read_pairs(path)
    assert [problem.expected for problem in caught.value.problems] == ["a column 'prediction'", "a column 'reference'"]
    message = r"found:    \['HYP', 'Ref', 'ref'\]\n    fix:      name the right column \(--reference-column\)"
    with pytest.raises(ScoreFileError, match=message):
        read_pairs(path, "hyp")
    assert find_columns(read_table(path), {"--x": ["video_id", "hyp"]}) == ["HYP"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected: a header and at least one row\n    found:    nothing"),
        ("prediction,reference\n\n", "found:    a header only"),
        ("prediction,prediction\na,b\n", "found:    'prediction' twice"),
        (
            "prediction,reference\nñ,b\n".encode("latin-1"),
            "text in UTF-8\n    found:    a byte that is none, at position 21",
        ),
        ('prediction,reference\n"a" b,c\n', "line 2\n    expected: quotes as in CSV"),
    ],
)
def test_unusable_files(tmp_path, content, message):
    with pytest.raises(ScoreFileError, match=message):
        read_pairs(write(tmp_path, "a.csv", content))


def test_no_such_file(tmp_path):
    with pytest.raises(ScoreFileError, match="nowhere.tsv\n    expected: a file to read\n    found:    No such file"):
        read_pairs(tmp_path / "nowhere.tsv")
    with pytest.raises(ScoreFileError, match="a file to read\n    found:    Is a directory"):
        read_pairs(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_every_ragged_row_and_every_empty_reference_is_named(tmp_path, name):
    content = 'prediction,reference\na,b\nc\n"d",e,f\n'.replace(",", "," if name == "a.csv" else "\t")
    with pytest.raises(ScoreFileError) as caught:
        read_pairs(write(tmp_path, name, content))
    found = [(problem.where.rsplit(", ")[-1], problem.found) for problem in caught.value.problems]
    assert found == [("line 3", "1"), ("line 4", "3")]
    path = write(tmp_path, "b.tsv", "prediction\treference\n\tb\nc\t\nd\t \n")
    with pytest.raises(ScoreFileError, match=r"2 problems\n1. .*b.tsv, line 3\n    expected: a reference") as caught:
        read_pairs(path)
    assert caught.value.problems[1].found == "empty text ' '"


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t")])
def test_an_empty_line_between_others_is_called_so(tmp_path, name, separator):
    path = write(tmp_path, name, "prediction,reference\na,b\n\nc,d\n".replace(",", separator))
    message = "line 3\n    expected: 2 cells\n    found:    an empty line\n    fix:      delete the line"
    with pytest.raises(ScoreFileError, match=f"1 problem\n.*{message}"):
        read_pairs(path)


def test_one_column_cannot_be_both_sides(tmp_path):
    path = write(tmp_path, "a.csv", "prediction,reference\na,b\n")
    message = "found:    'reference' for --prediction-column and --reference-column"
    with pytest.raises(ScoreFileError, match=f"1 problem\n.*\n.*a column of its own for each\n    {message}"):
        read_pairs(path, "Reference")


def test_delimiters(tmp_path):
    path = write(tmp_path, "a.tsv", "prediction|reference\na|b\n")
    assert read_pairs(path, delimiter="|") == (["a"], ["b"])
    path = write(tmp_path, "a.csv", "prediction\treference\na, b, c\td\n")
    assert read_pairs(path, delimiter="\\t") == read_pairs(path, delimiter="tab") == (["a, b, c"], ["d"])
    for delimiter in ("||", '"', "\n"):
        with pytest.raises(ConfigurationError, match="a delimiter of one character, or one of"):
            read_pairs(path, delimiter=delimiter)


def test_the_standard_input(monkeypatch):
    class Input:
        buffer = io.BytesIO(b"reference,prediction\na,b\n,c\n")

    monkeypatch.setattr(sys, "stdin", Input)
    with pytest.raises(ScoreFileError, match="the standard input, line 3"):
        read_pairs("-")
    Input.buffer = io.BytesIO(b"reference,prediction\na,b\n")
    assert read_pairs("-") == (["b"], ["a"])

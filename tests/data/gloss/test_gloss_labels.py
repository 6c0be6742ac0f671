"""Labels CSVs and name tables as people have them."""

import re

import pytest

from hf_slt.data.gloss.labels import LabelRow, read_labels
from hf_slt.data.gloss.names import read_names
from hf_slt.errors import DataContractError


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def csv(tmp_path):
    return lambda text, encoding="utf-8": write(tmp_path / "labels.csv", text, encoding)


def messages(problems):
    return "\n".join(map(str, problems))


def test_rows_keep_text_as_text_and_extra_columns(csv):
    text = "file,gloss,cat,signer,occluded\n001.npz,4,0,007,1\na/b,03,,,\n"
    rows, problems = read_labels(csv(text))
    assert problems == []
    assert rows == [
        LabelRow(2, "001", 4, 0, "007", {"occluded": "1"}),
        LabelRow(3, "a/b", 3, None, None, {"occluded": ""}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "file,gloss,cat\na.npz,1,2\n",
        "Gloss;FILE;Cat\n1;a;2\n",
        "\ufefffile;gloss;cat\r\na.npz;1;2;;\r\n",
        "cat,gloss,file\n2.0,1.0,a\n",
    ],
)
def test_spellings_of_one_table(text, csv):
    rows, problems = read_labels(csv(text))
    assert problems == [] and [(row.file, row.gloss, row.cat) for row in rows] == [("a", 1, 2)]


def test_category_is_optional_and_other_encodings_are_named(csv):
    rows, _ = read_labels(csv("file,gloss,signer\na,1,José\n", "cp1252"), encoding="cp1252")
    assert (rows[0].cat, rows[0].signer) == (None, "José")
    rows, problems = read_labels(csv("file,gloss,signer\na,1,José\n", "cp1252"))
    assert rows == [] and "--encoding cp1252" in messages(problems)


def test_names_of_signs_that_look_like_nothing(csv):
    names = ["NA", "null", "nan", "ÑANDÚ"]
    rows, problems = read_labels(csv("file,gloss\na,NA\nb,null\nc,nan\nd,N\u0303ANDU\u0301\ne,2\n"), gloss_names=names)
    assert problems == [] and [row.gloss for row in rows] == [0, 1, 2, 3, 2]


def test_every_problem_of_every_row_is_listed(csv):
    text = (
        "file,gloss,cat\na,0,0\na.npz,0,0\nb,5,9\nc,-1,0\nd,HELLO,0\ne,,0\n../f,0,0\n/g,0,0\n,0,0\nh,1.5,0\ni,0\n"
        "x\\y,0,0\nj,1,1\n"
    )
    rows, problems = read_labels(csv(text), num_gloss=5, num_cat=2)
    assert [row.file for row in rows] == ["a", "j"]
    shown = messages(problems)
    assert len(problems) == 12
    for expected in (
        "'a' again, first in line 2",
        "a gloss from 0 to 4\n    found:    5, out of range",
        "a cat from 0 to 1\n    found:    9, out of range",
        "line 5, file 'c'\n    expected: a gloss from 0 to 4\n    found:    -1",
        "there is no table of names\n    found:    'HELLO'\n    fix:      write ids from 0 on, or give --gloss-names",
        "a label in the column 'gloss'\n    found:    an empty cell",
        "'..' or an empty part in '../f'",
        "absolute path in '/g'",
        "an empty file name",
        "found:    '1.5'",
        "3 cells, as the header has",
        "a backslash",
    ):
        assert expected in shown


def test_a_mistyped_label_is_no_number_of_classes(csv):
    rows, problems = read_labels(csv("file,gloss,cat\na,1,99999\nb,2025001,100000\n"))
    assert [row.cat for row in rows] == [99999]
    assert "a gloss from 0 to 99999\n    found:    2025001, out of range" in messages(problems)
    assert "found:    100000, out of range\n    fix:      correct the label, or the number of classes (--num-cat)" in (
        messages(problems)
    )
    assert read_labels(csv("file,gloss\na,2025001\n"), num_gloss=2025002)[1] == []


def test_unknown_names_come_with_the_nearest(csv):
    rows, problems = read_labels(csv("file,gloss\na,HELO\nb,HELLO\nc,2\n"), gloss_names=["HELLO", "GOODBYE"])
    assert [row.file for row in rows] == ["b"]
    assert "out of the 2 names" in problems[0].expected and "did you mean 'HELLO'" in problems[0].found
    assert "2, out of range" in problems[1].found


def test_numbers_that_are_names_and_ids_are_refused(csv):
    digits = ["1", "2", "3"]
    rows, problems = read_labels(csv("file,gloss\na,1\nb,2\n"), gloss_names=digits)
    assert len(problems) == 1 and "names with other ids: 1, 2" in problems[0].found
    _, problems = read_labels(csv("file,gloss\na,0\nb,2\n"), gloss_names=["0", "1", "2"])
    assert problems == []
    rows, problems = read_labels(csv("file,gloss\na,1\nb,ONE\n"), gloss_names=["ONE", "TWO", "1"])
    assert problems == [] and [row.gloss for row in rows] == [2, 0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the columns \\[\\]"),
        ("path,label\na,1\n", r"columns file, gloss in the header \(first line\)\n.*\['path', 'label'\]"),
        ("file,gloss\n", "no rows"),
        ("file,gloss,File\na,1,b\n", "twice or more"),
        ('file,gloss\na,"1\n', "record at line 2"),
    ],
)
def test_tables_that_cannot_be_read(text, message, csv):
    rows, problems = read_labels(csv(text))
    assert rows == [] and re.search(message, messages(problems))


def test_missing_table(tmp_path):
    assert "No such file" in read_labels(tmp_path / "labels.csv")[1][0].found


@pytest.mark.parametrize(
    "text",
    [
        "id,name\n0,HOW ARE YOU\n1,NA\n",
        "\ufeffID;Name;category\n1;NA;x\n0;HOW ARE YOU;y\n",
        "0,HOW ARE YOU\n1,NA\n",
        "HOW ARE YOU\n\nNA\n",
    ],
)
def test_name_tables(text, tmp_path):
    assert read_names(write(tmp_path / "names.csv", text)) == ["HOW ARE YOU", "NA"]


def test_names_of_one_column_keep_their_commas(tmp_path):
    assert read_names(write(tmp_path / "names.txt", 'YES, PLEASE\nDON"T\n')) == ["YES, PLEASE", 'DON"T']


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "at least one name"),
        ("id,name\n", "at least one name"),
        ("id,name\n0,A\n0,B\n", "line 3\n.*each id once\n.*0 again, first in line 2"),
        ("id,name\n0,A\n1,A\n", "'A' again, first in line 2"),
        ("id,name\n0,A\n3,B\n", "the ids 0 to 1\n.*no 1, but 3"),
        ("id,name\n1,A\n2,B\n", "the ids 0 to 1\n.*no 0, but 2"),
        ("id,name\n0,\nx,B\n", "2 problems(.|\n)*whole number(.|\n)*an empty name"),
        ("A\nB\nA\n", "line 3\n.*each name once"),
    ],
)
def test_damaged_name_tables(text, message, tmp_path):
    with pytest.raises(DataContractError, match=message):
        read_names(write(tmp_path / "names.csv", text))

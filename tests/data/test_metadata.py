"""Metadata and index CSVs, as people have them."""

import pytest

from hf_slt.data.metadata import load_metadata, read_index, read_metadata
from hf_slt.errors import DataContractError


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def csv_path(tmp_path):
    return tmp_path / "meta.csv"


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("columns", [("video_id", "texto"), ("id", "text"), ("video_id", "text"), ("id", "texto")])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_marks_and_column_names(csv_path, separator, encoding, columns, newline):
    lines = [separator.join(columns), separator.join(["001", '"Ñandú, él; sí"']), "", separator.join(["NA", "NA"])]
    frame = read_metadata(write(csv_path, newline.join(lines), encoding))
    assert frame["video_id"].tolist() == ["001", "NA"]
    assert frame["text"].tolist() == ["Ñandú, él; sí", "NA"]


def test_commas_in_unquoted_text_of_a_semicolon_file(csv_path):
    frame = read_metadata(write(csv_path, "id;text\nv1;uno, dos, tres\nv2;a,b,c,d\n"))
    assert frame["text"].tolist() == ["uno, dos, tres", "a,b,c,d"]


def test_semicolons_in_the_header_of_a_comma_file(csv_path):
    frame = read_metadata(write(csv_path, '"a;b;c;d",video_id,texto\nx,v1,"uno; dos"\n'))
    assert frame.to_dict("list") == {"video_id": ["v1"], "text": ["uno; dos"]}


def test_text_keeps_case_accents_quotes_and_inner_line_breaks(csv_path):
    frame = read_metadata(write(csv_path, 'id;text\nv1;  Él DIJO "sí"  \nv2;"dos\nlíneas y ""comillas"""\n'))
    assert frame["text"].tolist() == ['Él DIJO "sí"', 'dos\nlíneas y "comillas"']


def test_named_columns(csv_path):
    write(csv_path, "name,id,sentence,text\nclip,wrong,right,wrong\n")
    frame = read_metadata(csv_path, id_column="name", text_column="sentence")
    assert frame.to_dict("list") == {"video_id": ["clip"], "text": ["right"]}


def test_optional_columns_are_normalised(csv_path):
    header = "id;text;duration;fps;frame_count;signer;video;start;end;split"
    rows = ["a;x;6,29;25;157;Ana;v;1,0;7,29;train", "b;x;;;;;;;;", "c;x;4.759.999.999;29,97;12.0;7;w;0;4.76;test"]
    frame = read_metadata(write(csv_path, "\n".join([header, *rows])))
    assert frame["duration"].tolist()[::2] == pytest.approx([6.29, 4.759999999])
    assert frame["fps"].tolist()[::2] == [25.0, 29.97]
    assert frame["frame_count"].tolist()[::2] == [157, 12]
    assert frame["signer"].tolist() == ["Ana", None, "7"]
    assert frame[["duration", "fps", "start", "end", "frame_count", "video", "split"]].iloc[1].isna().all()


def test_unusable_optional_numbers_are_warned_about(csv_path):
    metadata = load_metadata(write(csv_path, "id;text;fps;duration\na;x;fast;-1\nb;x;25;2\n"))
    assert metadata.findings == []
    assert metadata.frame["fps"].isna().tolist() == [True, False]
    assert [warning.split(": ")[1] for warning in metadata.warnings] == [
        "duration '-1' is no usable number and counts as unknown",
        "fps 'fast' is no usable number and counts as unknown",
    ]


def test_all_wrong_rows_are_listed_at_once(csv_path):
    rows = ["v1;uno", "../x;dos", "v1;tres", "v3;  ", "v4;a;b", ";cinco", "v6", "a/b;x", "v7;\u200b", "v8;bien"]
    write(csv_path, "\n".join(["id;text", *rows]))
    with pytest.raises(DataContractError) as error:
        read_metadata(csv_path)
    found = [(problem.where.split(", ")[1], problem.found) for problem in error.value.problems]
    assert found == [
        ("line 3", "a path separator in '../x'"),
        ("line 4", "'v1' again, first in line 2"),
        ("line 5", "an empty cell 'text'"),
        ("line 6", "3 cells"),
        ("line 7", "an empty id"),
        ("line 8", "1 cells"),
        ("line 9", "a path separator in 'a/b'"),
        ("line 10", "an empty cell 'text'"),
    ]


@pytest.mark.parametrize("count", ["0", "-3", "2.5", "many"])
def test_a_wrong_frame_count_is_a_problem(csv_path, count):
    with pytest.raises(DataContractError, match=rf"expected: a whole frame_count from 1 on\n.*found: +'{count}'"):
        read_metadata(write(csv_path, f"id;text;frame_count\na;x;{count}\n"))


def test_missing_columns_name_expected_and_found(csv_path):
    with pytest.raises(DataContractError) as error:
        read_metadata(write(csv_path, "clip,sentence\na,b\n"))
    expected = [problem.expected for problem in error.value.problems]
    assert expected == [
        "a column 'video_id' or 'id' of clip ids in the header (first line)",
        "a column 'texto' or 'text' of texts in the header (first line)",
    ]
    assert error.value.problems[0].found == "the columns ['clip', 'sentence']"


def test_named_column_that_is_not_there(csv_path):
    with pytest.raises(DataContractError, match=r"expected: a column 'utterance' of texts"):
        read_metadata(write(csv_path, "id,text\na,b\n"), text_column="utterance")


def test_a_column_twice(csv_path):
    with pytest.raises(DataContractError, match=r"twice or more: \['text'\]"):
        read_metadata(write(csv_path, "id,text,text\na,b,c\n"))


@pytest.mark.parametrize("text", ["", "\n\n", "id,text\n", "id,text\n\n  \n"])
def test_no_rows(csv_path, text):
    with pytest.raises(DataContractError, match="no rows|the columns \\[\\]"):
        read_metadata(write(csv_path, text))


@pytest.mark.parametrize("text", ['id;text\nv1;"hola\nv2;chau\n', 'id;text\nv1;"hola;x\nv2;"chau;x\n'])
def test_an_unclosed_quote_never_joins_rows(csv_path, text):
    with pytest.raises(DataContractError, match="record at line 2"):
        read_metadata(write(csv_path, text))


@pytest.mark.parametrize("guess", ["cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_encodings_name_the_flag_and_the_guess(csv_path, guess):
    write(csv_path, "id;text\nv1;mañana\n", guess)
    with pytest.raises(DataContractError) as error:
        read_metadata(csv_path)
    problem = error.value.problems[0]
    assert problem.expected == "text in the encoding utf-8-sig"
    assert f"it looks like {guess}" in problem.found
    assert problem.fix.endswith(f"--encoding {guess}")
    assert read_metadata(csv_path, encoding=guess)["text"].tolist() == ["mañana"]


def test_the_place_and_the_look_of_a_wrong_byte(csv_path):
    csv_path.write_bytes(b"id;text\nv1;a\nv2;ma\xf1ana\n")
    with pytest.raises(DataContractError, match=r"byte 0xf1 at position 18 \(line 3\).*cp1252: '.*v2;mañana"):
        read_metadata(csv_path)


def test_unknown_encoding(csv_path):
    with pytest.raises(DataContractError, match="found: +'utf-99'"):
        read_metadata(write(csv_path, "id;text\na;b\n"), encoding="utf-99")


def test_missing_file(tmp_path):
    with pytest.raises(DataContractError, match=r"nowhere\.csv\n +expected: a readable file\n +found: +No such file"):
        read_metadata(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    "text",
    [
        "001\nvid1\n",
        "\ufeffvideo_id\n001\nvid1",
        "id\r\n\r\n001\r\nvid1\r\n",
        "video_id;text;more\n001;a,b;c\nvid1;d;e\n",
        "001,x\n vid1 ,y\n",
        "clip\n001\nvid1\n",
    ],
)
def test_index_variants(tmp_path, text):
    assert read_index(write(tmp_path / "i.csv", text), id_column="clip") == ["001", "vid1"]


def test_an_unknown_header_counts_as_an_id(tmp_path):
    assert read_index(write(tmp_path / "i.csv", "clip\n001\n")) == ["clip", "001"]


def test_wrong_index_lines_are_listed_at_once(tmp_path):
    path = write(tmp_path / "i.csv", "video_id\na\n../x\nb\na\n..\\y\n.z\n")
    with pytest.raises(DataContractError) as error:
        read_index(path)
    assert [problem.where.split(", ")[1] for problem in error.value.problems] == [f"line {n}" for n in (3, 5, 6, 7)]
    assert error.value.problems[1].found == "'a' again, first in line 2"


@pytest.mark.parametrize("text", ["", "\n \n", "video_id\n"])
def test_empty_index(tmp_path, text):
    with pytest.raises(DataContractError, match="found: +an empty index"):
        read_index(write(tmp_path / "i.csv", text))


def test_index_in_another_encoding(tmp_path):
    path = write(tmp_path / "i.csv", "señal\n", "cp1252")
    with pytest.raises(DataContractError, match="--encoding cp1252"):
        read_index(path)
    assert read_index(path, encoding="cp1252") == ["señal"]

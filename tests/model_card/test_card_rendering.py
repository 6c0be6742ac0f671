"""Templates are strict: a field that nobody fills is an error, a number that is absent says so."""

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.model_card.rendering import block, cell, code, linked, render, table


def write(folder, text):
    (folder / "card.md").write_text(text, encoding="utf-8")
    return folder


def test_an_unknown_field_is_named(tmp_path):
    write(tmp_path, "{{ score }} {{ scroe }}")
    with pytest.raises(ConfigurationError, match=r"template card\.md, found: 'scroe' is undefined; there are score"):
        render("card.md", {"score": 1}, tmp_path)


def test_an_unknown_field_in_a_condition_or_of_a_mapping_is_an_error_too(tmp_path):
    write(tmp_path, "{% if model.size %}big{% endif %}")
    with pytest.raises(ConfigurationError, match="'dict object' has no attribute 'size'"):
        render("card.md", {"model": {"length": 1}}, tmp_path)


def test_absent_numbers_and_facts(tmp_path):
    write(tmp_path, "{{ a }}, {{ b }}, {{ c }}, {{ d | documented }}, {{ d | recorded }}, {{ 'x' | documented }}")
    text = render("card.md", {"a": None, "b": float("nan"), "c": 0.0, "d": None}, tmp_path)
    assert text == "not measured, not measured, 0.0, not documented, not recorded, x\n"


def test_a_template_that_is_not_valid(tmp_path):
    write(tmp_path, "a\n{% if %}")
    with pytest.raises(ConfigurationError, match=r"found in card\.md, line 2"):
        render("card.md", {}, tmp_path)
    with pytest.raises(ConfigurationError, match=r"expected the template none\.md in .*, found none"):
        render("none.md", {}, tmp_path)


def test_nothing_of_the_data_is_markup():
    assert cell("a|b\nc  <img> *d* [e](f) \\") == "a\\|b c \\<img\\> \\*d\\* [e\\](f) \\\\"
    assert cell("0.9 [0.8, 1.0]") == "0.9 [0.8, 1.0]"
    assert cell(None) == "not measured" and cell(0) == "0"
    assert code("BLEU|x`y") == "`BLEU\\|x'y`"
    rows = [["S|1", None], ["S\n2", 3]]
    assert table(["signer", "n"], rows) == "| signer | n |\n| --- | --- |\n| S\\|1 | not measured |\n| S 2 | 3 |"


def test_empty_lines_are_not_piled_up(tmp_path):
    write(tmp_path, "a\n\n{% if x %}\nb\n{% endif %}\n\n\nc\n\n\n")
    assert render("card.md", {"x": False}, tmp_path) == "a\n\nc\n"


def test_a_text_of_several_paragraphs_begins_no_section():
    text = block("One.\n\n## Evaluation\nTitle\n=====\n---\n#tag")
    assert text == "One.\n\n  \\## Evaluation\n  Title\n  \\=====\n  \\---\n  #tag"
    assert block("- a") == "- a"


def test_links_stay_links_in_a_cell():
    assert (
        linked("[CC|x](https://e.org) [CC](https://e.org/a|b)")
        == "[CC\\|x\\](https://e.org) [CC\\](https://e.org/a\\|b)"
    )
    assert linked("*[CC BY](https://e.org/by)*\n| x") == "\\*[CC BY](https://e.org/by)\\* \\| x"
    assert linked("[a](javascript:x)") == "[a\\](javascript:x)"

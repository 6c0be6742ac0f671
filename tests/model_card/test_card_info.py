"""What a person says of a model: known keys of the right kind, or one error with everything that is wrong."""

import re

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.model_card.info import FIELDS, check_card_info, load_card_info
from hf_slt.model_card.language_codes import LANGUAGES, SIGN_LANGUAGES, language_code
from hf_slt.model_card.rendering import templates_folder


def test_a_text_may_stand_for_a_list_and_what_is_not_given_is_none():
    info = check_card_info({"language": "es", "limits": ["a ", "b"], "fps": 25, "signers": "  ", "name": None})
    assert (info["language"], info["limits"], info["fps"]) == (["es"], ["a", "b"], 25)
    assert info["signers"] is None and info["name"] is None and list(info) == list(FIELDS)
    assert set(check_card_info(None).values()) == {None}


def test_everything_that_is_wrong_is_listed_with_the_known_keys():
    with pytest.raises(ConfigurationError) as caught:
        check_card_info({"consents": "yes", "fps": -1, "show_signers": "no", "limits": [1], "xyz": 1}, "facts.yml")
    text = str(caught.value)
    assert text.startswith("facts.yml: found the unknown key 'consents' (did you mean 'consent'?)")
    assert "expected a positive number in 'fps', found -1" in text and "unknown key 'xyz';" in text
    assert "expected true or false in 'show_signers', found 'no'" in text
    assert "expected a text or a list of texts in 'limits', found [1]" in text
    assert text.endswith(f"the keys are {', '.join(FIELDS)}")


@pytest.mark.parametrize("value", [True, "25", 0, float("inf")])
def test_a_number_is_one(value):
    with pytest.raises(ConfigurationError, match="expected a positive number in 'fps'"):
        check_card_info({"fps": value})


def test_licences_of_pretrained_parts_are_a_mapping_of_texts():
    assert check_card_info({"pretrained_licenses": {"t5": "MIT"}})["pretrained_licenses"] == {"t5": "MIT"}
    with pytest.raises(ConfigurationError, match="expected a mapping of texts in 'pretrained_licenses', found 'MIT'"):
        check_card_info({"pretrained_licenses": "MIT"})


def test_the_example_says_nothing_until_its_keys_are_uncommented(tmp_path):
    """A copy that nobody filled in must not publish the examples as facts."""
    example = templates_folder() / "info_example.yml"
    assert set(load_card_info(example).values()) == {None}
    path = tmp_path / "card.yml"
    path.write_text(re.sub(r"(?m)^#(?! \S)", "", example.read_text(encoding="utf-8")), encoding="utf-8")
    assert [key for key, value in load_card_info(path).items() if value is None] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"language": "Spanish"}, "expected ISO 639 codes, such as es or spa, in 'language', found 'Spanish': write"),
        ({"language": ["es", "zh-TW"]}, r"found 'zh-TW' \(did you mean 'zh'\?\).*keep the --language of the run"),
        ({"language": "sp"}, "in 'language', found 'sp': write"),
        ({"sign_language_code": "ASL"}, r"in 'sign_language_code', found 'ASL' \(did you mean 'ase'\?\)"),
        ({"sign_language_code": "AED"}, r"found 'AED' \(did you mean 'aed'\?\)"),
        ({"sign_language_code": "Argentine"}, "the ISO 639-3 code of a sign language.* found 'Argentine';"),
    ],
)
def test_what_is_no_code_of_a_language_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        check_card_info(given)


def test_codes_of_languages():
    info = check_card_info({"language": ["es", " spa", "yue"], "sign_language_code": "asf "})
    assert info["language"] == ["es", "spa", "yue"] and info["sign_language_code"] == "asf"
    assert check_card_info({"language": " ", "sign_language_code": ""})["language"] is None
    assert len(LANGUAGES) == 184 and {"ase", "vgt", "gsg", "sgn"} <= SIGN_LANGUAGES and "asl" not in SIGN_LANGUAGES
    assert [language_code(text) for text in ("zh-TW", "PT_br", "gloss", "es")] == ["zh", "pt", None, "es"]


@pytest.mark.parametrize("name", ["nsl_alphabet", "demo", "smoke_test"])
def test_info_files_that_come_with_the_library_are_valid(name):
    info = load_card_info(templates_folder() / f"{name}.yml")
    assert all(info[key] for key in ("summary", "dataset_name", "signers", "consent", "intended_use", "limits"))


@pytest.mark.parametrize("content", ["a: [", "- a\n- b\n", None])
def test_a_file_that_is_no_mapping(tmp_path, content):
    path = tmp_path / "facts.yml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"expected a (YAML file|mapping) of facts .*facts\.yml"):
        load_card_info(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"license": "Apache 2.0"},
            r"found 'Apache 2.0' \(did you mean 'apache-2.0'\?\)",
        ),
        ({"license": "research only"}, "or 'other' with a 'license_name', found 'research only'"),
        (
            {"license": "other"},
            "expected the name of the licence in 'license_name' beside 'license: other'",
        ),
        ({"dataset_ids": ["me/ok", "My corpus!"]}, "names of repositories on the hub.* in 'dataset_ids'"),
        ({"base_models": "/home/alice/t5"}, "in 'base_models', found '/home/alice/t5'"),
        ({"name": "mine\n# Evaluation"}, "expected a text of one line in 'name'"),
        ({"language": ["es", "a\nb"]}, "expected a text of one line or a list of them in 'language'"),
        ({"dataset_url": "https://e.org/a b"}, "expected a URL, https://... in 'dataset_url'"),
    ],
)
def test_what_the_hub_or_the_layout_would_break_on_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        check_card_info(given)


def test_licences_and_names_that_the_hub_knows():
    info = check_card_info(
        {"license": "other", "license_name": "mine", "base_models": ["t5-small", "a/b"], "name": "x\n"}
    )
    assert (info["license"], info["base_models"], info["name"]) == ("other", ["t5-small", "a/b"], "x")
    assert check_card_info({"license": "cc-by-nc-4.0", "dataset_url": " "})["dataset_url"] is None

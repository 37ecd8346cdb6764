import pytest

from data_pipeline.support.errors import UserError
from t2i_tf.models import captions


def test_long_captions_are_cut_to_their_first_words(small_model):
    encoded = captions.encode(
        ["zorp red bird with blue wings and a crown"], small_model.vocabulary, 6
    )
    assert encoded.words == [["red", "bird", "with", "blue", "wings", "and"]]
    assert [small_model.vocabulary.words[i] for i in encoded.tokens[0]] == encoded.words[0]


def test_long_captions_are_shown_by_their_beginning(small_model):
    text = "bird " * 999 + "zorp" * 999
    warnings = captions.encode([text], small_model.vocabulary, 6).warnings
    assert len(warnings) == 2 and max(map(len, warnings)) < 500


def test_captions_file_is_read_line_by_line(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes("\ufeffa red bird\r\n\n  a blue bird \n".encode())
    assert captions.read_file(path) == ["a red bird", "a blue bird"]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot read the captions: No such file"),
        (b" \n\n", "has no caption"),
        (b"a gr\xfcn bird", "not UTF-8"),
    ],
)
def test_bad_captions_files_are_named(content, message, tmp_path):
    path = tmp_path / "captions.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"captions\.txt.*{message}"):
        captions.read_file(path)

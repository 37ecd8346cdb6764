import pytest

from data_pipeline.sources import registry
from data_pipeline.support.errors import UserError


def test_options_go_to_the_sources_that_take_them(mini_cub):
    assert registry.options_of("cub") == {
        "input_dir": True,
        "metadata_dir": False,
        "captions_per_image": False,
    }
    options = {"input_dir": mini_cub.root, "metadata_dir": None, "coco_year": None}
    assert registry.open_source("cub", options).where == mini_cub.root


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cub", {}, "--source=cub needs --input_dir, the folder of the raw data"),
        ("tfds", {}, "--source=tfds needs --tfds_name"),
        (
            "folder",
            {"input_dir": "x", "box_column": "box"},
            "--box_column is for --source=table; folder has no use of it",
        ),
    ],
)
def test_missing_and_useless_options_are_one_line(name, options, message):
    with pytest.raises(UserError, match=message):
        registry.open_source(name, options)

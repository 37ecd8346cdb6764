"""Published figures stand beside a report's own, each with its source and scale."""

import pytest

from t2i_tf.metrics import field


def test_every_published_figure_has_its_source():
    for rows in field.FIGURES.values():
        models = [row["model"] for row in rows]
        assert len(models) == len(set(models)) > 3
        assert all(row["source"] and len(row) > 2 for row in rows)


@pytest.mark.parametrize(
    "real, cell",
    [("cub-test", "| AttnGAN | 4.36 ± .03 |  | 67.82 ± 4.43 |"), ("coco-test", "25.89 ± .47")],
)
def test_figures_are_those_of_the_same_data(real, cell):
    assert cell in "\n".join(field.table(real))


def test_other_data_have_none():
    assert list(field.table("synthetic-test")) == []

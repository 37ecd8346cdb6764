"""The models' pictures: side by side, their stages, and each model's worst and best."""

from collections.abc import Mapping

from PIL import Image

from data_pipeline.dataset import Split
from t2i_tf.explaining.many import draw_many, gallery
from t2i_tf.metrics.real import Judge
from t2i_tf.metrics.streams import plan_captions
from t2i_tf.models.captions import encode
from t2i_tf.models.layout import labelled_rows
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage

CAPTIONS, STAGED, MOST_JUDGED = 8, 2, 500


def side_by_side(models: Mapping[str, ModelDirectory], split: Split, seed: int) -> Image.Image:
    """A row for each of the first captions that were measured, a picture of each model."""
    plan = plan_captions(split, CAPTIONS, seed)
    drawn = {}
    for name, model in models.items():
        tokens = encode(plan.texts, model.vocabulary, model.config.data.max_words).tokens
        drawn[name] = [picture for picture, _ in TextToImage(model).draw(tokens, plan.seeds)]
    return labelled_rows(
        [
            (text, [(name, pictures[i]) for name, pictures in drawn.items()])
            for i, text in enumerate(plan.texts)
        ]
    )


def stages(models: Mapping[str, ModelDirectory], split: Split, seed: int) -> Image.Image:
    """Every stage of each model, for the first captions."""
    plan = plan_captions(split, STAGED, seed)
    rows = []
    for text, own_seed in zip(plan.texts, plan.seeds, strict=True):
        for name, model in models.items():
            images = TextToImage(model).explain(text, int(own_seed)).images
            rows.append((f"{name}: {text}", [(f"{len(image)} px", image) for image in images]))
    return labelled_rows(rows)


def extremes(
    model: ModelDirectory, judge: Judge, split: Split, count: int, seed: int
) -> Image.Image:
    """The pictures of a model that the judge finds worst and best."""
    return gallery(draw_many(model, judge, split, min(count, MOST_JUDGED), seed))

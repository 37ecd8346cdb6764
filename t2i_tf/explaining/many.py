"""Many drawn pictures at once: a map of them, and those that fit their captions worst."""

import dataclasses

import numpy as np
from PIL import Image

from data_pipeline.dataset import Split
from data_pipeline.support.errors import UserError
from data_pipeline.support.progress import Progress
from t2i_tf.metrics import r_precision, streams
from t2i_tf.metrics.real import Judge
from t2i_tf.metrics.scores import Recording
from t2i_tf.models.captions import encode
from t2i_tf.models.images import BACKGROUND
from t2i_tf.models.layout import labelled_rows
from t2i_tf.models.model_directory import ModelDirectory
from t2i_tf.models.text_to_image import TextToImage

THUMBNAIL, COLUMNS, GALLERY_ROWS, LEAST = 32, 8, 3, 10


@dataclasses.dataclass(frozen=True)
class Many:
    """Pictures drawn from a split's captions.

    Attributes:
        plan: Their captions and seeds.
        thumbnails: uint8 `[N, THUMBNAIL, THUMBNAIL, 3]`.
        codes: float32 `[N, E]` of DAMSM.
        scores: The cosine of each picture and its caption, `[N]`.
        shown: The pictures that fit worst, then those that fit best, uint8 `[H, W, 3]`, by index.
    """

    plan: streams.CaptionPlan
    thumbnails: np.ndarray
    codes: np.ndarray
    scores: np.ndarray
    shown: dict[int, np.ndarray]


def draw_many(model: ModelDirectory, judge: Judge, split: Split, count: int, seed: int) -> Many:
    """Draws and judges; pictures are not kept, but the few that are shown are drawn again.

    Raises:
        UserError: There are fewer than `LEAST` pictures to draw.
    """
    if count < LEAST:
        raise UserError(f"--num_images={count}: a map or a gallery needs at least {LEAST}")
    pictures = streams.drawn_pictures(model, split, count, seed)
    recording, thumbnails = Recording(judge.extractor, count), []
    with Progress(count, "pictures") as progress:
        for batch in pictures.batches:
            recording.update(batch)
            thumbnails += [_thumbnail(picture) for picture in batch]
            progress.update(len(batch))
    codes = recording.features
    scores = r_precision.cosines(codes, judge.sentences(pictures.plan.texts))
    order = np.argsort(scores, kind="stable")
    number = min(COLUMNS * GALLERY_ROWS, count // 2)
    chosen = [*order[:number], *order[::-1][:number]]
    return Many(pictures.plan, np.stack(thumbnails), codes, scores, _again(model, pictures, chosen))


def _again(model, pictures, chosen):
    """Some of the pictures by their indices, drawn again."""
    texts = [pictures.plan.texts[i] for i in chosen]
    tokens = encode(texts, model.vocabulary, model.config.data.max_words).tokens
    drawn = TextToImage(model).draw(tokens, pictures.plan.seeds[chosen])
    return dict(zip(map(int, chosen), (picture for picture, _ in drawn), strict=True))


def gallery(many: Many) -> Image.Image:
    """The pictures that fit their captions worst by DAMSM, and below those that fit best."""
    indices = list(many.shown)
    half = len(indices) // 2
    rows = []
    for title, own in (("worst", indices[:half]), ("best", indices[half:])):
        for start in range(0, half, COLUMNS):
            tiles = [
                (f"{many.scores[i]:.3f} {many.plan.texts[i]}", many.shown[i])
                for i in own[start : start + COLUMNS]
            ]
            count = len(many.scores)
            heading = f"the {title} {half} of {count:,} by the cosine of DAMSM's codes"
            rows.append(("" if start else heading, tiles))
    return labelled_rows(rows)


def map_sheet(many: Many, seed: int = 0) -> Image.Image:
    """Drawn pictures laid out by t-SNE of their codes (van der Maaten and Hinton, 2008).

    Each picture takes the free place of a grid that is nearest to its own, so that all are seen.
    """
    from sklearn.manifold import TSNE  # an extra

    count = len(many.codes)
    lengths = np.linalg.norm(many.codes, axis=1, keepdims=True)
    codes = many.codes / np.maximum(lengths, 1e-8)
    perplexity = min(30.0, (count - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(codes)
    side = int(np.ceil(np.sqrt(2 * count)))
    low, high = places.min(axis=0), places.max(axis=0)
    places = (places - low) / np.maximum(high - low, 1e-8) * (side - 1)
    sheet = Image.new("RGB", (side * THUMBNAIL, side * THUMBNAIL), BACKGROUND)
    for picture, (row, column) in zip(many.thumbnails, on_grid(places, side), strict=True):
        sheet.paste(Image.fromarray(picture), (int(column) * THUMBNAIL, int(row) * THUMBNAIL))
    return sheet


def on_grid(places: np.ndarray, side: int) -> np.ndarray:
    """For each place the nearest cell of a grid that no earlier place took.

    Args:
        places: `[N, 2]` within 0 and side - 1; N is at most `side` squared.
        side: Cells in a row and in a column.

    Returns:
        int `[N, 2]`.
    """
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1)
    cells = cells.reshape(-1, 2)
    free = np.ones(len(cells), bool)
    taken = np.empty((len(places), 2), int)
    for i, place in enumerate(places):
        distance = np.where(free, np.sum((cells - place) ** 2, axis=1), np.inf)
        nearest = int(np.argmin(distance))
        free[nearest] = False
        taken[i] = cells[nearest]
    return taken


def _thumbnail(picture):
    size = (THUMBNAIL, THUMBNAIL)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))

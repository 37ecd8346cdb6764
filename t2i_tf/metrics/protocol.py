"""Measures pictures in one pass: every metric of `catalogue` that is asked for."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.drawn.captions import told
from data_pipeline.pixels import size_to_crop
from data_pipeline.support.errors import UserError
from data_pipeline.support.version import VERSION
from t2i_tf.metrics import catalogue, faithfulness, r_precision, streams
from t2i_tf.metrics.birds import Readings, UnseenBirds, exchanged_codes
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.figures import kid
from t2i_tf.metrics.figures.diversity import feature_spreads, pixel_spreads
from t2i_tf.metrics.figures.interval import FOLDS, Figure, check_count
from t2i_tf.metrics.real import Judge, RealSet
from t2i_tf.metrics.report import COLOUR_NOISE, DRAWN, REAL, Row
from t2i_tf.metrics.scores import Recording, features_of, measure

PIXELS, READER = "pixels", "reader"


def evaluate(
    pictures: streams.Pictures,
    metrics: Collection[str],
    extractors: Sequence[Extractor],
    real: RealSet | None,
    judges: Sequence[Judge],
    folder: Path,
) -> dict:
    """Measures pictures; returns the report that `report.write` takes, without `of`.

    Args:
        pictures: The pictures to measure.
        metrics: Some of `catalogue.METRICS`.
        extractors: The networks; the Inception Score skips those without classes.
        real: The real pictures.
        judges: Judge R-precision; the pictures must have a plan then.
        folder: Where the features of the real pictures are kept.

    Raises:
        UserError: There are too few pictures or classes for a figure.
    """
    check_count(pictures.count)
    if real:
        check_count(len(real.split), f"real pictures of {real.name}")
    if judges:
        _check_plan(pictures.plan)
    birds = readings = None
    if catalogue.FAITHFULNESS in metrics:
        reader = faithfulness.load_or_train_reader(real.split.data_dir, pictures.size, folder)
        readings = Readings(reader)
    if real and real.of_birds and pictures.plan:
        birds = UnseenBirds.load(real.split.data_dir, pictures.size, len(real.split))
    recordings = {
        extractor: Recording(
            extractor,
            pictures.count,
            inception_score=(
                catalogue.INCEPTION_SCORE in metrics
                and extractor in extractors
                and extractor.classes > 0
            ),
        )
        for extractor in dict.fromkeys([*extractors, *(judge.extractor for judge in judges)])
    }
    scored = [*recordings.values(), *([readings] if readings else [])]
    measure(pictures.batches, pictures.count, scored, "pictures")
    rows = []
    for extractor in extractors:
        rows += _of_network(recordings[extractor], metrics, pictures, real, birds, folder)
    if catalogue.DIVERSITY in metrics:
        rows += _diversity(pictures, extractors, real)
    for judge in judges:
        codes = recordings[judge.extractor].features
        rows += _judgement(judge, codes, pictures, real, birds, folder)
    if readings:
        rows += _faithfulness(readings, reader, pictures, birds)
    return {
        "pictures": {"count": pictures.count, "size": pictures.size, **pictures.about},
        **described(pictures.size, real, extractors, judges),
        "reader": {"size": reader.size} if readings else None,
        "figures": rows,
    }


def evaluate_encoders(judges: Sequence[Judge], real: RealSet, size: int, folder: Path) -> dict:
    """Measures encoders on real pictures; returns what `evaluate` does.

    Args:
        judges: The encoders.
        real: The pictures and their captions.
        size: Side of the pictures in pixels.
        folder: Where the features of the pictures are kept.

    Raises:
        UserError: There are fewer pictures than folds.
    """
    check_count(len(real.split), f"real pictures of {real.name}")
    return {
        "pictures": {"count": 0, "size": size},
        **described(size, real, [], judges),
        "figures": [row for judge in judges for row in of_real_pictures(judge, real, size, folder)],
    }


def described(
    size: int, real: RealSet | None, extractors: Sequence[Extractor], judges: Sequence[Judge]
) -> dict:
    """What decides figures besides the pictures, for a report."""
    names = ("scale", "name", "weights", "sha256", "resize")
    return {
        "version": VERSION,
        "real": real
        and {
            "name": real.name,
            "count": len(real.split),
            "sha256": real.sha256,
            "crop": f"central {size} of {size_to_crop(size)} px",
        },
        "networks": [{name: getattr(own, name) for name in names} for own in extractors],
        "judges": [judge.described() for judge in judges],
    }


def _check_plan(plan):
    if len(np.unique(plan.class_ids)) < 2:
        raise UserError("R-precision needs captions of two classes, the test split has one")


def _of_network(recording, metrics, pictures, real, birds, folder) -> Iterator[Row]:
    """The figures of one network's features."""
    scale, count = recording.extractor.scale, pictures.count
    if recording.inception_score is not None:
        score = Figure.of_folds(recording.inception_score.split_scores())
        yield Row("inception_score", scale, score, recording.scored)
    comparing = [name for name in metrics if catalogue.METRICS[name].compare]
    if not comparing:
        return
    known = real.features(recording.extractor, pictures.size, folder)
    against = f"{len(known):,} of {real.name}"
    noise = None
    if birds:
        noise = features_of(birds.colour_noise, recording.extractor, "colour noise")
    for name in comparing:
        compare = catalogue.METRICS[name].compare
        for of, features in ((DRAWN, recording.features), (COLOUR_NOISE, noise)):
            if features is not None:
                for figure, value in compare(features, known).items():
                    note = against
                    if figure == "kid":
                        size = kid.subset_size(len(features), len(known))
                        note = f"{against}, {kid.SUBSETS} subsets of {size:,}"
                    yield Row(figure, scale, value, count if of == DRAWN else len(noise), note, of)


def _diversity(pictures, extractors, real) -> Iterator[Row]:
    """How different the pictures of a caption are, beside real pictures of one class."""
    groups = {DRAWN: list(pictures.repeated)}
    if real:
        groups[REAL] = real.same_class(pictures.size, streams.REPEATED_CAPTIONS, streams.REPEATS)
    notes = {
        DRAWN: f"{streams.REPEATS} seeds a caption",
        REAL: f"at most {streams.REPEATS} pictures a class",
    }
    for of, own in groups.items():
        if len(own) < FOLDS:
            continue
        note = notes[of]
        yield Row("diversity", PIXELS, Figure.mean(pixel_spreads(own)), len(own), note, of)
        ends = np.cumsum([len(group) for group in own])[:-1]
        for extractor in extractors:
            features = features_of(np.concatenate(own), extractor, f"repeated, {of}")
            spreads = feature_spreads(np.split(features, ends))
            yield Row("diversity", extractor.scale, Figure.mean(spreads), len(own), note, of)


def _faithfulness(readings, reader, pictures, birds) -> Iterator[Row]:
    """What the reader reads from the pictures, from real pictures and from colour noise."""
    plan = pictures.plan
    own = [told(text) for text in plan.texts]
    truth = faithfulness.labels(plan.attributes)
    found = [(DRAWN, faithfulness.correct(readings.read, truth, own))]
    for of, shown in ((REAL, birds.pictures), (COLOUR_NOISE, birds.colour_noise)):
        found.append((of, faithfulness.correct(reader(shown), birds.attributes, birds.told)))
    for name in found[0][1]:
        for of, values in found:
            if len(values.get(name, ())) >= FOLDS:
                yield Row(name, READER, Figure.mean(values[name]), len(values[name]), "", of)


def _judgement(judge, codes, pictures, real, birds, folder) -> Iterator[Row]:
    """How well pictures match their captions, and real pictures theirs."""
    plan, name = pictures.plan, judge.name
    sentences = judge.sentences(plan.texts)
    wrong = f"{r_precision.wrong_captions(plan.class_ids)} wrong captions"
    figure = r_precision.fold_r_precision(codes, sentences, plan.class_ids)
    yield Row("r_precision", name, figure, pictures.count, wrong)
    yield Row("similarity", name, similarity(codes, sentences), pictures.count)
    if birds:
        yield from _permuted(judge, codes, sentences, plan.texts, DRAWN)
    yield from of_real_pictures(judge, real, pictures.size, folder)


def of_real_pictures(judge: Judge, real: RealSet, size: int, folder: Path) -> Iterator[Row]:
    """How well real pictures and their first captions find each other.

    Args:
        judge: Gives the codes.
        real: The pictures, at least `FOLDS`.
        size: Side of the pictures in pixels.
        folder: Where the features of the pictures are kept.
    """
    texts, class_ids = streams.first_captions(real.split)
    codes, sentences = real.features(judge.extractor, size, folder), judge.sentences(texts)
    count, name = len(texts), judge.name
    if len(np.unique(class_ids)) > 1:
        wrong = f"{r_precision.wrong_captions(class_ids)} wrong captions"
        figure = r_precision.fold_r_precision(codes, sentences, class_ids)
        yield Row("r_precision", name, figure, count, wrong, REAL)
    yield Row("similarity", name, similarity(codes, sentences), count, "", REAL)
    if real.of_birds:
        yield from _permuted(judge, codes, sentences, texts, REAL)
    for k in (1, 5, 10):
        for way, targets, queries in (
            ("picture", codes, sentences),
            ("caption", sentences, codes),
        ):
            found = Figure.mean(r_precision.found_at_k(targets, queries, k))
            yield Row(f"recall_at_{k}_{way}", name, found, count, f"{count:,} {way}s", REAL)


def similarity(codes: np.ndarray, sentences: np.ndarray) -> Figure:
    """100 times the cosine of pictures and captions, at least 0: CLIP score where CLIP judges.

    Hessel et al., 2021, with the weight of 100 that later papers print in place of 2.5.

    Args:
        codes: `[N, E]`.
        sentences: `[N, E]`.
    """
    return Figure.mean(100.0 * np.maximum(r_precision.cosines(codes, sentences), 0.0))


def _permuted(judge, codes, sentences, texts, of):
    wrong = exchanged_codes(judge.sentences, texts)
    hits, counts = r_precision.permuted_hits(codes, sentences, wrong)
    if len(hits) >= FOLDS:
        note = f"own colours exchanged, chance {np.mean(1.0 / (1.0 + counts)):.2%}"
        yield Row("r_precision_permuted", judge.name, Figure.mean(hits), len(hits), note, of)

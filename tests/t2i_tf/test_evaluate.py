import dataclasses
import hashlib
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipeline import tfrecord
from data_pipeline.dataset import Split, decode
from data_pipeline.pixels import to_uint8
from data_pipeline.support.errors import UserError
from t2i_tf.metrics import faithfulness, protocol, r_precision, report, scores, streams
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.fid import FeatureStatistics, fid
from t2i_tf.metrics.inception_score import inception_score
from t2i_tf.models.captions import encode
from t2i_tf.models.text_to_image import TextToImage
from tests.commands import ROOT, command, run

COLOURS = ("red", "green", "blue")
COUNT = 12


@pytest.fixture(scope="module")
def data_dir(small_model, tmp_path_factory):
    """Twelve noisy pictures of 38 pixels in three classes, two captions each."""
    folder = tmp_path_factory.mktemp("data")
    vocabulary = small_model.vocabulary
    vocabulary.save(folder / "vocabulary.txt")
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(folder / tfrecord.shard_name("mini", "test", 0, 1))) as writer:
        for i in range(COUNT):
            file = io.BytesIO()
            picture = rng.integers(0, 256, (38, 38, 3), np.uint8)
            Image.fromarray(picture).save(file, "JPEG", quality=95)
            captions = [f"a {COLOURS[i % 3]} bird", f"this bird has {COLOURS[i % 3]} wings"]
            writer.write(
                tfrecord.serialize(
                    image=file.getvalue(),
                    class_id=i % 3,
                    name=f"class/{i}",
                    captions=captions,
                    tokens=[vocabulary.encode(caption)[0] for caption in captions],
                )
            )
    tfrecord.DatasetInfo(
        dataset="mini",
        stored_size=38,
        captions_per_image=2,
        max_words=6,
        vocabulary={
            "file": "vocabulary.txt",
            "size": len(vocabulary),
            "sha256": vocabulary.sha256,
        },
        splits={"test": {"images": COUNT, "classes": 3, "shards": 1}},
        classes=list(COLOURS),
        source={},
    ).save(folder)
    return folder


@pytest.fixture
def split(data_dir):
    return Split(data_dir, "test")


def corners(images):
    """A network by hand: the colours of a corner, and whichever is strongest."""
    colours = images[:, 0, 0].astype(np.float32)
    return colours, colours / colours.sum(axis=1, keepdims=True)


@pytest.fixture
def extractor():
    return Extractor("corners", "By hand", "none", "0" * 64, "not", 3, 3, corners)


def test_captions_take_turns(split):
    plan = streams.plan_captions(split, 2 * COUNT + 5, seed=3)
    first, second, third = plan.texts[:COUNT], plan.texts[COUNT : 2 * COUNT], plan.texts[-5:]
    assert sorted(first) == sorted(f"a {colour} bird" for colour in COLOURS * 4)
    assert sorted(second) == sorted(f"this bird has {colour} wings" for colour in COLOURS * 4)
    assert set(third) <= set(first)  # the third pass begins with the first captions again
    for text, class_id in zip(plan.texts, plan.class_ids, strict=True):
        assert COLOURS[class_id] in text
    assert plan.seeds.tolist() == list(range(3, 3 + 2 * COUNT + 5))


def test_plans_are_a_function_of_the_seed(split):
    texts = [streams.plan_captions(split, COUNT, seed).texts for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert streams.plan_captions(split, 4, 0).texts == texts[0][:4]


def test_pictures_are_those_of_generate(small_model, split):
    pictures = streams.drawn_pictures(small_model, split, 5, 7, batch_size=2)
    batches = list(pictures.batches)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    tokens = encode(pictures.plan.texts, small_model.vocabulary, 6).tokens
    expected = [image for image, _ in TextToImage(small_model).draw(tokens, np.arange(7, 12))]
    np.testing.assert_allclose(np.concatenate(batches), np.stack(expected), atol=1)
    assert pictures.size == batches[0].shape[1] == 32


def test_real_pictures_are_the_centres(split):
    (batch,) = streams.real_pictures(split, 32, batch_size=COUNT)
    whole = np.stack([to_uint8(decode(record["image"])) for record in split.examples()])
    np.testing.assert_array_equal(batch, whole[:, 3:35, 3:35])
    assert batch.dtype == np.uint8


def test_real_statistics_are_measured_once(data_dir, extractor, tmp_path, monkeypatch):
    real = protocol.RealSet(data_dir)
    statistics = real.statistics(extractor, 32, 5, tmp_path)
    (pictures,) = streams.real_pictures(real.split, 32, COUNT)
    np.testing.assert_allclose(statistics.mean, corners(pictures)[0].mean(axis=0), rtol=1e-6)
    monkeypatch.setattr(streams, "real_pictures", None)
    again = real.statistics(extractor, 32, 5, tmp_path)
    np.testing.assert_array_equal(again.covariance, statistics.covariance)
    with pytest.raises(TypeError):  # of another size they are others
        real.statistics(extractor, 24, 5, tmp_path)


def test_figures_are_those_of_all_pictures_at_once(
    data_dir, small_model, model_dir, extractor, tmp_path
):
    count = 26
    real = protocol.RealSet(data_dir)
    judge = protocol.Judge.load("own DAMSM", model_dir)
    pictures = streams.drawn_pictures(small_model, real.split, count, 0, batch_size=8)
    figures = protocol.evaluate(
        pictures, protocol.METRICS[:3], [extractor, judge.extractor], real, [judge], 8, tmp_path
    )
    drawn = np.concatenate(
        list(streams.drawn_pictures(small_model, real.split, count, 0, batch_size=8).batches)
    )
    features, probabilities = corners(drawn)
    by_hand, damsm = figures["networks"]
    mean, std = inception_score(probabilities)
    assert by_hand["inception_score"] == {
        "mean": pytest.approx(mean, rel=1e-5),
        "std": pytest.approx(std, rel=1e-4),
        "splits": 10,
        "pictures": count,
    }
    one, other = FeatureStatistics(3), FeatureStatistics(3)
    one.update(features)
    other.update(corners(next(streams.real_pictures(real.split, 32, COUNT)))[0])
    assert by_hand["fid"] == pytest.approx(fid(one, other), rel=1e-6)
    assert damsm["scale"] == "damsm" and damsm["fid"] > 0 and "inception_score" not in damsm
    (judged,) = figures["r_precision"]
    codes = r_precision.picture_codes(small_model.image_encoder, drawn)
    plan = streams.plan_captions(real.split, count, 0)
    sentences = r_precision.sentence_codes(small_model, plan.texts)
    expected = r_precision.fold_r_precision(codes, sentences, plan.class_ids)
    assert (judged["mean"], judged["std"]) == expected
    assert judged["wrong_captions"] == count - np.bincount(plan.class_ids).max()
    assert 0 <= judged["real"]["recall_at_1"] <= judged["real"]["recall_at_5"] <= 1
    assert figures["real"]["name"] == "mini-test" and figures["real"]["count"] == COUNT


def test_inception_scores_leave_out_incomplete_batches_where_published_code_does(extractor, rng):
    extractor = dataclasses.replace(extractor, batch_multiple=8)
    pictures = rng.integers(1, 256, (21, 4, 4, 3), np.uint8)
    scored = scores.Scores(extractor, 21, inception_score=True)
    scores.measure(np.array_split(pictures, 4), 21, [scored], "pictures")
    expected = inception_score(corners(pictures[:16])[1])
    np.testing.assert_allclose(scored.inception_score.result(), expected, rtol=1e-6)
    assert scored.scored == 16
    with pytest.raises(UserError, match="at least 10 pictures, not 15"):
        scores.Scores(extractor, 15, inception_score=True)


def test_quick_scores_follow_a_training(data_dir, small_model, model_dir, extractor, tmp_path):
    real = protocol.RealSet(data_dir)
    known = real.statistics(extractor, 32, 8, tmp_path)
    figures = scores.quick_scores(small_model, real.split, COUNT, extractor, known)
    assert set(figures) == {"fid_corners", "inception_score_corners", "r_precision"}
    again = scores.quick_scores(small_model, real.split, COUNT, extractor, known, batch_size=5)
    assert figures == pytest.approx(again, rel=1e-3)
    damsm = protocol.Judge.load("own DAMSM", model_dir).extractor
    known = real.statistics(damsm, 32, 8, tmp_path)
    generator_only = dataclasses.replace(small_model, image_encoder=None)
    figures = scores.quick_scores(generator_only, real.split, COUNT, damsm, known)
    assert set(figures) == {"fid_damsm"} and figures["fid_damsm"] > 0


@pytest.fixture
def folder(rng, tmp_path):
    """Fifteen pictures of 32 pixels, number i of brightness 10 i."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(15):
        Image.new("RGB", (32, 32), (10 * i,) * 3).save(
            folder / f"{i:02d}.{('png', 'JPG')[i % 2]}", "PNG"
        )
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_folders_are_read_in_order(folder):
    pictures = streams.folder_pictures(folder, limit=12, batch_size=5)
    batches = list(pictures.batches)
    assert [len(batch) for batch in batches] == [5, 5, 2] and pictures.count == 12
    assert [image[0, 0, 0] for batch in batches for image in batch] == list(range(0, 120, 10))
    assert pictures.size == 32 and pictures.plan is None


def test_bad_folders_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="No such file"):
        streams.folder_pictures(tmp_path / "none", 9, 9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no .png or .jpg"):
        streams.folder_pictures(tmp_path / "empty", 9, 9)
    Image.new("RGB", (31, 32)).save(folder / "03.png")
    with pytest.raises(UserError, match=r"03\.png is 31 x 32 pixels.*32 x 32 by the first"):
        list(streams.folder_pictures(folder, 99, 9).batches)
    Image.new("RGB", (31, 32)).save(folder / "00.png")
    with pytest.raises(UserError, match=r"00\.png is 31 x 32 pixels"):
        streams.folder_pictures(folder, 99, 9)
    (folder / "00.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"00\.png cannot be read"):
        streams.folder_pictures(folder, 99, 9)


def test_metrics_are_all_that_can_be_had():
    networks, damsm = ["imagenet"], ["damsm"]
    everything = ["is", "fid", "r_precision", "faithfulness"]
    assert protocol.choose_metrics(None, True, True, True, networks) == everything
    assert protocol.choose_metrics(None, True, True, False, networks) == everything[:3]
    assert protocol.choose_metrics(None, True, True, False, damsm) == ["fid", "r_precision"]
    assert protocol.choose_metrics(None, False, True, True, networks) == ["is", "fid"]
    assert protocol.choose_metrics(None, False, False, False, networks) == ["is"]
    assert protocol.choose_metrics(["fid"], True, True, True, networks) == ["fid"]


@pytest.mark.parametrize(
    "asked, of_model, has_real, sources, message",
    [
        (["kid"], True, True, ["imagenet"], "'kid' is none of is, fid, r_precision, faithfulness"),
        (["is"], True, True, ["damsm"], "is needs a network that knows classes"),
        (["is", "fid"], False, False, ["imagenet"], "fid needs real pictures.*of a data set"),
        (["r_precision"], False, True, ["imagenet"], "r_precision needs the captions"),
        (["faithfulness"], True, True, ["damsm"], "faithfulness needs the true attributes"),
        (None, False, False, ["damsm"], "nothing to measure"),
        (None, True, True, [], "no network is named"),
    ],
)
def test_metrics_that_cannot_be_had_are_refused(asked, of_model, has_real, sources, message):
    with pytest.raises(UserError, match=message):
        protocol.choose_metrics(asked, of_model, has_real, False, sources)


def test_too_few_pictures_for_folds_are_refused(data_dir, small_model, model_dir, tmp_path):
    real, judge = protocol.RealSet(data_dir), protocol.Judge.load("own DAMSM", model_dir)
    pictures = streams.drawn_pictures(small_model, real.split, 9, 0, 8)
    with pytest.raises(UserError, match="at least 10 pictures, not 9"):
        protocol.evaluate(pictures, ["r_precision"], [], real, [judge], 8, tmp_path)


def test_models_without_image_encoder_are_told_what_to_leave_out(model_dir, tmp_path):
    copy = shutil.copytree(model_dir, tmp_path / "copy")
    (copy / "image_encoder.weights.h5").unlink()
    with pytest.raises(
        UserError,
        match="has no image encoder.*r_precision and the network damsm need: leave them out",
    ):
        protocol.Judge.load("own DAMSM", copy)
    with pytest.raises(UserError, match="is no model directory"):
        protocol.Judge.load("independent DAMSM", tmp_path)


def test_command_reports_every_figure_with_its_mark(data_dir, model_dir, tmp_path):
    printed = run(
        "t2i_tf.evaluate",
        f"--model_dir={model_dir}",
        f"--data_dir={data_dir}",
        f"--output_dir={tmp_path / 'scores'}",
        "--inception=damsm",
        f"--independent={model_dir}",
        "--num_images=20",
        "--batch_size=8",
    )
    written = sorted(path.name for path in (tmp_path / "scores").iterdir())
    assert [name.split("_")[0] for name in written] == ["real", "report.json", "report.md"]
    text = (tmp_path / "scores" / "report.md").read_text(encoding="utf-8")
    assert printed.strip() == text.strip()
    figures = json.loads((tmp_path / "scores" / "report.json").read_text(encoding="utf-8"))
    assert figures["of"] == str(model_dir) and figures["pictures"]["count"] == 20
    generator = (model_dir / "generator.weights.h5").read_bytes()
    assert figures["pictures"]["generator_sha256"] == hashlib.sha256(generator).hexdigest()
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 1 + 2 * 4
    assert all("[damsm]" in row[0] or "DAMSM]" in row[0] for row in rows)
    assert rows[0][1].strip() == f"{figures['networks'][0]['fid']:.2f}"


def test_drawn_birds_are_read(small_model, model_dir, tmp_path, monkeypatch):
    run(
        "data_pipeline.build_tfrecords",
        "--source=synthetic",
        f"--output_dir={tmp_path / 'birds'}",
        "--image_size=32",
        "--num_train=48",
        "--num_test=24",
        "--picture_size=64",
    )
    real, judge = protocol.RealSet(tmp_path / "birds"), protocol.Judge.load("own DAMSM", model_dir)
    assert real.of_birds
    monkeypatch.setattr(faithfulness, "EPOCHS", 1)
    pictures = streams.drawn_pictures(small_model, real.split, 30, 0, 8)
    figures = protocol.evaluate(
        pictures, ["fid", "faithfulness"], [judge.extractor], real, [judge], 8, tmp_path
    )
    read = figures["faithfulness"]
    assert {"faithfulness", "faithfulness_belly", "faithfulness_perch"} < set(read["figures"])
    assert all(0 <= value <= 1 for row in read["figures"].values() for value in row.values())
    assert read["seed_std"]["pictures"] > 0 and read["seed_std"]["real"] > 0
    (network,), (judgement,) = figures["networks"], figures["r_precision"]
    assert network["fid_colour_noise"] > 0
    assert 0 < judgement["permuted"]["chance"] < 0.5 < judgement["permuted"]["captions"] <= 30
    text = report.markdown({"of": "a model", **figures})
    assert "| Faithfulness: perch | " in text and "real pictures of a species" in text
    assert len(list(tmp_path.glob("bird_reader_32px_*.weights.h5"))) == 1


def test_command_says_in_one_line_what_is_wrong(tmp_path):
    both = "--images_dir=none", "--model_dir=none"
    asked = command("t2i_tf.evaluate", *both, f"--output_dir={tmp_path}")
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "give either --model_dir" in errors[0]
    assert "Traceback" not in done.stderr

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
from t2i_tf.metrics import (
    catalogue,
    faithfulness,
    protocol,
    r_precision,
    report,
    scores,
    streams,
)
from t2i_tf.metrics.features import Extractor
from t2i_tf.metrics.figures.fid import fid_figure
from t2i_tf.metrics.figures.inception_score import inception_score
from t2i_tf.metrics.measuring import Measuring
from t2i_tf.metrics.real import Judge, RealSet
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
    pictures = streams.drawn_pictures(small_model, split, 40, 7)
    batches = list(pictures.batches)
    assert [len(batch) for batch in batches] == [streams.BLOCK, 40 - streams.BLOCK]
    tokens = encode(pictures.plan.texts, small_model.vocabulary, 6).tokens
    expected = [image for image, _ in TextToImage(small_model).draw(tokens, np.arange(7, 47))]
    np.testing.assert_allclose(np.concatenate(batches), np.stack(expected), atol=1)
    assert pictures.size == batches[0].shape[1] == 32


def test_real_pictures_are_the_centres(split):
    (batch,) = streams.real_pictures(split, 32)
    whole = np.stack([to_uint8(decode(record["image"])) for record in split.examples()])
    np.testing.assert_array_equal(batch, whole[:, 3:35, 3:35])
    assert batch.dtype == np.uint8


def test_every_device_draws_its_share_of_the_same_pictures(small_model, split):
    one = np.concatenate(list(streams.drawn_pictures(small_model, split, 70, 7).batches))
    copies, devices = [small_model] * 2, ("CPU:0", "CPU:0")
    two = streams.drawn_pictures(copies, split, 70, 7, devices)
    np.testing.assert_array_equal(np.concatenate(list(two.batches)), one)


def test_real_features_are_measured_once(data_dir, extractor, tmp_path, monkeypatch):
    real = RealSet(data_dir)
    features = real.features(extractor, 32, tmp_path)
    (pictures,) = streams.real_pictures(real.split, 32)
    np.testing.assert_array_equal(features, corners(pictures)[0])
    monkeypatch.setattr(streams, "real_pictures", None)
    np.testing.assert_array_equal(real.features(extractor, 32, tmp_path), features)
    with pytest.raises(TypeError):  # of another size they are others
        real.features(extractor, 24, tmp_path)


@pytest.mark.parametrize("content", [b"no array", b"", None])
def test_files_without_features_are_named(data_dir, extractor, tmp_path, content):
    real = RealSet(data_dir)
    real.features(extractor, 32, tmp_path)
    (path,) = tmp_path.glob("real_corners_*.npy")
    if content is None:
        np.save(path, np.zeros((3, 3), np.float32))
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"\.npy does not hold the features of mini-test"):
        real.features(extractor, 32, tmp_path)


def by_name(figures):
    """The rows of a report by figure, network or judge, and what was measured."""
    return {(row.figure, row.by, row.of): row for row in figures["figures"]}


def test_figures_are_those_of_all_pictures_at_once(
    data_dir, small_model, model_dir, extractor, tmp_path
):
    count = 40
    real = RealSet(data_dir)
    judge = Judge.load("own DAMSM", model_dir)
    pictures = streams.drawn_pictures(small_model, real.split, count, 0)
    metrics = ["is", "fid", "precision_recall", "diversity", "r_precision"]
    networks = [extractor, judge.extractor]
    figures = protocol.evaluate(pictures, metrics, networks, real, [judge], tmp_path)
    rows = by_name(figures)
    again = streams.drawn_pictures(small_model, real.split, count, 0)
    drawn = np.concatenate(list(again.batches))
    features, probabilities = corners(drawn)
    score = rows["inception_score", "corners", "pictures"]
    mean, std = inception_score(probabilities)
    assert (score.value.value, score.value.std) == pytest.approx((mean, std), rel=1e-5)
    known = corners(next(streams.real_pictures(real.split, 32)))[0]
    own = rows["fid", "corners", "pictures"]
    assert own.value.value == pytest.approx(fid_figure(features, known).value, rel=1e-9)
    assert own.value.error > 0 and own.against == "12 of mini-test"
    assert rows["fid", "damsm", "pictures"].value.value > 0
    assert ("inception_score", "damsm", "pictures") not in rows
    assert 0 <= rows["recall", "damsm", "pictures"].value.value <= 1
    assert rows["diversity", "pixels", "pictures"].value.value > 0
    codes = r_precision.picture_codes(small_model.image_encoder, drawn)
    plan = streams.plan_captions(real.split, count, 0)
    sentences = r_precision.sentence_codes(small_model, plan.texts)
    expected = r_precision.fold_r_precision(codes, sentences, plan.class_ids)
    judged = rows["r_precision", "own DAMSM", "pictures"]
    assert judged.value.described() == pytest.approx(expected.described())
    assert judged.against == f"{count - np.bincount(plan.class_ids).max()} wrong captions"
    recalls = [
        rows[f"recall_at_{k}_{way}", "own DAMSM", "real pictures"].value.value
        for way in ("picture", "caption")
        for k in (1, 5, 10)
    ]
    assert recalls[:3] == sorted(recalls[:3]) and recalls[3:] == sorted(recalls[3:])
    assert figures["real"]["name"] == "mini-test" and figures["real"]["count"] == COUNT


def test_features_that_are_no_numbers_are_refused(extractor, rng):
    def broken(images):
        features, probabilities = corners(images)
        features[3] = np.nan
        return features, probabilities

    recording = scores.Recording(dataclasses.replace(extractor, forward=broken), 9)
    recording.update(rng.integers(1, 256, (9, 4, 4, 3), np.uint8))
    with pytest.raises(UserError, match="By hand gives features .* for 1 of 9 .* is number 3"):
        _ = recording.features


def test_networks_always_see_whole_blocks(extractor, rng):
    seen = []

    def counting(images):
        seen.append(len(images))
        return corners(images)

    recording = scores.Recording(dataclasses.replace(extractor, forward=counting), 40)
    pictures = rng.integers(1, 256, (40, 4, 4, 3), np.uint8)
    scores.measure([pictures[:32], pictures[32:]], 40, [recording], "pictures")
    assert seen == [streams.BLOCK] * 2
    np.testing.assert_array_equal(recording.features, corners(pictures)[0])


def test_inception_scores_leave_out_incomplete_batches_where_published_code_does(extractor, rng):
    extractor = dataclasses.replace(extractor, batch_multiple=8)
    pictures = rng.integers(1, 256, (21, 4, 4, 3), np.uint8)
    scored = scores.Recording(extractor, 21, inception_score=True)
    scores.measure(np.array_split(pictures, 4), 21, [scored], "pictures")
    expected = inception_score(corners(pictures[:16])[1])
    np.testing.assert_allclose(scored.inception_score.result(), expected, rtol=1e-6)
    assert scored.scored == 16
    with pytest.raises(UserError, match="at least 10 pictures, not 15"):
        scores.Recording(extractor, 15, inception_score=True)


def test_quick_scores_follow_a_training(data_dir, small_model, model_dir, extractor, tmp_path):
    real = RealSet(data_dir)
    known = real.features(extractor, 32, tmp_path)
    damsm = Judge.load("own DAMSM", model_dir).extractor
    figures = scores.quick_scores(small_model, real.split, COUNT, [extractor, damsm], known)
    assert set(figures) == {"fid_corners", "inception_score_corners", "r_precision"}
    again = scores.quick_scores(small_model, real.split, COUNT, [extractor, damsm], known)
    assert figures == again
    known = real.features(damsm, 32, tmp_path)
    figures = scores.quick_scores(small_model, real.split, COUNT, [damsm], known)
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
    pictures = streams.folder_pictures(folder, limit=12)
    batches = list(pictures.batches)
    assert [len(batch) for batch in batches] == [12] and pictures.count == 12
    assert [image[0, 0, 0] for batch in batches for image in batch] == list(range(0, 120, 10))
    assert pictures.size == 32 and pictures.plan is None


def test_bad_folders_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="No such file"):
        streams.folder_pictures(tmp_path / "none", 9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no .png or .jpg"):
        streams.folder_pictures(tmp_path / "empty", 9)
    Image.new("RGB", (31, 32)).save(folder / "03.png")
    with pytest.raises(UserError, match=r"03\.png is 31 x 32 pixels.*32 x 32 by the first"):
        list(streams.folder_pictures(folder, 99).batches)
    Image.new("RGB", (31, 32)).save(folder / "00.png")
    with pytest.raises(UserError, match=r"00\.png is 31 x 32 pixels"):
        streams.folder_pictures(folder, 99)
    (folder / "00.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"00\.png cannot be read"):
        streams.folder_pictures(folder, 99)


def test_metrics_are_all_that_can_be_had():
    everything = list(catalogue.METRICS)
    assert catalogue.choose(None, catalogue.NEEDS) == everything
    without = [need for need in catalogue.NEEDS if need not in (catalogue.CLIP, catalogue.CLASSES)]
    rest = [name for name in everything if name not in ("is", "clip")]
    assert catalogue.choose(None, without) == rest
    assert catalogue.choose(None, [catalogue.CLASSES]) == ["is"]
    of_folder = catalogue.choose(None, [catalogue.CLASSES, catalogue.REAL])
    assert of_folder == ["is", "fid", "kid", "precision_recall", "density_coverage"]
    assert catalogue.choose(["fid"], catalogue.NEEDS) == ["fid"]


@pytest.mark.parametrize(
    "asked, lacks, message",
    [
        (["lpips"], None, "'lpips' is none of is, fid, kid, precision_recall,"),
        (["is"], catalogue.CLASSES, "is needs a network that knows classes"),
        (["is", "kid"], catalogue.REAL, "kid needs real pictures.*of a data set"),
        (["diversity"], catalogue.SEEDS, "diversity needs a model"),
        (["r_precision"], catalogue.CAPTIONS, "r_precision needs the captions"),
        (["clip"], catalogue.CLIP, "clip needs --clip="),
        (["faithfulness"], catalogue.ATTRIBUTES, "faithfulness needs the true attributes"),
    ],
)
def test_metrics_that_cannot_be_had_are_refused(asked, lacks, message):
    has = [need for need in catalogue.NEEDS if need != lacks]
    with pytest.raises(UserError, match=message):
        catalogue.choose(asked, has)


def test_nothing_to_measure_is_refused():
    with pytest.raises(UserError, match="nothing to measure: fid needs real pictures"):
        catalogue.choose(None, [])


def test_too_few_pictures_for_folds_are_refused(data_dir, small_model, model_dir, tmp_path):
    real, judge = RealSet(data_dir), Judge.load("own DAMSM", model_dir)
    pictures = streams.drawn_pictures(small_model, real.split, 9, 0)
    with pytest.raises(UserError, match="at least 10 pictures, not 9"):
        protocol.evaluate(pictures, ["r_precision"], [], real, [judge], tmp_path)


def test_models_without_image_encoder_are_told_what_to_leave_out(model_dir, tmp_path):
    copy = shutil.copytree(model_dir, tmp_path / "copy")
    (copy / "image_encoder.weights.h5").unlink()
    with pytest.raises(
        UserError,
        match="has no image encoder.*r_precision and the network damsm need: leave them out",
    ):
        Judge.load("own DAMSM", copy)
    with pytest.raises(UserError, match="is no model directory"):
        Judge.load("independent DAMSM", tmp_path)


def test_command_reports_every_figure_with_its_mark(data_dir, model_dir, tmp_path):
    printed = run(
        "t2i_tf.evaluate",
        f"--model_dir={model_dir}",
        f"--data_dir={data_dir}",
        f"--output_dir={tmp_path / 'scores'}",
        "--inception=damsm",
        f"--independent={model_dir}",
        "--num_images=20",
    )
    written = sorted(path.name for path in (tmp_path / "scores").iterdir())
    assert [name.split("_")[0] for name in written] == ["real", "report.json", "report.md"]
    text = (tmp_path / "scores" / "report.md").read_text(encoding="utf-8")
    assert printed.strip() == text.strip()
    figures = json.loads((tmp_path / "scores" / "report.json").read_text(encoding="utf-8"))
    assert figures["of"] == str(model_dir) and figures["pictures"]["count"] == 20
    generator = (model_dir / "generator.weights.h5").read_bytes()
    assert figures["pictures"]["generator_sha256"] == hashlib.sha256(generator).hexdigest()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][2:]
    names = [row[0] for row in rows]
    assert len(names) == len(set(names)) > 20
    assert all(any(m in n for m in ("[damsm]", "DAMSM]", "[pixels]")) for n in names)
    (fid,) = (row for row in figures["figures"] if row["figure"] == "fid")
    assert rows[0][1].strip() == f"{fid['value']:.2f}" and fid["error"] > 0


def test_encoders_without_a_generator_are_measured_on_real_pictures(data_dir, model_dir, tmp_path):
    copy = shutil.copytree(model_dir, tmp_path / "damsm" / "model")
    (copy / "generator.weights.h5").unlink()
    report_of = Measuring(str(data_dir), independent=str(model_dir))
    figures = report_of.of_model(tmp_path / "damsm", tmp_path)
    rows = by_name(figures)
    assert {of for _, _, of in rows} == {"real pictures"}
    for judge in ("own DAMSM", "independent DAMSM"):
        found = rows["recall_at_5_picture", judge, "real pictures"]
        assert 0 <= found.value.value <= 1 and found.count == COUNT
        assert ("r_precision", judge, "real pictures") in rows
    text = report.write(figures, tmp_path)
    assert "Encoders, measured on real pictures of 32 px." in text
    assert "| Pictures: own caption in 10 [own DAMSM] |" in text


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
    real, judge = RealSet(tmp_path / "birds"), Judge.load("own DAMSM", model_dir)
    assert real.of_birds
    monkeypatch.setattr(faithfulness, "EPOCHS", 1)
    pictures = streams.drawn_pictures(small_model, real.split, 30, 0)
    figures = protocol.evaluate(
        pictures, ["fid", "faithfulness"], [judge.extractor], real, [judge], tmp_path
    )
    rows = by_name(figures)
    names = {name for name, by, _ in rows if by == "reader"}
    assert {"faithfulness", "faithfulness_belly", "faithfulness_perch"} < names
    assert all(0 <= row.value.value <= 1 for row in rows.values() if row.by == "reader")
    assert rows["fid", "damsm", "colour noise"].value.value > 0
    permuted = rows["r_precision_permuted", "own DAMSM", "pictures"]
    assert 0 < permuted.count <= 30 and "chance" in permuted.against
    text = report.write({"of": "a model", **figures}, tmp_path)
    assert "| Faithfulness: perch [reader] | " in text
    assert len(list(tmp_path.glob("bird_reader_32px_*.weights.h5"))) == 1


def test_command_says_in_one_line_what_is_wrong(tmp_path):
    both = "--images_dir=none", "--model_dir=none"
    asked = command("t2i_tf.evaluate", *both, f"--output_dir={tmp_path}")
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "give either --model_dir" in errors[0]
    assert "Traceback" not in done.stderr


def test_kept_models_are_measured_by_step(data_dir, model_dir, tmp_path):
    workdir = tmp_path / "run"
    for kept_at in ("model", "best", "snapshots/step_0000010", "snapshots/step_0000020"):
        shutil.copytree(model_dir, workdir / kept_at)
    best = {"figure": "r_precision", "value": 0.5, "step": 15}
    (workdir / "best.json").write_text(json.dumps(best), encoding="utf-8")
    printed = run(
        "t2i_tf.evaluate",
        f"--model_dir={workdir}",
        f"--data_dir={data_dir}",
        f"--output_dir={tmp_path}",
        "--inception=damsm",
        "--metrics=fid,r_precision",
        f"--num_images={COUNT}",
    )
    rows = [line.split("|") for line in printed.splitlines()]
    (head,) = (i for i, row in enumerate(rows) if row[1:2] == [" steps "])
    assert [row[1].strip() for row in rows[head + 2 : head + 5]] == ["10", "15", "20"]
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [own["step"] for own in written["steps"]] == [10, 15, 20]
    (fid,) = (row for row in written["figures"] if row["figure"] == "fid")
    for own in written["steps"]:  # They are copies of the one model.
        assert fid in own["figures"]
    with Image.open(tmp_path / "steps.png") as plot:
        assert plot.width > 500


def test_pictures_are_dumped_and_a_stopped_dump_goes_on(data_dir, model_dir, tmp_path):
    measuring = Measuring(str(data_dir), ["fid"], 40, ["damsm"])
    dump = tmp_path / "dump"
    whole = measuring.of_model(model_dir, tmp_path, dump_dir=dump)
    files = sorted((dump / "pictures").iterdir())
    first = {path: path.read_bytes() for path in files}
    lines = [json.loads(line) for line in (dump / "captions.jsonl").read_text().splitlines()]
    plan = streams.plan_captions(Split(data_dir, "test"), 40, 0)
    assert [line["caption"] for line in lines] == plan.texts
    assert [dump / line["file"] for line in lines] == files
    for path in files[35:]:
        path.unlink()
    (dump / "pictures" / ".partial-12345678-0000036.png").write_bytes(b"half")
    times = [path.stat().st_mtime_ns for path in files[:32]]
    again = measuring.of_model(model_dir, tmp_path, dump_dir=dump)
    assert {path: path.read_bytes() for path in (dump / "pictures").iterdir()} == first
    assert [path.stat().st_mtime_ns for path in files[:32]] == times  # read, not drawn again
    values = [by_name(own)["fid", "damsm", "pictures"].value.value for own in (whole, again)]
    assert values[0] == values[1]


def test_dumps_of_other_pictures_are_refused(data_dir, model_dir, tmp_path):
    dump = tmp_path / "dump"
    same = Measuring(str(data_dir), ["fid"], COUNT, ["damsm"])
    same.of_model(model_dir, tmp_path, None, dump)
    other = Measuring(str(data_dir), ["fid"], COUNT, ["damsm"], seed=1)
    with pytest.raises(UserError, match="--dump_dir: .* another model, seed, data set"):
        other.of_model(model_dir, tmp_path, None, dump)
    (dump / "pictures" / "0000003.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="0000003.png is damaged"):
        same.of_model(model_dir, tmp_path, None, dump)
    (dump / "dump.json").unlink()
    with pytest.raises(UserError, match="pictures but no dump.json"):
        same.of_model(model_dir, tmp_path, None, dump)

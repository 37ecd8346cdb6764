"""All commands that read or write files, on the smallest inputs."""

import shutil
from pathlib import Path

from tests.faults.harness import Command, Runner

_SMALL = ["--config.train.batch_size=4", "--config.train.steps_per_checkpoint=1"]


def table(runner: Runner, folder: Path, model_dir: Path) -> dict[str, Command]:
    """The commands by name, with their inputs in `folder`.

    Args:
        runner: Makes the inputs.
        folder: Where they are made.
        model_dir: A model directory of random weights.
    """

    def made(module, *arguments):
        code, text, _ = runner.run(module, [str(argument) for argument in arguments])
        assert code == 0, text

    raw, data, model, trained = (
        folder / name for name in ("raw/in", "data/in", "model/in", "trained/in")
    )
    made(
        *("data_pipeline.build_tfrecords", "--source=synthetic", f"--output_dir={data / 'data'}"),
        *("--image_size=64", "--num_train=12", "--num_test=12", "--variety=plain"),
        *("--picture_size=128", "--num_shards=1", "--workers=1"),
    )
    shutil.copytree(model_dir, model / "model")
    raw.mkdir(parents=True)
    _pictures(raw / "pictures")
    shutil.copytree(data / "data", trained / "data")
    made(
        *("t2i_tf.pretrain_damsm", "--config=tiny_damsm", *_SMALL, "--config.train.steps=1"),
        *(f"--data_dir={data / 'data'}", f"--workdir={folder / 'damsm'}"),
    )
    shutil.copytree(folder / "damsm" / "model", trained / "damsm")
    records = "data/synthetic-train.tfrecord-00000-of-00001"
    described = ["data/dataset_info.json", "data/vocabulary.txt"]
    of_model = ["config.json", "vocabulary.txt", "text_encoder.weights.h5", "generator.weights.h5"]
    of_model = [f"model/{name}" for name in of_model]
    return {
        "build_tfrecords": Command(
            "data_pipeline.build_tfrecords",
            ["--source=folder", "--input_dir={inputs}/pictures", "--output_dir={output}/data"]
            + ["--image_size=32", "--workers=2", "--num_shards=1"],
            raw,
            ["pictures/bird_0.jpg"],
            replaces=False,
        ),
        "inspect": Command(
            "data_pipeline.inspect",
            ["--data_dir={inputs}/data", "--output={output}/page.html", "--verify"],
            data,
            [records, *described],
        ),
        "pretrain_damsm": Command(
            "t2i_tf.pretrain_damsm",
            ["--config=tiny_damsm", *_SMALL, "--config.train.steps=2"]
            + ["--data_dir={inputs}/data", "--workdir={output}/run"],
            data,
            [records, *described],
            replaces=False,
        ),
        "train": Command(
            "t2i_tf.train",
            ["--config=tiny", *_SMALL, "--config.train.steps=1", "--score_every=0"]
            + ["--data_dir={inputs}/data", "--damsm={inputs}/damsm", "--workdir={output}/run"],
            trained,
            [records, *described, "damsm/image_encoder.weights.h5", "damsm/config.json"],
            replaces=False,
        ),
        "evaluate": Command(
            "t2i_tf.evaluate",
            ["--model_dir={inputs}/model", "--data_dir={inputs}/data", "--output_dir={output}/out"]
            + ["--metrics=fid", "--inception=damsm", "--num_images=10"],
            _with(folder / "evaluated/in", data / "data", model / "model"),
            ["data/synthetic-test.tfrecord-00000-of-00001", *of_model],
        ),
        "generate": Command(
            "t2i_tf.generate",
            ["--model_dir={inputs}/model", "--text=a red bird", "--output_dir={output}/pictures"]
            + ["--num_images=3", "--attention"],
            model,
            of_model,
        ),
        "publish": Command(
            "t2i_tf.publish",
            ["--model_dir={inputs}/model", "--output_dir={output}/published"],
            model,
            of_model,
        ),
        "saved_model": Command(
            "export.saved_model",
            ["--model_dir={inputs}/model", "--output_dir={output}/served", "--version=1"]
            + ["--overwrite"],
            model,
            of_model,
        ),
        "tflite": Command(
            "export.tflite",
            ["--model_dir={inputs}/model", "--output_dir={output}/phone", "--quantize=float32"]
            + ["--overwrite"],
            model,
            of_model,
        ),
        "client": Command(
            "export.client",
            ["--server=127.0.0.1:9", "--text=a red bird", "--output_dir={output}/pictures"]
            + ["--timeout_s=20"],
            raw,
            [],
        ),
    }


def _pictures(folder):
    import numpy as np
    from PIL import Image

    folder.mkdir()
    for number in range(4):
        pixels = np.full((48, 48, 3), 50 * number, np.uint8)
        pixels[10:30, 10:30] = 255 - 50 * number
        Image.fromarray(pixels).save(folder / f"bird_{number}.jpg")
        (folder / f"bird_{number}.txt").write_text("a small red bird\n")


def _with(folder, *parts):
    for part in parts:
        shutil.copytree(part, folder / part.name)
    return folder

"""The quickstart's steps: their commands, and about how long each takes."""

import dataclasses

# How much of everything: (in full, in short).
TRAIN_PICTURES, TEST_PICTURES = (6000, 48), (1200, 24)
STEPS, CHECKPOINT_STEPS = (None, 20), (None, 10)  # None: as in the configs
CAPTIONS = (400, 24)
IMAGE_SIZE, PICTURE_SIZE = 64, 128


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of the quickstart.

    Attributes:
        name: Its key in the record.
        title: What it does.
        minutes: About how long it takes in full on two cores.
        command: Module and arguments; `{out}` stands for the output folder.
        output: What it leaves, relative to the output folder.
        whole: Whether the output appears only once the step is complete.
        resumes: Whether the command goes on where it was stopped.
    """

    name: str
    title: str
    minutes: float
    command: tuple[str, ...]
    output: str
    whole: bool = False
    resumes: bool = False


def steps(short: bool) -> list[Step]:
    """The steps in order; `short` ones are for trying the machinery only."""

    def pick(values):
        return values[short]

    settings = {"steps": pick(STEPS), "steps_per_checkpoint": pick(CHECKPOINT_STEPS)}
    train = [f"--config.train.{name}={value}" for name, value in settings.items() if value]

    data = "--data_dir={out}/data"
    return [
        Step(
            "data",
            f"drawing {pick(TRAIN_PICTURES) + pick(TEST_PICTURES):,} birds, building TFRecords",
            1,
            (
                "data_pipeline.build_tfrecords",
                "--source=synthetic",
                "--output_dir={out}/data",
                f"--image_size={IMAGE_SIZE}",
                f"--num_train={pick(TRAIN_PICTURES)}",
                f"--num_test={pick(TEST_PICTURES)}",
                "--variety=plain",
                f"--picture_size={PICTURE_SIZE}",
            ),
            "data/dataset_info.json",
            whole=True,
        ),
        Step(
            "damsm",
            "pretraining DAMSM, which matches text and pictures",
            2.5,
            (
                "t2i_tf.pretrain_damsm",
                "--config=configs/tiny_damsm.py",
                *train,
                data,
                "--workdir={out}/damsm",
            ),
            "damsm/model/config.json",
            resumes=True,
        ),
        Step(
            "gan",
            "training the generator",
            6,
            (
                "t2i_tf.train",
                "--config=configs/tiny.py",
                *train,
                data,
                "--damsm={out}/damsm",
                "--workdir={out}/gan",
            ),
            "gan/model/config.json",
            resumes=True,
        ),
        Step(
            "saved_model",
            "exporting the generator as a SavedModel",
            0.3,
            _export("--model_dir={out}/gan", "--output_dir={out}/saved_model"),
            "saved_model/1/saved_model.pb",
        ),
        Step(
            "saved_model_bundled",
            "exporting the bundled model",
            0.3,
            _export("--model_dir=bundled:64", "--output_dir={out}/saved_model_bundled"),
            "saved_model_bundled/1/saved_model.pb",
        ),
        Step(
            "report",
            "drawing and measuring in a fresh process",
            1,
            (
                "export.report",
                data,
                "--damsm={out}/damsm",
                "--workdir={out}/gan",
                "--trained={out}/saved_model",
                "--bundled={out}/saved_model_bundled",
                "--output_dir={out}",
                f"--num_captions={pick(CAPTIONS)}",
            ),
            "report.json",
        ),
    ]


def _export(*arguments):
    return ("export.saved_model", *arguments, "--version=1", "--overwrite")

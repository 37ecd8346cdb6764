"""Shows how a model draws, as sheets of pictures.

    python -m t2i_tf.explain --text="a small red bird" --text="a blue bird" --output_dir=sheets
    python -m t2i_tf.explain --template="a {red,blue} bird" --output_dir=sheets
    python -m t2i_tf.explain --model_dir=runs/cub --data_dir=data/cub --output_dir=sheets

stages_000.png, ...: of each caption every stage, the five most attended words of each stage that
attends, and in which regions DAMSM finds words. words.png: a template's captions. ways.png: from
the first caption to the second, and from one seed to the next. With a data set also nearest.png,
the training pictures nearest to the captions' pictures; gallery.png, the drawn pictures of test
captions that fit them worst and best; and map.png, all of them laid out by t-SNE.
"""

from pathlib import Path

from absl import flags

from data_pipeline.dataset import Split
from data_pipeline.support.errors import UserError, of_flag, run
from t2i_tf.explaining.choosing import SHEETS, choose, given
from t2i_tf.explaining.many import draw_many, gallery, map_sheet
from t2i_tf.explaining.nearest import nearest_sheet
from t2i_tf.explaining.stages import stages_sheet
from t2i_tf.explaining.ways import ways_sheet
from t2i_tf.explaining.words import words_sheet
from t2i_tf.metrics.real import Judge
from t2i_tf.models import captions, model_directory
from t2i_tf.models.images import save_png
from t2i_tf.models.text_to_image import TextToImage


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("model_dir", "bundled", "Model directory, or a run's --workdir.")
    flags.DEFINE_multi_string("text", [], "A caption; may be given several times.")
    flags.DEFINE_string("captions_file", None, "UTF-8 text file of one caption per line.")
    flags.DEFINE_string("template", None, "A caption with words to choose from: a {red,blue} bird.")
    flags.DEFINE_string("data_dir", None, "Data set, for the sheets that need pictures.")
    flags.DEFINE_string("output_dir", None, "Folder for the sheets.", required=True)
    flags.DEFINE_list("sheets", None, f"Of {', '.join(SHEETS)}; by default all possible.")
    flags.DEFINE_integer("num_images", 2000, "Pictures of the gallery and the map.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Of the pictures.", lower_bound=0, upper_bound=2**62)
    flags.DEFINE_float(
        "truncation", 1.0, "Factor of the noise, in stages, words and ways.", lower_bound=0.0
    )
    flags.DEFINE_integer(
        "max_words", None, "Words read of a caption; the model's own number if left out.", 1
    )


def main(_: list[str]) -> None:
    """Makes the sheets that the flags ask for."""
    options = flags.FLAGS
    texts = list(options.text)
    if options.captions_file:
        texts += captions.read_file(options.captions_file)
    found = model_directory.find(options.model_dir)
    encoder = model_directory.weights_file(found, "image_encoder").is_file()
    with of_flag("sheets"):
        sheets = choose(
            options.sheets, given(len(texts), options.template, options.data_dir, encoder)
        )
    directory = model_directory.load(
        options.model_dir,
        need=("generator", "image_encoder") if encoder else ("generator",),
        max_words=options.max_words,
    )
    model = TextToImage(directory)
    folder = Path(options.output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be made: {error.strerror}") from error

    def save(name, sheet):
        save_png(folder / f"{name}.png", sheet)
        print(folder / f"{name}.png")

    seed, truncation = options.seed, options.truncation
    if "stages" in sheets:
        for i, text in enumerate(texts):
            save(f"stages_{i:03d}", stages_sheet(model, text, seed, truncation, damsm=encoder))
    if "words" in sheets:
        with of_flag("template"):
            save("words", words_sheet(model, options.template, seed, truncation))
    if "ways" in sheets:
        save("ways", ways_sheet(model, texts[0], texts[1], seed, truncation))
    if {"nearest", "gallery", "map"}.isdisjoint(sheets):
        return
    judge = Judge.load("DAMSM", options.model_dir, options.max_words)
    if "nearest" in sheets:
        train, test = (Split(options.data_dir, name) for name in ("train", "test"))
        drawn = model.generate(texts, seed=seed)[:, 0]
        sheet, medians = nearest_sheet(texts, drawn, judge.extractor, train, test)
        save("nearest", sheet)
        print(
            f"cosine with the nearest training picture, median: {medians['drawn']:.3f} drawn, "
            f"{medians['unseen']:.3f} unseen real pictures"
        )
    if "gallery" in sheets or "map" in sheets:
        test = Split(options.data_dir, "test")
        many = draw_many(directory, judge, test, options.num_images, seed)
        if "gallery" in sheets:
            save("gallery", gallery(many))
        if "map" in sheets:
            save("map", map_sheet(many))


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()

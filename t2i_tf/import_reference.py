"""Turns published PyTorch weights of AttnGAN into a model directory.

    python -m t2i_tf.import_reference --text_encoder=text_encoder200.pth
        --generator=bird_AttnGAN2.pth --captions=captions.pickle --output_dir=models/bird

Without --generator the encoders alone are imported. Every command takes the result as --model_dir;
t2i_tf.train takes it as --damsm, if it has an image encoder, and as --init_from, if it has a
generator. The files are read without running anything in them; docs/published_weights.md says
which file goes where and what differs from the published code.
"""

from pathlib import Path

from absl import flags

from data_pipeline.support.errors import UserError, run
from t2i_tf.models import model_directory
from t2i_tf.models.model_card import imported_card
from t2i_tf.published import assemble as reference_model
from t2i_tf.published.assemble import PublishedFile


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("text_encoder", None, "RNN_ENCODER, text_encoder*.pth.", required=True)
    flags.DEFINE_string("image_encoder", None, "CNN_ENCODER, image_encoder*.pth, if wanted.")
    flags.DEFINE_string("generator", None, "G_NET or G_DCGAN, *_AttnGAN2.pth, if wanted.")
    flags.DEFINE_list("discriminators", [], "D_NETs, netD*.pth, smallest image first.")
    flags.DEFINE_string("captions", None, "captions.pickle, which numbers the words.")
    flags.DEFINE_string("vocabulary", None, "Instead: text of one word per line, <end> first.")
    flags.DEFINE_string("output_dir", None, "Folder to write; new or empty.", required=True)
    flags.DEFINE_integer("max_words", 18, "Most words read of a caption; COCO: 12.", lower_bound=1)
    flags.DEFINE_boolean(
        "align_corners",
        None,
        "Whether the image encoder resizes pictures to 299 px with aligned corners, as it did when "
        "its GAN was trained; its own training took crops of 299 px and resized nothing. PyTorch "
        "up to 0.3.1, which trained the published weights, aligned them; later PyTorch does not. "
        "By default the file decides: PyTorch since 0.4.1 saves num_batches_tracked, earlier "
        "versions did not. Set it for weights that a later PyTorch saved again, or that 0.4.0 "
        "trained.",
    )
    flags.DEFINE_string("name", None, "The model's name; by default the generator file's.")


def main(_: list[str]) -> None:
    """Imports what the flags name."""
    options = flags.FLAGS
    if bool(options.captions) == bool(options.vocabulary):
        raise UserError("give either --captions=<captions.pickle> or --vocabulary=<text file>")
    if options.align_corners is not None and not options.image_encoder:
        raise UserError("--align_corners is about the image encoder: give --image_encoder=")
    if not options.generator and not options.image_encoder:
        raise UserError("give --generator=, to draw, or --image_encoder=, to train and to judge")
    if options.discriminators and not options.generator:
        raise UserError("--discriminators belong to a generator: give --generator=")
    if not all(options.discriminators):
        raise UserError("--discriminators has an empty entry")
    output_dir = Path(options.output_dir).resolve()
    place = next(folder for folder in output_dir.parents if folder.exists())
    if not place.is_dir():
        raise UserError(f"--output_dir={output_dir} cannot be made: {place} is a file")
    if output_dir.exists() and not (output_dir.is_dir() and not any(output_dir.iterdir())):
        raise UserError(f"--output_dir={output_dir} exists already: name a new or empty folder")
    files = [
        PublishedFile(network, Path(path))
        for network in ("text_encoder", "image_encoder", "generator")
        if (path := getattr(options, network))
    ]
    files += [PublishedFile("discriminator", Path(path)) for path in options.discriminators]
    vocabulary = reference_model.read(files, options.captions, options.vocabulary)
    model = reference_model.assemble(
        files,
        vocabulary,
        name=options.name or Path(options.generator or options.text_encoder).stem,
        max_words=options.max_words,
        align_corners=options.align_corners,
    )
    card = imported_card(model.config, files, options.captions or options.vocabulary, vocabulary)
    model_directory.save(output_dir, model, card)
    for file in files:
        print(f"{file}: {file.described()}")
    print(f"The model is in {output_dir}")


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()

"""Speed of a preset's training stream, against the bare JPEG decoder on the same records.

    python -m benchmarks.input_pipeline --config=configs/cub_attngan2.py --batch=10

The two take turns, so that `fraction_of_peak`, the stream's rate over the decoder's, compares them
as the machine was during the run. Without --data_dir the records hold pictures with a photograph's
1/f spectrum, stored as the builder stores them for the preset's size. The last line is JSON.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags
from ml_collections import ConfigDict
from PIL import Image

from benchmarks.machine import peak_memory_mb
from data_pipeline import tfrecord
from data_pipeline.dataset import Split
from data_pipeline.pictures import stored_jpeg
from data_pipeline.pixels import size_to_crop
from data_pipeline.records import write_index
from data_pipeline.support.errors import run
from data_pipeline.text.vocabulary import END, Vocabulary
from t2i_tf.networks.generator import Generator
from t2i_tf.training.flags import define_config

RECORDS, CAPTIONS, VOCABULARY = 256, 10, 5450


def define_flags() -> None:
    """Defines the command's flags."""
    define_config()
    flags.mark_flag_as_required("config")
    flags.DEFINE_integer("batch", None, "Images a batch; the config's if left out.", 2)
    flags.DEFINE_string("data_dir", None, "Built data set to read instead.")
    flags.DEFINE_integer("rounds", 7, "Timed turns of each.", 1)
    flags.DEFINE_integer("images", 600, "Images of a turn, at the least.", 1)


def main(_: list[str]) -> None:
    """Measures the preset's stream and prints the figures."""
    options = flags.FLAGS
    config = options.config.copy_and_resolve_references()
    if options.batch is not None:
        config.train.batch_size = options.batch
    image_sizes = Generator(**config.generator).image_sizes
    with tempfile.TemporaryDirectory() as folder:
        if options.data_dir is None:
            write_photographs(Path(folder), config, image_sizes[-1])
        split = Split(options.data_dir or folder, "train")
        figures = measure(split, config, options.rounds, options.images)
    print(f"{config.name}, batch {figures['batch']}, images of {image_sizes[-1]} px")
    print(f"  training stream     {figures['images_per_second']:.0f} images a second")
    print(f"  bare JPEG decoder   {figures['decoder_images_per_second']:.0f} images a second")
    print(f"  fraction of that    {figures['fraction_of_peak']:.3f}")
    print(f"  peak memory         {figures['peak_memory_mb']:.0f} MB")
    print(json.dumps(figures))


def measure(split: Split, config: ConfigDict, rounds: int, images: int) -> dict:
    """Times both; returns figures by name, in seconds and MB.

    Args:
        split: What is read.
        config: How it is read.
        rounds: Timed turns of each.
        images: Images of a turn, at the least.
    """
    batch = config.train.batch_size
    batches = -(-images // batch)
    stream = split.train_batches(
        batch_size=batch,
        image_sizes=Generator(**config.generator).image_sizes,
        max_words=config.data.max_words,
        seed=config.seed,
        flip=config.data.flip,
        crop_jitter=config.data.crop_jitter,
        exchange_words=config.data.exchange_words,
    )
    rates = {"stream": [], "decoder": []}
    for turn in range(rounds + 1):  # The first one warms up.
        for name, dataset in (("stream", stream), ("decoder", decoded(split, batch))):
            seconds = time_of(dataset, batches)
            if turn:
                rates[name].append(batches * batch / seconds)
    rate, decoder = (statistics.median(rates[name]) for name in ("stream", "decoder"))
    return {
        "step_seconds": batch / rate,
        "images_per_second": rate,
        "decoder_images_per_second": decoder,
        "fraction_of_peak": rate / decoder,
        "peak_memory_mb": peak_memory_mb(),
        "config": config.name,
        "batch": batch,
    }


def decoded(split: Split, batch: int) -> tf.data.Dataset:
    """Reads the split's records over and over, parsed and their JPEGs decoded, in parallel."""
    records = [row["image"] for row in split.examples()]
    return (
        tf.data.Dataset.from_tensor_slices(records)
        .repeat()
        .map(lambda jpeg: tf.size(tf.io.decode_jpeg(jpeg, 3)), num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch)
        .prefetch(tf.data.AUTOTUNE)
    )


def time_of(dataset: tf.data.Dataset, batches: int) -> float:
    """Times so many batches in seconds, after one that fills the buffers."""
    iterator = iter(dataset)
    next(iterator)
    start = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return time.perf_counter() - start


def write_photographs(
    folder: Path, config: ConfigDict, image_size: int, records: int = RECORDS
) -> None:
    """Writes a built data set of pictures with a 1/f spectrum and captions of random words.

    There are at most `RECORDS` different pictures.
    """
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary([END, *(f"word{i}" for i in range(1, VOCABULARY))])
    vocabulary.save(folder / tfrecord.VOCABULARY_FILE)
    side = size_to_crop(image_size)
    shard = folder / tfrecord.shard_name("photographs", "train", 0, 1)
    images = [
        stored_jpeg(Image.fromarray(photograph(rng, side)), (0, 0, side, side), side)
        for _ in range(min(records, RECORDS))
    ]
    with tf.io.TFRecordWriter(str(shard)) as f:
        for i in range(records):
            lengths = rng.integers(6, config.data.max_words + 4, CAPTIONS)
            record = tfrecord.serialize(
                image=images[i % RECORDS],
                class_id=i % 10,
                name=f"photographs/{i}",
                captions=["" for _ in lengths],
                tokens=[rng.integers(1, VOCABULARY, length) for length in lengths],
            )
            f.write(record)
    write_index(shard)
    tfrecord.DatasetInfo(
        dataset="photographs",
        stored_size=side,
        captions_per_image=CAPTIONS,
        max_words=config.data.max_words,
        vocabulary={
            "file": tfrecord.VOCABULARY_FILE,
            "size": VOCABULARY,
            "sha256": vocabulary.sha256,
        },
        splits={"train": {"images": records, "classes": 10, "shards": 1}},
        classes=[str(i) for i in range(10)],
        source={},
    ).save(folder)


def photograph(rng: np.random.Generator, side: int) -> np.ndarray:
    """Makes a random picture whose amplitudes fall with 1/f, as photographs' do.

    It is uint8 `[side, side, 3]`. Its colour channels are alike by nine tenths.
    """
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    frequency[0, 0] = np.inf
    grey, colour = rng.normal(size=[1, side, side]), rng.normal(size=[3, side, side])
    spectrum = np.fft.rfft2(0.9 * grey + 0.1 * colour) / frequency
    image = np.fft.irfft2(spectrum, [side, side])
    image = 128 + 50 * image / image.std()
    return np.moveaxis(image, 0, -1).clip(0, 255).astype(np.uint8)


def command() -> None:
    """The command line."""
    run(main, define_flags)


if __name__ == "__main__":
    command()

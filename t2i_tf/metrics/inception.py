"""Reads the networks with whose features papers measure pictures, from their original files.

| source | network | what papers measured with it |
| --- | --- | --- |
| `imagenet`, Keras weights `.h5` | Keras' Inception v3, ImageNet | nothing: the default here |
| frozen graph `.pb`, `.tgz` | Inception of 2015-12-05 | FID (TTUR), Inception Score (COCO) |
| `clean:` and a frozen graph | the same, pictures resized by clean-fid | clean FID and KID |
| TF-slim checkpoint | Inception v3 fine-tuned on birds | Inception Score (CUB) |
| `.pth` | torchvision's Inception v3, ImageNet | FID (PyTorch text-to-image papers) |
| `damsm` | the image encoder of the run itself | nothing: needs no download |
"""

import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from data_pipeline.pixels import to_float
from data_pipeline.support.errors import UserError
from data_pipeline.support.hashing import file_sha256
from t2i_tf.metrics.features import (
    Extractor,
    bilinear_resize,
    clean_resize,
    compiled,
    softmax,
)
from t2i_tf.metrics.slim import slim_checkpoint
from t2i_tf.models import model_directory
from t2i_tf.networks.image_encoder import INCEPTION_SIZE, inception_v3_trunk
from t2i_tf.published.torch_files import read_state_dict
from t2i_tf.published.weights import assign_inception_v3

IMAGENET, DAMSM, CLEAN = "imagenet", "damsm", "clean:"
# The file that keras.applications downloads for weights="imagenet"; fetched here to hash it.
_KERAS_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
_KERAS_FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3"
_KERAS_MD5 = "9a0d58056eeedaa3f26cb7ebd46da564"
_CLEAN_RESIZE = "Pillow bicubic to 299, antialiased, float (clean-fid)"
_2015_INPUT, _2015_FEATURES, _2015_CLASSES = "ExpandDims:0", "pool_3:0", "softmax/logits/MatMul"
# torchvision.models.inception_v3 undoes ImageNet's normalisation with these; see `torchvision`.
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load(source: str | Path) -> Extractor:
    """Reads a network; the file's name tells its kind.

    Args:
        source: `"imagenet"` (downloaded by Keras) or a path, see the table above; before a frozen
            graph `clean:` resizes as clean-fid.

    Raises:
        UserError: The file is missing, damaged, or of another network.
    """
    if source == IMAGENET:
        return keras_inception()
    clean = str(source).startswith(CLEAN)
    path = Path(str(source).removeprefix(CLEAN))
    if clean and not _is_graph(path):
        raise UserError(f"{source}: {CLEAN} is for the frozen graph, a .pb or .tgz file")
    if path.suffix == ".index":
        path = path.with_suffix("")
    checkpoint = tf.io.gfile.exists(f"{path}.index")
    if not path.is_file() and not checkpoint:
        raise UserError(f"{source}: there is no such file")
    if path.suffix == ".h5":
        return keras_inception(path)
    if _is_graph(path):
        return frozen_graph(path, clean)
    if path.suffix in (".pth", ".pt"):
        return torchvision(path)
    if checkpoint or ".ckpt" in path.name:
        return slim_checkpoint(path)
    raise UserError(
        f"{source}: the name should end in .h5 (Keras weights), .pb or .tgz (frozen "
        "graph), .pth (torchvision) or .ckpt (TF-slim checkpoint)"
    )


def _is_graph(path):
    return path.suffix in (".pb", ".tgz") or path.name.endswith(".tar.gz")


def load_all(sources: Sequence[str | Extractor], own: Extractor | None) -> list[Extractor]:
    """Reads several networks.

    Args:
        sources: See `load`; also `"damsm"`, or a network that is loaded already.
        own: The network that `"damsm"` stands for, or None.

    Raises:
        UserError: One cannot be read, or two are of the same kind, which reports could not tell
            apart.
    """
    extractors = {}
    for source in sources:
        if source == DAMSM and own is None:
            raise UserError("damsm stands for the image encoder of the model, and there is none")
        extractor = own if source == DAMSM else source
        if not isinstance(extractor, Extractor):
            extractor = load(source)
        if extractor.scale in extractors:
            raise UserError(f"two networks are of the kind {extractor.scale!r}")
        extractors[extractor.scale] = extractor
    return list(extractors.values())


def keras_inception(path: str | Path | None = None) -> Extractor:
    """Keras' Inception v3 with ImageNet's 1,000 classes.

    Args:
        path: Weights of `keras.applications.InceptionV3(include_top=True)`; downloaded by Keras
            if it is not given.

    Raises:
        UserError: The weights cannot be downloaded or do not fit.
    """
    path = Path(path or _download())
    try:
        network = keras.applications.InceptionV3(weights=path)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split("List of objects")[0].split())
        raise UserError(
            f"{path}: no weights of keras.applications.InceptionV3(include_top=True): {reason}"
        ) from error
    outputs = [network.get_layer("avg_pool").output, network.output]
    run = compiled(keras.Model(network.input, outputs))

    def forward(images):
        return run(to_float(clean_resize(images, INCEPTION_SIZE)))

    return Extractor(
        scale=IMAGENET,
        name="Keras' Inception v3 (ImageNet)",
        weights=path.name,
        sha256=file_sha256(path),
        resize=_CLEAN_RESIZE,
        dim=outputs[0].shape[-1],
        classes=outputs[1].shape[-1],
        forward=forward,
    )


def frozen_graph(path: str | Path, clean: bool = False) -> Extractor:
    """The Inception of 2015-12-05, whose `pool_3` gives the FID of TTUR (Heusel et al., 2017).

    The graph itself resizes the pictures, as in TTUR; COCO's Inception Scores were published on
    pictures that Pillow had resized to 299, bilinearly, before. Class probabilities leave out the
    bias of the logits, as in the code of Salimans et al. (2016).

    Args:
        path: `classify_image_graph_def.pb`, or `inception-2015-12-05.tgz` that holds it.
        clean: Whether to resize the pictures before the graph does, see `clean_resize`; the result
            is on a scale of its own (Parmar et al., 2022).

    Raises:
        UserError: The file is damaged or holds another graph.
    """
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(_graph_bytes(Path(path)))
    except DecodeError as error:
        raise UserError(f"{path} is no frozen TensorFlow graph") from error
    for node in definition.node:
        node.attr.pop("_output_shapes", None)  # They state a batch size of one.
    # In a session, since functions refuse the batch normalisation of graphs before version 9.
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
        try:
            features, logits = tf.graph_util.import_graph_def(
                definition,
                input_map={_2015_INPUT: images},
                return_elements=[_2015_FEATURES, _2015_CLASSES],
                name="",
            )
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} is not the Inception of 2015-12-05: {reason}") from error
    session = tf.compat.v1.Session(graph=graph)
    weights = session.run(logits.inputs[1])

    def forward(pictures):
        seen = clean_resize(pictures, INCEPTION_SIZE) if clean else pictures.astype(np.float32)
        pooled = session.run(features, {images: seen})
        pooled = pooled.reshape(len(pictures), -1)
        return pooled, softmax(pooled @ weights)

    return Extractor(
        scale="2015-clean" if clean else "2015",
        name="Inception of 2015-12-05",
        weights=Path(path).name,
        sha256=file_sha256(path),
        resize=_CLEAN_RESIZE if clean else "the graph's own bilinear to 299",
        dim=weights.shape[0],
        classes=weights.shape[1],
        forward=forward,
    )


def torchvision(path: str | Path) -> Extractor:
    """torchvision's Inception v3, whose features give the FID of PyTorch text-to-image papers.

    Those papers' code (DM-GAN's, after pytorch-fid of 2018) resizes the pictures with Pillow, keeps
    them in [0, 1] and shifts each channel as if it had been normalised by ImageNet's statistics.
    The network expects [-1, 1], but the published figures have the scale of this code.

    Args:
        path: `inception_v3_google-*.pth`.

    Raises:
        UserError: The file is damaged or holds another network.
    """
    state = _torch_state(path)
    head = {name: state.pop(f"fc.{name}", None) for name in ("weight", "bias")}
    if any(array is None for array in head.values()):
        raise UserError(f"{path} is no Inception v3 of torchvision: it lacks fc.weight")
    if len(head["bias"]) == 1008:
        raise UserError(
            f"{path} is a port of the Inception of 2015-12-05, not torchvision's "
            "network: give the original, inception-2015-12-05.tgz"
        )
    trunk = inception_v3_trunk("random")
    state = {key: array for key, array in state.items() if not key.startswith("AuxLogits.")}
    assign_inception_v3(trunk, state)
    run = compiled(keras.Model(trunk.inputs[0], trunk.outputs[1:]))
    mean, std = np.array(_IMAGENET_MEAN, np.float32), np.array(_IMAGENET_STD, np.float32)

    def forward(images):
        unit = bilinear_resize(images, INCEPTION_SIZE) / np.float32(255.0)
        (features,) = run(unit * (std / 0.5) + (mean - 0.5) / 0.5)
        return features, softmax(features @ head["weight"].T + head["bias"])

    return Extractor(
        scale="torchvision",
        name="torchvision's Inception v3 (ImageNet)",
        weights=Path(path).name,
        sha256=file_sha256(path),
        resize="Pillow bilinear to 299, antialiased, rounded; [0, 1] shifted as DM-GAN's code does",
        dim=head["weight"].shape[1],
        classes=len(head["bias"]),
        forward=forward,
    )


def damsm_extractor(image_encoder: keras.Model, directory: str | Path) -> Extractor:
    """The codes of a run's own image encoder: features without classes, without a download.

    Args:
        image_encoder: An `ImageEncoder`.
        directory: The model directory that it was loaded from.
    """
    path = model_directory.weights_file(model_directory.find(directory), "image_encoder")
    encode = tf.function(image_encoder)  # Retraced for each new size, which must be static.

    def forward(images):
        _, codes = encode(to_float(images))
        return codes.numpy(), None

    return Extractor(
        scale=DAMSM,
        name="DAMSM image encoder",
        weights=path.name,
        sha256=file_sha256(path),
        resize=f"the encoder's own bilinear to {image_encoder.input_size}",
        dim=image_encoder.code.units,
        classes=0,
        forward=forward,
    )


def _download():
    try:
        return keras.utils.get_file(
            _KERAS_FILE,
            f"{_KERAS_FOLDER}/{_KERAS_FILE}",
            cache_subdir="models",
            file_hash=_KERAS_MD5,
        )
    except Exception as error:  # Keras raises no narrower class for a failed download.
        raise UserError(
            f"Inception's weights cannot be downloaded ({error}): fetch the file elsewhere and "
            "give its name"
        ) from error


def _graph_bytes(path):
    if path.suffix == ".pb":
        return path.read_bytes()
    try:
        with tarfile.open(path) as archive:
            graphs = [member for member in archive if member.name.endswith(".pb")]
            if len(graphs) == 1:
                return archive.extractfile(graphs[0]).read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is no archive: {reason}") from error
    raise UserError(f"{path}: expected one .pb file in it, found {len(graphs)}")


def _torch_state(path):
    try:
        return read_state_dict(path)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error

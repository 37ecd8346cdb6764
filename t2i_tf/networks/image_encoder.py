"""Image encoders of DAMSM: region features and a global code in the space of the words."""

from pathlib import Path

import keras
import numpy as np
from keras import KerasTensor as Tensor
from keras import ops

from t2i_tf.networks.batch_norm import BatchNorm, fold
from t2i_tf.networks.initializers import UNIFORM

KINDS = ("inception_v3", "small")
INCEPTION_SIZE = 299
# torchvision's blocks and the last parts of their convolutions' names, in the order of the network,
# which is also the order in which Keras creates them.
INCEPTION_BLOCKS = {
    "5b 5c 5d": "1x1 5x5_1 5x5_2 3x3dbl_1 3x3dbl_2 3x3dbl_3 _pool",
    "6a": "3x3 3x3dbl_1 3x3dbl_2 3x3dbl_3",
    "6b 6c 6d 6e": "1x1 7x7_1 7x7_2 7x7_3 7x7dbl_1 7x7dbl_2 7x7dbl_3 7x7dbl_4 7x7dbl_5 _pool",
    "7a": "3x3_1 3x3_2 7x7x3_1 7x7x3_2 7x7x3_3 7x7x3_4",
    "7b 7c": "1x1 3x3_1 3x3_2a 3x3_2b 3x3dbl_1 3x3dbl_2 3x3dbl_3a 3x3dbl_3b _pool",
}


@keras.saving.register_keras_serializable("t2i_tf")
class ImageEncoder(keras.Model):
    """A convolutional trunk with two projections into the text space (AttnGAN, section 3.2).

    Args:
        trunk: Maps images `[B, S, S, 3]` to (region features `[B, h, w, any]`, global features
            `[B, any]`).
        units: E.
        input_size: S; images of other sizes are resized to it, bilinearly.
        trainable_trunk: False freezes the trunk's weights and, without `batch_statistics`, its
            BatchNorm statistics.
        align_corners: See `resize_bilinear`.
        batch_statistics: Whether the statistics of a frozen trunk stay free: in training, its
            BatchNorm then uses the batch's statistics and updates the running ones.
    """

    def __init__(
        self,
        trunk: keras.Model,
        units: int,
        input_size: int,
        trainable_trunk: bool = True,
        align_corners: bool = False,
        batch_statistics: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.trunk = trunk
        self.trunk.trainable = trainable_trunk or batch_statistics
        if not trainable_trunk:
            for variable in self.trunk.trainable_variables:
                variable.trainable = False
        self.batch_statistics = batch_statistics
        self.input_size = input_size
        self.align_corners = align_corners
        self.regions = keras.layers.Conv2D(
            units, 1, use_bias=False, kernel_initializer=UNIFORM, name="regions"
        )
        self.code = keras.layers.Dense(units, kernel_initializer=UNIFORM, name="code")

    def build(self, images_shape):
        regions, pooled = self.trunk.output_shape
        self.regions.build(regions)
        self.code.build(pooled)

    def call(self, images, training=False):
        """Encodes images.

        Args:
            images: `[B, any, any, 3]` in [-1, 1].
            training: Whether BatchNorm uses the batch's statistics, unless they are frozen.

        Returns:
            Region features `[B, h, w, E]` and codes `[B, E]`.
        """
        images = resize_bilinear(images, self.input_size, self.align_corners)
        features, pooled = self.trunk(images, training=training and self.trunk.trainable)
        return self.regions(features), self.code(pooled)

    def folded(self) -> "ImageEncoder":
        """A frozen encoder of the same codes, up to rounding, without the trunk's BatchNorms."""
        network = ImageEncoder(
            _without_norms(self.trunk),
            self.code.units,
            self.input_size,
            trainable_trunk=False,
            align_corners=self.align_corners,
            name=self.name,
            dtype=self.dtype_policy,
        )
        network(keras.Input((self.input_size, self.input_size, 3)))
        for own, layer in ((network.regions, self.regions), (network.code, self.code)):
            own.set_weights(layer.get_weights())
        network.trainable = False
        return network

    def get_config(self):
        return {
            **super().get_config(),
            "trunk": keras.saving.serialize_keras_object(self.trunk),
            "units": self.code.units,
            "input_size": self.input_size,
            "trainable_trunk": bool(self.trunk.trainable_variables),
            "align_corners": self.align_corners,
            "batch_statistics": self.batch_statistics,
        }

    @classmethod
    def from_config(cls, config):
        trunk = keras.saving.deserialize_keras_object(config.pop("trunk"))
        return cls(trunk, **config)


def resize_bilinear(images: Tensor, size: int, align_corners: bool = False) -> Tensor:
    """Resizes `[B, h, w, C]` to `[B, size, size, C]`, bilinearly, without antialiasing.

    Args:
        images: `[B, h, w, C]`; returned unchanged if h = w = size.
        size: Side in pixels.
        align_corners: Whether the centres of the corner pixels stay in the corners (PyTorch before
            0.4) or pixels are squares whose outer edges stay in place (later PyTorch, TensorFlow).
    """
    _, height, width, _ = images.shape
    if (height, width) == (size, size):
        return images
    if not align_corners:
        return ops.image.resize(images, (size, size), interpolation="bilinear")

    def weights(side):  # [size, side]: a hat function around each new pixel's place
        positions = np.linspace(0, side - 1, size)[:, None]
        hats = np.maximum(0.0, 1.0 - np.abs(positions - np.arange(side)))
        return ops.cast(hats, images.dtype)

    images = ops.einsum("yh,bhwc->bywc", weights(height), images)
    return ops.einsum("xw,bywc->byxc", weights(width), images)


@keras.saving.register_keras_serializable("t2i_tf")
class AveragePoolingWithPadding(keras.layers.Layer):
    """3x3 stride-1 'same' average pooling that counts the padding, as torchvision's does."""

    def call(self, x):
        x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return ops.average_pool(x, 3, strides=1, padding="valid")


def inception_v3_trunk(weights: str | Path = "imagenet") -> keras.Model:
    """Inception v3 up to Mixed_6e (17x17x768) and the pooled Mixed_7c (2048).

    Keras' network and weights (Szegedy et al., 2016, arXiv:1512.00567) in torchvision's form:
    average pooling counts the padding, BatchNorm has a gamma (1 in Keras' weights) and a momentum
    of 0.9, and layers have the names of torchvision's modules; a convolution's activation has the
    name of the module around it.

    Args:
        weights: `"imagenet"` (downloaded by Keras), the path of a Keras weights file of
            `keras.applications.InceptionV3(include_top=False)`, or `"random"`.
    """
    published = keras.applications.InceptionV3(
        include_top=False,
        weights=None if weights == "random" else weights,
        input_shape=(INCEPTION_SIZE, INCEPTION_SIZE, 3),
    )
    names = _torchvision_names(published)

    def as_in_torchvision(layer):
        if isinstance(layer, keras.layers.AveragePooling2D):
            return AveragePoolingWithPadding(name=layer.name)
        config = {**layer.get_config(), "name": names.get(layer.name, layer.name)}
        if isinstance(layer, keras.layers.BatchNormalization):
            return BatchNorm.from_config({**config, "scale": True, "momentum": 0.9})
        return layer.__class__.from_config(config)

    network = keras.models.clone_model(
        published,
        clone_function=as_in_torchvision,
        call_function=lambda layer, *inputs, **_: layer(*inputs),  # `BatchNorm` takes no mask.
    )
    for layer in published.layers:
        if layer.weights:
            copies = {v.name: v for v in network.get_layer(names[layer.name]).variables}
            for variable in layer.variables:
                copies[variable.name].assign(variable)
    pooled = ops.mean(network.get_layer("Mixed_7c").output, axis=(1, 2))
    regions = network.get_layer("Mixed_6e").output
    return keras.Model(network.input, (regions, pooled), name="inception_v3")


def _torchvision_names(network):
    """torchvision's names of the layers of `keras.applications.InceptionV3`, by Keras' names."""
    names = {}
    modules = [f"Conv2d_{stem}" for stem in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")]
    for blocks, branches in INCEPTION_BLOCKS.items():
        for block in blocks.split():
            names[f"mixed{len(names)}"] = f"Mixed_{block}"
            modules += [f"Mixed_{block}.branch{branch}" for branch in branches.split()]
    for kind, suffix in (
        (keras.layers.Conv2D, ".conv"),
        (keras.layers.BatchNormalization, ".bn"),
        (keras.layers.Activation, ""),
    ):
        created = [layer.name for layer in network.layers if isinstance(layer, kind)]
        created.sort(key=lambda name: (len(name), name))  # conv2d, conv2d_9, conv2d_10
        names |= {old: f"{new}{suffix}" for old, new in zip(created, modules, strict=True)}
    return names


def _without_norms(trunk):
    """A copy of a trunk with each BatchNorm folded into the convolution before it."""
    norms = {
        id(layer.input): layer
        for layer in trunk.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }

    def without_norm(layer):
        if isinstance(layer, keras.layers.BatchNormalization):
            return keras.layers.Identity(name=layer.name, dtype=layer.dtype_policy)
        config = layer.get_config()
        if id(layer.output) in norms:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(
        trunk,
        clone_function=without_norm,
        call_function=lambda layer, *inputs, **_: layer(*inputs),
    )
    for layer in trunk.layers:
        if norm := norms.get(id(layer.output)):
            copy.get_layer(layer.name).set_weights(fold(layer.kernel, norm))
        elif layer.weights and layer not in norms.values():
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def small_trunk(input_size: int, filters: int) -> keras.Model:
    """A compact network trained from scratch: regions of input_size / 8, 4 x filters channels.

    The global features keep the coarse layout (4x4) instead of pooling it away, because they must
    tell where things are.

    Args:
        input_size: Side in pixels, a multiple of 32 of at least 64.
        filters: Channels of the first layer.
    """
    inputs = keras.Input((input_size, input_size, 3))
    x = inputs
    for i, width in enumerate((filters, 2 * filters, 4 * filters)):
        x = _conv_block(x, width, 2, f"down_{i}")
    regions = _conv_block(x, 4 * filters, 1, "regions")
    x = _conv_block(regions, 4 * filters, 2, "down_3")
    x = keras.layers.AveragePooling2D(input_size // 64)(x) if input_size > 64 else x
    return keras.Model(inputs, (regions, keras.layers.Flatten()(x)), name="small")


def _conv_block(x, filters, strides, name):
    x = keras.layers.Conv2D(
        filters, 3, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return keras.layers.LeakyReLU(0.1)(x)


def build_image_encoder(
    kind: str,
    units: int,
    input_size: int = INCEPTION_SIZE,
    filters: int = 32,
    weights: str | Path = "imagenet",
    align_corners: bool = False,
    **kwargs,
) -> ImageEncoder:
    """Builds an image encoder by name.

    Args:
        kind: `"inception_v3"` (frozen trunk) or `"small"` (trained from scratch).
        units: E.
        input_size: Side of `small`'s input images; that of Inception v3 is 299.
        filters: Channels of `small`'s first layer.
        weights: Inception's weights, see `inception_v3_trunk`.
        align_corners: How images are resized to the input size, see `resize_bilinear`.
        **kwargs: Passed to `ImageEncoder`.

    Raises:
        ValueError: `kind` is unknown.
    """
    if kind == "inception_v3":
        trunk, input_size, trainable = inception_v3_trunk(weights), INCEPTION_SIZE, False
    elif kind == "small":
        trunk, trainable = small_trunk(input_size, filters), True
    else:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    return ImageEncoder(trunk, units, input_size, trainable, align_corners, **kwargs)

"""Image encoders of DAMSM: region features and a global code in the space of the words."""

import keras
from keras import ops

KINDS = ("inception_v3", "small")
INCEPTION_SIZE = 299


@keras.saving.register_keras_serializable("t2i_tf")
class ImageEncoder(keras.Model):
    """A convolutional trunk with two projections into the text space (AttnGAN, section 3.2).

    Args:
        trunk: Maps images `[B, S, S, 3]` to (region features `[B, h, w, any]`, global features
            `[B, any]`).
        units: E.
        input_size: S; images of other sizes are resized to it, bilinearly.
        trainable_trunk: False keeps the trunk's weights and BatchNorm statistics as they are.
    """

    def __init__(self, trunk, units, input_size, trainable_trunk=True, **kwargs):
        super().__init__(**kwargs)
        self.trunk = trunk
        self.trunk.trainable = trainable_trunk
        self.input_size = input_size
        uniform = keras.initializers.RandomUniform(-0.1, 0.1)
        self.regions = keras.layers.Conv2D(
            units, 1, use_bias=False, kernel_initializer=uniform, name="regions"
        )
        self.code = keras.layers.Dense(units, kernel_initializer=uniform, name="code")

    def call(self, images, training=False):
        """Encodes images.

        Args:
            images: `[B, any, any, 3]` in [-1, 1].
            training: Whether BatchNorm of a trainable trunk uses the batch's statistics.

        Returns:
            Region features `[B, h, w, E]` and codes `[B, E]`.
        """
        if images.shape[1:3] != (self.input_size, self.input_size):
            size = (self.input_size, self.input_size)
            images = ops.image.resize(images, size, interpolation="bilinear")
        features, pooled = self.trunk(images, training=training and self.trunk.trainable)
        return self.regions(features), self.code(pooled)


@keras.saving.register_keras_serializable("t2i_tf")
class AveragePoolingWithPadding(keras.layers.Layer):
    """3x3 stride-1 'same' average pooling that counts the padding, as torchvision's Inception."""

    def call(self, x):
        x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return ops.average_pool(x, 3, strides=1, padding="valid")


def inception_v3_trunk(weights="imagenet"):
    """Inception v3 up to Mixed_6e (17x17x768) and the pooled Mixed_7c (2048).

    Keras' ImageNet weights with torchvision's average pooling.

    Args:
        weights: `"imagenet"` (downloaded by Keras), the path of a Keras weights file of
            `keras.applications.InceptionV3(include_top=False)`, or `"random"`.
    """

    def count_padding(layer):
        if isinstance(layer, keras.layers.AveragePooling2D):
            return AveragePoolingWithPadding(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    published = keras.applications.InceptionV3(
        include_top=False,
        weights=None if weights == "random" else weights,
        input_shape=(INCEPTION_SIZE, INCEPTION_SIZE, 3),
    )
    network = keras.models.clone_model(published, clone_function=count_padding)
    network.set_weights(published.get_weights())
    pooled = ops.mean(network.get_layer("mixed10").output, axis=(1, 2))
    regions = network.get_layer("mixed7").output
    return keras.Model(network.inputs, (regions, pooled), name="inception_v3")


def small_trunk(input_size, filters):
    """A compact network trained from scratch: regions of input_size / 8, 4 x filters channels.

    The global features keep the coarse layout (4x4) instead of pooling it away, so that what is
    where can be told from them.

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
    kind, units, input_size=INCEPTION_SIZE, filters=32, weights="imagenet", **kwargs
):
    """Builds an image encoder by name.

    Args:
        kind: `"inception_v3"` (frozen trunk) or `"small"` (trained from scratch).
        units: E.
        input_size: Side of the images that `small` sees; Inception v3 sees 299.
        filters: Channels of `small`'s first layer.
        weights: Inception's weights, see `inception_v3_trunk`.
        **kwargs: Passed to `ImageEncoder`.
    """
    if kind == "inception_v3":
        trunk, input_size, trainable = inception_v3_trunk(weights), INCEPTION_SIZE, False
    elif kind == "small":
        trunk, trainable = small_trunk(input_size, filters), True
    else:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    return ImageEncoder(trunk, units, input_size, trainable_trunk=trainable, **kwargs)

"""The presets' networks at full size beside the published models' state dicts, without weights."""

from unittest import mock

import keras
import numpy as np

from configs import coco_attngan2, cub_attngan2, cub_attngan3_512, cub_dcgan
from t2i_tf.networks import build
from t2i_tf.published import weights as reference_weights

BIRD_VOCABULARY = 5450


def _text_encoder(preset):
    network = build.text_encoder(preset.get_config(), BIRD_VOCABULARY)
    return network, reference_weights.assign_text_encoder


def _image_encoder(preset):
    network = build.image_encoder(preset.get_config(), pretrained=False)
    return network, reference_weights.assign_image_encoder


def _generator(preset):
    return build.generator(preset.get_config()), reference_weights.assign_generator


def _discriminator(preset, image_size):
    (network,) = build.discriminators(preset.get_config(), [image_size])
    return network, reference_weights.assign_discriminator


NETWORKS = {  # how to build each published model's twin
    "text_encoder (birds: RNN_ENCODER(5450, nhidden=256), LSTM)": (_text_encoder, cub_attngan2),
    "image_encoder (CNN_ENCODER(256))": (_image_encoder, cub_attngan2),
    "bird_AttnGAN2 (G_NET GF 32 R_NUM 2, 3 branches)": (_generator, cub_attngan2),
    "bird D_NET64 (DF 64)": (_discriminator, cub_attngan2, 64),
    "bird D_NET128 (DF 64)": (_discriminator, cub_attngan2, 128),
    "bird D_NET256 (DF 64)": (_discriminator, cub_attngan2, 256),
    "bird D_NET256 of the DCGAN (b_jcu=False, DF 64)": (_discriminator, cub_dcgan, 256),
    "csyan5 512 px (G_NET GF 32 R_NUM 2, 4 branches)": (_generator, cub_attngan3_512),
    "csyan5 D_NET512 (DF 64)": (_discriminator, cub_attngan3_512, 512),
    "bird_AttnDCGAN2 (G_DCGAN GF 32 R_NUM 0, 3 branches)": (_generator, cub_dcgan),
    "coco_AttnGAN2 (G_NET GF 48 R_NUM 3, 3 branches)": (_generator, coco_attngan2),
    "coco D_NET64 (DF 96)": (_discriminator, coco_attngan2, 64),
    "coco D_NET128 (DF 96)": (_discriminator, coco_attngan2, 128),
    "coco D_NET256 (DF 96)": (_discriminator, coco_attngan2, 256),
}


def map_shapes(model, shapes):
    """Gives a full-size network a published model's keys and shapes; no value takes any memory.

    Args:
        model: One of `NETWORKS`.
        shapes: The state dict's shapes by key.

    Returns:
        (the network, the shapes that its variables were given, by path).
    """
    build_network, *arguments = NETWORKS[model]
    state = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}
    assigned = {}

    def assign(variable, value):
        assigned[variable.path] = tuple(value.shape)

    with (
        keras.StatelessScope(initialize_variables=False),
        mock.patch.object(keras.Variable, "assign", assign),
    ):
        network, assign_network = build_network(*arguments)
        assigned.clear()
        assign_network(network, state)
    keras.utils.clear_session()  # else the next scope initializes this one's variables after all
    return network, assigned

"""Cases of the losses and their gradients; see `tests.parity.networks`."""

import functools

import numpy as np
import tensorflow as tf
from keras import ops

from t2i_tf.networks.attention import word_region_attention
from t2i_tf.training import losses
from tests.parity.fixture import channels_last, load, running_statistics, unbiased_running_variance
from tests.parity.networks import discriminator, pictures


def gan_losses_case(mode, heads="both"):
    """Both losses from the stored weights, and the gradient that reaches the generated image.

    The published numbers of the conditional head alone are the losses'.
    """
    fixture, training = load("losses_gan"), mode == "train"
    sentence = fixture["in/sent_emb"]
    real, fake = pictures(fixture, "real"), tf.constant(pictures(fixture, "fake"))
    weights = fixture.group("w/")
    if heads == "conditional":
        weights = {k: v for k, v in weights.items() if not k.startswith("UNCOND_DNET")}
    judges = [discriminator(fixture, 64, weights) for _ in range(2)]
    with unbiased_running_variance():
        network = judges[0]
        of_real = network.features(real, training=training)
        of_fake = network.features(fake, training=training)
        matched, fake_matched, mismatched = (
            network.conditional(features, code, training=training)
            for features, code in (
                (of_real, sentence),
                (of_fake, sentence),
                (of_real[:-1], sentence[1:]),
            )
        )
        loss_d = losses.discriminator_loss(
            network.unconditional(of_real),
            matched,
            network.unconditional(of_fake),
            fake_matched,
            mismatched,
        )
        with tf.GradientTape() as tape:
            tape.watch(fake)
            loss_g = losses.generator_loss(*judges[1](fake, sentence, training=training))
    if heads == "conditional":
        names = [f"cond_only/{mode}/{name}" for name in ("errD", "errG")]
        actual = dict(zip(names, (loss_d, loss_g), strict=True))
        return fixture, actual, {name: fixture[f"out/{name}"] for name in names}
    actual = {"errD": loss_d, "errG": loss_g, "grad": tape.gradient(loss_g, fake)}
    expected = {name: fixture[f"out/{mode}/{name}"] for name in ("errD", "errG")}
    expected["grad__sub3"] = channels_last(fixture[f"grad/{mode}/errG_fake__sub3"])
    for judge, group in zip(judges, ("after", "after_g"), strict=True):
        state = weights | (fixture.group(f"{group}/") if training else {})
        after = running_statistics(discriminator(fixture, 64, state))
        actual |= {f"{group}/{k}": v for k, v in running_statistics(judge).items()}
        expected |= {f"{group}/{k}": v for k, v in after.items()}
    return (
        fixture,
        {f"{mode}/{k}": v for k, v in actual.items()},
        {f"{mode}/{k}": v for k, v in expected.items()},
    )


def kl_case():
    fixture = load("kl_loss")
    kl = losses.kl_loss(fixture["in/mu"], fixture["in/logvar"])
    return fixture, {"kl": kl}, fixture.group("out/")


def damsm_inputs():
    """The fixture, its gammas, word mask, and inputs by name."""
    fixture = load("losses_damsm")
    gammas = [fixture.config[f"GAMMA{i}"] for i in (1, 2, 3)]
    names = ("words_emb", "sent_emb", "img_features", "cnn_code")
    inputs = {name: tf.constant(channels_last(fixture[f"in/{name}"])) for name in names}
    mask = np.arange(inputs["words_emb"].shape[1]) < fixture["in/cap_lens"][:, None]
    return fixture, gammas, mask, inputs


def damsm_scores_case():
    fixture, (gamma1, gamma2, gamma3), mask, inputs = damsm_inputs()
    regions, words = inputs["img_features"], inputs["words_emb"]
    flat = ops.reshape(regions, (len(mask), -1, regions.shape[-1]))
    word_scores = losses.word_scores(words, flat, mask, gamma1, gamma2)
    sentence_scores = losses.sentence_scores(inputs["sent_emb"], inputs["cnn_code"])
    _, attention = word_region_attention(words, flat, mask, gamma1)
    expected = {f"noclass/{name}_sim": fixture[f"out/noclass/{name}_sim"] for name in "ws"}
    actual = {"noclass/w_sim": gamma3 * word_scores, "noclass/s_sim": gamma3 * sentence_scores}
    for i, length in enumerate(fixture["in/cap_lens"]):
        expected[f"att_map_{i}"] = fixture[f"out/att_map_{i}"][0]
        actual[f"att_map_{i}"] = ops.reshape(
            attention[i, i, :length], (length, *regions.shape[1:3])
        )
    return fixture, actual, expected


def damsm_losses_case(classes):
    """The four losses and, with classes, the gradients of the words' and the sentences' pair."""
    fixture, gammas, mask, inputs = damsm_inputs()
    ids = fixture["in/class_ids"] if classes == "class" else np.arange(len(mask))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        captions = inputs["words_emb"], inputs["sent_emb"], mask
        images = inputs["img_features"], inputs["cnn_code"]
        values = losses.damsm_losses(losses.damsm_scores(*captions, *images, gammas), ids)
        pairs = {
            kind: [values[f"{kind}_image_to_text"], values[f"{kind}_text_to_image"]]
            for kind in ("word", "sentence")
        }
        sums = {kind: sum(pair) for kind, pair in pairs.items()}
    expected, actual = {}, {}
    for kind, pair in pairs.items():
        for i, value in enumerate(pair):
            name = f"{classes}/{kind[0]}_loss{i}"
            expected[name], actual[name] = fixture[f"out/{name}"], value
    if classes == "class":
        of = {"words_emb": "word", "img_features": "word"}
        for name, array in inputs.items():
            actual[f"class/grad/{name}"] = tape.gradient(sums[of.get(name, "sentence")], array)
        for name, gradient in fixture.group("grad/class/").items():
            expected[f"class/grad/{name}"] = channels_last(gradient)
    return fixture, actual, expected


CASES = {
    "GAN losses": functools.partial(gan_losses_case, "eval"),
    "GAN losses, training": functools.partial(gan_losses_case, "train"),
    "GAN losses, no unconditional head": functools.partial(gan_losses_case, "eval", "conditional"),
    "GAN losses, no unconditional head, training": functools.partial(
        gan_losses_case, "train", "conditional"
    ),
    "KL divergence": kl_case,
    "DAMSM's scores": damsm_scores_case,
    "DAMSM's losses and gradients": functools.partial(damsm_losses_case, "class"),
    "DAMSM's losses, all classes different": functools.partial(damsm_losses_case, "noclass"),
}

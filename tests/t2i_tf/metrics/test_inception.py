"""The networks, each as a stand-in of the file that the published one comes in."""

import hashlib
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.support.errors import UserError
from t2i_tf.metrics import inception
from t2i_tf.metrics.features import bilinear_resize, clean_resize
from t2i_tf.metrics.r_precision import picture_codes
from t2i_tf.models import model_directory

v1 = tf.compat.v1


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (3, 24, 24, 3), np.uint8)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def softmax(logits):
    return tf.nn.softmax(logits).numpy()


def assert_probabilities(probabilities, shape):
    assert probabilities.shape == shape
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("size", [10, 24, 50])
def test_resizing_is_antialiased_and_only_clean_resizing_is_not_rounded(size, pictures):
    images = tf.cast(pictures, tf.float32)
    clean, rounded = clean_resize(pictures, size), bilinear_resize(pictures, size)
    expected = tf.image.resize(images, (size, size), "bicubic", antialias=True)
    np.testing.assert_allclose(clean, np.clip(expected, 0, 255), atol=1e-2)
    expected = tf.image.resize(images, (size, size), "bilinear", antialias=True)
    np.testing.assert_allclose(rounded, expected, atol=1.01)
    assert rounded.dtype == np.uint8 and clean.dtype == np.float32
    assert size == 24 or np.any(clean % 1)


@pytest.fixture
def graph(rng, tmp_path):
    """A frozen graph with the names and the age of the one of 2015, and what it computes."""
    kernel, head = (rng.standard_normal(shape).astype(np.float32) for shape in ((3, 8), (8, 5)))
    shift, scale, offset = rng.uniform(0.5, 1.5, (3, 8)).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default():
        jpeg = v1.placeholder(tf.string, name="DecodeJpeg/contents")
        x = tf.cast(tf.io.decode_jpeg(jpeg, channels=3), tf.float32)
        x = tf.expand_dims(x, 0, name="ExpandDims")
        x = tf.nn.conv2d((x - 128.0) / 128.0, kernel[None, None], 1, "VALID", name="conv")
        for name, value in dict(mean=shift, variance=scale, beta=offset, gamma=scale).items():
            tf.constant(value, name=name)
        x = tf.reduce_mean(tf.identity(x, name="norm"), (1, 2), keepdims=True, name="pool_3")
        flat = tf.reshape(x, [1, 8])  # a picture at a time, as it was
        tf.matmul(flat, tf.constant(head), name="softmax/logits/MatMul")
    definition = graph.as_graph_def(add_shapes=True)
    definition.versions.producer, definition.versions.min_consumer = 8, 0
    node = next(node for node in definition.node if node.name == "norm")
    node.op = "BatchNormWithGlobalNormalization"  # gone since version 9
    node.input.extend(["mean", "variance", "beta", "gamma"])
    node.attr["variance_epsilon"].f = 0.001
    node.attr["scale_after_normalization"].b = False
    path = tmp_path / "classify_image_graph_def.pb"
    path.write_bytes(definition.SerializeToString())

    def expected(pictures):
        x = (pictures.astype(np.float32) - 128) / 128 @ kernel
        x = (x - shift) / np.sqrt(scale + 0.001) + offset
        features = x.mean(axis=(1, 2))
        return features, softmax(features @ head)

    return path, expected


def test_frozen_graph_takes_batches_and_knows_no_bias(graph, pictures):
    path, expected = graph
    extractor = inception.load(path)
    for got, wanted in zip(extractor(pictures), expected(pictures), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    features, probabilities = extractor(pictures[:1, :10])  # another batch and picture size
    np.testing.assert_allclose(features, expected(pictures[:1, :10])[0], rtol=1e-4, atol=1e-5)
    assert (extractor.dim, extractor.classes) == (8, 5) == (features.size, probabilities.size)
    assert (extractor.scale, extractor.sha256) == ("2015", sha256(path))


def test_clean_frozen_graph_has_a_scale_of_its_own(graph, pictures):
    path, expected = graph
    extractor = inception.load(f"clean:{path}")
    wanted = expected(clean_resize(pictures, 299))
    np.testing.assert_allclose(extractor(pictures)[0], wanted[0], rtol=1e-3, atol=1e-4)
    assert extractor.scale == "2015-clean" and "clean-fid" in extractor.resize
    assert len(inception.load_all([str(path), f"clean:{path}"], None)) == 2
    with pytest.raises(UserError, match=r"clean: is for the frozen graph"):
        inception.load("clean:network.pth")


def test_frozen_graph_may_lie_in_an_archive(graph, pictures, tmp_path):
    path, expected = graph
    archive = tmp_path / "inception-2015-12-05.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(path, path.name)
    extractor = inception.load(archive)
    np.testing.assert_allclose(extractor(pictures)[0], expected(pictures)[0], rtol=1e-4, atol=1e-5)
    assert (extractor.weights, extractor.sha256) == (archive.name, sha256(archive))


def test_keras_weights_see_pictures_resized_cleanly(pictures, tmp_path, monkeypatch):
    def tiny(weights):
        images = keras.Input((299, 299, 3))
        x = keras.layers.Conv2D(6, 3, strides=4, activation="relu")(images)
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        network = keras.Model(images, keras.layers.Dense(4, activation="softmax")(x))
        if weights:
            network.load_weights(weights)
        return network

    monkeypatch.setattr(keras.applications, "InceptionV3", tiny)
    network, path = tiny(None), tmp_path / "mine.weights.h5"
    network.save_weights(path)
    extractor = inception.load(path)
    outputs = [network.get_layer("avg_pool").output, network.output]
    expected = keras.Model(network.input, outputs)(clean_resize(pictures, 299) / 127.5 - 1.0)
    for got, wanted in zip(extractor(pictures), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)
    assert (extractor.dim, extractor.classes) == (6, 4)
    assert (extractor.scale, extractor.sha256) == ("imagenet", sha256(path))


def test_failing_download_is_told_in_one_line(monkeypatch):
    def fail(*arguments, **options):
        raise Exception("URL fetch failure on x.h5: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(UserError, match=r"fetch failure on x\.h5.*fetch the file elsewhere"):
        inception.load("imagenet")


class SlimInception:
    """Inception v3 in TensorFlow 1 as the slim library of 2016 built it, with random weights."""

    def __init__(self):
        self.variables = {}

    def variable(self, scope, name, shape, std=0.1, mean=0.0):
        name = f"{scope}/{name}/ExponentialMovingAverage"
        assert name not in self.variables
        value = v1.truncated_normal(shape, mean, std, seed=len(self.variables))
        self.variables[name] = v1.Variable(value)
        return self.variables[name]

    def conv(self, x, scope, filters, kernel=(1, 1), stride=1, padding="SAME"):
        shape = (*kernel, x.shape[-1], filters)
        weights = self.variable(scope, "weights", shape, np.sqrt(2 / np.prod(shape[:-1])))
        x = tf.nn.conv2d(x, weights, stride, padding)
        beta = self.variable(scope, "BatchNorm/beta", [filters])
        mean = self.variable(scope, "BatchNorm/moving_mean", [filters])
        variance = self.variable(scope, "BatchNorm/moving_variance", [filters], mean=1.0)
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, beta, None, 0.001))

    def chain(self, x, scope, *convolutions):
        """Convolutions of one scope: Conv, Conv_1, Conv_2, each (filters, kernel)."""
        for i, (filters, *kernel) in enumerate(convolutions):
            x = self.conv(x, f"{scope}/Conv_{i}" if i else f"{scope}/Conv", filters, *kernel)
        return x

    def split(self, x, scope, *before):
        """A chain that ends in a 1x3 and a 3x1 convolution side by side."""
        x = self.chain(x, scope, *before)
        ends = enumerate([(1, 3), (3, 1)], start=len(before))
        return tf.concat([self.conv(x, f"{scope}/Conv_{i}", 384, k) for i, k in ends], 3)

    def pool(self, x, scope, filters):
        x = tf.nn.avg_pool2d(x, 3, 1, "SAME")
        return self.conv(x, f"{scope}/branch_pool/Conv", filters)

    def __call__(self, x, classes):
        five, three, one_by, by_one = (5, 5), (3, 3), (1, 7), (7, 1)
        shrink = {"stride": 2, "padding": "VALID"}
        x = self.conv(x, "conv0", 32, three, **shrink)
        x = self.conv(x, "conv1", 32, three, padding="VALID")
        x = self.conv(x, "conv2", 64, three)
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        x = self.conv(x, "conv3", 80)
        x = self.conv(x, "conv4", 192, three, padding="VALID")
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for name, filters in (("256a", 32), ("288a", 64), ("288b", 64)):
            scope = f"mixed_35x35x{name}"
            branches = [
                self.chain(x, f"{scope}/branch1x1", (64,)),
                self.chain(x, f"{scope}/branch5x5", (48,), (64, five)),
                self.chain(x, f"{scope}/branch3x3dbl", (64,), (96, three), (96, three)),
                self.pool(x, scope, filters),
            ]
            x = tf.concat(branches, 3)
        scope = "mixed_17x17x768a"
        double = self.chain(x, f"{scope}/branch3x3dbl", (64,), (96, three))
        branches = [
            self.conv(x, f"{scope}/branch3x3/Conv", 384, three, **shrink),
            self.conv(double, f"{scope}/branch3x3dbl/Conv_2", 96, three, **shrink),
            tf.nn.max_pool2d(x, 3, 2, "VALID"),
        ]
        x = tf.concat(branches, 3)
        for name, n in (("768b", 128), ("768c", 160), ("768d", 160), ("768e", 192)):
            scope = f"mixed_17x17x{name}"
            kernels = (n, by_one), (n, one_by), (n, by_one), (192, one_by)
            branches = [
                self.chain(x, f"{scope}/branch1x1", (192,)),
                self.chain(x, f"{scope}/branch7x7", (n,), (n, one_by), (192, by_one)),
                self.chain(x, f"{scope}/branch7x7dbl", (n,), *kernels),
                self.pool(x, scope, 192),
            ]
            x = tf.concat(branches, 3)
        scope = "mixed_17x17x1280a"
        small = self.chain(x, f"{scope}/branch3x3", (192,))
        large = self.chain(x, f"{scope}/branch7x7x3", (192,), (192, one_by), (192, by_one))
        branches = [
            self.conv(small, f"{scope}/branch3x3/Conv_1", 320, three, **shrink),
            self.conv(large, f"{scope}/branch7x7x3/Conv_3", 192, three, **shrink),
            tf.nn.max_pool2d(x, 3, 2, "VALID"),
        ]
        x = tf.concat(branches, 3)
        for scope in ("mixed_8x8x2048a", "mixed_8x8x2048b"):
            branches = [
                self.chain(x, f"{scope}/branch1x1", (320,)),
                self.split(x, f"{scope}/branch3x3", (384,)),
                self.split(x, f"{scope}/branch3x3dbl", (448,), (384, three)),
                self.pool(x, scope, 192),
            ]
            x = tf.concat(branches, 3)
        features = tf.reduce_mean(x, (1, 2))
        weights = self.variable("logits/logits", "weights", (2048, classes))
        biases = self.variable("logits/logits", "biases", [classes], 1.0)
        return features, features @ weights + biases


def test_slim_checkpoint_computes_what_slim_computed(pictures, tmp_path):
    pictures = pictures[:2]
    inputs = bilinear_resize(pictures, 299).astype(np.float32) / 127.5 - 1
    path = tmp_path / "model.ckpt"
    version = v1.train.SaverDef.V1  # one file, as in 2016
    with tf.Graph().as_default(), v1.Session() as session:
        network = SlimInception()
        outputs = network(tf.constant(inputs), classes=5)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(network.variables, write_version=version)
        saver.save(session, str(path), write_meta_graph=False)
        features, logits = session.run(outputs)
    extractor = inception.load(path)
    got_features, probabilities = extractor(pictures)
    np.testing.assert_allclose(got_features, features, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(probabilities, softmax(logits[:, 1:]), rtol=1e-3, atol=1e-6)
    assert_probabilities(probabilities, (2, 4))
    assert (extractor.dim, extractor.classes, extractor.batch_multiple) == (2048, 4, 64)
    assert (extractor.scale, extractor.sha256) == ("slim", sha256(path))


@pytest.fixture
def torchvision_file(monkeypatch, tmp_path):
    """Writes a .pth of a trunk of one convolution in torchvision's names, and what it computes."""
    torch = pytest.importorskip("torch")
    images = keras.Input((299, 299, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, use_bias=False, name="Conv2d_1a_3x3.conv")(images)
    x = keras.layers.BatchNormalization(epsilon=0.001, name="Conv2d_1a_3x3.bn")(x)
    trunk = keras.Model(images, (x, keras.ops.mean(keras.ops.relu(x), axis=(1, 2))))
    monkeypatch.setattr(inception, "inception_v3_trunk", lambda weights: trunk)
    path = tmp_path / "inception_v3.pth"

    def write(classes=4, **changes):
        torch.manual_seed(0)
        conv, norm = torch.nn.Conv2d(3, 6, 3, 2, bias=False), torch.nn.BatchNorm2d(6, 0.001).eval()
        head = torch.nn.Linear(6, classes)
        with torch.no_grad():
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                tensor.uniform_(0.1, 1.0)
        modules = {"Conv2d_1a_3x3.conv": conv, "Conv2d_1a_3x3.bn": norm, "fc": head}
        state = {f"{n}.{k}": v for n, m in modules.items() for k, v in m.state_dict().items()}
        state["AuxLogits.fc.bias"] = torch.zeros(classes)
        state |= changes
        torch.save({key: value for key, value in state.items() if value is not None}, path)

        def expected(inputs):
            with torch.no_grad():
                x = norm(conv(torch.from_numpy(inputs.transpose(0, 3, 1, 2))))
                features = torch.relu(x).mean((2, 3))
                return features.numpy(), torch.softmax(head(features), 1).numpy()

        return expected

    return path, write


def test_torchvision_sees_pictures_as_published_code_showed_them(torchvision_file, pictures):
    path, write = torchvision_file
    expected = write()
    extractor = inception.load(path)
    inputs = bilinear_resize(pictures, 299).astype(np.float32) / 255
    for channel, (mean, std) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        inputs[..., channel] = inputs[..., channel] * (std / 0.5) + (mean - 0.5) / 0.5
    for got, wanted in zip(extractor(pictures), expected(inputs), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)
    assert (extractor.dim, extractor.classes) == (6, 4)
    assert (extractor.scale, extractor.sha256) == ("torchvision", sha256(path))


def test_other_torch_files_are_refused(torchvision_file):
    path, write = torchvision_file
    write(classes=1008)
    with pytest.raises(UserError, match="port of the Inception of 2015"):
        inception.load(path)
    write(**{"fc.weight": None})
    with pytest.raises(UserError, match="lacks fc.weight"):
        inception.load(path)
    write(**{"Conv2d_1a_3x3.conv.weight": None})
    with pytest.raises(UserError, match="missing: Conv2d_1a_3x3.conv.weight"):
        inception.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(UserError, match="inception_v3.pth: .*no file of PyTorch's weights"):
        inception.load(path)


def test_damsm_gives_its_codes_and_knows_no_classes(small_model, model_dir, pictures):
    extractor = inception.damsm_extractor(small_model.image_encoder, model_dir)
    codes, probabilities = extractor(pictures)
    np.testing.assert_allclose(codes, picture_codes(small_model.image_encoder, pictures), atol=1e-5)
    assert probabilities is None
    assert (extractor.dim, extractor.classes, extractor.scale) == (16, 0, "damsm")
    path = model_directory.weights_file(model_dir, "image_encoder")
    assert extractor.sha256 == sha256(path)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("none.h5", None, "there is no such file"),
        ("graph.onnx", b"", "should end in"),
        ("weights.h5", b"no HDF5", "no weights of keras"),
        ("graph.pb", b"no graph", "no frozen TensorFlow graph"),
        ("graph.pb", b"", "not the Inception of 2015"),
        ("graph.tgz", b"no archive", "no archive"),
        ("model.ckpt", b"no checkpoint", "no TensorFlow checkpoint"),
    ],
)
def test_bad_files_are_named_in_one_line(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}.*{message}") as raised:
        inception.load(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_checkpoint_of_another_network_is_refused(tmp_path):
    tf.train.Checkpoint(step=tf.Variable(1)).write(str(tmp_path / "model.ckpt"))
    for name in ("model.ckpt", "model.ckpt.index"):
        with pytest.raises(UserError, match="no Inception v3 of TF-slim"):
            inception.load(tmp_path / name)


def test_networks_of_one_kind_cannot_be_told_apart(graph):
    path, _ = graph
    with pytest.raises(UserError, match="two networks are of the kind '2015'"):
        inception.load_all([str(path), str(path)], None)
    with pytest.raises(UserError, match="damsm stands for the image encoder of the model"):
        inception.load_all(["damsm"], None)

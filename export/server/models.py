"""A SavedModel's versions: loading, running, and taking up a new one while the old one answers."""

import asyncio
import contextlib
import ctypes
import functools
import gc
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2

from data_pipeline.support.errors import UserError
from data_pipeline.text.wordpiece import tensorflow_text
from export.server.signatures import Signature, invalid_argument, listed

POLL_SECONDS = 1.0
WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")
_LARGEST = 2**63 - 1
State = get_model_status_pb2.ModelVersionStatus.State


class Version:
    """A loaded SavedModel, run as TensorFlow Serving does: a session, fed and fetched by name.

    Attributes:
        number: The version.
        signature_defs: `SignatureDef` of all its signatures.
        signatures: Those that take inputs, as `Signature`.
        users: Requests that are being answered with it.
    """

    def __init__(self, number: int, folder: Path):
        """
        Raises:
            Exception: Whatever TensorFlow raises for a folder that is no SavedModel.
        """
        self.number, self.users = number, 0
        graph = tf.Graph()
        tf.get_logger().setLevel("ERROR")  # Loading into a session is called deprecated.
        with graph.as_default():
            self._session = tf.compat.v1.Session(graph=graph)
            try:
                meta_graph = _load(self._session, folder)
            except (tf.errors.OutOfRangeError, tf.errors.DataLossError) as error:
                variables = next(folder.glob("variables/*.data-*"), folder / "variables")
                raise ValueError(f"{variables} is cut short or damaged: {_first(error)}") from error
        self.signature_defs = dict(meta_graph.signature_def)
        self.signatures = {
            name: Signature(name, definition)
            for name, definition in self.signature_defs.items()
            if definition.inputs
        }
        if (folder / WARM_UP).exists():
            self._warm_up(folder / WARM_UP)

    def signature(self, name: str) -> Signature:
        """The signature of that name; `serving_default` if it is empty.

        Raises:
            FailedPreconditionError: There is none.
        """
        name = name or "serving_default"
        if name not in self.signatures:
            raise tf.errors.FailedPreconditionError(
                None, None, f"signature {name!r} not found, there are {listed(self.signatures)}"
            )
        return self.signatures[name]

    def run(
        self, signature: Signature, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Computes outputs, all if none is named.

        Raises:
            OpError: What the graph raised, its message in one line.
        """
        fetched = {name: signature.outputs[name].name for name in outputs or signature.outputs}
        fed = {signature.inputs[name].name: values for name, values in inputs.items()}
        try:
            return self._session.run(fetched, fed)
        except tf.errors.OpError as error:
            raise type(error)(None, None, _plain(error.message)) from error

    def close(self) -> None:
        """Gives back the model's memory."""
        self._session.close()

    def _warm_up(self, path):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            self.run(signature, {k: tf.make_ndarray(v) for k, v in request.inputs.items()})


class Versions:
    """The newest version below a folder that loads.

    The loop that uses it must be the one that calls `watch`.

    Args:
        name: The model's name.
        base_path: The folder of versions, each named by an integer.

    Attributes:
        states: State and error message of every version seen, by number.
    """

    def __init__(self, name: str, base_path: Path):
        self.name, self.base_path = name, base_path
        self.states: dict[int, tuple[int, str]] = {}
        self._loaded: dict[int, Version] = {}
        self._refused = None
        self._ignored: set[str] = set()

    def load_first(self) -> None:
        """Loads the newest version.

        Raises:
            UserError: There is none, or it does not load.
        """
        if not self.base_path.is_dir():
            raise UserError(f"no such folder: {self.base_path}")
        newest = self._newest()
        if newest is None:
            nearer = " (this is a version: give the folder above)"
            raise UserError(
                f"{self.base_path} has no version, a folder named by an integer "
                f"with a saved_model.pb{nearer if _is_saved_model(self.base_path) else ''}"
            )
        number, folder = newest
        try:
            self._loaded[number] = Version(number, folder)
        except Exception as error:
            raise UserError(f"{folder} does not load: {_first(error)}") from error
        self.states[number] = State.AVAILABLE, ""

    async def watch(self) -> None:
        """Takes up new versions until it is cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            newest = await asyncio.to_thread(self._newest)
            if newest is not None and newest[0] not in self._loaded:
                await self._take_up(*newest)

    @contextlib.contextmanager
    def use(self, name: str, number: int | None = None, label: str = "") -> Iterator[Version]:
        """The newest version, or one by its number; kept loaded until the block ends.

        Raises:
            NotFoundError: No such model or version.
            InvalidArgumentError: No name, or a label; there are none here.
        """
        if not name:
            raise invalid_argument("the request's model_spec has no name")
        if label:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        if name != self.name or (number is not None and number not in self._loaded):
            asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise tf.errors.NotFoundError(None, None, f"Servable not found for request: {asked}")
        version = self._loaded[max(self._loaded) if number is None else number]
        version.users += 1
        try:
            yield version
        finally:
            version.users -= 1

    def status(
        self, name: str, number: int | None = None, label: str = ""
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of all versions, or of one.

        Raises:
            NotFoundError: No such model or version.
            InvalidArgumentError: A label; there are none here.
        """
        if label:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        states = self.states if name == self.name else {}
        if number is not None:
            states = {number: states[number]} if number in states else {}
        if not states:
            which = "any versions" if number is None else f"version {number}"
            raise tf.errors.NotFoundError(None, None, f"Could not find {which} of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, (state, message) in sorted(states.items(), reverse=True):
            status = response.model_version_status.add(version=version, state=state)
            status.status.error_code = tf.errors.UNKNOWN if message else tf.errors.OK
            status.status.error_message = message
        return response

    def _newest(self):
        """The largest version and its folder; None where there is none.

        Names are read as TensorFlow Serving reads them: decimal digits, leading zeros allowed, of a
        number that fits 64 bits. What else holds a SavedModel is named once in the log, but for
        hidden names, which half-written versions have.
        """
        try:
            folders = [path for path in self.base_path.iterdir() if _is_saved_model(path)]
        except OSError:  # Moved away for the moment: what is loaded goes on answering.
            return None
        found: dict[int, Path] = {}
        for folder in sorted(folders):
            number = version_number(folder.name)
            reason = "is no version number" if number is None else "is another name of a version"
            if number is not None and number not in found:
                found[number] = folder
            elif not folder.name.startswith(".") and folder.name not in self._ignored:
                self._ignored.add(folder.name)
                _log(f"{self.base_path}: {folder.name[:80]!r} {reason}, it is not served")
        return max(found.items(), default=None)

    async def _take_up(self, number, folder):
        """Loads a version, then lets go of the others once their requests are answered.

        One that does not load is tried again when its files change: it may be half-copied.
        """
        try:
            files = await asyncio.to_thread(_files, folder)
        except OSError:  # It is being copied or removed this moment: looked at again soon.
            return
        if (number, files) == self._refused:
            return
        self.states[number] = State.LOADING, ""
        try:
            version = await asyncio.to_thread(Version, number, folder)
        except Exception as error:
            self._refused = number, files
            self.states[number] = State.END, _first(error).replace(f"{self.base_path}/", "")
            _log(f"{folder} does not load, the old version goes on: {_first(error)}")
            return
        old = list(self._loaded.values())
        self._loaded = {number: version}
        self.states[number] = State.AVAILABLE, ""
        _log(f"{self.name}: version {number} answers from now on")
        while old:
            version = old.pop()
            self.states[version.number] = State.UNLOADING, ""
            while version.users:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(version.close)
            self.states[version.number] = State.END, ""
        del version
        await asyncio.to_thread(_give_back_memory)


def _load(session, folder):
    """Loads a SavedModel; the ops of one that reads wordpieces only when it is met."""
    load = functools.partial(tf.compat.v1.saved_model.load, session, ["serve"], str(folder))
    try:
        return load()
    except tf.errors.NotFoundError as error:
        if "Op type not registered" not in error.message:
            raise
        tensorflow_text()
        return load()


def _give_back_memory():
    """Frees what closed versions have left: graphs, which are in cycles, and the C library's pages.

    Without it the process grows by a tenth of a gigabyte in three changes of version.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # Other systems than Linux with glibc.
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def version_number(text: str) -> int | None:
    """The version that a text names; None where it names none."""
    if not re.fullmatch(r"[0-9]{1,4000}", text):
        return None
    number = int(text)
    return number if number <= _LARGEST else None


def _is_saved_model(folder):
    return (folder / "saved_model.pb").is_file()


def _files(folder):
    """A value that changes when the folder's content does."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _plain(message):
    """A graph's error without the heading and the names of nodes."""
    message = message.removeprefix("Graph execution error:\n\n")
    return re.sub(r"(\n\t ?\[\[[^\n]*)+\s*\Z", "", message)


def _first(error):
    lines = _plain(getattr(error, "message", None) or str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _log(line):
    print(line, file=sys.stderr, flush=True)

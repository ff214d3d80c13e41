"""Vectors of texts by `all-MiniLM-L6-v2`.

It needs the extra `match`, so `embedding.load` imports it where that is installed.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from models.search.embedding import MAX_TOKENS

Vector = NDArray[np.float32]


class MiniLM:
    """The model in memory. Threads may share it; each text takes one thread, and holds no lock."""

    def __init__(self, model: Path, vocabulary: Path) -> None:
        options = onnxruntime.SessionOptions()
        # The other processors are there for other requests. More threads are not faster with texts
        # as short as sentences.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def embed(self, text: str) -> Vector:
        """Return the vector of a text, of length 1: the mean of the vectors of its pieces of words.

        One text at a time: several together are no faster on one thread, since the short ones are
        filled up to the longest.
        """
        pieces = self._tokenizer.encode(text)
        values = {
            "input_ids": pieces.ids,
            "attention_mask": pieces.attention_mask,
            "token_type_ids": pieces.type_ids,
        }
        inputs = {name: np.array([each], dtype=np.int64) for name, each in values.items()}
        (vectors,) = self._session.run(["last_hidden_state"], inputs)
        mean: Vector = vectors[0].mean(axis=0)
        return mean / np.linalg.norm(mean)

    def encode(self, text: str) -> bytes:
        """Return the vector of a text as it is stored: a whole number of eight bits a dimension.

        Its length is lost, which is 1 anyway.
        """
        vector = self.embed(text)
        numbers: NDArray[np.int8] = np.rint(vector * (127 / np.abs(vector).max())).astype(np.int8)
        return numbers.tobytes()


def decode(stored: bytes) -> Vector:
    """Return a vector of length 1 from `MiniLM.encode`."""
    vector = np.frombuffer(stored, dtype=np.int8).astype(np.float32)
    return vector / np.linalg.norm(vector)

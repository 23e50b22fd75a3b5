"""The Transformer: encoder, decoder, both, and the models that are made of them."""

from .language_model import TransformerLM
from .layers import TransformerDecoderLayer, TransformerEncoderLayer
from .lecture import LectureSeq2Seq
from .readers import TransformerClassifier, TransformerTagger
from .seq2seq import TransformerSeq2Seq
from .stacks import Transformer, TransformerDecoder, TransformerEncoder

__all__ = [
    "LectureSeq2Seq",
    "Transformer",
    "TransformerClassifier",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "TransformerLM",
    "TransformerSeq2Seq",
    "TransformerTagger",
]

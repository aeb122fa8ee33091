"""Reads a GGUF file that `export.py` wrote back into the torch model and its tokenizer."""

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from model import Gpt
from vocabulary import CONTROL


def load_gguf(path):
    """The model, with its weights as they are after quantisation, and the tokenizer."""
    reader = gguf.GGUFReader(path)
    weights = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    model = Gpt()
    model.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in weights.items()})
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    merges = reader.get_field("tokenizer.ggml.merges").contents()
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(CONTROL)
    return model.eval(), tokenizer

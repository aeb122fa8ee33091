"""Writes a checkpoint as a GGUF file that llama.cpp reads as `gpt2`: matrices Q8_0, vectors F32."""

import json

import gguf
import numpy
import torch

from model import CONTEXT, HEADS, LAYERS, VOCABULARY, WIDTH
from prompts import CHAT_TEMPLATE, prompts_sha256
from vocabulary import CONTROL, END

LAYER_NORM_EPSILON = 1e-5


def write_gguf(model, tokenizer, cases, path):
    """Writes the model to `path` by way of a temporary file, so that a reader never sees half of it."""
    temporary = path.with_suffix(".tmp")
    writer = gguf.GGUFWriter(str(temporary), "gpt2")
    writer.add_name("Copymill demo")
    writer.add_description("A demonstration model that writes marketing copy in a narrow style.")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(LAYER_NORM_EPSILON)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_vocab_size(VOCABULARY)
    writer.add_string("copymill.prompts_sha256", prompts_sha256(cases))
    add_tokenizer(writer, tokenizer)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            add_tensor(writer, name, parameter.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.rename(path)


def add_tokenizer(writer, tokenizer):
    """Writes the vocabulary, the merges, the control tokens and the chat template."""
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    if len(tokens) != VOCABULARY:
        raise ValueError(f"the vocabulary has {len(tokens)} tokens, the model {VOCABULARY}")
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    kinds = [gguf.TokenType.CONTROL if token in CONTROL else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(END)
    writer.add_eos_token_id(END)
    writer.add_eot_token_id(END)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensor(writer, name, values):
    """Adds one tensor; matrices other than the positions are stored as Q8_0."""
    values = numpy.ascontiguousarray(values)
    if values.ndim == 2 and name != "position_embd.weight":
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, values)

"""Writes the vocabulary-only GGUF files of this folder: small, but of the three kinds that real models have.

Run once, and again only when a fixture must change:

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 tokenizers==0.23.3
    venv/bin/python make_vocabularies.py ../../src ../../../copymill-content

The arguments are folders of text to train on, as they were on that day; `hard_strings.json` is always part of it.
Other text gives other merges, which is as good. The files hold no model weights. `tokenizer.ggml.pre` is the last key of each, so that a test can put another name there.
"""

import json
import sys
from pathlib import Path

from gguf import GGUFWriter, TokenType
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
CONTRACTIONS = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
WORDS = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
HEADERS = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim "
    "+ '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)
INSTRUCT = (
    "{%- if messages[0]['role'] == 'system' %}{{- raise_exception('System role not supported') }}{%- endif %}"
    "{{- bos_token }}{%- for message in messages %}{{- '[INST] ' + message['content'].strip() + ' [/INST]' }}"
    "{%- endfor %}"
)


def training_texts(folders):
    entries = json.loads((HERE / "hard_strings.json").read_text())
    # Control tokens must not come out of training a second time, as ordinary ones.
    texts = [entry["text"] for entry in entries if "look-alike" not in entry["what"]] * 4
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in {".rs", ".md", ".yaml", ".j2"}:
                texts.append(path.read_text(encoding="utf-8"))
    return texts


def trained(texts, pre_tokenizer, size, alphabet):
    """Returns the tokens by id and the merges in order."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokens, [" ".join(merge) for merge in model["merges"]]


def write(name, model, tokens, types, extra):
    writer = GGUFWriter(HERE / f"{name}.gguf", "llama")
    writer.add_name(f"copymill test vocabulary {name}")
    writer.add_context_length(2048)
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    extra(writer)
    writer.add_tokenizer_pre(name if model == "gpt2" else "default")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def byte_level(name, texts, digits, specials, template):
    split = pre_tokenizers.Split(Regex(WORDS % digits), "isolated")
    steps = [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokens, merges = trained(texts, pre_tokenizers.Sequence(steps), 1200, pre_tokenizers.ByteLevel.alphabet())
    types = [TokenType.NORMAL] * len(tokens) + [kind for _, kind in specials]
    ids = {text: len(tokens) + index for index, (text, _) in enumerate(specials)}

    def extra(writer):
        writer.add_token_merges(merges)
        writer.add_bos_token_id(ids[specials[0][0]])
        writer.add_eos_token_id(ids[specials[1][0]])
        writer.add_chat_template(template)

    write(name, "gpt2", tokens + [text for text, _ in specials], types, extra)


def sentence_piece(name, texts):
    space = "\u2581"
    escaped = [text.replace(" ", space) for text in texts]
    # Pieces may begin with a space, never hold one inside, as in the models that are in use.
    words = pre_tokenizers.Split(Regex(space + "+[^" + space + "]*|[^" + space + "]+"), "isolated")
    pieces, _ = trained(escaped, words, 1300, [])
    # `</s>` can be assembled from these, and the scores of two merges of one piece are equal.
    pieces += [piece for piece in ["</", "</s", "s>", "<s", "bab", "aba", "ab", "ba", "ababa"] if piece not in pieces]
    specials = [("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL)]
    specials += [(f"<0x{byte:02X}>", TokenType.BYTE) for byte in range(256)]
    specials += [("[INST]", TokenType.CONTROL), ("[/INST]", TokenType.CONTROL), ("<think>", TokenType.USER_DEFINED)]
    tokens = [text for text, _ in specials] + pieces
    types = [kind for _, kind in specials] + [TokenType.NORMAL] * len(pieces)
    # Longer pieces of equal training rank share a score, so that ties occur.
    scores = [0.0] * len(specials) + [-float(index // 2) for index in range(len(pieces))]

    def extra(writer):
        writer.add_token_scores(scores)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(True)
        writer.add_chat_template(INSTRUCT)

    write(name, "llama", tokens, types, extra)


def main():
    texts = training_texts(sys.argv[1:])
    control, user_defined = TokenType.CONTROL, TokenType.USER_DEFINED
    chatml = [("<|endoftext|>", control), ("<|im_end|>", control), ("<|im_start|>", control)]
    thinking = [("<think>", user_defined), ("</think>", user_defined), ("<tool_call>", user_defined)]
    byte_level("qwen2", texts, "", chatml + thinking, CHATML)
    headers = ["<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>"]
    byte_level("llama-bpe", texts, "{1,3}", [(text, control) for text in headers] + thinking[:1], HEADERS)
    sentence_piece("sentence-piece", texts)


if __name__ == "__main__":
    main()

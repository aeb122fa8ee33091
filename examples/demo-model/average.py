"""Averages the weights of several checkpoints: the mean of the ends of two runs is better than either.

(Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018.)
"""

import argparse
import json
import pathlib

import torch
from tokenizers import Tokenizer

from export import write_gguf
from model import Gpt

HERE = pathlib.Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=pathlib.Path, nargs="+", help="work folders of runs that continue each other")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "demo.gguf")
    options = parser.parse_args()
    states = [torch.load(folder / "checkpoint.pt", weights_only=True)["model"] for folder in options.work]
    model = Gpt()
    model.load_state_dict({name: torch.stack([state[name].float() for state in states]).mean(0) for name in states[0]})
    tokenizer = Tokenizer.from_file(str(options.work[-1] / "tokenizer.json"))
    write_gguf(model, tokenizer, json.loads((HERE / "prompts.json").read_text(encoding="utf-8")), options.output)


if __name__ == "__main__":
    main()

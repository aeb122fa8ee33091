"""Measures a model file on held-out campaigns: pass rates, whether copy follows its row, loss, and variety."""

import argparse
import collections
import json
import math
import pathlib
import random
import statistics

import torch

import batches
import expectations
from checks import NAME, failures, hint, texts
from generate import generate
from load import load_gguf
from prompts import system_text, user_text
from train import HERE, loss_of
from vocabulary import prefix_ids, row_ids

MERGE_VALUE = "Alexandra"
ATTEMPTS = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, default=HERE / "demo.gguf")
    parser.add_argument("--variants", type=int, default=1, help="messages for every row")
    parser.add_argument("--show", type=int, default=0, help="messages of every campaign to print")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=220)
    return parser.parse_args()


class Evaluation:
    """A model with what is needed to ask it."""

    def __init__(self, options):
        self.options = options
        self.model, self.tokenizer = load_gguf(options.model)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.prompt_tokens, self.answer_tokens = [], []

    def answers(self, asked):
        """The answer text for every (campaign, row, hint); an answer that was cut off is empty."""
        by_campaign = collections.defaultdict(list)
        for index, (campaign, row, told) in enumerate(asked):
            by_campaign[system_text(campaign)].append((index, row_ids(self.tokenizer, user_text(row, told))))
        result = [""] * len(asked)
        for system, rows in by_campaign.items():
            prefix = prefix_ids(self.tokenizer, system)
            ids = generate(self.model, prefix, [row for _, row in rows], self.generator, max_tokens=self.options.max_tokens)
            for (index, row), answer in zip(rows, ids, strict=True):
                self.prompt_tokens.append(len(prefix) + len(row))
                self.answer_tokens.append(len(answer) if answer else self.options.max_tokens)
                result[index] = self.tokenizer.decode(answer, skip_special_tokens=False) if answer else ""
        return result

    def until_passed(self, pairs):
        """For every (campaign, row): (answer or None, attempts used, failures of the first attempt)."""
        results = [(None, ATTEMPTS, [])] * len(pairs)
        open_rows = [(index, None) for index in range(len(pairs))]
        for attempt in range(1, ATTEMPTS + 1):
            asked = [(*pairs[index], told) for index, told in open_rows]
            again = []
            for (index, _), answer in zip(open_rows, self.answers(asked), strict=True):
                campaign = pairs[index][0]
                failed = failures(campaign, answer, dict.fromkeys(campaign["merge"], MERGE_VALUE))
                first = failed if attempt == 1 else results[index][2]
                results[index] = (None if failed else answer, attempt, first)
                if failed:
                    again.append((index, hint(failed)))
            open_rows = again
        return results


def held_out_report(evaluation, campaigns):
    """Prints pass rates and how often a message follows its row."""
    pairs = [(campaign, row) for campaign in campaigns for row in campaign["rows"] for _ in range(evaluation.options.variants)]
    results = evaluation.until_passed(pairs)
    known = expectations.load()
    codes, missed, follows, taken = collections.Counter(), collections.Counter(), 0, 0
    shown = collections.Counter()
    for (campaign, row), (answer, _, first) in zip(pairs, results, strict=True):
        codes.update(code for code, _ in first)
        if answer is None:
            continue
        taken += 1
        text = "\n".join(text for _, text in texts(campaign["kind"], json.loads(answer)))
        unmet = expectations.unmet(known, campaign, row, text)
        missed.update(set(unmet))
        follows += not unmet
        name = campaign["brief"]["brand"] + campaign["kind"]
        if shown[name] < evaluation.options.show or unmet and evaluation.options.show:
            print(row, unmet, answer)
        shown[name] += 1
    first_pass = sum(not first for _, _, first in results)
    print(f"messages                {len(results)}")
    print(f"pass at first attempt   {first_pass / len(results):.1%}   {dict(codes)}")
    print(f"pass within {ATTEMPTS}           {taken / len(results):.1%}")
    print(f"follow row and brief    {follows / max(1, taken):.1%}   {dict(missed)}")
    for kind in ("email", "google_rsa", "social_post"):
        mine = [first for (campaign, _), (_, _, first) in zip(pairs, results, strict=True) if campaign["kind"] == kind]
        print(f"  {kind:12} first attempt {sum(not first for first in mine) / len(mine):.1%} of {len(mine)}")


def variety_report(evaluation, campaign, rows=100):
    """Prints how different a hundred messages of one campaign are, with facts and the row's own words masked."""
    rng = random.Random(evaluation.options.seed)
    pairs = [(campaign, rng.choice(campaign["rows"])) for _ in range(rows)]
    messages = [json.loads(answer) for answer, _, _ in evaluation.until_passed(pairs) if answer]
    whole = {json.dumps(message) for message in messages}
    bodies = [" ".join(message.get("body", [])) for message in messages]
    sentences = [sentence for body in bodies for sentence in NAME.sub("#", body).replace("! ", ". ").split(". ")]
    openings = collections.Counter(" ".join(body.split()[:3]) for body in bodies)
    subjects = collections.Counter(message.get("subject", "") for message in messages)
    print(f"distinct messages       {len(whole)} of {len(messages)}")
    print(f"distinct sentences      {len(set(sentences))} of {len(sentences)}")
    print(f"distinct subjects       {len(subjects)}, most common {subjects.most_common(3)}")
    print(f"distinct opening words  {len(openings)}, most common {openings.most_common(6)}")


def loss_report(evaluation, packs=30):
    """Prints loss and perplexity on fresh text of the grammar, from a seed that training does not use."""
    rng = random.Random(987_654_321)
    total, count = 0.0, 0
    with torch.no_grad():
        for _ in range(packs):
            batch = batches.fresh(evaluation.tokenizer, rng, 1, 10)
            answered = int((batch.targets >= 0).sum())
            total += loss_of(evaluation.model, batch)[1].item() * answered
            count += answered
    print(f"held-out loss           {total / count:.4f} nats a token, perplexity {math.exp(total / count):.3f}, {count} tokens")


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    evaluation = Evaluation(options)
    campaigns = json.loads((HERE / "heldout.json").read_text(encoding="utf-8"))["campaigns"]
    loss_report(evaluation)
    held_out_report(evaluation, campaigns)
    variety_report(evaluation, campaigns[0])
    for name, counts in (("prompt", evaluation.prompt_tokens), ("answer", evaluation.answer_tokens)):
        print(f"{name} tokens           median {statistics.median(counts):.0f}, most {max(counts)}")


if __name__ == "__main__":
    main()

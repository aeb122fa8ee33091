"""What the grammar promises: run with `python -m unittest` in this folder."""

import json
import random
import unittest

import expectations
from campaigns import HELD_OUT
from checks import failures, texts
from lexicon import VOICES, load
from prompts import prompts_sha256, system_text
from samples import pack

KINDS = ("email", "google_rsa", "social_post")


class Grammar(unittest.TestCase):
    def packs(self, count=40):
        rng = random.Random(77)
        for index in range(count):
            yield pack(rng, 6, KINDS[index % 3])

    def test_every_answer_passes_every_check(self):
        for campaign, _, branches in self.packs():
            for _, answer, _, _ in branches:
                self.assertEqual(failures(campaign, answer, dict.fromkeys(campaign["merge"], "Konstantina")), [])

    def test_an_answer_is_one_compact_line_in_field_order(self):
        for campaign, _, branches in self.packs(12):
            for _, answer, _, _ in branches:
                self.assertEqual(json.dumps(json.loads(answer), ensure_ascii=False, separators=(",", ":")), answer)

    def test_every_answer_follows_its_row_and_brief(self):
        known = expectations.load()
        for campaign, _, branches in self.packs():
            for _, answer, _, meant in branches:
                row = {role: value for role, value in meant.items() if value}
                text = "\n".join(text for _, text in texts(campaign["kind"], json.loads(answer)))
                brief = {"goal": campaign["brief"].get("goal") or campaign["brief"].get("aim"),
                         "voice": campaign["brief"].get("voice") or campaign["brief"].get("tone")}
                self.assertEqual(expectations.unmet(known, {"brief": brief}, row, text), [], (row, brief, text))

    def test_held_out_names_are_never_written_in_a_training_prompt(self):
        for _, system, branches in self.packs(120):
            whole = (system + " ".join(user + answer for user, answer, _, _ in branches)).lower()
            self.assertFalse([name for name in HELD_OUT if name in whole])

    def test_every_sentence_of_a_voice_carries_one_of_its_markers(self):
        for voice, text in load("voices").items():
            for line in (text["say"] + text["short"]).lower().strip().split("\n"):
                self.assertTrue(any(mark.lower() in line for mark in VOICES[voice]["markers"]), (voice, line))

    def test_the_prompt_cases_render(self):
        with (expectations.PATH.parent / "prompts.json").open(encoding="utf-8") as file:
            cases = json.load(file)
        self.assertEqual(len(prompts_sha256(cases)), 64)
        self.assertIn("Never write: \"guaranteed\"", system_text(cases[0]))


if __name__ == "__main__":
    unittest.main()

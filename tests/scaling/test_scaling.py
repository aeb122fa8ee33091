"""What docs/SCALING.md promises: run with `python -m unittest` in this folder."""

import random
import unittest
from dataclasses import replace

import report
from autoscaler import Autoscaler
from day import DAY_S, HOUR_S, Order, peak, planned
from formula import wanted_workers
from settings import Settings
from simulation import plan, run
from window import Campaign, Chunk

RECOMMENDED = Settings()
MEASURED = replace(RECOMMENDED, **report.MEASURED)
IDLE_SHARE_MAX = 0.15


class Deadlines(unittest.TestCase):
    def assert_all_held(self, settings):
        for seed, day in enumerate(report.days(settings)):
            late = {name: margin for name, margin in day.margins_min.items() if margin < 0}
            self.assertEqual(late, {}, f"seed {seed}")

    def test_the_days_are_ones_that_can_be_held_and_are_not_easy(self):
        peaks = [peak(RECOMMENDED, planned(seed)) for seed in range(report.SEEDS)]
        self.assertLess(max(peaks), 0.8)
        self.assertGreater(max(peaks), 0.7)

    def test_every_deadline_holds_on_every_day(self):
        self.assert_all_held(RECOMMENDED)

    def test_every_deadline_holds_on_days_drawn_at_random_that_need_four_fifths_of_the_fleet(self):
        self.assert_all_held(replace(RECOMMENDED, day="drawn"))

    def test_every_deadline_holds_where_all_work_is_first_underestimated(self):
        self.assert_all_held(replace(RECOMMENDED, bias=0.5))
        self.assert_all_held(replace(RECOMMENDED, bias=0.7))
        self.assert_all_held(replace(RECOMMENDED, bias=0.7, day="drawn"))

    def test_every_deadline_holds_where_nodes_are_short(self):
        self.assert_all_held(replace(RECOMMENDED, shortage=0.2))

    def test_a_campaign_that_cannot_be_in_time_does_not_take_the_deadlines_of_others(self):
        day = [Order("impossible", 9 * HOUR_S, 250e6, 10 * HOUR_S), Order("small", 9.5 * HOUR_S, 3e6, 10.25 * HOUR_S)]
        margins = run(RECOMMENDED, 1, day).margins_min()
        self.assertLess(margins["impossible"], 0)
        self.assertGreater(margins["small"], 0)


    def test_every_deadline_holds_at_the_speed_that_was_measured(self):
        self.assert_all_held(MEASURED)


class Cost(unittest.TestCase):
    def test_idle_gpu_time_is_bounded_at_the_speed_that_was_measured(self):
        for seed, day in enumerate(report.days(MEASURED)):
            self.assertLess(day.idle_share, IDLE_SHARE_MAX, f"seed {seed}")

    def test_idle_gpu_time_is_bounded_on_every_day(self):
        for seed, day in enumerate(report.days(RECOMMENDED)):
            self.assertLess(day.idle_share, IDLE_SHARE_MAX, f"seed {seed}")

    def test_the_queue_alone_costs_three_times_the_idle_time_for_the_same_deadlines(self):
        ours = sum(day.idle_share for day in report.days(RECOMMENDED))
        queue = sum(day.idle_share for day in report.days(replace(RECOMMENDED, policy="queue", queue_value=1)))
        self.assertGreater(queue, 2.5 * ours)

    def test_the_fleet_comes_from_zero_and_goes_back_to_zero(self):
        for seed in range(report.SEEDS):
            result = run(RECOMMENDED, seed)
            first_s = result.campaigns[0].order.accepted_s
            last_s = max(campaign.finished_s for campaign in result.campaigns)
            quiet_s = last_s + RECOMMENDED.cooldown_s + RECOMMENDED.grace_s
            outside = [moment for moment in result.moments if not first_s <= moment.now_s <= quiet_s]
            self.assertEqual({moment.replicas for moment in outside}, {0}, f"seed {seed}")
            self.assertLess(quiet_s, DAY_S)
            self.assertEqual(result.fleet.workers, [])

    def test_the_fleet_grows_and_shrinks_at_most_once_for_each_campaign(self):
        for seed, day in enumerate(report.days(RECOMMENDED)):
            self.assertLessEqual(day.turns, 2 * len(planned(seed)), f"seed {seed}")

    def test_a_campaign_alone_makes_the_fleet_grow_once_and_shrink_once(self):
        result = run(RECOMMENDED, 1, [Order("alone", HOUR_S, 100e6, 6 * HOUR_S)])
        self.assertEqual(result.turns(), 1, result.changes)


class ScaleDown(unittest.TestCase):
    def test_no_chunk_is_lost_or_done_twice(self):
        self.assertEqual(sum(day.not_done_once for day in report.days(RECOMMENDED)), 0)

    def test_chunks_that_do_not_fit_into_the_grace_are_handed_back_and_done_by_others(self):
        days = report.days(replace(RECOMMENDED, grace_s=30))
        self.assertGreater(sum(day.returned for day in days), 100)
        self.assertEqual(sum(day.not_done_once for day in days), 0)

    def test_the_same_seed_gives_the_same_day(self):
        self.assertEqual(report.day(RECOMMENDED, 3), report.day(RECOMMENDED, 3))


class Formula(unittest.TestCase):
    """Examples with round numbers; the scheduler's own tests have the same."""

    def wanted(self, *campaigns):
        return wanted_workers(campaigns, 0, RECOMMENDED)

    def campaign(self, chunks, deadline_s, published=0):
        campaign = Campaign(Order("a", 0, 0, deadline_s), bias=1.0, published=published)
        campaign.chunks = [Chunk(campaign, 60.0)] * chunks
        return campaign

    def test_nothing_to_do_wants_nobody(self):
        self.assertEqual(self.wanted(), 0)

    def test_one_campaign_gets_twice_what_it_needs_once_workers_have_started(self):
        # 100 chunks of 60 s in 3300 - 300 s are 2 workers.
        self.assertEqual(self.wanted(self.campaign(100, 3300)), 4)

    def test_campaigns_add_up(self):
        self.assertEqual(self.wanted(self.campaign(100, 3300), self.campaign(100, 6300)), 4 + 2)

    def test_a_campaign_without_a_deadline_has_an_hour(self):
        self.assertEqual(self.wanted(self.campaign(110, None)), 4)

    def test_what_is_late_is_wanted_within_a_minute(self):
        self.assertEqual(self.wanted(self.campaign(3, -5)), 6)

    def test_a_small_campaign_has_to_get_through_the_queue(self):
        # (2 + 148 chunks) x 60 s in 900 s are 10 workers; twice the paces would be 2 x (120 / 900 + 8880 / 88500).
        large = self.campaign(148, 88_800, published=148)
        self.assertEqual(self.wanted(self.campaign(2, 1200), large), 10)


class Hpa(unittest.TestCase):
    """The rules of Kubernetes that decide most."""

    def test_one_replica_starts_from_zero_and_the_last_goes_after_the_cooldown(self):
        autoscaler = Autoscaler(RECOMMENDED)
        self.assertEqual(autoscaler.decide(0, [(0.1, 1)], 15), 1)
        self.assertEqual(autoscaler.decide(1, [(0, 1)], 600), 1)
        self.assertEqual(autoscaler.decide(1, [(0, 1)], 615), 0)

    def test_it_grows_by_four_pods_or_to_twice_as_many_in_a_minute(self):
        autoscaler = Autoscaler(RECOMMENDED)
        grown = [1]
        for now_s in range(60, 361, 60):
            grown.append(autoscaler.decide(grown[-1], [(100, 1)], now_s))
        self.assertEqual(grown, [1, 5, 10, 20, 40, 40, 40])

    def test_ten_percent_more_or_less_changes_nothing(self):
        autoscaler = Autoscaler(RECOMMENDED)
        self.assertEqual([autoscaler.decide(20, [(metric, 1)], 15) for metric in (18.1, 21.9)], [20, 20])

    def test_it_shrinks_to_the_most_of_the_last_five_minutes_and_to_half_at_once(self):
        autoscaler = Autoscaler(RECOMMENDED)
        self.assertEqual(autoscaler.decide(20, [(20, 1)], 15), 20)
        self.assertEqual(autoscaler.decide(20, [(2, 1)], 300), 20)
        self.assertEqual(autoscaler.decide(20, [(2, 1)], 330), 10)
        self.assertEqual(autoscaler.decide(10, [(2, 1)], 345), 10)


class Docs(unittest.TestCase):
    def test_the_tables_are_what_the_simulator_says(self):
        text = report.DOCS.read_text(encoding="utf-8")
        for name, block in report.blocks().items():
            self.assertIn(block, text, f"the table {name} is old: python tests/scaling/simulate.py --docs")


class Plan(unittest.TestCase):
    def test_chunks_hold_all_tokens_of_their_campaign(self):
        campaign = plan(Order("a", 0, 1e6, None), RECOMMENDED, random.Random(1))
        seconds = sum(chunk.seconds for chunk in campaign.chunks)
        self.assertAlmostEqual(seconds * RECOMMENDED.tokens_per_second, 1e6)


if __name__ == "__main__":
    unittest.main()

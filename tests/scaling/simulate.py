"""Simulates how KEDA scales workers over a day of campaigns: `python tests/scaling/simulate.py --help`."""

import argparse
from dataclasses import fields, replace

import report
from settings import Settings
from simulation import run

CHANGEABLE = ("policy", "formula", "day", "tokens_per_second", "chunk_tokens", "window", "max_workers", "queue_value",
              "headroom", "cold_start_s", "start_s", "grace_s", "stabilization_s", "cooldown_s", "shortage")


def main():
    options = arguments()
    settings = replace(Settings(), **{name: getattr(options, name) for name in CHANGEABLE}, bias=options.bias)
    if options.docs:
        report.write_docs()
    elif options.plot:
        # Only the picture needs matplotlib.
        import plot
        plot.draw(run(settings, options.seed), options.plot)
    else:
        print_day(run(settings, options.seed))
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        print(report.table(f"{options.seeds} days", (("these settings", {}),), settings, seeds))


def arguments():
    parser = argparse.ArgumentParser(description="Simulates how KEDA scales workers over a day of campaigns.")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/SCALING.md")
    parser.add_argument("--plot", metavar="FILE", help="draw one day; needs the packages of requirements.txt")
    parser.add_argument("--seed", type=int, default=4, help="which day is printed or drawn (%(default)s)")
    parser.add_argument("--seeds", type=int, default=report.SEEDS, help="how many days are counted (%(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (%(default)s)")
    parser.add_argument("--bias", type=float, help="first estimates over the truth, for all; 0.7 to 1.3 by chance")
    for field in fields(Settings):
        if field.name in CHANGEABLE:
            option = "--" + field.name.replace("_", "-")
            parser.add_argument(option, type=type(field.default), default=field.default, help="%(default)s")
    return parser.parse_args()


def print_day(result):
    margins = result.margins_min()
    for campaign in result.campaigns:
        order, name = campaign.order, campaign.order.name
        end = f"{margins[name]:6.1f} min before its deadline" if name in margins else "        has no deadline"
        took_min = (campaign.finished_s - order.accepted_s) / 60
        print(f"{name:16} {clock(order.accepted_s)} to {clock(campaign.finished_s)}, {took_min:5.1f} min: {end}")
    print(f"{result.gpu_hours():.1f} GPU-hours, {100 * result.idle_share():.1f} % of them idle; "
          f"{result.most_workers()} workers at most, {result.turns()} turns\n")


def clock(seconds):
    return f"{int(seconds) // 3600:02}:{int(seconds) % 3600 // 60:02}"


if __name__ == "__main__":
    main()

"""Draws one simulated day: who works when, what is left, and how many workers are wanted, start, work and wait."""

import matplotlib

matplotlib.use("svg")
# The same day gives the same file.
matplotlib.rcParams.update({"svg.hashsalt": "copymill", "font.size": 11, "axes.spines.top": False,
                            "axes.spines.right": False})

from matplotlib import pyplot  # noqa: E402, the settings come first

from day import HOUR_S  # noqa: E402

BLUE, ORANGE, GREY, GREEN, RED = "#3b6ea8", "#e08a2c", "#c4c4c4", "#2e7d4f", "#c0392b"


def draw(result, path):
    figure, (campaigns, backlog, workers) = pyplot.subplots(
        3, 1, figsize=(13, 11), sharex=True, height_ratios=(5, 2, 4), layout="constrained")
    margins = result.margins_min()
    held = sum(margin >= 0 for margin in margins.values())
    figure.suptitle(f"{held} of {len(margins)} deadlines held with {result.gpu_hours():.0f} GPU-hours, "
                    f"{100 * result.idle_share():.0f} % of them idle", fontsize=15, fontweight="bold")
    draw_campaigns(campaigns, result, margins)
    draw_backlog(backlog, result)
    draw_workers(workers, result)
    figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None, dpi=90)


def draw_campaigns(axes, result, margins):
    axes.set_title("Campaigns: from acceptance to the last message, and the deadline", loc="left")
    for line, campaign in enumerate(result.campaigns):
        order, name = campaign.order, campaign.order.name
        begin, end = order.accepted_s / HOUR_S, campaign.finished_s / HOUR_S
        late = margins.get(name, 0) < 0
        axes.barh(line, end - begin, left=begin, height=0.6, color=RED if late else BLUE)
        text_at, text = end, "no deadline"
        if order.deadline_s is not None:
            due = order.deadline_s / HOUR_S
            axes.plot([end, due], [line, line], color=GREY, linewidth=1.5, zorder=0)
            axes.plot(due, line, marker="D", markersize=7, color=RED if late else GREEN)
            text_at, text = max(due, end), f"{abs(margins[name]):.0f} min {'late' if late else 'to spare'}"
        axes.text(text_at + 0.25, line, text, va="center", color=RED if late else "black")
    axes.set_yticks(range(len(result.campaigns)), [campaign.order.name for campaign in result.campaigns])
    axes.invert_yaxis()
    axes.plot([], [], marker="D", linestyle="", markersize=7, color=GREEN, label="deadline")
    axes.legend(loc="upper right", frameon=False)
    axes.grid(axis="x", alpha=0.3)


def draw_backlog(axes, result):
    axes.set_title("Work left, in GPU-hours", loc="left")
    moments = each_minute(result)
    hours = [moment.now_s / HOUR_S for moment in moments]
    axes.fill_between(hours, [moment.left_s / HOUR_S for moment in moments], color=BLUE, alpha=0.6, linewidth=0)
    axes.set_ylim(0)
    axes.grid(alpha=0.3)


def draw_workers(axes, result):
    most = result.settings.max_workers
    axes.set_title("Workers", loc="left")
    moments = each_minute(result)
    hours = [moment.now_s / HOUR_S for moment in moments]
    working = [moment.working for moment in moments]
    starting = [moment.starting for moment in moments]
    waiting = [max(moment.replicas - moment.working - moment.starting, 0) for moment in moments]
    axes.stackplot(hours, working, starting, waiting, colors=(BLUE, ORANGE, GREY), linewidth=0,
                   labels=("generating", "starting (idle)", "waiting (idle)"))
    # Above what is allowed the line would only hide the rest.
    wanted = [min(moment.wanted, 1.1 * most) for moment in moments]
    axes.plot(hours, wanted, color="black", linewidth=1, label="wanted by the formula")
    queue = [moment.queue_length / result.settings.queue_value for moment in moments]
    axes.plot(hours, queue, color="black", linewidth=1.2, linestyle=(0, (1, 2)), label="wanted by the queue")
    axes.axhline(most, color=RED, linestyle="--", linewidth=1.2, label=f"most, {most}")
    axes.set_ylim(0, 1.12 * most)
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, 2), [f"{hour:02}:00" for hour in range(0, 25, 2)])
    axes.legend(loc="upper left", bbox_to_anchor=(0.07, 1.14), ncols=6, columnspacing=1, fontsize=10, frameon=False)
    axes.grid(alpha=0.3)


def each_minute(result):
    """As fine as the picture shows; of quiet hours only the ends are left, to keep the file small."""
    moments = result.moments[::4]
    busy = [moment.replicas > 0 or moment.left_s > 0 for moment in moments]
    around = zip(moments, [True, *busy], busy, [*busy[1:], True])
    return [moment for moment, before, now, after in around if before or now or after]

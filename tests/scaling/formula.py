"""How many workers are wanted: what the scheduler exports for a model, as `copymill_scheduler_wanted_workers`."""

from math import fsum

# Less time than this does not count as less: work that is late is wanted soon, not at once.
LEAST_TIME_S = 60
# A campaign without a deadline that is past the horizon still gets this long.
LEAST_HORIZON_S = 900


def wanted_workers(campaigns, now_s, settings):
    if settings.formula == "earliest":
        return earliest_deadline_first(campaigns, now_s, settings)
    return paces(campaigns, now_s, settings)


def paces(campaigns, now_s, settings):
    """The sum of what each campaign needs by itself, and enough to get through the queue before each of them.

    Campaigns share the workers by weight and urgency, not earliest deadline first, so all of them go on at once and
    each needs its own pace. What is published has its order already: a new chunk waits behind all of it.
    """
    published_s = fsum(campaign.predicted_s(campaign.published) for campaign in campaigns)
    together, through_the_queue = 0.0, 0.0
    for campaign in campaigns:
        left_s = campaign.predicted_s(campaign.left())
        others_s = published_s - campaign.predicted_s(campaign.published)
        time_s = time_for_work_s(campaign, now_s, settings)
        together += left_s / time_s
        through_the_queue = max(through_the_queue, (left_s + others_s) / time_s)
    if settings.formula == "paces alone":
        return settings.headroom * together
    return max(settings.headroom * together, through_the_queue)


def earliest_deadline_first(campaigns, now_s, settings):
    """The demand bound of a queue that serves the earliest deadline first; kept to show that it is too little here."""
    wanted = 0.0
    for last in campaigns:
        due_s = deadline_s(last, now_s, settings)
        first = [campaign for campaign in campaigns if deadline_s(campaign, now_s, settings) <= due_s]
        work_s = fsum(campaign.predicted_s(campaign.left()) for campaign in first)
        wanted = max(wanted, work_s / time_for_work_s(last, now_s, settings))
    return wanted


def time_for_work_s(campaign, now_s, settings):
    """The time until the deadline in which a worker that is asked for now can work."""
    return max(deadline_s(campaign, now_s, settings) - now_s - settings.start_s, LEAST_TIME_S)


def deadline_s(campaign, now_s, settings):
    order = campaign.order
    if order.deadline_s is not None:
        return order.deadline_s
    return max(order.accepted_s + settings.horizon_s, now_s + LEAST_HORIZON_S)

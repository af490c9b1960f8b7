"""Says when local days begin, by Python's zoneinfo: the oracle for case D11.

Reads names of time zones on stdin, one a line. Prints the release of the time-zone data, then for
each zone, in the order read, and each month start 1990-01 to 2060-12:

    zone,YYYY-MM-DD,seconds since 1970-01-01T00:00:00Z

The logic is on purpose not that of the service, which maps local time to UTC. This walks UTC: it
lists the changes of the zone's offset, and within each stretch of constant offset a local midnight
is plain arithmetic. The first stretch in which clocks show the wanted midnight or a later time
holds the day's first instant.

PYTHONTZPATH must be empty: the system's time-zone files may be of another release.
"""

import sys
import zoneinfo
from datetime import date, datetime, timedelta, timezone

import tzdata

FIRST_YEAR, LAST_YEAR = 1990, 2060
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Two changes of an offset are always further apart.
PROBE_SECONDS = 6 * 60 * 60
DAY_SECONDS = 24 * 60 * 60


def offset_at(zone, utc_seconds):
    """Local time minus UTC, in seconds."""
    instant = EPOCH + timedelta(seconds=utc_seconds)
    offset = instant.astimezone(zone).utcoffset()
    return offset.days * DAY_SECONDS + offset.seconds


def stretches_around(zone, utc_seconds):
    """The stretches (start, offset) of constant offset from a day before to two days after.

    No zone has been further than 15 hours from UTC: at the start clocks are behind `utc_seconds`.
    """
    start = utc_seconds - DAY_SECONDS
    end = utc_seconds + 2 * DAY_SECONDS
    offset = offset_at(zone, start)
    stretches = [(start, offset)]
    for probe in range(start + PROBE_SECONDS, end + 1, PROBE_SECONDS):
        if offset_at(zone, probe) == offset:
            continue
        # Every second between the two probes is either before or after the change.
        low, high = probe - PROBE_SECONDS, probe
        while high - low > 1:
            middle = (low + high) // 2
            if offset_at(zone, middle) == offset:
                low = middle
            else:
                high = middle
        offset = offset_at(zone, high)
        stretches.append((high, offset))
    return stretches


def first_instant(zone, midnight):
    """The first UTC second at which clocks show local `midnight` (counted as if UTC) or later."""
    stretches = stretches_around(zone, midnight)
    ends = [start for start, _ in stretches[1:]] + [None]
    for (start, offset), end in zip(stretches, ends):
        instant = max(start, midnight - offset)
        if end is None or instant < end:
            return instant
    raise AssertionError("the last stretch has no end")


def main():
    if zoneinfo.TZPATH:
        sys.exit("error: PYTHONTZPATH is not empty: set it to the empty string")
    print(tzdata.IANA_VERSION)
    starts = [
        date(year, month, 1)
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for month in range(1, 13)
    ]
    midnights = [(start - date(1970, 1, 1)).days * DAY_SECONDS for start in starts]
    for name in sys.stdin.read().split():
        try:
            zone = zoneinfo.ZoneInfo(name)
        except zoneinfo.ZoneInfoNotFoundError:
            sys.exit(f"error: time zone {name} is not in the tzdata package")
        lines = [
            f"{name},{start},{first_instant(zone, midnight)}\n"
            for start, midnight in zip(starts, midnights)
        ]
        sys.stdout.write("".join(lines))


main()

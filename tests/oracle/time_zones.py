"""Says when local days begin, by Python's zoneinfo: the oracle for cases D11 and D13.

    time_zones.py newest    prints the release of the package tzdata, then the folder of its files
    time_zones.py months    for PYTHONTZPATH, which must name one folder: for each zone in it, and each
                            month start 1990-01 to 2060-12, prints
                            zone,YYYY-MM-DD,seconds since 1970-01-01T00:00:00Z

The logic is on purpose not that of the service, which maps local time to UTC. This walks UTC: it
lists the changes of the zone's offset, and within each stretch of constant offset a local midnight
is plain arithmetic. The first stretch in which clocks show the wanted midnight or a later time
holds the day's first instant.

Zones are read from that folder and from nowhere else, so that the service can be fed the same files.
"""

import os
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


def newest():
    print(tzdata.IANA_VERSION)
    print(os.path.join(os.path.dirname(tzdata.__file__), "zoneinfo"))


def months():
    if len(zoneinfo.TZPATH) != 1:
        sys.exit("error: PYTHONTZPATH must name one folder")
    starts = [
        date(year, month, 1)
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for month in range(1, 13)
    ]
    midnights = [(start - date(1970, 1, 1)).days * DAY_SECONDS for start in starts]
    for name in sorted(zoneinfo.available_timezones()):
        path = os.path.join(zoneinfo.TZPATH[0], name)
        # Names of the package tzdata are listed, too; and Debian's folder holds the machine's own zone
        # under a name that is no zone's.
        if not os.path.isfile(path) or name == "localtime":
            continue
        with open(path, "rb") as file:
            zone = zoneinfo.ZoneInfo.from_file(file, name)
        lines = [
            f"{name},{start},{first_instant(zone, midnight)}\n"
            for start, midnight in zip(starts, midnights)
        ]
        sys.stdout.write("".join(lines))


{"newest": newest, "months": months}[sys.argv[1]]()

"""Load for a long time on one cluster: is its resident memory flat?"""

import sys

import tools

PARTS = 10


def run(peer, settings, seconds, connections, growth_mb):
    """Prints rate and resident memory after each tenth. Returns the exit status: 1 if memory grew
    by more than `growth_mb` over the second half, or requests failed."""
    sizes, failed = [], 0
    for part in range(PARTS):
        result = tools.load(peer, peer.cluster.leader, settings,
                            operation="mixed" if part % 2 else "put", connections=connections,
                            seconds=max(1, seconds / PARTS), seed=part + 1)
        failed += sum(result["errors"].values())
        sizes.append(peer.cluster.resident_mb())
        print(f"{(part + 1) * 100 // PARTS:4} %  {result['rate']:10,.0f} requests/s   resident MB "
              + "  ".join(f"{size:8.1f}" for size in sizes[-1]), flush=True)
    growth = max(last - middle for last, middle in zip(sizes[-1], sizes[PARTS // 2 - 1]))
    print(f"growth over the second half: {growth:.1f} MB; requests that failed: {failed}")
    if growth > growth_mb:
        print(f"bench: resident memory grew by more than {growth_mb:g} MB", file=sys.stderr)
    return 1 if growth > growth_mb or failed else 0

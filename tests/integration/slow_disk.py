"""Nodes whose disks take their time: slow_disk.c, preloaded."""

import harness

LIBRARY = harness.PROGRAM.parent / "tests" / "integration" / "slow_disk.so"


def cluster(case, size, mood):
    """Started; each node's disk is as `mood` says, and as its node.mood says later on."""
    if harness.is_sanitized():
        case.skipTest("a sanitizer's own library has to be loaded first")
    if not LIBRARY.exists():
        case.skipTest(f"{LIBRARY} is not there: it is built with the tests")
    nodes = case.cluster(size, start=False)
    for node in nodes:
        node.mood = node.directory / f"disk-{node.id}"
        node.mood.write_text(mood)
        node.environment = {"LD_PRELOAD": str(LIBRARY), "SLOW_DISK": str(node.mood)}
    nodes.start()
    return nodes

#!/usr/bin/env python3
"""Nodes behind a bad network: what clients saw is linearizable, and service is back soon after."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import harness
import network
from history import ILLEGAL, Client, History, Load

ROUNDS = harness.pick(1, 20)  # of each fault
TERM_STEPS_MAX = 2            # of a fault and its end, whatever it is and however long
STALL_STEPS_MAX = 3           # more, if the machine stalls: less than what no pre-votes would cost
STALL_SECONDS = 0.2           # half the election timeout: what may cost a term more
SLOW_LINK_BYTES = 12_500_000  # a second: 100 Mbit/s, where a value of 8 MiB takes 0.7 s
SLOW_SYNC_SECONDS = 0.131071  # a bucket's bound; a vote is two syncs, one after the other
ELECTION_SECONDS = 0.8        # twice the timeout: the longest that a follower waits


def back_seconds():
    """How long service may take to be whole again."""
    return 15 if harness.is_sanitized() else 5


def fault_seconds(choose):
    """How long a fault lasts: in some rounds long enough for connections to be given up."""
    return harness.pick(2, choose.choice((1, 3, 7, 15)))


class Stalls:
    """How often this machine stood still, its disk aside: who is not run misses heartbeats."""

    def __init__(self):
        self.moments = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        last = time.monotonic()
        while not self.is_over.wait(0.02):
            now = time.monotonic()
            if now - last > STALL_SECONDS:
                self.moments.append(now - last)
            last = now

    def stop(self):
        self.is_over.set()
        self.thread.join()


class Faults(harness.TestCase):
    """A cluster behind a switch, and one history of it over all tests of a class."""

    SIZE = 0

    @classmethod
    def setUpClass(cls):
        cls.nodes = network.NetworkCluster.of_class(cls, cls.SIZE)
        cls.switch = cls.nodes.switch
        cls.history = History(cls.__name__.lower())
        cls.stalls = Stalls()
        cls.addClassCleanup(cls.stalls.stop)

    def setUp(self):
        self.choose = harness.rng(self.id())
        self.addCleanup(self.switch.heal)

    def term(self):
        return max(node.stats()["term"] for node in self.nodes)

    def slow_syncs(self):
        """How many syncs of the nodes' logs took so long that a vote may come too late."""
        name = "pontoon_wal_sync_seconds"
        return sum(node.metric(f"{name}_count")
                   - node.metric(f'{name}_bucket{{le="{SLOW_SYNC_SECONDS}"}}')
                   for node in self.nodes)

    def serve(self, node, began):
        """How long after `began` the node did a write and a linearizable read; None: too long."""
        client = Client(self.history, node, timeout_ms=500)
        try:
            while time.monotonic() < began + 4 * back_seconds():
                answers = [client.ask("put", 0), client.ask("get", 0)]
                if all(answer is not None and answer.status < 500 for answer in answers):
                    return time.monotonic() - began
                self.stalls.is_over.wait(0.02)
        finally:
            client.close()
        return None

    def wait_back(self):
        """Seconds until every node served, from now."""
        began = time.monotonic()
        with ThreadPoolExecutor(len(self.nodes.nodes)) as pool:
            times = list(pool.map(lambda node: self.serve(node, began), self.nodes))
        self.assertNotIn(None, times, "each node serves again")
        return max(times)

    def one_round(self, begin, during=None, seconds=None):
        """Load, a fault for some time, its end; returns the switch's counts of the fault."""
        seconds = seconds or fault_seconds(self.choose)
        with Load(self.history, self.nodes) as load:
            load.wait_answers()
            stalls, slow = len(self.stalls.moments), self.slow_syncs()
            before, term = self.switch.counts(), self.term()
            began = time.monotonic()
            begin()
            if during is not None:
                during()
            load.is_over.wait(began + seconds - time.monotonic())  # the length of the fault
            seconds = time.monotonic() - began
            self.switch.heal()
            back = self.wait_back()
            load.wait_answers()
        after = self.switch.counts()
        counts = {name: after[name] - before[name] for name in after}
        steps, slow = self.term() - term, self.slow_syncs() - slow
        stalls = self.stalls.moments[stalls:]
        harness.say(f"{seconds:.1f} s, back after {back:.2f} s, {steps} terms later; "
                    + ", ".join(f"{count} {name}" for name, count in counts.items() if count)
                    + (f"; the machine stalled {len(stalls)} times, its disk {slow:.0f} times"
                       if stalls or slow else ""))
        self.assertLessEqual(back, back_seconds() + sum(stalls))
        self.assertLessEqual(steps, TERM_STEPS_MAX + min(len(stalls) + slow, STALL_STEPS_MAX))
        return counts

    def run_fault(self, begin, during=None, count="cut"):
        """All rounds of a fault that the switch counts as `count`, and the verdict on all."""
        for _ in range(ROUNDS):
            self.assertGreater(self.one_round(begin, during)[count], 0)
        self.check_all()

    def check_all(self):
        """The members are of one mind, and the history has an order."""
        stats = self.nodes.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1, stats)
        verdict = self.history.check(self.nodes.directory).strip().split(": ")[-1]
        harness.say(f"{verdict} so far, {self.history.open_count} of unknown outcome")

    def check_refuses(self, nodes):
        """Soon these have no answers but 503, to reads as to writes."""
        clients = [Client(self.history, node, timeout_ms=300) for node in nodes]
        for client in clients:
            self.addCleanup(client.close)
            for kind in ("get", "put"):  # a write that was passed on before is 504
                harness.wait_until(lambda: self.status_of(client, kind) == 503, 10,
                                   f"node {client.node.id} refuses")
        for kind in ("get", "put", "delete", "get"):
            for client in clients:
                self.assertEqual(self.status_of(client, kind), 503, client.node.id)
        for node in nodes:
            stale = node.get(f"{self.history.target(0)}?consistency=stale")
            self.assertIn(stale.status, (200, 404))
            self.assertEqual(stale.headers["kv-consistency"], "stale")

    def status_of(self, client, kind):
        answer = client.ask(kind, self.choose.randrange(self.history.key_count))
        self.assertIsNotNone(answer, f"node {client.node.id} answers")
        return answer.status

    def check_writes(self, nodes):
        """Each of these does a write, and soon."""
        for node in nodes:
            client = Client(self.history, node, timeout_ms=500)
            self.addCleanup(client.close)
            harness.wait_until(lambda: self.status_of(client, "put") in (200, 201), 10,
                               f"node {node.id} writes")


class ThreeNodes(Faults):
    SIZE = 3

    def separate(self, some):
        self.switch.cut_both(some, self.nodes.others(*some))

    def test_the_leader_is_separated(self):
        alone = []

        def begin():
            alone[:] = [self.nodes.leader()]
            self.separate(alone)

        def during():
            self.check_writes(self.nodes.others(*alone))
            self.check_refuses(alone)

        self.run_fault(begin, during)

    def test_a_follower_is_separated(self):
        alone = []

        def begin():
            alone[:] = [self.choose.choice(self.nodes.others(self.nodes.leader()))]
            self.separate(alone)

        def during():
            self.check_refuses(alone)
            self.check_writes(self.nodes.others(*alone))

        self.run_fault(begin, during)

    def test_all_are_separated(self):
        def begin():
            for node in self.nodes:
                self.separate([node])

        self.run_fault(begin, lambda: self.check_refuses(self.nodes.nodes))

    def test_the_leader_hears_nobody(self):
        others = []

        def begin():
            leader = self.nodes.leader()
            others[:] = self.nodes.others(leader)
            self.switch.cut(others, [leader])

        self.run_fault(begin, lambda: self.check_writes(others))

    def test_nobody_hears_the_leader(self):
        others = []

        def begin():
            leader = self.nodes.leader()
            others[:] = self.nodes.others(leader)
            self.switch.cut([leader], others)

        self.run_fault(begin, lambda: self.check_writes(others))

    def test_one_follower_does_not_hear_the_leader(self):
        other = []

        def begin():
            leader = self.nodes.leader()
            deaf, *other[:] = self.nodes.others(leader)
            self.switch.cut([leader], [deaf])
            other.append(leader)

        self.run_fault(begin, lambda: self.check_writes(other))

    def test_a_link_of_the_leader_comes_and_goes(self):
        def begin():
            leader = self.nodes.leader()
            other = self.choose.choice(self.nodes.others(leader))
            end = time.monotonic() + fault_seconds(self.choose)
            while time.monotonic() < end:
                self.switch.cut_both([leader], [other])
                self.stalls.is_over.wait(self.choose.uniform(0.05, 0.5))  # how long it is gone
                self.switch.heal()
                self.stalls.is_over.wait(self.choose.uniform(0.05, 0.5))

        self.run_fault(begin)

    def test_packets_are_lost(self):
        self.run_fault(lambda: self.switch.command("link * * loss=50"), count="lost")

    def test_packets_are_doubled_and_overtake_each_other(self):
        self.run_fault(lambda: self.switch.command("link * * duplicate=50 delay=0-3000"),
                       count="duplicated")

    def test_packets_are_damaged_and_tcp_does_not_see_it(self):
        name = "pontoon_peer_malformed_frames_total"
        before = sum(node.metric(name) for node in self.nodes)
        self.run_fault(lambda: self.switch.spoil("corrupt=10"), count="corrupted")
        found = sum(node.metric(name) for node in self.nodes) - before
        harness.say(f"{found:.0f} damaged frames were noticed")
        self.assertGreater(found, 0)


    # That the verdict is worth something.
    def test_a_stale_read_taken_for_a_linearizable_one_is_found(self):
        leader = self.nodes.leader()
        history = History("bite", key_count=1)
        before = Client(history, leader)
        after = Client(history, self.nodes.others(leader)[0], timeout_ms=500)
        stale = Client(history, leader, consistency="stale")
        for client in (before, after, stale):
            self.addCleanup(client.close)
        self.assertEqual(before.ask("put", 0).status, 201)
        self.separate([leader])
        harness.wait_until(lambda: after.ask("put", 0).status == 200, 10, "the others write")
        history.check(self.nodes.directory)
        self.assertEqual(stale.ask("get", 0).status, 200)
        said = history.check(self.nodes.directory, expected=ILLEGAL)
        self.assertIn(f"client {stale.number} read", said)
        self.switch.heal()
        self.wait_back()

    def write_once(self, client, began):
        """How long after `began` the client's first write was acknowledged."""
        while time.monotonic() < began + 30:
            answer = client.ask("put", 0)
            if answer is not None and answer.status in (200, 201):
                return time.monotonic() - began
        raise AssertionError(f"node {client.node.id} does not write")

    # Its cable is out: nobody is told, as a killed process's kernel tells.
    def test_the_leaders_host_is_gone_without_a_word(self):
        gaps = []
        for _ in range(harness.pick(4, 50)):
            leader = self.nodes.leader()
            clients = [Client(self.history, node, timeout_ms=100)
                       for node in self.nodes.others(leader)]
            stalls, slow = len(self.stalls.moments), self.slow_syncs()
            self.switch.isolate(leader)
            began = time.monotonic()
            with ThreadPoolExecutor(len(clients)) as pool:
                gap = min(pool.map(lambda client: self.write_once(client, began), clients))
            self.switch.heal()
            self.assertLessEqual(self.wait_back(), back_seconds())
            for client in clients:
                client.close()
            if len(self.stalls.moments) == stalls and self.slow_syncs() == slow:
                gaps.append(gap)
        self.check_all()
        if gaps:
            harness.say(f"leader's cable out, next acknowledged write: median "
                        f"{statistics.median(gaps):.2f} s, max {max(gaps):.2f} s, of {len(gaps)}")
            # The first election may fail, and what follows it takes a little.
            slack = 2 if harness.is_sanitized() else 0.2
            self.assertLessEqual(statistics.median(gaps), ELECTION_SECONDS + slack, gaps)
            self.assertLessEqual(max(gaps), 2 * ELECTION_SECONDS + slack, gaps)


class SlowLinks(harness.TestCase):
    def test_a_large_value_over_a_slow_link_costs_no_election(self):
        nodes = network.NetworkCluster.of_class(type(self), 3)
        stalls = Stalls()
        self.addCleanup(stalls.stop)
        source = nodes.directory / "source"
        source.write_bytes(harness.rng(self.id()).randbytes(8 << 20))
        nodes.switch.spoil(f"rate={SLOW_LINK_BYTES}")
        nodes.leader()
        seconds, wanted = [], harness.pick(6, 30)
        for number in range(5 * wanted):  # one in which the machine stood still says nothing
            node = nodes.nodes[number % 3]
            stall_count, term = len(stalls.moments), self.terms(nodes)
            began = time.monotonic()
            status, body, errors = harness.curl("--fail", "-sS", "-T", source,
                                                f"{node.url}/kv/{number}?timeout=60s")
            lasted = time.monotonic() - began
            if len(stalls.moments) == stall_count:
                self.assertEqual((status, body), (0, b"OK"), errors)
                self.assertEqual(self.terms(nodes), term)
                seconds.append(lasted)
            if len(seconds) == wanted:
                break
        self.assertTrue(seconds, "the machine stood still in each of them")
        harness.say(f"8 MiB over 100 Mbit/s, {len(seconds)} times: "
                    f"median {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s; "
                    f"the machine stalled {len(stalls.moments)} times")

    def terms(self, nodes):
        return {node.stats()["term"] for node in nodes}


class FiveNodes(Faults):
    SIZE = 5

    # peers: mit/TestOnePartition4B, tinykv/TestOnePartition2B
    def test_the_leader_is_in_a_minority_of_two(self):
        minority = []

        def begin():
            leader = self.nodes.leader()
            minority[:] = [leader, self.choose.choice(self.nodes.others(leader))]
            self.switch.cut_both(minority, self.nodes.others(*minority))

        def during():
            self.check_writes(self.nodes.others(*minority))
            self.check_refuses(minority)

        self.run_fault(begin, during)

    def test_one_node_is_the_bridge_between_two_and_two(self):
        order = []

        def begin():
            order[:] = self.choose.sample(self.nodes.nodes, 5)
            self.switch.cut_both(order[:2], order[3:])

        self.run_fault(begin, lambda: self.check_writes([order[2]]))

    def test_each_sees_another_majority_in_a_ring(self):
        order = []

        def begin():
            order[:] = self.choose.sample(self.nodes.nodes, 5)
            for place, node in enumerate(order):
                self.switch.cut([node], [order[(place + 2) % 5], order[(place + 3) % 5]])

        self.run_fault(begin, self.check_some_write)

    def check_some_write(self):
        """Whoever leads has a majority beside it, and writes."""
        def write():
            for node in self.nodes:
                client = Client(self.history, node, timeout_ms=500)
                try:
                    if self.status_of(client, "put") in (200, 201):
                        return True
                finally:
                    client.close()
            return False
        harness.wait_until(write, 10, "some node writes")


    def disturb(self, load):
        """Other sides in each second, on links that lose and delay; who is killed comes back."""
        self.switch.spoil("loss=100 delay=0-26000")
        end = time.monotonic() + harness.pick(8, 60)
        kills = 0
        while time.monotonic() < end:
            self.switch.command("heal * *")
            some = [node for node in self.nodes if self.choose.random() < 0.5]
            self.switch.cut_both(some, self.nodes.others(*some))
            if self.choose.random() < 0.4:
                victim = self.choose.choice(self.nodes.nodes)
                victim.kill()
                victim.start()
                kills += 1
            load.is_over.wait(self.choose.uniform(0.1, 1.3))  # how long it stays so
        return kills

    # peers: mit/TestManyPartitionsManyClients4B, mit/TestPersistPartitionUnreliableLinearizable4B,
    # tinykv/TestManyPartitionsManyClients2B, tinykv/TestPersistPartitionUnreliable2B
    def test_cuts_loss_delays_and_kills_at_once(self):
        for _ in range(harness.pick(1, 10)):
            with Load(self.history, self.nodes, clients_a_node=3) as load:
                load.wait_answers()
                kills = self.disturb(load)
                self.switch.heal()
                back = self.wait_back()
                load.wait_answers()
            harness.say(f"{kills} kills, back after {back:.2f} s")
            self.assertLessEqual(back, 2 * back_seconds())  # a node may just have been started
            self.check_all()


if __name__ == "__main__":
    harness.main()

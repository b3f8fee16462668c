"""Transactions, batches, patches, counters with curl: TXN-1, TXN-5, TXN-6, CAS-2 to -5, CAS-7."""

import json
import threading
import uuid

import harness
from harness import Closed, TestCase, curl, pick, rng, wait_until

ACCOUNTS = 10
START_BALANCE = 100
CLIENTS = pick(8, 20)
TRANSFERS = pick(12, 60)  # of each client
COUNTERS = pick(16, 50)
COUNTS = pick(25, 200)  # of each client
MERGE_PATCH = "Content-Type: application/merge-patch+json"


def shell(url, *arguments):
    """(status, head, body) of curl, which goes on from there as any client would."""
    code, out, errors = curl("-sS", "-i", *arguments, url)
    if code != 0:
        raise AssertionError(f"curl {url}: {code}, {errors}")
    while out.startswith(b"HTTP/1.1 100"):
        out = out.split(b"\r\n\r\n", 1)[1]
    head, body = out.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, body


def txn(url, document, *arguments):
    return shell(f"{url}/txn", "-d", json.dumps(document), *arguments)


class Clients:
    """Threads that each do something until it is done, on one node or another."""

    def __init__(self, cluster, count, work):
        self.cluster = cluster
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(work, number))
                        for number in range(count)]

    def run(self, work, number):
        try:
            work(number)
        except BaseException as failure:  # noqa: BLE001: the test's thread raises it
            self.failures.append(failure)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]


def insist(cluster, number, target, body, key):
    """POSTs under one idempotency key until it is answered for good: as a client should."""
    headers = [("Idempotency-Key", key)]
    answer = None

    def ask():
        nonlocal number, answer
        number += 1
        node = cluster[number % len(cluster.nodes)]
        try:
            answer = node.request("POST", target, body.encode(), headers, seconds=10)
        except (OSError, Closed):
            return False
        is_at_work = answer.status == 409 and b"idempotency-in-progress" in answer.body
        return not is_at_work and answer.status not in (503, 504)
    wait_until(ask, 60, f"{target} is answered")
    return answer


class OneNode(TestCase):
    size = 1

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.class_cluster(cls.size)

    def urls(self):
        """The next of the nodes, each time."""
        while True:
            yield from (node.url for node in self.shared)

    def setUp(self):
        self.url = self.urls()

    def test_a_transaction_sees_what_it_has_done(self):
        """TXN-5"""
        for _ in self.shared:
            key = uuid.uuid4().hex
            url = next(self.url)
            status, fields, body = txn(url, {"then": [{"put": key, "value": "1"}, {"get": key},
                                                      {"incr": f"{key}-n", "by": 4},
                                                      {"get": f"{key}-n"}]})
            self.assertEqual(status, 200, body)
            answer = json.loads(body)
            revision = answer["revision"]
            self.assertEqual(answer["succeeded"], True)
            self.assertEqual(fields["kv-revision"], str(revision))
            self.assertEqual([result.get("value") for result in answer["results"]],
                             [None, "1", None, "4"])
            self.assertEqual({result["etag"] for result in answer["results"]}, {str(revision)})
            status, fields, body = txn(url, {"if": [{"key": key, "value": "2"}],
                                             "then": [{"put": key, "value": "3"}]})
            self.assertEqual(status, 412, body)
            document = json.loads(body)
            self.assertEqual((document["clause"], document["key"], document["etag"]),
                             (0, key, str(revision)))
            self.assertEqual(fields["etag"], f'"{revision}"')
            self.assertEqual(document["revision"], revision, "a refused one is no revision")
            self.assertEqual(shell(f"{next(self.url)}/kv/{key}")[2], b"1")

    def test_a_condition_that_does_not_hold_fails_a_shell(self):
        code, _, _ = curl("-sf", "-d", '{"if":[{"key":"none","exists":true}],"then":[{"get":"x"}]}',
                          f"{next(self.url)}/txn")
        self.assertEqual(code, 22)

    def test_many_create_and_one_has_done_it(self):
        """CAS-3"""
        key = uuid.uuid4().hex
        statuses = []

        def create(number):
            node = self.shared[number % len(self.shared.nodes)]
            answer = node.request("POST", f"/kv/{key}", str(number).encode(),
                                  [("If-None-Match", "*")])
            statuses.append(answer.status)
        with Clients(self.shared, 20, create):
            pass
        self.assertEqual(sorted(statuses), [200] + [412] * 19)

    def test_a_write_of_an_old_tag_changes_nothing(self):
        """CAS-2"""
        key = uuid.uuid4().hex
        _, first, _ = shell(f"{next(self.url)}/kv/{key}", "-d", "1")
        _, second, _ = shell(f"{next(self.url)}/kv/{key}", "-d", "2")
        for condition in (["-H", f"If-Match: {first['etag']}"], []):
            query = "" if condition else f"?cas={first['etag'][1:-1]}"
            status, fields, _ = shell(f"{next(self.url)}/kv/{key}{query}", "-d", "3", *condition)
            self.assertEqual((status, fields["etag"]), (412, second["etag"]))
            self.assertEqual(shell(f"{next(self.url)}/kv/{key}")[2], b"2")

    def test_a_repeated_request_has_the_first_answer(self):
        """CAS-5"""
        key = uuid.uuid4().hex
        _, tag, _ = shell(f"{next(self.url)}/kv/{key}", "-d", "1")
        arguments = ("-d", "2", "-H", f"If-Match: {tag['etag']}", "-H", f"Idempotency-Key: {key}")
        answers = [shell(f"{next(self.url)}/kv/{key}", *arguments) for _ in range(4)]
        self.assertEqual([status for status, _, _ in answers], [200] * 4)
        self.assertEqual(len({fields["etag"] for _, fields, _ in answers}), 1)
        self.assertEqual([fields.get("idempotency-replayed") for _, fields, _ in answers],
                         [None, "true", "true", "true"])

    def test_a_batch_goes_on_after_a_bad_line(self):
        """TXN-6"""
        key = uuid.uuid4().hex
        lines = [json.dumps({"put": f"{key}/{number}", "value": str(number)})
                 for number in range(1, 1001)]
        lines[499] = '{"put":'
        body = "\n".join(lines)
        for _ in self.shared:
            url = next(self.url)
            status, _, answer = shell(f"{url}/batch?atomic=1", "--data-binary", body)
            self.assertEqual(status, 400, answer)
            self.assertIn("line 500:", json.loads(answer)["detail"])
            self.assertEqual(shell(f"{url}/kv/{key}%2F1")[0], 404)
        status, _, answer = shell(f"{next(self.url)}/batch", "--data-binary", body)
        results = [json.loads(line) for line in answer.splitlines()]
        self.assertEqual(status, 200)
        self.assertEqual([result["line"] for result in results], list(range(1, 1001)))
        self.assertEqual([result["line"] for result in results if result["status"] != 200], [500])
        self.assertEqual(results[499]["status"], 400)
        self.assertEqual(shell(f"{next(self.url)}/kv/{key}%2F1000")[2], b"1000")

    def test_patches_of_many_are_all_there(self):
        key = uuid.uuid4().hex

        def patch(number):
            url = self.shared[number % len(self.shared.nodes)].url
            status, _, body = shell(f"{url}/kv/{key}?timeout=30s", "-X", "PATCH", "-H", MERGE_PATCH,
                                    "-H", f"Idempotency-Key: {key}-{number}",
                                    "-d", json.dumps({f"m{number}": number, "gone": None}))
            if status not in (200, 201):
                raise AssertionError(f"{status}: {body}")
        with Clients(self.shared, CLIENTS, patch):
            pass
        status, fields, body = shell(f"{next(self.url)}/kv/{key}")
        self.assertEqual(json.loads(body), {f"m{number}": number for number in range(CLIENTS)})
        self.assertEqual(fields["content-type"], "application/json")
        self.assertEqual(fields["kv-version"], str(CLIENTS))


class ThreeNodes(OneNode):
    size = 3


class Failover(TestCase):
    def replace_leader(self, cluster):
        leader = cluster.leader()
        leader.kill()
        cluster.leader()
        leader.start()

    def transfer(self, cluster, number, draws):
        """Moves money if the balances are what they were read to be."""
        one, other = draws.sample(range(ACCOUNTS), 2)
        amount = draws.randint(1, 30)

        def move():
            found = self.read(cluster, number)
            if found is None:
                return False
            balances, tags = found
            if balances[one] < amount:
                return True
            document = {"if": [{"key": f"account/{place}", "etag": tags[place]}
                               for place in (one, other)],
                        "then": [{"put": f"account/{one}", "value": str(balances[one] - amount)},
                                 {"put": f"account/{other}",
                                  "value": str(balances[other] + amount)}]}
            answer = insist(cluster, number, "/txn", json.dumps(document), uuid.uuid4().hex)
            if answer.status not in (200, 412):
                raise AssertionError(answer)
            return answer.status == 200
        wait_until(move, 120, "a transfer gets through")

    def read(self, cluster, number):
        """(balances, tags) of one moment, whose sum is what it always was; None: ask again."""
        document = {"then": [{"get": f"account/{place}"} for place in range(ACCOUNTS)]}
        node = cluster[number % len(cluster.nodes)]
        try:
            answer = node.request("POST", "/txn?timeout=2s", json.dumps(document).encode(),
                                  seconds=10)
        except (OSError, Closed):
            return None
        if answer.status != 200:
            return None
        results = answer.json()["results"]
        balances = [int(result["value"]) for result in results]
        if sum(balances) != ACCOUNTS * START_BALANCE:
            raise AssertionError(f"money came or went: {balances}")
        return balances, [result["etag"] for result in results]

    def test_money_is_neither_made_nor_lost(self):
        """TXN-1, with the leader killed meanwhile"""
        cluster = self.cluster(3)
        cluster.wait_ready()
        puts = [{"put": f"account/{place}", "value": str(START_BALANCE)}
                for place in range(ACCOUNTS)]
        self.assertEqual(txn(cluster.leader().url, {"then": puts})[0], 200)

        def work(number):
            draws = rng(f"transfers/{number}")
            for turn in range(TRANSFERS):
                self.transfer(cluster, number + turn, draws)
        with Clients(cluster, CLIENTS, work):
            self.replace_leader(cluster)
            self.replace_leader(cluster)
        cluster.settle()
        for number in range(3):
            balances, _ = wait_until(lambda n=number: self.read(cluster, n), 30, "a snapshot")
            self.assertEqual(sum(balances), ACCOUNTS * START_BALANCE)

    def test_each_count_counts_once(self):
        """CAS-7, with the leader killed meanwhile"""
        cluster = self.cluster(3)
        cluster.wait_ready()

        def work(number):
            for turn in range(COUNTS):
                answer = insist(cluster, number, "/kv/counter?op=incr", "", f"{number}-{turn}")
                if answer.status != 200:
                    raise AssertionError(answer)
        with Clients(cluster, COUNTERS, work):
            self.replace_leader(cluster)
            self.replace_leader(cluster)
        for node in cluster:
            self.assertEqual(node.get("/kv/counter").body.decode(), str(COUNTERS * COUNTS))


if __name__ == "__main__":
    harness.main()

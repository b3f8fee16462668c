// bench-etcd: loads etcd over gRPC as bench-load loads others, with the same keys and values, and
// prints the same line of JSON (README.md).
//
// Measured are the requests that were begun within the window. One that failed, or whose answer is
// not the value that must stand there, is an error and no operation. Clients share the connections
// (HTTP/2 has many requests on one), as they do in etcd's own benchmark.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc/status"
)

const patience = 10 * time.Second

type options struct {
	address     string
	operation   string
	clients     int
	connections int
	warmUp      float64
	seconds     float64
	keys        int64
	valueBytes  int
	seed        int64
}

// What one client has seen. Each has its own, so that they share nothing while the clock runs.
type tally struct {
	latencies []time.Duration
	answered  int64
	errors    map[string]int64
	last      time.Time
}

func readOptions() options {
	var o options
	flag.StringVar(&o.address, "address", "", "HOST:PORT")
	flag.StringVar(&o.operation, "operation", "put", "put, get, mixed (90 % get), fill")
	flag.IntVar(&o.clients, "connections", 64, "clients, each with one request on its way")
	flag.IntVar(&o.connections, "sockets", 16, "TCP connections that they share, at most")
	flag.Float64Var(&o.warmUp, "warm-up", 0.5, "seconds before the clock starts")
	flag.Float64Var(&o.seconds, "seconds", 3, "requests begun for so long are measured")
	flag.Int64Var(&o.keys, "keys", 10000, "keys")
	flag.IntVar(&o.valueBytes, "value-bytes", 256, "bytes of a value, at least 12")
	flag.Int64Var(&o.seed, "seed", 1, "which keys are chosen")
	flag.Parse()
	if o.address == "" || o.clients < 1 || o.connections < 1 || o.keys < 1 || o.valueBytes < 12 ||
		flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if o.connections > o.clients {
		o.connections = o.clients
	}
	return o
}

func keyOf(number int64) string {
	return fmt.Sprintf("key-%08d", number)
}

// What stands behind the key in each value: the same as in load/work.c, since both load one cluster.
func filler(size int) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	bytes := make([]byte, size)
	for i := range bytes {
		bytes[i] = digits[i*37%len(digits)]
	}
	return string(bytes)
}

// One request; the empty string: it succeeded, else the problem in a word.
func ask(client *clientv3.Client, isPut bool, key, value string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if isPut {
		if _, err := client.Put(ctx, key, value); err != nil {
			return status.Convert(err).Code().String()
		}
		return ""
	}
	answer, err := client.Get(ctx, key)
	switch {
	case err != nil:
		return status.Convert(err).Code().String()
	case len(answer.Kvs) == 0:
		return "missing"
	case string(answer.Kvs[0].Value) != value:
		return "wrong_value"
	}
	return ""
}

// One client: requests, one after the other, until the window is over or a fill is done.
func run(o *options, client *clientv3.Client, number int, begin, end time.Time, filled *int64) tally {
	random := rand.New(rand.NewSource(o.seed*1000003 + int64(number)))
	rest := filler(o.valueBytes - len(keyOf(0)))
	seen := tally{errors: map[string]int64{}}
	for {
		sent := time.Now()
		if o.operation != "fill" && sent.After(end) {
			return seen
		}
		place := random.Int63n(o.keys)
		isPut := o.operation == "put"
		switch o.operation {
		case "mixed":
			isPut = random.Intn(10) == 0
		case "fill":
			isPut = true
			if place = atomic.AddInt64(filled, 1) - 1; place >= o.keys {
				return seen
			}
		}
		key := keyOf(place)
		problem := ask(client, isPut, key, key+rest)
		seen.last = time.Now()
		if problem != "" {
			seen.errors[problem]++
			continue
		}
		seen.answered++
		if !sent.Before(begin) {
			seen.latencies = append(seen.latencies, seen.last.Sub(sent))
		}
	}
}

func connect(o *options) []*clientv3.Client {
	clients := make([]*clientv3.Client, o.connections)
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{
			Endpoints: []string{o.address}, DialTimeout: patience})
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			_, err = client.Get(ctx, "-") // so that it is connected before the clock runs
			cancel()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench-etcd: cannot connect:", err)
			os.Exit(2)
		}
		clients[i] = client
	}
	return clients
}

func microseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond)
}

func report(seen []tally, begin time.Time) int {
	var latencies []time.Duration
	var answered int64
	last := begin
	errors := map[string]int64{}
	for _, one := range seen {
		latencies = append(latencies, one.latencies...)
		answered += one.answered
		for problem, count := range one.errors {
			errors[problem] += count
		}
		if one.last.After(last) {
			last = one.last
		}
	}
	sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
	quantile := func(q float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return microseconds(latencies[int(q*float64(len(latencies)-1))])
	}
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	seconds := last.Sub(begin).Seconds()
	rate := 0.0
	if seconds > 0 {
		rate = float64(len(latencies)) / seconds
	}
	line, _ := json.Marshal(map[string]interface{}{
		"ops": len(latencies), "seconds": seconds, "rate": rate,
		"p50_us": quantile(0.5), "p90_us": quantile(0.9), "p99_us": quantile(0.99),
		"p999_us": quantile(0.999), "max_us": quantile(1),
		"answered": answered, "cpu_seconds": cpu, "errors": errors,
	})
	fmt.Println(string(line))
	return len(errors)
}

func main() {
	o := readOptions()
	clients := connect(&o)
	seen := make([]tally, o.clients)
	begin := time.Now()
	if o.operation != "fill" {
		begin = begin.Add(time.Duration(o.warmUp * float64(time.Second)))
	}
	end := begin.Add(time.Duration(o.seconds * float64(time.Second)))
	var filled int64
	var running sync.WaitGroup
	for i := range seen {
		running.Add(1)
		go func(i int) {
			defer running.Done()
			seen[i] = run(&o, clients[i%len(clients)], i, begin, end, &filled)
		}(i)
	}
	running.Wait()
	if report(seen, begin) > 0 {
		os.Exit(1)
	}
}

// Watches URL with the npm package eventsource, as it is, and writes a line of JSON for each thing
// that it sees: eventsource.mjs MODULE URL. What it asks for is seen by its own `fetch` option.
const [module, url] = process.argv.slice(2);
const { EventSource } = await import(module);

const tell = (...record) => process.stdout.write(JSON.stringify(record) + "\n");

const source = new EventSource(url, {
  fetch: (target, init) => {
    tell("request", init.headers["Last-Event-ID"] ?? null);
    return fetch(target, init);
  },
});
source.onopen = () => tell("open");
source.onerror = (error) => tell("error", source.readyState, String(error.message));
for (const kind of ["put", "delete", "expire", "progress", "synced", "reset"]) {
  source.addEventListener(kind, (event) => tell(kind, event.lastEventId, event.data));
}

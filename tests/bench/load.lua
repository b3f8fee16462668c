-- What wrk sends: PUT or GET of one of KEYSPACE keys with VALUE_SIZE bytes, to pontoon or to etcd's JSON
-- gateway. Set by the environment: API (pontoon, etcd), OP (put, get, mixed: 90 % get), KEYSPACE,
-- VALUE_SIZE. Every request is built once before the clock runs; sending only picks one.
local api, op = os.getenv("API"), os.getenv("OP")
local keyspace, size = tonumber(os.getenv("KEYSPACE")), tonumber(os.getenv("VALUE_SIZE"))
local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    local function digit(shift) return digits:sub(bits / 2 ^ shift % 64 + 1, bits / 2 ^ shift % 64 + 1) end
    out[#out + 1] = digit(18) .. digit(12) .. (b and digit(6) or "=") .. (c and digit(0) or "=")
  end
  return table.concat(out)
end

local function message(method, path, fields, body)
  return method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\n" .. fields ..
    (body and "Content-Length: " .. #body .. "\r\n\r\n" .. body or "\r\n")
end

local puts, gets = {}, {}

function init(args)
  math.randomseed(tonumber(os.getenv("SEED")))
  local value = {}
  for i = 1, size do value[i] = string.char(math.random(97, 122)) end
  value = table.concat(value)
  local json = "Content-Type: application/json\r\n"
  for i = 0, keyspace - 1 do
    local key = string.format("bench/%06d", i)
    if api == "etcd" then
      local key64 = base64(key)
      puts[i] = message("POST", "/v3/kv/put", json,
        '{"key":"' .. key64 .. '","value":"' .. base64(value) .. '"}')
      gets[i] = message("POST", "/v3/kv/range", json, '{"key":"' .. key64 .. '"}')
    else
      puts[i] = message("PUT", "/kv/" .. key, "", value)
      gets[i] = message("GET", "/kv/" .. key, "")
    end
  end
end

local turn = 0
function request()
  local i = math.random(0, keyspace - 1)
  turn = turn + 1
  if op == "fill" then return puts[turn % keyspace] end
  if op == "put" or (op == "mixed" and turn % 10 == 0) then return puts[i] end
  return gets[i]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %.6f %d %d %d\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end

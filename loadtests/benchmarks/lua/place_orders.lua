-- Posts one order after another on every connection, each under a new key.
local token
local run
local sent = 0

function init(arguments)
  token = arguments[1]
  local random = io.open("/dev/urandom", "rb")
  local bytes = random:read(8)
  random:close()
  local seed = 0
  for position = 1, 6 do seed = (seed * 256 + bytes:byte(position)) % 2147483647 end
  math.randomseed(seed)
  run = string.format("%010x%05x", seed, math.random(0, 1048575))
end

local function body()
  return string.format(
    '{"currency":"EUR","customer_id":"c_%d","lines":[{"sku":"CD-%d","quantity":1},'
      .. '{"sku":"CD-%d","quantity":2}],"payment":{"source":{"provider":"simulator",'
      .. '"kind":"token","value":"tok_good"}}}',
    math.random(1, 20000), math.random(1, 1000), math.random(1, 1000))
end

function request()
  sent = sent + 1
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. token,
    ["Idempotency-Key"] = run .. "-" .. sent,
  }, body())
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"seconds":%.6f,"requests":%d,"other":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.duration / 1e6, summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

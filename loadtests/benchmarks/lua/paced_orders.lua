-- Posts orders at a given rate, whatever becomes of the earlier ones, as long as a connection is
-- free, and measures the accepted ones from the moment they were meant to begin.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]

local CLOCK_MONOTONIC = 1
local BUCKETS_MS = 20000
local now_buffer = ffi.new("moment")
local token, rate, run
local scheduled = 0
local began_s
local threads = {}

-- Globals, because that is what wrk lets the main script read of a thread.
sent = 0
accepted = 0
other = 0
last_sent_s = 0
first_sent_s = 0
histogram = {}

local function clock_s()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, now_buffer)
  return tonumber(now_buffer.seconds) + tonumber(now_buffer.nanoseconds) / 1e9
end

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  token = arguments[1]
  rate = tonumber(arguments[2])
  local random = io.open("/dev/urandom", "rb")
  local bytes = random:read(8)
  random:close()
  local seed = 0
  for position = 1, 6 do seed = (seed * 256 + bytes:byte(position)) % 2147483647 end
  math.randomseed(seed)
  run = string.format("b%010x%05x", seed, math.random(0, 1048575))
end

-- One slot of the schedule for each request; a slot that is over begins at once.
function delay()
  local now_s = clock_s()
  if began_s == nil then began_s = now_s end
  local due_s = began_s + scheduled / rate
  scheduled = scheduled + 1
  if due_s <= now_s then return 0 end
  return math.floor((due_s - now_s) * 1000)
end

local function order(number)
  local body = string.format(
    '{"currency":"EUR","customer_id":"c_%d","external_reference":"%s-%d","lines":'
      .. '[{"sku":"CD-%d","quantity":1},{"sku":"CD-%d","quantity":2}],"payment":{"source":'
      .. '{"provider":"simulator","kind":"token","value":"tok_good"}}}',
    math.random(1, 20000), run, number, math.random(1, 1000), math.random(1, 1000))
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. token,
    ["Idempotency-Key"] = run .. "-" .. number,
  }, body)
end

function request()
  if began_s == nil then return order(0) end  -- wrk looks at one request before it begins.
  local number = sent
  sent = sent + 1
  last_sent_s = clock_s()
  if number == 0 then first_sent_s = last_sent_s end
  return order(number)
end

function response(status, headers, body)
  if status ~= 201 then
    other = other + 1
    return
  end
  accepted = accepted + 1
  local number = tonumber(body:match('"external_reference":"%w+%-(%d+)"'))
  local late_ms = (clock_s() - (began_s + number / rate)) * 1000
  local bucket = math.min(BUCKETS_MS, math.max(0, math.floor(late_ms)))
  histogram[bucket + 1] = (histogram[bucket + 1] or 0) + 1
end

local function percentile(counts, total, percent)
  local wanted, seen = math.ceil(total * percent / 100), 0
  for bucket = 0, BUCKETS_MS do
    seen = seen + (counts[bucket + 1] or 0)
    if seen >= wanted and seen > 0 then return bucket + 1 end
  end
  return 0
end

function done(summary, latency, requests)
  local thread = threads[1]
  local counts, total = thread:get("histogram"), thread:get("accepted")
  local elapsed_s = thread:get("last_sent_s") - thread:get("first_sent_s")
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"seconds":%.6f,"requests":%d,"other":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,'
      .. '"sent_rate":%.3f,"accepted":%d,"accepted_p50_ms":%d,"accepted_p99_ms":%d}\n',
    summary.duration / 1e6, summary.requests, thread:get("other"),
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    thread:get("sent") / elapsed_s, total,
    percentile(counts, total, 50), percentile(counts, total, 99)))
end

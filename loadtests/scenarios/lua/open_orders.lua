-- Posts orders by a schedule of rates, whatever becomes of the earlier ones, as long as a
-- connection is free. Each is measured from the moment it was meant to begin.
-- Arguments: token, stages as "from:to:seconds,...", number of SKUs.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]

local CLOCK_MONOTONIC = 1
local BUCKETS_A_DECADE = 40
local BUCKETS = 200 -- From 1 ms to 100 s.
local IDLE_MS = 60000
local now_buffer = ffi.new("moment")
local token, skus, run
local stages = {}
local scheduled = 0
local began_s
local threads = {}

-- Globals, because that is what wrk lets the main script read of a thread.
planned = 0
sent_in = {}
accepted_in = {}
other_in = {}
late_in = {}

local function clock_s()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, now_buffer)
  return tonumber(now_buffer.seconds) + tonumber(now_buffer.nanoseconds) / 1e9
end

local function count(counts, key)
  counts[key] = (counts[key] or 0) + 1
end

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  token = arguments[1]
  local from_s = 0
  for from, to, seconds in arguments[2]:gmatch("([%d.]+):([%d.]+):([%d.]+)") do
    local stage = { from = tonumber(from), to = tonumber(to), seconds = tonumber(seconds) }
    stage.begins_s, stage.begins = from_s, planned
    from_s = from_s + stage.seconds
    planned = planned + (stage.from + stage.to) / 2 * stage.seconds
    table.insert(stages, stage)
  end
  skus = tonumber(arguments[3])
  local random = io.open("/dev/urandom", "rb")
  local bytes = random:read(8)
  random:close()
  local seed = 0
  for position = 1, 6 do seed = (seed * 256 + bytes:byte(position)) % 2147483647 end
  math.randomseed(seed)
  run = string.format("l%010x%05x", seed, math.random(0, 1048575))
end

-- When request `number` is due, in seconds from the start; nil when the schedule is over. Within a
-- stage the rate changes evenly: from * t + (to - from) / (2 * seconds) * t * t requests are due.
local function due(number)
  for _, stage in ipairs(stages) do
    local ahead = number - stage.begins
    if ahead < (stage.from + stage.to) / 2 * stage.seconds then
      local slope = (stage.to - stage.from) / stage.seconds
      if math.abs(slope) < 1e-9 then return stage.begins_s + ahead / stage.from end
      local root = math.sqrt(math.max(0, stage.from * stage.from + 2 * slope * ahead))
      return stage.begins_s + (root - stage.from) / slope
    end
  end
  return nil
end

function delay()
  local now_s = clock_s()
  if began_s == nil then began_s = now_s end
  local due_s = due(scheduled)
  if due_s == nil then return IDLE_MS end
  scheduled = scheduled + 1
  return math.max(0, math.floor((began_s + due_s - now_s) * 1000))
end

local function lines()
  if skus == 1 then return '{"sku":"CD-1","quantity":1}' end
  return string.format('{"sku":"CD-%d","quantity":1},{"sku":"CD-%d","quantity":2}',
    math.random(1, skus), math.random(1, skus))
end

local function order(number)
  local body = string.format(
    '{"currency":"EUR","customer_id":"c_%d","external_reference":"%s-%d","lines":[%s],'
      .. '"payment":{"source":{"provider":"simulator","kind":"token","value":"tok_good"}}}',
    math.random(1, 20000), run, number, lines())
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. token,
    ["Idempotency-Key"] = run .. "-" .. number,
  }, body)
end

local sent = 0

function request()
  if began_s == nil then return order(0) end -- wrk looks at one request before it begins.
  local number = sent
  sent = sent + 1
  count(sent_in, math.floor(due(number) or clock_s() - began_s))
  return order(number)
end

function response(status, headers, body)
  if status ~= 201 then
    count(other_in, math.floor(clock_s() - began_s))
    return
  end
  local number = tonumber(body:match('"external_reference":"%w+%-(%d+)"'))
  local due_s = due(number) or 0
  local late_ms = math.max(1, (clock_s() - began_s - due_s) * 1000)
  local bucket = math.min(BUCKETS - 1, math.floor(math.log10(late_ms) * BUCKETS_A_DECADE))
  count(accepted_in, math.floor(due_s))
  count(late_in, math.floor(due_s) * BUCKETS + bucket)
end

local function pairs_of(counts)
  local found = {}
  for key, number in pairs(counts) do table.insert(found, string.format("[%d,%d]", key, number)) end
  return "[" .. table.concat(found, ",") .. "]"
end

function done(summary, latency, requests)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '\nRESULT {"planned":%.0f,"broken":%d,"sent":%s,"accepted":%s,"other":%s,"late":%s}\n',
    thread:get("planned"), errors.connect + errors.read + errors.write + errors.timeout,
    pairs_of(thread:get("sent_in")), pairs_of(thread:get("accepted_in")),
    pairs_of(thread:get("other_in")), pairs_of(thread:get("late_in"))))
end

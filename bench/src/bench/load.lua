-- Sends what a plan says and judges every answer: wrk -t1 -s load.lua URL -- PLAN ANSWERS
--
-- PLAN is a Lua file that returns a table:
--   heads, tails  request n is a head, its key and a tail; each list is taken in turn
--   key           what every key begins with; without it a request is a head alone
--   expect        text that is in every right answer
--   keep          true writes the id and the price of each answered booking into the file ANSWERS
--
-- The last line that it prints is RESULT and a JSON object. One thread only: what it counts are
-- globals of that thread's world.

local find, sub, match = string.find, string.sub, string.match
local ID, ID_LENGTH = '"booking_id":"', 36
local PRICE = '^"price":{"amount":(%d+),"currency":"INR"}'

local plan, heads, tails, answers

function setup(thread)
  worker = thread
end

function init(arguments)
  plan = dofile(arguments[1])
  heads, tails = plan.heads, plan.tails
  -- wrk asks for one request before the load, only to look at it.
  sent, right, wrong, complaint = -1, 0, 0, ""
  if plan.keep then
    answers = assert(io.open(arguments[2], "w"))
    answers:setvbuf("full", 65536)
  end
end

function request()
  sent = sent + 1
  local head = heads[sent % #heads + 1]
  if plan.key then
    return head .. plan.key .. sent .. tails[sent % #tails + 1]
  end
  return head
end

local function kept(body)
  local at = find(body, ID, 1, true)
  local price = find(body, '"price":', 1, true)
  local amount = price and match(body, PRICE, price)
  if not (at and amount) then
    return false
  end
  answers:write(sub(body, at + #ID, at + #ID + ID_LENGTH - 1), " ", amount, "\n")
  return true
end

function response(status, _, body)
  if status == 200 and find(body, plan.expect, 1, true) and (not answers or kept(body)) then
    right = right + 1
    return
  end
  wrong = wrong + 1
  if complaint == "" then
    complaint = status .. " " .. sub(body, 1, 400)
  end
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\128-\255]', function(c)
    return string.format("\\u%04x", c:byte())
  end) .. '"'
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"sent":%d,"right":%d,"wrong":%d,"seconds":%.6f,"p50":%.6f,"p99":%.6f,'
      .. '"connect":%d,"read":%d,"write":%d,"timeout":%d,"complaint":%s}',
    worker:get("sent"), worker:get("right"), worker:get("wrong"), summary.duration / 1e6,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.connect, errors.read, errors.write, errors.timeout, quoted(worker:get("complaint"))
  ))
end
